#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gather_rows.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// Inputs 0..n-1 are indices, n..2n-1 the data whose leading dimensions they share.
void stitch_shape(ShapeContext& c) {
  const int n = c.num_inputs() / 2;
  PartialShape extra;
  std::int64_t largest = -1;
  bool all_known = true;
  for (int i = 0; i < n; ++i) {
    const PartialShape& indices = c.input(i);
    const PartialShape& data = c.input(n + i);
    if (const Tensor* v = c.input_value(i); v != nullptr) {
      for (std::int64_t k = 0; k < v->num_elements(); ++k) {
        largest = std::max(largest, ops::int_at(*v, k));
      }
    } else {
      all_known = false;
    }
    if (!indices.has_rank() || !data.has_rank()) continue;
    bool fits = data.rank() >= indices.rank();
    for (int d = 0; fits && d < indices.rank(); ++d) {
      fits = merge_dims(indices.dim(d), data.dim(d)).has_value();
    }
    if (!fits) {
      c.mismatch("data {} does not start with the shape of its indices {}", c.describe_input(n + i),
                 c.describe_input(i));
    }
    const PartialShape rest(
        std::vector<std::int64_t>(data.dims().begin() + indices.rank(), data.dims().end()));
    const auto merged = extra.merge(rest);
    if (!merged) {
      c.mismatch("data {} has rows of another shape than {}", c.describe_input(n + i), extra.str());
    }
    extra = *merged;
  }
  if (!extra.has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  std::vector<std::int64_t> dims = extra.dims();
  dims.insert(dims.begin(), all_known ? largest + 1 : -1);
  c.set_output(0, PartialShape(std::move(dims)));
}

void stitch(KernelContext& ctx) {
  const int n = ctx.num_inputs() / 2;
  std::int64_t largest = -1;
  Shape row;
  for (int i = 0; i < n; ++i) {
    const Tensor& indices = ctx.input(i);
    const Tensor& data = ctx.input(n + i);
    bool fits = data.rank() >= indices.rank();
    for (int d = 0; fits && d < indices.rank(); ++d) fits = data.dim(d) == indices.dim(d);
    if (!fits) {
      invalid_argument("data[{}] of shape {} does not start with the shape of its indices {}", i,
                       data.shape().str(), indices.shape().str());
    }
    const Shape rest(data.shape().dims().subspan(static_cast<std::size_t>(indices.rank())));
    if (i > 0 && rest != row) {
      invalid_argument("data[{}] has rows of shape {}, data[0] of {}", i, rest.str(), row.str());
    }
    row = rest;
    const auto* at = indices.data<std::int32_t>();
    for (std::int64_t k = 0; k < indices.num_elements(); ++k) {
      if (at[k] < 0) {
        invalid_argument("{} = {} is negative", ops::entry_name("indices", indices.shape(), k),
                         at[k]);
      }
      largest = std::max<std::int64_t>(largest, at[k]);
    }
  }
  Shape shape{largest + 1};
  for (int d = 0; d < row.rank(); ++d) shape.add_dim(row.dim(d));
  Tensor& out = ctx.output(0, shape);
  const std::int64_t inner = row.num_elements();
  ops::dispatch_storage(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = ops::raw_as<T>(out);
    // Rows that no index names would hold whatever memory does.
    std::fill_n(to, out.num_elements(), T{});
    for (int i = 0; i < n; ++i) {
      const auto* at = ctx.in<std::int32_t>(i);
      const T* from = ops::raw_as<T>(ctx.input(n + i));
      for (std::int64_t k = 0; k < ctx.input(i).num_elements(); ++k) {
        ops::copy_run(to + at[k] * inner, from + k * inner, inner);
      }
    }
  });
}

void stitch_gradient(GradientContext& g) {
  const int n = g.num_inputs() / 2;
  const Output grad = g.grad();
  for (int i = 0; i < n; ++i) g.set(n + i, ops::gather(g, grad, g.input(i)));
}

void partition_shape(ShapeContext& c) {
  const PartialShape& data = c.input(0);
  const PartialShape& partitions = c.input(1);
  if (!data.has_rank() || !partitions.has_rank()) {
    c.set_all_outputs(PartialShape::unknown());
    return;
  }
  bool fits = data.rank() >= partitions.rank();
  for (int d = 0; fits && d < partitions.rank(); ++d) {
    fits = merge_dims(data.dim(d), partitions.dim(d)).has_value();
  }
  if (!fits) {
    c.mismatch("data {} does not start with the shape of partitions {}", c.describe_input(0),
               c.describe_input(1));
  }
  std::vector<std::int64_t> dims(data.dims().begin() + partitions.rank(), data.dims().end());
  dims.insert(dims.begin(), -1);
  c.set_all_outputs(PartialShape(std::move(dims)));
}

