// Random numbers: a million at a time, as an op of a session makes them into memory that it keeps,
// on one thread and on two; and the candidate sampler of word2vec. bench/peers/torch_random.py
// runs this alternating with PyTorch's in-place functions.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "assay/assay.h"
#include "assay/base/philox.h"

namespace {

constexpr std::int64_t kCount = 1000000;

// Runs an op of the given name, dtype and attributes that makes kCount values, state.range(0)
// threads.
void op(benchmark::State& state, const char* name, const char* dtype_attr, assay::DType dtype,
        const std::vector<assay::Tensor>& more_inputs = {}) {
  assay::Graph graph;
  const assay::GraphScope scope(graph);
  std::vector<assay::Output> inputs{assay::constant({kCount})};
  for (const assay::Tensor& input : more_inputs) inputs.push_back(assay::constant(input));
  assay::Node* node = graph.add_node(
      {.op = name,
       .inputs = inputs,
       .attrs = {
           {"seed", std::int64_t{87654321}}, {"seed2", std::int64_t{2}}, {dtype_attr, dtype}}});
  assay::Session session({.graph = &graph, .threads = static_cast<int>(state.range(0))});
  const auto call = session.make_callable({.targets = {node}});
  for (auto _ : state) call({});
  state.SetItemsProcessed(state.iterations() * kCount);
}

template <typename T>
std::vector<assay::Tensor> limits() {
  return {assay::Tensor::scalar(T{-5}), assay::Tensor::scalar(T{1000})};
}

void on_both(benchmark::internal::Benchmark* b) {
  b->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime()->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(op, uniform, "RandomUniform", "dtype", assay::float32)->Apply(on_both);
BENCHMARK_CAPTURE(op, normal, "RandomStandardNormal", "dtype", assay::float32)->Apply(on_both);
BENCHMARK_CAPTURE(op, truncated_normal, "TruncatedNormal", "dtype", assay::float32)->Apply(on_both);
BENCHMARK_CAPTURE(op, uniform_double, "RandomUniform", "dtype", assay::float64)->Apply(on_both);
BENCHMARK_CAPTURE(op, normal_double, "RandomStandardNormal", "dtype", assay::float64)
    ->Apply(on_both);
BENCHMARK_CAPTURE(op, uniform_bfloat16, "RandomUniform", "dtype", assay::DType::kBFloat16)
    ->Apply(on_both);
BENCHMARK_CAPTURE(op, uniform_int32, "RandomUniformInt", "Tout", assay::int32,
                  limits<std::int32_t>())
    ->Apply(on_both);
BENCHMARK_CAPTURE(op, uniform_int64, "RandomUniformInt", "Tout", assay::int64,
                  limits<std::int64_t>())
    ->Apply(on_both);

// What the fills are compared with where there is no TensorFlow: its loops, a block at a time, with
// libm's functions.
struct Plain {
  static void uniform(assay::Philox p, float* out) {
    for (std::int64_t i = 0; i < kCount; i += 4) {
      for (const std::uint32_t word : p()) *out++ = assay::philox_float(word);
    }
  }
  static void normal(assay::Philox p, float* out) {
    for (std::int64_t i = 0; i < kCount; i += 4) {
      const auto words = p();
      pair(words[0], words[1], out + i);
      pair(words[2], words[3], out + i + 2);
    }
  }
  static void truncated_normal(const assay::Philox& base, float* out) {
    for (std::int64_t i = 0; i < kCount; i += 4) {
      assay::Philox p = base;
      p.skip(static_cast<std::uint64_t>(i) * 64);
      assay::PhiloxStream words(p);
      for (int have = 0; have < 4;) {
        const std::uint32_t x0 = words.next32();
        float both[2];
        pair(x0, words.next32(), both);
        for (const float x : both) {
          if (std::abs(x) < 2 && have < 4) out[i + have++] = x;
        }
      }
    }
  }

 private:
  static void pair(std::uint32_t x0, std::uint32_t x1, float* out) {
    const float u = std::max(assay::philox_float(x0), 1.0e-7F);
    const auto angle = static_cast<float>(2 * std::numbers::pi * assay::philox_float(x1));
    const float radius = std::sqrt(-2.0F * std::log(u));
    out[0] = std::sin(angle) * radius;
    out[1] = std::cos(angle) * radius;
  }
};

template <typename Fill>
void plain(benchmark::State& state, Fill fill) {
  std::vector<float> out(kCount);
  assay::Philox p(87654321, 2);
  for (auto _ : state) {
    fill(p, out.data());
    p.skip(256 * kCount);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kCount);
}
BENCHMARK_CAPTURE(plain, uniform, Plain::uniform)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plain, normal, Plain::normal)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(plain, truncated_normal, Plain::truncated_normal)->Unit(benchmark::kMillisecond);

// 64 different classes of 50000, with the expected counts of a batch of one, as nce_loss asks.
void log_uniform_sampler(benchmark::State& state) {
  assay::Graph graph;
  const assay::GraphScope scope(graph);
  const auto trues = assay::constant<std::int64_t>({{17}});
  const auto candidates =
      assay::log_uniform_candidate_sampler(trues, 1, 64, true, 50000, {.seed = 2});
  assay::Session session({.graph = &graph, .threads = 1});
  const auto call = session.make_callable({.targets = {candidates.sampled.node}});
  for (auto _ : state) call({});
}
BENCHMARK(log_uniform_sampler)->Unit(benchmark::kMicrosecond);

}  // namespace
