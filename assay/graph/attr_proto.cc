#include "assay/graph/attr_proto.h"

#include "assay/format/tensor_proto.h"

namespace assay {
namespace {

constexpr int kMaxFunctionDepth = 32;  // of functions among a function's attributes

std::optional<AttrValue> read_attr(const proto::AttrValue& value, std::string_view what, int depth);

std::shared_ptr<const FunctionAttr> read_function(const proto::NameAttrList& function,
                                                  std::string_view what, int depth) {
  if (depth > kMaxFunctionDepth) invalid_argument("{}: functions are nested too deeply", what);
  auto out = std::make_shared<FunctionAttr>();
  out->name = function.name();
  for (const auto& [name, attr] : function.attr()) {
    if (auto read = read_attr(attr, what, depth + 1)) out->attrs.emplace(name, std::move(*read));
  }
  return out;
}

DType read_type(int type, std::string_view what) {
  if (!proto::DataType_IsValid(type))
    invalid_argument("{}: there is no dtype number {}", what, type);
  return static_cast<DType>(type);
}

AttrValue read_list(const proto::AttrValue::ListValue& list, std::string_view what, int depth) {
  const int kinds = (list.s_size() > 0) + (list.i_size() > 0) + (list.f_size() > 0) +
                    (list.b_size() > 0) + (list.type_size() > 0) + (list.shape_size() > 0) +
                    (list.tensor_size() > 0) + (list.func_size() > 0);
  if (kinds > 1) invalid_argument("{}: a list holds values of several kinds", what);
  if (list.s_size() > 0) return std::vector<std::string>(list.s().begin(), list.s().end());
  if (list.i_size() > 0) return std::vector<std::int64_t>(list.i().begin(), list.i().end());
  if (list.f_size() > 0) return std::vector<float>(list.f().begin(), list.f().end());
  if (list.b_size() > 0) return std::vector<bool>(list.b().begin(), list.b().end());
  if (list.type_size() > 0) {
    std::vector<DType> types;
    for (int type : list.type()) types.push_back(read_type(type, what));
    return types;
  }
  if (list.shape_size() > 0) {
    std::vector<PartialShape> shapes;
    for (const auto& shape : list.shape())
      shapes.push_back(format::partial_shape_from_proto(shape, what));
    return shapes;
  }
  if (list.tensor_size() > 0) {
    std::vector<Tensor> tensors;
    for (const auto& tensor : list.tensor()) {
      tensors.push_back(format::tensor_from_proto(tensor, what));
    }
    return tensors;
  }
  if (list.func_size() > 0) {
    std::vector<std::shared_ptr<const FunctionAttr>> functions;
    for (const auto& function : list.func()) {
      functions.push_back(read_function(function, what, depth));
    }
    return functions;
  }
  return EmptyList{};
}

std::optional<AttrValue> read_attr(const proto::AttrValue& value, std::string_view what,
                                   int depth) {
  switch (value.value_case()) {
    case proto::AttrValue::kList:
      return read_list(value.list(), what, depth);
    case proto::AttrValue::kS:
      return value.s();
    case proto::AttrValue::kI:
      return std::int64_t{value.i()};
    case proto::AttrValue::kF:
      return value.f();
    case proto::AttrValue::kB:
      return value.b();
    case proto::AttrValue::kType:
      return read_type(value.type(), what);
    case proto::AttrValue::kShape:
      return format::partial_shape_from_proto(value.shape(), what);
    case proto::AttrValue::kTensor:
      return format::tensor_from_proto(value.tensor(), what);
    case proto::AttrValue::kFunc:
      return read_function(value.func(), what, depth);
    case proto::AttrValue::kPlaceholder:
      invalid_argument("{}: refers to the attribute '{}' of a function, outside of one", what,
                       value.placeholder());
    case proto::AttrValue::VALUE_NOT_SET:
      break;
  }
  return std::nullopt;
}

void write_function(const FunctionAttr& function, proto::NameAttrList& out) {
  out.set_name(function.name);
  for (const auto& [name, attr] : function.attrs) (*out.mutable_attr())[name] = attr_to_proto(attr);
}

// Writes one kind of value.
struct Writer {
  proto::AttrValue& out;

