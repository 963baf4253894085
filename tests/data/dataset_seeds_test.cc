#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/random_ops.h"
#include "assay/data/dataset.h"
#include "assay/graph/random_nodes.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"

namespace assay::data {
namespace {

using ::testing::HasSubstr;
using Seeds = std::pair<std::int64_t, std::int64_t>;

class DatasetSeedsTest : public ::testing::Test {
 protected:
  /// `count` elements, int64 scalars or floats as such.
  static std::vector<double> take(Session& session, const Iterator& iterator, int count) {
    const Output next = cast(iterator.get_next().at(0), float64);
    session.run(iterator.initializer());
    std::vector<double> all;
    for (int i = 0; i < count; ++i) all.push_back(session.run(next).item<double>());
    return all;
  }
  static std::vector<Output> add_noise(const std::vector<Output>& x) {
    return {cast(x[0], float32) + random_uniform({})};
  }

  Graph graph_;
  GraphScope scope_{graph_};
};

TEST_F(DatasetSeedsTest, AShuffleHasTheSeedsOfTheRules) {
  Dataset::range(9).shuffle(9);
  Dataset::range(9).shuffle(9, {.seed = 5});
  set_random_seed(7);
  const int nodes = graph_.num_nodes() + 4;  // start, stop, step and the range
  Dataset::range(9).shuffle(9);
  Dataset::range(9).shuffle(9, {.seed = 5});
  set_random_seed(7, SeedPolicy::by_name);
  Dataset::range(9).shuffle(9);
  Dataset::range(9).shuffle(9, {.seed = 5});
  const auto all = random_nodes(graph_);
  ASSERT_EQ(all.size(), 6U);
  EXPECT_EQ(all[0].seeds, Seeds(0, 0));
  EXPECT_EQ(all[0].origin, SeedOrigin::kEntropy);
  EXPECT_EQ(all[1].seeds, Seeds(87654321, 5));
  EXPECT_EQ(all[1].origin, SeedOrigin::kOpSeed);
  EXPECT_EQ(all[2].seeds, Seeds(7, nodes + 1));  // the buffer's size
  EXPECT_EQ(all[2].origin, SeedOrigin::kNodeCount);
  EXPECT_EQ(all[3].seeds, Seeds(7, 5));
  EXPECT_EQ(all[3].origin, SeedOrigin::kOpSeed);
  EXPECT_EQ(all[4].node->name(), "ShuffleDataset_4");
  EXPECT_EQ(all[4].seeds, Seeds(7, seed_by_name(7, "ShuffleDataset_4")));
  EXPECT_EQ(all[4].origin, SeedOrigin::kName);
  EXPECT_EQ(all[5].seeds, Seeds(7, 5));
}

TEST_F(DatasetSeedsTest, ShufflesWithoutSeedsFollowTheEntropy) {
  const Iterator one = Dataset::range(50).shuffle(50).make_initializable_iterator();
  const Iterator other = Dataset::range(50).shuffle(50).make_initializable_iterator();
  Session first({.entropy = 1});
  const auto order = take(first, one, 50);
  EXPECT_NE(take(first, other, 50), order);
  EXPECT_NE(take(first, one, 50), order) << "initialised again: another order";
  Session second({.entropy = 1});
  EXPECT_EQ(take(second, one, 50), order);
  Session third({.entropy = 2});
  EXPECT_NE(take(third, one, 50), order);
}

TEST_F(DatasetSeedsTest, MapsWithoutSeedsFollowTheEntropy) {
  const Iterator one = Dataset::range(5).map(add_noise).make_initializable_iterator();
  const Iterator other = Dataset::range(5).map(add_noise).make_initializable_iterator();
  testing::internal::CaptureStderr();
  Session first({.entropy = 1});
  const auto values = take(first, one, 5);
  EXPECT_NE(take(first, other, 5), values);
  Session second({.entropy = 1});
  EXPECT_EQ(take(second, one, 5), values);
  Session third({.entropy = 2});
  EXPECT_NE(take(third, one, 5), values);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(DatasetSeedsTest, EqualNodesOfTwoMapsHaveSeedsOfTheirOwnByName) {
  set_random_seed(7, SeedPolicy::by_name);
  const Iterator one = Dataset::range(5).map(add_noise).make_initializable_iterator();
  const Iterator other = Dataset::range(5).map(add_noise).make_initializable_iterator();
  const auto functions = function_graphs(graph_);
  ASSERT_EQ(functions.size(), 2U);
  const RandomNode random = random_nodes(*functions[1]).at(0);
  EXPECT_EQ(random.seeds,
            Seeds(7, seed_by_name(7, "AssayMapDataset_1/random_uniform/RandomUniform")));
  EXPECT_EQ(random.origin, SeedOrigin::kName);
  Session session;
  EXPECT_NE(take(session, one, 5), take(session, other, 5));
}

TEST_F(DatasetSeedsTest, ALateSeedNamesShufflesAndWhatMapsDraw) {
  const Dataset shuffled = Dataset::range(9).shuffle(9);
  const int line = __LINE__ - 1;
  shuffled.map(add_noise);
  testing::internal::CaptureStderr();
  set_random_seed(7);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr(fmt::format("of 2 random ops made before it: ShuffleDataset "
                                          "'ShuffleDataset' (dataset_seeds_test.cc:{}), "
                                          "RandomUniform 'random_uniform/RandomUniform' (",
                                          line)));
}

}  // namespace
}  // namespace assay::data
