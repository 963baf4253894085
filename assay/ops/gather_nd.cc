#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gather_rows.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/wrapped.h"

namespace assay {
namespace {

void gather_nd_shape(ShapeContext& c) {
  const PartialShape& params = c.input(0);
  const PartialShape indices = c.with_rank_at_least(1, 1);
  if (!params.has_rank() || !indices.has_rank() || indices.dim(indices.rank() - 1) < 0) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  const std::int64_t depth = indices.dim(indices.rank() - 1);
  if (depth > params.rank()) {
    c.mismatch("{} coordinates for {}", depth, c.describe_input(0));
  }
  std::vector<std::int64_t> dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), params.dims().begin() + depth, params.dims().end());
  c.set_output(0, PartialShape(std::move(dims)));
}

/// Coordinates (the last dimension of `indices`) into the leading dimensions of a tensor.
class Coordinates {
 public:
  Coordinates(const Tensor& indices, const Shape& shape) : indices_(indices) {
    if (indices.rank() == 0) invalid_argument("indices must not be a scalar");
    const std::int64_t depth = indices.dim(indices.rank() - 1);
    if (depth > shape.rank()) {
      invalid_argument("{} coordinates for a tensor of shape {}", depth, shape.str());
    }
    depth_ = static_cast<int>(depth);
    count_ = ops::product(indices.shape(), 0, indices.rank() - 1);
    row_ = ops::product(shape, depth_, shape.rank());
    std::int64_t stride = row_;
    for (int d = depth_ - 1; d >= 0; --d) {
      stride_[static_cast<std::size_t>(d)] = stride;
      size_[static_cast<std::size_t>(d)] = shape.dim(d);
      stride *= shape.dim(d);
    }
  }
  int depth() const { return depth_; }
  /// How many coordinates there are, and how many elements each names.
  std::int64_t count() const { return count_; }
  std::int64_t row() const { return row_; }
  /// Where the block of coordinate `i` starts; throws InvalidArgument when it is outside.
  std::int64_t offset(std::int64_t i) const {
    std::int64_t at = 0;
    for (int d = 0; d < depth_; ++d) {
      const std::int64_t x = ops::int_at(indices_, i * depth_ + d);
      if (x < 0 || x >= size_[static_cast<std::size_t>(d)]) {
        invalid_argument("{} = {} is not in [0, {})",
                         ops::entry_name("indices", indices_.shape(), i * depth_ + d), x,
                         size_[static_cast<std::size_t>(d)]);
      }
      at += x * stride_[static_cast<std::size_t>(d)];
    }
    return at;
  }

 private:
  const Tensor& indices_;
  int depth_ = 0;
  std::int64_t count_ = 0;
  std::int64_t row_ = 0;
  std::array<std::int64_t, kMaxRank> stride_{};
  std::array<std::int64_t, kMaxRank> size_{};
};

void gather_nd(KernelContext& ctx) {
  const Tensor& params = ctx.input(0);
  const Coordinates at(ctx.input(1), params.shape());
  Shape shape;
  for (int d = 0; d + 1 < ctx.input(1).rank(); ++d) shape.add_dim(ctx.input(1).dim(d));
  for (int d = at.depth(); d < params.rank(); ++d) shape.add_dim(params.dim(d));
  Tensor& out = ctx.output(0, shape);
  ops::dispatch_storage(params.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = ops::raw_as<T>(params);
    T* to = ops::raw_as<T>(out);
    for (std::int64_t i = 0; i < at.count(); ++i) {
      ops::copy_run(to + i * at.row(), from + at.offset(i), at.row());
    }
  });
}

void gather_nd_gradient(GradientContext& g) {
  const Output indices = g.input(1);
  const Output shape = g.shape_of(g.input(0), base_dtype(indices.dtype()));
  if (indices.shape().rank() == 2 && indices.shape().dim(1) == 1) {
    const Output flat =
        g.op("Squeeze", {indices}, {{"squeeze_dims", std::vector<std::int64_t>{-1}}});
    g.set(0, IndexedSlices{g.grad(), flat, shape});
  } else {
    g.set(0, g.op("ScatterNd", {indices, g.grad(), shape}));
  }
}

void check_updates(const Tensor& indices, const Tensor& updates, const Shape& shape,
                   const Coordinates& at) {
  Shape wanted;
  for (int d = 0; d + 1 < indices.rank(); ++d) wanted.add_dim(indices.dim(d));
  for (int d = at.depth(); d < shape.rank(); ++d) wanted.add_dim(shape.dim(d));
  if (updates.shape() != wanted) {
    invalid_argument("updates have shape {}, indices {} into {} need {}", updates.shape().str(),
                     indices.shape().str(), shape.str(), wanted.str());
  }
}

/// Calls `body(to, from, n)` for each block of updates.
template <typename T, typename Body>
void for_each_update(const Tensor& indices, const Tensor& updates, Tensor& out, Body&& body) {
  const Coordinates at(indices, out.shape());
  check_updates(indices, updates, out.shape(), at);
  const T* from = ops::raw_as<T>(updates);
  T* to = ops::raw_as<T>(out);
  for (std::int64_t i = 0; i < at.count(); ++i) {
    body(to + at.offset(i), from + i * at.row(), at.row());
  }
}

template <typename T>
void add_block(T* to, const T* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = wrapped_sum(to[i], from[i]);
}
template <typename T>
void subtract_block(T* to, const T* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = wrapped_difference(to[i], from[i]);
}

void scatter_nd_shape(ShapeContext& c) {
  c.set_output(0, c.input_as_shape(2));
}

