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

template <typename T>
T row_max(const T* x, std::int64_t n) {
  T m = -std::numeric_limits<T>::infinity();
  for (std::int64_t j = 0; j < n; ++j) m = x[j] > m ? x[j] : m;
  return m;
}

/// Eight partial sums: quick, and the same whatever the compiler does.
template <typename T>
T row_sum(const T* x, std::int64_t n) {
  T s[8] = {};
  std::int64_t j = 0;
  for (; j + 8 <= n; j += 8) {
    for (int k = 0; k < 8; ++k) s[k] += x[j + k];
  }
  for (int k = 0; j < n; ++j, ++k) s[k] += x[j];
  return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

/// out = e^(x - shift); returns the sum.
template <typename T>
T exp_row(const T* x, T shift, T* out, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j) out[j] = fast_exp(x[j] - shift);
  return row_sum(out, n);
}

/// The sum of e^(x - shift), written nowhere.
template <typename T>
T exp_sum(const T* x, T shift, std::int64_t n) {
  constexpr std::int64_t kBlock = 256;
  T block[kBlock];
  T sum = 0;
  for (std::int64_t j = 0; j < n; j += kBlock) {
    sum += exp_row(x + j, shift, block, std::min(kBlock, n - j));
  }
  return sum;
}

template <typename T>
void softmax_row(const T* x, T* out, std::int64_t n) {
  const T sum = exp_row(x, row_max(x, n), out, n);
  for (std::int64_t j = 0; j < n; ++j) out[j] /= sum;
}

template <typename T>
void log_softmax_row(const T* x, T* out, std::int64_t n) {
  const T m = row_max(x, n);
  const T log_sum = std::log(exp_sum(x, m, n));
  for (std::int64_t j = 0; j < n; ++j) out[j] = (x[j] - m) - log_sum;
}

template <typename T, void (*Row)(const T*, T*, std::int64_t)>
void each_row(KernelContext& ctx) {
  const Tensor& logits = ctx.input(0);
  if (logits.rank() < 1) invalid_argument("logits must have at least one dimension, got a scalar");
  const std::int64_t n = logits.dim(logits.rank() - 1);
  const T* x = logits.data<T>();
  T* out = ctx.out<T>(0, logits.shape());
  if (logits.num_elements() == 0) return;
  ctx.pool().parallel_for(logits.num_elements() / n, std::max<std::int64_t>(1, kGrainElements / n),
                          [&](std::int64_t begin, std::int64_t end) {
                            for (std::int64_t i = begin; i < end; ++i)
                              Row(x + i * n, out + i * n, n);
                          });
}

void rows_shape(ShapeContext& c) {
  c.set_output(0, c.with_rank_at_least(0, 1));
}

Output sum_last(GradientContext& g, Output x) {
  return g.op("Sum", {x, g.scalar(-1, DType::kInt32)}, {{"keep_dims", true}});
}

void softmax_gradient(GradientContext& g) {
  const Output y = g.output(0);
  const Output sum = sum_last(g, g.op("Mul", {g.grad(), y}));
  g.set(0, g.op("Mul", {g.op("Sub", {g.grad(), sum}), y}));
}

void log_softmax_gradient(GradientContext& g) {
  const Output y = g.op("Exp", {g.output(0)});
  const Output sum = sum_last(g, g.grad());
  g.set(0, g.op("Sub", {g.grad(), g.op("Mul", {sum, y})}));
}

}  // namespace

void register_nn_softmax(OpRegistry& registry) {
  registry.add({.name = "Softmax",
                .doc = "Exponentials over their sum, along the last dimension.",
                .inputs = {"logits: T"},
                .outputs = {"softmax: T"},
                .attrs = {"T: {half, bfloat16, float, double}"},
                .shape = rows_shape,
                .gradient = softmax_gradient,
                .kernels = {{float32, function_kernel<each_row<float, softmax_row<float>>>},
                            {float64, function_kernel<each_row<double, softmax_row<double>>>}},
                .in_place = true});
  registry.add({.name = "LogSoftmax",
                .doc = "The logarithm of the softmax along the last dimension.",
                .inputs = {"logits: T"},
                .outputs = {"logsoftmax: T"},
                .attrs = {"T: {half, bfloat16, float, double}"},
                .shape = rows_shape,
                .gradient = log_softmax_gradient,
                .kernels = {{float32, function_kernel<each_row<float, log_softmax_row<float>>>},
                            {float64, function_kernel<each_row<double, log_softmax_row<double>>>}},
                .in_place = true});
}

}  // namespace assay
