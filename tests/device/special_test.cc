#include "assay/device/cpu/special.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace assay::cpu {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Row {
  double alpha;
  double x;
  double derivative;
};

// -(dP/dalpha) / (dP/dx), P being the regularised lower incomplete gamma function of mpmath 1.3,
// differentiated with 40 to 60 digits.
TEST(GammaSampleDerivative, AgreesWithMpmath) {
  const Row rows[] = {
      {0.01, 1e-05, 0.010952158246714485},
      {0.01, 0.5, 46.679279405150682},
      {0.5, 0.2, 0.79405056633084332},
      {0.5, 3, 2.9129424164403646},
      {1, 1, 1.1735630272247269},
      {1, 0.001, 0.0073344562448837857},
      {2.5, 1, 0.65079385968628221},
      {2.5, 9, 1.891711800090848},
      {10, 4, 0.62080544700998478},
      {10, 10, 1.0168234904310751},
      {10, 30, 1.6746941162593883},
      {100, 90, 0.94982594980114142},
      {100, 100, 1.0016683237741726},
      {100, 140, 1.1796104604467822},
      {1000, 1000, 1.000166683323806},
      {1000, 1100, 1.0485866785616168},
      {30000, 29900, 0.99833702469126152},
      {200000, 200200, 1.0005006671668672},
      {200000, 199000, 0.99749665413154959},
  };
  for (const Row& row : rows) {
    EXPECT_NEAR(gamma_sample_derivative(row.alpha, row.x) / row.derivative, 1, 2e-11)
        << row.alpha << " " << row.x;
  }
}

// Where sums give up and the expansion takes over, and far beyond.
TEST(GammaSampleDerivative, LargeAlphasHaveNoSeam) {
  for (double alpha = 1e4; alpha < 1e12; alpha *= 1.7) {
    for (const double z : {-4.0, -1.0, 0.0, 0.5, 4.0}) {
      const double x = alpha + z * std::sqrt(alpha);
      // 1 + z / (2 sqrt(alpha)) and what is smaller.
      const double first = 1 + z / (2 * std::sqrt(alpha));
      EXPECT_NEAR(gamma_sample_derivative(alpha, x), first, 8 / alpha) << alpha << " " << z;
    }
  }
}

TEST(GammaSampleDerivative, AtTheEdges) {
  EXPECT_EQ(gamma_sample_derivative(2, 0), 0);
  EXPECT_TRUE(std::isnan(gamma_sample_derivative(0, 1)));
  EXPECT_TRUE(std::isnan(gamma_sample_derivative(-1, 1)));
  EXPECT_TRUE(std::isnan(gamma_sample_derivative(1, -1)));
  EXPECT_TRUE(std::isnan(gamma_sample_derivative(std::nan(""), 1)));
  EXPECT_TRUE(std::isnan(gamma_sample_derivative(1, std::nan(""))));
  // These only have to come to an end.
  for (const double alpha : {1e-300, 1.0, 1e300, kInfinity}) {
    for (const double x : {1e-300, 1.0, 1e300, kInfinity}) gamma_sample_derivative(alpha, x);
  }
}

}  // namespace
}  // namespace assay::cpu
