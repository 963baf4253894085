#include <algorithm>
#include <cmath>
#include <vector>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/softmax_rows.h"

namespace assay {
namespace {

/// Rows and columns of a matrix that is read with steps of 0 where it is broadcast.
struct BroadcastMatrix {
  std::int64_t row_step;
  std::int64_t column_step;
};

BroadcastMatrix steps(const Shape& s, std::int64_t rows, std::int64_t columns, const char* what) {
  const bool fits = s.rank() == 2 && (s[0] == rows || s[0] == 1) && (s[1] == columns || s[1] == 1);
  if (!fits) {
    invalid_argument("{} has shape {}, which does not broadcast to [{},{}]", what, s.str(), rows,
                     columns);
  }
  return {s[0] == 1 ? 0 : s[1], s[1] == 1 ? 0 : 1};
}

template <typename T>
T weighted_sum(const T* x, const T* weights, std::int64_t n) {
  T s[8] = {};
  std::int64_t j = 0;
  for (; j + 8 <= n; j += 8) {
    for (int k = 0; k < 8; ++k) s[k] += x[j + k] * weights[j + k];
  }
  for (int k = 0; j < n; ++j, ++k) s[k] += x[j] * weights[j];
  return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

/// loss = sum of labels * -log softmax; backprop = softmax - labels.
template <typename T>
class DenseCrossEntropy : public ParallelKernel {
 public:
  explicit DenseCrossEntropy(const KernelInit&) {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& features = ctx.input(0);
    const Tensor& labels = ctx.input(1);
    if (features.rank() != 2 || labels.rank() != 2) {
      invalid_argument("logits and labels must be matrices, got {} and {}", features.shape().str(),
                       labels.shape().str());
    }
    const auto larger = [](std::int64_t a, std::int64_t b) { return a == 1 ? b : a; };
    const std::int64_t rows = larger(features.dim(0), labels.dim(0));
    const std::int64_t n = larger(features.dim(1), labels.dim(1));
    const BroadcastMatrix f = steps(features.shape(), rows, n, "logits");
    const BroadcastMatrix l = steps(labels.shape(), rows, n, "labels");
    const T* x = features.data<T>();
    const T* y = labels.data<T>();
    T* loss = ctx.out<T>(0, Shape{rows});
    T* back = ctx.out<T>(1, Shape{rows, n});
    if (n == 0) std::fill(loss, loss + rows, T(0));
    if (rows == 0 || n == 0) return;
    const std::int64_t grain = std::max<std::int64_t>(1, ops::kSoftmaxGrain / n);
    ctx.pool().parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end) {
      std::vector<T> spread(l.column_step == 0 ? static_cast<std::size_t>(n) : 0);
      for (std::int64_t i = begin; i < end; ++i) {
        const T* label = y + i * l.row_step;
        if (l.column_step == 0) {
          std::fill(spread.begin(), spread.end(), *label);
          label = spread.data();
        }
        T* b = back + i * n;
        for (std::int64_t j = 0; j < n; ++j) b[j] = x[i * f.row_step + j * f.column_step];
        loss[i] = one_row(b, label, n);
      }
    });
  }

 private:
  /// `b` holds the logits and becomes the derivative.
  T one_row(T* b, const T* label, std::int64_t n) const {
    ops::shift_rows(b, 1, n, b);
    // Sum of labels * (log sum - shifted), split so that the shifted logits are needed once.
    const T dot = weighted_sum(b, label, n);
    const T weight = ops::row_sum(label, n);
    exp_(b, n);
    const T sum = ops::row_sum(b, n);
    for (std::int64_t j = 0; j < n; ++j) b[j] = b[j] / sum - label[j];
    return weight * std::log(sum) - dot;
  }

  ops::ExpInPlace<T> exp_;
};

template <typename T>
class SparseCrossEntropy : public ParallelKernel {
 public:
  explicit SparseCrossEntropy(const KernelInit&) {}

  void run_parallel(ParallelContext& ctx) override {
    if (ctx.input(1).dtype() == DType::kInt32) {
      run_rows<std::int32_t>(ctx);
    } else {
      run_rows<std::int64_t>(ctx);
    }
  }

