#pragma once

#include <complex>
#include <cstdint>
#include <type_traits>

#include "assay/device/elementwise.h"
#include "assay/tensor/dtype.h"

namespace assay::cpu {

// Loops over stateless functions, `F` a lambda's type. The compiler vectorises the simple ones.

/// An ElementwiseLoop of one input: out[i] = F(x[i]).
template <typename In, typename Out, typename F>
void map_unary(const void* const* in, const int* stride, void* output, std::int64_t n) {
  const F f;
  const In* x = static_cast<const In*>(in[0]);
  Out* out = static_cast<Out*>(output);
  if (stride[0] != 0) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = f(x[i]);
  } else {
    const Out value = f(x[0]);
    for (std::int64_t i = 0; i < n; ++i) out[i] = value;
  }
}

/// The same of two: out[i] = F(x[i], y[i]).
template <typename In, typename Out, typename F>
void map_binary(const void* const* in, const int* stride, void* output, std::int64_t n) {
  const F f;
  const In* x = static_cast<const In*>(in[0]);
  const In* y = static_cast<const In*>(in[1]);
  Out* out = static_cast<Out*>(output);
  if (stride[0] != 0 && stride[1] != 0) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = f(x[i], y[i]);
  } else if (stride[0] != 0) {
    const In b = y[0];
    for (std::int64_t i = 0; i < n; ++i) out[i] = f(x[i], b);
  } else if (stride[1] != 0) {
    const In a = x[0];
    for (std::int64_t i = 0; i < n; ++i) out[i] = f(a, y[i]);
  } else if (n > 0) {
    const Out value = f(x[0], y[0]);
    for (std::int64_t i = 0; i < n; ++i) out[i] = value;
  }
}

/// The loop of a lambda, whose value is not used: only its type.
template <typename In, typename Out, typename F>
ElementwiseLoop unary_of(F) {
  return &map_unary<In, Out, F>;
}

/// The same for two inputs.
template <typename In, typename Out, typename F>
ElementwiseLoop binary_of(F) {
  return &map_binary<In, Out, F>;
}

/// Whether T is one of the two complex types.
template <typename T>
inline constexpr bool is_complex_type =
    std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

/// The type in which +, - and * of T wrap around instead of overflowing.
template <typename T>
struct Wrapping {
  using type = T;
};
template <typename T>
requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) struct Wrapping<T> {
  // At least 32 bits: narrower unsigned types would be promoted to int.
  using type = std::conditional_t<sizeof(T) < 4, std::uint32_t, std::make_unsigned_t<T>>;
};
template <typename T>
using wrapping_t = typename Wrapping<T>::type;

/// body(T{}) for every arithmetic dtype, halves excluded; null for others.
template <typename Body>
ElementwiseLoop for_number(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::kFloat:
      return body(float{});
    case DType::kDouble:
      return body(double{});
    case DType::kInt8:
      return body(std::int8_t{});
    case DType::kInt16:
      return body(std::int16_t{});
    case DType::kInt32:
      return body(std::int32_t{});
    case DType::kInt64:
      return body(std::int64_t{});
    case DType::kUInt8:
      return body(std::uint8_t{});
    case DType::kUInt16:
      return body(std::uint16_t{});
    case DType::kUInt32:
      return body(std::uint32_t{});
    case DType::kUInt64:
      return body(std::uint64_t{});
    case DType::kComplex64:
      return body(std::complex<float>{});
    case DType::kComplex128:
      return body(std::complex<double>{});
    default:
      return nullptr;
  }
}

}  // namespace assay::cpu
