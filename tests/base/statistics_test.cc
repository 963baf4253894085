// The judges judged: published quantiles, and numbers that are not random at all.
#include "tests/base/statistics.h"

#include <gtest/gtest.h>

namespace assay::testing {
namespace {

TEST(Statistics, ChiSquareQuantilesOfTheTables) {
  EXPECT_NEAR(chi_square_tail(3.841458820694124, 1), 0.05, 1e-12);
  EXPECT_NEAR(chi_square_tail(18.307038053275146, 10), 0.05, 1e-12);
  EXPECT_NEAR(chi_square_tail(23.209251158954356, 10), 0.01, 1e-12);
  EXPECT_NEAR(chi_square_tail(1074.6794488130, 1000), 0.05, 1e-9);
  EXPECT_NEAR(chi_square_tail(2, 2), std::exp(-1.0), 1e-14);
  EXPECT_EQ(chi_square_tail(0, 5), 1);
}

TEST(Statistics, KolmogorovQuantilesOfTheTables) {
  // The limiting distribution's 5% and 1% points.
  EXPECT_NEAR(kolmogorov_p_value(1.3581015 / 1e4, 1e8), 0.05, 1e-4);
  EXPECT_NEAR(kolmogorov_p_value(1.6276236 / 1e4, 1e8), 0.01, 1e-4);
}

TEST(Statistics, ChiSquareSeesAnUnfairDie) {
  const std::vector<double> fair(6, 1000);
  EXPECT_GT(chi_square_p_value(std::vector<std::int64_t>{1010, 980, 1003, 1020, 990, 997}, fair),
            0.5);
  EXPECT_LT(chi_square_p_value(std::vector<std::int64_t>{900, 980, 1003, 1020, 990, 1107}, fair),
            1e-3);
  // Values where there may be none.
  EXPECT_EQ(chi_square_p_value(std::vector<std::int64_t>{1000, 1000, 5},
                               std::vector<double>{1002, 1003, 0}),
            0);
}

TEST(Statistics, HistogramSeesAWrongDistribution) {
  std::vector<double> even;
  for (int i = 0; i < 100000; ++i) even.push_back((i + 0.5) / 100000);
  Histogram cells(0, 1, 1000);
  cells.add<double>(even);
  const auto flat = [](double x) { return std::clamp(x, 0.0, 1.0); };
  const auto bent = [](double x) { return std::clamp(x + 0.02 * x * (1 - x), 0.0, 1.0); };
  EXPECT_GT(cells.kolmogorov(flat), 0.999);
  EXPECT_GT(cells.chi_square(flat, 10), 0.999);
  EXPECT_LT(cells.kolmogorov(bent), 0.02);
  EXPECT_GT(kolmogorov_p_value(even, flat), 0.999);
  EXPECT_LT(kolmogorov_p_value(even, bent), 0.02);
}

TEST(Statistics, MomentsSeeAShift) {
  std::vector<float> even;
  for (int i = 0; i < 100000; ++i) even.push_back((static_cast<float>(i) + 0.5F) / 100000);
  const auto moment = [](int k) { return k % 2 == 1 ? 0.0 : std::pow(0.5, k) / (k + 1); };
  for (const double z : moment_deviations<float>(even, 0.5, moment)) EXPECT_LT(z, 0.1);
  EXPECT_GT(moment_deviations<float>(even, 0.49, moment)[0], 5);
  EXPECT_GT(covariance_deviation<float>(even, 1, 0.5, 1.0 / 12), 100);
}

}  // namespace
}  // namespace assay::testing
