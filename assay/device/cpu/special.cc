#include "assay/device/cpu/special.h"

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace assay::cpu {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

// The derivative of log gamma: reflected to positive arguments, raised by recurrence, then the
// asymptotic series (Abramowitz and Stegun 6.3.7, 6.3.5, 6.3.18).
double digamma(double x) {
  if (x == 0) return -std::copysign(kInfinity, x);
  if (x < 0) {
    if (x == std::floor(x)) return kNan;
    const double turn = x - std::floor(x);
    return digamma(1 - x) - std::numbers::pi / std::tan(std::numbers::pi * turn);
  }
  double below = 0;
  while (x < 10) {
    below += 1 / x;
    x += 1;
  }
  const double r = 1 / (x * x);
  const double series =
      r *
      (1.0 / 12 -
       r * (1.0 / 120 - r * (1.0 / 252 - r * (1.0 / 240 - r * (1.0 / 132 - r * (691.0 / 32760))))));
  return std::log(x) - 0.5 / x - series - below;
}

// The first terms one by one, the rest by Euler's and Maclaurin's formula (Abramowitz and Stegun
// 23.1.30), whose coefficients are the Bernoulli numbers over factorials.
double zeta(double x, double q) {
  if (x == 1) return kInfinity;
  if (!(x > 1) || q != q) return kNan;
  if (q <= 0) {
    if (q == std::floor(q)) return kInfinity;
    if (x != std::floor(x)) return kNan;
  }
  double sum = 0;
  for (int i = 0; i < 10 || q < 10; ++i, q += 1) sum += std::pow(q, -x);
  const double first = std::pow(q, -x);
  sum += first * q / (x - 1) + first / 2;
  // B_2k / (2k)!, k = 1, 2, ...
  constexpr std::array<double, 9> kCoefficients = {1.0 / 12,
                                                   -1.0 / 720,
                                                   1.0 / 30240,
                                                   -1.0 / 1209600,
                                                   1.0 / 47900160,
                                                   -691.0 / 1307674368000,
                                                   1.0 / 74724249600,
                                                   -3617.0 / 10670622842880000,
                                                   43867.0 / 5109094217170944000};
  double factor = x * first / q;  // x (x + 1) ... (x + 2k - 2) / q^(x + 2k - 1)
  double k = x;
  for (const double c : kCoefficients) {
    const double term = c * factor;
    sum += term;
    if (std::abs(term) < 1e-17 * std::abs(sum)) break;
    factor *= (k + 1) * (k + 2) / (q * q);
    k += 2;
  }
  return sum;
}

double polygamma(double n, double x) {
  if (n < 0 || n != std::floor(n)) return kNan;
  if (n == 0) return digamma(x);
  const double size = std::tgamma(n + 1) * zeta(n + 1, x);
  return std::fmod(n, 2) == 0 ? -size : size;
}

}  // namespace assay::cpu
