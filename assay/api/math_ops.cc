#include "assay/api/math_ops.h"

#include "assay/api/apply_op.h"
#include "assay/api/place_error.h"
#include "assay/api/variable.h"

namespace assay {

Output add(const Operand& x, const Operand& y, const NameOption& options,
           std::source_location where) {
  return apply_op(where, "Add", options.name, {x, y});
}

Output subtract(const Operand& x, const Operand& y, const NameOption& options,
                std::source_location where) {
  return apply_op(where, "Sub", options.name, {x, y});
}

Output multiply(const Operand& x, const Operand& y, const NameOption& options,
                std::source_location where) {
  return apply_op(where, "Mul", options.name, {x, y});
}

Output floormod(const Operand& x, const Operand& y, const NameOption& options,
                std::source_location where) {
  return apply_op(where, "FloorMod", options.name, {x, y});
}

Output maximum(const Operand& x, const Operand& y, const NameOption& options,
               std::source_location where) {
  return apply_op(where, "Maximum", options.name, {x, y});
}

Output minimum(const Operand& x, const Operand& y, const NameOption& options,
               std::source_location where) {
  return apply_op(where, "Minimum", options.name, {x, y});
}

Output squared_difference(const Operand& x, const Operand& y, const NameOption& options,
                          std::source_location where) {
  return apply_op(where, "SquaredDifference", options.name, {x, y});
}

Output less(const Operand& x, const Operand& y, const NameOption& options,
            std::source_location where) {
  return apply_op(where, "Less", options.name, {x, y});
}

Output less_equal(const Operand& x, const Operand& y, const NameOption& options,
                  std::source_location where) {
  return apply_op(where, "LessEqual", options.name, {x, y});
}

Output greater(const Operand& x, const Operand& y, const NameOption& options,
               std::source_location where) {
  return apply_op(where, "Greater", options.name, {x, y});
}

Output greater_equal(const Operand& x, const Operand& y, const NameOption& options,
                     std::source_location where) {
  return apply_op(where, "GreaterEqual", options.name, {x, y});
}

Output equal(const Operand& x, const Operand& y, const NameOption& options,
             std::source_location where) {
  return apply_op(where, "Equal", options.name, {x, y});
}

Output not_equal(const Operand& x, const Operand& y, const NameOption& options,
                 std::source_location where) {
  return apply_op(where, "NotEqual", options.name, {x, y});
}

Output logical_and(const Operand& x, const Operand& y, const NameOption& options,
                   std::source_location where) {
  return apply_op(where, "LogicalAnd", options.name, {x, y});
}

Output logical_or(const Operand& x, const Operand& y, const NameOption& options,
                  std::source_location where) {
  return apply_op(where, "LogicalOr", options.name, {x, y});
}

Output negative(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Neg", options.name, {x});
}

Output sign(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Sign", options.name, {x});
}

Output square(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Square", options.name, {x});
}

Output sqrt(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Sqrt", options.name, {x});
}

Output rsqrt(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Rsqrt", options.name, {x});
}

Output reciprocal(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Reciprocal", options.name, {x});
}

Output exp(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Exp", options.name, {x});
}

Output expm1(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Expm1", options.name, {x});
}

Output log(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Log", options.name, {x});
}

Output log1p(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Log1p", options.name, {x});
}

Output sin(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Sin", options.name, {x});
}

Output cos(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Cos", options.name, {x});
}

Output tanh(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Tanh", options.name, {x});
}

Output floor(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Floor", options.name, {x});
}

Output ceil(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Ceil", options.name, {x});
}

Output logical_not(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "LogicalNot", options.name, {x});
}

Output is_nan(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "IsNan", options.name, {x});
}

Output is_inf(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "IsInf", options.name, {x});
}

Output is_finite(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "IsFinite", options.name, {x});
}

namespace {

/// What Python 3's division turns a dtype into; kInvalid leaves it.
DType division_dtype(DType t) {
  switch (t) {
    case DType::kInt8:
    case DType::kUInt8:
    case DType::kInt16:
    case DType::kUInt16:
      return DType::kFloat;
    case DType::kInt32:
    case DType::kInt64:
      return DType::kDouble;
    default:
      return DType::kInvalid;
  }
}

void check_same_dtype(const char* function, const Output& x, const Output& y) {
  if (base_dtype(x.dtype()) == base_dtype(y.dtype())) return;
  throw Error(Code::kInvalidArgument,
              fmt::format("{}: both must have one dtype, got {} from '{}' and {} from '{}'",
                          function, dtype_name(base_dtype(x.dtype())), x.name(),
                          dtype_name(base_dtype(y.dtype())), y.name()),
              "", place_of(PlaceScope::current()));
}

/// The body of truediv, in the scope `full`.
Output divide_in(const std::string& full, const Operand& x, const Operand& y) {
  Output a = convert_to_tensor(x, "x");
  Output b = convert_to_tensor(y, "y");
  check_same_dtype("truediv", a, b);
  const DType dtype = division_dtype(base_dtype(a.dtype()));
  if (dtype != DType::kInvalid) {
    a = cast(a, dtype);
    b = cast(b, dtype);
  }
  return apply_op("RealDiv", full, {Operand(a), Operand(b)})->output();
}

}  // namespace

Output operator/(const Operand& x, const Operand& y) {
  PlaceScope place(x.where().line() != 0 ? x.where() : y.where());
  GraphScope graph(graph_of({&x, &y}));
  Operand self = x.is_constant() ? y : x;
  if (self.is_variable()) self = Operand(self.variable()->value(), self.where());
  NameScope scope("truediv");
  if (x.is_constant())
    return divide_in(scope.full(), convert_to_tensor(x, "x", self.dtype()), self);
  const DType hint = y.is_constant() ? self.dtype() : DType::kInvalid;
  const bool fits = !(y.is_constant() && is_integer(hint) && is_floating(y.dtype()));
  return divide_in(scope.full(), self, convert_to_tensor(y, "y", fits ? hint : DType::kInvalid));
}

