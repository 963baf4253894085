// Element-wise functions of one input: arithmetic, powers, exponentials. (math_trigonometry.cc
// has the circular and hyperbolic ones, math_activation.cc the activations.)
#include <cmath>
#include <numbers>

#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/elementwise_op.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

using cpu::BinaryOp;
using cpu::UnaryOp;

DType type_of(const GradientContext& g) {
  return base_dtype(g.input(0).dtype());
}

void neg_gradient(GradientContext& g) {
  g.set(0, g.op("Neg", {g.grad()}));
}

void abs_gradient(GradientContext& g) {
  g.set(0, g.op("Mul", {g.grad(), g.op("Sign", {g.input(0)})}));
}

void sign_gradient(GradientContext& g) {
  g.set(0, g.op("ZerosLike", {g.input(0)}));
}

void square_gradient(GradientContext& g) {
  const Output twice = g.op("Mul", {g.input(0), g.scalar(2, type_of(g))});
  g.set(0, g.op("Mul", {g.grad(), twice}));
}

void exp_gradient(GradientContext& g) {
  g.set(0, g.op("Mul", {g.grad(), g.output(0)}));
}

void expm1_gradient(GradientContext& g) {
  g.set(0, g.op("Mul", {g.grad(), g.op("Exp", {g.input(0)})}));
}

void log_gradient(GradientContext& g) {
  g.set(0, g.op("Mul", {g.grad(), g.op("Reciprocal", {g.input(0)})}));
}

void log1p_gradient(GradientContext& g) {
  const Output sum = g.op("Add", {g.scalar(1, type_of(g)), g.input(0)});
  g.set(0, g.op("Mul", {g.grad(), g.op("Reciprocal", {sum})}));
}

// Functions whose derivative is an op of output and gradient.
void reciprocal_gradient(GradientContext& g) {
  g.set(0, g.op("ReciprocalGrad", {g.output(0), g.grad()}));
}
void sqrt_gradient(GradientContext& g) {
  g.set(0, g.op("SqrtGrad", {g.output(0), g.grad()}));
}
void rsqrt_gradient(GradientContext& g) {
  g.set(0, g.op("RsqrtGrad", {g.output(0), g.grad()}));
}

// -dy y^2.
void reciprocal_grad_gradient(GradientContext& g) {
  const Output y = g.input(0);
  const Output scaled = g.op("Mul", {g.grad(), g.scalar(-2, type_of(g))});
  g.set(0, g.op("Mul", {g.op("Mul", {scaled, g.input(1)}), y}));
  g.set(1, g.op("ReciprocalGrad", {y, g.grad()}));
}

// dy / (2 y).
void sqrt_grad_gradient(GradientContext& g) {
  const Output quotient = g.op("RealDiv", {g.grad(), g.input(0)});
  g.set(0, g.op("Mul", {g.op("Neg", {quotient}), g.output(0)}));
  g.set(1, g.op("Mul", {g.scalar(0.5, type_of(g)), quotient}));
}

// -dy y^3 / 2.
void rsqrt_grad_gradient(GradientContext& g) {
  const Output y = g.input(0);
  const Output scaled = g.op("Mul", {g.scalar(-1.5, type_of(g)), g.grad()});
  const Output product = g.op("Mul", {scaled, g.input(1)});
  g.set(0, g.op("Mul", {product, g.op("Square", {y})}));
  g.set(1, g.op("RsqrtGrad", {y, g.grad()}));
}

// scale exp(-x^2), the derivative of erf (2 / sqrt(pi)) and erfc (the negative).
void gaussian_gradient(GradientContext& g, double scale) {
  const Output bell = g.op("Exp", {g.op("Neg", {g.op("Square", {g.input(0)})})});
  g.set(0, g.op("Mul", {g.op("Mul", {g.grad(), g.scalar(scale, type_of(g))}), bell}));
}
void erf_gradient(GradientContext& g) {
  gaussian_gradient(g, 2 * std::numbers::inv_sqrtpi);
}
void erfc_gradient(GradientContext& g) {
  gaussian_gradient(g, -2 * std::numbers::inv_sqrtpi);
}

void lgamma_gradient(GradientContext& g) {
  g.set(0, g.op("Mul", {g.grad(), g.op("Digamma", {g.input(0)})}));
}

void digamma_gradient(GradientContext& g) {
  const Output derivative = g.op("Polygamma", {g.scalar(1, type_of(g)), g.input(0)});
  g.set(0, g.op("Mul", {g.grad(), derivative}));
}