 private:
  template <typename Index>
  void run_rows(ParallelContext& ctx) const {
    const Tensor& features = ctx.input(0);
    const Tensor& labels = ctx.input(1);
    if (features.rank() != 2 || labels.rank() != 1 || labels.dim(0) != features.dim(0)) {
      invalid_argument(
          "logits must be a matrix and labels as many class numbers as it has rows, got {} and {}",
          features.shape().str(), labels.shape().str());
    }
    const std::int64_t rows = features.dim(0);
    const std::int64_t n = features.dim(1);
    const T* x = features.data<T>();
    const Index* label = labels.data<Index>();
    for (std::int64_t i = 0; i < rows; ++i) {
      if (label[i] < 0 || label[i] >= n) {
        invalid_argument("label {} of row {} is outside the valid range [0, {})", label[i], i, n);
      }
    }
    T* loss = ctx.out<T>(0, Shape{rows});
    T* back = ctx.out<T>(1, features.shape());
    if (rows == 0) return;
    const std::int64_t grain = std::max<std::int64_t>(1, ops::kSoftmaxGrain / n);
    ctx.pool().parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end) {
      T* b = back + begin * n;
      ops::shift_rows(x + begin * n, end - begin, n, b);
      for (std::int64_t i = begin; i < end; ++i) loss[i] = back[i * n + label[i]];
      exp_(b, (end - begin) * n);
      for (std::int64_t i = begin; i < end; ++i, b += n) {
        const T sum = ops::row_sum(b, n);
        loss[i] = std::log(sum) - loss[i];
        for (std::int64_t j = 0; j < n; ++j) b[j] /= sum;
        b[label[i]] -= T(1);
      }
    });
  }

  ops::ExpInPlace<T> exp_;
};

void dense_shape(ShapeContext& c) {
  const PartialShape both = broadcast_shapes(c.input(0), c.input(1));
  if (both.has_rank() && both.rank() != 2) {
    c.mismatch("logits and labels must be matrices: {} and {}", c.describe_input(0),
               c.describe_input(1));
  }
  const PartialShape matrix = both.has_rank() ? both : PartialShape::unknown_of_rank(2);
  c.set_output(0, PartialShape{matrix[0]});
  c.set_output(1, matrix);
}

void sparse_shape(ShapeContext& c) {
  PartialShape features = c.with_rank(0, 2);
  const PartialShape labels = c.with_rank(1, 1);
  const auto rows = merge_dims(features[0], labels[0]);
  if (!rows) {
    c.mismatch("one label a row of logits expected: {} and {}", c.describe_input(0),
               c.describe_input(1));
  }
  features.set_dim(0, *rows);
  c.set_output(0, PartialShape{*rows});
  c.set_output(1, features);
}

/// Each row of `matrix` times its entry of `per_row`.
Output scale_rows(GradientContext& g, Output per_row, Output matrix) {
  return g.op("Mul", {g.op("ExpandDims", {per_row, g.scalar(-1, DType::kInt32)}), matrix});
}

void dense_gradient(GradientContext& g) {
  const Output logits = g.input(0);
  // The derivative of the logits' own gradient (output 1) is softmax's: J'v with J = diag(p) - pp'.
  Output grad;
  if (g.has_grad(0)) grad = scale_rows(g, g.grad(0), g.output(1));
  if (g.has_grad(1)) {
    const Output v = g.grad(1);
    const Output p = g.op("Softmax", {logits});
    const Output dot =
        g.op("Sum", {g.op("Mul", {v, p}), g.scalar(1, DType::kInt32)}, {{"keep_dims", true}});
    const Output second = g.op("Mul", {g.op("Sub", {v, dot}), p});
    grad = grad ? g.op("Add", {grad, second}) : second;
  }
  g.set(0, grad);
  if (g.has_grad(0)) {
    g.set(1, scale_rows(g, g.grad(0), g.op("Neg", {g.op("LogSoftmax", {logits})})));
  }
}

void sparse_gradient(GradientContext& g) {
  // The fused output carries no second derivative: asking for it must fail, not give nonsense.
  const Output once =
      g.op("PreventGradient", {g.output(1)},
           {{"message", std::string("sparse_softmax_cross_entropy_with_logits has no second "
                                    "derivative; use softmax_cross_entropy_with_logits")}});
  g.set(0, scale_rows(g, g.grad(0), once));
}

}  // namespace

void register_nn_cross_entropy(OpRegistry& registry) {
  registry.add({.name = "SoftmaxCrossEntropyWithLogits",
                .doc = "The cross entropy of each row's softmax with its label distribution, and "
                       "its derivative by the logits.",
                .inputs = {"features: T", "labels: T"},
                .outputs = {"loss: T", "backprop: T"},
                .attrs = {"T: {half, bfloat16, float, double}"},
                .shape = dense_shape,
                .gradient = dense_gradient,
                .kernels = {{float32, make_kernel<DenseCrossEntropy<float>>},
                            {float64, make_kernel<DenseCrossEntropy<double>>}},
                .threads = Threads::kPieces});
  registry.add(
      {.name = "SparseSoftmaxCrossEntropyWithLogits",
       .doc = "The cross entropy of each row's softmax with one class number, and its "
              "derivative by the logits.",
       .inputs = {"features: T", "labels: Tlabels"},
       .outputs = {"loss: T", "backprop: T"},
       .attrs = {"T: {half, bfloat16, float, double}", "Tlabels: {int32, int64} = DT_INT64"},
       .shape = sparse_shape,
       .gradient = sparse_gradient,
       .kernels = {{float32, make_kernel<SparseCrossEntropy<float>>},
                   {float64, make_kernel<SparseCrossEntropy<double>>}},
       .threads = Threads::kPieces});
}

}  // namespace assay
