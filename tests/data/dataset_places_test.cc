// One dataset at several places of a pipeline: each place draws by itself, as TensorFlow's do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "assay/api/math_ops.h"
#include "assay/api/random_ops.h"
#include "assay/data/dataset.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"
#include "tests/support/errors.h"

namespace assay::data {
namespace {

using assay::testing::error_of;
using ::testing::HasSubstr;
using Numbers = std::vector<double>;
/// Makes a pipeline in the current graph.
using Pipeline = std::function<Dataset()>;

/// A graph with a pipeline and a session that reads it: what a process has.
class Reading {
 public:
  /// The graph's seed is 1, so a shuffle with the seed 2 has TensorFlow's seeds (1, 2).
  explicit Reading(const Pipeline& pipeline, std::optional<std::int64_t> seed = 1) {
    GraphScope scope(graph_);
    if (seed) set_random_seed(*seed);
    iterator_ = pipeline().make_initializable_iterator();
    for (const Output& x : iterator_.get_next()) next_.push_back(cast(x, float64));
    session_.emplace(SessionOptions{.graph = &graph_, .threads = 1});
    session_->run(iterator_.initializer());
  }

  /// The components of up to `limit` elements one after the other, fewer at the end.
  Numbers read(std::size_t limit) {
    Numbers all;
    try {
      for (std::size_t i = 0; i < limit; ++i) {
        for (const Tensor& t : session_->run(next_)) {
          for (const double x : t.to_vector<double>()) all.push_back(x);
        }
      }
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kOutOfRange) << e.message();
    }
    return all;
  }
  IteratorState save() { return resource().save(); }
  void restore(const IteratorState& state) { resource().restore(state); }

 private:
  IteratorResource& resource() {
    return *session_->resources().find<IteratorResource>(iterator_.resource_name());
  }

