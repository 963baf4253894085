// Circular and hyperbolic functions, element by element.
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/elementwise_op.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

using cpu::BinaryOp;
using cpu::UnaryOp;

Output one(GradientContext& g) {
  return g.scalar(1, base_dtype(g.input(0).dtype()));
}
Output times_grad(GradientContext& g, Output factor) {
  return g.op("Mul", {g.grad(), factor});
}

void sin_gradient(GradientContext& g) {
  g.set(0, times_grad(g, g.op("Cos", {g.input(0)})));
}

void cos_gradient(GradientContext& g) {
  g.set(0, g.op("Mul", {g.op("Neg", {g.grad()}), g.op("Sin", {g.input(0)})}));
}

void tan_gradient(GradientContext& g) {
  const Output secant = g.op("Reciprocal", {g.op("Cos", {g.input(0)})});
  g.set(0, times_grad(g, g.op("Square", {secant})));
}

// 1 / sqrt(1 - x^2).
Output asin_derivative(GradientContext& g) {
  const Output rest = g.op("Sub", {one(g), g.op("Square", {g.input(0)})});
  return g.op("Reciprocal", {g.op("Sqrt", {rest})});
}
void asin_gradient(GradientContext& g) {
  g.set(0, times_grad(g, asin_derivative(g)));
}
void acos_gradient(GradientContext& g) {
  g.set(0, g.op("Mul", {g.op("Neg", {g.grad()}), asin_derivative(g)}));
}

void atan_gradient(GradientContext& g) {
  const Output sum = g.op("Add", {one(g), g.op("Square", {g.input(0)})});
  g.set(0, times_grad(g, g.op("Reciprocal", {sum})));
}

void sinh_gradient(GradientContext& g) {
  g.set(0, times_grad(g, g.op("Cosh", {g.input(0)})));
}
void cosh_gradient(GradientContext& g) {
  g.set(0, times_grad(g, g.op("Sinh", {g.input(0)})));
}

void tanh_gradient(GradientContext& g) {
  g.set(0, g.op("TanhGrad", {g.output(0), g.grad()}));
}

void asinh_gradient(GradientContext& g) {
  g.set(0, g.op("RealDiv", {g.grad(), g.op("Cosh", {g.output(0)})}));
}
void acosh_gradient(GradientContext& g) {
  g.set(0, g.op("RealDiv", {g.grad(), g.op("Sinh", {g.output(0)})}));
}
void atanh_gradient(GradientContext& g) {
  const Output rest = g.op("Sub", {one(g), g.op("Square", {g.input(0)})});
  g.set(0, times_grad(g, g.op("Reciprocal", {rest})));
}

// dy (1 - y^2).
void tanh_grad_gradient(GradientContext& g) {
  const Output y = g.input(0);
  const Output scaled = g.op("Mul", {g.grad(), g.scalar(-2, base_dtype(y.dtype()))});
  g.set(0, g.op("Mul", {g.op("Mul", {scaled, g.input(1)}), y}));
  g.set(1, g.op("TanhGrad", {y, g.grad()}));
}

void atan2_gradient(GradientContext& g) {
  const Output y = g.input(0);
  const Output x = g.input(1);
  const Output squares = g.op("Add", {g.op("Square", {x}), g.op("Square", {y})});
  const Output scaled = g.op("RealDiv", {g.grad(), squares});
  g.set(0, g.unbroadcast(g.op("Mul", {x, scaled}), y, x, true));
  g.set(1, g.unbroadcast(g.op("Mul", {g.op("Neg", {y}), scaled}), y, x, false));
}

}  // namespace

void register_math_trigonometry(OpRegistry& r) {
  add_unary(r, "Sin", "The sine of each element, in radians.", kFloats, kUnary<UnaryOp::kSin>,
            sin_gradient);
  add_unary(r, "Cos", "The cosine of each element, in radians.", kFloats, kUnary<UnaryOp::kCos>,
            cos_gradient);
  add_unary(r, "Tan", "The tangent of each element, in radians.", kSigned, kUnary<UnaryOp::kTan>,
            tan_gradient);
  add_unary(r, "Asin", "The inverse sine of each element.", kSigned, kUnary<UnaryOp::kAsin>,
            asin_gradient);
  add_unary(r, "Acos", "The inverse cosine of each element.", kSigned, kUnary<UnaryOp::kAcos>,
            acos_gradient);
  add_unary(r, "Atan", "The inverse tangent of each element.", kSigned, kUnary<UnaryOp::kAtan>,
            atan_gradient);
  add_unary(r, "Sinh", "The hyperbolic sine of each element.", kFloats, kUnary<UnaryOp::kSinh>,
            sinh_gradient);
  add_unary(r, "Cosh", "The hyperbolic cosine of each element.", kFloats, kUnary<UnaryOp::kCosh>,
            cosh_gradient);
  add_unary(r, "Tanh", "The hyperbolic tangent of each element.", kFloats, kUnary<UnaryOp::kTanh>,
            tanh_gradient);
  add_unary(r, "Asinh", "The inverse hyperbolic sine of each element.", kFloats,
            kUnary<UnaryOp::kAsinh>, asinh_gradient);
  add_unary(r, "Acosh", "The inverse hyperbolic cosine of each element.", kFloats,
            kUnary<UnaryOp::kAcosh>, acosh_gradient);
  add_unary(r, "Atanh", "The inverse hyperbolic tangent of each element.", kFloats,
            kUnary<UnaryOp::kAtanh>, atanh_gradient);
  static constexpr const ElementwiseDef& tanh_grad = kBinary<BinaryOp::kTanhGrad>;
  r.add({.name = "TanhGrad",
         .doc = "dy (1 - y^2): the gradient of Tanh by its output.",
         .inputs = {"y: T", "dy: T"},
         .outputs = {"z: T"},
         .attrs = {kFloats},
         .shape = shapes::unchanged,
         .gradient = tanh_grad_gradient,
         .kernels = elementwise_kernels(tanh_grad, kFloats),
         .in_place = true,
         .elementwise = &tanh_grad});
  static constexpr const ElementwiseDef& atan2 = kBinary<BinaryOp::kAtan2>;
  r.add({.name = "Atan2",
         .doc = "The angle of the point (x, y), in (-pi, pi].",
         .inputs = {"y: T", "x: T"},
         .outputs = {"z: T"},
         .attrs = {kRealFloats},
         .shape = shapes::broadcast,
         .gradient = atan2_gradient,
         .kernels = elementwise_kernels(atan2, kRealFloats),
         .in_place = true,
         .elementwise = &atan2});
}

}  // namespace assay
