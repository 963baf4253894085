#include "assay/api/operand.h"

#include <cmath>
#include <cstring>

#include "assay/api/apply_op.h"
#include "assay/api/place_error.h"
#include "assay/api/variable.h"

namespace assay {

namespace {

/// Calls `body(T{})` for the C++ type of a number's dtype; false when it is none that constants
/// convert to or from.
template <typename Body>
bool with_number(DType dtype, Body&& body) {
  if (dtype == DType::kHalf) {
    body(Half{});
  } else if (dtype == DType::kBFloat16) {
    body(BFloat16{});
  } else if (is_integer(dtype) || is_floating(dtype)) {
    dispatch_numeric(dtype, std::forward<Body>(body));
  } else {
    return false;
  }
  return true;
}

template <typename T>
constexpr bool is_small_float = std::same_as<T, Half> || std::same_as<T, BFloat16>;

template <typename To, typename From>
To convert_number(From v, DType to) {
  if constexpr (is_small_float<From>) {
    return convert_number<To>(static_cast<float>(v), to);
  } else if constexpr (is_small_float<To>) {
    return To(static_cast<float>(v));
  } else if constexpr (std::integral<To> && std::floating_point<From>) {
    internal::invalid_here("expected {}, got the number {}: a fraction is not dropped silently",
                           dtype_name(to), v);
  } else if constexpr (std::integral<To>) {
    if (!std::in_range<To>(v)) internal::invalid_here("{} does not fit into {}", v, dtype_name(to));
    return static_cast<To>(v);
  } else {
    return static_cast<To>(v);
  }
}

}  // namespace

Tensor convert_constant(const Tensor& value, DType dtype) {
  const DType to = base_dtype(dtype);
  if (value.dtype() == to) return value;
  Tensor result;
  const bool converted = with_number(value.dtype(), [&](auto from) {
    using From = decltype(from);
    with_number(to, [&](auto zero) {
      using To = decltype(zero);
      result = Tensor(to, value.shape());
      const From* in = value.data<From>();
      To* out = result.data<To>();
      for (std::int64_t i = 0; i < value.num_elements(); ++i) {
        out[i] = convert_number<To>(in[i], to);
      }
    });
  });
  if (!converted || !result.defined()) {
    internal::invalid_here("expected {}, got the constant {}", dtype_name(to), value.str());
  }
  return result;
}

Operand::Operand(const Output& output, std::source_location where) : where_(where) {
  if (output) value_ = output;
}

Operand::Operand(const Variable& variable, std::source_location where) : where_(where) {
  if (variable.defined()) value_ = variable.state();
}

Operand::Operand(const char* text, std::source_location where)
    : Operand(std::string(text), where) {}

Operand::Operand(std::string text, std::source_location where)
    : value_(Tensor::scalar(std::move(text))), natural_(DType::kString), where_(where) {}

Operand::Operand(Tensor value, std::source_location where) : where_(where) {
  natural_ = value.dtype();
  if (value.defined()) value_ = std::move(value);
}

Operand::Operand(const std::vector<std::string>& values, std::source_location where)
    : value_(Tensor::of(values)), natural_(DType::kString), where_(where) {}

void Operand::set_doubles(const std::vector<double>& values, const Shape& shape) {
  // Kept exact until the dtype is decided.
  value_ = Tensor::of(values, shape);
  natural_ = DType::kFloat;
}

void Operand::set_integers(const std::vector<std::int64_t>& values, const Shape& shape,
                           DType natural) {
  natural_ = natural;
  for (const std::int64_t v : values) {
    if (!std::in_range<std::int32_t>(v)) natural_ = DType::kInt64;
  }
  value_ = Tensor::of(values, shape);
}

DType Operand::dtype() const {
  if (is_output()) return base_dtype(output().dtype());
  if (is_variable()) return variable()->dtype();
  if (is_constant()) return natural_ == DType::kInvalid ? constant().dtype() : natural_;
  return DType::kInvalid;
}

PartialShape Operand::shape() const {
  if (is_output()) return output().shape();
  if (is_variable()) return variable()->shape();
  if (is_constant()) return constant().shape();
  return {};
}

Graph* Operand::graph() const {
  if (is_output()) return &output().graph();
  if (is_variable()) return &variable()->graph();
  return nullptr;
}

IntList::IntList(const Shape& shape) {
  for (const std::int64_t d : shape.dims()) entries_.emplace_back(d);
}

IntList::IntList(const PartialShape& shape) {
  if (!shape.is_fully_defined()) {
    internal::invalid_here("a fully known shape is needed here, got {}", shape.str());
  }
  for (const std::int64_t d : shape.dims()) entries_.emplace_back(d);
}

bool IntList::is_static() const {
  if (tensor_.defined()) return false;
  for (const Operand& e : entries_) {
    if (!e.is_constant()) return false;
  }
  return true;
}

std::vector<std::int64_t> IntList::values() const {
  std::vector<std::int64_t> all;
  for (const Operand& e : entries_) {
    if (e.constant().num_elements() != 1) {
      internal::invalid_here("expected a list of integers, got the entry {}", e.constant().str());
    }
    all.push_back(convert_constant(e.constant(), DType::kInt64).data<std::int64_t>()[0]);
  }
  return all;
}

Dims::Dims(std::initializer_list<Size> sizes) {
  std::vector<std::int64_t> dims;
  for (const Size& s : sizes) {
    if (s.value < -1) {
      internal::invalid_here("a shape has the size {}; give 0 or more, or -1 for any", s.value);
    }
    dims.push_back(s.value);
  }
  shape_ = PartialShape(std::move(dims));
}

namespace {

Output add_constant(const Tensor& value, const std::string& name) {
  NodeSpec spec;
  spec.op = "Const";
  spec.name = name;
  spec.attrs["value"] = value;
  spec.attrs["dtype"] = value.dtype();
  return current_graph().add_node(std::move(spec))->output();
}

}  // namespace

Output convert_to_tensor(const Operand& x, const std::string& name, DType dtype,
                         std::source_location where) {
  PlaceScope place(where);
  const DType wanted = base_dtype(dtype);
  if (!x.defined()) internal::invalid_here("a tensor was given that is not set (a default Output)");
  if (x.is_constant()) {
    return add_constant(
        convert_constant(x.constant(), wanted == DType::kInvalid ? x.dtype() : wanted), name);
  }
  if (wanted != DType::kInvalid && x.dtype() != wanted) {
    internal::invalid_here("'{}' is {}, expected {}",
                           x.is_output() ? x.output().name() : x.variable()->name(),
                           dtype_name(x.dtype()), dtype_name(wanted));
  }
  return x.is_output() ? x.output() : x.variable()->value();
}

Output convert_to_tensor(const IntList& x, const std::string& name, DType dtype,
                         std::source_location where) {
  PlaceScope place(where);
  if (x.is_tensor()) return convert_to_tensor(x.tensor(), name, dtype);
  if (x.is_static()) {
    const std::vector<std::int64_t> values = x.values();
    DType type = dtype;
    if (type == DType::kInvalid) {
      type = DType::kInt32;
      for (const std::int64_t v : values) {
        if (!std::in_range<std::int32_t>(v)) type = DType::kInt64;
      }
    }
    return add_constant(convert_constant(Tensor::of(values), type), name);
  }
  DType type = dtype;
  for (const Operand& e : x.entries()) {
    if (type == DType::kInvalid && e.is_tensor()) type = e.dtype();
  }
  NameScope scope(name.empty() ? "packed" : name);
  std::vector<Operand> parts;
  for (std::size_t i = 0; i < x.entries().size(); ++i) {
    parts.emplace_back(convert_to_tensor(x.entries()[i], std::to_string(i), type));
  }
  return apply_op("Pack", scope.full(), {parts})->output();
}

namespace {

/// `a op b` between a tensor and what goes with it, in the scope of the operator's name.
Output binary_operator(const char* scope_name, const char* op, const Operand& x, const Operand& y) {
  PlaceScope place(x.where().line() != 0 ? x.where() : y.where());
  // A variable on the side whose method Python calls is read before the scope opens.
  std::vector<const Operand*> both{&x, &y};
  GraphScope graph(graph_of(both));
  const bool reversed = x.is_constant() && y.is_tensor();
  Operand self = reversed ? y : x;
  if (self.is_variable()) self = Operand(self.variable()->value(), self.where());
  NameScope scope(scope_name);
  const Operand& other = reversed ? x : y;
  const DType hint = other.is_constant() && self.is_tensor() ? self.dtype() : DType::kInvalid;
  if (reversed) {
    return apply_op(op, scope.full(), {Operand(convert_to_tensor(other, "x", hint)), self})
        ->output();
  }
  if (self.is_constant()) self = convert_to_tensor(self, "x");
  return apply_op(op, scope.full(), {self, Operand(convert_to_tensor(other, "y", hint))})->output();
}

}  // namespace

Output operator+(const Operand& x, const Operand& y) {
  const bool text = x.dtype() == DType::kString;
  return binary_operator("add", text ? "Add" : "AddV2", x, y);
}

Output operator-(const Operand& x, const Operand& y) {
  return binary_operator("sub", "Sub", x, y);
}

Output operator*(const Operand& x, const Operand& y) {
  return binary_operator("mul", "Mul", x, y);
}

Output operator%(const Operand& x, const Operand& y) {
  return binary_operator("mod", "FloorMod", x, y);
}

Output operator-(const Operand& x) {
  return apply_op(x.where(), "Neg", "", {x});
}

}  // namespace assay
