// Products of types that oneDNN does not multiply.
#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "assay/device/cpu/gemm.h"

namespace assay::cpu {
namespace {

constexpr std::int64_t kRows = 64;      // rows of A a piece has
constexpr std::int64_t kDepth = 128;    // of a packed panel
constexpr std::int64_t kColumns = 128;  // of a packed panel
constexpr std::int64_t kTileRows = 4;

// One tile of C: kTileRows rows, two vectors wide, in registers while `depth` passes by. `a` is
// packed kTileRows at a time, `b` kColumns at a time.
template <typename T>
void multiply_tile(const T* a, const T* b, std::int64_t depth, T* tile) {
  typedef T Vector __attribute__((vector_size(32)));
  constexpr std::size_t kLanes = 32 / sizeof(T);
  Vector sum[kTileRows][2];
  std::memcpy(sum, tile, sizeof sum);
  for (std::int64_t p = 0; p < depth; ++p) {
    Vector y[2];
    std::memcpy(y, b + p * kColumns, sizeof y);
    for (std::int64_t i = 0; i < kTileRows; ++i) {
      const Vector x = a[p * kTileRows + i] - Vector{};
      sum[i][0] += x * y[0];
      sum[i][1] += x * y[1];
    }
  }
  static_assert(sizeof sum == kTileRows * 2 * kLanes * sizeof(T));
  std::memcpy(tile, sum, sizeof sum);
}

template <typename T>
class Blocked {
 public:
  Blocked(const GemmShape& s, const T* a, const T* b, T* c) : s_(s), a_(a), b_(b), c_(c) {}

  // Rows [begin, end) of C.
  void run(std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::fill_n(c_ + i * s_.n, s_.n, T{0});
    for (std::int64_t p = 0; p < s_.k; p += kDepth) {
      const std::int64_t depth = std::min(kDepth, s_.k - p);
      pack_a(begin, end, p, depth);
      for (std::int64_t j = 0; j < s_.n; j += kColumns) {
        const std::int64_t width = std::min(kColumns, s_.n - j);
        pack_b(p, depth, j, width);
        for (std::int64_t i = begin; i < end; i += kTileRows) {
          add_rows(i, std::min(kTileRows, end - i), (i - begin) * kDepth, depth, j, width);
        }
      }
    }
  }

 private:
  static constexpr std::int64_t kWidth = 2 * 32 / sizeof(T);

  void pack_a(std::int64_t begin, std::int64_t end, std::int64_t p, std::int64_t depth) {
    packed_a_.assign(kRows * kDepth, T{0});
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t group = (i - begin) / kTileRows;
      T* to = packed_a_.data() + group * kTileRows * kDepth + (i - begin) % kTileRows;
      for (std::int64_t q = 0; q < depth; ++q) {
        to[q * kTileRows] = s_.transpose_a ? a_[(p + q) * s_.m + i] : a_[i * s_.k + p + q];
      }
    }
  }

  void pack_b(std::int64_t p, std::int64_t depth, std::int64_t j, std::int64_t width) {
    packed_b_.resize(kDepth * kColumns);
    for (std::int64_t q = 0; q < depth; ++q) {
      T* to = packed_b_.data() + q * kColumns;
      for (std::int64_t r = 0; r < width; ++r) {
        to[r] = s_.transpose_b ? b_[(j + r) * s_.k + p + q] : b_[(p + q) * s_.n + j + r];
      }
      std::fill(to + width, to + kColumns, T{0});
    }
  }

  void add_rows(std::int64_t i, std::int64_t rows, std::int64_t a_offset, std::int64_t depth,
                std::int64_t j, std::int64_t width) {
    alignas(32) T tile[kTileRows * kWidth];
    for (std::int64_t r = 0; r < width; r += kWidth) {
      const std::int64_t columns = std::min(kWidth, width - r);
      for (std::int64_t x = 0; x < rows; ++x) {
        std::copy_n(c_ + (i + x) * s_.n + j + r, columns, tile + x * kWidth);
        std::fill(tile + x * kWidth + columns, tile + (x + 1) * kWidth, T{0});
      }
      std::fill(tile + rows * kWidth, tile + kTileRows * kWidth, T{0});
      multiply_tile(packed_a_.data() + a_offset, packed_b_.data() + r, depth, tile);
      for (std::int64_t x = 0; x < rows; ++x) {
        std::copy_n(tile + x * kWidth, columns, c_ + (i + x) * s_.n + j + r);
      }
    }
  }

  const GemmShape s_;
  const T* a_;
  const T* b_;
  T* c_;
  std::vector<T> packed_a_;
  std::vector<T> packed_b_;
};

template <typename T>
void blocked_gemm(const GemmShape& s, const T* a, const T* b, T* c, ThreadPool& pool) {
  pool.parallel_for(s.m, kRows, [&](std::int64_t begin, std::int64_t end) {
    Blocked<T>(s, a, b, c).run(begin, end);
  });
}

}  // namespace

void gemm(const GemmShape& shape, const double* a, const double* b, double* c, ThreadPool& pool) {
  blocked_gemm(shape, a, b, c, pool);
}

// Integers wrap around: unsigned ones may.
void gemm(const GemmShape& shape, const std::int32_t* a, const std::int32_t* b, std::int32_t* c,
          ThreadPool& pool) {
  using U = std::uint32_t;
  blocked_gemm(shape, reinterpret_cast<const U*>(a), reinterpret_cast<const U*>(b),
               reinterpret_cast<U*>(c), pool);
}

void gemm(const GemmShape& shape, const std::int64_t* a, const std::int64_t* b, std::int64_t* c,
          ThreadPool& pool) {
  using U = std::uint64_t;
  blocked_gemm(shape, reinterpret_cast<const U*>(a), reinterpret_cast<const U*>(b),
               reinterpret_cast<U*>(c), pool);
}

}  // namespace assay::cpu
