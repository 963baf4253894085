#include "assay/tensor/statistics.h"

#include <cmath>
#include <limits>

namespace assay {

namespace {

/// Calls `body(pointer)` with the elements as the C++ type that they are stored as.
template <typename Body>
decltype(auto) with_elements(const Tensor& t, Body&& body) {
  const auto as = [&]<typename T>(T) -> decltype(auto) {
    return body(static_cast<const T*>(t.raw()));
  };
  switch (t.dtype()) {
    case DType::kFloat:
      return as(float{});
    case DType::kDouble:
      return as(double{});
    case DType::kHalf:
      return as(Half{});
    case DType::kBFloat16:
      return as(BFloat16{});
    case DType::kComplex64:
      return as(std::complex<float>{});
    case DType::kComplex128:
      return as(std::complex<double>{});
    case DType::kBool:
      return as(bool{});
    case DType::kInt8:
    case DType::kQInt8:
      return as(std::int8_t{});
    case DType::kUInt8:
    case DType::kQUInt8:
      return as(std::uint8_t{});
    case DType::kInt16:
    case DType::kQInt16:
      return as(std::int16_t{});
    case DType::kUInt16:
    case DType::kQUInt16:
      return as(std::uint16_t{});
    case DType::kInt32:
    case DType::kQInt32:
      return as(std::int32_t{});
    case DType::kUInt32:
      return as(std::uint32_t{});
    case DType::kInt64:
      return as(std::int64_t{});
    case DType::kUInt64:
      return as(std::uint64_t{});
    default:
      fail(Code::kUnimplemented, "a {} tensor has no numbers", dtype_name(t.dtype()));
  }
}

/// Exact for every type but complex: long double holds all 64-bit integers.
template <typename T>
long double number(T value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return static_cast<float>(value);
  } else if constexpr (std::is_same_v<T, std::complex<float>> ||
                       std::is_same_v<T, std::complex<double>>) {
    return std::abs(std::complex<double>(value));
  } else {
    return static_cast<long double>(value);
  }
}

/// The distance of two elements; 0 for a pair of NaN.
template <typename T>
double distance(T a, T b) {
  if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
    return std::hypot(distance(a.real(), b.real()), distance(a.imag(), b.imag()));
  } else {
    const long double x = number(a);
    const long double y = number(b);
    if (x == y || (std::isnan(x) && std::isnan(y))) return 0;
    if (std::isnan(x) || std::isnan(y)) return std::numeric_limits<double>::infinity();
    return static_cast<double>(std::abs(x - y));
  }
}

}  // namespace

TensorStatistics tensor_statistics(const Tensor& tensor) {
  return with_elements(tensor, [&](const auto* values) {
    TensorStatistics s;
    s.count = tensor.num_elements();
    long double sum = 0;
    for (std::int64_t i = 0; i < s.count; ++i) {
      const long double x = number(values[i]);
      if (std::isnan(x)) {
        ++s.nan;
        continue;
      }
      if (std::isinf(x)) {
        ++s.inf;
        continue;
      }
      if (x == 0) ++s.zeros;
      if (s.finite == 0 || x < s.min) s.min = x;
      if (s.finite == 0 || x > s.max) s.max = x;
      ++s.finite;
      sum += x;
    }
    if (s.finite == 0) return s;
    const long double mean = sum / static_cast<long double>(s.finite);
    long double squares = 0;
    for (std::int64_t i = 0; i < s.count; ++i) {
      const long double x = number(values[i]);
      if (std::isfinite(x)) squares += (x - mean) * (x - mean);
    }
    s.mean = static_cast<double>(mean);
    s.stddev = static_cast<double>(std::sqrt(squares / static_cast<long double>(s.finite)));
    return s;
  });
}

TensorDifference compare_tensors(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) {
    invalid_argument("{}{} and {}{} cannot be compared", dtype_name(a.dtype()), a.shape().str(),
                     dtype_name(b.dtype()), b.shape().str());
  }
  TensorDifference d;
  d.identical = a.identical(b);
  if (a.dtype() == DType::kString) {
    for (std::int64_t i = 0; i < a.num_elements(); ++i) {
      if (a.data<std::string>()[i] != b.data<std::string>()[i]) ++d.different;
    }
    return d;
  }
  d.largest = 0;
  with_elements(a, [&]<typename T>(const T* x) {
    const T* y = static_cast<const T*>(b.raw());
    if (d.identical) return;
    for (std::int64_t i = 0; i < a.num_elements(); ++i) {
      const double apart = distance(x[i], y[i]);
      if (apart == 0) continue;
      ++d.different;
      if (apart > *d.largest) d.largest = apart;
    }
  });
  return d;
}

double element_as_double(const Tensor& tensor, std::int64_t index) {
  return with_elements(
      tensor, [&](const auto* values) { return static_cast<double>(number(values[index])); });
}

}  // namespace assay
