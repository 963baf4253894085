#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/api/constant.h"
#include "assay/api/initializers.h"
#include "assay/api/nn.h"
#include "assay/api/random_distributions.h"
#include "assay/api/random_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/base/siphash.h"
#include "assay/graph/random_nodes.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using Seeds = std::pair<std::int64_t, std::int64_t>;

class SeedsTest : public ::testing::Test {
 protected:
  static std::vector<SeedOrigin> origins(const Graph& graph) {
    std::vector<SeedOrigin> all;
    for (const RandomNode& random : random_nodes(graph)) all.push_back(random.origin);
    return all;
  }
  /// Every kind of random op that the front end makes, some twice or with a name or a scope.
  static void build_random_ops() {
    random_uniform({2});
    random_uniform({2}, {.name = "given"});
    NameScope scope("inner");
    random_uniform({2}, 0, 9, {.dtype = int32});
    random_normal({2});
    truncated_normal({2});
    const Output x = constant(Tensor::of<float>({1, 2, 3, 4}, {2, 2}));
    random_shuffle(x);
    random_shuffle(x, {.name = "mixed"});
    random_shuffle(x, {.name = "mixed"});
    multinomial(x, 3);
    const Output classes = constant(Tensor::of<std::int64_t>({1, 2}, {2, 1}));
    log_uniform_candidate_sampler(classes, 1, 2, true, 5);
    random_gamma({2}, 1.5);
    random_poisson(1.5, {2});
    categorical(x, 3);
    uniform_candidate_sampler(classes, 1, 2, true, 5, {.name = "sampler"});
    nn::dropout(x, {.rate = 0.5});
    get_variable("w", {3, 4}, {.initializer = glorot_uniform_initializer()});
  }
  static constexpr std::size_t kRandomOps = 16;

  Graph graph_;
  GraphScope scope_{graph_};
};

// The numbers that TensorFlow's notes print.
TEST_F(SeedsTest, ThePublishedNumbers) {
  const Output c = random_uniform({}, -10, 10, {.seed = 2});
  Session session;
  EXPECT_FLOAT_EQ(session.run(c).item<float>(), 3.574932F);
  EXPECT_FLOAT_EQ(session.run(c).item<float>(), -5.9731865F);
  Session again;
  EXPECT_FLOAT_EQ(again.run(c).item<float>(), 3.574932F);
}

TEST_F(SeedsTest, ThePublishedNumbersOfAGraphSeed) {
  for (int i = 0; i < 4; ++i) random_uniform({}, -10, 10);
  testing::internal::CaptureStderr();
  set_random_seed(2);
  testing::internal::GetCapturedStderr();
  const Output c = random_uniform({}, -10, 10);
  const Output d = random_uniform({}, -10, 10);
  Session session;
  EXPECT_FLOAT_EQ(session.run(c).item<float>(), 9.123926F);
  EXPECT_FLOAT_EQ(session.run(d).item<float>(), -4.5340395F);
}

TEST_F(SeedsTest, ByNameTakesTheNodesFullName) {
  set_random_seed(7, SeedPolicy::by_name);
  build_random_ops();
  const auto all = random_nodes(graph_);
  ASSERT_EQ(all.size(), kRandomOps);
  for (const RandomNode& random : all) {
    EXPECT_EQ(random.seeds, Seeds(7, seed_by_name(7, random.node->name()))) << random.node->name();
    EXPECT_EQ(random.origin, SeedOrigin::kName) << random.node->name();
  }
  EXPECT_EQ(seed_by_name(7, "inner/mixed_1"),
            static_cast<std::int64_t>(siphash(7, 4, "inner/mixed_1") >> 1));
  EXPECT_GE(graph_.find_node("inner/mixed_1")->attr<std::int64_t>("seed2"), 0);
}

TEST_F(SeedsTest, ByNameAnOpSeedWins) {
  set_random_seed(7, SeedPolicy::by_name);
  random_uniform({2}, {.seed = 1003});
  EXPECT_EQ(random_nodes(graph_).at(0).seeds, Seeds(7, 1003));
  EXPECT_THAT(origins(graph_), ElementsAre(SeedOrigin::kOpSeed));
  EXPECT_EQ(get_seed(graph_, 3), Seeds(7, 3));
  EXPECT_EQ(get_seed(graph_, -1), Seeds(7, 2147483646));
  EXPECT_THROW(get_seed(graph_, std::nullopt), Error);
}

Tensor initial_weights(SeedPolicy policy, bool more_layers) {
  Graph graph;
  GraphScope scope(graph);
  set_random_seed(7, policy);
  if (more_layers) {
    get_variable("extra/w", {3, 4}, {.initializer = glorot_uniform_initializer()});
    nn::dropout(zeros({2}), {.rate = 0.5});
  }
  const Variable w = get_variable("fc/w", {3, 4}, {.initializer = glorot_uniform_initializer()});
  Session session;
  session.run(w.initializer());
  return session.run(w.value());
}

