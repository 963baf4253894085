#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/scope.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/contiguous_part.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// Inputs [first, first + n) are joined along the axis in input `axis_input`.
void concat_shape(ShapeContext& c, int first, int n, int axis_input) {
  PartialShape joined;
  const auto axis_value = c.input_as_int(axis_input);
  for (int i = first; i < first + n && !joined.has_rank(); ++i) {
    if (c.input(i).has_rank()) joined = PartialShape::unknown_of_rank(c.input(i).rank());
  }
  if (!joined.has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  const int rank = joined.rank();
  if (rank == 0) c.mismatch("scalars cannot be joined; input {} is one", first);
  const int axis = axis_value ? ops::checked_axis(*axis_value, rank) : -1;
  std::int64_t total = 0;
  for (int i = first; i < first + n; ++i) {
    const PartialShape in = c.with_rank(i, rank);
    if (axis < 0) continue;
    for (int d = 0; d < rank; ++d) {
      if (d == axis) continue;
      const auto merged = merge_dims(joined.dim(d), in.dim(d));
      if (!merged) {
        c.mismatch("dimension {} differs: input {} is {}, the ones before say {}", d, i - first,
                   c.describe_input(i), joined.dim(d));
      }
      joined.set_dim(d, *merged);
    }
    total = total < 0 || in.dim(axis) < 0 ? -1 : ops::add_sizes(total, in.dim(axis));
  }
  if (axis >= 0) joined.set_dim(axis, total);
  c.set_output(0, joined);
}

void concat_v2_shape(ShapeContext& c) {
  concat_shape(c, 0, c.num_inputs() - 1, c.num_inputs() - 1);
}
void concat_v1_shape(ShapeContext& c) {
  concat_shape(c, 1, c.num_inputs() - 1, 0);
}

void run_concat(ParallelContext& ctx, int first, int n, int axis_input) {
  if (ctx.input(axis_input).num_elements() != 1) invalid_argument("the axis must be one number");
  const Shape& like = ctx.input(first).shape();
  const int rank = like.rank();
  if (rank == 0) invalid_argument("scalars cannot be joined");
  const int axis = ops::checked_axis(ops::int_at(ctx.input(axis_input), 0), rank);
  std::int64_t total = 0;
  for (int i = first; i < first + n; ++i) {
    const Shape& in = ctx.input(i).shape();
    bool fits = in.rank() == rank;
    for (int d = 0; fits && d < rank; ++d) fits = d == axis || in.dim(d) == like.dim(d);
    if (!fits) {
      invalid_argument("shapes differ outside dimension {}: input 0 is {}, input {} is {}", axis,
                       like.str(), i - first, in.str());
    }
    total = ops::add_sizes(total, in.dim(axis));
  }
  Shape shape = like;
  shape.set_dim(axis, total);
  Tensor& out = ctx.output(0, shape);
  const std::int64_t outer = ops::product(shape, 0, axis);
  const std::int64_t inner = ops::product(shape, axis + 1, rank);
  const std::int64_t row = total * inner;
  ops::dispatch_storage(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = ops::raw_as<T>(out);
    const std::int64_t row_bytes = row * static_cast<std::int64_t>(sizeof(T));
    ctx.pool().parallel_for(outer, ops::rows_per_piece(row_bytes),
                            [&](std::int64_t begin, std::int64_t end) {
                              std::int64_t offset = 0;
                              for (int i = first; i < first + n; ++i) {
                                const std::int64_t part = ctx.input(i).dim(axis) * inner;
                                const T* from = ops::raw_as<T>(ctx.input(i));
                                for (std::int64_t o = begin; o < end; ++o) {
                                  ops::copy_run(to + o * row + offset, from + o * part, part);
                                }
                                offset += part;
                              }
                            });
  });
}

void concat_v2(ParallelContext& ctx) {
  run_concat(ctx, 0, ctx.num_inputs() - 1, ctx.num_inputs() - 1);
}
void concat_v1(ParallelContext& ctx) {
  run_concat(ctx, 1, ctx.num_inputs() - 1, 0);
}

/// More parts than this are cut by one SplitV rather than by a Slice each, as TensorFlow does.
constexpr int kMaxSlices = 16;

