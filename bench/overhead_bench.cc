// What running costs beside the arithmetic: one small op inside a program, one prepared call.
#include <benchmark/benchmark.h>

#include "assay/assay.h"

namespace {

// A chain of products of 1 x 1 matrices: ops that can be neither folded nor fused, so that each is
// a step of its own.
void small_op_in_a_program(benchmark::State& state) {
  assay::Graph graph;
  const assay::GraphScope scope(graph);
  const auto x = assay::placeholder(assay::float32, {});
  const auto ops = static_cast<int>(state.range(0));
  assay::Output y = x;
  y = assay::reshape(y, {1, 1});
  for (int i = 0; i < ops; ++i) y = assay::matmul(y, y);
  assay::Session session({.graph = &graph, .threads = 1});
  const auto call = session.make_callable({.feeds = {x}, .fetches = {y}});
  const std::vector<assay::Tensor> feeds{assay::Tensor::scalar(1.0F)};
  for (auto _ : state) benchmark::DoNotOptimize(call(feeds));
  state.counters["ns_per_op"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * ops,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(small_op_in_a_program)->Arg(1)->Arg(1000);

// The same with additions, as a chain of 1000 scalar Adds is timed elsewhere; fused here.
void chain_of_adds(benchmark::State& state) {
  assay::Graph graph;
  const assay::GraphScope scope(graph);
  const auto x = assay::placeholder(assay::float32, {});
  const auto ops = static_cast<int>(state.range(0));
  assay::Output y = x;
  for (int i = 0; i < ops; ++i) y = y + x;
  assay::Session session({.graph = &graph, .threads = 1});
  const auto call = session.make_callable({.feeds = {x}, .fetches = {y}});
  const std::vector<assay::Tensor> feeds{assay::Tensor::scalar(1.0F)};
  for (auto _ : state) benchmark::DoNotOptimize(call(feeds));
}
BENCHMARK(chain_of_adds)->Arg(1000);

// A prepared call of a one-op program.
void one_op_call(benchmark::State& state) {
  assay::Graph graph;
  const assay::GraphScope scope(graph);
  const auto x = assay::placeholder(assay::float32, {});
  const auto y = x + 1;
  assay::Session session({.graph = &graph, .threads = 1});
  const auto call = session.make_callable({.feeds = {x}, .fetches = {y}});
  const std::vector<assay::Tensor> feeds{assay::Tensor::scalar(1.0F)};
  for (auto _ : state) benchmark::DoNotOptimize(call(feeds));
}
BENCHMARK(one_op_call);

}  // namespace
