#include <cmath>
#include <numeric>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void set_top_k_shapes(ShapeContext& c, std::int64_t k) {
  PartialShape in = c.with_rank_at_least(0, 1);
  if (in.has_rank()) {
    const std::int64_t last = in.dim(in.rank() - 1);
    if (k >= 0 && last >= 0 && k > last) c.mismatch("k = {} of {}", k, c.describe_input(0));
    in.set_dim(in.rank() - 1, k);
  }
  c.set_all_outputs(in);
}

void top_k_v2_shape(ShapeContext& c) {
  c.with_rank(1, 0);
  const auto k = c.input_as_int(1);
  if (k && *k < 0) c.mismatch("k must not be negative, got {}", *k);
  set_top_k_shapes(c, k.value_or(-1));
}

void top_k_shape(ShapeContext& c) {
  set_top_k_shapes(c, c.attr<std::int64_t>("k"));
}

/// Comes before in the result: larger, or as large and earlier.
template <typename T>
struct Before {
  const T* row;
  bool operator()(std::int32_t i, std::int32_t j) const {
    return row[i] > row[j] || (row[i] == row[j] && i < j);
  }
};

/// The k first of `n` in the order of a heap, TensorFlow's when no sorting is asked for. `heap` has
/// room for k + 1. REQUIRES: k < n.
template <typename T>
void select_unsorted(const T* row, std::int64_t k, std::int64_t n,
                     std::vector<std::int32_t>& heap) {
  const Before<T> before{row};
  heap.resize(static_cast<std::size_t>(k + 1));
  std::iota(heap.begin(), heap.end(), 0);
  std::make_heap(heap.begin(), heap.end(), before);
  std::pop_heap(heap.begin(), heap.end(), before);
  for (auto i = static_cast<std::int32_t>(k + 1); i < n; ++i) {
    if (!before(i, heap.front())) continue;
    heap.back() = i;
    std::pop_heap(heap.begin(), heap.end(), before);
  }
}

/// The k largest entries of each row, largest first; of equal ones the first comes first.
template <typename T>
void run_top_k(ParallelContext& ctx, std::int64_t k, bool sorted) {
  const Tensor& x = ctx.input(0);
  if (x.rank() < 1) invalid_argument("a vector is needed, got a scalar");
  const std::int64_t n = x.dim(x.rank() - 1);
  if (k < 0 || k > n) invalid_argument("k = {} is not in [0, {}]", k, n);
  Shape shape = x.shape();
  shape.set_dim(x.rank() - 1, k);
  T* values = ctx.out<T>(0, shape);
  auto* indices = ctx.out<std::int32_t>(1, shape);
  if (k == 0) return;
  const std::int64_t rows = ops::product(x.shape(), 0, x.rank() - 1);
  const T* data = x.data<T>();
  const std::int64_t row_cost = n * static_cast<std::int64_t>(sizeof(T)) * 8;
  ctx.pool().parallel_for(rows, ops::rows_per_piece(row_cost), [&](std::int64_t b, std::int64_t e) {
    std::vector<std::int32_t> order;
    for (std::int64_t r = b; r < e; ++r) {
      const T* row = data + r * n;
      if (sorted || k == n) {
        order.resize(static_cast<std::size_t>(n));
        std::iota(order.begin(), order.end(), 0);
        std::partial_sort(order.begin(), order.begin() + k, order.end(), Before<T>{row});
      } else {
        select_unsorted(row, k, n, order);
      }
      for (std::int64_t i = 0; i < k; ++i) {
        indices[r * k + i] = order[static_cast<std::size_t>(i)];
        values[r * k + i] = row[order[static_cast<std::size_t>(i)]];
      }
    }
  });
}

template <typename T>
class TopKV2 : public ParallelKernel {
 public:
  explicit TopKV2(const KernelInit& init) : sorted_(init.attr<bool>("sorted")) {}
  void run_parallel(ParallelContext& ctx) override {
    if (ctx.input(1).num_elements() != 1) invalid_argument("k must be one number");
    run_top_k<T>(ctx, *ctx.in<std::int32_t>(1), sorted_);
  }

 private:
  bool sorted_;
};

template <typename T>
class TopK : public ParallelKernel {
 public:
  explicit TopK(const KernelInit& init)
      : k_(init.attr<std::int64_t>("k")), sorted_(init.attr<bool>("sorted")) {}
  void run_parallel(ParallelContext& ctx) override { run_top_k<T>(ctx, k_, sorted_); }

 private:
  std::int64_t k_;
  bool sorted_;
};

/// Each value's gradient goes back to the place that the index names, zero elsewhere.
void top_k_gradient(GradientContext& g) {
  const Output in_shape = g.shape_of(g.input(0));
  const Output indices = g.output(1);
  const Output index_shape = g.shape_of(indices);
  const Output one = g.scalar(1, DType::kInt32, "sub/y");
  const auto last = [&](Output shape) {
    const Output at = g.op("Sub", {ops::size_of(g, shape), one}, {}, "sub");
    return ops::gather(g, shape, at);
  };
  const Output k = last(index_shape);
  const Output n = last(in_shape);
  const Output rows =
      ops::reshape(g, indices, ops::stack(g, {g.scalar(-1, DType::kInt32, "stack/0"), k}));
  const Output count = ops::element(g, g.shape_of(rows), 0);
  const Output limit = g.op("Mul", {count, n}, {}, "mul");
  const Output starts =
      g.op("Range", {g.scalar(0, DType::kInt32, "range/start"), limit, n}, {}, "range");
  const Output flat =
      ops::flatten(g, g.op("AddV2", {rows, ops::expand_dims(g, starts, -1)}, {}, "add"));
  const Output total = g.op("Prod", {in_shape, g.ints({0})}, {{"keep_dims", false}});
  const Output spread = g.op("ScatterNd", {ops::expand_dims(g, flat, -1), ops::flatten(g, g.grad()),
                                           ops::stack(g, {total})});
  g.set(0, ops::reshape(g, spread, in_shape));
}

