#include <bit>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void pass_through(KernelContext& ctx) {
  ctx.set_output(0, ctx.input(0));
}

void identity_gradient(GradientContext& g) {
  g.set(0, g.raw_grad());
}

void identity_n_shape(ShapeContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) c.set_output(i, c.input(i));
}

void identity_n(KernelContext& ctx) {
  for (int i = 0; i < ctx.num_inputs(); ++i) ctx.set_output(i, ctx.input(i));
}

void identity_n_gradient(GradientContext& g) {
  for (int i = 0; i < g.num_inputs(); ++i) g.set(i, g.raw_grad(i));
}

void prevent_gradient(GradientContext& g) {
  invalid_argument("{}: the gradient is disabled here: {}", g.node().label(),
                   g.node().attr<std::string>("message"));
}

void copy_input(KernelContext& ctx) {
  Tensor& out = ctx.output(0, ctx.input(0).shape());
  copy_elements(ctx.input(0), out);
}

void ensure_shape_shape(ShapeContext& c) {
  const auto wanted = c.attr<PartialShape>("shape");
  const auto merged = c.input(0).merge(wanted);
  if (!merged) {
    c.mismatch("the input is {}, not of shape {}", c.describe_input(0), wanted.str());
  }
  c.set_output(0, *merged);
}

class EnsureShape : public Kernel {
 public:
  explicit EnsureShape(const KernelInit& init) : wanted_(init.attr<PartialShape>("shape")) {}
  void run(KernelContext& ctx) override {
    if (!wanted_.is_compatible_with(ctx.input(0).shape())) {
      invalid_argument("shape {} is not the ensured shape {}", ctx.input(0).shape().str(),
                       wanted_.str());
    }
    ctx.set_output(0, ctx.input(0));
  }

 private:
  PartialShape wanted_;
};

/// The bits of an element and the mask of its exponent: all ones mark infinities and NaN.
template <typename Bits, Bits kExponent, Bits kMantissa>
void find_abnormal(const void* data, std::int64_t n, bool& infinite, bool& nan) {
  const auto* bits = static_cast<const Bits*>(data);
  bool any = false;
  for (std::int64_t i = 0; i < n; ++i) any |= (bits[i] & kExponent) == kExponent;
  if (!any) return;
  for (std::int64_t i = 0; i < n; ++i) {
    if ((bits[i] & kExponent) != kExponent) continue;
    ((bits[i] & kMantissa) != 0 ? nan : infinite) = true;
  }
}

class CheckNumerics : public Kernel {
 public:
  explicit CheckNumerics(const KernelInit& init) : message_(init.attr<std::string>("message")) {}
  void run(KernelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    const std::int64_t n = x.num_elements();
    bool infinite = false;
    bool nan = false;
    switch (x.dtype()) {
      case DType::kFloat:
        find_abnormal<std::uint32_t, 0x7f800000U, 0x007fffffU>(x.raw(), n, infinite, nan);
        break;
      case DType::kDouble:
        find_abnormal<std::uint64_t, 0x7ff0000000000000U, 0x000fffffffffffffU>(x.raw(), n, infinite,
                                                                               nan);
        break;
      case DType::kHalf:
        find_abnormal<std::uint16_t, 0x7c00, 0x03ff>(x.raw(), n, infinite, nan);
        break;
      default:
        find_abnormal<std::uint16_t, 0x7f80, 0x007f>(x.raw(), n, infinite, nan);
        break;
    }
    if (infinite || nan) {
      invalid_argument("{} : Tensor had {} values", message_,
                       infinite && nan ? "Inf and NaN" : (nan ? "NaN" : "Inf"));
    }
    ctx.set_output(0, x);
  }

 private:
  std::string message_;
};

void check_numerics_gradient(GradientContext& g) {
  const std::string message = "Not a number (NaN) or infinity (Inf) values detected in gradient. " +
                              g.node().attr<std::string>("message");
  g.set(0, g.op("CheckNumerics", {g.grad()}, {{"message", message}}));
}

OpSpec identity_spec(std::string name, std::string doc) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"input: T"},
          .outputs = {"output: T"},
          .attrs = {"T: type"},
          .shape = shapes::unchanged,
          .gradient = identity_gradient,
          .kernels = ops::any_dtype(function_kernel<pass_through>),
          .reshapes_input = true};
}

}  // namespace

void register_identity(OpRegistry& registry) {
  registry.add(identity_spec("Identity", "Its input, unchanged."));
  registry.add(identity_spec("Snapshot", "Its input as it is when the node runs."));
  registry.add(
      identity_spec("DebugGradientIdentity", "Its input; marks a gradient for debugging."));
  OpSpec guarantee = identity_spec("GuaranteeConst", "Its input, promised to be constant.");
  guarantee.gradient = nullptr;
  guarantee.not_differentiable = true;
  registry.add(guarantee);
  OpSpec stop = identity_spec("StopGradient", "Its input, which counts as constant in gradients.");
  stop.gradient = nullptr;
  stop.not_differentiable = true;
  registry.add(stop);
  OpSpec prevent =
      identity_spec("PreventGradient", "Its input; asking for a gradient through it is an error.");
  prevent.attrs = {"T: type", "message: string = ''"};
  prevent.gradient = prevent_gradient;
  registry.add(prevent);

  registry.add({.name = "IdentityN",
                .doc = "Its inputs, unchanged.",
                .inputs = {"input: T"},
                .outputs = {"output: T"},
                .attrs = {"T: list(type)"},
                .shape = identity_n_shape,
                .gradient = identity_n_gradient,
                .kernels = ops::any_dtype(function_kernel<identity_n>)});
  registry.add({.name = "DeepCopy",
                .doc = "A copy of its input that shares no memory with it.",
                .inputs = {"x: T"},
                .outputs = {"y: T"},
                .attrs = {"T: type"},
                .effect = Effect::kState,
                .shape = shapes::unchanged,
                .not_differentiable = true,
                .kernels = ops::any_dtype(function_kernel<copy_input>)});
  registry.add({.name = "EnsureShape",
                .doc = "Its input; an error when the shape is not the one in the attribute.",
                .inputs = {"input: T"},
                .outputs = {"output: T"},
                .attrs = {"shape: shape", "T: type"},
                .shape = ensure_shape_shape,
                .gradient = identity_gradient,
                .kernels = ops::any_dtype(make_kernel<EnsureShape>)});
  registry.add({.name = "CheckNumerics",
                .doc = "Its input; an error when an element is infinite or not a number.",
                .inputs = {"tensor: T"},
                .outputs = {"output: T"},
                .attrs = {"T: {bfloat16, half, float, double}", "message: string"},
                .effect = Effect::kState,
                .shape = shapes::unchanged,
                .gradient = check_numerics_gradient,
                .kernels = ops::any_dtype(make_kernel<CheckNumerics>)});
}

}  // namespace assay
