#include "assay/tensor/dtype.h"

#include <bit>

namespace assay {

namespace {

struct DTypeRow {
  DType type;
  std::string_view name;
  std::string_view enum_name;
  std::size_t size;
};

constexpr DTypeRow kRows[] = {
    {DType::kFloat, "float32", "DT_FLOAT", 4},
    {DType::kDouble, "float64", "DT_DOUBLE", 8},
    {DType::kInt32, "int32", "DT_INT32", 4},
    {DType::kUInt8, "uint8", "DT_UINT8", 1},
    {DType::kInt16, "int16", "DT_INT16", 2},
    {DType::kInt8, "int8", "DT_INT8", 1},
    {DType::kString, "string", "DT_STRING", sizeof(std::string)},
    {DType::kComplex64, "complex64", "DT_COMPLEX64", 8},
    {DType::kInt64, "int64", "DT_INT64", 8},
    {DType::kBool, "bool", "DT_BOOL", 1},
    {DType::kQInt8, "qint8", "DT_QINT8", 1},
    {DType::kQUInt8, "quint8", "DT_QUINT8", 1},
    {DType::kQInt32, "qint32", "DT_QINT32", 4},
    {DType::kBFloat16, "bfloat16", "DT_BFLOAT16", 2},
    {DType::kQInt16, "qint16", "DT_QINT16", 2},
    {DType::kQUInt16, "quint16", "DT_QUINT16", 2},
    {DType::kUInt16, "uint16", "DT_UINT16", 2},
    {DType::kComplex128, "complex128", "DT_COMPLEX128", 16},
    {DType::kHalf, "float16", "DT_HALF", 2},
    {DType::kResource, "resource", "DT_RESOURCE", sizeof(ResourceHandle)},
    {DType::kVariant, "variant", "DT_VARIANT", sizeof(ResourceHandle)},
    {DType::kUInt32, "uint32", "DT_UINT32", 4},
    {DType::kUInt64, "uint64", "DT_UINT64", 8},
};

const DTypeRow* row_of(DType t) {
  const int index = static_cast<int>(t) - 1;
  if (index < 0 || index >= static_cast<int>(std::size(kRows))) return nullptr;
  return &kRows[index];
}

}  // namespace

std::size_t dtype_size(DType t) {
  const DTypeRow* row = row_of(t);
  return row == nullptr ? 0 : row->size;
}

std::string dtype_name(DType t) {
  const DTypeRow* row = row_of(base_dtype(t));
  if (row == nullptr) return t == DType::kInvalid ? "invalid" : "unknown";
  return std::string(row->name) + (is_ref(t) ? "_ref" : "");
}

std::string dtype_enum_name(DType t) {
  const DTypeRow* row = row_of(base_dtype(t));
  if (row == nullptr) return "DT_INVALID";
  return std::string(row->enum_name) + (is_ref(t) ? "_REF" : "");
}

DType dtype_from_name(std::string_view name) {
  bool ref = false;
  if (name.ends_with("_ref") || name.ends_with("_REF")) {
    ref = true;
    name.remove_suffix(4);
  }
  // The second names that TensorFlow's as_dtype takes.
  if (name == "float") name = "float32";
  if (name == "double") name = "float64";
  if (name == "half") name = "float16";
  for (const DTypeRow& row : kRows) {
    if (name == row.name || name == row.enum_name) return ref ? ref_dtype(row.type) : row.type;
  }
  return DType::kInvalid;
}

Half::Half(float value) {
  const auto u = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((u >> 16) & 0x8000U);
  const std::uint32_t magnitude = u & 0x7fffffffU;
  if (magnitude > 0x7f800000U) {  // NaN: keep it quiet, keep the upper payload bits
    bits = static_cast<std::uint16_t>(sign | 0x7e00U | ((magnitude >> 13) & 0x1ffU));
    return;
  }
  if (magnitude >= 0x477ff000U) {  // 65520 and above round to infinity
    bits = static_cast<std::uint16_t>(sign | 0x7c00U);
    return;
  }
  if (magnitude >= 0x38800000U) {  // a normal half: rebias the exponent, round to nearest even
    const std::uint32_t rebased = magnitude - 0x38000000U;
    const std::uint32_t rounded = rebased + 0xfffU + ((rebased >> 13) & 1U);
    bits = static_cast<std::uint16_t>(sign | (rounded >> 13));
    return;
  }
  // Subnormal: adding 0.5 aligns the fraction so that the FPU itself rounds to nearest even.
  const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
  bits = static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U));
}

Half::operator float() const {
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fU;
  const std::uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

BFloat16::BFloat16(float value) {
  const auto u = std::bit_cast<std::uint32_t>(value);
  if ((u & 0x7fffffffU) > 0x7f800000U) {
    bits = static_cast<std::uint16_t>((u >> 16) | 0x40U);
    return;
  }
  bits = static_cast<std::uint16_t>((u + 0x7fffU + ((u >> 16) & 1U)) >> 16);
}

BFloat16::operator float() const {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

}  // namespace assay