void partition(KernelContext& ctx) {
  const Tensor& data = ctx.input(0);
  const Tensor& partitions = ctx.input(1);
  const int parts = ctx.num_outputs();
  bool fits = data.rank() >= partitions.rank();
  for (int d = 0; fits && d < partitions.rank(); ++d) fits = data.dim(d) == partitions.dim(d);
  if (!fits) {
    invalid_argument("data of shape {} does not start with the shape of partitions {}",
                     data.shape().str(), partitions.shape().str());
  }
  const auto* part = partitions.data<std::int32_t>();
  const std::int64_t n = partitions.num_elements();
  std::vector<std::int64_t> counts(static_cast<std::size_t>(parts), 0);
  for (std::int64_t i = 0; i < n; ++i) {
    if (part[i] < 0 || part[i] >= parts) {
      invalid_argument("{} = {} is not in [0, {})",
                       ops::entry_name("partitions", partitions.shape(), i), part[i], parts);
    }
    ++counts[static_cast<std::size_t>(part[i])];
  }
  const std::int64_t inner = ops::product(data.shape(), partitions.rank(), data.rank());
  ops::dispatch_storage(data.dtype(), [&](auto zero) {
    using T = decltype(zero);
    std::vector<T*> to(static_cast<std::size_t>(parts));
    for (int p = 0; p < parts; ++p) {
      Shape shape{counts[static_cast<std::size_t>(p)]};
      for (int d = partitions.rank(); d < data.rank(); ++d) shape.add_dim(data.dim(d));
      to[static_cast<std::size_t>(p)] = ops::raw_as<T>(ctx.output(p, shape));
    }
    const T* from = ops::raw_as<T>(data);
    for (std::int64_t i = 0; i < n; ++i) {
      T*& out = to[static_cast<std::size_t>(part[i])];
      ops::copy_run(out, from + i * inner, inner);
      out += inner;
    }
  });
}

void partition_gradient(GradientContext& g) {
  const Output partitions = g.input(1);
  const int parts = g.node().num_outputs();
  const Output prefix = g.shape_of(partitions);
  const Output count = g.op("Prod", {prefix, g.ints({0})}, {{"keep_dims", false}});
  const Output numbers =
      g.op("Range", {g.scalar(0, DType::kInt32), count, g.scalar(1, DType::kInt32)}, {}, "range");
  const Output positions = ops::reshape(g, numbers, prefix);
  Node* where = g.node("DynamicPartition", {positions, partitions},
                       {{"num_partitions", std::int64_t{parts}}});
  std::vector<Output> inputs;
  for (int p = 0; p < parts; ++p) inputs.push_back(where->output(p));
  for (int p = 0; p < parts; ++p) inputs.push_back(g.grad(p));
  const Output rows = g.op("DynamicStitch", std::move(inputs), {{"N", std::int64_t{parts}}});
  g.set(0, ops::reshape_like(g, rows, g.input(0)));
}

OpSpec stitch_spec(std::string name, std::string doc) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"indices: N * int32", "data: N * T"},
          .outputs = {"merged: T"},
          .attrs = {"N: int >= 1", "T: type"},
          .shape = stitch_shape,
          .gradient = stitch_gradient,
          .kernels = ops::any_dtype(function_kernel<stitch>)};
}

}  // namespace

void register_dynamic_stitch(OpRegistry& registry) {
  registry.add(stitch_spec("DynamicStitch",
                           "Puts rows of several tensors at the places their indices name; of two "
                           "rows for one place the later stays."));
  registry.add(stitch_spec("ParallelDynamicStitch",
                           "Puts rows of several tensors at the places their indices name, which "
                           "should all differ."));
  registry.add({.name = "DynamicPartition",
                .doc = "Sorts the rows of a tensor into parts by the number of their part.",
                .inputs = {"data: T", "partitions: int32"},
                .outputs = {"outputs: num_partitions * T"},
                .attrs = {"num_partitions: int >= 1", "T: type"},
                .shape = partition_shape,
                .gradient = partition_gradient,
                .kernels = ops::any_dtype(function_kernel<partition>)});
}

}  // namespace assay
