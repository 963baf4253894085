#include <algorithm>
#include <cmath>
#include <limits>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/fast_math.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

constexpr std::int64_t kGrainElements = 16384;

/// Puts x - max(x) into `shifted` and e^ of that into `e`; returns the sum of the latter.
template <typename T>
T shift_and_exp(const T* x, std::int64_t n, T* e, T& max) {
  T m = -std::numeric_limits<T>::infinity();
  for (std::int64_t j = 0; j < n; ++j) m = x[j] > m ? x[j] : m;
  for (std::int64_t j = 0; j < n; ++j) e[j] = fast_exp(x[j] - m);
  T s[8] = {};
  std::int64_t j = 0;
  for (; j + 8 <= n; j += 8) {
    for (int k = 0; k < 8; ++k) s[k] += e[j + k];
  }
  for (int k = 0; j < n; ++j, ++k) s[k] += e[j];
  max = m;
  return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

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
void dense_cross_entropy(KernelContext& ctx) {
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
  if (rows == 0) return;
  if (n == 0) {
    std::fill(loss, loss + rows, T(0));
    return;
  }
  const std::int64_t grain = std::max<std::int64_t>(1, kGrainElements / n);
  ctx.pool().parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      T* b = back + i * n;
      const T* row = x + i * f.row_step;
      if (f.column_step == 0) {
        // One logit for all classes: spread it where the result goes, then work in place.
        std::fill(b, b + n, *row);
        row = b;
      }
      const T* label = y + i * l.row_step;
      T max;
      const T* logits = row;
      T first = row[0];
      const T sum = shift_and_exp(logits, n, b, max);
      const T log_sum = std::log(sum);
      T total = 0;
      if (f.column_step == 0) {
        T label_sum = 0;
        for (std::int64_t j = 0; j < n; ++j) label_sum += label[j * l.column_step];
        total = label_sum * (log_sum - (first - max));
      } else if (l.column_step == 1) {
        T s[8] = {};
        std::int64_t j = 0;
        for (; j + 8 <= n; j += 8) {
          for (int k = 0; k < 8; ++k) s[k] += label[j + k] * (log_sum - (row[j + k] - max));
        }
        for (int k = 0; j < n; ++j, ++k) s[k] += label[j] * (log_sum - (row[j] - max));
        total = ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
      } else {
        for (std::int64_t j = 0; j < n; ++j) total += *label * (log_sum - (row[j] - max));
      }
      loss[i] = total;
      if (l.column_step == 1) {
        for (std::int64_t j = 0; j < n; ++j) b[j] = b[j] / sum - label[j];
      } else {
        for (std::int64_t j = 0; j < n; ++j) b[j] = b[j] / sum - *label;
      }
    }
  });
}

template <typename T, typename Index>
void sparse_rows(KernelContext& ctx) {
  const Tensor& features = ctx.input(0);
  const Tensor& labels = ctx.input(1);
  if (features.rank() != 2 || labels.rank() != 1 || labels.dim(0) != features.dim(0)) {
    invalid_argument(
        "logits must be a matrix and labels as many class numbers as it has rows, "
        "got {} and {}",
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
  const std::int64_t grain = std::max<std::int64_t>(1, kGrainElements / n);
  ctx.pool().parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      T* b = back + i * n;
      const T* row = x + i * n;
      T max;
      const T sum = shift_and_exp(row, n, b, max);
      loss[i] = std::log(sum) - (row[label[i]] - max);
      for (std::int64_t j = 0; j < n; ++j) b[j] /= sum;
      b[label[i]] -= T(1);
    }
  });
}

template <typename T>
void sparse_cross_entropy(KernelContext& ctx) {
  if (ctx.input(1).dtype() == DType::kInt32) {
    sparse_rows<T, std::int32_t>(ctx);
  } else {
    sparse_rows<T, std::int64_t>(ctx);
  }
}

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
                .kernels = {{float32, function_kernel<dense_cross_entropy<float>>},
                            {float64, function_kernel<dense_cross_entropy<double>>}}});
  registry.add(
      {.name = "SparseSoftmaxCrossEntropyWithLogits",
       .doc = "The cross entropy of each row's softmax with one class number, and its "
              "derivative by the logits.",
       .inputs = {"features: T", "labels: Tlabels"},
       .outputs = {"loss: T", "backprop: T"},
       .attrs = {"T: {half, bfloat16, float, double}", "Tlabels: {int32, int64} = DT_INT64"},
       .shape = sparse_shape,
       .gradient = sparse_gradient,
       .kernels = {{float32, function_kernel<sparse_cross_entropy<float>>},
                   {float64, function_kernel<sparse_cross_entropy<double>>}}});
}

}  // namespace assay
