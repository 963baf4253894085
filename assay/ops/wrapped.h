#pragma once

#include <cstdint>
#include <type_traits>

namespace assay {

/// f(x, y), in a type in which integers wrap around instead of overflowing.
template <typename T, typename F>
T wrapped(T x, T y, const F& f) {
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    // At least 32 bits: narrower unsigned types would be promoted to int.
    using U = std::conditional_t<sizeof(T) < 4, std::uint32_t, std::make_unsigned_t<T>>;
    return static_cast<T>(f(static_cast<U>(x), static_cast<U>(y)));
  } else {
    return static_cast<T>(f(x, y));
  }
}

/// x + y; integers wrap around.
template <typename T>
T wrapped_sum(T x, T y) {
  return wrapped(x, y, [](auto a, auto b) { return a + b; });
}

/// x - y; integers wrap around.
template <typename T>
T wrapped_difference(T x, T y) {
  return wrapped(x, y, [](auto a, auto b) { return a - b; });
}

}  // namespace assay
