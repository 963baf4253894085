#include "assay/api/operand.h"

#include <gtest/gtest.h>

#include <functional>

#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/random_ops.h"
#include "assay/api/variable_scope.h"

namespace assay {
namespace {

class OperandTest : public ::testing::Test {
 protected:
  static const Tensor value(const Output& c) { return c.node->attr<Tensor>("value"); }
  Graph graph_;
  GraphScope scope_{graph_};
};

TEST_F(OperandTest, NaturalDtypes) {
  EXPECT_EQ(constant(1).dtype(), int32);
  EXPECT_EQ(constant(std::int64_t{1}).dtype(), int64);
  EXPECT_EQ(constant(std::int64_t{1} << 40).dtype(), int64);
  EXPECT_EQ(constant(1.0F).dtype(), float32);
  EXPECT_EQ(constant(1.0).dtype(), float32);  // as Python's float
  EXPECT_EQ(constant(1.0, {.dtype = float64}).dtype(), float64);
  EXPECT_EQ(constant(true).dtype(), boolean);
  EXPECT_EQ(constant("text").dtype(), string);
  EXPECT_EQ(constant({1, 2}).shape(), (PartialShape{2}));
  EXPECT_EQ(constant({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}).shape(), (PartialShape{3, 2}));
  EXPECT_EQ(constant(Tensor::scalar(1.0)).dtype(), float64);  // a Tensor keeps its own
}

TEST_F(OperandTest, ConstantsTakeTheOtherSidesDtype) {
  const Output x = placeholder(float64, {2});
  EXPECT_EQ((x * 0.1).dtype(), float64);
  EXPECT_EQ(value(graph_.output("mul/y:0")).item<double>(), 0.1);  // not rounded to float
  const Output i = placeholder(int64, {2});
  EXPECT_EQ((i + 1).dtype(), int64);
  EXPECT_THROW(i + 0.5, Error);
}

TEST_F(OperandTest, FillsAShape) {
  const Tensor t = value(constant(7, {.shape = {2, 3}}));
  EXPECT_EQ(t.to_vector<std::int32_t>(), (std::vector<std::int32_t>(6, 7)));
  EXPECT_EQ(value(constant({1, 2, 3, 4}, {.shape = {2, 2}})).shape(), (Shape{2, 2}));
  EXPECT_THROW(constant({1, 2, 3}, {.shape = {2, 2}}), Error);
}

TEST_F(OperandTest, NothingIsDroppedSilently) {
  EXPECT_THROW(constant(0.5, {.dtype = int32}), Error);
  EXPECT_THROW(constant(300, {.dtype = uint8}), Error);
  EXPECT_THROW(constant("text", {.dtype = float32}), Error);
  EXPECT_THROW(constant(true, {.dtype = float32}), Error);
  EXPECT_THROW(convert_to_tensor(Operand{}), Error);
}

TEST_F(OperandTest, OperatorsCarryTheUsersLine) {
  const Output x = placeholder(float32, {2});
  const Output y = x + 1;
  EXPECT_EQ(y.node->place(), fmt::format("operand_test.cc:{}", __LINE__ - 1));
  const Output z = 2 / x;
  EXPECT_EQ(z.node->place(), fmt::format("operand_test.cc:{}", __LINE__ - 1));
  const Output r = random_uniform({2});
  EXPECT_EQ(r.node->place(), fmt::format("operand_test.cc:{}", __LINE__ - 1));
  EXPECT_EQ(graph_.find_node("random_uniform/mul")->place(), r.node->place());
  const Output n = -x;
  EXPECT_EQ(n.node->place(), fmt::format("operand_test.cc:{}", __LINE__ - 1));
}

TEST_F(OperandTest, ErrorsNameTheUsersLine) {
  const Output a = placeholder(float32, {2, 3}, {.name = "a"});
  const Output b = placeholder(float32, {4, 5}, {.name = "b"});
  try {
    matmul(a, b);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.where(), fmt::format("operand_test.cc:{}", __LINE__ - 3));
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
  }
}

TEST_F(OperandTest, MistakesOfAllKindsNameTheUsersLine) {
  const Output x = placeholder(float32, {2, 3}, {.name = "x"});
  const auto place_of_mistake = [](const std::function<void()>& mistake) {
    try {
      mistake();
    } catch (const Error& e) {
      EXPECT_NE(e.message().find(e.where()), std::string::npos) << e.message();
      return e.where();
    }
    return std::string("no error");
  };
  const std::string here = fmt::format("operand_test.cc:{}", __LINE__ + 1);
  EXPECT_EQ(place_of_mistake([&] { concat({}, 0); }), here);
  const std::string there = fmt::format("operand_test.cc:{}", __LINE__ + 1);
  EXPECT_EQ(place_of_mistake([&] { matmul(Output(), x); }), there);
  const std::string unset = fmt::format("operand_test.cc:{}", __LINE__ + 1);
  EXPECT_EQ(place_of_mistake([&] { Output() + x; }), unset);
  const std::string negative = fmt::format("operand_test.cc:{}", __LINE__ + 1);
  EXPECT_EQ(place_of_mistake([&] { zeros({2, -1}); }), negative);
  const std::string reuse = fmt::format("operand_test.cc:{}", __LINE__ + 2);
  const VariableScope scope("scope", {.reuse = true});
  EXPECT_EQ(place_of_mistake([&] { get_variable("w", {2}); }), reuse);
  EXPECT_THROW(placeholder(float32, {-5}), Error);
}

TEST_F(OperandTest, MixedGraphsAreNamedWithTheirPlaces) {
  const Output mine = placeholder(float32, {2}, {.name = "mine"});
  Graph other;
  GraphScope in_other(other);
  const Output theirs = placeholder(float32, {2}, {.name = "theirs"});
  const int line = __LINE__ + 2;
  try {
    add(mine, theirs);
    FAIL() << "no error";
  } catch (const Error& e) {
    for (const std::string& part : {fmt::format("'mine' (operand_test.cc:{})", line - 6),
                                    fmt::format("'theirs' (operand_test.cc:{})", line - 3),
                                    fmt::format("(operand_test.cc:{})", line)}) {
      EXPECT_NE(e.message().find(part), std::string::npos) << e.message();
    }
  }
}

TEST_F(OperandTest, ListsWithTensorsArePacked) {
  const Output n = placeholder(int32, Shape{}, {.name = "n"});
  const Output x = placeholder(float32, {6});
  const Output y = reshape(x, {n, -1});
  EXPECT_EQ(y.node->input(1).node->op(), "Pack");
  EXPECT_EQ(y.shape().rank(), 2);
}

TEST_F(OperandTest, NodesGoIntoTheirInputsGraph) {
  Graph other;
  Output x;
  {
    GraphScope in_other(other);
    x = placeholder(float32, {2});
  }
  EXPECT_EQ(&(x + 1).graph(), &other);
  EXPECT_EQ(&reduce_sum(x).graph(), &other);
  EXPECT_EQ(graph_.num_nodes(), 0);
  const Output y = placeholder(float32, {2});
  EXPECT_THROW(x + y, Error);
}

TEST_F(OperandTest, SeedsFollowTensorFlow) {
  const auto seeds = [&](std::optional<std::int64_t> op) { return get_seed(graph_, op); };
  using Pair = std::pair<std::int64_t, std::int64_t>;
  EXPECT_EQ(seeds({}), Pair(0, 0));
  EXPECT_EQ(seeds(2), Pair(87654321, 2));
  EXPECT_EQ(seeds(-1), Pair(87654321, 2147483646));
  zeros({});
  set_random_seed(2);
  EXPECT_EQ(seeds({}), Pair(2, 1));
  EXPECT_EQ(seeds(5), Pair(2, 5));
  set_random_seed(0);
  EXPECT_EQ(seeds(0), Pair(0, 2147483647));
}

TEST_F(OperandTest, SeedsOfTheNotes) {
  for (int i = 0; i < 4; ++i) random_uniform({}, -10, 10);
  EXPECT_EQ(graph_.num_nodes(), 28);
  set_random_seed(2);
  const Output c = random_uniform({}, -10, 10);
  const Output d = random_uniform({}, -10, 10);
  const auto seed2 = [&](const Output& o) {
    return graph_.find_node(o.node->name() + "/RandomUniform")->attr<std::int64_t>("seed2");
  };
  EXPECT_EQ(seed2(c), 31);
  EXPECT_EQ(seed2(d), 38);
}

}  // namespace
}  // namespace assay
