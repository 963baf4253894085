#include "assay/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <numeric>
#include <set>

#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/random_ops.h"
#include "assay/runtime/session.h"
#include "tests/support/fixtures.h"

namespace assay::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DatasetTest : public ::testing::Test {
 protected:
  /// Runs a fresh iterator to its end; at most `limit` elements.
  std::vector<Element> elements(const Dataset& dataset, std::size_t limit = 1000) {
    const Iterator iterator = dataset.make_initializable_iterator();
    const auto next = iterator.get_next();
    Session session;
    session.run(iterator.initializer());
    return take(session, next, limit);
  }

  static std::vector<Element> take(Session& session, const std::vector<Output>& next,
                                   std::size_t limit = 1000) {
    std::vector<Element> all;
    while (all.size() < limit) {
      try {
        all.push_back(session.run(next));
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::kOutOfRange) << e.what();
        break;
      }
    }
    return all;
  }

  static std::vector<std::int64_t> numbers(const std::vector<Element>& all) {
    std::vector<std::int64_t> result;
    for (const Element& e : all) {
      for (const std::int64_t v : e.at(0).to_vector<std::int64_t>()) result.push_back(v);
    }
    return result;
  }

  std::vector<std::int64_t> values(const Dataset& dataset, std::size_t limit = 1000) {
    return numbers(elements(dataset, limit));
  }

  Graph graph_;
  GraphScope scope_{graph_};
};

std::vector<std::string> names_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& node : graph.nodes()) names.push_back(node->name());
  return names;
}

