// What the functions compute, run through a session.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "assay/api/array_ops.h"
#include "assay/api/clip_ops.h"
#include "assay/api/constant.h"
#include "assay/api/initializers.h"
#include "assay/api/layers.h"
#include "assay/api/math_ops.h"
#include "assay/api/nn.h"
#include "assay/api/random_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/runtime/session.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

class RunTest : public ::testing::Test {
 protected:
  std::vector<float> floats(const Output& x) { return Session().run(x).to_vector<float>(); }
  float scalar(const Output& x) { return Session().run(x).item<float>(); }
  Graph graph_;
  GraphScope scope_{graph_};
};

// The numbers that the TensorFlow notes print.
TEST_F(RunTest, OpSeed) {
  const Output c = random_uniform({}, -10, 10, {.seed = 2});
  for (int session = 0; session < 2; ++session) {
    Session s;
    EXPECT_FLOAT_EQ(s.run(c).item<float>(), 3.574932F);
    EXPECT_FLOAT_EQ(s.run(c).item<float>(), -5.9731865F);
  }
}

TEST_F(RunTest, GraphSeed) {
  for (int i = 0; i < 4; ++i) random_uniform({}, -10, 10, {.seed = 2});
  set_random_seed(2);
  const Output c = random_uniform({}, -10, 10);
  const Output d = random_uniform({}, -10, 10);
  Session s;
  EXPECT_FLOAT_EQ(s.run(c).item<float>(), 9.123926F);
  EXPECT_FLOAT_EQ(s.run(d).item<float>(), -4.5340395F);
}

TEST_F(RunTest, NumbersOfEveryTypeCanBeFed) {
  const Output i = placeholder(int64, {});
  const Output x = placeholder(float32, {});
  const Output b = placeholder(boolean, {});
  Session s;
  const std::int64_t large = (std::int64_t{1} << 60) + 1;
  EXPECT_EQ(s.run(i + 0, {{i, large}}).item<std::int64_t>(), large);
  EXPECT_EQ(s.run(i + 0, {{i, std::size_t{7}}}).item<std::int64_t>(), 7);
  EXPECT_EQ(s.run(x * 2, {{x, std::int64_t{3}}}).item<float>(), 6);
  EXPECT_EQ(s.run(x * 2, {{x, 1.5F}}).item<float>(), 3);
  EXPECT_EQ(s.run(logical_not(b), {{b, true}}).item<bool>(), false);
}

TEST_F(RunTest, Operators) {
  const Output x = constant({1.0, -2.0});
  EXPECT_THAT(floats(2 * x + 1), ElementsAre(3, -3));
  EXPECT_THAT(floats((1 - x) / 2), ElementsAre(0, 1.5));
  EXPECT_THAT(floats(x % 3), ElementsAre(1, 1));
  EXPECT_THAT(floats(-x), ElementsAre(-1, 2));
  EXPECT_EQ(Session().run(constant(7) / 2).item<double>(), 3.5);
  EXPECT_EQ(Session().run(floordiv(constant(-7), 2)).item<std::int32_t>(), -4);
}

TEST_F(RunTest, Variables) {
  const Variable w(constant({1.0, 2.0}), {.name = "w"});
  const Variable r(constant({1.0, 2.0}), {.use_resource = true, .name = "r"});
  const Output w_next = w.assign_add(constant({10.0, 10.0}));
  const Output r_next = r.assign_sub(constant({1.0, 1.0}));
  Session s;
  EXPECT_THROW(s.run(w.value()), Error);
  s.run(global_variables_initializer());
  EXPECT_THAT(s.run(w_next).to_vector<float>(), ElementsAre(11, 12));
  EXPECT_THAT(s.run(r_next).to_vector<float>(), ElementsAre(0, 1));
  EXPECT_THAT(s.run(w + r).to_vector<float>(), ElementsAre(11, 13));
}

