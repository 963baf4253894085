#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/variable.h"
#include "assay/runtime/session.h"
#include "assay/train/learning_rate_decay.h"
#include "assay/train/optimizers_more.h"
#include "assay/train/training_util.h"

namespace assay::train {
namespace {

using ::testing::ElementsAre;

TEST(LearningRateDecay, ValuesFollowTheFormulas) {
  Graph graph;
  GraphScope scope(graph);
  const Output step = placeholder(int64, {.shape = Dims(Shape{}), .name = "step"});
  const Output smooth = exponential_decay(0.1, step, 10, 0.96);
  const Output stairs = exponential_decay(0.1, step, 10, 0.96, {.staircase = true});
  const Output inverse = inverse_time_decay(0.1, step, 10, 0.5);
  const Output polynomial =
      polynomial_decay(0.1, step, 20, {.end_learning_rate = 0.01, .power = 2.0});
  const Output cosine = cosine_decay(0.1, step, 20, {.alpha = 0.1});
  Session session({.threads = 1});
  for (const int t : {0, 5, 15, 30}) {
    const auto got = session.run({{step, t}}, {smooth, stairs, inverse, polynomial, cosine});
    const double part = std::min(t, 20) / 20.0;
    EXPECT_NEAR(got[0].item<float>(), 0.1 * std::pow(0.96, t / 10.0), 1e-7);
    EXPECT_NEAR(got[1].item<float>(), 0.1 * std::pow(0.96, t / 10), 1e-7);
    EXPECT_NEAR(got[2].item<float>(), 0.1 / (1 + 0.5 * t / 10.0), 1e-7);
    EXPECT_NEAR(got[3].item<float>(), 0.09 * (1 - part) * (1 - part) + 0.01, 1e-7);
    EXPECT_NEAR(got[4].item<float>(),
                0.1 * (0.9 * 0.5 * (1 + std::cos(std::numbers::pi * part)) + 0.1), 1e-7);
  }
}

TEST(LearningRateDecay, MakesTensorFlowsNodes) {
  Graph graph;
  GraphScope scope(graph);
  Variable step = create_global_step();
  const int first = graph.num_nodes();
  const Output rate = exponential_decay(0.1, step, 1000, 0.96, {.staircase = true});
  EXPECT_EQ(rate.name(), "ExponentialDecay:0");
  std::vector<std::string> names;
  for (const auto& node : graph.nodes()) {
    if (node->id() >= first) names.push_back(node->name());
  }
  EXPECT_THAT(names,
              ElementsAre("ExponentialDecay/initial_learning_rate", "ExponentialDecay/Cast/x",
                          "ExponentialDecay/Cast", "ExponentialDecay/Cast_1/x",
                          "ExponentialDecay/Cast_2", "ExponentialDecay/truediv",
                          "ExponentialDecay/Floor", "ExponentialDecay/Pow", "ExponentialDecay"));
}

/// Three steps of `optimizer` on w = [1, -2] with the gradient [0.5, -1.5].
std::vector<float> train(Optimizer&& optimizer) {
  Graph graph;
  GraphScope scope(graph);
  Variable w(std::vector<float>{1, -2}, {.name = "w"});
  Node* step = optimizer.minimize(reduce_sum(w * Operand(std::vector<float>{0.5F, -1.5F})));
  Session session({.threads = 1});
  session.run(global_variables_initializer());
  for (int i = 0; i < 3; ++i) session.run(step);
  return session.run(w.value()).to_vector<float>();
}

TEST(RMSProp, FollowsTheFormula) {
  for (const bool centered : {false, true}) {
    const auto got = train(RMSPropOptimizer(0.1, {.momentum = 0.5, .centered = centered}));
    const double gradient[] = {0.5, -1.5};
    double w[] = {1, -2};
    for (int i = 0; i < 2; ++i) {
      double ms = 1;
      double mg = 0;
      double mom = 0;
      for (int t = 0; t < 3; ++t) {
        ms = 0.9 * ms + 0.1 * gradient[i] * gradient[i];
        mg = 0.9 * mg + 0.1 * gradient[i];
        const double variance = centered ? ms - mg * mg : ms;
        mom = 0.5 * mom + 0.1 * gradient[i] / std::sqrt(variance + 1e-10);
        w[i] -= mom;
      }
      EXPECT_NEAR(got[static_cast<std::size_t>(i)], w[i], 1e-6) << centered;
    }
  }
}

TEST(Adadelta, FollowsTheFormula) {
  const auto got = train(AdadeltaOptimizer(1.0, {.epsilon = 1e-6}));
  const double gradient[] = {0.5, -1.5};
  double w[] = {1, -2};
  for (int i = 0; i < 2; ++i) {
    double accum = 0;
    double accum_update = 0;
    for (int t = 0; t < 3; ++t) {
      accum = 0.95 * accum + 0.05 * gradient[i] * gradient[i];
      const double update = std::sqrt(accum_update + 1e-6) / std::sqrt(accum + 1e-6) * gradient[i];
      accum_update = 0.95 * accum_update + 0.05 * update * update;
      w[i] -= update;
    }
    EXPECT_NEAR(got[static_cast<std::size_t>(i)], w[i], 1e-6);
  }
}

}  // namespace
}  // namespace assay::train
