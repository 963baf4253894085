#include "assay/api/variable.h"

#include <gtest/gtest.h>

#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/variable_scope.h"
#include "tests/support/errors.h"

namespace assay {
namespace {

class VariableTest : public ::testing::Test {
 protected:
  Graph graph_;
  GraphScope scope_{graph_};
};

TEST_F(VariableTest, SizesOfAnyIntegerType) {
  const int rows = 5;
  const std::int64_t columns = 3;
  const std::size_t depth = 2;
  EXPECT_EQ(get_variable("a", {rows, columns, depth}).shape(), (PartialShape{5, 3, 2}));
  EXPECT_EQ(get_variable("b", {}).shape(), PartialShape::scalar());
  EXPECT_EQ(get_variable("c", Shape{4}).shape(), (PartialShape{4}));
  EXPECT_EQ(get_variable("d", std::vector<int>{4}).shape(), (PartialShape{4}));
  EXPECT_EQ(get_variable("e", {.initial_value = 3}).dtype(), int32);
}

TEST_F(VariableTest, DefaultInitializerByDtype) {
  EXPECT_EQ(get_variable("f", {2}).initial_value().node->op(), "Add");  // glorot_uniform
  EXPECT_EQ(get_variable("i", {2}, {.dtype = int64}).initial_value().node->op(), "Const");
}

TEST_F(VariableTest, NodesOfGetVariableAreColocatedWithIt) {
  const Variable v = get_variable("w", {2}, {.initializer = zeros_initializer()});
  const std::vector<std::string> expected{"loc:@w"};
  for (const char* name : {"w/Initializer/zeros", "w", "w/Assign", "w/read"}) {
    const Node* node = graph_.find_node(name);
    ASSERT_NE(node, nullptr) << name;
    EXPECT_EQ(node->attr<std::vector<std::string>>("_class"), expected) << name;
  }
  const Variable plain(zeros({2}), {.name = "plain"});
  EXPECT_EQ(plain.node()->find_attr("_class"), nullptr);
}

TEST_F(VariableTest, ReuseWithoutLeaveNamesBothPlaces) {
  get_variable("w", {2});
  const int again = __LINE__ + 2;
  try {
    get_variable("w", {2});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kAlreadyExists);
    EXPECT_NE(e.message().find(fmt::format("made at variable_test.cc:{}", again - 3)),
              std::string::npos)
        << e.message();
    EXPECT_NE(e.message().find(fmt::format("asked for at variable_test.cc:{}", again)),
              std::string::npos)
        << e.message();
  }
}

TEST_F(VariableTest, ReuseSharesAndChecks) {
  Variable made;
  {
    VariableScope scope("layer");
    made = get_variable("w", {2, 3});
    EXPECT_EQ(made.name(), "layer/w:0");
    scope.reuse_variables();
    EXPECT_EQ(get_variable("w", {2, 3}), made);
    EXPECT_EQ(get_variable("w"), made);
    const std::string place = fmt::format("at variable_test.cc:{}", __LINE__ + 2);
    try {
      get_variable("w", {2, 4});
      FAIL() << "no error";
    } catch (const Error& e) {
      EXPECT_NE(e.message().find(place), std::string::npos) << e.message();
    }
    EXPECT_THROW(get_variable("w", {2, 3}, {.dtype = int32}), Error);
    EXPECT_THROW(get_variable("other", {2}), Error);
  }
  {
    VariableScope scope("layer", {.reuse = true});
    EXPECT_EQ(get_variable("w", {2, 3}), made);
    const Output made_again = zeros({});
    EXPECT_EQ(made_again.node->name(), "layer_1/zeros");
    VariableScope inner("inner");
    EXPECT_TRUE(get_variable_scope().reuse().is_true());  // inherited
  }
  {
    VariableScope scope("layer", {.reuse = AUTO_REUSE});
    EXPECT_EQ(get_variable("w", {2, 3}), made);
    EXPECT_EQ(get_variable("new", {1}).name(), "layer/new:0");
  }
  EXPECT_TRUE(get_variable_scope().reuse().is_false());
}

TEST_F(VariableTest, ScopesAreEnteredAgainByHandle) {
  VariableScopeHandle handle;
  {
    VariableScope outer("a");
    VariableScope inner("b");
    handle = inner.handle();
    get_variable("w", {1});
  }
  VariableScope elsewhere("c");
  VariableScope again(handle, {.reuse = true});
  EXPECT_EQ(get_variable("w", {1}).name(), "a/b/w:0");
  EXPECT_EQ(zeros({}).node->name(), "c/b/zeros");
}

TEST_F(VariableTest, DefaultNamesAreUnique) {
  for (const char* expected : {"dense/w:0", "dense_1/w:0"}) {
    const VariableScope scope = VariableScope::with_default_name("dense");
    EXPECT_EQ(get_variable("w", {1}).name(), expected);
  }
}

TEST_F(VariableTest, ScopeGivesInitializerAndRegularizer) {
  VariableScope scope("s", {.initializer = ones_initializer(),
                            .regularizer = [](const Output& w) { return reduce_sum(square(w)); }});
  get_variable("w", {2});
  EXPECT_NE(graph_.find_node("s/w/Initializer/ones"), nullptr);
  ASSERT_EQ(graph_.collection(graph_keys::kRegularizationLosses).size(), 1U);
  const Output loss = std::get<Output>(graph_.collection(graph_keys::kRegularizationLosses)[0]);
  EXPECT_EQ(loss.node->name(), "s/w/Regularizer/Sum");
}

TEST_F(VariableTest, Collections) {
  const Variable w(0.0, {.name = "w"});
  const Variable step(0, {.trainable = false, .name = "step"});
  const Variable local(
      0, {.trainable = false, .collections = {graph_keys::kLocalVariables}, .name = "local"});
  EXPECT_EQ(global_variables(), (std::vector<Variable>{w, step}));
  EXPECT_EQ(trainable_variables(), (std::vector<Variable>{w}));
  EXPECT_EQ(local_variables(), (std::vector<Variable>{local}));
}

TEST_F(VariableTest, VariableDefGoesThereAndBack) {
  const Variable w = get_variable("s/w", {2, 3}, {.trainable = false});
  const Variable r = get_variable("r", {2}, {.use_resource = true});
  for (const Variable& v : {w, r}) {
    const Variable back = Variable::from_bytes(graph_, v.state()->to_bytes());
    EXPECT_EQ(back.name(), v.name());
    EXPECT_EQ(back.ref(), v.ref());
    EXPECT_EQ(back.initializer(), v.initializer());
    EXPECT_EQ(back.initial_value(), v.initial_value());
    EXPECT_EQ(back.state()->snapshot(), v.state()->snapshot());
    EXPECT_EQ(back.trainable(), v.trainable());
    EXPECT_EQ(back.is_resource(), v.is_resource());
    EXPECT_EQ(back.shape(), v.shape());
    EXPECT_EQ(back.dtype(), v.dtype());
  }
  EXPECT_THROW(Variable::from_bytes(graph_, "nonsense"), Error);
}

TEST_F(VariableTest, UnknownShapeIsRefused) {
  const Output x = placeholder(float32, {-1});
  EXPECT_THROW(Variable{x}, Error);
  EXPECT_NO_THROW(Variable(x, {.validate_shape = false}));
  EXPECT_THROW(get_variable("none"), Error);
  EXPECT_THROW(get_variable("both", {2}, {.initial_value = 3}), Error);
}

TEST_F(VariableTest, ControlDependenciesOfTheCallerDoNotReachVariables) {
  const Output x = zeros({});
  ControlDependencies wait({x.node});
  const Variable w(0.0, {.name = "w"});
  for (const char* name : {"w/initial_value", "w/Assign", "w/read"}) {
    EXPECT_TRUE(graph_.find_node(name)->control_inputs().empty()) << name;
  }
}

}  // namespace
}  // namespace assay
