#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/scope.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/strided_copy.h"

namespace assay {
namespace {

void tile_shape(ShapeContext& c) {
  const PartialShape& in = c.input(0);
  const PartialShape multiples = c.input_as_shape(1);
  int rank = in.rank();
  if (rank < 0) rank = multiples.rank();
  if (rank < 0) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  if ((in.has_rank() && in.rank() != rank) || (multiples.has_rank() && multiples.rank() != rank)) {
    c.mismatch("{} multiples for {}", multiples.rank(), c.describe_input(0));
  }
  PartialShape out = PartialShape::unknown_of_rank(rank);
  for (int d = 0; d < rank; ++d) {
    if (in.has_rank() && multiples.has_rank() && in.dim(d) >= 0 && multiples.dim(d) >= 0) {
      out.set_dim(d, ops::multiply_sizes(in.dim(d), multiples.dim(d)));
    }
  }
  c.set_output(0, std::move(out));
}

void tile(ParallelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& multiples = ctx.input(1);
  if (multiples.rank() != 1 || multiples.num_elements() != x.rank()) {
    invalid_argument("{} multiples for a tensor of shape {}", multiples.num_elements(),
                     x.shape().str());
  }
  Shape shape = x.shape();
  for (int d = 0; d < x.rank(); ++d) {
    const std::int64_t m = ops::int_at(multiples, d);
    if (m < 0) invalid_argument("multiples[{}] = {} is negative", d, m);
    shape.set_dim(d, ops::multiply_sizes(x.dim(d), m));
  }
  Tensor& out = ctx.output(0, shape);
  if (out.num_elements() == 0) return;
  ops::StridedCopy copy;
  std::int64_t from = x.num_elements();
  std::int64_t to = out.num_elements();
  for (int d = 0; d < x.rank(); ++d) {
    from /= x.dim(d);
    const std::int64_t m = shape.dim(d) / x.dim(d);
    to /= m;
    copy.add_dim(m, 0, to);
    to /= x.dim(d);
    copy.add_dim(x.dim(d), from, to);
  }
  copy.run(x.dtype(), x.raw(), out.raw(), ctx.pool());
}

void tile_gradient(GradientContext& g) {
  const Output multiples = g.input(1);
  const Output shape = g.shape_of(g.input(0), base_dtype(multiples.dtype()));
  const Output table = ops::stack(g, {multiples, shape});
  const Output columns = g.op("Transpose", {table, g.ints({1, 0})}, {}, "transpose");
  const Output split = ops::flatten(g, columns);
  const Output start = g.scalar(0, DType::kInt32, "range/start");
  const Output limit = ops::size_of(g, split);
  const Output delta = g.scalar(2, DType::kInt32, "range/delta");
  const Output axes = g.op("Range", {start, limit, delta}, {}, "range");
  const Output parts = ops::reshape(g, g.grad(), split);
  const Output sum = g.op("Sum", {parts, axes}, {{"keep_dims", false}});
  sum.node->merge_output_shape(0, g.input(0).shape());
  g.set(0, sum);
}

void broadcast_to_shape(ShapeContext& c) {
  const PartialShape target = c.input_as_shape(1);
  if (target.has_rank() && c.input(0).has_rank()) {
    const PartialShape& in = c.input(0);
    if (in.rank() > target.rank()) {
      c.mismatch("{} does not broadcast to {}", c.describe_input(0), target.str());
    }
    for (int d = 1; d <= in.rank(); ++d) {
      const std::int64_t from = in.dim(in.rank() - d);
      const std::int64_t to = target.dim(target.rank() - d);
      if (from >= 0 && to >= 0 && from != to && from != 1) {
        c.mismatch("{} does not broadcast to {}", c.describe_input(0), target.str());
      }
    }
  }
  c.set_output(0, target);
}

void broadcast_to(ParallelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Shape shape = ops::shape_value(ctx.input(1), "shape");
  const int skip = shape.rank() - x.rank();
  bool fits = skip >= 0;
  for (int d = 0; fits && d < x.rank(); ++d) {
    fits = x.dim(d) == shape.dim(d + skip) || x.dim(d) == 1;
  }
  if (!fits) {
    invalid_argument("a tensor of shape {} does not broadcast to {}", x.shape().str(), shape.str());
  }
  Tensor& out = ctx.output(0, shape);
  std::int64_t to = out.num_elements();
  if (to == 0) return;
  std::int64_t from = x.num_elements();
  ops::StridedCopy copy;
  for (int d = 0; d < shape.rank(); ++d) {
    to /= shape.dim(d);
    const std::int64_t size = d < skip ? 1 : x.dim(d - skip);
    from /= size;
    copy.add_dim(shape.dim(d), size == 1 ? 0 : from, to);
  }
  copy.run(x.dtype(), x.raw(), out.raw(), ctx.pool());
}

void broadcast_to_gradient(GradientContext& g) {
  const Output target = g.input(1);
  const Output shape = g.shape_of(g.input(0), base_dtype(target.dtype()));
  Node* axes = g.node("BroadcastGradientArgs", {target, shape});
  const Output sum = g.op("Sum", {g.grad(), axes->output(1)}, {{"keep_dims", true}});
  g.set(0, ops::reshape(g, sum, shape));
}

}  // namespace

void register_tile(OpRegistry& registry) {
  registry.add({.name = "Tile",
                .doc = "Repeats a tensor along each dimension.",
                .inputs = {"input: T", "multiples: Tmultiples"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "Tmultiples: {int32, int64} = DT_INT32"},
                .shape = tile_shape,
                .gradient = tile_gradient,
                .kernels = ops::any_dtype(function_kernel<tile>),
                .threads = Threads::kPieces});
  registry.add({.name = "BroadcastTo",
                .doc = "Repeats a tensor to a larger shape by numpy's broadcasting rules.",
                .inputs = {"input: T", "shape: Tidx"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "Tidx: {int32, int64} = DT_INT32"},
                .shape = broadcast_to_shape,
                .gradient = broadcast_to_gradient,
                .kernels = ops::any_dtype(function_kernel<broadcast_to>),
                .threads = Threads::kPieces});
}

}  // namespace assay
