// How often samplers draw what: counts against the probabilities that they are documented to have,
// and against the expected counts that they report. Fixed seeds.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "tests/base/statistics.h"
#include "tests/ops/op_graph.h"

namespace assay {
namespace {

using testing::chi_square_p_value;
using testing::OpGraph;

constexpr double kLeastP = 1e-3;

Node* sampler(OpGraph& g, const std::string& op, std::int64_t sampled, std::int64_t range,
              bool unique) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(range));
  std::iota(all.begin(), all.end(), 0);
  return g.node(op, {g.constant(Tensor::of<std::int64_t>(all, Shape{range, 1}))},
                {{"num_true", std::int64_t{1}},
                 {"num_sampled", sampled},
                 {"unique", unique},
                 {"range_max", range},
                 {"seed", std::int64_t{87654321}},
                 {"seed2", std::int64_t{11}}});
}

double log_uniform(double k, double range) {
  return std::log1p(1 / (k + 1)) / std::log1p(range);
}

std::vector<std::int64_t> counts_of(OpGraph& g, Node* node, int runs, std::int64_t range) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(range));
  for (int run = 0; run < runs; ++run) {
    const Tensor out = g.session().run(node->output(0));
    for (const auto x : out.to_vector<std::int64_t>()) ++counts[static_cast<std::size_t>(x)];
  }
  return counts;
}

TEST(SamplerStatistics, LogUniformDrawsByZipfsLaw) {
  OpGraph g;
  constexpr std::int64_t kRange = 50000;
  Node* node = sampler(g, "LogUniformCandidateSampler", 1000000, kRange, false);
  const auto counts = counts_of(g, node, 10, kRange);
  std::vector<double> expected;
  for (int k = 0; k < kRange; ++k) expected.push_back(1e7 * log_uniform(k, kRange));
  EXPECT_NEAR(std::accumulate(expected.begin(), expected.end(), 0.0), 1e7, 1e-2);
  EXPECT_GT(chi_square_p_value(counts, expected), kLeastP);
  // The most frequent class alone, and the rarer half.
  EXPECT_NEAR(static_cast<double>(counts[0]) / expected[0], 1, 4 / std::sqrt(expected[0]));
  const double rare = std::accumulate(expected.begin() + kRange / 2, expected.end(), 0.0);
  const auto drawn = std::accumulate(counts.begin() + kRange / 2, counts.end(), std::int64_t{0});
  EXPECT_NEAR(static_cast<double>(drawn) / rare, 1, 4 / std::sqrt(rare));
}

TEST(SamplerStatistics, UniformSamplerIsFair) {
  OpGraph g;
  constexpr std::int64_t kRange = 30000;
  Node* node = sampler(g, "UniformCandidateSampler", 1000000, kRange, false);
  const auto counts = counts_of(g, node, 10, kRange);
  EXPECT_GT(chi_square_p_value(counts, std::vector<double>(kRange, 1e7 / kRange)), kLeastP);
}

// The counts that the op reports, summed over the runs, against those that come out.
void expect_reported_counts(const std::string& op, std::int64_t sampled, std::int64_t range,
                            bool unique, int runs, double systematic) {
  OpGraph g;
  Node* node = sampler(g, op, sampled, range, unique);
  std::vector<double> reported(static_cast<std::size_t>(range));
  std::vector<double> drawn(reported.size());
  for (int run = 0; run < runs; ++run) {
    const auto out = g.session().run({node->output(0), node->output(1)});
    for (std::size_t k = 0; k < reported.size(); ++k) reported[k] += out[1].data<float>()[k];
    for (const auto x : out[0].to_vector<std::int64_t>()) ++drawn[static_cast<std::size_t>(x)];
  }
  for (std::size_t k = 0; k < reported.size(); ++k) {
    const double spread = 4.5 / std::sqrt(reported[k]);
    EXPECT_NEAR(drawn[k] / reported[k], 1, spread + systematic) << op << " " << k;
  }
}

TEST(SamplerStatistics, ReportedCountsComeOut) {
  expect_reported_counts("LogUniformCandidateSampler", 64, 200, false, 20000, 0);
  expect_reported_counts("UniformCandidateSampler", 64, 200, false, 20000, 0);
  // Without repeats the report, 1 - (1 - p)^tries, leaves out that the tries depend on what was
  // drawn: a few thousandths.
  expect_reported_counts("LogUniformCandidateSampler", 64, 1000, true, 20000, 0.01);
  expect_reported_counts("UniformCandidateSampler", 64, 200, true, 20000, 0.01);
}

TEST(SamplerStatistics, MultinomialDrawsBySoftmax) {
  OpGraph g;
  const std::vector<float> logits = {0.0F, 1.0F, -2.0F, 3.0F, 0.5F, -1e30F};
  const Output out = g.op("Multinomial",
                          {g.constant(Tensor::of<float>(logits, Shape{1, 6})),
                           g.constant(Tensor::scalar(std::int32_t{2000000}))},
                          {{"seed", std::int64_t{3}}, {"seed2", std::int64_t{4}}});
  std::vector<std::int64_t> counts(logits.size());
  for (int run = 0; run < 5; ++run) {
    for (const auto x : g.session().run(out).to_vector<std::int64_t>()) {
      ++counts[static_cast<std::size_t>(x)];
    }
  }
  double total = 0;
  for (const float x : logits) total += std::exp(static_cast<double>(x));
  std::vector<double> expected;
  for (const float x : logits) expected.push_back(1e7 * std::exp(static_cast<double>(x)) / total);
  EXPECT_EQ(counts[5], 0);
  EXPECT_GT(chi_square_p_value(counts, expected), kLeastP);
}

// All 24 orders of four rows.
TEST(SamplerStatistics, ShuffleGivesEveryOrder) {
  OpGraph g;
  const Output out = g.op("RandomShuffle", {g.constant(Tensor::of<std::int32_t>({0, 1, 2, 3}))},
                          {{"seed", std::int64_t{5}}, {"seed2", std::int64_t{6}}});
  std::map<std::vector<std::int32_t>, std::int64_t> seen;
  constexpr int kRuns = 240000;
  for (int run = 0; run < kRuns; ++run) {
    ++seen[g.session().run(out).to_vector<std::int32_t>()];
  }
  ASSERT_EQ(seen.size(), 24U);
  std::vector<std::int64_t> counts;
  for (const auto& entry : seen) counts.push_back(entry.second);
  EXPECT_GT(chi_square_p_value(counts, std::vector<double>(24, kRuns / 24.0)), kLeastP);
}

}  // namespace
}  // namespace assay