TEST_F(SeedsTest, ByNameMoreLayersChangeNoInitialWeights) {
  const auto weights = [](SeedPolicy policy, bool more_layers) {
    return initial_weights(policy, more_layers).to_vector<float>();
  };
  EXPECT_EQ(weights(SeedPolicy::by_name, false), weights(SeedPolicy::by_name, true));
  EXPECT_NE(weights(SeedPolicy::by_count, false), weights(SeedPolicy::by_count, true));
}

TEST_F(SeedsTest, OriginsAreSeen) {
  build_random_ops();
  EXPECT_EQ(origins(graph_), std::vector(kRandomOps, SeedOrigin::kEntropy));
  Graph counted;
  {
    GraphScope scope(counted);
    set_random_seed(7);
    constant(1.0F);
    build_random_ops();
    EXPECT_EQ(origins(counted), std::vector(kRandomOps, SeedOrigin::kNodeCount));
  }
  Graph given;
  {
    GraphScope scope(given);
    random_uniform({2}, {.seed = 2});
    set_random_seed(7);
    random_uniform({2}, {.seed = 2});
    random_uniform({2}, {.seed = 9});
    random_uniform({2}, {.seed = 1000});
    EXPECT_EQ(origins(given), std::vector(4, SeedOrigin::kOpSeed));
  }
}

TEST_F(SeedsTest, ALateSeedWarnsOnceWithThePlaces) {
  const Output early = random_uniform({2}, {.name = "early"});
  const int early_line = __LINE__ - 1;
  random_shuffle(early, {.name = "mixed"});
  testing::internal::CaptureStderr();
  set_random_seed(2);
  const int line = __LINE__ - 1;
  set_random_seed(3);
  set_random_seed(3, SeedPolicy::by_name);
  EXPECT_EQ(
      testing::internal::GetCapturedStderr(),
      fmt::format("assay: warning: set_random_seed(2) (seeds_test.cc:{}) does not change the seeds "
                  "of 2 random ops made before it: RandomUniform 'early/RandomUniform' "
                  "(seeds_test.cc:{}), RandomShuffle 'mixed' (seeds_test.cc:{}). Call it before "
                  "the first of them\n",
                  line, early_line, early_line + 2));
  EXPECT_EQ(graph_.seed(), 3);
  EXPECT_EQ(seed_policy(graph_), SeedPolicy::by_name);
}

TEST_F(SeedsTest, ALatePolicyWarnsToo) {
  testing::internal::CaptureStderr();
  set_random_seed(2);
  set_random_seed(5);
  random_uniform({2}, {.name = "early"});
  set_random_seed(5);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  testing::internal::CaptureStderr();
  set_random_seed(5, SeedPolicy::by_name);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("does not change the seeds of 1 random op made before it: "));
}

TEST_F(SeedsTest, ManyPlacesAreCutShort) {
  for (int i = 0; i < 12; ++i) random_uniform({2});
  testing::internal::CaptureStderr();
  set_random_seed(2);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, testing::HasSubstr("'random_uniform_9/RandomUniform'"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("random_uniform_10")));
  EXPECT_THAT(text, testing::HasSubstr(" and 2 more. Call it"));
}

TEST_F(SeedsTest, UnseededOpsDependOnTheEntropyAndTheirNamesOnly) {
  const Output a = random_uniform({3}, {.name = "a"});
  const Output b = random_normal({3}, {.name = "b"});
  Session first({.entropy = 42});
  Session second({.threads = 3, .entropy = 42});
  EXPECT_EQ(first.entropy(), 42U);
  const auto values = [](Session& session, const Output& x) {
    return session.run(x).to_vector<float>();
  };
  // In another order.
  const auto a1 = values(first, a);
  const auto b1 = values(first, b);
  EXPECT_EQ(values(second, b), b1);
  EXPECT_EQ(values(second, a), a1);
  Session other({.entropy = 43});
  EXPECT_NE(values(other, a), a1);

  // In a graph with more in it.
  Graph graph;
  GraphScope scope(graph);
  random_uniform({3}, {.name = "c"});
  const Output same = random_uniform({3}, {.name = "a"});
  Session third({.entropy = 42});
  EXPECT_EQ(values(third, same), a1);
}

TEST_F(SeedsTest, FreshEntropyIsToldOnceAndCanBeGivenAgain) {
  const Output a = random_uniform({3});
  const Output b = random_uniform({3});
  testing::internal::CaptureStderr();
  Session session;
  const auto drawn = session.run(std::vector<Output>{a, b});
  const std::uint64_t entropy = session.entropy();
  EXPECT_EQ(
      testing::internal::GetCapturedStderr(),
      fmt::format("assay: random ops without a seed draw from the entropy {:#018x}\n", entropy));
  Session again({.entropy = entropy});
  EXPECT_EQ(again.run(b).to_vector<float>(), drawn[1].to_vector<float>());
  EXPECT_NE(Session().entropy(), entropy);

  testing::internal::CaptureStderr();
  Session seeded;
  seeded.run(random_uniform({3}, {.seed = 1}));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace assay
