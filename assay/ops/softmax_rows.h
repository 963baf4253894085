#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "assay/device/cpu/loops.h"

/// What softmax and its losses do with rows of logits.
namespace assay::ops {

/// Rows are dealt out to threads in pieces of about so many elements.
inline constexpr std::int64_t kSoftmaxGrain = 16384;

/// Eight partial sums: quick, and the same whatever the compiler does.
template <typename T>
T row_sum(const T* x, std::int64_t n) {
  T s[8] = {};
  std::int64_t j = 0;
  for (; j + 8 <= n; j += 8) {
    for (int k = 0; k < 8; ++k) s[k] += x[j + k];
  }
  for (int k = 0; j < n; ++j, ++k) s[k] += x[j];
  return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

/// The largest of n > 0 numbers; NaN where there is one. Compares the numbers' bits as integers
/// of the same order, since compilers make vectors of an integer maximum only.
template <typename T>
T row_max(const T* x, std::int64_t n) {
  using Int = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  const auto ordered = [](Int bits) {
    return bits ^ ((bits >> (8 * sizeof(Int) - 1)) & std::numeric_limits<Int>::max());
  };
  Int most = std::numeric_limits<Int>::lowest();
  for (std::int64_t j = 0; j < n; ++j) {
    const Int key = ordered(std::bit_cast<Int>(x[j]));
    most = key > most ? key : most;
  }
  return std::bit_cast<T>(ordered(most));
}

/// out = x - the row's largest, for each row; `out` may be `x`.
template <typename T>
void shift_rows(const T* x, std::int64_t rows, std::int64_t n, T* out) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const T max = row_max(x + i * n, n);
    for (std::int64_t j = 0; j < n; ++j) out[i * n + j] = x[i * n + j] - max;
  }
}

/// The exponential of Exp itself, in place.
template <typename T>
class ExpInPlace {
 public:
  void operator()(T* x, std::int64_t n) const {
    const void* in[] = {x};
    const int stride[] = {1};
    loop_(in, stride, x, n);
  }

 private:
  ElementwiseLoop loop_ = cpu::unary_loop(cpu::UnaryOp::kExp, dtype_of<T>);
};

}  // namespace assay::ops
