#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/contiguous_part.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void split_shape(ShapeContext& c) {
  const auto parts = c.attr<std::int64_t>("num_split");
  const auto axis_value = c.input_as_int(0);
  if (!c.input(1).has_rank()) {
    c.set_all_outputs(PartialShape::unknown());
    return;
  }
  PartialShape shape = c.with_rank_at_least(1, 1);
  if (!axis_value) {
    c.set_all_outputs(PartialShape::unknown_of_rank(shape.rank()));
    return;
  }
  const int axis = ops::checked_axis(*axis_value, shape.rank());
  if (shape.dim(axis) >= 0) {
    if (shape.dim(axis) % parts != 0) {
      c.mismatch("dimension {} of {} does not divide into {} equal parts", axis,
                 c.describe_input(1), parts);
    }
    shape.set_dim(axis, shape.dim(axis) / parts);
  }
  c.set_all_outputs(shape);
}

/// Copies the part of `x` that starts at `offset` and is `size` long along `axis`.
void copy_part(KernelContext& ctx, const Tensor& x, int axis, std::int64_t offset,
               std::int64_t size, int output) {
  Shape shape = x.shape();
  shape.set_dim(axis, size);
  Tensor& out = ctx.output(output, shape);
  const std::int64_t outer = ops::product(x.shape(), 0, axis);
  const std::int64_t inner = ops::product(x.shape(), axis + 1, x.rank());
  const std::int64_t row = x.dim(axis) * inner;
  const std::int64_t part = size * inner;
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = ops::raw_as<T>(x) + offset * inner;
    T* to = ops::raw_as<T>(out);
    for (std::int64_t o = 0; o < outer; ++o) ops::copy_run(to + o * part, from + o * row, part);
  });
}

void split(KernelContext& ctx) {
  const Tensor& x = ctx.input(1);
  const int axis = ops::checked_axis(ops::int_at(ctx.input(0), 0), x.rank());
  const int parts = ctx.num_outputs();
  if (x.dim(axis) % parts != 0) {
    invalid_argument("dimension {} of {} does not divide into {} equal parts", axis,
                     x.shape().str(), parts);
  }
  const std::int64_t size = x.dim(axis) / parts;
  for (int i = 0; i < parts; ++i) copy_part(ctx, x, axis, i * size, size, i);
}

Output join_gradients(GradientContext& g, Output axis) {
  if (g.node().num_outputs() == 1) return g.grad();
  std::vector<Output> values;
  for (int i = 0; i < g.node().num_outputs(); ++i) values.push_back(g.grad(i));
  values.push_back(axis);
  return g.op("ConcatV2", std::move(values), {}, "concat");
}

void split_gradient(GradientContext& g) {
  g.set(1, join_gradients(g, g.input(0)));
}

void split_v_gradient(GradientContext& g) {
  g.set(0, join_gradients(g, g.input(2)));
}

/// The sizes of SplitV's parts: at most one is -1, the rest of `total` (-1 when unknown).
std::vector<std::int64_t> part_sizes(const Tensor& sizes, std::int64_t total) {
  std::vector<std::int64_t> parts = ops::int_values(sizes);
  std::int64_t sum = 0;
  int open = -1;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] < -1) invalid_argument("size_splits[{}] = {} is negative", i, parts[i]);
    if (parts[i] >= 0) {
      sum = ops::add_sizes(sum, parts[i]);
    } else if (open >= 0) {
      invalid_argument("size_splits leaves parts {} and {} open", open, i);
    } else {
      open = static_cast<int>(i);
    }
  }
  if (total < 0) return parts;
  if (open >= 0 ? sum > total : sum != total) {
    invalid_argument("the parts have {} entries together, the dimension has {}", sum, total);
  }
  if (open >= 0) parts[static_cast<std::size_t>(open)] = total - sum;
  return parts;
}

void split_v_shape(ShapeContext& c) {
  const auto num = c.attr<std::int64_t>("num_split");
  const auto axis_value = c.input_as_int(2);
  if (!c.input(0).has_rank()) {
    c.set_all_outputs(PartialShape::unknown());
    return;
  }
  const PartialShape shape = c.with_rank_at_least(0, 1);
  if (!axis_value) {
    c.set_all_outputs(PartialShape::unknown_of_rank(shape.rank()));
    return;
  }
  const int axis = ops::checked_axis(*axis_value, shape.rank());
  const Tensor* sizes = c.input_value(1);
  std::vector<std::int64_t> parts(static_cast<std::size_t>(num), -1);
  if (sizes != nullptr) {
    parts = part_sizes(*sizes, shape.dim(axis));
    if (static_cast<std::int64_t>(parts.size()) != num) {
      c.mismatch("size_splits has {} entries, num_split is {}", parts.size(), num);
    }
  } else if (num == 1) {
    parts[0] = shape.dim(axis);
  }
  for (int i = 0; i < num; ++i) {
    PartialShape out = shape;
    out.set_dim(axis, parts[static_cast<std::size_t>(i)]);
    c.set_output(i, std::move(out));
  }
}

void split_v(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const int axis = ops::checked_axis(ops::int_at(ctx.input(2), 0), x.rank());
  const std::vector<std::int64_t> parts = part_sizes(ctx.input(1), x.dim(axis));
  if (static_cast<int>(parts.size()) != ctx.num_outputs()) {
    invalid_argument("size_splits has {} entries, {} outputs are wanted", parts.size(),
                     ctx.num_outputs());
  }
  std::int64_t offset = 0;
  for (int i = 0; i < ctx.num_outputs(); ++i) {
    const std::int64_t size = parts[static_cast<std::size_t>(i)];
    copy_part(ctx, x, axis, offset, size, i);
    offset += size;
  }
}

}  // namespace

void register_split(OpRegistry& registry) {
  registry.add({.name = "Split",
                .doc = "Cuts a tensor into equal parts along a dimension.",
                .inputs = {"split_dim: int32", "value: T"},
                .outputs = {"output: num_split * T"},
                .attrs = {"num_split: int >= 1", "T: type"},
                .shape = split_shape,
                .gradient = split_gradient,
                .kernels = ops::any_dtype(function_kernel<split>),
                .view = ops::split_view});
  registry.add({.name = "SplitV",
                .doc = "Cuts a tensor into parts of the sizes given; one may be -1, the rest.",
                .inputs = {"value: T", "size_splits: Tlen", "split_dim: int32"},
                .outputs = {"output: num_split * T"},
                .attrs = {"num_split: int >= 1", "T: type", "Tlen: {int32, int64} = DT_INT64"},
                .shape = split_v_shape,
                .gradient = split_v_gradient,
                .kernels = ops::any_dtype(function_kernel<split_v>)});
}

}  // namespace assay