void concat_gradient(GradientContext& g, int first, int n, int axis_input) {
  const Output grad = g.grad();
  const Output axis = g.input(axis_input);
  const Output rank = ops::rank_of(g, g.input(first));
  const Output positive = g.op("FloorMod", {ops::cast(g, axis, DType::kInt32), rank}, {}, "mod");
  std::vector<Output> sizes;
  bool all_static = true;
  for (int i = first; i < first + n; ++i) {
    all_static = all_static && g.input(i).shape().is_fully_defined();
  }
  std::vector<Output> values(g.node().inputs().begin() + first,
                             g.node().inputs().begin() + first + n);
  if (all_static) {
    for (const Output& v : values) sizes.push_back(g.shape_of(v));
  } else {
    Node* shapes = g.node("ShapeN", values);
    for (int i = 0; i < n; ++i) sizes.push_back(shapes->output(i));
  }
  if (n > kMaxSlices) {
    const Output table = ops::stack(g, sizes, 1);
    const Output begin = g.op("Pack", {positive, g.scalar(0, DType::kInt32)});
    const Output row = g.op("Slice", {table, begin, g.ints({1, -1})});
    const Output lengths = g.op("Squeeze", {row}, {{"squeeze_dims", std::vector<std::int64_t>{0}}});
    Node* parts =
        g.node("SplitV", {grad, lengths, positive}, {{"num_split", std::int64_t{n}}}, "split");
    for (int i = 0; i < n; ++i) g.set(first + i, parts->output(i));
    return;
  }
  std::vector<Output> inputs{positive};
  inputs.insert(inputs.end(), sizes.begin(), sizes.end());
  Node* offsets = g.node("ConcatOffset", std::move(inputs));
  for (int i = 0; i < n; ++i) {
    g.set(first + i, g.op("Slice", {grad, offsets->output(i), sizes[static_cast<std::size_t>(i)]}));
  }
}

void concat_v2_gradient(GradientContext& g) {
  concat_gradient(g, 0, g.num_inputs() - 1, g.num_inputs() - 1);
}
void concat_v1_gradient(GradientContext& g) {
  concat_gradient(g, 1, g.num_inputs() - 1, 0);
}

void concat_offset_shape(ShapeContext& c) {
  for (int i = 1; i < c.num_inputs(); ++i) c.set_output(i - 1, c.with_rank(i, 1));
}

void concat_offset(KernelContext& ctx) {
  const std::int64_t rank = ctx.input(1).num_elements();
  const int axis = ops::checked_axis(ops::int_at(ctx.input(0), 0), static_cast<int>(rank));
  std::int32_t offset = 0;
  for (int i = 1; i < ctx.num_inputs(); ++i) {
    if (ctx.input(i).num_elements() != rank) {
      invalid_argument("input {} has {} sizes, input 1 has {}", i, ctx.input(i).num_elements(),
                       rank);
    }
    const auto* sizes = ctx.in<std::int32_t>(i);
    for (int d = 0; d < rank; ++d) {
      if (d != axis && sizes[d] != ctx.in<std::int32_t>(1)[d]) {
        invalid_argument("size {} differs: {} in input 1, {} in input {}", d,
                         ctx.in<std::int32_t>(1)[d], sizes[d], i);
      }
    }
    auto* out = ctx.out<std::int32_t>(i - 1, {rank});
    std::fill_n(out, rank, 0);
    out[axis] = offset;
    offset += sizes[axis];
  }
}

}  // namespace

void register_concat(OpRegistry& registry) {
  registry.add({.name = "ConcatV2",
                .doc = "Joins tensors along a dimension they have (tf.concat).",
                .inputs = {"values: N * T", "axis: Tidx"},
                .outputs = {"output: T"},
                .attrs = {"N: int >= 2", "T: type", "Tidx: {int32, int64} = DT_INT32"},
                .shape = concat_v2_shape,
                .gradient = concat_v2_gradient,
                .kernels = ops::any_dtype(function_kernel<concat_v2>),
                .threads = Threads::kPieces,
                .join = ops::concat_v2_join});
  registry.add({.name = "Concat",
                .doc = "Joins tensors along a dimension they have; the axis comes first.",
                .inputs = {"concat_dim: int32", "values: N * T"},
                .outputs = {"output: T"},
                .attrs = {"N: int >= 2", "T: type"},
                .shape = concat_v1_shape,
                .gradient = concat_v1_gradient,
                .kernels = ops::any_dtype(function_kernel<concat_v1>),
                .threads = Threads::kPieces});
  registry.add({.name = "ConcatOffset",
                .doc = "Where each input of a concatenation starts in the result.",
                .inputs = {"concat_dim: int32", "shape: N * int32"},
                .outputs = {"offset: N * int32"},
                .attrs = {"N: int >= 2"},
                .shape = concat_offset_shape,
                .not_differentiable = true,
                .kernels = ops::any_dtype(function_kernel<concat_offset>)});
}

}  // namespace assay
