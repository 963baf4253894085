#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/contiguous_part.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/strided_copy.h"

namespace assay {
namespace {

void pad_shape(ShapeContext& c) {
  const PartialShape& in = c.input(0);
  const PartialShape paddings = c.with_rank(1, 2);
  if (merge_dims(paddings.dim(1), 2) == std::nullopt) {
    c.mismatch("paddings must have two columns, got {}", c.describe_input(1));
  }
  int rank = in.rank();
  if (rank < 0 && paddings.dim(0) >= 0) rank = static_cast<int>(paddings.dim(0));
  if (rank < 0) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  if (paddings.dim(0) >= 0 && paddings.dim(0) != rank) {
    c.mismatch("{} rows of paddings for {}", paddings.dim(0), c.describe_input(0));
  }
  PartialShape out = PartialShape::unknown_of_rank(rank);
  const Tensor* values = c.input_value(1);
  for (int d = 0; values != nullptr && d < rank; ++d) {
    const std::int64_t before = ops::int_at(*values, 2 * d);
    const std::int64_t after = ops::int_at(*values, 2 * d + 1);
    if (before < 0 || after < 0) {
      c.mismatch("paddings of dimension {} are {} and {}, they must not be negative", d, before,
                 after);
    }
    if (in.has_rank() && in.dim(d) >= 0) {
      out.set_dim(d, ops::add_sizes(ops::add_sizes(in.dim(d), before), after));
    }
  }
  c.set_output(0, std::move(out));
}

void run_pad(ParallelContext& ctx, const Tensor* value) {
  const Tensor& x = ctx.input(0);
  const Tensor& paddings = ctx.input(1);
  if (paddings.rank() != 2 || paddings.dim(0) != x.rank() || paddings.dim(1) != 2) {
    invalid_argument("paddings have shape {}, a tensor of shape {} needs [{},2]",
                     paddings.shape().str(), x.shape().str(), x.rank());
  }
  Shape shape = x.shape();
  for (int d = 0; d < x.rank(); ++d) {
    const std::int64_t before = ops::int_at(paddings, 2 * d);
    const std::int64_t after = ops::int_at(paddings, 2 * d + 1);
    if (before < 0 || after < 0) {
      invalid_argument("paddings of dimension {} are {} and {}, they must not be negative", d,
                       before, after);
    }
    shape.set_dim(d, ops::add_sizes(ops::add_sizes(x.dim(d), before), after));
  }
  Tensor& out = ctx.output(0, shape);
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = ops::raw_as<T>(out);
    std::fill_n(to, out.num_elements(), value != nullptr ? *ops::raw_as<T>(*value) : T{});
    if (x.num_elements() == 0) return;
    ops::StridedCopy copy;
    std::int64_t from_stride = x.num_elements();
    std::int64_t to_stride = out.num_elements();
    for (int d = 0; d < x.rank(); ++d) {
      from_stride /= x.dim(d);
      to_stride /= shape.dim(d);
      to += ops::int_at(paddings, 2 * d) * to_stride;
      copy.add_dim(x.dim(d), from_stride, to_stride);
    }
    copy.run(x.dtype(), x.raw(), to, ctx.pool());
  });
}

void pad(ParallelContext& ctx) {
  run_pad(ctx, nullptr);
}

void pad_v2(ParallelContext& ctx) {
  if (ctx.input(2).num_elements() != 1) {
    invalid_argument("constant_values must be a scalar, got {}", ctx.input(2).shape().str());
  }
  run_pad(ctx, &ctx.input(2));
}

void pad_gradient(GradientContext& g) {
  const Output x = g.input(0);
  const Output paddings = g.input(1);
  const DType index = base_dtype(paddings.dtype());
  const Output rank = ops::rank_of(g, x);
  const Output size =
      ops::cast(g, ops::stack(g, {rank, g.scalar(1, DType::kInt32, "stack/1")}), index);
  const Output origin = ops::cast(g, g.ints({0, 0}, "Slice/begin"), index);
  const Output before = g.op("Slice", {paddings, origin, size});
  const Output begin = ops::flatten(g, before);
  g.set(0, g.op("Slice", {g.grad(), begin, g.shape_of(x, index)}));
}

}  // namespace

void register_pad(OpRegistry& registry) {
  registry.add({.name = "Pad",
                .doc = "Puts zeros before and after the entries of each dimension.",
                .inputs = {"input: T", "paddings: Tpaddings"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "Tpaddings: {int32, int64} = DT_INT32"},
                .shape = pad_shape,
                .gradient = pad_gradient,
                .kernels = ops::any_dtype(function_kernel<pad>),
                .threads = Threads::kPieces,
                .embed = ops::pad_embed});
  registry.add({.name = "PadV2",
                .doc = "Puts a value before and after the entries of each dimension.",
                .inputs = {"input: T", "paddings: Tpaddings", "constant_values: T"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "Tpaddings: {int32, int64} = DT_INT32"},
                .shape = pad_shape,
                .gradient = pad_gradient,
                .kernels = ops::any_dtype(function_kernel<pad_v2>),
                .threads = Threads::kPieces});
}

}  // namespace assay
