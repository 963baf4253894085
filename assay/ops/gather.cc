#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/scope.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gather_rows.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void gather_shape(ShapeContext& c) {
  const PartialShape params = c.with_rank_at_least(0, 1);
  if (!params.has_rank() || !c.input(1).has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  std::vector<std::int64_t> dims = c.input(1).dims();
  dims.insert(dims.end(), params.dims().begin() + 1, params.dims().end());
  c.set_output(0, PartialShape(std::move(dims)));
}

int batch_dims_of(std::int64_t attr, int indices_rank) {
  const std::int64_t dims = attr < 0 ? attr + indices_rank : attr;
  if (dims < 0 || dims > indices_rank) {
    invalid_argument("batch_dims {} is outside the {} dimensions of the indices", attr,
                     indices_rank);
  }
  return static_cast<int>(dims);
}

void gather_v2_shape(ShapeContext& c) {
  const PartialShape params = c.with_rank_at_least(0, 1);
  const PartialShape& indices = c.input(1);
  const auto axis_value = c.input_as_int(2);
  if (!params.has_rank() || !indices.has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  const int batch = batch_dims_of(c.attr<std::int64_t>("batch_dims"), indices.rank());
  if (!axis_value) {
    c.set_output(0, PartialShape::unknown_of_rank(params.rank() + indices.rank() - 1 - batch));
    return;
  }
  const int axis = ops::checked_axis(*axis_value, params.rank());
  if (axis < batch) c.mismatch("axis {} is below batch_dims {}", axis, batch);
  std::vector<std::int64_t> dims(params.dims().begin(), params.dims().begin() + axis);
  for (int d = 0; d < batch; ++d) {
    const auto merged = merge_dims(params.dim(d), indices.dim(d));
    if (!merged) {
      c.mismatch("batch dimension {} differs: params {}, indices {}", d, c.describe_input(0),
                 c.describe_input(1));
    }
    dims[static_cast<std::size_t>(d)] = *merged;
  }
  dims.insert(dims.end(), indices.dims().begin() + batch, indices.dims().end());
  dims.insert(dims.end(), params.dims().begin() + axis + 1, params.dims().end());
  c.set_output(0, PartialShape(std::move(dims)));
}

/// `batch` leading dimensions belong to both; then params [outer, entries, inner].
void run_gather(ParallelContext& ctx, int axis, int batch) {
  const Tensor& params = ctx.input(0);
  const Tensor& indices = ctx.input(1);
  Shape shape;
  for (int d = 0; d < axis; ++d) shape.add_dim(params.dim(d));
  for (int d = batch; d < indices.rank(); ++d) shape.add_dim(indices.dim(d));
  for (int d = axis + 1; d < params.rank(); ++d) shape.add_dim(params.dim(d));
  for (int d = 0; d < batch; ++d) {
    if (params.dim(d) != indices.dim(d)) {
      invalid_argument("batch dimension {} differs: params {}, indices {}", d, params.shape().str(),
                       indices.shape().str());
    }
  }
  Tensor& out = ctx.output(0, shape);
  const std::int64_t batches = ops::product(params.shape(), 0, batch);
  const std::int64_t outer = ops::product(params.shape(), batch, axis);
  const std::int64_t entries = params.dim(axis);
  const std::int64_t inner = ops::product(params.shape(), axis + 1, params.rank());
  const std::int64_t count = ops::product(indices.shape(), batch, indices.rank());
  for (std::int64_t b = 0; b < batches; ++b) {
    for (std::int64_t o = 0; o < outer; ++o) {
      ops::gather_rows({.params = &params,
                        .params_offset = (b * outer + o) * entries * inner,
                        .entries = entries,
                        .inner = inner,
                        .indices = &indices,
                        .indices_offset = b * count,
                        .count = count,
                        .out = &out,
                        .out_offset = (b * outer + o) * count * inner},
                       ctx.pool());
    }
  }
}

void gather(ParallelContext& ctx) {
  if (ctx.input(0).rank() == 0) invalid_argument("params must not be a scalar");
  run_gather(ctx, 0, 0);
}

class GatherV2 : public ParallelKernel {
 public:
  explicit GatherV2(const KernelInit& init)
      : batch_dims_(init.attr_or<std::int64_t>("batch_dims", 0)) {}
  void run_parallel(ParallelContext& ctx) override {
    if (ctx.input(2).num_elements() != 1) invalid_argument("the axis must be one number");
    const int axis = ops::checked_axis(ops::int_at(ctx.input(2), 0), ctx.input(0).rank());
    const int batch = batch_dims_of(batch_dims_, ctx.input(1).rank());
    if (axis < batch) invalid_argument("axis {} is below batch_dims {}", axis, batch);
    run_gather(ctx, axis, batch);
  }

 private:
  std::int64_t batch_dims_;
};

Output params_shape(GradientContext& g) {
  return ops::cast(g, g.shape_of(g.input(0), DType::kInt64), DType::kInt32);
}

/// The gradient of gathering along axis 0: the rows as they come, with their indices.
void set_slices(GradientContext& g, Output shape) {
  const Output indices = g.input(1);
  const Output size = ops::expand_dims(g, ops::size_of(g, indices), 0);
  const Output values_shape = ops::concat(g, {size, ops::tail(g, shape, 1)}, 0);
  const Output values = ops::reshape(g, g.grad(), values_shape);
  const Output flat = ops::reshape(g, indices, size);
  g.set(0, IndexedSlices{values, flat, shape});
}

void gather_gradient(GradientContext& g) {
  set_slices(g, params_shape(g));
}

/// Along another axis: that axis goes to the front, rows add up by index, and it goes back.
void gather_v2_gradient(GradientContext& g) {
  const Output params = g.input(0);
  const Tensor axis_value = constant_value(g.input(2));
  const auto batch_attr = g.node().attr_or<std::int64_t>("batch_dims", 0);
  if (axis_value.defined() && ops::int_at(axis_value, 0) == 0) {
    set_slices(g, params_shape(g));
    return;
  }
  if (!axis_value.defined() || !params.shape().has_rank() || !g.input(1).shape().has_rank()) {
    fail(Code::kUnimplemented,
         "{}: the gradient along an axis other than 0 needs a constant axis and known ranks",
         g.node().label());
  }
  const int rank = params.shape().rank();
  const int axis = ops::checked_axis(ops::int_at(axis_value, 0), rank);
  const int batch = batch_dims_of(batch_attr, g.input(1).shape().rank());
  const int indices_rank = g.input(1).shape().rank();
  const Output shape = params_shape(g);

  // values: [batch..., outer..., indices..., inner...] -> [batch..., indices..., outer, inner].
  const int grad_rank = rank - 1 + indices_rank - batch;
  std::vector<std::int32_t> order;
  for (int d = 0; d < batch; ++d) order.push_back(d);
  for (int d = 0; d < indices_rank - batch; ++d) order.push_back(axis + d);
  for (int d = batch; d < axis; ++d) order.push_back(d);
  for (int d = axis + indices_rank - batch; d < grad_rank; ++d) order.push_back(d);
  const Output values = g.op("Transpose", {g.grad(), g.ints(order)}, {}, "transpose");

  // One segment for each batch and entry: ids are made unique by an offset for each batch.
  Output ids = g.input(1);
  const DType index_dtype = base_dtype(ids.dtype());
  const Output entries = ops::element(g, shape, axis);
  Output segments = entries;
  std::vector<Output> front;
  for (int d = batch - 1; d >= 0; --d) {
    const Output size = ops::element(g, shape, d);
    const Output range =
        g.op("Range", {g.scalar(0, DType::kInt32), size, g.scalar(1, DType::kInt32)}, {}, "range");
    const Output steps = g.op("Mul", {range, segments});
    std::vector<std::int32_t> view(static_cast<std::size_t>(indices_rank), 1);
    view[static_cast<std::size_t>(d)] = -1;
    const Output offsets = ops::reshape(g, ops::cast(g, steps, index_dtype), g.ints(view));
    ids = g.op("AddV2", {ids, offsets}, {}, "add");
    segments = g.op("Mul", {segments, size});
    front.insert(front.begin(), size);
  }
  std::vector<Output> rest;
  for (int d = batch; d < rank; ++d) {
    if (d != axis) rest.push_back(ops::element(g, shape, d));
  }
  std::vector<Output> rows{g.scalar(-1, DType::kInt32)};
  rows.insert(rows.end(), rest.begin(), rest.end());
  const Output flat_values = ops::reshape(g, values, ops::stack(g, rows));
  const Output sums = g.op("UnsortedSegmentSum", {flat_values, ops::flatten(g, ids), segments});
  std::vector<Output> full = front;
  full.push_back(entries);
  full.insert(full.end(), rest.begin(), rest.end());
  const Output grad = ops::reshape(g, sums, ops::stack(g, full));

  // [batch..., entries, outer..., inner...] -> the order of params.
  std::vector<std::int32_t> back;
  for (int d = 0; d < batch; ++d) back.push_back(d);
  for (int d = batch; d < axis; ++d) back.push_back(d + 1);
  back.push_back(batch);
  for (int d = axis + 1; d < rank; ++d) back.push_back(d);
  g.set(0, g.op("Transpose", {grad, g.ints(back)}, {}, "transpose"));
}

}  // namespace

void register_gather(OpRegistry& registry) {
  registry.add(
      {.name = "Gather",
       .doc = "The rows of a tensor that the indices name.",
       .inputs = {"params: Tparams", "indices: Tindices"},
       .outputs = {"output: Tparams"},
       .attrs = {"validate_indices: bool = true", "Tparams: type", "Tindices: {int32, int64}"},
       .shape = gather_shape,
       .gradient = gather_gradient,
       .kernel_attr = "Tparams",
       .kernels = ops::any_dtype(function_kernel<gather>),
       .threads = Threads::kPieces});
  registry.add({.name = "GatherV2",
                .doc = "The entries along `axis` that the indices name; batch_dims pair up.",
                .inputs = {"params: Tparams", "indices: Tindices", "axis: Taxis"},
                .outputs = {"output: Tparams"},
                .attrs = {"batch_dims: int = 0", "Tparams: type", "Tindices: {int32, int64}",
                          "Taxis: {int32, int64}"},
                .shape = gather_v2_shape,
                .gradient = gather_v2_gradient,
                .kernel_attr = "Tparams",
                .kernels = ops::any_dtype(make_kernel<GatherV2>),
                .threads = Threads::kPieces});
}

}  // namespace assay
