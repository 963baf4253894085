#include <algorithm>
#include <cmath>
#include <numeric>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// The k largest of each row, largest first; of equal values the first.
template <typename T>
class TopK : public Kernel {
 public:
  explicit TopK(const KernelInit& init) : k_(init.attr_or<std::int64_t>("k", -1)) {}

  void run(KernelContext& ctx) override {
    const Tensor& input = ctx.input(0);
    if (input.rank() < 1) invalid_argument("input must have at least one dimension");
    std::int64_t k = k_;
    if (ctx.num_inputs() == 2) {
      if (ctx.input(1).rank() != 0) {
        invalid_argument("k must be a scalar, got {}", ctx.input(1).shape().str());
      }
      k = ctx.in<std::int32_t>(1)[0];
    }
    const std::int64_t n = input.dim(input.rank() - 1);
    if (k < 0 || k > n) invalid_argument("k = {} is not in [0, {}]", k, n);
    Shape shape = input.shape();
    shape.set_dim(shape.rank() - 1, k);
    const T* x = input.data<T>();
    T* values = ctx.out<T>(0, shape);
    auto* indices = ctx.out<std::int32_t>(1, shape);
    if (shape.num_elements() == 0) return;
    const std::int64_t rows = shape.num_elements() / k;
    ctx.pool().parallel_for(rows, std::max<std::int64_t>(1, 8192 / n),
                            [&](std::int64_t begin, std::int64_t end) {
                              std::vector<std::int32_t> order(static_cast<std::size_t>(n));
                              for (std::int64_t i = begin; i < end; ++i) {
                                largest(x + i * n, k, order);
                                for (std::int64_t j = 0; j < k; ++j) {
                                  const auto at = order[static_cast<std::size_t>(j)];
                                  indices[i * k + j] = at;
                                  values[i * k + j] = x[i * n + at];
                                }
                              }
                            });
  }

 private:
  static void largest(const T* row, std::int64_t k, std::vector<std::int32_t>& order) {
    std::iota(order.begin(), order.end(), 0);
    // NaN counts as the smallest, so that the order stays one.
    const auto before = [row](std::int32_t a, std::int32_t b) {
      const bool a_nan = row[a] != row[a];
      const bool b_nan = row[b] != row[b];
      if (a_nan != b_nan) return b_nan;
      if (!a_nan && row[a] != row[b]) return row[a] > row[b];
      return a < b;
    };
    std::partial_sort(order.begin(), order.begin() + k, order.end(), before);
  }

  std::int64_t k_;
};

/// Whether fewer than k classes are predicted above the target.
class InTopK : public Kernel {
 public:
  explicit InTopK(const KernelInit& init) : k_(init.attr_or<std::int64_t>("k", 0)) {}

  void run(KernelContext& ctx) override {
    const Tensor& predictions = ctx.input(0);
    const Tensor& targets = ctx.input(1);
    if (predictions.rank() != 2 || targets.rank() != 1 || predictions.dim(0) != targets.dim(0)) {
      invalid_argument("predictions must be a matrix with as many rows as targets, got {} and {}",
                       predictions.shape().str(), targets.shape().str());
    }
    const std::int64_t k = ctx.num_inputs() == 3 ? integer(ctx.input(2), 0) : k_;
    const std::int64_t n = predictions.dim(1);
    bool* out = ctx.out<bool>(0, targets.shape());
    for (std::int64_t i = 0; i < targets.num_elements(); ++i) {
      out[i] = in_top(predictions.data<float>() + i * n, n, integer(targets, i), k);
    }
  }

 private:
  static std::int64_t integer(const Tensor& t, std::int64_t i) {
    return t.dtype() == DType::kInt32 ? t.data<std::int32_t>()[i] : t.data<std::int64_t>()[i];
  }
  static bool in_top(const float* row, std::int64_t n, std::int64_t target, std::int64_t k) {
    if (target < 0 || target >= n || !std::isfinite(row[target])) return false;
    std::int64_t above = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      if (!std::isfinite(row[j])) return false;
      above += row[j] > row[target] ? 1 : 0;
    }
    return above < k;
  }

  std::int64_t k_;
};