TEST_F(DatasetTest, RangeGivesItsNumbersInOrder) {
  EXPECT_THAT(values(Dataset::range(4)), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(values(Dataset::range(3, 10, 3)), ElementsAre(3, 6, 9));
  EXPECT_THAT(values(Dataset::range(2, -3, -2)), ElementsAre(2, 0, -2));
  EXPECT_THAT(values(Dataset::range(5, 5)), ElementsAre());
}

TEST_F(DatasetTest, SlicesRunAlongTheFirstDimension) {
  const Tensor x = Tensor::of<float>({1, 2, 3, 4, 5, 6}, Shape{3, 2});
  const Dataset d = Dataset::from_tensor_slices({x, std::vector<std::string>{"a", "b", "c"}});
  EXPECT_EQ(d.output_shapes()[0], (PartialShape{2}));
  EXPECT_EQ(d.output_shapes()[1], PartialShape::scalar());
  const auto all = elements(d);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_THAT(all[1][0].to_vector<float>(), ElementsAre(3, 4));
  EXPECT_EQ(all[2][1].item<std::string>(), "c");
}

TEST_F(DatasetTest, SlicesOfDifferentNumbersAreRefused) {
  try {
    Dataset::from_tensor_slices({std::vector<int>{1, 2}, std::vector<int>{1, 2, 3}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
    EXPECT_THAT(e.message(), HasSubstr("component 1 has 3 slices"));
  }
}

TEST_F(DatasetTest, FromTensorsIsOneElement) {
  const auto all = elements(Dataset::from_tensors({std::vector<int>{1, 2}, 3.0}));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_THAT(all[0][0].to_vector<std::int32_t>(), ElementsAre(1, 2));
  EXPECT_EQ(all[0][1].item<float>(), 3);
}

TEST_F(DatasetTest, NodesAreTensorFlows) {
  Dataset::from_tensor_slices({std::vector<int>{1, 2}})
      .shuffle(10, {.seed = 3})
      .repeat()
      .batch(2)
      .make_initializable_iterator()
      .get_next();
  EXPECT_THAT(
      names_of(graph_),
      ElementsAre("normalize_element/component_0", "TensorSliceDataset", "buffer_size", "seed",
                  "seed2/Const", "seed2/Equal/y", "seed2/Equal", "seed2/Equal_1/y", "seed2/Equal_1",
                  "seed2/LogicalAnd", "seed2/Const_1", "seed2", "ShuffleDataset", "count",
                  "RepeatDataset", "batch_size", "drop_remainder", "BatchDatasetV2",
                  "optimizations", "OptimizeDataset", "ModelDataset", "IteratorV2", "MakeIterator",
                  "IteratorToStringHandle", "IteratorGetNext"));
}

TEST_F(DatasetTest, BatchKeepsOrDropsTheRemainder) {
  const Dataset d = Dataset::range(5);
  const Dataset kept = d.batch(2);
  EXPECT_EQ(kept.output_shapes()[0], (PartialShape{-1}));
  auto all = elements(kept);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_THAT(all[2][0].to_vector<std::int64_t>(), ElementsAre(4));
  const Dataset dropped = d.batch(2, {.drop_remainder = true});
  EXPECT_EQ(dropped.output_shapes()[0], (PartialShape{2}));
  all = elements(dropped);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_THAT(all[1][0].to_vector<std::int64_t>(), ElementsAre(2, 3));
}

TEST_F(DatasetTest, BatchOfDifferentShapesSaysWhich) {
  const Dataset d = Dataset::range(3).map(
      [](const Element& e) {
        return Element{Tensor::zeros(DType::kFloat, Shape{e[0].item<std::int64_t>() + 1})};
      },
      {DType::kFloat});
  const Iterator it = d.batch(3).make_initializable_iterator();
  const auto next = it.get_next();
  Session session;
  session.run(it.initializer());
  try {
    session.run(next);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
    EXPECT_THAT(e.message(), HasSubstr("element 1 has [2]"));
  }
}

TEST_F(DatasetTest, RepeatTakeSkipConcatenateZip) {
  EXPECT_THAT(values(Dataset::range(2).repeat(3)), ElementsAre(0, 1, 0, 1, 0, 1));
  EXPECT_THAT(values(Dataset::range(2).repeat(0)), ElementsAre());
  EXPECT_THAT(values(Dataset::range(2).repeat(), 5), ElementsAre(0, 1, 0, 1, 0));
  EXPECT_THAT(values(Dataset::range(0).repeat()), ElementsAre());
  EXPECT_THAT(values(Dataset::range(5).take(2)), ElementsAre(0, 1));
  EXPECT_THAT(values(Dataset::range(3).take(-1)), ElementsAre(0, 1, 2));
  EXPECT_THAT(values(Dataset::range(5).skip(3)), ElementsAre(3, 4));
  EXPECT_THAT(values(Dataset::range(5).skip(-1)), ElementsAre());
  EXPECT_THAT(values(Dataset::range(2).concatenate(Dataset::range(7, 9))), ElementsAre(0, 1, 7, 8));
  const auto zipped = elements(Dataset::zip({Dataset::range(3), Dataset::range(10, 12)}));
  ASSERT_EQ(zipped.size(), 2u);
  EXPECT_EQ(zipped[1][0].item<std::int64_t>(), 1);
  EXPECT_EQ(zipped[1][1].item<std::int64_t>(), 11);
}

TEST_F(DatasetTest, ShuffleIsAPermutationGivenByTheSeed) {
  const auto order = values(Dataset::range(100).shuffle(100, {.seed = 7}));
  EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), 100u);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(values(Dataset::range(100).shuffle(100, {.seed = 7})), order);
  EXPECT_NE(values(Dataset::range(100).shuffle(100, {.seed = 8})), order);
  // A buffer of 1 leaves the order as it is; a small one moves nothing far forward.
  const auto same = values(Dataset::range(10).shuffle(1));
  EXPECT_TRUE(std::is_sorted(same.begin(), same.end()));
  const auto local = values(Dataset::range(100).shuffle(5, {.seed = 7}));
  for (std::int64_t i = 0; i < 100; ++i) EXPECT_LT(local[static_cast<std::size_t>(i)], i + 5);
}

TEST_F(DatasetTest, ShuffleGivesEachPassAnOrderOfItsOwnUnlessTold) {
  auto twice = values(Dataset::range(50).shuffle(50, {.seed = 7}).repeat(2));
  ASSERT_EQ(twice.size(), 100u);
  EXPECT_FALSE(std::equal(twice.begin(), twice.begin() + 50, twice.begin() + 50));
  twice = values(
      Dataset::range(50).shuffle(50, {.seed = 7, .reshuffle_each_iteration = false}).repeat(2));
  EXPECT_TRUE(std::equal(twice.begin(), twice.begin() + 50, twice.begin() + 50));
}

TEST_F(DatasetTest, MapByGraphAndByCode) {
  const Dataset squares = Dataset::range(4).map([](const std::vector<Output>& e) {
    return std::vector<Output>{e[0] * e[0], cast(e[0], DType::kFloat)};
  });
  EXPECT_EQ(squares.output_types()[1], DType::kFloat);
  const auto all = elements(squares);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[3][0].item<std::int64_t>(), 9);
  EXPECT_EQ(all[3][1].item<float>(), 3);
  const Dataset words = Dataset::range(2).map(
      [](const Element& e) {
        return Element{Tensor::scalar(std::to_string(e[0].item<std::int64_t>()))};
      },
      {DType::kString}, {PartialShape::scalar()});
  EXPECT_EQ(elements(words)[1][0].item<std::string>(), "1");
}

