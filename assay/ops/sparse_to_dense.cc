#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void sparse_to_dense_shape(ShapeContext& c) {
  c.with_rank_at_most(0, 2);
  c.with_rank(1, 1);
  c.with_rank_at_most(2, 1);
  c.with_rank(3, 0);
  c.set_output(0, c.input_as_shape(1));
}

class SparseToDense : public Kernel {
 public:
  explicit SparseToDense(const KernelInit& init)
      : validate_(init.attr_or<bool>("validate_indices", true)) {}

  void run(KernelContext& ctx) override {
    const Tensor& indices = ctx.input(0);
    const Tensor& values = ctx.input(2);
    if (indices.rank() > 2) {
      invalid_argument("sparse_indices must be a scalar, a vector or a matrix, got shape {}",
                       indices.shape().str());
    }
    const Shape shape = ops::shape_value(ctx.input(1), "output_shape");
    const std::int64_t count = indices.rank() == 0 ? 1 : indices.dim(0);
    const std::int64_t width = indices.rank() == 2 ? indices.dim(1) : 1;
    if (width != shape.rank()) {
      invalid_argument("sparse_indices {} address {} dimensions, output_shape {} has {}",
                       indices.shape().str(), width, shape.str(), shape.rank());
    }
    if (values.rank() > 1 || (values.rank() == 1 && values.dim(0) != count)) {
      invalid_argument("sparse_values must be a scalar or {} values, got shape {}", count,
                       values.shape().str());
    }
    if (ctx.input(3).num_elements() != 1) invalid_argument("default_value must be a scalar");
    Tensor& out = ctx.output(0, shape);
    ops::dispatch_storage(out.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* to = ops::raw_as<T>(out);
      std::fill_n(to, out.num_elements(), *ops::raw_as<T>(ctx.input(3)));
      std::int64_t before = -1;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t at = offset(indices, i, width, shape);
        if (validate_ && at <= before) {
          invalid_argument("sparse_indices[{}] is {}; indices must rise from row to row", i,
                           at == before ? "there twice" : "out of order");
        }
        before = at;
        to[at] = ops::raw_as<T>(values)[values.rank() == 0 ? 0 : i];
      }
    });
  }

 private:
  /// Where row `i` of the indices points in the dense memory.
  static std::int64_t offset(const Tensor& indices, std::int64_t i, std::int64_t width,
                             const Shape& shape) {
    std::int64_t at = 0;
    for (int d = 0; d < shape.rank(); ++d) {
      const std::int64_t index = ops::int_at(indices, i * width + d);
      if (index < 0 || index >= shape.dim(d)) {
        invalid_argument("sparse_indices[{}] is {} in dimension {}, outside of output_shape {}", i,
                         index, d, shape.str());
      }
      at = at * shape.dim(d) + index;
    }
    return at;
  }

  bool validate_;
};

void sparse_to_dense_gradient(GradientContext& g) {
  const Output grad = g.grad();
  const auto total = [&](const Output& x) {
    const Output rank = g.op("Rank", {x});
    const Output axes =
        g.op("Range", {g.scalar(0, DType::kInt32), rank, g.scalar(1, DType::kInt32)}, {}, "range");
    return g.op("Sum", {x, axes}, {{"keep_dims", false}});
  };
  Output indices = g.input(0);
  const int rank = indices.shape().rank();
  // A scalar or a vector of indices addresses one dimension.
  if (rank == 0) indices = g.op("Reshape", {indices, g.ints({1})});
  if (rank == 1) indices = g.op("Reshape", {indices, g.ints({-1, 1})});
  const Output picked = g.op("GatherNd", {grad, indices});
  const bool one_for_all = g.input(2).shape().rank() == 0 && rank != 0;
  g.set(2, one_for_all ? total(picked) : picked);
  const Output everything = total(grad);
  g.set(3, g.op("Sub", {everything, total(picked)}));
}

}  // namespace

void register_sparse_to_dense(OpRegistry& registry) {
  registry.add({.name = "SparseToDense",
                .doc = "A tensor of `default_value` with other values at the places listed.",
                .inputs = {"sparse_indices: Tindices", "output_shape: Tindices", "sparse_values: T",
                           "default_value: T"},
                .outputs = {"dense: T"},
                .attrs = {"validate_indices: bool = true", "T: type", "Tindices: {int32, int64}"},
                .shape = sparse_to_dense_shape,
                .gradient = sparse_to_dense_gradient,
                .kernels = ops::any_dtype(make_kernel<SparseToDense>)});
}

}  // namespace assay
