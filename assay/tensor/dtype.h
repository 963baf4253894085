#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace assay {

/// Element types, with the numbers of TensorFlow's DataType. A reference type (the output of a
/// VariableV2) has 100 added.
enum class DType : int {
  kInvalid = 0,
  kFloat = 1,
  kDouble = 2,
  kInt32 = 3,
  kUInt8 = 4,
  kInt16 = 5,
  kInt8 = 6,
  kString = 7,
  kComplex64 = 8,
  kInt64 = 9,
  kBool = 10,
  kQInt8 = 11,
  kQUInt8 = 12,
  kQInt32 = 13,
  kBFloat16 = 14,
  kQInt16 = 15,
  kQUInt16 = 16,
  kUInt16 = 17,
  kComplex128 = 18,
  kHalf = 19,
  kResource = 20,
  kVariant = 21,
  kUInt32 = 22,
  kUInt64 = 23,
};

/// The types under the names that tf.float32 and its like have; `boolean` is tf.bool.
inline constexpr DType float32 = DType::kFloat;
inline constexpr DType float64 = DType::kDouble;
inline constexpr DType int8 = DType::kInt8;
inline constexpr DType int16 = DType::kInt16;
inline constexpr DType int32 = DType::kInt32;
inline constexpr DType int64 = DType::kInt64;
inline constexpr DType uint8 = DType::kUInt8;
inline constexpr DType uint16 = DType::kUInt16;
inline constexpr DType boolean = DType::kBool;
inline constexpr DType string = DType::kString;

/// Whether it is a reference type: what the output of a VariableV2 has, its code 100 above the
/// value's.
constexpr bool is_ref(DType t) {
  return static_cast<int>(t) > 100;
}
/// The type of the value: `t` itself unless it is a reference type.
constexpr DType base_dtype(DType t) {
  return is_ref(t) ? static_cast<DType>(static_cast<int>(t) - 100) : t;
}
/// The reference type of `t`; `t` itself when it is one.
constexpr DType ref_dtype(DType t) {
  return is_ref(t) ? t : static_cast<DType>(static_cast<int>(t) + 100);
}
/// float16, bfloat16, float32 or float64; no reference type.
constexpr bool is_floating(DType t) {
  return t == DType::kFloat || t == DType::kDouble || t == DType::kHalf || t == DType::kBFloat16;
}
/// Signed or unsigned, 8 to 64 bits; neither bool, quantized nor reference types.
constexpr bool is_integer(DType t) {
  return t == DType::kInt8 || t == DType::kInt16 || t == DType::kInt32 || t == DType::kInt64 ||
         t == DType::kUInt8 || t == DType::kUInt16 || t == DType::kUInt32 || t == DType::kUInt64;
}
/// complex64 or complex128; no reference type.
constexpr bool is_complex(DType t) {
  return t == DType::kComplex64 || t == DType::kComplex128;
}

/// Bytes of one element in memory; of an object for kString, kResource and kVariant; 0 for types
/// that cannot be held (kInvalid, reference types).
std::size_t dtype_size(DType t);

/// TensorFlow's Python name: "float32", "int64", "string"; a reference type ends in "_ref".
std::string dtype_name(DType t);

/// The name in GraphDef text: "DT_FLOAT", "DT_INT64_REF".
std::string dtype_enum_name(DType t);

/// The type of a Python name or of a GraphDef enum name; kInvalid when there is none.
DType dtype_from_name(std::string_view name);

/// IEEE 754 half precision, as 16 bits in memory.
struct Half {
  std::uint16_t bits = 0;
  Half() = default;
  /// Rounds to nearest, ties to even; NaN stays NaN.
  explicit Half(float value);
  explicit operator float() const;
  bool operator==(const Half&) const = default;
};

/// The upper 16 bits of a float32.
struct BFloat16 {
  std::uint16_t bits = 0;
  BFloat16() = default;
  /// Rounds to nearest, ties to even; NaN stays NaN.
  explicit BFloat16(float value);
  explicit operator float() const;
  bool operator==(const BFloat16&) const = default;
};

/// What a session keeps by name: variables, iterators. Shared by the tensors that point at it.
class Resource {
 public:
  virtual ~Resource() = default;
};

/// One element of a kResource tensor, or of a kVariant one (a dataset).
struct ResourceHandle {
  std::shared_ptr<Resource> resource;
  std::string name;
};

/// Maps a C++ type to its DType: `dtype_of<float>`.
template <typename T>
inline constexpr DType dtype_of = DType::kInvalid;
template <>
inline constexpr DType dtype_of<float> = DType::kFloat;
template <>
inline constexpr DType dtype_of<double> = DType::kDouble;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::kInt32;
template <>
inline constexpr DType dtype_of<std::uint8_t> = DType::kUInt8;
template <>
inline constexpr DType dtype_of<std::int16_t> = DType::kInt16;
template <>
inline constexpr DType dtype_of<std::int8_t> = DType::kInt8;
template <>
inline constexpr DType dtype_of<std::string> = DType::kString;
template <>
inline constexpr DType dtype_of<std::complex<float>> = DType::kComplex64;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::kInt64;
template <>
inline constexpr DType dtype_of<bool> = DType::kBool;
template <>
inline constexpr DType dtype_of<BFloat16> = DType::kBFloat16;
template <>
inline constexpr DType dtype_of<std::uint16_t> = DType::kUInt16;
template <>
inline constexpr DType dtype_of<std::complex<double>> = DType::kComplex128;
template <>
inline constexpr DType dtype_of<Half> = DType::kHalf;
template <>
inline constexpr DType dtype_of<ResourceHandle> = DType::kResource;
template <>
inline constexpr DType dtype_of<std::uint32_t> = DType::kUInt32;
template <>
inline constexpr DType dtype_of<std::uint64_t> = DType::kUInt64;

/// True when elements of type `t` are objects of C++ type T.
template <typename T>
constexpr bool holds_type(DType t) {
  return dtype_of<T> == t || (dtype_of<T> == DType::kResource && t == DType::kVariant);
}

}  // namespace assay