TEST_F(DatasetTest, MapMayNotUseTheGraphAroundIt) {
  const Output outside = constant(1);
  EXPECT_THROW(Dataset::range(2).map(
                   [&](const std::vector<Output>&) { return std::vector<Output>{outside}; }),
               Error);
}

TEST_F(DatasetTest, FilterKeepsWhatThePredicateTakes) {
  const Dataset odd =
      Dataset::range(6).filter([](const Element& e) { return e[0].item<std::int64_t>() % 2 == 1; });
  EXPECT_THAT(values(odd), ElementsAre(1, 3, 5));
  const Dataset big =
      Dataset::range(6).filter([](const std::vector<Output>& e) { return greater(e[0], 3); });
  EXPECT_THAT(values(big), ElementsAre(4, 5));
}

Generator count_to(std::int64_t n) {
  return [n] {
    return [n, i = std::int64_t{0}]() mutable -> std::optional<Element> {
      if (i == n) return std::nullopt;
      return Element{Tensor::scalar<std::int64_t>(i++)};
    };
  };
}

TEST_F(DatasetTest, GeneratorStartsAgainForEachPass) {
  const Dataset d = Dataset::from_generator(count_to(3), {DType::kInt64}, {PartialShape::scalar()});
  EXPECT_THAT(values(d.repeat(2)), ElementsAre(0, 1, 2, 0, 1, 2));
}

TEST_F(DatasetTest, GeneratorsElementsAreChecked) {
  const Dataset d = Dataset::from_generator(count_to(3), {DType::kInt64}, {{2}});
  const Iterator it = d.make_initializable_iterator();
  const auto next = it.get_next();
  Session session;
  session.run(it.initializer());
  EXPECT_THROW(session.run(next), Error);
}

TEST_F(DatasetTest, PrefetchKeepsOrderEndAndErrors) {
  std::vector<std::int64_t> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(values(Dataset::range(100).prefetch(3)), expected);
  EXPECT_EQ(values(Dataset::range(100).prefetch(-1)), expected);
  EXPECT_EQ(values(Dataset::range(100).prefetch(0)), expected);

  const Generator failing = [] {
    return [i = 0]() mutable -> std::optional<Element> {
      if (i == 2) fail(Code::kUnavailable, "the source is gone");
      return Element{Tensor::scalar<std::int64_t>(i++)};
    };
  };
  const Dataset d = Dataset::from_generator(failing, {DType::kInt64}).prefetch(8);
  const Iterator it = d.make_initializable_iterator();
  const auto next = it.get_next();
  Session session;
  session.run(it.initializer());
  EXPECT_EQ(session.run(next)[0].item<std::int64_t>(), 0);
  EXPECT_EQ(session.run(next)[0].item<std::int64_t>(), 1);
  try {
    session.run(next);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kUnavailable);
  }
}

TEST_F(DatasetTest, AnIteratorThatIsDroppedEndsItsThread) {
  const Iterator it = Dataset::range(1 << 20).prefetch(4).make_initializable_iterator();
  const auto next = it.get_next();
  Session session;
  for (int i = 0; i < 3; ++i) {
    session.run(it.initializer());
    EXPECT_EQ(session.run(next)[0].item<std::int64_t>(), 0);
  }
}

TEST_F(DatasetTest, IteratorMustBeInitialisedAndCanBeAgain) {
  const Iterator it = Dataset::range(2).make_initializable_iterator();
  const Output next = it.get_next()[0];
  Session session;
  try {
    session.run(next);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kFailedPrecondition);
  }
  for (int round = 0; round < 2; ++round) {
    session.run(it.initializer());
    EXPECT_EQ(session.run(next).item<std::int64_t>(), 0);
    EXPECT_EQ(session.run(next).item<std::int64_t>(), 1);
    for (int i = 0; i < 2; ++i) {
      try {
        session.run(next);
        FAIL();
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), Code::kOutOfRange);
      }
    }
  }
}

TEST_F(DatasetTest, ReinitialisableIteratorTakesSeveralDatasets) {
  const Iterator it = Iterator::from_structure({DType::kInt64}, {PartialShape::scalar()});
  Node* small = it.make_initializer(Dataset::range(2), "small");
  Node* large = it.make_initializer(Dataset::range(100, 103));
  EXPECT_EQ(small->name(), "small");
  EXPECT_EQ(large->name(), "make_initializer");
  EXPECT_THROW(it.initializer(), Error);
  EXPECT_THROW(it.make_initializer(Dataset::range(4).batch(2)), Error);
  const auto next = it.get_next();
  Session session;
  session.run(large);
  EXPECT_EQ(numbers(take(session, next, 1)), (std::vector<std::int64_t>{100}));
  session.run(small);
  EXPECT_EQ(numbers(take(session, next)), (std::vector<std::int64_t>{0, 1}));
}

