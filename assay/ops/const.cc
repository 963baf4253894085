#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void const_shape(ShapeContext& c) {
  const auto value = c.attr<Tensor>("value");
  const auto dtype = c.attr<DType>("dtype");
  if (value.dtype() != dtype) {
    c.mismatch("the value is {}, attribute dtype says {}", dtype_name(value.dtype()),
               dtype_name(dtype));
  }
  c.set_output(0, value.shape());
}

class Const : public Kernel {
 public:
  explicit Const(const KernelInit& init) : value_(init.attr<Tensor>("value")) {}
  void run(KernelContext& ctx) override { ctx.set_output(0, value_); }

 private:
  Tensor value_;
};

void placeholder_shape(ShapeContext& c) {
  const auto shape = c.attr<PartialShape>("shape");
  // Graphs written before producer version 24 say "scalar" where the shape was left open, so TF
  // takes an empty shape of a Placeholder for unknown; here the importer does that.
  c.set_output(0, shape);
}

void placeholder_with_default_shape(ShapeContext& c) {
  const auto shape = c.attr<PartialShape>("shape");
  const auto merged = c.input(0).merge(shape);
  if (!merged) {
    c.mismatch("the default has shape {}, which does not fit the placeholder's {}",
               c.describe_input(0), shape.str());
  }
  // A fed value may have any shape that the attribute allows.
  c.set_output(0, shape);
}

void no_gradient_needed(GradientContext&) {}

void pass_through(KernelContext& ctx) {
  ctx.set_output(0, ctx.input(0));
}

void identity_gradient(GradientContext& g) {
  g.set(0, g.raw_grad());
}

void nothing(KernelContext&) {}

}  // namespace

void register_const(OpRegistry& registry) {
  registry.add({.name = "Const",
                .doc = "A tensor written into the graph.",
                .outputs = {"output: dtype"},
                .attrs = {"value: tensor", "dtype: type"},
                .shape = const_shape,
                .not_differentiable = true,
                .kernel_attr = "dtype",
                .kernels = ops::any_dtype(make_kernel<Const>),
                .value_attr = "value"});
  registry.add({.name = "Placeholder",
                .doc = "A tensor that every run must be fed.",
                .outputs = {"output: dtype"},
                .attrs = {"dtype: type", "shape: shape = { unknown_rank: true }"},
                .shape = placeholder_shape,
                .gradient = no_gradient_needed,
                .kernel_attr = "dtype",
                .resolved_by_runtime = true});
  registry.add({.name = "PlaceholderV2",
                .doc = "A tensor that every run must be fed; older graphs' form with a shape.",
                .outputs = {"output: dtype"},
                .attrs = {"dtype: type", "shape: shape"},
                .shape = placeholder_shape,
                .gradient = no_gradient_needed,
                .kernel_attr = "dtype",
                .resolved_by_runtime = true});
  registry.add({.name = "PlaceholderWithDefault",
                .doc = "Passes its input on unless the run is fed another value.",
                .inputs = {"input: dtype"},
                .outputs = {"output: dtype"},
                .attrs = {"dtype: type", "shape: shape"},
                .shape = placeholder_with_default_shape,
                .gradient = identity_gradient,
                .kernel_attr = "dtype",
                .kernels = ops::any_dtype(function_kernel<pass_through>),
                .reshapes_input = true});
  registry.add({.name = "NoOp",
                .doc = "Does nothing; groups other nodes by its control inputs.",
                .shape = shapes::no_output,
                .not_differentiable = true,
                .kernels = ops::any_dtype(function_kernel<nothing>)});
}

}  // namespace assay
