#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "assay/device/random_state.h"
#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"

namespace assay {
namespace {

using testing::code_of;
using testing::OpGraph;

AttrMap seeds(std::int64_t seed, std::int64_t seed2, DType dtype = float32) {
  return {{"seed", seed}, {"seed2", seed2}, {"dtype", dtype}};
}

Output uniform(OpGraph& g, const Shape& shape, std::int64_t seed, std::int64_t seed2) {
  std::vector<std::int32_t> dims(shape.dims().begin(), shape.dims().end());
  return g.op("RandomUniform", {g.constant(Tensor::of(dims))}, seeds(seed, seed2));
}

TEST(RandomUniform, TheNumbersOfTheNotes) {
  OpGraph g;
  const Output u = uniform(g, Shape{}, 87654321, 2);
  // random_uniform scales by maxval - minval and adds minval, in float.
  EXPECT_FLOAT_EQ(g.run(u).item<float>() * 20 - 10, 3.574932F);
  EXPECT_FLOAT_EQ(g.run(u).item<float>() * 20 - 10, -5.9731865F);
  Session again({.graph = &g.graph(), .threads = 1});
  EXPECT_FLOAT_EQ(again.run(u).item<float>() * 20 - 10, 3.574932F);
}

TEST(RandomUniform, StreamsGoOnAcrossPrograms) {
  OpGraph g;
  const Output a = uniform(g, Shape{3}, 1, 2);
  const Output b = uniform(g, Shape{3}, 1, 2);
  const Tensor first = g.run(a);
  // Another request is another program; the node's stream is the session's.
  const auto both = g.session().run({a, b});
  EXPECT_FALSE(both[0].identical(first));
  EXPECT_TRUE(both[1].identical(first));
}

TEST(RandomUniform, StateCanBeSavedAndRestored) {
  OpGraph g;
  const Output u = uniform(g, Shape{5}, 3, 4);
  g.run(u);
  const auto state =
      g.session().resources().find<RandomResource>(random_resource_name(u.node->name()));
  ASSERT_NE(state, nullptr);
  const Philox saved = state->philox().state();
  const Tensor next = g.run(u);
  g.run(u);
  state->philox().set_state(saved);
  EXPECT_TRUE(g.run(u).identical(next));
}

TEST(RandomUniform, UnseededStreamsDiffer) {
  OpGraph g;
  const auto out = g.session().run({uniform(g, Shape{8}, 0, 0), uniform(g, Shape{8}, 0, 0)});
  EXPECT_FALSE(out[0].identical(out[1]));
}

TEST(RandomFill, BitsDoNotDependOnThreads) {
  for (const char* op : {"RandomUniform", "RandomStandardNormal", "TruncatedNormal"}) {
    std::vector<Tensor> results;
    for (const int threads : {1, 2, 3}) {
      OpGraph g;
      const Output x = g.op(op, {g.constant(Tensor::of<std::int32_t>({50001}))}, seeds(5, 6));
      results.push_back(g.session(threads).run(x));
    }
    EXPECT_TRUE(results[0].identical(results[1])) << op;
    EXPECT_TRUE(results[0].identical(results[2])) << op;
  }
}

TEST(RandomFill, Moments) {
  OpGraph g;
  const Output shape = g.constant(Tensor::of<std::int64_t>({200, 500}));
  const auto out = g.session().run({g.op("RandomStandardNormal", {shape}, seeds(1, 1, float64)),
                                    g.op("TruncatedNormal", {shape}, seeds(1, 2, float64))});
  const auto moments = [](const Tensor& t) {
    double mean = 0;
    double square = 0;
    for (const double x : t.span<double>()) {
      mean += x / static_cast<double>(t.num_elements());
      square += x * x / static_cast<double>(t.num_elements());
    }
    return std::pair(mean, square - mean * mean);
  };
  EXPECT_NEAR(moments(out[0]).first, 0, 0.02);
  EXPECT_NEAR(moments(out[0]).second, 1, 0.02);
  EXPECT_NEAR(moments(out[1]).first, 0, 0.02);
  EXPECT_NEAR(moments(out[1]).second, 0.7737, 0.02);  // of a normal cut at 2
  for (const double x : out[1].span<double>()) ASSERT_LT(std::abs(x), 2.0);
}

TEST(RandomUniformInt, RefusesAnEmptyRange) {
  OpGraph g;
  const auto scalar = [&](std::int32_t x) { return g.constant(Tensor::scalar(x)); };
  const Output shape = g.constant(Tensor::of<std::int32_t>({2}));
  const Output x = g.op("RandomUniformInt", {shape, scalar(5), scalar(5)});
  EXPECT_EQ(code_of([&] { g.run(x); }), Code::kInvalidArgument);
}

TEST(RandomShuffle, KeepsRowsTogether) {
  OpGraph g;
  const Tensor value = Tensor::of<std::string>({"a", "A", "b", "B", "c", "C"}, Shape{3, 2});
  const Tensor out = g.run(g.op("RandomShuffle", {g.constant(value)},
                                {{"seed", std::int64_t{1}}, {"seed2", std::int64_t{2}}}));
  std::set<std::string> rows;
  for (int i = 0; i < 3; ++i) {
    rows.insert(out.data<std::string>()[2 * i] + out.data<std::string>()[2 * i + 1]);
  }
  EXPECT_EQ(rows, (std::set<std::string>{"aA", "bB", "cC"}));
}

Node* log_uniform(OpGraph& g, std::int64_t sampled, std::int64_t range, bool unique) {
  return g.node("LogUniformCandidateSampler",
                {g.constant(Tensor::of<std::int64_t>({0, 1, 49999, 7}, Shape{4, 1}))},
                {{"num_true", std::int64_t{1}},
                 {"num_sampled", sampled},
                 {"unique", unique},
                 {"range_max", range},
                 {"seed", std::int64_t{9}},
                 {"seed2", std::int64_t{9}}});
}

TEST(CandidateSampler, UniqueSamplesWithTheirExpectedCounts) {
  OpGraph g;
  Node* node = log_uniform(g, 64, 50000, true);
  for (int run = 0; run < 50; ++run) {
    const auto out = g.session().run({node->output(0), node->output(1), node->output(2)});
    const auto samples = out[0].to_vector<std::int64_t>();
    EXPECT_EQ(std::set<std::int64_t>(samples.begin(), samples.end()).size(), 64U);
    EXPECT_TRUE(std::ranges::all_of(samples, [](auto x) { return x >= 0 && x < 50000; }));
    // In the rare case that no try was refused, counts are p * 64 instead.
    const auto p = [](double k) { return std::log((k + 2) / (k + 1)) / std::log(50001.0); };
    if (std::abs(out[1].data<float>()[1] / (64 * p(1)) - 1) < 1e-6) continue;
    // 1 - (1 - p)^tries grows with p, and stays a probability.
    EXPECT_GT(out[1].data<float>()[0], out[1].data<float>()[1]);
    EXPECT_GT(out[1].data<float>()[1], out[1].data<float>()[2]);
    EXPECT_GT(out[1].data<float>()[2], 0.0F);
    EXPECT_LT(out[1].data<float>()[0], 1.0F);
    // p and tries give each count: the tries follow from one, and explain the others.
    const double tries = std::round(std::log1p(-out[1].data<float>()[1]) / std::log1p(-p(1)));
    EXPECT_GE(tries, 64);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const double want = -std::expm1(tries * std::log1p(-p(static_cast<double>(samples[i]))));
      EXPECT_NEAR(out[2].data<float>()[i] / want, 1, 1e-5) << samples[i];
    }
  }
}

TEST(CandidateSampler, CannotDrawMoreThanThereAre) {
  OpGraph g;
  Node* node = log_uniform(g, 11, 10, true);
  EXPECT_EQ(code_of([&] { g.session().run(node->output()); }), Code::kInvalidArgument);
  OpGraph h;
  EXPECT_EQ(h.session().run(log_uniform(h, 11, 10, false)->output()).num_elements(), 11);
}

TEST(CandidateSampler, LearnedUnigramRefusesUnknownClasses) {
  for (const char* op : {"LearnedUnigramCandidateSampler", "ThreadUnsafeUnigramCandidateSampler"}) {
    OpGraph g;
    const Output trues = g.constant(Tensor::of<std::int64_t>({10}, Shape{1, 1}));
    Node* node = g.node(op, {trues},
                        {{"num_true", std::int64_t{1}},
                         {"num_sampled", std::int64_t{3}},
                         {"unique", false},
                         {"range_max", std::int64_t{10}}});
    EXPECT_EQ(code_of([&] { g.session().run(node->output()); }), Code::kInvalidArgument) << op;
  }
}

TEST(Stateless, TwoSeedsGiveOneAnswer) {
  OpGraph g;
  const Output shape = g.constant(Tensor::of<std::int32_t>({1000}));
  const auto seed = [&](std::int64_t a) { return g.constant(Tensor::of<std::int64_t>({a, 2})); };
  const auto scalar = [&](std::int32_t x) { return g.constant(Tensor::scalar(x)); };
  const auto draw = [&](std::int64_t a) {
    return g.op("StatelessRandomUniformInt", {shape, seed(a), scalar(-3), scalar(4)});
  };
  const auto out = g.session().run({draw(1), draw(1), draw(5)});
  EXPECT_TRUE(out[0].identical(out[1]));
  EXPECT_FALSE(out[0].identical(out[2]));
  const auto numbers = out[0].to_vector<std::int32_t>();
  EXPECT_EQ(*std::ranges::min_element(numbers), -3);
  EXPECT_EQ(*std::ranges::max_element(numbers), 3);
  EXPECT_TRUE(g.run(draw(1)).identical(out[0]));
}

TEST(ComputeAccidentalHits, FindsThem) {
  OpGraph g;
  const Output trues = g.constant(Tensor::of<std::int64_t>({1, 2, 0, 4, 3, 1}, Shape{3, 2}));
  const Output sampled = g.constant(Tensor::of<std::int64_t>({1, 3}));
  Node* node = g.node("ComputeAccidentalHits", {trues, sampled}, {{"num_true", std::int64_t{2}}});
  const auto out = g.session().run({node->output(0), node->output(1), node->output(2)});
  EXPECT_EQ(out[0].to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 2, 2}));
  EXPECT_EQ(out[1].to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 0}));
  EXPECT_LT(out[2].data<float>()[0], -1e38F);
}

}  // namespace
}  // namespace assay