template <typename T>
void scatter_nd(KernelContext& ctx) {
  Tensor& out = ctx.output(0, ops::shape_value(ctx.input(2), "shape"));
  std::fill_n(out.data<T>(), out.num_elements(), T{});
  for_each_update<T>(ctx.input(0), ctx.input(1), out, add_block<T>);
}

void scatter_nd_bool(KernelContext& ctx) {
  Tensor& out = ctx.output(0, ops::shape_value(ctx.input(2), "shape"));
  std::fill_n(out.data<bool>(), out.num_elements(), false);
  for_each_update<bool>(ctx.input(0), ctx.input(1), out,
                        [](bool* to, const bool* from, std::int64_t n) {
                          for (std::int64_t i = 0; i < n; ++i) to[i] = to[i] || from[i];
                        });
}

void scatter_nd_gradient(GradientContext& g) {
  g.set(1, g.op("GatherNd", {g.grad(), g.input(0)}));
}

template <typename T, void (*Block)(T*, const T*, std::int64_t)>
void tensor_scatter(KernelContext& ctx) {
  Tensor& out = ctx.output(0, ctx.input(0).shape());
  copy_elements(ctx.input(0), out);
  for_each_update<T>(ctx.input(1), ctx.input(2), out, Block);
}

void tensor_scatter_update(KernelContext& ctx) {
  Tensor& out = ctx.output(0, ctx.input(0).shape());
  copy_elements(ctx.input(0), out);
  ops::dispatch_storage(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_update<T>(ctx.input(1), ctx.input(2), out, ops::copy_run<T>);
  });
}

void tensor_scatter_update_gradient(GradientContext& g) {
  const Output grad = g.grad();
  const Output updates = g.op("GatherNd", {grad, g.input(1)});
  const Output zeros = ops::zeros_like(g, g.input(2));
  g.set(0, g.op("TensorScatterUpdate", {g.op("Identity", {grad}), g.input(1), zeros}));
  g.set(2, updates);
}
void tensor_scatter_add_gradient(GradientContext& g) {
  const Output grad = g.grad();
  g.set(2, g.op("GatherNd", {grad, g.input(1)}));
  g.set(0, g.op("Identity", {grad}));
}
void tensor_scatter_sub_gradient(GradientContext& g) {
  const Output grad = g.grad();
  g.set(2, g.op("Neg", {g.op("GatherNd", {grad, g.input(1)})}));
  g.set(0, g.op("Identity", {grad}));
}

template <template <typename> class Entry>
std::vector<KernelEntry> numeric_kernels() {
  return {Entry<float>::entry(),        Entry<double>::entry(),       Entry<std::int32_t>::entry(),
          Entry<std::int64_t>::entry(), Entry<std::uint8_t>::entry(), Entry<std::int8_t>::entry(),
          Entry<std::int16_t>::entry(), Entry<std::uint16_t>::entry()};
}
template <typename T>
struct ScatterNdEntry {
  static KernelEntry entry() { return {dtype_of<T>, function_kernel<scatter_nd<T>>}; }
};
template <typename T>
struct TensorScatterAddEntry {
  static KernelEntry entry() {
    return {dtype_of<T>, function_kernel<tensor_scatter<T, add_block<T>>>};
  }
};
template <typename T>
struct TensorScatterSubEntry {
  static KernelEntry entry() {
    return {dtype_of<T>, function_kernel<tensor_scatter<T, subtract_block<T>>>};
  }
};

OpSpec tensor_scatter_spec(std::string name, std::string doc, GradientFn gradient,
                           std::vector<KernelEntry> kernels) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"tensor: T", "indices: Tindices", "updates: T"},
          .outputs = {"output: T"},
          .attrs = {"T: type", "Tindices: {int32, int64}"},
          .shape = shapes::unchanged,
          .gradient = gradient,
          .kernels = std::move(kernels)};
}

}  // namespace

void register_gather_nd(OpRegistry& registry) {
  registry.add(
      {.name = "GatherNd",
       .doc = "The blocks of a tensor at the coordinates in the last dimension of indices.",
       .inputs = {"params: Tparams", "indices: Tindices"},
       .outputs = {"output: Tparams"},
       .attrs = {"Tparams: type", "Tindices: {int32, int64}"},
       .shape = gather_nd_shape,
       .gradient = gather_nd_gradient,
       .kernel_attr = "Tparams",
       .kernels = ops::any_dtype(function_kernel<gather_nd>)});
  auto scatter_kernels = numeric_kernels<ScatterNdEntry>();
  scatter_kernels.push_back({boolean, function_kernel<scatter_nd_bool>});
  registry.add({.name = "ScatterNd",
                .doc = "Zeros of the given shape with updates added at the coordinates in indices.",
                .inputs = {"indices: Tindices", "updates: T", "shape: Tindices"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "Tindices: {int32, int64}"},
                .shape = scatter_nd_shape,
                .gradient = scatter_nd_gradient,
                .kernels = std::move(scatter_kernels)});
  registry.add(tensor_scatter_spec(
      "TensorScatterUpdate", "A copy of a tensor with the blocks at the coordinates replaced.",
      tensor_scatter_update_gradient, ops::any_dtype(function_kernel<tensor_scatter_update>)));
  registry.add(tensor_scatter_spec(
      "TensorScatterAdd", "A copy of a tensor with updates added at the coordinates.",
      tensor_scatter_add_gradient, numeric_kernels<TensorScatterAddEntry>()));
  registry.add(tensor_scatter_spec(
      "TensorScatterSub", "A copy of a tensor with updates subtracted at the coordinates.",
      tensor_scatter_sub_gradient, numeric_kernels<TensorScatterSubEntry>()));
}

}  // namespace assay