TEST_F(RunTest, Indexing) {
  const Output x = reshape(range(6), {2, 3});
  const auto ints = [](const Output& o) { return Session().run(o).to_vector<std::int32_t>(); };
  EXPECT_THAT(ints(at(x, {1})), ElementsAre(3, 4, 5));
  EXPECT_THAT(ints(at(x, {Index::all(), -1})), ElementsAre(2, 5));
  EXPECT_THAT(ints(at(x, {0, Index::range(1, {})})), ElementsAre(1, 2));
  EXPECT_EQ(at(x, {Index::new_axis(), Index::ellipsis()}).shape(), (PartialShape{1, 2, 3}));
}

TEST_F(RunTest, Losses) {
  const Output logits = constant({{1.0, 2.0, 3.0}});
  const Output labels = constant({{0.0, 0.0, 1.0}});
  const float expected = std::log(1 + std::exp(-1.0F) + std::exp(-2.0F));
  EXPECT_NEAR(
      floats(nn::softmax_cross_entropy_with_logits({.labels = labels, .logits = logits}))[0],
      expected, 1e-6);
  EXPECT_NEAR(floats(nn::sparse_softmax_cross_entropy_with_logits(
                  {.labels = constant({2}), .logits = logits}))[0],
              expected, 1e-6);
  EXPECT_NEAR(
      floats(nn::sigmoid_cross_entropy_with_logits({.labels = labels, .logits = logits}))[2],
      std::log1p(std::exp(-3.0F)), 1e-6);
  EXPECT_FLOAT_EQ(scalar(nn::l2_loss(logits)), 7);
}

TEST_F(RunTest, SoftmaxAlongAnotherAxis) {
  const Output x = constant({{0.0, 0.0}, {0.0, std::log(3.0)}});
  const Output y = nn::softmax(x, {.axis = 0});
  EXPECT_THAT(floats(y), ElementsAre(FloatNear(0.5F, 1e-6F), FloatNear(0.25F, 1e-6F),
                                     FloatNear(0.5F, 1e-6F), FloatNear(0.75F, 1e-6F)));
  EXPECT_EQ(y.shape(), (PartialShape{2, 2}));
}

TEST_F(RunTest, EmbeddingFromOneAndFromSeveralTables) {
  const Output whole = constant({{0.0, 0.5}, {1.0, 1.5}, {2.0, 2.5}});
  const Output ids = constant({2, 0});
  EXPECT_THAT(floats(nn::embedding_lookup(whole, ids)), ElementsAre(2, 2.5, 0, 0.5));
  const Output even = constant({{0.0, 0.5}, {2.0, 2.5}});
  const Output odd = constant({{1.0, 1.5}});
  const Output low = constant({{0.0, 0.5}, {1.0, 1.5}});
  const Output high = constant({{2.0, 2.5}});
  Session s;
  for (const char* strategy : {"mod", "div"}) {
    const std::vector<Operand> tables =
        strategy[0] == 'm' ? std::vector<Operand>{even, odd} : std::vector<Operand>{low, high};
    const Output found = nn::embedding_lookup(tables, ids, {.partition_strategy = strategy});
    EXPECT_THAT(s.run(found).to_vector<float>(), ElementsAre(2, 2.5, 0, 0.5)) << strategy;
    EXPECT_EQ(found.shape(), (PartialShape{2, 2}));
  }
}

TEST_F(RunTest, NceLossIsFiniteAndOneAnExample) {
  set_random_seed(3);
  const Variable weights(truncated_normal({50, 4}), {.name = "weights"});
  const Variable biases(zeros({50}), {.name = "biases"});
  const Output labels = constant({{1}, {2}, {7}}, {.dtype = int64});
  const Output inputs = random_normal({3, 4});
  const Output nce = nn::nce_loss(weights, biases, labels, inputs, 8, 50);
  const Output sampled = nn::sampled_softmax_loss(weights, biases, labels, inputs, 8, 50);
  Session s;
  s.run(global_variables_initializer());
  for (const Output& loss : {nce, sampled}) {
    const std::vector<float> values = s.run(loss).to_vector<float>();
    ASSERT_EQ(values.size(), 3U);
    for (const float v : values) EXPECT_TRUE(std::isfinite(v) && v > 0) << v;
  }
}

