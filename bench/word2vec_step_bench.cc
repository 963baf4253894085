// One training step of word2vec at the notes' settings: vocabulary 50000, dimension 128, batch 128,
// 64 sampled words, gradient descent with sparse updates; the ids are in memory already.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "assay/assay.h"

namespace {

constexpr std::int64_t kVocab = 50000;
constexpr std::int64_t kDim = 128;
constexpr std::int64_t kBatch = 128;
constexpr int kSampled = 64;
constexpr int kBatches = 64;

struct Step {
  explicit Step(int threads) : scope(graph) {
    const auto center = assay::placeholder(assay::int32, {kBatch});
    const auto target = assay::placeholder(assay::int32, {kBatch, 1});
    const auto embed_matrix = assay::get_variable(
        "embed_matrix", {kVocab, kDim}, {.initializer = assay::random_uniform_initializer()});
    const auto embed = assay::nn::embedding_lookup(embed_matrix, center);
    const auto weight =
        assay::get_variable("nce_weight", {kVocab, kDim},
                            {.initializer = assay::truncated_normal_initializer(
                                 {.stddev = 1 / std::sqrt(static_cast<double>(kDim))})});
    const auto bias = assay::get_variable("nce_bias", {.initial_value = assay::zeros({kVocab})});
    const auto loss =
        assay::reduce_mean(assay::nn::nce_loss(weight, bias, target, embed, kSampled, kVocab));
    auto* train_op = assay::train::GradientDescentOptimizer(1.0).minimize(loss);
    session = std::make_unique<assay::Session>(
        assay::SessionOptions{.graph = &graph, .threads = threads});
    session->run(assay::global_variables_initializer());
    run = session->make_callable(
        {.feeds = {center, target}, .fetches = {loss}, .targets = {train_op}});
    // Ids spread as words are: log-uniform.
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> uniform;
    const auto ids = [&](const assay::Shape& shape) {
      assay::Tensor t(assay::int32, shape);
      for (auto& id : t.span<std::int32_t>()) {
        id = static_cast<std::int32_t>(std::exp(uniform(random) * std::log(kVocab + 1.0))) - 1;
        id = std::min<std::int32_t>(id, kVocab - 1);
      }
      return t;
    };
    for (int i = 0; i < kBatches; ++i) {
      feeds.push_back({ids(assay::Shape{kBatch}), ids(assay::Shape{kBatch, 1})});
    }
    program = session->describe_program({{center, feeds[0][0]}, {target, feeds[0][1]}}, {loss},
                                        {train_op});
  }

  assay::Graph graph;
  assay::GraphScope scope;
  std::unique_ptr<assay::Session> session;
  assay::Callable run;
  std::vector<std::vector<assay::Tensor>> feeds;
  std::string program;
};

void word2vec_step(benchmark::State& state) {
  Step step(static_cast<int>(state.range(0)));
  if (std::getenv("ASSAY_PRINT_PROGRAM") != nullptr) std::puts(step.program.c_str());
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(step.run(step.feeds[i++ % kBatches]));
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(word2vec_step)
    ->Arg(1)
    ->Arg(2)
    ->ArgName("threads")
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

}  // namespace
