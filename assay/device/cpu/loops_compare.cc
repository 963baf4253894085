// Comparisons, logic, selection.
#include <string>

#include "assay/device/cpu/loops.h"
#include "assay/device/cpu/map-inl.h"

namespace assay::cpu {
namespace {

template <typename T>
ElementwiseLoop equality(CompareOp op) {
  if (op == CompareOp::kEqual) {
    return binary_of<T, bool>([](const T& x, const T& y) { return x == y; });
  }
  if (op == CompareOp::kNotEqual) {
    return binary_of<T, bool>([](const T& x, const T& y) { return !(x == y); });
  }
  return nullptr;
}

template <typename T>
ElementwiseLoop comparison(CompareOp op) {
  switch (op) {
    case CompareOp::kEqual:
    case CompareOp::kNotEqual:
      return equality<T>(op);
    case CompareOp::kLess:
      return binary_of<T, bool>([](T x, T y) { return x < y; });
    case CompareOp::kLessEqual:
      return binary_of<T, bool>([](T x, T y) { return x <= y; });
    case CompareOp::kGreater:
      return binary_of<T, bool>([](T x, T y) { return x > y; });
    case CompareOp::kGreaterEqual:
      return binary_of<T, bool>([](T x, T y) { return x >= y; });
  }
  return nullptr;
}

// Halves compare as floats.
template <typename T>
ElementwiseLoop half_comparison(CompareOp op) {
  const auto f = [](T x) { return static_cast<float>(x); };
  using F = decltype(f);
  switch (op) {
    case CompareOp::kEqual:
      return binary_of<T, bool>([](T x, T y) { return F{}(x) == F{}(y); });
    case CompareOp::kNotEqual:
      return binary_of<T, bool>([](T x, T y) { return F{}(x) != F{}(y); });
    case CompareOp::kLess:
      return binary_of<T, bool>([](T x, T y) { return F{}(x) < F{}(y); });
    case CompareOp::kLessEqual:
      return binary_of<T, bool>([](T x, T y) { return F{}(x) <= F{}(y); });
    case CompareOp::kGreater:
      return binary_of<T, bool>([](T x, T y) { return F{}(x) > F{}(y); });
    case CompareOp::kGreaterEqual:
      return binary_of<T, bool>([](T x, T y) { return F{}(x) >= F{}(y); });
  }
  return nullptr;
}

template <typename T>
void select(const void* const* in, const int* stride, void* output, std::int64_t n) {
  const bool* c = static_cast<const bool*>(in[0]);
  const T* x = static_cast<const T*>(in[1]);
  const T* y = static_cast<const T*>(in[2]);
  T* out = static_cast<T*>(output);
  if (stride[0] == 1 && stride[1] == 1 && stride[2] == 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = c[i] ? x[i] : y[i];
    return;
  }
  const std::int64_t cs = stride[0];
  const std::int64_t xs = stride[1];
  const std::int64_t ys = stride[2];
  for (std::int64_t i = 0; i < n; ++i) out[i] = c[i * cs] ? x[i * xs] : y[i * ys];
}

}  // namespace

ElementwiseLoop compare_loop(CompareOp op, DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return equality<bool>(op);
    case DType::kString:
      return equality<std::string>(op);
    case DType::kHalf:
      return half_comparison<Half>(op);
    case DType::kBFloat16:
      return half_comparison<BFloat16>(op);
    default:
      return for_number(dtype, [op](auto zero) -> ElementwiseLoop {
        using T = decltype(zero);
        if constexpr (is_complex_type<T>) {
          return equality<T>(op);
        } else {
          return comparison<T>(op);
        }
      });
  }
}

ElementwiseLoop logical_and_loop() {
  return binary_of<bool, bool>([](bool x, bool y) -> bool { return x & y; });
}

ElementwiseLoop logical_or_loop() {
  return binary_of<bool, bool>([](bool x, bool y) -> bool { return x | y; });
}

ElementwiseLoop select_loop(DType dtype) {
  if (dtype == DType::kString) return &select<std::string>;
  if (dtype == DType::kResource) return &select<ResourceHandle>;
  // Only the size matters.
  const std::size_t size = dtype_size(dtype);
  if (const auto loop = simd_select_loop(size)) return loop;
  switch (size) {
    case 1:
      return &select<std::uint8_t>;
    case 2:
      return &select<std::uint16_t>;
    case 16:
      return &select<std::complex<double>>;
    default:
      return nullptr;
  }
}

ElementwiseLoop leaky_relu_grad_loop(DType dtype) {
  const auto loop = [](auto zero) -> ElementwiseLoop {
    using T = decltype(zero);
    return [](const void* const* in, const int* stride, void* output, std::int64_t n) {
      const T* g = static_cast<const T*>(in[0]);
      const T* x = static_cast<const T*>(in[1]);
      const T slope = *static_cast<const T*>(in[2]);
      T* out = static_cast<T*>(output);
      const std::int64_t gs = stride[0];
      const std::int64_t xs = stride[1];
      for (std::int64_t i = 0; i < n; ++i) {
        out[i] = x[i * xs] > T{0} ? g[i * gs] : g[i * gs] * slope;
      }
    };
  };
  if (dtype == DType::kFloat) return loop(float{});
  if (dtype == DType::kDouble) return loop(double{});
  return nullptr;
}

}  // namespace assay::cpu
