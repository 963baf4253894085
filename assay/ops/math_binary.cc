// Arithmetic on two tensors that broadcast.
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/elementwise_op.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

using cpu::BinaryOp;

constexpr const char* kMore =
    "T: {bfloat16, half, float, double, uint8, int8, uint16, int16, int32, int64, complex64, "
    "complex128}";
constexpr const char* kNoNan = "T: {half, float, double, complex64, complex128}";
constexpr const char* kOrdered = "T: {bfloat16, half, float, double, int32, int64}";
constexpr const char* kModulo = "T: {int32, int64, bfloat16, half, float, double}";

// Only integers round towards 0.
ElementwiseLoop truncate_div_loop(DType dtype) {
  return is_integer(dtype) ? cpu::binary_loop(BinaryOp::kDiv, dtype) : nullptr;
}
constexpr ElementwiseDef kTruncateDiv{.arity = 2, .loop = &truncate_div_loop};

DType type_of(const GradientContext& g) {
  return base_dtype(g.input(0).dtype());
}

// Sets the gradients of both inputs, each summed down to its input's shape.
void set_both(GradientContext& g, Output of_x, Output of_y) {
  g.set(0, g.unbroadcast(of_x, g.input(0), g.input(1), true));
  g.set(1, g.unbroadcast(of_y, g.input(0), g.input(1), false));
}

void add_gradient(GradientContext& g) {
  set_both(g, g.grad(), g.grad());
}

void sub_gradient(GradientContext& g) {
  set_both(g, g.grad(), g.op("Neg", {g.grad()}));
}

void mul_gradient(GradientContext& g) {
  set_both(g, g.op("Mul", {g.grad(), g.input(1)}), g.op("Mul", {g.input(0), g.grad()}));
}

void mul_no_nan_gradient(GradientContext& g) {
  set_both(g, g.op("MulNoNan", {g.grad(), g.input(1)}), g.op("MulNoNan", {g.input(0), g.grad()}));
}

// x / y by division op `divide`: dy -x / y / y.
void quotient_gradient(GradientContext& g, const char* divide) {
  const Output x = g.input(0);
  const Output y = g.input(1);
  const Output once = g.op(divide, {g.op("Neg", {x}), y});
  const Output of_y = g.op("Mul", {g.grad(), g.op(divide, {once, y})});
  set_both(g, g.op(divide, {g.grad(), y}), of_y);
}
void div_gradient(GradientContext& g) {
  quotient_gradient(g, "RealDiv");
}
void div_no_nan_gradient(GradientContext& g) {
  quotient_gradient(g, "DivNoNan");
}

// (1, -floor(x / y)).
void floor_mod_gradient(GradientContext& g) {
  const Output whole = g.op("FloorDiv", {g.input(0), g.input(1)});
  set_both(g, g.grad(), g.op("Mul", {g.grad(), g.op("Neg", {whole})}));
}

// y x^(y - 1) and x^y log(x), the latter 0 where x is not positive.
void pow_gradient(GradientContext& g) {
  const Output x = g.input(0);
  const Output y = g.input(1);
  const Output lower = g.op("Sub", {y, g.scalar(1, type_of(g))});
  const Output of_x = g.op("Mul", {g.op("Mul", {g.grad(), y}), g.op("Pow", {x, lower})});
  const Output positive = g.op("Greater", {x, g.scalar(0, type_of(g))});
  const Output safe = g.op("Select", {positive, x, g.op("OnesLike", {x})});
  const Output log_x = g.op("Select", {positive, g.op("Log", {safe}), g.op("ZerosLike", {x})});
  const Output of_y = g.op("Mul", {g.op("Mul", {g.grad(), g.output(0)}), log_x});
  set_both(g, of_x, of_y);
}

// The gradient goes where `selector` holds; elsewhere to the other input.
void extremum_gradient(GradientContext& g, const char* selector) {
  const Output zeros = g.op("ZerosLike", {g.grad()});
  const Output first = g.op(selector, {g.input(0), g.input(1)});
  set_both(g, g.op("Select", {first, g.grad(), zeros}), g.op("Select", {first, zeros, g.grad()}));
}
void maximum_gradient(GradientContext& g) {
  extremum_gradient(g, "GreaterEqual");
}
void minimum_gradient(GradientContext& g) {
  extremum_gradient(g, "LessEqual");
}

void squared_difference_gradient(GradientContext& g) {
  const Output twice = g.op("Mul", {g.scalar(2, type_of(g)), g.grad()});
  const Output of_x = g.op("Mul", {twice, g.op("Sub", {g.input(0), g.input(1)})});
  g.set(0, g.unbroadcast(of_x, g.input(0), g.input(1), true));
  g.set(1, g.op("Neg", {g.unbroadcast(of_x, g.input(0), g.input(1), false)}));
}

// 1 where x is not 0, in x's dtype.
Output not_zero(GradientContext& g) {
  const Output test = g.op("NotEqual", {g.input(0), g.scalar(0, type_of(g))});
  return g.op("Cast", {test}, {{"DstT", type_of(g)}});
}

void xlogy_gradient(GradientContext& g) {
  const Output of_x = g.op("Xlogy", {not_zero(g), g.input(1)});
  const Output of_y = g.op("Xdivy", {g.input(0), g.input(1)});
  set_both(g, g.op("Mul", {of_x, g.grad()}), g.op("Mul", {of_y, g.grad()}));
}

void xdivy_gradient(GradientContext& g) {
  const Output y = g.input(1);
  const Output of_x = g.op("Xdivy", {not_zero(g), y});
  const Output of_y = g.op("Xdivy", {g.op("Neg", {g.input(0)}), g.op("Square", {y})});
  set_both(g, g.op("Mul", {of_x, g.grad()}), g.op("Mul", {of_y, g.grad()}));
}

