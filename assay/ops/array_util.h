#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "assay/base/error.h"
#include "assay/base/thread_pool.h"
#include "assay/graph/op_def.h"
#include "assay/tensor/tensor.h"

namespace assay::ops {

/// TensorFlow's "numbertype" and "realnumbertype" as attribute texts write them.
inline constexpr const char* kNumberTypes =
    "{float, double, int32, uint8, int16, int8, complex64, int64, qint8, quint8, qint32, "
    "bfloat16, uint16, complex128, half, uint32, uint64}";
inline constexpr const char* kRealNumberTypes =
    "{float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64}";

/// Sixteen bytes that are only copied (complex128).
struct Bytes16 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

/// Calls `body(T{})` with a type that elements of `dtype` can be copied as: an unsigned integer of
/// the same size, or the object type of strings and handles. Throws Unimplemented for dtypes that
/// cannot be held.
template <typename Body>
decltype(auto) dispatch_storage(DType dtype, Body&& body) {
  if (dtype == DType::kString) return body(std::string{});
  if (dtype == DType::kResource || dtype == DType::kVariant) return body(ResourceHandle{});
  switch (dtype_size(dtype)) {
    case 1:
      return body(std::uint8_t{});
    case 2:
      return body(std::uint16_t{});
    case 4:
      return body(std::uint32_t{});
    case 8:
      return body(std::uint64_t{});
    case 16:
      return body(Bytes16{});
    default:
      fail(Code::kUnimplemented, "tensors of {} cannot be copied", dtype_name(dtype));
  }
}

/// True when elements of `dtype` are plain bytes.
inline bool is_plain(DType dtype) {
  return dtype != DType::kString && dtype != DType::kResource && dtype != DType::kVariant;
}

/// The elements as T, which is not compared with the dtype: for types of the same size.
template <typename T>
const T* raw_as(const Tensor& t) {
  return static_cast<const T*>(t.raw());
}
template <typename T>
T* raw_as(Tensor& t) {
  return static_cast<T*>(t.raw());
}

/// Copies `n` elements; the ranges do not overlap.
template <typename T>
void copy_run(T* to, const T* from, std::int64_t n) {
  if constexpr (std::is_trivially_copyable_v<T>) {
    if (n > 0) std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
  } else {
    std::copy_n(from, n, to);
  }
}

/// Entry `i` of an int32 or int64 tensor.
inline std::int64_t int_at(const Tensor& t, std::int64_t i) {
  return t.dtype() == DType::kInt32 ? raw_as<std::int32_t>(t)[i] : raw_as<std::int64_t>(t)[i];
}

/// The entries of an int32 or int64 tensor.
std::vector<std::int64_t> int_values(const Tensor& t);

/// The shape that an int32 or int64 vector holds; throws InvalidArgument for another rank, for
/// negative sizes and for more than kMaxRank of them.
Shape shape_value(const Tensor& t, const char* what);

/// `axis` counted from the front, in [0, rank); throws InvalidArgument when it is outside
/// [-rank, rank).
inline int checked_axis(std::int64_t axis, int rank, const char* what = "axis") {
  if (axis < -rank || axis >= rank) {
    invalid_argument("{} {} is outside [{}, {}) of a tensor of rank {}", what, axis, -rank, rank,
                     rank);
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

/// x + y and x * y of sizes from outside; throw InvalidArgument where no size can be so large.
inline std::int64_t add_sizes(std::int64_t x, std::int64_t y) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(x, y, &sum)) invalid_argument("size {} + {} is too large", x, y);
  return sum;
}
/// The same for x * y.
inline std::int64_t multiply_sizes(std::int64_t x, std::int64_t y) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(x, y, &product)) invalid_argument("size {} * {} is too large", x, y);
  return product;
}

/// Product of the sizes of dimensions [from, to).
inline std::int64_t product(const Shape& shape, int from, int to) {
  std::int64_t n = 1;
  for (int i = from; i < to; ++i) n *= shape.dim(i);
  return n;
}

/// How many rows of `row_bytes` make a piece of work that is worth a thread.
inline std::int64_t rows_per_piece(std::int64_t row_bytes) {
  constexpr std::int64_t kPieceBytes = 1 << 18;
  return std::max<std::int64_t>(1, kPieceBytes / std::max<std::int64_t>(1, row_bytes));
}

/// The one kernel for every dtype: what ops that only copy elements register.
inline std::vector<KernelEntry> any_dtype(KernelFactory make) {
  return {{DType::kInvalid, make}};
}

}  // namespace assay::ops