/// True where fewer than k predictions of the row are above the target's; false when the target's
/// is not finite or there is no such class.
template <typename T>
void run_in_top_k(KernelContext& ctx, std::int64_t k) {
  const Tensor& predictions = ctx.input(0);
  const Tensor& targets = ctx.input(1);
  if (predictions.rank() != 2 || targets.rank() != 1 || targets.dim(0) != predictions.dim(0)) {
    invalid_argument("predictions {} and targets {} must be [batch,classes] and [batch]",
                     predictions.shape().str(), targets.shape().str());
  }
  const std::int64_t classes = predictions.dim(1);
  bool* out = ctx.out<bool>(0, targets.shape());
  for (std::int64_t b = 0; b < targets.dim(0); ++b) {
    const float* row = predictions.data<float>() + b * classes;
    const auto target = static_cast<std::int64_t>(targets.data<T>()[b]);
    bool known = target >= 0 && target < classes && std::isfinite(row[target]);
    std::int64_t above = 0;
    for (std::int64_t i = 0; known && i < classes; ++i) {
      known = std::isfinite(row[i]);
      if (row[i] > row[target]) ++above;
    }
    out[b] = known && above < k;
  }
}

template <typename T>
void in_top_k_v2(KernelContext& ctx) {
  if (ctx.input(2).num_elements() != 1) invalid_argument("k must be one number");
  run_in_top_k<T>(ctx, ops::int_at(ctx.input(2), 0));
}

template <typename T>
class InTopK : public Kernel {
 public:
  explicit InTopK(const KernelInit& init) : k_(init.attr<std::int64_t>("k")) {}
  void run(KernelContext& ctx) override { run_in_top_k<T>(ctx, k_); }

 private:
  std::int64_t k_;
};

void in_top_k_shape(ShapeContext& c) {
  const PartialShape predictions = c.with_rank(0, 2);
  const PartialShape targets = c.with_rank(1, 1);
  const auto batch = merge_dims(predictions.dim(0), targets.dim(0));
  if (!batch) {
    c.mismatch("{} predictions but {} targets", predictions.dim(0), targets.dim(0));
  }
  c.set_output(0, {*batch});
}

}  // namespace

void register_top_k(OpRegistry& registry) {
  const std::string types = std::string("T: ") + ops::kRealNumberTypes;
  registry.add({.name = "TopKV2",
                .doc = "The k largest entries of each row and where they are.",
                .inputs = {"input: T", "k: int32"},
                .outputs = {"values: T", "indices: int32"},
                .attrs = {"sorted: bool = true", types},
                .shape = top_k_v2_shape,
                .gradient = top_k_gradient,
                .kernels = {{float32, make_kernel<TopKV2<float>>},
                            {float64, make_kernel<TopKV2<double>>},
                            {int32, make_kernel<TopKV2<std::int32_t>>},
                            {int64, make_kernel<TopKV2<std::int64_t>>}},
                .threads = Threads::kPieces});
  registry.add({.name = "TopK",
                .doc = "The k largest entries of each row and where they are; k is an attribute.",
                .inputs = {"input: T"},
                .outputs = {"values: T", "indices: int32"},
                .attrs = {"k: int >= 0", "sorted: bool = true", types},
                .shape = top_k_shape,
                .gradient = top_k_gradient,
                .kernels = {{float32, make_kernel<TopK<float>>},
                            {float64, make_kernel<TopK<double>>},
                            {int32, make_kernel<TopK<std::int32_t>>},
                            {int64, make_kernel<TopK<std::int64_t>>}},
                .threads = Threads::kPieces});
  registry.add({.name = "InTopKV2",
                .doc = "Whether each target is among the k largest predictions of its row.",
                .inputs = {"predictions: float", "targets: T", "k: T"},
                .outputs = {"precision: bool"},
                .attrs = {"T: {int32, int64} = DT_INT32"},
                .shape = in_top_k_shape,
                .not_differentiable = true,
                .kernels = {{int32, function_kernel<in_top_k_v2<std::int32_t>>},
                            {int64, function_kernel<in_top_k_v2<std::int64_t>>}}});
  registry.add({.name = "InTopK",
                .doc = "Whether each target is among the k largest predictions of its row; k is an "
                       "attribute.",
                .inputs = {"predictions: float", "targets: T"},
                .outputs = {"precision: bool"},
                .attrs = {"k: int", "T: {int32, int64} = DT_INT32"},
                .shape = in_top_k_shape,
                .not_differentiable = true,
                .kernels = {{int32, make_kernel<InTopK<std::int32_t>>},
                            {int64, make_kernel<InTopK<std::int64_t>>}}});
}

}  // namespace assay
