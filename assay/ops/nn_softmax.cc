#include <algorithm>
#include <cmath>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/softmax_rows.h"

namespace assay {
namespace {

/// Calls body(first row, rows) for pieces of the rows; an empty tensor has none.
template <typename Body>
void each_piece(ParallelContext& ctx, const Shape& shape, Body&& body) {
  if (shape.num_elements() == 0) return;
  const std::int64_t n = shape[shape.rank() - 1];
  const std::int64_t grain = std::max<std::int64_t>(1, ops::kSoftmaxGrain / n);
  ctx.pool().parallel_for(shape.num_elements() / n, grain,
                          [&](std::int64_t begin, std::int64_t end) { body(begin, end - begin); });
}

const Shape& rows_of(const Tensor& logits) {
  if (logits.rank() < 1) invalid_argument("logits must have at least one dimension, got a scalar");
  return logits.shape();
}

template <typename T>
class Softmax : public ParallelKernel {
 public:
  explicit Softmax(const KernelInit&) {}
  void run_parallel(ParallelContext& ctx) override {
    const Tensor& logits = ctx.input(0);
    const Shape shape = rows_of(logits);
    const T* x = logits.data<T>();
    T* out = ctx.out<T>(0, shape);
    const std::int64_t n = shape[shape.rank() - 1];
    each_piece(ctx, shape, [&](std::int64_t first, std::int64_t rows) {
      T* p = out + first * n;
      ops::shift_rows(x + first * n, rows, n, p);
      exp_(p, rows * n);
      for (std::int64_t i = 0; i < rows; ++i, p += n) {
        const T sum = ops::row_sum(p, n);
        for (std::int64_t j = 0; j < n; ++j) p[j] /= sum;
      }
    });
  }

 private:
  ops::ExpInPlace<T> exp_;
};

template <typename T>
class LogSoftmax : public ParallelKernel {
 public:
  explicit LogSoftmax(const KernelInit&) {}
  void run_parallel(ParallelContext& ctx) override {
    const Tensor& logits = ctx.input(0);
    const Shape shape = rows_of(logits);
    const T* x = logits.data<T>();
    T* out = ctx.out<T>(0, shape);
    const std::int64_t n = shape[shape.rank() - 1];
    each_piece(ctx, shape, [&](std::int64_t first, std::int64_t rows) {
      T* p = out + first * n;
      ops::shift_rows(x + first * n, rows, n, p);
      for (std::int64_t i = 0; i < rows; ++i, p += n) {
        const T log_sum = std::log(exp_sum(p, n));
        for (std::int64_t j = 0; j < n; ++j) p[j] -= log_sum;
      }
    });
  }

 private:
  /// The sum of the exponentials, which are kept nowhere.
  T exp_sum(const T* x, std::int64_t n) const {
    constexpr std::int64_t kBlock = 512;
    T block[kBlock];
    T sum = 0;
    for (std::int64_t j = 0; j < n; j += kBlock) {
      const std::int64_t m = std::min(kBlock, n - j);
      std::copy_n(x + j, m, block);
      exp_(block, m);
      sum += ops::row_sum(block, m);
    }
    return sum;
  }

  ops::ExpInPlace<T> exp_;
};

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
  registry.add(
      {.name = "Softmax",
       .doc = "Exponentials over their sum, along the last dimension.",
       .inputs = {"logits: T"},
       .outputs = {"softmax: T"},
       .attrs = {"T: {half, bfloat16, float, double}"},
       .shape = rows_shape,
       .gradient = softmax_gradient,
       .kernels = {{float32, make_kernel<Softmax<float>>}, {float64, make_kernel<Softmax<double>>}},
       .threads = Threads::kPieces,
       .in_place = true});
  registry.add({.name = "LogSoftmax",
                .doc = "The logarithm of the softmax along the last dimension.",
                .inputs = {"logits: T"},
                .outputs = {"logsoftmax: T"},
                .attrs = {"T: {half, bfloat16, float, double}"},
                .shape = rows_shape,
                .gradient = log_softmax_gradient,
                .kernels = {{float32, make_kernel<LogSoftmax<float>>},
                            {float64, make_kernel<LogSoftmax<double>>}},
                .threads = Threads::kPieces,
                .in_place = true});
}

}  // namespace assay
