#include "assay/api/partitioned_variable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/api/constant.h"
#include "tests/support/errors.h"

namespace assay {
namespace {

using assay::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Fresh {
  Graph graph;
  GraphScope scope{graph};
};

TEST(Partitioners, AsTensorFlowsPythonGives) {
  const Shape shape{10, 4};
  EXPECT_THAT(fixed_size_partitioner(3)(shape, float32), ElementsAre(3, 1));
  EXPECT_THAT(fixed_size_partitioner(30, 1)(shape, float32), ElementsAre(1, 4));
  // 16 bytes a row: two rows a part.
  EXPECT_THAT(variable_axis_size_partitioner(40)(shape, float32), ElementsAre(5, 1));
  EXPECT_THAT(variable_axis_size_partitioner(40, {.max_shards = 2})(shape, float32),
              ElementsAre(2, 1));
  EXPECT_THAT(variable_axis_size_partitioner(1)(shape, float32), ElementsAre(10, 1));
  EXPECT_THAT(min_max_variable_partitioner({.max_partitions = 16})(Shape{1024, 1024}, float32),
              ElementsAre(16, 1));
  EXPECT_THAT(min_max_variable_partitioner({.max_partitions = 8})(Shape{1024, 1024}, float32),
              ElementsAre(8, 1));
  EXPECT_THAT(min_max_variable_partitioner()(shape, float32), ElementsAre(1, 1));
  EXPECT_EQ(error_of([] { variable_axis_size_partitioner(0); }).code(), Code::kInvalidArgument);
  EXPECT_EQ(error_of([&] { fixed_size_partitioner(2, 5)(shape, float32); }).code(),
            Code::kInvalidArgument);
}

TEST(PartitionedVariable, PartsAndNodes) {
  Fresh f;
  std::vector<std::string> names;
  const VariableScope scope("s");
  const auto v = get_partitioned_variable("v", {5, 2}, fixed_size_partitioner(2),
                                          {.initializer = zeros_initializer()});
  EXPECT_EQ(v.name(), "s/v");
  EXPECT_EQ(v.size(), 2U);
  EXPECT_EQ(v.parts()[0].op_name(), "s/v/part_0");
  EXPECT_EQ(v.parts()[0].shape(), (PartialShape{3, 2}));
  EXPECT_EQ(v.parts()[1].shape(), (PartialShape{2, 2}));
  EXPECT_EQ(v.parts()[1].state()->save_slice()->spec(), "5 2 3,2:0,2");
  const Output all = v.as_tensor();
  EXPECT_EQ(all.name(), "s/v:0");
  EXPECT_EQ(all.shape(), (PartialShape{5, 2}));
  for (const auto& node : f.graph.nodes()) names.push_back(node->name());
  EXPECT_THAT(
      names, ElementsAre("s/v/part_0/Initializer/zeros", "s/v/part_0", "s/v/part_0/Assign",
                         "s/v/part_0/read", "s/v/part_1/Initializer/zeros", "s/v/part_1",
                         "s/v/part_1/Assign", "s/v/part_1/read", "s/v/ConcatPartitions/concat/axis",
                         "s/v/ConcatPartitions/concat", "s/v"));
  EXPECT_EQ(global_variables().size(), 2U);
}

TEST(PartitionedVariable, AnInitialValueIsCut) {
  Fresh f;
  const auto v = get_partitioned_variable("v", {3}, fixed_size_partitioner(2),
                                          {.initial_value = constant({1.0F, 2.0F, 3.0F})});
  EXPECT_EQ(v.parts()[1].shape(), (PartialShape{1}));
  EXPECT_EQ(v.parts()[1].initial_value().node->name(), "v/part_1/PartitionedInitializer/Slice");
}

TEST(PartitionedVariable, AnInitialValueHasTheWholesShape) {
  Fresh f;
  const auto make = [](const Operand& value) {
    get_partitioned_variable("v", {4}, fixed_size_partitioner(2), {.initial_value = value});
  };
  const Output longer = constant({1.0F, 2.0F, 3.0F, 4.0F, 5.0F});
  const Output unknown = placeholder(float32, {-1});
  const std::size_t before = f.graph.nodes().size();
  const Error other = error_of([&] { make(longer); });
  EXPECT_EQ(other.code(), Code::kInvalidArgument);
  EXPECT_THAT(other.what(), HasSubstr("'v' of shape [4]"));
  EXPECT_THAT(other.what(), HasSubstr("got [5] from partitioned_variable_test.cc:"));
  EXPECT_THAT(other.where(), HasSubstr("partitioned_variable_test.cc:"));
  EXPECT_THAT(error_of([&] { make(unknown); }).what(), HasSubstr("got [?]"));
  EXPECT_THAT(error_of([&] { make(2.0F); }).what(), HasSubstr("got []"));
  EXPECT_EQ(f.graph.nodes().size(), before);
}

TEST(PartitionedVariable, ANameTwiceIsToldOfTheWholeBeforeAnyNode) {
  Fresh f;
  const Output value = constant({1.0F, 2.0F, 3.0F});
  const auto make = [&] {
    return get_partitioned_variable("v", {3}, fixed_size_partitioner(2), {.initial_value = value});
  };
  make();
  const std::size_t before = f.graph.nodes().size();
  const Error twice = error_of(make);
  EXPECT_EQ(twice.code(), Code::kAlreadyExists);
  EXPECT_EQ(twice.node(), "v");
  EXPECT_THAT(twice.what(), HasSubstr("'v' exists already: first made at "
                                      "partitioned_variable_test.cc:"));
  EXPECT_EQ(f.graph.nodes().size(), before);
  get_variable("w/part_1", {2});
  EXPECT_THAT(
      error_of([] { get_partitioned_variable("w", {4}, fixed_size_partitioner(2)); }).what(),
      HasSubstr("'w' exists already in its part 'w/part_1'"));
  EXPECT_EQ(f.graph.find_node("w/part_0"), nullptr);
  const VariableScope scope("s", {.reuse = true});
  const Error never =
      error_of([] { get_partitioned_variable("v", {4}, fixed_size_partitioner(2)); });
  EXPECT_EQ(never.code(), Code::kNotFound);
  EXPECT_EQ(never.node(), "s/v");
}

TEST(PartitionedVariable, SharingAndMistakes) {
  Fresh f;
  const auto make = [](Partitioner p, DType dtype = float32) {
    return get_partitioned_variable("v", {4, 2}, p, {.dtype = dtype});
  };
  VariableScope scope("s", {.reuse = AUTO_REUSE});
  const auto v = make(fixed_size_partitioner(2));
  EXPECT_EQ(make(fixed_size_partitioner(2)).parts()[1], v.parts()[1]);
  EXPECT_THAT(error_of([&] { make(fixed_size_partitioner(3)); }).what(), HasSubstr("[2,1]"));
  EXPECT_THAT(error_of([&] { make(fixed_size_partitioner(2), int32); }).what(), HasSubstr("int32"));
  EXPECT_THAT(error_of([&] { get_variable("v", {4, 2}); }).what(), HasSubstr("in parts"));
  EXPECT_THAT(error_of([&] {
                get_partitioned_variable("w", {4, 2}, [](const Shape&, DType) {
                  return std::vector<std::int64_t>{2, 2};
                });
              }).what(),
              HasSubstr("one above it at most"));
  EXPECT_THAT(
      error_of([&] { get_partitioned_variable("w", {-1}, fixed_size_partitioner(2)); }).what(),
      HasSubstr("fully known shape"));
}

TEST(PartitionedVariable, TheWholesShapeScalesRandomNumbers) {
  Fresh f;
  get_partitioned_variable("parts", {8, 4}, fixed_size_partitioner(4));
  get_variable("whole", {8, 4});
  const auto limit = [&](const std::string& name) {
    return f.graph.find_node(name + "/Initializer/random_uniform/max")
        ->attr<Tensor>("value")
        .item<float>();
  };
  EXPECT_EQ(limit("parts/part_0"), limit("whole"));
}

}  // namespace
}  // namespace assay
