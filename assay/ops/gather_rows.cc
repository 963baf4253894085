#include "assay/ops/gather_rows.h"

#include <algorithm>

#include "assay/ops/array_util.h"

namespace assay::ops {
namespace {

constexpr std::int64_t kCacheLine = 64;
/// How far ahead of the row being copied memory is asked for, in bytes of rows.
constexpr std::int64_t kPrefetchBytes = 4096;

template <typename Index>
[[noreturn, gnu::cold, gnu::noinline]] void bad_index(const GatherRows& job, const Index* indices) {
  for (std::int64_t i = 0; i < job.count; ++i) {
    if (indices[i] >= 0 && indices[i] < job.entries) continue;
    invalid_argument("{} = {} is not in [0, {})",
                     entry_name("indices", job.indices->shape(), job.indices_offset + i),
                     indices[i], job.entries);
  }
  ASSAY_CHECK(false);
}

/// Rows of plain bytes, some cache lines each: memory is asked for a few rows ahead.
template <typename Index>
void copy_byte_rows(const char* params, const Index* indices, std::int64_t begin, std::int64_t end,
                    std::int64_t row_bytes, char* out) {
  const std::int64_t ahead = std::max<std::int64_t>(1, kPrefetchBytes / row_bytes);
  const std::int64_t reach = std::min<std::int64_t>(row_bytes, kPrefetchBytes);
  for (std::int64_t i = begin; i < end; ++i) {
    if (i + ahead < end) {
      const char* next = params + static_cast<std::int64_t>(indices[i + ahead]) * row_bytes;
      for (std::int64_t b = 0; b < reach; b += kCacheLine) __builtin_prefetch(next + b);
    }
    std::memcpy(out + i * row_bytes, params + static_cast<std::int64_t>(indices[i]) * row_bytes,
                static_cast<std::size_t>(row_bytes));
  }
}

template <typename T, typename Index>
void gather_typed(const GatherRows& job, ThreadPool& pool) {
  const T* params = raw_as<T>(*job.params) + job.params_offset;
  const Index* indices = raw_as<Index>(*job.indices) + job.indices_offset;
  T* out = raw_as<T>(*job.out) + job.out_offset;
  using Unsigned = std::make_unsigned_t<Index>;
  bool bad = false;
  for (std::int64_t i = 0; i < job.count; ++i) {
    bad |= static_cast<std::uint64_t>(static_cast<Unsigned>(indices[i])) >=
           static_cast<std::uint64_t>(job.entries);
  }
  if (bad) bad_index(job, indices);
  const std::int64_t row_bytes = job.inner * static_cast<std::int64_t>(sizeof(T));
  if (row_bytes == 0) return;
  pool.parallel_for(
      job.count, rows_per_piece(row_bytes), [&](std::int64_t begin, std::int64_t end) {
        if constexpr (std::is_trivially_copyable_v<T>) {
          if (row_bytes >= kCacheLine / 2) {
            copy_byte_rows(reinterpret_cast<const char*>(params), indices, begin, end, row_bytes,
                           reinterpret_cast<char*>(out));
            return;
          }
        }
        if (job.inner == 1) {
          for (std::int64_t i = begin; i < end; ++i) out[i] = params[indices[i]];
          return;
        }
        for (std::int64_t i = begin; i < end; ++i) {
          copy_run(out + i * job.inner, params + static_cast<std::int64_t>(indices[i]) * job.inner,
                   job.inner);
        }
      });
}

}  // namespace

std::string entry_name(const char* tensor, const Shape& shape, std::int64_t flat) {
  if (shape.rank() == 0) return tensor;
  std::string at;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    at = std::to_string(flat % shape.dim(d)) + (at.empty() ? "" : ",") + at;
    flat /= shape.dim(d);
  }
  return fmt::format("{}[{}]", tensor, at);
}

void gather_rows(const GatherRows& job, ThreadPool& pool) {
  if (job.count == 0) return;
  dispatch_storage(job.params->dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (job.indices->dtype() == DType::kInt32) {
      gather_typed<T, std::int32_t>(job, pool);
    } else {
      gather_typed<T, std::int64_t>(job, pool);
    }
  });
}

}  // namespace assay::ops
