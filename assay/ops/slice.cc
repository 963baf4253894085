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

void slice_shape(ShapeContext& c) {
  const PartialShape& in = c.input(0);
  const Tensor* begin = c.input_value(1);
  PartialShape size = c.input_as_shape(2);
  const PartialShape begin_shape = c.with_rank(1, 1);
  int rank = in.rank();
  if (rank < 0 && size.has_rank()) rank = size.rank();
  if (rank < 0 && begin_shape.dim(0) >= 0) rank = static_cast<int>(begin_shape.dim(0));
  if (rank < 0) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  if ((in.has_rank() && in.rank() != rank) || (size.has_rank() && size.rank() != rank) ||
      (begin_shape.dim(0) >= 0 && begin_shape.dim(0) != rank)) {
    c.mismatch("{} needs as many begins and sizes, got {} and {}", c.describe_input(0),
               begin_shape.dim(0), size.rank());
  }
  PartialShape out = PartialShape::unknown_of_rank(rank);
  const Tensor* size_value = c.input_value(2);
  for (int d = 0; d < rank; ++d) {
    const std::int64_t dim = in.has_rank() ? in.dim(d) : -1;
    if (size.has_rank() && size.dim(d) >= 0) out.set_dim(d, size.dim(d));
    if (begin == nullptr) continue;
    const std::int64_t from = ops::int_at(*begin, d);
    if (from < 0 || (dim >= 0 && from > dim)) {
      c.mismatch("begin[{}] = {} is outside {}", d, from, c.describe_input(0));
    }
    if (out.dim(d) >= 0 && dim >= 0 && from > dim - out.dim(d)) {
      c.mismatch("begin[{}] = {} and size {} reach beyond {}", d, from, out.dim(d),
                 c.describe_input(0));
    }
    if (size_value != nullptr && out.dim(d) < 0 && dim >= 0) out.set_dim(d, dim - from);
  }
  c.set_output(0, std::move(out));
}

void slice(ParallelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const int rank = x.rank();
  if (ctx.input(1).num_elements() != rank || ctx.input(2).num_elements() != rank) {
    invalid_argument("a tensor of shape {} needs {} begins and sizes, got {} and {}",
                     x.shape().str(), rank, ctx.input(1).num_elements(),
                     ctx.input(2).num_elements());
  }
  Shape shape = x.shape();
  std::int64_t offset = 0;
  bool whole = true;
  std::int64_t stride = 1;
  for (int d = rank - 1; d >= 0; --d) {
    const std::int64_t begin = ops::int_at(ctx.input(1), d);
    std::int64_t size = ops::int_at(ctx.input(2), d);
    if (size == -1 && begin >= 0) size = x.dim(d) - begin;
    if (begin < 0 || size < 0 || begin > x.dim(d) - size) {
      invalid_argument("begin[{}] = {} and size[{}] = {} are outside shape {}", d, begin, d, size,
                       x.shape().str());
    }
    shape.set_dim(d, size);
    offset += begin * stride;
    stride *= x.dim(d);
    whole = whole && size == x.dim(d);
  }
  if (whole) {
    ctx.set_output(0, x);
    return;
  }
  Tensor& out = ctx.output(0, shape);
  ops::StridedCopy copy;
  std::int64_t from_stride = x.num_elements();
  std::int64_t to_stride = shape.num_elements();
  if (to_stride == 0) return;
  for (int d = 0; d < rank; ++d) {
    from_stride /= x.dim(d);
    to_stride /= shape.dim(d);
    copy.add_dim(shape.dim(d), from_stride, to_stride);
  }
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    copy.run(x.dtype(), ops::raw_as<T>(x) + offset, out.raw(), ctx.pool());
  });
}

void slice_gradient(GradientContext& g) {
  const Output grad = g.grad();
  const Output x = g.input(0);
  const Output begin = g.input(1);
  const DType index = base_dtype(begin.dtype());
  const Output rank = ops::rank_of(g, x);
  const Output size = g.shape_of(g.output(0));
  const Output column = ops::stack(g, {rank, g.scalar(1, DType::kInt32, "stack/1")});
  const Output before = ops::reshape(g, begin, column);
  const Output rest = g.op("Sub", {ops::cast(g, g.op("Sub", {g.shape_of(x), size}), index), begin});
  const Output after = ops::reshape(g, rest, column);
  const Output paddings = ops::concat(g, {before, after}, 1);
  g.set(0, g.op("Pad", {grad, paddings}));
}

}  // namespace

void register_slice(OpRegistry& registry) {
  registry.add({.name = "Slice",
                .doc = "The block of a tensor that starts at `begin`; size -1 means all the rest.",
                .inputs = {"input: T", "begin: Index", "size: Index"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "Index: {int32, int64}"},
                .shape = slice_shape,
                .gradient = slice_gradient,
                .kernels = ops::any_dtype(function_kernel<slice>),
                .threads = Threads::kPieces,
                .view = ops::slice_view});
}

}  // namespace assay