// y(y, dy) ops: the gradients of functions by their outputs.
void add_output_gradient(OpRegistry& registry, std::string name, std::string doc,
                         const ElementwiseDef& def, GradientFn gradient) {
  registry.add({.name = std::move(name),
                .doc = std::move(doc),
                .inputs = {"y: T", "dy: T"},
                .outputs = {"z: T"},
                .attrs = {kFloats},
                .shape = shapes::unchanged,
                .gradient = gradient,
                .kernels = elementwise_kernels(def, kFloats),
                .in_place = true,
                .elementwise = &def});
}

}  // namespace

void register_math_unary(OpRegistry& r) {
  add_unary(r, "Neg", "The negative of each element.", kSigned, kUnary<UnaryOp::kNeg>,
            neg_gradient);
  add_unary(r, "Abs", "The magnitude of each element.",
            "T: {bfloat16, half, float, double, int8, int16, int32, int64}", kUnary<UnaryOp::kAbs>,
            abs_gradient);
  add_unary(r, "Sign", "-1, 0 or 1 by the sign of each element; NaN stays.", kSigned,
            kUnary<UnaryOp::kSign>, sign_gradient);
  add_unary(r, "Square", "The square of each element.", kSigned, kUnary<UnaryOp::kSquare>,
            square_gradient);
  add_unary(r, "Reciprocal", "1 / x of each element.", kSigned, kUnary<UnaryOp::kReciprocal>,
            reciprocal_gradient);
  add_unary(r, "Inv", "1 / x of each element; the older name of Reciprocal.", kSigned,
            kUnary<UnaryOp::kReciprocal>, reciprocal_gradient);
  add_output_gradient(r, "ReciprocalGrad", "-dy y^2: the gradient of Reciprocal by its output.",
                      kBinary<BinaryOp::kInvGrad>, reciprocal_grad_gradient);
  add_output_gradient(r, "InvGrad", "-dy y^2: the gradient of Inv by its output.",
                      kBinary<BinaryOp::kInvGrad>, reciprocal_grad_gradient);
  add_unary(r, "Sqrt", "The square root of each element; NaN for negative ones.", kFloats,
            kUnary<UnaryOp::kSqrt>, sqrt_gradient);
  add_output_gradient(r, "SqrtGrad", "dy / (2 y): the gradient of Sqrt by its output.",
                      kBinary<BinaryOp::kSqrtGrad>, sqrt_grad_gradient);
  add_unary(r, "Rsqrt", "1 / sqrt(x) of each element.", kFloats, kUnary<UnaryOp::kRsqrt>,
            rsqrt_gradient);
  add_output_gradient(r, "RsqrtGrad", "-dy y^3 / 2: the gradient of Rsqrt by its output.",
                      kBinary<BinaryOp::kRsqrtGrad>, rsqrt_grad_gradient);
  add_unary(r, "Exp", "e to the power of each element.", kFloats, kUnary<UnaryOp::kExp>,
            exp_gradient);
  add_unary(r, "Expm1", "exp(x) - 1 of each element, exact near 0.", kFloats,
            kUnary<UnaryOp::kExpm1>, expm1_gradient);
  add_unary(r, "Log", "The natural logarithm of each element.", kFloats, kUnary<UnaryOp::kLog>,
            log_gradient);
  add_unary(r, "Log1p", "log(1 + x) of each element, exact near 0.", kFloats,
            kUnary<UnaryOp::kLog1p>, log1p_gradient);
  add_unary(r, "Floor", "The largest whole number not above each element.", kRealFloats,
            kUnary<UnaryOp::kFloor>, nullptr);
  add_unary(r, "Ceil", "The smallest whole number not below each element.", kRealFloats,
            kUnary<UnaryOp::kCeil>, nullptr);
  add_unary(r, "Round", "The nearest whole number of each element, halves to even.", kSigned,
            kUnary<UnaryOp::kRint>, nullptr);
  add_unary(r, "Rint", "The nearest whole number of each element, halves to even.", kRealFloats,
            kUnary<UnaryOp::kRint>, nullptr);
  add_unary(r, "Erf", "The error function of each element.", kRealFloats, kUnary<UnaryOp::kErf>,
            erf_gradient);
  add_unary(r, "Erfc", "1 - erf(x) of each element, exact for large x.", kRealFloats,
            kUnary<UnaryOp::kErfc>, erfc_gradient);
  add_unary(r, "Lgamma", "log |gamma(x)| of each element.", kRealFloats, kUnary<UnaryOp::kLgamma>,
            lgamma_gradient);
  add_unary(r, "Digamma", "The derivative of Lgamma of each element; NaN at its poles.",
            kRealFloats, kUnary<UnaryOp::kDigamma>, digamma_gradient);
}

}  // namespace assay
