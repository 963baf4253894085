#include "assay/ops/strided_copy.h"

#include <algorithm>

#include "assay/ops/array_util.h"

namespace assay::ops {
namespace {

/// One row: `n` elements at any strides.
template <typename T>
void copy_row(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
              std::int64_t n) {
  if (to_stride == 1 && from_stride == 1) {
    copy_run(to, from, n);
  } else if (to_stride == 1 && from_stride == 0) {
    std::fill_n(to, n, *from);
  } else if (to_stride == 1 && from_stride == -1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[-i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

/// A plane whose rows are contiguous in the target and whose columns are contiguous in the source:
/// copied in tiles, so that both sides use whole cache lines.
template <typename T>
void copy_transposed(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
                     std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kTile = 16;
  for (std::int64_t c = 0; c < columns; c += kTile) {
    const std::int64_t c_end = std::min(columns, c + kTile);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = c; i < c_end; ++i) to[r * to_stride + i] = from[r + i * from_stride];
    }
  }
}

}  // namespace

void StridedCopy::add_dim(std::int64_t size, std::int64_t from_stride, std::int64_t to_stride) {
  if (size == 0) empty_ = true;
  if (size == 1) return;
  if (rank_ > 0) {
    Dim& last = dims_[static_cast<std::size_t>(rank_ - 1)];
    if (last.from == from_stride * size && last.to == to_stride * size) {
      last = {last.size * size, from_stride, to_stride};
      return;
    }
  }
  ASSAY_CHECK(rank_ < kMaxDims);
  dims_[static_cast<std::size_t>(rank_++)] = {size, from_stride, to_stride};
}

template <typename T>
void StridedCopy::run_typed(const T* from, T* to, ThreadPool& pool) const {
  if (empty_) return;
  if (rank_ == 0) {
    *to = *from;
    return;
  }
  const Dim& inner = dims_[static_cast<std::size_t>(rank_ - 1)];
  // A plane is copied at once when the row's source is scattered but the column's is not.
  const bool plane = rank_ >= 2 && inner.to == 1 && inner.from != 1 && inner.from != 0 &&
                     dims_[static_cast<std::size_t>(rank_ - 2)].from == 1;
  const int outer_rank = plane ? rank_ - 2 : rank_ - 1;
  std::int64_t pieces = 1;
  for (int d = 0; d < outer_rank; ++d) pieces *= dims_[static_cast<std::size_t>(d)].size;
  std::int64_t piece_size = inner.size;
  if (plane) piece_size *= dims_[static_cast<std::size_t>(rank_ - 2)].size;

  pool.parallel_for(pieces, rows_per_piece(piece_size * static_cast<std::int64_t>(sizeof(T))),
                    [&](std::int64_t begin, std::int64_t end) {
                      std::array<std::int64_t, kMaxDims> at{};
                      const T* f = from;
                      T* t = to;
                      std::int64_t rest = begin;
                      for (int d = outer_rank - 1; d >= 0; --d) {
                        const Dim& dim = dims_[static_cast<std::size_t>(d)];
                        at[static_cast<std::size_t>(d)] = rest % dim.size;
                        f += at[static_cast<std::size_t>(d)] * dim.from;
                        t += at[static_cast<std::size_t>(d)] * dim.to;
                        rest /= dim.size;
                      }
                      for (std::int64_t p = begin; p < end; ++p) {
                        if (plane) {
                          const Dim& outer = dims_[static_cast<std::size_t>(rank_ - 2)];
                          copy_transposed(f, inner.from, t, outer.to, outer.size, inner.size);
                        } else {
                          copy_row(f, inner.from, t, inner.to, inner.size);
                        }
                        for (int d = outer_rank - 1; d >= 0; --d) {
                          const Dim& dim = dims_[static_cast<std::size_t>(d)];
                          std::int64_t& i = at[static_cast<std::size_t>(d)];
                          f += dim.from;
                          t += dim.to;
                          if (++i < dim.size) break;
                          f -= dim.from * dim.size;
                          t -= dim.to * dim.size;
                          i = 0;
                        }
                      }
                    });
}

void StridedCopy::run(DType dtype, const void* from, void* to, ThreadPool& pool) const {
  dispatch_storage(dtype, [&](auto zero) {
    using T = decltype(zero);
    run_typed(static_cast<const T*>(from), static_cast<T*>(to), pool);
  });
}

}  // namespace assay::ops