  void operator()(const std::string& v) { out.set_s(v); }
  void operator()(std::int64_t v) { out.set_i(v); }
  void operator()(float v) { out.set_f(v); }
  void operator()(bool v) { out.set_b(v); }
  void operator()(DType v) { out.set_type(static_cast<proto::DataType>(v)); }
  void operator()(const PartialShape& v) { format::shape_to_proto(v, *out.mutable_shape()); }
  void operator()(const Tensor& v) { *out.mutable_tensor() = format::tensor_to_proto(v); }
  void operator()(const EmptyList&) { out.mutable_list(); }
  void operator()(const std::vector<std::string>& v) {
    for (const std::string& x : v) out.mutable_list()->add_s(x);
  }
  void operator()(const std::vector<std::int64_t>& v) {
    for (std::int64_t x : v) out.mutable_list()->add_i(x);
  }
  void operator()(const std::vector<float>& v) {
    for (float x : v) out.mutable_list()->add_f(x);
  }
  void operator()(const std::vector<bool>& v) {
    for (bool x : v) out.mutable_list()->add_b(x);
  }
  void operator()(const std::vector<DType>& v) {
    for (DType x : v) out.mutable_list()->add_type(static_cast<proto::DataType>(x));
  }
  void operator()(const std::vector<PartialShape>& v) {
    for (const PartialShape& x : v) format::shape_to_proto(x, *out.mutable_list()->add_shape());
  }
  void operator()(const std::vector<Tensor>& v) {
    for (const Tensor& x : v) *out.mutable_list()->add_tensor() = format::tensor_to_proto(x);
  }
  void operator()(const std::shared_ptr<const FunctionAttr>& v) {
    write_function(*v, *out.mutable_func());
  }
  void operator()(const std::vector<std::shared_ptr<const FunctionAttr>>& v) {
    for (const auto& x : v) write_function(*x, *out.mutable_list()->add_func());
  }
};

void write_arg(const ArgDef& arg, proto::OpDef::ArgDef& out) {
  out.set_name(arg.name);
  out.set_type(static_cast<proto::DataType>(arg.type));
  out.set_type_attr(arg.type_attr);
  out.set_number_attr(arg.number_attr);
  out.set_type_list_attr(arg.type_list_attr);
  out.set_is_ref(arg.is_ref);
}

void write_attr_def(const AttrDef& attr, proto::OpDef::AttrDef& out) {
  out.set_name(attr.name);
  out.set_type(attr.kind);
  if (attr.default_value) *out.mutable_default_value() = attr_to_proto(*attr.default_value);
  if (attr.minimum) {
    out.set_has_minimum(true);
    out.set_minimum(*attr.minimum);
  }
  if (!attr.allowed_types.empty())
    *out.mutable_allowed_values() = attr_to_proto(attr.allowed_types);
  if (!attr.allowed_strings.empty()) {
    *out.mutable_allowed_values() = attr_to_proto(attr.allowed_strings);
  }
}

}  // namespace

std::optional<AttrValue> attr_from_proto(const proto::AttrValue& value, std::string_view what) {
  return read_attr(value, what, 0);
}

proto::AttrValue attr_to_proto(const AttrValue& value) {
  proto::AttrValue out;
  // A list, even an empty one, must be told from no value at all.
  if (attr_kind(value).starts_with("list")) out.mutable_list();
  std::visit(Writer{out}, value);
  return out;
}

proto::OpDef op_def_to_proto(const OpDef& def) {
  proto::OpDef out;
  out.set_name(def.name);
  for (const ArgDef& arg : def.input_args) write_arg(arg, *out.add_input_arg());
  for (const ArgDef& arg : def.output_args) write_arg(arg, *out.add_output_arg());
  for (const AttrDef& attr : def.attr_defs) write_attr_def(attr, *out.add_attr());
  out.set_is_stateful(def.is_stateful());
  out.set_allows_uninitialized_input(def.allows_uninitialized);
  return out;
}

}  // namespace assay