// By the second input alone.
void zeta_gradient(GradientContext& g) {
  const Output x = g.input(0);
  const Output next = g.op("Zeta", {g.op("Add", {x, g.scalar(1, type_of(g))}), g.input(1)});
  const Output of_q = g.op("Mul", {g.op("Mul", {g.op("Neg", {x}), next}), g.grad()});
  g.set(1, g.unbroadcast(of_q, x, g.input(1), false));
}

void polygamma_gradient(GradientContext& g) {
  const Output n = g.input(0);
  const Output next = g.op("Polygamma", {g.op("Add", {n, g.scalar(1, type_of(g))}), g.input(1)});
  g.set(1, g.unbroadcast(g.op("Mul", {next, g.grad()}), n, g.input(1), false));
}

}  // namespace

void register_math_binary(OpRegistry& r) {
  add_binary(r, "Add", "x + y, broadcasting; strings are joined.",
             "T: {bfloat16, half, float, double, uint8, int8, int16, int32, int64, complex64, "
             "complex128, string}",
             kBinary<BinaryOp::kAdd>, add_gradient, {.sums = true});
  add_binary(r, "AddV2", "x + y, broadcasting.",
             "T: {bfloat16, half, float, double, uint8, int8, int16, int32, int64, complex64, "
             "complex128}",
             kBinary<BinaryOp::kAdd>, add_gradient, {.sums = true});
  add_binary(r, "Sub", "x - y, broadcasting.", kMore, kBinary<BinaryOp::kSub>, sub_gradient);
  add_binary(r, "Mul", "x y, broadcasting.", kMore, kBinary<BinaryOp::kMul>, mul_gradient,
             {.right_neutral = 1, .left_neutral = 1});
  add_binary(r, "MulNoNan", "x y, broadcasting; 0 where y is 0, even if x is not finite.", kNoNan,
             kBinary<BinaryOp::kMulNoNan>, mul_no_nan_gradient);
  add_binary(r, "Div", "x / y, broadcasting; integers round towards 0.", kMore,
             kBinary<BinaryOp::kDiv>, div_gradient, {.right_neutral = 1});
  add_binary(r, "RealDiv", "x / y of floats, broadcasting.", kMore, kBinary<BinaryOp::kDiv>,
             div_gradient, {.right_neutral = 1});
  add_binary(r, "TruncateDiv", "x / y of integers rounded towards 0, broadcasting.", kMore,
             kTruncateDiv, nullptr);
  add_binary(r, "DivNoNan", "x / y, broadcasting; 0 where y is 0.", kNoNan,
             kBinary<BinaryOp::kDivNoNan>, div_no_nan_gradient);
  add_binary(r, "FloorDiv", "floor(x / y), broadcasting; integers round down.", kMore,
             kBinary<BinaryOp::kFloorDiv>, nullptr);
  add_binary(r, "FloorMod", "x - floor(x / y) y, broadcasting: the remainder has y's sign.",
             kModulo, kBinary<BinaryOp::kFloorMod>, floor_mod_gradient);
  add_binary(r, "Mod", "The remainder of x / y with x's sign, broadcasting.", kModulo,
             kBinary<BinaryOp::kTruncateMod>, nullptr);
  add_binary(r, "TruncateMod", "The remainder of x / y with x's sign, broadcasting.", kModulo,
             kBinary<BinaryOp::kTruncateMod>, nullptr);
  add_binary(r, "Pow", "x to the power y, broadcasting.", kSigned, kBinary<BinaryOp::kPow>,
             pow_gradient);
  add_binary(r, "Maximum", "The larger of x and y, broadcasting.", kOrdered,
             kBinary<BinaryOp::kMaximum>, maximum_gradient);
  add_binary(r, "Minimum", "The smaller of x and y, broadcasting.", kOrdered,
             kBinary<BinaryOp::kMinimum>, minimum_gradient);
  add_binary(r, "SquaredDifference", "(x - y)^2, broadcasting.", kSigned,
             kBinary<BinaryOp::kSquaredDifference>, squared_difference_gradient);
  add_binary(r, "Xdivy", "x / y, broadcasting; 0 where x is 0.", kNoNan, kBinary<BinaryOp::kXdivy>,
             xdivy_gradient);
  add_binary(r, "Xlogy", "x log(y), broadcasting; 0 where x is 0.", kNoNan,
             kBinary<BinaryOp::kXlogy>, xlogy_gradient);
  constexpr const char* kFloatDouble = "T: {float, double}";
  static constexpr const ElementwiseDef& zeta = kBinary<BinaryOp::kZeta>;
  r.add({.name = "Zeta",
         .doc = "Hurwitz's zeta function: the sum of (q + i)^-x over i >= 0.",
         .inputs = {"x: T", "q: T"},
         .outputs = {"z: T"},
         .attrs = {kFloatDouble},
         .shape = shapes::broadcast,
         .gradient = zeta_gradient,
         .kernels = elementwise_kernels(zeta, kFloatDouble),
         .in_place = true,
         .elementwise = &zeta});
  static constexpr const ElementwiseDef& polygamma = kBinary<BinaryOp::kPolygamma>;
  r.add({.name = "Polygamma",
         .doc = "Derivative number a of Digamma at x.",
         .inputs = {"a: T", "x: T"},
         .outputs = {"z: T"},
         .attrs = {kFloatDouble},
         .shape = shapes::broadcast,
         .gradient = polygamma_gradient,
         .kernels = elementwise_kernels(polygamma, kFloatDouble),
         .in_place = true,
         .elementwise = &polygamma});
}

}  // namespace assay
