// Two-input functions without a vector form: the C library's, and those of integers.
#include <cmath>
#include <string>

#include "assay/base/error.h"
#include "assay/device/cpu/loops.h"
#include "assay/device/cpu/map-inl.h"
#include "assay/device/cpu/special.h"

namespace assay::cpu {
namespace {

template <typename T>
T power(T x, T y) {
  // The commonest power, exactly.
  return y == T{2} ? x * x : std::pow(x, y);
}

template <typename T>
T floor_mod(T x, T y) {
  const T r = std::fmod(x, y);
  return (x < T{0}) == (y < T{0}) ? r : std::fmod(r + y, y);
}

template <typename T>
ElementwiseLoop float_loop(BinaryOp op) {
  switch (op) {
    case BinaryOp::kPow:
      return binary_of<T, T>([](T x, T y) { return power(x, y); });
    case BinaryOp::kFloorMod:
      return binary_of<T, T>([](T x, T y) { return floor_mod(x, y); });
    case BinaryOp::kTruncateMod:
      return binary_of<T, T>([](T x, T y) { return std::fmod(x, y); });
    case BinaryOp::kAtan2:
      return binary_of<T, T>([](T y, T x) { return std::atan2(y, x); });
    case BinaryOp::kPolygamma:
      return binary_of<T, T>([](T n, T x) { return static_cast<T>(polygamma(n, x)); });
    case BinaryOp::kZeta:
      return binary_of<T, T>([](T x, T q) { return static_cast<T>(zeta(x, q)); });
    default:
      return nullptr;
  }
}

template <typename T>
void check_divisor(T y) {
  if (y == T{0}) [[unlikely]] {
    invalid_argument("integer division by zero");
  }
}

// True for the one quotient that does not fit: the lowest number by -1.
template <typename T>
bool by_minus_one(T y) {
  return std::is_signed_v<T> && y == static_cast<T>(-1);
}

template <typename T>
T negated(T x) {
  using W = wrapping_t<T>;
  return static_cast<T>(W{0} - static_cast<W>(x));
}

template <typename T>
T integer_power(T x, T y) {
  using W = wrapping_t<T>;
  if (y < T{0}) [[unlikely]] {
    invalid_argument("an integer to a negative power: {}", static_cast<std::int64_t>(y));
  }
  W base = static_cast<W>(x);
  W result = 1;
  for (auto e = static_cast<W>(y); e != 0; e >>= 1) {
    if ((e & 1) != 0) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}

template <typename T>
ElementwiseLoop integer_loop(BinaryOp op) {
  using W = wrapping_t<T>;
  switch (op) {
    case BinaryOp::kAdd:
      return binary_of<T, T>(
          [](T x, T y) { return static_cast<T>(static_cast<W>(x) + static_cast<W>(y)); });
    case BinaryOp::kSub:
      return binary_of<T, T>(
          [](T x, T y) { return static_cast<T>(static_cast<W>(x) - static_cast<W>(y)); });
    case BinaryOp::kMul:
      return binary_of<T, T>(
          [](T x, T y) { return static_cast<T>(static_cast<W>(x) * static_cast<W>(y)); });
    case BinaryOp::kDiv:
      return binary_of<T, T>([](T x, T y) {
        check_divisor(y);
        return by_minus_one(y) ? negated(x) : static_cast<T>(x / y);
      });
    case BinaryOp::kFloorDiv:
      return binary_of<T, T>([](T x, T y) {
        check_divisor(y);
        if (by_minus_one(y)) return negated(x);
        const T q = static_cast<T>(x / y);
        return static_cast<T>(q - ((x % y != 0) && ((x < T{0}) != (y < T{0}))));
      });
    case BinaryOp::kTruncateMod:
      return binary_of<T, T>([](T x, T y) {
        check_divisor(y);
        return by_minus_one(y) ? T{0} : static_cast<T>(x % y);
      });
    case BinaryOp::kFloorMod:
      return binary_of<T, T>([](T x, T y) {
        check_divisor(y);
        if (by_minus_one(y)) return T{0};
        const T r = static_cast<T>(x % y);
        return r != 0 && (x < T{0}) != (y < T{0}) ? static_cast<T>(r + y) : r;
      });
    case BinaryOp::kPow:
      return binary_of<T, T>([](T x, T y) { return integer_power(x, y); });
    case BinaryOp::kMaximum:
      return binary_of<T, T>([](T x, T y) { return x < y ? y : x; });
    case BinaryOp::kMinimum:
      return binary_of<T, T>([](T x, T y) { return y < x ? y : x; });
    case BinaryOp::kSquaredDifference:
      return binary_of<T, T>([](T x, T y) {
        const W d = static_cast<W>(x) - static_cast<W>(y);
        return static_cast<T>(d * d);
      });
    case BinaryOp::kReluGrad:
      return binary_of<T, T>([](T g, T x) { return x > T{0} ? g : T{0}; });
    case BinaryOp::kRelu6Grad:
      return binary_of<T, T>([](T g, T x) { return x > T{0} && x < T{6} ? g : T{0}; });
    default:
      return nullptr;
  }
}

template <typename T>
ElementwiseLoop complex_loop(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return binary_of<T, T>([](T x, T y) { return x + y; });
    case BinaryOp::kSub:
      return binary_of<T, T>([](T x, T y) { return x - y; });
    case BinaryOp::kMul:
      return binary_of<T, T>([](T x, T y) { return x * y; });
    case BinaryOp::kDiv:
      return binary_of<T, T>([](T x, T y) { return x / y; });
    default:
      return nullptr;
  }
}

}  // namespace

ElementwiseLoop scalar_binary_loop(BinaryOp op, DType dtype) {
  if (dtype == DType::kString && op == BinaryOp::kAdd) {
    return binary_of<std::string, std::string>(
        [](const std::string& x, const std::string& y) { return x + y; });
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
