// The functions that make random ops: values where they are more than one op.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "assay/api/candidate_samplers.h"
#include "assay/api/constant.h"
#include "assay/api/random_distributions.h"
#include "assay/api/stateless_random_ops.h"
#include "assay/autodiff/gradients.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"
#include "tests/support/errors.h"

namespace assay {
namespace {

using testing::code_of;

class RandomApi : public ::testing::Test {
 protected:
  Tensor run(const Output& x) { return Session({.graph = &graph_, .threads = 1}).run(x); }

  Graph graph_;
  GraphScope scope_{graph_};
};

// Shapes and gradients as TensorFlow's random_grad_test has them.
TEST_F(RandomApi, GammaIsDifferentiableByBothParameters) {
  const Output alpha = ones({2, 2});
  const Output beta = ones({1, 2});
  for (const std::vector<int>& shape : {std::vector<int>{2, 3}, std::vector<int>{}}) {
    const Output sample = random_gamma(shape, alpha, {.beta = beta, .seed = 12345});
    const auto grads = dense_gradients({sample}, {alpha, beta});
    EXPECT_EQ(run(grads[0]).shape(), (Shape{2, 2}));
    EXPECT_EQ(run(grads[1]).shape(), (Shape{1, 2}));
  }
}

TEST_F(RandomApi, GammaHasAScaleAndIsNeverZero) {
  const Output one = random_gamma({1000}, 3.0, {.seed = 1});
  const Output four = random_gamma({1000}, 3.0, {.beta = 4.0, .seed = 1});
  Session session({.graph = &graph_, .threads = 1});
  const auto out = session.run({one, four});
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FLOAT_EQ(out[1].data<float>()[i], out[0].data<float>()[i] / 4);
  }
  const Tensor tiny = run(random_gamma({1000}, 1e-3, {.seed = 1}));
  for (const float x : tiny.span<float>()) ASSERT_GE(x, std::numeric_limits<float>::min());
}

TEST_F(RandomApi, PoissonOfSeveralRates) {
  const Tensor counts =
      run(random_poisson(std::vector<double>{0.0, 30.0}, {500}, {.dtype = int32, .seed = 1}));
  ASSERT_EQ(counts.shape(), (Shape{500, 2}));
  double mean = 0;
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(counts.data<std::int32_t>()[2 * i], 0);
    mean += counts.data<std::int32_t>()[2 * i + 1] / 500.0;
  }
  EXPECT_NEAR(mean, 30, 1);
}

TEST_F(RandomApi, CropsAtRandomPlaces) {
  const Output value =
      constant(std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {.shape = {3, 4}});
  const Output crop = random_crop(value, {2, 3}, {.seed = 5});
  Session session({.graph = &graph_, .threads = 1});
  std::set<int> corners;
  for (int i = 0; i < 60; ++i) {
    const auto got = session.run(crop).to_vector<std::int32_t>();
    const int at = got[0];
    corners.insert(at);
    EXPECT_EQ(got, (std::vector<std::int32_t>{at, at + 1, at + 2, at + 4, at + 5, at + 6}));
  }
  EXPECT_EQ(corners, (std::set<int>{0, 1, 4, 5}));
  const Output whole = random_crop(value, {3, 4});
  EXPECT_TRUE(run(whole).identical(run(value)));
  const Output more = random_crop(value, {4, 4});
  EXPECT_EQ(code_of([&] { run(more); }), Code::kInvalidArgument);
}

TEST_F(RandomApi, StatelessNumbersScale) {
  const Output plain = stateless_random_uniform({100}, std::vector<int>{1, 2});
  const Output wide = stateless_random_uniform({100}, std::vector<int>{1, 2}, -1.0, 3.0);
  const Output z = stateless_random_normal({100}, std::vector<int>{1, 2});
  const Output moved =
      stateless_random_normal({100}, std::vector<int>{1, 2}, {.mean = 5.0, .stddev = 2.0});
  const Output cut = stateless_truncated_normal({100}, std::vector<int>{1, 2}, {.stddev = 0.5});
  const Output whole =
      stateless_random_uniform({100}, std::vector<int>{1, 2}, 5, 7, {.dtype = int64});
  Session session({.graph = &graph_, .threads = 1});
  const auto out = session.run({plain, wide, z, moved, cut, whole});
  for (int i = 0; i < 100; ++i) {
    EXPECT_FLOAT_EQ(out[1].data<float>()[i], out[0].data<float>()[i] * 4 - 1);
    EXPECT_FLOAT_EQ(out[3].data<float>()[i], out[2].data<float>()[i] * 2 + 5);
    EXPECT_LT(std::abs(out[4].data<float>()[i]), 1);
    EXPECT_TRUE(out[5].data<std::int64_t>()[i] == 5 || out[5].data<std::int64_t>()[i] == 6);
  }
  EXPECT_EQ(code_of([] {
              stateless_random_uniform({2}, std::vector<int>{1, 2}, {.dtype = int32});
            }),
            Code::kInvalidArgument);
}

TEST_F(RandomApi, ClassesOfBothNames) {
  const Output logits = constant(std::vector<double>{0, 50, 0, 0}, {.shape = {2, 2}});
  const Tensor a = run(categorical(logits, 7, {.dtype = int32, .seed = 3}));
  EXPECT_EQ(a.dtype(), int32);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(a.data<std::int32_t>()[i], 1);
  const Tensor b = run(stateless_multinomial(logits, 7, std::vector<int>{4, 5}));
  EXPECT_TRUE(run(stateless_categorical(logits, 7, std::vector<int>{4, 5})).identical(b));
}

TEST_F(RandomApi, Samplers) {
  const Output trues = constant(std::vector<std::int64_t>{1, 2}, {.shape = {2, 1}});
  const auto learned = learned_unigram_candidate_sampler(trues, 1, 3, true, 5, {.seed = 1});
  const auto fixed = fixed_unigram_candidate_sampler(
      trues, 1, 3, true, 4, {.distortion = 0.5, .num_reserved_ids = 1, .unigrams = {1, 4, 9}});
  const auto all = all_candidate_sampler(trues, 1, 4, true);
  EXPECT_EQ(run(learned.sampled).shape(), Shape{3});
  const auto drawn = run(fixed.sampled).to_vector<std::int64_t>();
  EXPECT_EQ(std::set<std::int64_t>(drawn.begin(), drawn.end()), (std::set<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(run(all.sampled).to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace assay