TEST_F(DatasetTest, OneShotIteratorStartsByItselfInEachSession) {
  const Iterator it = Dataset::range(2).make_one_shot_iterator();
  const auto next = it.get_next();
  for (int round = 0; round < 2; ++round) {
    Session session;
    EXPECT_EQ(numbers(take(session, next)), (std::vector<std::int64_t>{0, 1}));
  }
}

TEST_F(DatasetTest, GetNextAsTuple) {
  const Dataset d = Dataset::from_tensor_slices({std::vector<int>{1}, std::vector<float>{2}});
  const Iterator it = d.make_one_shot_iterator();
  Output x;
  Output y;
  std::tie(x, y) = it.get_next<2>();
  Session session;
  const auto got = session.run({x, y});
  EXPECT_EQ(got[0].item<std::int32_t>(), 1);
  EXPECT_EQ(got[1].item<float>(), 2);
  EXPECT_THROW(it.get_next<3>(), Error);
}

TEST_F(DatasetTest, StateGoesOnWhereItWasSaved) {
  set_random_seed(5);
  const Dataset d =
      Dataset::range(40)
          .shuffle(7)
          .map(
              [](const Element& e) {
                return Element{Tensor::scalar<std::int64_t>(e[0].item<std::int64_t>() * 10)};
              },
              {DType::kInt64}, {PartialShape::scalar()})
          .repeat(3)
          .batch(4)
          .prefetch(2);
  const Iterator it = d.make_initializable_iterator();
  const auto next = it.get_next();
  for (const std::size_t before : {0u, 3u, 11u, 29u, 30u}) {
    Session first;
    first.run(it.initializer());
    take(first, next, before);
    const auto state = first.resources().find<IteratorResource>(it.resource_name())->save();
    const auto expected = numbers(take(first, next));
    Session second;
    second.run(it.initializer());
    second.resources().find<IteratorResource>(it.resource_name())->restore(state);
    EXPECT_EQ(numbers(take(second, next)), expected) << "after " << before;
  }
}

TEST_F(DatasetTest, StateOfAnotherDatasetIsRefused) {
  const Iterator it = Dataset::range(4).make_initializable_iterator();
  it.get_next();
  Session session;
  session.run(it.initializer());
  const auto resource = session.resources().find<IteratorResource>(it.resource_name());
  IteratorState wrong;
  wrong["iterator/nothing"] = Tensor::scalar<std::int64_t>(1);
  try {
    resource->restore(wrong);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kDataLoss);
  }
}

TEST_F(DatasetTest, TextLinesOfPlainAndPackedFiles) {
  const testing::TemporaryFolder folder;
  const std::string plain = (folder.path() / "a.txt").string();
  const std::string packed = (folder.path() / "b.gz").string();
  std::ofstream(plain) << "one\ntwo\r\n\nlast";
  gzFile gz = gzopen(packed.c_str(), "wb");
  gzputs(gz, "packed\n");
  gzclose(gz);
  const auto all = elements(TextLineDataset(std::vector<std::string>{plain, packed}));
  std::vector<std::string> lines;
  for (const Element& e : all) lines.push_back(e[0].item<std::string>());
  EXPECT_THAT(lines, ElementsAre("one", "two", "", "last", "packed"));

  const Iterator it = TextLineDataset("/nowhere/at/all").make_initializable_iterator();
  const auto next = it.get_next();
  Session session;
  session.run(it.initializer());
  try {
    session.run(next);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kNotFound);
    EXPECT_THAT(e.message(), HasSubstr("/nowhere/at/all"));
  }
}

TEST_F(DatasetTest, BadCountsAreRefusedWhenTheIteratorStarts) {
  for (const Dataset& d : {Dataset::range(3).batch(0), Dataset::range(3).shuffle(0),
                           Dataset::range(3).prefetch(-2), Dataset::range(0, 3, 0)}) {
    const Iterator it = d.make_initializable_iterator();
    Session session;
    try {
      session.run(it.initializer());
      ADD_FAILURE() << d.variant().name();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kInvalidArgument);
    }
  }
}

}  // namespace
}  // namespace assay::data
