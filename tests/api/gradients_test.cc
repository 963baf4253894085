// Derivatives of what users write: through look-ups, broadcasts, shared parts, and again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/gradient_check.h"
#include "assay/api/math_ops.h"
#include "assay/api/nn.h"
#include "assay/api/variable.h"
#include "assay/api/variable_scope.h"
#include "assay/autodiff/gradients.h"
#include "assay/runtime/session.h"

namespace assay {
namespace {

using ::testing::ElementsAre;

class ApiGradientsTest : public ::testing::Test {
 protected:
  Output placeholder(const Shape& shape, DType dtype = float64) {
    NodeBuilder b(graph_);
    return b.op("Placeholder", {}, {{"dtype", dtype}, {"shape", PartialShape(shape)}}, "x");
  }
  static std::vector<double> values(const Output& y, const std::vector<Feed>& feeds) {
    Session session;
    return session.run(y, feeds).to_vector<double>();
  }
  Graph graph_;
  GraphScope scope_{graph_};
};

Tensor f64(std::vector<double> values, const Shape& shape) {
  return Tensor::of<double>(values, shape);
}

TEST_F(ApiGradientsTest, ALookupGivesSlices) {
  const Output table = placeholder(Shape{4, 2});
  const Output ids = constant({1, 3, 1});
  const Output y = reduce_sum(square(nn::embedding_lookup(table, ids)));
  const Gradient g = gradients({y}, {table})[0];
  ASSERT_TRUE(g.is_sparse());
  const std::vector<Feed> feeds = {{table, f64({0, 1, 2, 3, 4, 5, 6, 7}, Shape{4, 2})}};
  EXPECT_THAT(values(g.slices.values, feeds), ElementsAre(4, 6, 12, 14, 4, 6));
  Session session;
  EXPECT_THAT(session.run(g.slices.indices).to_vector<std::int32_t>(), ElementsAre(1, 3, 1));
  // A row that was taken twice counts twice.
  EXPECT_THAT(values(dense_gradients({y}, {table})[0], feeds),
              ElementsAre(0, 0, 8, 12, 0, 0, 12, 14));
}

TEST_F(ApiGradientsTest, SlicesOfSeveralLookupsAreJoined) {
  const Output table = placeholder(Shape{4, 1});
  const Output first = nn::embedding_lookup(table, constant({0, 2}));
  const Output second = nn::embedding_lookup(table, constant({2}));
  const Output y = reduce_sum(first) + 10 * reduce_sum(second);
  const Gradient g = gradients({y}, {table})[0];
  ASSERT_TRUE(g.is_sparse());
  EXPECT_EQ(g.slices.values.node->op(), "ConcatV2");
  const std::vector<Feed> feeds = {{table, f64({1, 1, 1, 1}, Shape{4, 1})}};
  EXPECT_THAT(values(dense_gradients({y}, {table})[0], feeds), ElementsAre(1, 0, 11, 0));
}

TEST_F(ApiGradientsTest, IndicesOfBothTypesAreJoined) {
  const Output table = placeholder(Shape{3, 1});
  const Output y = reduce_sum(nn::embedding_lookup(table, constant({0, 2}))) +
                   reduce_sum(nn::embedding_lookup(table, constant({2}, {.dtype = int64})));
  const Gradient g = gradients({y}, {table})[0];
  ASSERT_TRUE(g.is_sparse());
  EXPECT_EQ(g.slices.indices.dtype(), int64);
  EXPECT_THAT(values(dense_gradients({y}, {table})[0], {{table, f64({1, 1, 1}, Shape{3, 1})}}),
              ElementsAre(1, 0, 2));
}

TEST_F(ApiGradientsTest, SlicesAndDenseAddUpDense) {
  const Output table = placeholder(Shape{3, 1});
  const Output y =
      reduce_sum(nn::embedding_lookup(table, constant({1, 1}))) + reduce_sum(square(table));
  const Gradient g = gradients({y}, {table})[0];
  ASSERT_FALSE(g.is_sparse());
  EXPECT_EQ(g.dense.node->op(), "AddN");
  EXPECT_THAT(values(g.dense, {{table, f64({1, 2, 3}, Shape{3, 1})}}), ElementsAre(2, 6, 6));
}

TEST_F(ApiGradientsTest, LookupsInVariablesOfBothKinds) {
  for (const bool resource : {false, true}) {
    const Variable table(constant({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}),
                         {.use_resource = resource, .name = "table"});
    const Output y = reduce_sum(square(nn::embedding_lookup(table, constant({2, 0}))));
    const Gradient g = gradients({y}, {table.ref()})[0];
    ASSERT_TRUE(g.is_sparse()) << resource;
    Session session;
    session.run(table.initializer());
    EXPECT_THAT(session.run(g.slices.values).to_vector<float>(), ElementsAre(10, 12, 2, 4));
    const Output whole = dense_gradients({reduce_sum(square(table))}, {table.ref()})[0];
    EXPECT_THAT(session.run(whole).to_vector<float>(), ElementsAre(2, 4, 6, 8, 10, 12));
  }
}

TEST_F(ApiGradientsTest, BroadcastsAreSummedBack) {
  const Output x = placeholder(Shape{2, 3});
  const Output row = placeholder(Shape{3});
  const Output column = placeholder(Shape{2, 1});
  const Output number = placeholder(Shape{});
  const Output y = (x * row + column) / number;
  const std::vector<Feed> at = {{x, f64({1, 2, 3, 4, 5, 6}, Shape{2, 3})},
                                {row, f64({1, -1, 0.5}, Shape{3})},
                                {column, f64({2, 3}, Shape{2, 1})},
                                {number, f64({1.5}, Shape{})}};
  EXPECT_NO_THROW(check_gradient(y, at));
  const auto first = dense_gradients({square(y)}, {x, row, column, number});
  for (const Output& g : first) EXPECT_NO_THROW(check_gradient(g, at));
}

// The shapes are known only while running: the axes to sum over are worked out then.
TEST_F(ApiGradientsTest, BroadcastsOfUnknownShapes) {
  NodeBuilder b(graph_);
  const AttrMap attrs = {{"dtype", float64}};
  const Output x = b.op("Placeholder", {}, attrs);
  const Output y = b.op("Placeholder", {}, attrs);
  const std::vector<Feed> at = {{x, f64({1, 2, 3, 4}, Shape{2, 1, 2})},
                                {y, f64({5, 6}, Shape{2, 1})}};
  EXPECT_NO_THROW(check_gradient(x * y, at));
  const auto grads = dense_gradients({x / y}, {x, y});
  Session session;
  EXPECT_EQ(session.run(grads[0], at).shape(), (Shape{2, 1, 2}));
  EXPECT_EQ(session.run(grads[1], at).shape(), (Shape{2, 1}));
}

TEST_F(ApiGradientsTest, AYBeforeAnotherYAndAnXBehindAnotherX) {
  const Output x = placeholder(Shape{});
  const Output middle = square(x);
  const Output y = middle * x;
  const std::vector<Feed> at = {{x, f64({3}, Shape{})}};
  EXPECT_THAT(values(dense_gradients({y, middle}, {x})[0], at), ElementsAre(27 + 6));
  const auto both = dense_gradients({y}, {middle, x});
  EXPECT_THAT(values(both[0], at), ElementsAre(3));
  EXPECT_THAT(values(both[1], at), ElementsAre(27));
  EXPECT_THAT(values(dense_gradients({x}, {x})[0], at), ElementsAre(1));
}

TEST_F(ApiGradientsTest, WhatIsHeldConstant) {
  const Output x = placeholder(Shape{});
  const Output middle = square(x);
  const Output y = middle * x;
  const std::vector<Feed> at = {{x, f64({3}, Shape{})}};
  EXPECT_THAT(values(dense_gradients({y}, {x}, {.stop_gradients = {middle}})[0], at),
              ElementsAre(9));
  EXPECT_THAT(values(dense_gradients({stop_gradient(middle) * x}, {x})[0], at), ElementsAre(9));
  EXPECT_FALSE(dense_gradients({stop_gradient(y)}, {x})[0]);
  const Output apart = placeholder(Shape{2});
  EXPECT_FALSE(dense_gradients({y}, {apart})[0]);
  EXPECT_THAT(values(dense_gradients({y}, {apart}, {.unconnected_zeros = true})[0],
                     {{apart, f64({1, 2}, Shape{2})}}),
              ElementsAre(0, 0));
}

TEST_F(ApiGradientsTest, WeightsOfTheYs) {
  const Output x = placeholder(Shape{2});
  const Output y = square(x);
  const Output z = 3 * x;
  const auto g = dense_gradients(
      {y, z}, {x}, {.grad_ys = {constant({10.0, 100.0}, {.dtype = float64}), Output()}});
  EXPECT_THAT(values(g[0], {{x, f64({1, 2}, Shape{2})}}), ElementsAre(23, 403));
  EXPECT_THROW(dense_gradients({y}, {x}, {.grad_ys = {constant({1.0, 2.0}, {.dtype = float32})}}),
               Error);
  EXPECT_THROW(dense_gradients({y}, {x}, {.grad_ys = {Output(), Output()}}), Error);
}

TEST_F(ApiGradientsTest, OfHigherOrder) {
  const Output x = placeholder(Shape{});
  Output y = exp(2 * x);
  for (int order = 0; order < 4; ++order) y = dense_gradients({y}, {x})[0];
  EXPECT_NEAR(values(y, {{x, f64({0.5}, Shape{})}})[0], 16 * std::exp(1.0), 1e-12);
  // Second derivatives through a product of matrices and through a look-up.
  const Output w = placeholder(Shape{3, 2});
  const Output loss =
      reduce_sum(square(matmul(nn::embedding_lookup(w, constant({2, 0, 2})), transpose(w))));
  const std::vector<Feed> at = {{w, f64({0.5, -1, 2, 0.25, 1, 1.5}, Shape{3, 2})}};
  EXPECT_NO_THROW(check_gradient(loss, at));
  EXPECT_NO_THROW(check_gradient(dense_gradients({loss}, {w})[0], at));
}

}  // namespace
}  // namespace assay
