// Gamma, Poisson and bounded normal numbers, and classes of fixed weights, at 10^7 draws each, with
// fixed seeds. A p-value below 10^-3 or a moment beyond 4 standard deviations would be seen once in
// some hundred sets of such tests.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "tests/base/statistics.h"
#include "tests/ops/op_graph.h"

namespace assay::testing {
namespace {

constexpr std::int64_t kCount = 10000000;
constexpr double kLeastP = 1e-3;
constexpr double kMostDeviations = 4;

Tensor draw(OpGraph& g, const std::string& op, const std::vector<Tensor>& parameters,
            AttrMap attrs = {}) {
  std::vector<Output> inputs = {g.constant(Tensor::of<std::int64_t>({kCount}))};
  for (const Tensor& p : parameters) inputs.push_back(g.constant(p));
  attrs["seed"] = std::int64_t{20};
  attrs["seed2"] = std::int64_t{21};
  return g.session(2).run(g.op(op, inputs, std::move(attrs)));
}

/// Central moments from raw ones (binomially).
double central(const std::function<double(int)>& raw, int k) {
  double sum = 0;
  double choose = 1;
  for (int i = 0; i <= k; ++i) {
    sum += choose * raw(i) * std::pow(-raw(1), k - i);
    choose *= static_cast<double>(k - i) / (i + 1);
  }
  return sum;
}

class GammaStatistics : public ::testing::TestWithParam<double> {};

TEST_P(GammaStatistics, OfManyDraws) {
  const double alpha = GetParam();
  OpGraph g;
  const Tensor values = draw(g, "RandomGamma", {Tensor::scalar(static_cast<float>(alpha))});
  const auto raw = [&](int k) {
    double m = 1;
    for (int i = 0; i < k; ++i) m *= alpha + i;
    return m;
  };
  const std::span<const float> all(values.data<float>(), kCount);
  const auto deviations = moment_deviations(all, alpha, [&](int k) { return central(raw, k); });
  for (std::size_t k = 0; k < 4; ++k) EXPECT_LT(deviations[k], kMostDeviations) << k + 1;
  Histogram cells(0, alpha + 12 * std::sqrt(alpha) + 12, 1 << 12);
  cells.add(all);
  const auto cdf = [&](double x) { return 1 - upper_gamma(alpha, x); };
  EXPECT_GT(cells.kolmogorov(cdf), kLeastP);
  EXPECT_GT(cells.chi_square(cdf), kLeastP);
  EXPECT_LT(covariance_deviation(all, 1, alpha, alpha), kMostDeviations);
}

INSTANTIATE_TEST_SUITE_P(Alphas, GammaStatistics, ::testing::Values(0.5, 1, 7));

class PoissonStatistics : public ::testing::TestWithParam<double> {};

TEST_P(PoissonStatistics, OfManyDraws) {
  const double rate = GetParam();
  OpGraph g;
  const Tensor values =
      draw(g, "RandomPoissonV2", {Tensor::scalar(rate)}, {{"dtype", DType::kInt32}});
  std::vector<std::int64_t> observed(1000);
  std::vector<double> expected;
  for (const std::int32_t x : values.span<std::int32_t>()) {
    ++observed.at(static_cast<std::size_t>(x));
  }
  for (std::size_t k = 0; k < observed.size(); ++k) {
    const auto n = static_cast<double>(k);
    expected.push_back(kCount * std::exp(n * std::log(rate) - rate - std::lgamma(n + 1)));
  }
  EXPECT_GT(chi_square_p_value(observed, expected), kLeastP);
  const std::span<const std::int32_t> all(values.data<std::int32_t>(), kCount);
  EXPECT_LT(covariance_deviation(all, 1, rate, rate), kMostDeviations);
}

INSTANTIATE_TEST_SUITE_P(Rates, PoissonStatistics, ::testing::Values(3, 10, 120));

struct Bounds {
  double low;
  double high;
};
class TruncatedStatistics : public ::testing::TestWithParam<Bounds> {};

// By way of normal, uniform and exponential numbers.
TEST_P(TruncatedStatistics, OfManyDraws) {
  const auto [low, high] = GetParam();
  OpGraph g;
  const auto scalar = [](double x) { return Tensor::scalar(static_cast<float>(x)); };
  const Tensor values =
      draw(g, "ParameterizedTruncatedNormal", {scalar(0), scalar(1), scalar(low), scalar(high)});
  const auto tail = [](double x) { return std::erfc(x / std::sqrt(2.0)) / 2; };
  const auto cdf = [&](double x) {
    const double at = std::clamp(x, low, high);
    return (tail(low) - tail(at)) / (tail(low) - tail(high));
  };
  const std::span<const float> all(values.data<float>(), kCount);
  Histogram cells(low, std::min(high, low + 4), 1 << 12);
  cells.add(all);
  EXPECT_GT(cells.kolmogorov(cdf), kLeastP);
  EXPECT_GT(cells.chi_square(cdf), kLeastP);
}

INSTANTIATE_TEST_SUITE_P(Bounds, TruncatedStatistics,
                         ::testing::Values(Bounds{-1.5, 0.25}, Bounds{0.5, 1},
                                           Bounds{2, std::numeric_limits<double>::infinity()}));

TEST(FixedUnigramStatistics, OfManyDraws) {
  std::vector<float> weights(1000);
  std::iota(weights.begin(), weights.end(), 1.0F);
  OpGraph g;
  Node* sampler =
      g.node("FixedUnigramCandidateSampler", {g.constant(Tensor::zeros(int64, Shape{1, 1}))},
             {{"num_true", std::int64_t{1}},
              {"num_sampled", kCount},
              {"unique", false},
              {"range_max", std::int64_t{1000}},
              {"unigrams", weights},
              {"distortion", 0.75F},
              {"seed", std::int64_t{20}},
              {"seed2", std::int64_t{21}}});
  const Tensor values = g.run(sampler->output(0));
  std::vector<std::int64_t> observed(1000);
  for (const std::int64_t x : values.span<std::int64_t>()) {
    ++observed.at(static_cast<std::size_t>(x));
  }
  double sum = 0;
  for (const float w : weights) sum += std::pow(w, 0.75);
  std::vector<double> expected;
  for (const float w : weights) expected.push_back(kCount * std::pow(w, 0.75) / sum);
  EXPECT_GT(chi_square_p_value(observed, expected), kLeastP);
}

}  // namespace
}  // namespace assay::testing