  Graph graph_;
  Iterator iterator_;
  std::vector<Output> next_;
  std::optional<Session> session_;
};

Numbers read(const Pipeline& pipeline, std::size_t limit = 1000) {
  return Reading(pipeline).read(limit);
}

Dataset shuffled(std::int64_t size = 10, std::int64_t buffer = 10) {
  return Dataset::range(size).shuffle(buffer, {.seed = 2});
}

/// Adds a random number to each element, in the graph.
Dataset with_noise(const Dataset& dataset) {
  return dataset.map([](const std::vector<Output>& x) {
    return std::vector<Output>{cast(x[0], float32) + random_uniform({})};
  });
}

Numbers joined(std::initializer_list<Numbers> parts) {
  Numbers all;
  for (const Numbers& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// Elements whose two components are these.
Numbers side_by_side(const Numbers& left, const Numbers& right) {
  Numbers all;
  for (std::size_t i = 0; i < left.size(); ++i) {
    all.push_back(left[i]);
    all.push_back(right.at(i));
  }
  return all;
}

// From shuffle_dataset_op_test.cc of TensorFlow 1.15.5: two passes over range(10) with the seeds
// (1, 2), if not others.
const Numbers kFirst = {2, 6, 1, 3, 9, 5, 0, 8, 7, 4};
const Numbers kSecond = {1, 6, 0, 5, 2, 7, 4, 3, 9, 8};

TEST(DatasetPlacesTest, OrdersAreTensorFlows) {
  const Numbers fixed = {2, 3, 0, 5, 6, 4, 7, 8, 9, 1};
  EXPECT_EQ(read([] {
              return Dataset::range(10)
                  .shuffle(3, {.seed = 2, .reshuffle_each_iteration = false})
                  .repeat(2);
            }),
            joined({fixed, fixed}));
  EXPECT_EQ(read([] { return shuffled().repeat(2); }), joined({kFirst, kSecond}));
  EXPECT_EQ(read([] { return shuffled(10, 2).repeat(2); }),
            joined({{0, 2, 1, 3, 5, 6, 4, 7, 8, 9}, {1, 0, 2, 3, 4, 5, 6, 7, 9, 8}}));
  const Numbers sorted = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  EXPECT_EQ(read([] { return shuffled(10, 1).repeat(2); }), joined({sorted, sorted}));
  EXPECT_EQ(read([] { return shuffled(0).repeat(2); }), Numbers{});
  EXPECT_EQ(Reading([] { return shuffled().repeat(2); }, 2).read(20),
            joined({{3, 0, 8, 1, 5, 4, 7, 2, 6, 9}, {4, 6, 9, 0, 1, 8, 2, 7, 3, 5}}));
}

TEST(DatasetPlacesTest, SidesOfAZipHaveOneOrder) {
  EXPECT_EQ(read([] {
              const Dataset s = shuffled();
              return Dataset::zip({s, s});
            }),
            side_by_side(kFirst, kFirst));
  const Numbers passes = joined({kFirst, kSecond});
  EXPECT_EQ(read([] {
              const Dataset s = shuffled();
              return Dataset::zip({s, s}).repeat(2);
            }),
            side_by_side(passes, passes));
  // Below the branches, too, and where one side is ahead.
  EXPECT_EQ(read([] {
              const Dataset s = shuffled().repeat(2);
              return Dataset::zip({s.skip(10), s.batch(2)});
            }),
            joined({{1, 2, 6},
                    {6, 1, 3},
                    {0, 9, 5},
                    {5, 0, 8},
                    {2, 7, 4},
                    {7, 1, 6},
                    {4, 0, 5},
                    {3, 2, 7},
                    {9, 4, 3},
                    {8, 9, 8}}));
  // Without seeds as well.
  const Numbers unseeded = Reading(
                               [] {
                                 const Dataset s = Dataset::range(50).shuffle(50);
                                 return Dataset::zip({s, s}).repeat(2);
                               },
                               std::nullopt)
                               .read(100);
  ASSERT_EQ(unseeded.size(), 200U);
  for (std::size_t i = 0; i < 200; i += 2) EXPECT_EQ(unseeded[i], unseeded[i + 1]);
}

TEST(DatasetPlacesTest, HalvesOfAConcatenationHaveOneOrder) {
  EXPECT_EQ(read([] {
              const Dataset s = shuffled();
              return s.concatenate(s).repeat(2);
            }),
            joined({kFirst, kFirst, kSecond, kSecond}));
}

TEST(DatasetPlacesTest, RandomOpsOfAMapBelongToItsPlace) {
  const Numbers once = read([] { return with_noise(Dataset::range(4)).repeat(2); });
  ASSERT_EQ(once.size(), 8U);
  EXPECT_NE(once[0], once[4]) << "the second pass goes on with other numbers";
  EXPECT_EQ(read([] {
              const Dataset m = with_noise(Dataset::range(4));
              return Dataset::zip({m, m}).repeat(2);
            }),
            side_by_side(once, once));
  const Numbers first(once.begin(), once.begin() + 4);
  EXPECT_EQ(read([] {
              const Dataset m = with_noise(Dataset::range(4));
              return m.concatenate(m);
            }),
            joined({first, first}));
}

TEST(DatasetPlacesTest, TwoIteratorsOfOneDatasetDoNotMeet) {
  Graph graph;
  GraphScope scope(graph);
  set_random_seed(1);
  const Dataset s = shuffled().repeat(2).batch(20);
  const Iterator one = s.make_initializable_iterator();
  const Iterator other = s.make_initializable_iterator();
  const Output next = cast(one.get_next().at(0), float64);
  const Output other_next = cast(other.get_next().at(0), float64);
  Session session({.graph = &graph});
  session.run({}, {}, {one.initializer(), other.initializer()});
  EXPECT_EQ(session.run(next).to_vector<double>(), joined({kFirst, kSecond}));
  EXPECT_EQ(session.run(other_next).to_vector<double>(), joined({kFirst, kSecond}));
}

// What the threads of two prefetches take from one dataset does not depend on who is ahead.
TEST(DatasetPlacesTest, ThreadsDoNotRace) {
  const Pipeline shuffle = [] {
    const Dataset s = shuffled(3, 3).repeat();
    return Dataset::zip({s.prefetch(64), s.prefetch(64)}).batch(600);
  };
  const Pipeline noise = [] {
    const Dataset m = with_noise(Dataset::range(3)).repeat();
    return Dataset::zip({m.prefetch(16), m.prefetch(16)}).batch(60);
  };
  for (const Pipeline& pipeline : {shuffle, noise}) {
    const Numbers expected = read(pipeline, 1);
    const auto half = static_cast<std::ptrdiff_t>(expected.size() / 2);
    ASSERT_GE(half, 60);
    EXPECT_EQ(Numbers(expected.begin(), expected.begin() + half),
              Numbers(expected.begin() + half, expected.end()));
    for (int i = 0; i < 20; ++i) ASSERT_EQ(read(pipeline, 1), expected) << i;
  }
}

TEST(DatasetPlacesTest, EachPlaceIsSaved) {
  const std::vector<Pipeline> pipelines = {
      [] {
        const Dataset s = shuffled(4, 3).repeat();
        return Dataset::zip({s.prefetch(5), s.skip(3).prefetch(2)});
      },
      [] {
        const Dataset s = shuffled(4, 3);
        return s.concatenate(s.prefetch(1)).repeat();
      },
      [] {
        const Dataset m = with_noise(shuffled(3, 3)).repeat();
        return Dataset::zip({m.prefetch(3), m, m.skip(2).prefetch(1)});
      },
      [] {
        const Dataset m = with_noise(shuffled(3, 3));
        return m.concatenate(m).repeat();
      }};
  for (std::size_t which = 0; which < pipelines.size(); ++which) {
    const Pipeline& pipeline = pipelines[which];
    const Numbers whole = read(pipeline, 40);
    const std::size_t components = whole.size() / 40;
    for (std::size_t before = 0; before < 12; ++before) {
      SCOPED_TRACE(fmt::format("pipeline {} after {} elements", which, before));
      Reading first(pipeline);
      first.read(before);
      Reading second(pipeline);
      second.restore(first.save());
      const Numbers rest(whole.begin() + static_cast<std::ptrdiff_t>(before * components),
                         whole.end());
      EXPECT_EQ(second.read(40 - before), rest);
      Reading third(pipeline);
      third.restore(first.save());
      third.read(7);
      Reading fourth(pipeline);
      fourth.restore(third.save());
      const std::size_t passed = (before + 7) * components;
      EXPECT_EQ(fourth.read(40 - before - 7),
                Numbers(whole.begin() + static_cast<std::ptrdiff_t>(passed), whole.end()));
    }
  }
}

// Earlier versions kept one entry for all places of a node.
TEST(DatasetPlacesTest, AStateWithOneEntryIsStillTaken) {
  const Pipeline pipeline = [] {
    const Dataset s = shuffled();
    return Dataset::zip({s, s}).repeat();
  };
  Reading first(pipeline);
  first.read(13);
  IteratorState state = first.save();
  ASSERT_TRUE(state.contains("dataset/ShuffleDataset#2/seed"));
  EXPECT_EQ(
      std::erase_if(state, [](const auto& e) { return e.first.find('#') != std::string::npos; }),
      4U);
  Reading second(pipeline);
  second.restore(state);
  EXPECT_EQ(second.read(30), first.read(30));
}

TEST(DatasetPlacesTest, MoreBranchesThanMemoryHoldsAreRefused) {
  const Error error = error_of([] {
    Reading([] {
      Dataset d = shuffled(1, 1);
      for (int i = 0; i < 60; ++i) d = d.concatenate(d);
      return d;
    });
  });
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_THAT(error.message(), HasSubstr("more than 65536 stages"));
  EXPECT_THAT(error.message(), HasSubstr("(dataset_places_test.cc:"));
}

}  // namespace
}  // namespace assay::data
