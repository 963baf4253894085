// What kernels are made of, on one thread: matrix products at the shapes of word2vec, a multilayer
// perceptron and an LSTM, element-wise loops, reductions.
#include <benchmark/benchmark.h>

#include <vector>

#include "assay/device/cpu/gemm.h"
#include "assay/device/cpu/loops.h"
#include "assay/device/cpu/reduce.h"

namespace {

using assay::cpu::BinaryOp;
using assay::cpu::Gemm;
using assay::cpu::GemmShape;
using assay::cpu::ReduceOp;
using assay::cpu::ReducePlan;
using assay::cpu::UnaryOp;

void product(benchmark::State& state, const GemmShape& shape) {
  assay::ThreadPool pool(1);
  const std::vector<float> a(static_cast<std::size_t>(shape.m * shape.k), 0.5F);
  const std::vector<float> b(static_cast<std::size_t>(shape.k * shape.n), 0.25F);
  std::vector<float> c(static_cast<std::size_t>(shape.m * shape.n));
  const Gemm gemm(shape);
  for (auto _ : state) {
    gemm.run(a.data(), b.data(), c.data(), pool);
    benchmark::ClobberMemory();
  }
  const double work = 2e-9 * static_cast<double>(shape.m * shape.n * shape.k);
  state.counters["GFLOP/s"] = benchmark::Counter(work * static_cast<double>(state.iterations()),
                                                 benchmark::Counter::kIsRate);
}
BENCHMARK_CAPTURE(product, w2v_logits, GemmShape{128, 64, 128, false, true});
BENCHMARK_CAPTURE(product, w2v_to_inputs, GemmShape{128, 128, 64, false, false});
BENCHMARK_CAPTURE(product, w2v_to_weights, GemmShape{64, 128, 128, true, false});
BENCHMARK_CAPTURE(product, w2v_row_sums, GemmShape{128, 1, 128, false, false});
BENCHMARK_CAPTURE(product, w2v_outer, GemmShape{128, 128, 1, false, true});
BENCHMARK_CAPTURE(product, mlp_forward, GemmShape{128, 512, 784, false, false});
BENCHMARK_CAPTURE(product, mlp_to_weights, GemmShape{784, 512, 128, true, false});
BENCHMARK_CAPTURE(product, mlp_to_inputs, GemmShape{128, 784, 512, false, true});
BENCHMARK_CAPTURE(product, lstm, GemmShape{64, 1024, 512, false, false});
BENCHMARK_CAPTURE(product, square_512, GemmShape{512, 512, 512, false, false});
BENCHMARK_CAPTURE(product, tiny, GemmShape{4, 4, 4, false, false});

void unary(benchmark::State& state, UnaryOp op) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::vector<float> x(n, 0.3F);
  std::vector<float> y(n);
  const assay::ElementwiseLoop loop = assay::cpu::unary_loop(op, assay::float32);
  const void* in = x.data();
  const int stride = 1;
  for (auto _ : state) {
    loop(&in, &stride, y.data(), state.range(0));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(unary, relu, UnaryOp::kRelu)->Arg(1)->Arg(8192);
BENCHMARK_CAPTURE(unary, exp, UnaryOp::kExp)->Arg(1)->Arg(8192);
BENCHMARK_CAPTURE(unary, log, UnaryOp::kLog)->Arg(8192);
BENCHMARK_CAPTURE(unary, log1p, UnaryOp::kLog1p)->Arg(8192);
BENCHMARK_CAPTURE(unary, tanh, UnaryOp::kTanh)->Arg(8192);
BENCHMARK_CAPTURE(unary, sigmoid, UnaryOp::kSigmoid)->Arg(8192);
BENCHMARK_CAPTURE(unary, sin, UnaryOp::kSin)->Arg(8192);

void add(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::vector<float> x(n, 0.3F);
  std::vector<float> y(n);
  const assay::ElementwiseLoop loop = assay::cpu::binary_loop(BinaryOp::kAdd, assay::float32);
  const void* in[] = {x.data(), x.data()};
  const int stride[] = {1, 1};
  for (auto _ : state) {
    loop(in, stride, y.data(), state.range(0));
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * 12);
}
BENCHMARK(add)->Arg(1)->Arg(8192)->Arg(1 << 22);

void select(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::vector<float> x(n, 0.3F);
  const std::vector<unsigned char> c(n, 1);
  std::vector<float> y(n);
  const assay::ElementwiseLoop loop = assay::cpu::select_loop(assay::float32);
  const void* in[] = {c.data(), x.data(), x.data()};
  const int stride[] = {1, 1, 0};
  for (auto _ : state) {
    loop(in, stride, y.data(), state.range(0));
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(select)->Arg(8192);

void sum(benchmark::State& state, const assay::Shape& shape, std::vector<std::int64_t> axes) {
  assay::ThreadPool pool(1);
  const auto n = static_cast<std::size_t>(shape.num_elements());
  const std::vector<float> x(n, 0.3F);
  std::vector<float> y(n);
  const ReducePlan plan(shape, axes, false);
  for (auto _ : state) {
    plan.run(ReduceOp::kSum, assay::float32, x.data(), y.data(), pool);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * shape.num_elements());
}
BENCHMARK_CAPTURE(sum, all_of_128, assay::Shape{128}, {0});
BENCHMARK_CAPTURE(sum, all_of_1M, assay::Shape{1 << 20}, {0});
BENCHMARK_CAPTURE(sum, rows_128x128, assay::Shape{128, 128}, {1});
BENCHMARK_CAPTURE(sum, columns_128x128, assay::Shape{128, 128}, {0});
BENCHMARK_CAPTURE(sum, columns_1024x1024, assay::Shape{1024, 1024}, {0});

// An empty parallel loop: what cutting work costs.
void parallel_loop(benchmark::State& state) {
  assay::ThreadPool pool(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    pool.parallel_for(8, 1,
                      [](std::int64_t begin, std::int64_t) { benchmark::DoNotOptimize(begin); });
  }
}
BENCHMARK(parallel_loop)->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