Output truediv(const Operand& x, const Operand& y, const NameOption& options,
               std::source_location where) {
  OpScope scope(where, options.name, "truediv", {&x, &y});
  return divide_in(scope.full(), x, y);
}

Output divide(const Operand& x, const Operand& y, const NameOption& options,
              std::source_location where) {
  PlaceScope place(where);
  return options.name.empty() ? x / y : truediv(x, y, options);
}

Output div(const Operand& x, const Operand& y, const NameOption& options,
           std::source_location where) {
  OpScope scope(where, options.name, "div", {&x, &y});
  const Output a = convert_to_tensor(x, "x");
  const DType dtype = base_dtype(a.dtype());
  const Output b = convert_to_tensor(y, "y", y.is_constant() ? dtype : DType::kInvalid);
  check_same_dtype("div", a, b);
  return apply_op(is_floating(dtype) || is_complex(dtype) ? "RealDiv" : "FloorDiv", scope.full(),
                  {Operand(a), Operand(b)})
      ->output();
}

Output div_no_nan(const Operand& x, const Operand& y, const NameOption& options,
                  std::source_location where) {
  OpScope scope(where, options.name, "div_no_nan", {&x, &y});
  const Output a = convert_to_tensor(x, "x");
  const Output b =
      convert_to_tensor(y, "y", y.is_constant() ? base_dtype(a.dtype()) : DType::kInvalid);
  check_same_dtype("div_no_nan", a, b);
  return apply_op("DivNoNan", scope.full(), {Operand(a), Operand(b)})->output();
}

Output floordiv(const Operand& x, const Operand& y, const NameOption& options,
                std::source_location where) {
  OpScope scope(where, options.name, "floordiv", {&x, &y});
  return apply_op("FloorDiv", scope.full(), {x, y})->output();
}

Output pow(const Operand& x, const Operand& y, const NameOption& options,
           std::source_location where) {
  OpScope scope(where, options.name, "Pow", {&x, &y});
  return apply_op("Pow", scope.full(), {x, y})->output();
}

Output logical_xor(const Operand& x, const Operand& y, const NameOption& options,
                   std::source_location where) {
  PlaceScope place(where);
  const Output either = logical_or(x, y);
  const Output not_both = logical_not(logical_and(x, y));
  return logical_and(either, not_both,
                     {.name = options.name.empty() ? "LogicalXor" : options.name});
}

namespace {

/// A function that opens a scope of its own and converts its argument before the op does.
Output scoped(const std::source_location& where, const char* op, const NameOption& options,
              const Operand& x) {
  OpScope scope(where, options.name, op, {&x});
  const Output tensor = convert_to_tensor(x, "x");
  return apply_op(op, scope.full(), {Operand(tensor)})->output();
}

}  // namespace

Output abs(const Operand& x, const NameOption& options, std::source_location where) {
  return scoped(where, "Abs", options, x);
}

Output sigmoid(const Operand& x, const NameOption& options, std::source_location where) {
  return scoped(where, "Sigmoid", options, x);
}

Output log_sigmoid(const Operand& x, const NameOption& options, std::source_location where) {
  OpScope scope(where, options.name, "LogSigmoid", {&x});
  const Output tensor = convert_to_tensor(x, "x");
  const Output softplus = apply_op("Softplus", "", {Operand(-tensor)})->output();
  return apply_op("Neg", scope.full(), {Operand(softplus)})->output();
}

Output round(const Operand& x, const NameOption& options, std::source_location where) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&x}));
  const Output tensor = convert_to_tensor(x, "x");
  if (is_integer(base_dtype(tensor.dtype()))) return tensor;
  return apply_op("Round", options.name, {Operand(tensor)})->output();
}

Output cast(const Operand& x, DType dtype, const NameOption& options, std::source_location where) {
  const DType to = base_dtype(dtype);
  // An Output has the dtype or not; a variable that is no resource opens the scope first, which
  // uses up the name.
  if (x.is_output() && x.output().dtype() == to) return x.output();
  if (x.is_variable() && x.variable()->is_resource() && x.dtype() == to) {
    PlaceScope place(where);
    return x.variable()->value();
  }
  OpScope scope(where, options.name, "Cast", {&x});
  const Output tensor = convert_to_tensor(x, "x");
  if (base_dtype(tensor.dtype()) == to) return tensor;
  AttrMap attrs;
  attrs["DstT"] = to;
  return apply_op("Cast", scope.full(), {Operand(tensor)}, std::move(attrs))->output();
}

Output to_float(const Operand& x, const NameOption& options, std::source_location where) {
  return cast(x, DType::kFloat, options, where);
}

Output to_double(const Operand& x, const NameOption& options, std::source_location where) {
  return cast(x, DType::kDouble, options, where);
}

Output to_int32(const Operand& x, const NameOption& options, std::source_location where) {
  return cast(x, DType::kInt32, options, where);
}

Output to_int64(const Operand& x, const NameOption& options, std::source_location where) {
  return cast(x, DType::kInt64, options, where);
}

Output scalar_mul(const Operand& scalar, const Operand& x, const NameOption& options,
                  std::source_location where) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&scalar, &x}));
  const Output factor =
      convert_to_tensor(scalar, "scalar", scalar.is_constant() ? x.dtype() : DType::kInvalid);
  if (factor.shape().rank() != 0) {
    internal::invalid_here("scalar_mul: expected a scalar, got shape {}", factor.shape().str());
  }
  return apply_op("Mul", options.name, {Operand(factor), x})->output();
}

}  // namespace assay
