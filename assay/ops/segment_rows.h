#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

/// How the ops over segments put rows together: an identity and an in-place step for each.
namespace assay::ops {

/// Adds rows; begins with 0.
template <typename T>
struct SumRows {
  static constexpr T identity() { return T{0}; }
  static void step(T* to, const T* from, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(to[i] + from[i]);
  }
};

/// Multiplies rows element by element; begins with 1.
template <typename T>
struct ProdRows {
  static constexpr T identity() { return T{1}; }
  static void step(T* to, const T* from, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(to[i] * from[i]);
  }
};

/// Keeps the larger, element by element; begins with the lowest number of T.
template <typename T>
struct MaxRows {
  static constexpr T identity() { return std::numeric_limits<T>::lowest(); }
  static void step(T* to, const T* from, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = to[i] < from[i] ? from[i] : to[i];
  }
};

/// Keeps the smaller, element by element; begins with the largest number of T.
template <typename T>
struct MinRows {
  static constexpr T identity() { return std::numeric_limits<T>::max(); }
  static void step(T* to, const T* from, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i] < to[i] ? from[i] : to[i];
  }
};

}  // namespace assay::ops
