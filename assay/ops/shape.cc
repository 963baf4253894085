#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void shape_shapes(ShapeContext& c) {
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, PartialShape{c.input(i).rank()});
}

void write_int(Tensor& t, std::int64_t i, std::int64_t value) {
  if (t.dtype() == DType::kInt64) {
    t.data<std::int64_t>()[i] = value;
    return;
  }
  if (value > INT32_MAX) invalid_argument("size {} does not fit into int32", value);
  t.data<std::int32_t>()[i] = static_cast<std::int32_t>(value);
}

void shape(KernelContext& ctx) {
  for (int i = 0; i < ctx.num_inputs(); ++i) {
    const Shape& in = ctx.input(i).shape();
    Tensor& out = ctx.output(i, {in.rank()});
    for (int d = 0; d < in.rank(); ++d) write_int(out, d, in.dim(d));
  }
}

void rank(KernelContext& ctx) {
  *ctx.out<std::int32_t>(0, {}) = ctx.input(0).rank();
}

void size(KernelContext& ctx) {
  const std::int64_t n = ctx.input(0).num_elements();
  write_int(ctx.output(0, {}), 0, n);
}

}  // namespace

void register_shape(OpRegistry& registry) {
  registry.add({.name = "Shape",
                .doc = "The sizes of its input.",
                .inputs = {"input: T"},
                .outputs = {"output: out_type"},
                .attrs = {"T: type", "out_type: {int32, int64} = DT_INT32"},
                .shape = shape_shapes,
                .not_differentiable = true,
                .kernels = ops::any_dtype(function_kernel<shape>),
                .shape_only = true});
  registry.add({.name = "ShapeN",
                .doc = "The sizes of each input.",
                .inputs = {"input: N * T"},
                .outputs = {"output: N * out_type"},
                .attrs = {"N: int", "T: type", "out_type: {int32, int64} = DT_INT32"},
                .shape = shape_shapes,
                .not_differentiable = true,
                .kernels = ops::any_dtype(function_kernel<shape>),
                .shape_only = true});
  registry.add({.name = "Rank",
                .doc = "The number of dimensions of its input.",
                .inputs = {"input: T"},
                .outputs = {"output: int32"},
                .attrs = {"T: type"},
                .shape = shapes::scalar,
                .not_differentiable = true,
                .kernels = ops::any_dtype(function_kernel<rank>),
                .shape_only = true});
  registry.add({.name = "Size",
                .doc = "The number of elements of its input.",
                .inputs = {"input: T"},
                .outputs = {"output: out_type"},
                .attrs = {"T: type", "out_type: {int32, int64} = DT_INT32"},
                .shape = shapes::scalar,
                .not_differentiable = true,
                .kernels = ops::any_dtype(function_kernel<size>),
                .shape_only = true});
}

}  // namespace assay
