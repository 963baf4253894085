// The samplers of given weights, and of everything.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "tests/base/statistics.h"
#include "tests/ops/op_case.h"
#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"

namespace assay::testing {
namespace {

AttrMap fixed_attrs(std::int64_t range, std::int64_t sampled, bool unique = false) {
  return {{"num_true", std::int64_t{1}}, {"num_sampled", sampled},    {"unique", unique},
          {"range_max", range},          {"seed", std::int64_t{123}}, {"seed2", std::int64_t{17}}};
}

AttrMap with(AttrMap attrs, const std::string& name, AttrValue value) {
  attrs[name] = std::move(value);
  return attrs;
}

Node* fixed(OpGraph& g, const AttrMap& attrs, const std::vector<std::int64_t>& trues = {0}) {
  const Shape shape{static_cast<std::int64_t>(trues.size()), 1};
  return g.node("FixedUnigramCandidateSampler", {g.constant(Tensor::of(trues, shape))}, attrs);
}

std::vector<Tensor> run(OpGraph& g, Node* node) {
  return g.session().run({node->output(0), node->output(1), node->output(2)});
}

const std::vector<float> kPowers = {1, 2, 4, 8, 16, 32, 64, 128, 256};

std::filesystem::path write_file(const std::string& name, const std::string& text) {
  const std::filesystem::path path = std::filesystem::path(::testing::TempDir()) / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

// The numbers of TensorFlow's range_sampler_test: weights 2^i to the power of 0.8, whose sum is
// 197.05, from a list and from a file, behind reserved ids and without.
TEST(FixedUnigramCandidateSampler, ProbabilitiesOfTensorFlowsTests) {
  const auto path =
      write_file("vocab_file.csv", "w1,1\nw2,2\nw3,4\nw4,8\nw5,16\nw6,32\nw7,64\nw8,128\nw9,256");
  for (const bool from_file : {false, true}) {
    for (const std::int64_t reserved : {0, 1, 2}) {
      const std::int64_t range = 9 + reserved;
      AttrMap attrs = with(fixed_attrs(range, 1000), "distortion", 0.8F);
      attrs["num_reserved_ids"] = reserved;
      if (from_file) {
        attrs["vocab_file"] = path.string();
      } else {
        attrs["unigrams"] = kPowers;
      }
      std::vector<std::int64_t> all(static_cast<std::size_t>(range));
      std::iota(all.begin(), all.end(), 0);
      OpGraph g;
      const auto out = run(g, fixed(g, attrs, all));
      std::vector<double> seen(all.size());
      for (const std::int64_t x : out[0].span<std::int64_t>()) {
        seen.at(static_cast<std::size_t>(x)) += 1e-3;
      }
      double sum = 0;
      for (std::int64_t i = 0; i < range; ++i) {
        const double p = out[1].data<float>()[i] / 1000;
        const double want =
            i < reserved ? 0 : std::pow(2, 0.8 * static_cast<double>(i - reserved)) / 197.05;
        EXPECT_NEAR(p, want, 1e-4) << i;
        EXPECT_NEAR(seen[static_cast<std::size_t>(i)], p, 0.05) << i;
        sum += p;
      }
      EXPECT_NEAR(sum, 1, 1e-4);
    }
  }
}

TEST(FixedUnigramCandidateSampler, DrawsByItsWeights) {
  OpGraph g;
  const auto out = run(g, fixed(g, with(fixed_attrs(9, 100000), "unigrams", kPowers)));
  std::vector<std::int64_t> observed(9);
  std::vector<double> expected;
  for (const std::int64_t x : out[0].span<std::int64_t>())
    ++observed.at(static_cast<std::size_t>(x));
  for (const float w : kPowers) expected.push_back(100000 * w / 511.0);
  EXPECT_GT(chi_square_p_value(observed, expected), 1e-3);
}

// Of 10 words every third one from the second on; the count goes on from the reserved ids of the
// shard.
TEST(FixedUnigramCandidateSampler, Shards) {
  AttrMap attrs = with(fixed_attrs(3, 500), "unigrams", std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  attrs["num_shards"] = std::int64_t{3};
  attrs["shard"] = std::int64_t{1};
  OpGraph g;
  // Words 1, 4 and 7, of weights 2, 5 and 8.
  const auto out = run(g, fixed(g, attrs, {0, 1, 2}));
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(out[1].data<float>()[i] / 500, (2 + 3 * i) / 15.0, 1e-6);
  }
  attrs["num_reserved_ids"] = std::int64_t{2};
  OpGraph h;
  // Id 1 is reserved and makes the shard's count begin at 1: words 0, 3 and 6.
  attrs["range_max"] = std::int64_t{4};
  const auto more = run(h, fixed(h, attrs, {0, 1, 2, 3}));
  EXPECT_EQ(more[1].data<float>()[0], 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(more[1].data<float>()[i + 1] / 500, (1 + 3 * i) / 12.0, 1e-6);
  }
}

TEST(FixedUnigramCandidateSampler, UniqueSamples) {
  OpGraph g;
  const auto out = run(g, fixed(g, with(fixed_attrs(9, 9, true), "unigrams", kPowers)));
  const auto values = out[0].to_vector<std::int64_t>();
  EXPECT_EQ(std::set<std::int64_t>(values.begin(), values.end()).size(), 9U);
  // Weights of 0 cannot be drawn, however long one tries.
  OpGraph h;
  const std::vector<float> holes = {1, 0, 3, 0};
  Node* two = fixed(h, with(fixed_attrs(4, 2, true), "unigrams", holes));
  EXPECT_EQ(run(h, two)[0].num_elements(), 2);
  Node* three = fixed(h, with(fixed_attrs(4, 3, true), "unigrams", holes));
  EXPECT_EQ(code_of([&] { run(h, three); }), Code::kInvalidArgument);
}

// Expected counts of classes outside of the range are 0.
TEST(FixedUnigramCandidateSampler, UnknownTrueClasses) {
  OpGraph g;
  const auto out =
      run(g, fixed(g, with(fixed_attrs(9, 5), "unigrams", kPowers), {-1, 9, 1LL << 62}));
  EXPECT_EQ(out[1].to_vector<float>(), (std::vector<float>{0, 0, 0}));
}

Code code_with(const AttrMap& attrs) {
  OpGraph g;
  return code_of([&] { run(g, fixed(g, attrs)); });
}

TEST(FixedUnigramCandidateSampler, RefusesWhatIsNoDistribution) {
  const AttrMap base = fixed_attrs(2, 1);
  EXPECT_EQ(code_with(base), Code::kInvalidArgument);  // neither a file nor a list
  AttrMap both = with(base, "unigrams", std::vector<float>{1, 2});
  EXPECT_EQ(code_with(both), Code::kOk);
  EXPECT_EQ(code_with(with(both, "vocab_file", std::string("x"))), Code::kInvalidArgument);
  const float nan = std::nanf("");
  for (const std::vector<float>& weights : std::vector<std::vector<float>>{
           {1}, {1, 2, 3}, {0, 0}, {1, -1}, {1, nan}, {1, HUGE_VALF}, {3e38F, 3e38F}}) {
    EXPECT_EQ(code_with(with(base, "unigrams", weights)), Code::kInvalidArgument);
  }
  EXPECT_EQ(code_with(with(with(base, "unigrams", std::vector<float>{1, 0}), "distortion", -1.0F)),
            Code::kInvalidArgument);
  EXPECT_EQ(code_with(with(both, "shard", std::int64_t{1})), Code::kInvalidArgument);
  for (const std::int64_t reserved : {1LL, 1LL << 31, 1LL << 62}) {
    EXPECT_EQ(code_with(with(both, "num_reserved_ids", reserved)), Code::kInvalidArgument);
  }
  for (const std::int64_t range : {1LL << 31, 1LL << 62}) {
    EXPECT_EQ(code_with(with(both, "range_max", range)), Code::kInvalidArgument);
  }
}

TEST(FixedUnigramCandidateSampler, DamagedFiles) {
  const auto code = [](const std::string& text) {
    const auto path = write_file("damaged.csv", text);
    return code_with(with(fixed_attrs(2, 1), "vocab_file", path.string()));
  };
  EXPECT_EQ(code("a,1\r\n\n b, 2 \n"), Code::kOk);
  EXPECT_EQ(code("1\n+2e0\n"), Code::kOk);  // weights alone
  EXPECT_EQ(code("a,1\nb,two\n"), Code::kInvalidArgument);
  EXPECT_EQ(code("a,1\nb,\n"), Code::kInvalidArgument);
  EXPECT_EQ(code("a,1\nb,2x\n"), Code::kInvalidArgument);
  EXPECT_EQ(code("a,1\n"), Code::kInvalidArgument);
  EXPECT_EQ(code("a,1\nb,2\nc,3\n"), Code::kInvalidArgument);
  EXPECT_EQ(code(std::string(1000, '\0')), Code::kInvalidArgument);
  EXPECT_EQ(code_with(with(fixed_attrs(2, 1), "vocab_file", std::string("/nowhere/at/all"))),
            Code::kNotFound);
  const auto path = write_file("damaged.csv", "a,1\nb,-2\n");
  const AttrMap attrs = with(fixed_attrs(2, 1), "vocab_file", path.string());
  const Error error = error_of([&] {
    OpGraph g;
    run(g, fixed(g, attrs));
  });
  EXPECT_NE(error.message().find("damaged.csv:2"), std::string::npos) << error.message();
}

// The weights of TensorFlow's range_sampler_test: 3 ten times, or n from 1 to 9 n times.
TEST(LearnedUnigramCandidateSampler, LearnsProbabilities) {
  const auto learned = [](const std::vector<std::vector<std::int64_t>>& updates) {
    OpGraph g;
    const Output trues =
        g.op("Placeholder", {}, {{"dtype", int64}, {"shape", PartialShape{-1, 1}}});
    Node* node = g.node("LearnedUnigramCandidateSampler", {trues}, fixed_attrs(10, 1000));
    const auto run = [&](const std::vector<std::int64_t>& values) {
      const Tensor fed = Tensor::of(values, Shape{std::ssize(values), 1});
      return g.session().run({{trues, fed}}, {node->output(1)}).at(0).to_vector<float>();
    };
    for (const auto& update : updates) run(update);
    return run({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  };
  const auto often = learned({std::vector<std::int64_t>(10, 3)});
  std::vector<std::vector<std::int64_t>> tails;
  for (std::int64_t i = 1; i < 10; ++i) {
    std::vector<std::int64_t> tail(static_cast<std::size_t>(10 - i));
    std::iota(tail.begin(), tail.end(), i);
    tails.push_back(tail);
  }
  const auto rising = learned(tails);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(often[i] / 1000, i == 3 ? 0.55 : 0.05, 1e-4);
    EXPECT_NEAR(rising[i] / 1000, static_cast<double>(i + 1) / 55, 1e-4);
  }
}

// What TensorFlow's candidate_sampler_ops_test asks.
TEST(AllCandidateSampler, SamplesAllOnce) {
  OpGraph g;
  const Output trues = g.constant(i64({1, 2, 0, 4, 3, 3}, Shape{3, 2}));
  const AttrMap attrs = {
      {"num_true", std::int64_t{2}}, {"num_sampled", std::int64_t{5}}, {"unique", true}};
  Node* all = g.node("AllCandidateSampler", {trues}, attrs);
  const auto out = run(g, all);
  EXPECT_EQ(out[0].to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(out[1].shape(), (Shape{3, 2}));
  EXPECT_EQ(out[1].to_vector<float>(), std::vector<float>(6, 1));
  EXPECT_EQ(out[2].to_vector<float>(), std::vector<float>(5, 1));
  Node* hits =
      g.node("ComputeAccidentalHits", {trues, all->output(0)}, {{"num_true", std::int64_t{2}}});
  const auto found = run(g, hits);
  EXPECT_EQ(found[0].to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(found[1].to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 2, 0, 4, 3, 3}));
  for (const float w : found[2].span<float>()) EXPECT_LT(w, -1e37F);
}

}  // namespace
}  // namespace assay::testing
