// The distributions at 10^7 values each, with fixed seeds: moments, chi-square,
// Kolmogorov-Smirnov, covariances. A p-value below 10^-3 or a moment beyond 4 standard deviations
// would be seen once in some hundred sets of such tests.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>

#include "assay/base/philox.h"
#include "tests/base/statistics.h"

namespace assay {
namespace {

using testing::Histogram;

constexpr std::int64_t kCount = 10000000;
constexpr double kLeastP = 1e-3;
constexpr double kMostDeviations = 4;

struct Distribution {
  double low, high;  // the histogram's
  double mean;
  std::function<double(int)> moment;  // central
  std::function<double(double)> cdf;
};

double normal_cdf(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

Distribution uniform() {
  return {.low = 0,
          .high = 1,
          .mean = 0.5,
          .moment = [](int k) { return k % 2 == 1 ? 0.0 : std::pow(0.5, k) / (k + 1); },
          .cdf = [](double x) { return std::clamp(x, 0.0, 1.0); }};
}

Distribution normal() {
  return {.low = -6,
          .high = 6,
          .mean = 0,
          .moment =
              [](int k) {
                double m = k % 2 == 1 ? 0 : 1;
                for (int i = k - 1; i > 1; i -= 2) m *= i;
                return m;
              },
          .cdf = normal_cdf};
}

Distribution truncated_normal() {
  static const double inside = normal_cdf(2) - normal_cdf(-2);
  static const double edge = std::exp(-2.0) / std::sqrt(2 * std::numbers::pi);
  return {.low = -2,
          .high = 2,
          .mean = 0,
          .moment =
              [](int k) {
                // By parts: m(k) = (k - 1) m(k - 2) - 2 2^(k-1) density(2) / inside.
                if (k % 2 == 1) return 0.0;
                double m = 1;
                for (int i = 2; i <= k; i += 2) m = (i - 1) * m - std::pow(2, i) * edge / inside;
                return m;
              },
          .cdf =
              [](double x) {
                return (normal_cdf(std::clamp(x, -2.0, 2.0)) - normal_cdf(-2)) / inside;
              }};
}

template <typename T>
void expect_distribution(std::vector<T>& values, const Distribution& d) {
  const std::span<const T> all(values);
  const auto deviations = testing::moment_deviations(all, d.mean, d.moment);
  for (std::size_t k = 0; k < 4; ++k)
    EXPECT_LT(deviations[k], kMostDeviations) << "moment " << k + 1;
  Histogram cells(d.low, d.high, 1 << 17);
  cells.add(all);
  EXPECT_GT(cells.kolmogorov(d.cdf), kLeastP);
  EXPECT_GT(cells.chi_square(d.cdf, 128), kLeastP);
  // Those of a block, of neighbouring blocks, and TensorFlow's own choice of distance.
  for (const std::size_t stride : {1, 4, 17}) {
    EXPECT_LT(testing::covariance_deviation(all, stride, d.mean, d.moment(2)), kMostDeviations)
        << "stride " << stride;
  }
}

template <typename T>
std::vector<T> filled(void (*fill)(Philox, std::int64_t, T*, std::int64_t)) {
  std::vector<T> values(kCount);
  fill(Philox(20111, 5), 0, values.data(), kCount);
  return values;
}

TEST(RandomStatistics, UniformFloat) {
  auto values = filled<float>(fill_uniform);
  expect_distribution(values, uniform());
}
TEST(RandomStatistics, UniformDouble) {
  auto values = filled<double>(fill_uniform);
  expect_distribution(values, uniform());
}
TEST(RandomStatistics, NormalFloat) {
  auto values = filled<float>(fill_normal);
  expect_distribution(values, normal());
}
TEST(RandomStatistics, NormalDouble) {
  auto values = filled<double>(fill_normal);
  expect_distribution(values, normal());
}
TEST(RandomStatistics, TruncatedNormalFloat) {
  auto values = filled<float>(fill_truncated_normal);
  expect_distribution(values, truncated_normal());
}
TEST(RandomStatistics, TruncatedNormalDouble) {
  auto values = filled<double>(fill_truncated_normal);
  expect_distribution(values, truncated_normal());
}

// Counts of each of `range` integers against equal ones.
template <typename T>
void expect_fair_integers(T low, T range) {
  std::vector<T> values(kCount);
  fill_uniform(Philox(20112, 6), 0, values.data(), kCount, low, static_cast<T>(low + range));
  std::vector<std::int64_t> counts(static_cast<std::size_t>(range));
  for (const T value : values) ++counts[static_cast<std::size_t>(value - low)];
  const std::vector<double> expected(counts.size(),
                                     static_cast<double>(kCount) / static_cast<double>(range));
  EXPECT_GT(testing::chi_square_p_value(counts, expected), kLeastP) << range;
}

TEST(RandomStatistics, UniformIntegers) {
  expect_fair_integers<std::int32_t>(-3, 2);
  expect_fair_integers<std::int32_t>(-50, 101);
  expect_fair_integers<std::int32_t>(7, 65536);
  expect_fair_integers<std::int64_t>(-3, 6);
  expect_fair_integers<std::int64_t>(std::int64_t{1} << 40, 1000);
}

// A billion values wide: equal parts of the range get equal counts.
TEST(RandomStatistics, WideIntegersAreEvenlySpread) {
  std::vector<std::int64_t> values(kCount);
  constexpr std::int64_t kRange = std::int64_t{1} << 62;
  fill_uniform(Philox(20113, 7), 0, values.data(), kCount, std::int64_t{0}, kRange);
  Histogram cells(0, static_cast<double>(kRange), 1 << 16);
  cells.add<std::int64_t>(values);
  const auto flat = [](double x) { return x / static_cast<double>(kRange); };
  EXPECT_GT(cells.kolmogorov(flat), kLeastP);
  EXPECT_GT(cells.chi_square(flat, 64), kLeastP);
}

// What TensorFlow's simple_philox_test asks, with its seeds.

TEST(RandomStatistics, SeedsThatDifferInABitGiveDisjointWords) {
  PhiloxStream first(Philox(0, 1));
  PhiloxStream second(Philox(1, 1));
  std::set<std::uint32_t> of_first;
  std::set<std::uint32_t> all;
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t word = first.next32();
    of_first.insert(word);
    all.insert(word);
    all.insert(second.next32());
  }
  EXPECT_EQ(of_first.size(), 1000U);
  EXPECT_EQ(all.size(), 2000U);
}

// Ranges that a remainder without rejection would get wrong by a third.
TEST(RandomStatistics, RejectionLeavesNoBias) {
  PhiloxStream words(Philox(17, 17));
  constexpr int kTrials = 100000;
  int below = 0;
  for (int i = 0; i < kTrials; ++i) below += words.uniform(3U << 29) < 1U << 30;
  EXPECT_NEAR(static_cast<double>(below) / kTrials, 2.0 / 3, 0.005);
  below = 0;
  for (int i = 0; i < kTrials; ++i) {
    below += words.uniform64(std::uint64_t{3} << 59) < std::uint64_t{1} << 60;
  }
  EXPECT_NEAR(static_cast<double>(below) / kTrials, 2.0 / 3, 0.005);
}

TEST(RandomStatistics, FractionsStayBelowOne) {
  PhiloxStream words(Philox(7, 7));
  for (int i = 0; i < 1000000; ++i) {
    const float f = words.next_float();
    ASSERT_TRUE(f >= 0 && f < 1);
    const double d = words.next_double();
    ASSERT_TRUE(d >= 0 && d < 1);
  }
}

}  // namespace
}  // namespace assay
