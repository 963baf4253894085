#include "assay/format/tensor_proto.h"

#include <algorithm>

#include "assay/format/varint.h"

namespace assay::format {

namespace {

void check_values(std::int64_t elements, std::int64_t values, std::string_view what) {
  if (values > elements) {
    invalid_argument("{}: a tensor of {} elements has {} values", what, elements, values);
  }
}

/// Fills `to` from typed values; the last one stands for all that follow, none for zeros.
template <typename T, typename Field, typename Convert>
void from_field(const Field& field, Tensor& to, std::string_view what, Convert convert) {
  const std::int64_t n = to.num_elements();
  check_values(n, field.size(), what);
  auto* out = static_cast<T*>(to.raw());
  for (int i = 0; i < field.size(); ++i) out[i] = convert(field[i]);
  const T last = field.empty() ? T{} : out[field.size() - 1];
  std::fill(out + field.size(), out + n, last);
}

template <typename T, typename Field>
void from_field(const Field& field, Tensor& to, std::string_view what) {
  from_field<T>(field, to, what, [](auto v) { return static_cast<T>(v); });
}

template <typename T, typename Field>
void from_complex(const Field& field, Tensor& to, std::string_view what) {
  const std::int64_t n = to.num_elements();
  if (field.size() % 2 != 0) invalid_argument("{}: half of a complex value", what);
  const int values = field.size() / 2;
  check_values(n, values, what);
  auto* out = static_cast<std::complex<T>*>(to.raw());
  for (int i = 0; i < values; ++i) out[i] = {field[2 * i], field[2 * i + 1]};
  std::fill(out + values, out + n, values == 0 ? std::complex<T>{} : out[values - 1]);
}

template <typename T>
T from_bits(std::int32_t bits) {
  T value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

void from_values(const proto::TensorProto& m, Tensor& to, std::string_view what) {
  switch (to.dtype()) {
    case DType::kFloat:
      return from_field<float>(m.float_val(), to, what);
    case DType::kDouble:
      return from_field<double>(m.double_val(), to, what);
    case DType::kInt32:
    case DType::kQInt32:
      return from_field<std::int32_t>(m.int_val(), to, what);
    case DType::kInt16:
    case DType::kQInt16:
      return from_field<std::int16_t>(m.int_val(), to, what);
    case DType::kInt8:
    case DType::kQInt8:
      return from_field<std::int8_t>(m.int_val(), to, what);
    case DType::kUInt16:
    case DType::kQUInt16:
      return from_field<std::uint16_t>(m.int_val(), to, what);
    case DType::kUInt8:
    case DType::kQUInt8:
      return from_field<std::uint8_t>(m.int_val(), to, what);
    case DType::kInt64:
      return from_field<std::int64_t>(m.int64_val(), to, what);
    case DType::kUInt32:
      return from_field<std::uint32_t>(m.uint32_val(), to, what);
    case DType::kUInt64:
      return from_field<std::uint64_t>(m.uint64_val(), to, what);
    case DType::kBool:
      return from_field<bool>(m.bool_val(), to, what);
    case DType::kComplex64:
      return from_complex<float>(m.scomplex_val(), to, what);
    case DType::kComplex128:
      return from_complex<double>(m.dcomplex_val(), to, what);
    case DType::kHalf:
      return from_field<Half>(m.half_val(), to, what, from_bits<Half>);
    case DType::kBFloat16:
      return from_field<BFloat16>(m.half_val(), to, what, from_bits<BFloat16>);
    case DType::kString:
      return from_field<std::string>(m.string_val(), to, what,
                                     [](const std::string& s) { return s; });
    case DType::kResource:
      return from_field<ResourceHandle>(m.resource_handle_val(), to, what, [](const auto& h) {
        return ResourceHandle{nullptr, h.name()};
      });
    default:
      fail(Code::kUnimplemented, "{}: values of type {} cannot be decoded", what,
           dtype_name(to.dtype()));
  }
}

/// The lengths of all strings as varints, then their bytes.
void strings_from_content(std::string_view content, Tensor& to, std::string_view what) {
  std::vector<std::uint64_t> lengths(static_cast<std::size_t>(to.num_elements()));
  for (auto& length : lengths) {
    if (!take_varint(content, length)) invalid_argument("{}: its strings are cut short", what);
  }
  auto* out = to.data<std::string>();
  for (const std::uint64_t length : lengths) {
    if (length > content.size()) invalid_argument("{}: its strings are cut short", what);
    *out++ = content.substr(0, length);
    content.remove_prefix(length);
  }
  if (!content.empty()) invalid_argument("{}: there are bytes after its strings", what);
}

template <typename T, typename Field, typename Convert>
void to_field(const Tensor& tensor, Field& field, Convert convert) {
  const auto* data = static_cast<const T*>(tensor.raw());
  const std::int64_t n = tensor.num_elements();
  field.Reserve(static_cast<int>(n));
  for (std::int64_t i = 0; i < n; ++i) *field.Add() = convert(data[i]);
}

template <typename T, typename Field>
void to_field(const Tensor& tensor, Field& field) {
  to_field<T>(tensor, field, [](const T& v) { return v; });
}

template <typename T, typename Field>
void to_complex(const Tensor& tensor, Field& field) {
  const auto* data = static_cast<const std::complex<T>*>(tensor.raw());
  for (std::int64_t i = 0; i < tensor.num_elements(); ++i) {
    field.Add(data[i].real());
    field.Add(data[i].imag());
  }
}

void to_values(const Tensor& t, proto::TensorProto& m) {
  switch (t.dtype()) {
    case DType::kFloat:
      return to_field<float>(t, *m.mutable_float_val());
    case DType::kDouble:
      return to_field<double>(t, *m.mutable_double_val());
    case DType::kInt32:
    case DType::kQInt32:
      return to_field<std::int32_t>(t, *m.mutable_int_val());
    case DType::kInt16:
    case DType::kQInt16:
      return to_field<std::int16_t>(t, *m.mutable_int_val());
    case DType::kInt8:
    case DType::kQInt8:
      return to_field<std::int8_t>(t, *m.mutable_int_val());
    case DType::kUInt16:
    case DType::kQUInt16:
      return to_field<std::uint16_t>(t, *m.mutable_int_val());
    case DType::kUInt8:
    case DType::kQUInt8:
      return to_field<std::uint8_t>(t, *m.mutable_int_val());
    case DType::kInt64:
      return to_field<std::int64_t>(t, *m.mutable_int64_val());
    case DType::kUInt32:
      return to_field<std::uint32_t>(t, *m.mutable_uint32_val());
    case DType::kUInt64:
      return to_field<std::uint64_t>(t, *m.mutable_uint64_val());
    case DType::kBool:
      return to_field<bool>(t, *m.mutable_bool_val());
    case DType::kComplex64:
      return to_complex<float>(t, *m.mutable_scomplex_val());
    case DType::kComplex128:
      return to_complex<double>(t, *m.mutable_dcomplex_val());
    case DType::kHalf:
      return to_field<Half>(t, *m.mutable_half_val(), [](Half h) { return h.bits; });
    case DType::kBFloat16:
      return to_field<BFloat16>(t, *m.mutable_half_val(), [](BFloat16 h) { return h.bits; });
    case DType::kString:
      return to_field<std::string>(t, *m.mutable_string_val());
    case DType::kResource:
      for (std::int64_t i = 0; i < t.num_elements(); ++i) {
        m.add_resource_handle_val()->set_name(t.data<ResourceHandle>()[i].name);
      }
      return;
    default:
      fail(Code::kUnimplemented, "values of type {} cannot be encoded", dtype_name(t.dtype()));
  }
}

/// The types that make_tensor_proto writes as raw bytes.
bool python_writes_content(DType t) {
  switch (t) {
    case DType::kFloat:
    case DType::kDouble:
    case DType::kInt32:
    case DType::kUInt8:
    case DType::kInt16:
    case DType::kInt8:
    case DType::kInt64:
    case DType::kQInt8:
    case DType::kQUInt8:
    case DType::kQInt16:
    case DType::kQUInt16:
    case DType::kQInt32:
    case DType::kUInt32:
    case DType::kUInt64:
      return true;
    default:
      return false;
  }
}

}  // namespace

Tensor tensor_from_proto(const proto::TensorProto& message, std::string_view what,
                         std::int64_t max_bytes) {
  const auto dtype = static_cast<DType>(message.dtype());
  const std::size_t item = dtype_size(dtype);
  if (item == 0 || dtype == DType::kVariant) {
    if (dtype == DType::kVariant) {
      fail(Code::kUnimplemented, "{}: a variant's value cannot be decoded", what);
    }
    invalid_argument("{}: a tensor cannot have type {}", what, static_cast<int>(message.dtype()));
  }
  const Shape shape = shape_from_proto(message.tensor_shape(), what);
  const std::int64_t n = shape.num_elements();
  if (n > max_bytes / static_cast<std::int64_t>(item)) {
    fail(Code::kResourceExhausted, "{}: a tensor {}{} is more than {} bytes", what,
         dtype_name(dtype), shape.str(), max_bytes);
  }
  const std::string& content = message.tensor_content();
  if (content.empty()) {
    Tensor t(dtype, shape);
    from_values(message, t, what);
    return t;
  }
  if (dtype == DType::kResource) {
    invalid_argument("{}: a resource cannot be given as bytes", what);
  }
  if (dtype == DType::kString) {
    if (content.size() < static_cast<std::size_t>(n)) {
      invalid_argument("{}: its strings are cut short", what);
    }
    Tensor t(dtype, shape);
    strings_from_content(content, t, what);
    return t;
  }
  if (content.size() != static_cast<std::size_t>(n) * item) {
    invalid_argument("{}: a tensor {}{} has {} bytes, not {}", what, dtype_name(dtype), shape.str(),
                     content.size(), static_cast<std::size_t>(n) * item);
  }
  Tensor t(dtype, shape);
  std::memcpy(t.raw(), content.data(), content.size());
  if (dtype == DType::kBool) {
    // A bool of any other byte would be undefined.
    auto* bytes = static_cast<std::uint8_t*>(t.raw());
    for (std::int64_t i = 0; i < n; ++i) bytes[i] = bytes[i] != 0 ? 1 : 0;
  }
  return t;
}

void tensor_to_proto(const Tensor& tensor, proto::TensorProto& message, TensorEncoding encoding) {
  message.Clear();
  message.set_dtype(static_cast<proto::DataType>(tensor.dtype()));
  shape_to_proto(tensor.shape(), *message.mutable_tensor_shape());
  if (tensor.num_elements() > INT32_MAX) {
    fail(Code::kResourceExhausted, "a tensor of shape {} is too large for a message",
         tensor.shape().str());
  }
  if (encoding == TensorEncoding::kPython && tensor.num_elements() > 1 &&
      python_writes_content(tensor.dtype())) {
    message.set_tensor_content(tensor.raw(), tensor.num_bytes());
    return;
  }
  to_values(tensor, message);
}

proto::TensorProto tensor_to_proto(const Tensor& tensor, TensorEncoding encoding) {
  proto::TensorProto message;
  tensor_to_proto(tensor, message, encoding);
  return message;
}

Shape shape_from_proto(const proto::TensorShapeProto& message, std::string_view what) {
  const PartialShape partial = partial_shape_from_proto(message, what);
  if (!partial.is_fully_defined()) {
    invalid_argument("{}: the shape {} is not known fully", what, partial.str());
  }
  try {
    return partial.to_shape();
  } catch (const Error& e) {
    fail(e.code(), "{}: {}", what, e.message());
  }
}

PartialShape partial_shape_from_proto(const proto::TensorShapeProto& message,
                                      std::string_view what) {
  if (message.unknown_rank()) return PartialShape::unknown();
  std::vector<std::int64_t> dims;
  for (const auto& dim : message.dim()) {
    if (dim.size() < -1) invalid_argument("{}: a shape has a size of {}", what, dim.size());
    dims.push_back(dim.size());
  }
  return PartialShape(std::move(dims));
}

void shape_to_proto(const Shape& shape, proto::TensorShapeProto& message) {
  message.Clear();
  for (const std::int64_t d : shape.dims()) message.add_dim()->set_size(d);
}

void shape_to_proto(const PartialShape& shape, proto::TensorShapeProto& message) {
  message.Clear();
  if (!shape.has_rank()) {
    message.set_unknown_rank(true);
    return;
  }
  for (const std::int64_t d : shape.dims()) message.add_dim()->set_size(d);
}

}  // namespace assay::format
