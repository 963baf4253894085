// One-input functions without a vector form: the C library's, and those of integers.
#include <cmath>
#include <limits>

#include "assay/device/cpu/loops.h"
#include "assay/device/cpu/map-inl.h"
#include "assay/device/cpu/special.h"

namespace assay::cpu {
namespace {

float log_gamma(float x) {
  int sign;
  return ::lgammaf_r(x, &sign);
}
double log_gamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}

template <typename T>
ElementwiseLoop float_loop(UnaryOp op) {
  switch (op) {
    case UnaryOp::kTan:
      return unary_of<T, T>([](T x) { return std::tan(x); });
    case UnaryOp::kAsin:
      return unary_of<T, T>([](T x) { return std::asin(x); });
    case UnaryOp::kAcos:
      return unary_of<T, T>([](T x) { return std::acos(x); });
    case UnaryOp::kAtan:
      return unary_of<T, T>([](T x) { return std::atan(x); });
    case UnaryOp::kSinh:
      return unary_of<T, T>([](T x) { return std::sinh(x); });
    case UnaryOp::kCosh:
      return unary_of<T, T>([](T x) { return std::cosh(x); });
    case UnaryOp::kAsinh:
      return unary_of<T, T>([](T x) { return std::asinh(x); });
    case UnaryOp::kAcosh:
      return unary_of<T, T>([](T x) { return std::acosh(x); });
    case UnaryOp::kAtanh:
      return unary_of<T, T>([](T x) { return std::atanh(x); });
    case UnaryOp::kErf:
      return unary_of<T, T>([](T x) { return std::erf(x); });
    case UnaryOp::kErfc:
      return unary_of<T, T>([](T x) { return std::erfc(x); });
    case UnaryOp::kLgamma:
      return unary_of<T, T>([](T x) { return log_gamma(x); });
    case UnaryOp::kDigamma:
      return unary_of<T, T>([](T x) { return static_cast<T>(digamma(x)); });
    case UnaryOp::kIsNan:
      return unary_of<T, bool>([](T x) { return x != x; });
    case UnaryOp::kIsInf:
      return unary_of<T, bool>(
          [](T x) { return std::abs(x) == std::numeric_limits<T>::infinity(); });
    case UnaryOp::kIsFinite:
      return unary_of<T, bool>([](T x) { return std::abs(x) <= std::numeric_limits<T>::max(); });
    default:
      return nullptr;
  }
}

template <typename T>
ElementwiseLoop integer_loop(UnaryOp op) {
  using W = wrapping_t<T>;
  switch (op) {
    case UnaryOp::kNeg:
      return unary_of<T, T>([](T x) { return static_cast<T>(W{0} - static_cast<W>(x)); });
    case UnaryOp::kAbs:
      return unary_of<T, T>(
          [](T x) { return x < T{0} ? static_cast<T>(W{0} - static_cast<W>(x)) : x; });
    case UnaryOp::kSign:
      return unary_of<T, T>([](T x) { return static_cast<T>((x > T{0}) - (x < T{0})); });
    case UnaryOp::kSquare:
      return unary_of<T, T>(
          [](T x) { return static_cast<T>(static_cast<W>(x) * static_cast<W>(x)); });
    case UnaryOp::kRelu:
      return unary_of<T, T>([](T x) { return x > T{0} ? x : T{0}; });
    case UnaryOp::kRelu6:
      return unary_of<T, T>([](T x) { return x > T{0} ? (x < T{6} ? x : T{6}) : T{0}; });
    case UnaryOp::kRint:
    case UnaryOp::kFloor:
    case UnaryOp::kCeil:
      return unary_of<T, T>([](T x) { return x; });
    default:
      return nullptr;
  }
}

template <typename T>
ElementwiseLoop complex_loop(UnaryOp op) {
  switch (op) {
    case UnaryOp::kNeg:
      return unary_of<T, T>([](T x) { return -x; });
    case UnaryOp::kSquare:
      return unary_of<T, T>([](T x) { return x * x; });
    case UnaryOp::kReciprocal:
      return unary_of<T, T>([](T x) { return T{1} / x; });
    case UnaryOp::kExp:
      return unary_of<T, T>([](T x) { return std::exp(x); });
    case UnaryOp::kLog:
      return unary_of<T, T>([](T x) { return std::log(x); });
    case UnaryOp::kSqrt:
      return unary_of<T, T>([](T x) { return std::sqrt(x); });
    default:
      return nullptr;
  }
}

}  // namespace

ElementwiseLoop scalar_unary_loop(UnaryOp op, DType dtype) {
  if (op == UnaryOp::kLogicalNot) {
    if (dtype != DType::kBool) return nullptr;
    return unary_of<bool, bool>([](bool x) { return !x; });
  }
  return for_number(dtype, [op](auto zero) -> ElementwiseLoop {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      return float_loop<T>(op);
    } else if constexpr (is_complex_type<T>) {
      return complex_loop<T>(op);
    } else {
      return integer_loop<T>(op);
    }
  });
}

}  // namespace assay::cpu
