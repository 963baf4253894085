#include "assay/autodiff/gradients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/runtime/session.h"
#include "tests/support/test_ops.h"

namespace assay {
namespace {

using testing::TestGraph;

class GradientsTest : public ::testing::Test {
 protected:
  TestGraph g;
  float at(Output o, Output x, float value) {
    Session session({.graph = &g.graph(), .threads = 1});
    return session.run(o, {{x, value}}).item<float>();
  }
};

TEST_F(GradientsTest, OfAProductAndAgain) {
  const Output x = g.placeholder("x", PartialShape::scalar());
  const Output y = g.op("Mul", {g.op("Mul", {x, x}), x});  // x^3
  const Output first = dense_gradients({y}, {x})[0];
  EXPECT_EQ(at(first, x, 2), 12);
  const Output second = dense_gradients({first}, {x})[0];
  EXPECT_EQ(at(second, x, 2), 12);
  const Output third = dense_gradients({second}, {x})[0];
  EXPECT_EQ(at(third, x, 5), 6);
}

TEST_F(GradientsTest, NamesAsTensorFlowGivesThem) {
  const Output x = g.placeholder("x", PartialShape::scalar());
  const Output y = g.op("Mul", {x, x}, {}, "square");
  gradients({y}, {x});
  EXPECT_NE(g.graph().find_node("gradients/Shape"), nullptr);
  EXPECT_NE(g.graph().find_node("gradients/grad_ys_0"), nullptr);
  EXPECT_NE(g.graph().find_node("gradients/Fill"), nullptr);
  EXPECT_NE(g.graph().find_node("gradients/square_grad/Mul"), nullptr);
  EXPECT_NE(g.graph().find_node("gradients/AddN"), nullptr);
}

TEST_F(GradientsTest, UnconnectedStopsAndSeveralYs) {
  const Output x = g.placeholder("x", PartialShape::scalar());
  const Output z = g.placeholder("z", PartialShape::scalar());
  const Output y = g.op("Mul", {x, x});
  EXPECT_FALSE(gradients({y}, {z})[0].defined());
  EXPECT_FALSE(gradients({y}, {x}, {.stop_gradients = {y}})[0].defined());
  const Output both = dense_gradients({y, g.op("Add", {x, x})}, {x})[0];
  EXPECT_EQ(at(both, x, 3), 8);  // 2x + 2
  const Output seeded = dense_gradients({y}, {x}, {.grad_ys = {g.number(10)}})[0];
  EXPECT_EQ(at(seeded, x, 3), 60);
}

TEST_F(GradientsTest, GatedGradientsWaitForEachOther) {
  const Output x = g.placeholder("x", PartialShape::scalar());
  const Output z = g.placeholder("z", PartialShape::scalar());
  const auto grads = gradients({g.op("Mul", {x, z}, {}, "xz")}, {x, z}, {.gate_gradients = true});
  EXPECT_EQ(grads[0].dense.node->name(), "gradients/xz_grad/tuple/control_dependency");
  EXPECT_EQ(grads[1].dense.node->name(), "gradients/xz_grad/tuple/control_dependency_1");
  ASSERT_EQ(grads[1].dense.node->control_inputs().size(), 1U);
  EXPECT_EQ(grads[1].dense.node->control_inputs()[0]->name(), "gradients/xz_grad/tuple/group_deps");
}

TEST_F(GradientsTest, RefusesWhatHasNoDerivative) {
  const Output x = g.placeholder("x", PartialShape::scalar());
  EXPECT_THROW(gradients({g.op("Length", {x})}, {x}), Error);
  EXPECT_THROW(gradients({}, {x}), Error);
  EXPECT_THROW(gradients({x}, {Output{}}), Error);
  EXPECT_FALSE(gradients({g.op("Positive", {x})}, {x}, {.grad_ys = {g.floats({1})}})[0].defined());
}

}  // namespace
}  // namespace assay