void top_k_shape(ShapeContext& c) {
  PartialShape shape = c.with_rank_at_least(0, 1);
  std::int64_t k = -1;
  if (c.num_inputs() == 2) {
    c.with_rank(1, 0);
    k = c.input_as_int(1).value_or(-1);
  } else {
    k = c.attr<std::int64_t>("k");
  }
  if (shape.has_rank()) {
    const std::int64_t n = shape[shape.rank() - 1];
    if (n >= 0 && k > n) c.mismatch("k = {} is more than the last dimension of {}", k, shape.str());
    shape.set_dim(shape.rank() - 1, k);
  }
  c.set_all_outputs(shape);
}

void in_top_k_shape(ShapeContext& c) {
  const PartialShape predictions = c.with_rank(0, 2);
  const PartialShape targets = c.with_rank(1, 1);
  const auto rows = merge_dims(predictions[0], targets[0]);
  if (!rows) {
    c.mismatch("one target a row expected: {} and {}", c.describe_input(0), c.describe_input(1));
  }
  c.set_output(0, PartialShape{*rows});
}

/// Each value's gradient goes to where it came from: flat positions, then a segment sum.
void top_k_gradient(GradientContext& g) {
  if (!g.has_grad(0)) return;
  const Output x = g.input(0);
  const AttrMap int32_out = {{"out_type", DType::kInt32}};
  const auto i32 = [&](double v) { return g.scalar(v, DType::kInt32); };
  const auto last = [&](Output shape) {
    return g.op("StridedSlice", {shape, g.ints({-1}), g.ints({0}), g.ints({1})},
                {{"end_mask", std::int64_t{1}}, {"shrink_axis_mask", std::int64_t{1}}});
  };
  const Output shape = g.op("Shape", {x}, int32_out);
  const Output n = last(shape);
  const Output k = last(g.op("Shape", {g.output(1)}, int32_out));
  const Output rows = g.op("Reshape", {g.output(1), g.op("Pack", {i32(-1), k})});
  const Output size = g.op("Size", {x}, int32_out);
  const Output starts = g.op("ExpandDims", {g.op("Range", {i32(0), size, n}), i32(-1)});
  const Output flat = g.op("Reshape", {g.op("Add", {rows, starts}), g.ints({-1})});
  const Output sums =
      g.op("UnsortedSegmentSum", {g.op("Reshape", {g.grad(), g.ints({-1})}), flat, size});
  g.set(0, g.op("Reshape", {sums, shape}));
}

std::vector<KernelEntry> top_k_kernels() {
  return {{float32, make_kernel<TopK<float>>},
          {float64, make_kernel<TopK<double>>},
          {int32, make_kernel<TopK<std::int32_t>>},
          {int64, make_kernel<TopK<std::int64_t>>}};
}

}  // namespace

void register_nn_top_k(OpRegistry& registry) {
  registry.add({.name = "TopK",
                .doc = "The k largest values of each row and where they are, largest first.",
                .inputs = {"input: T"},
                .outputs = {"values: T", "indices: int32"},
                .attrs = {"k: int >= 0", "sorted: bool = true", "T: realnumbertype"},
                .shape = top_k_shape,
                .gradient = top_k_gradient,
                .kernels = top_k_kernels()});
  registry.add({.name = "TopKV2",
                .doc = "The k largest values of each row and where they are, largest first.",
                .inputs = {"input: T", "k: int32"},
                .outputs = {"values: T", "indices: int32"},
                .attrs = {"sorted: bool = true", "T: realnumbertype"},
                .shape = top_k_shape,
                .gradient = top_k_gradient,
                .kernels = top_k_kernels()});
  registry.add({.name = "InTopK",
                .doc = "Whether each target is among the k classes predicted highest.",
                .inputs = {"predictions: float", "targets: T"},
                .outputs = {"precision: bool"},
                .attrs = {"k: int", "T: {int32, int64} = DT_INT32"},
                .shape = in_top_k_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<InTopK>}}});
  registry.add({.name = "InTopKV2",
                .doc = "Whether each target is among the k classes predicted highest.",
                .inputs = {"predictions: float", "targets: T", "k: T"},
                .outputs = {"precision: bool"},
                .attrs = {"T: {int32, int64} = DT_INT32"},
                .shape = in_top_k_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<InTopK>}}});
}

}  // namespace assay