TEST_F(RunTest, Clipping) {
  const Output x = constant({3.0, -4.0});
  EXPECT_THAT(floats(clip_by_value(x, -1, 1)), ElementsAre(1, -1));
  EXPECT_THAT(floats(clip_by_norm(x, 2.5)), ElementsAre(1.5, -2));
  const auto [clipped, norm] = clip_by_global_norm({x, {}}, 2.5);
  EXPECT_FLOAT_EQ(scalar(norm), 5);
  EXPECT_THAT(floats(clipped[0]), ElementsAre(FloatNear(1.5F, 1e-6F), FloatNear(-2, 1e-6F)));
  EXPECT_FALSE(clipped[1]);
}

TEST_F(RunTest, MomentsAndNormalization) {
  const Output x = constant({{1.0, 2.0}, {3.0, 6.0}});
  const auto [mean, variance] = nn::moments(x, {0});
  EXPECT_THAT(floats(mean), ElementsAre(2, 4));
  EXPECT_THAT(floats(variance), ElementsAre(1, 4));
  EXPECT_THAT(floats(nn::batch_normalization(x, mean, variance, 1.0, {}, 0.0)),
              ElementsAre(0, 0, 2, 2));
  EXPECT_NEAR(floats(nn::l2_normalize(constant({3.0, 4.0})))[0], 0.6, 1e-6);
}

TEST_F(RunTest, DropoutKeepsTheMean) {
  const Output x = ones({1000});
  const Output y = nn::dropout(x, {.keep_prob = 0.5, .seed = 1});
  double sum = 0;
  for (const float v : floats(y)) {
    EXPECT_TRUE(v == 0 || v == 2) << v;
    sum += v;
  }
  EXPECT_NEAR(sum, 1000, 150);
  EXPECT_THROW(nn::dropout(x, {.rate = 1.5}), Error);
  EXPECT_THROW(nn::dropout(x, {}), Error);
  EXPECT_EQ(nn::dropout(x, {.rate = 0.0}), x);
}

TEST_F(RunTest, Initializers) {
  const auto values = [&](const Initializer& init, const Shape& shape) {
    return floats(init(shape, float32));
  };
  for (const float v : values(glorot_uniform_initializer({.seed = 1}), Shape{20, 10})) {
    EXPECT_LE(std::abs(v), std::sqrt(6.0F / 30));
  }
  for (const float v :
       values(truncated_normal_initializer({.stddev = 0.5, .seed = 1}), Shape{99})) {
    EXPECT_LT(std::abs(v), 1.0F);
  }
  EXPECT_THAT(values(constant_initializer(3), Shape{2}), ElementsAre(3, 3));
  EXPECT_THROW(variance_scaling_initializer({.scale = 0}), Error);
}

TEST_F(RunTest, Tensordot) {
  const Output a = reshape(to_float(range(12)), {2, 2, 3});
  const Output b = ones({3, 2});
  const Output y = tensordot(a, b, 1);
  EXPECT_EQ(y.shape(), (PartialShape{2, 2, 2}));
  EXPECT_THAT(floats(y), ElementsAre(3, 3, 12, 12, 21, 21, 30, 30));
  EXPECT_THAT(floats(tensordot(a, b, {2}, {0})), ElementsAre(3, 3, 12, 12, 21, 21, 30, 30));
  EXPECT_EQ(tensordot(a, b, {1}, {1}).shape(), (PartialShape{2, 3, 3}));
}

TEST_F(RunTest, DenseLayersTakeTensorsOfHigherRank) {
  const Output x = reshape(to_float(range(12)), {2, 2, 3});
  const Output y = layers::dense(x, 2, {.kernel_initializer = ones_initializer()});
  EXPECT_EQ(y.shape(), (PartialShape{2, 2, 2}));
  Session session;
  session.run(global_variables_initializer());
  EXPECT_THAT(session.run(y).to_vector<float>(), ElementsAre(3, 3, 12, 12, 21, 21, 30, 30));
}

}  // namespace
}  // namespace assay
