#include "assay/device/cpu/special.h"

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace assay::cpu {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Terms after which a sum is given up.
constexpr int kMostTerms = 2000;

bool settled(double step, double value) {
  return std::abs(step) <= std::numeric_limits<double>::epsilon() * std::abs(value);
}

// log(x) - digamma(a), without losing what both have in common where a is large.
double log_over_digamma(double x, double a) {
  if (a < 1000) return std::log(x) - digamma(a);
  const double r = 1 / a;
  return std::log1p((x - a) / a) + r * (0.5 + r * (1.0 / 12 - r * r / 120));
}

// From the power series of the lower incomplete gamma function (Abramowitz and Stegun 6.5.29) and
// its derivative, term by term; NaN when it does not settle.
double derivative_by_series(double a, double x) {
  double term = 1;
  double slope = 0;  // of the term, by a
  double sum = 1;
  double sum_slope = 0;
  for (int n = 1; n <= kMostTerms; ++n) {
    const double below = a + n;
    const double factor = x / below;
    slope = (slope - term / below) * factor;
    term *= factor;
    sum += term;
    sum_slope += slope;
    if (settled(term, sum) && settled(slope, sum_slope)) {
      return -x / a * (sum_slope + sum * (log_over_digamma(x, a) - 1 / a));
    }
  }
  return kNan;
}

// From the continued fraction of the upper one (6.5.31), likewise. Numerator p and denominator q of
// each convergent with their slopes, of this one and the one before, all divided by p each time.
double derivative_by_fraction(double a, double x) {
  double b = x + 1 - a;
  double p_before = 1 / b;
  double q_before = 0;
  double q = 1 / b;
  double p_slope_before = 0;
  double q_slope_before = 0;
  double p_slope = -1 / b;
  double q_slope = 0;
  double value = q;
  double value_slope = q_slope - q * p_slope;
  for (int n = 1; n <= kMostTerms; ++n) {
    b += 2;
    const double c = n * (a - n);
    const double p_next = b + c * p_before;
    const double q_next = b * q + c * q_before;
    const double p_slope_next = -1 + b * p_slope + n * p_before + c * p_slope_before;
    const double q_slope_next = -q + b * q_slope + n * q_before + c * q_slope_before;
    const double scale = 1 / p_next;
    p_before = scale;
    q_before = q * scale;
    p_slope_before = p_slope * scale;
    q_slope_before = q_slope * scale;
    q = q_next * scale;
    p_slope = p_slope_next * scale;
    q_slope = q_slope_next * scale;
    const double slope = q_slope - q * p_slope;
    const bool done = settled(q - value, q) && settled(slope - value_slope, slope);
    value = q;
    value_slope = slope;
    if (done) return x * (value_slope + value * log_over_digamma(x, a));
  }
  return kNan;
}

// Cornish's and Fisher's expansion of the quantile about the normal one, z, for large a.
double derivative_by_expansion(double a, double x) {
  const double root = std::sqrt(a);
  double z = (x - a) / root;
  for (int i = 0; i < 20; ++i) {
    const double z2 = z * z;
    const double at = a + root * z + (z2 - 1) / 3 + z * (z2 - 7) / (36 * root) -
                      ((3 * z2 + 7) * z2 - 16) / (810 * a);
    const double slope =
        root + 2 * z / 3 + (3 * z2 - 7) / (36 * root) - (12 * z2 + 14) * z / (810 * a);
    const double step = (at - x) / slope;
    z -= step;
    if (!(std::abs(step) > 1e-15 * std::abs(z))) break;
  }
  const double z2 = z * z;
  return 1 + z / (2 * root) - z * (z2 - 7) / (72 * a * root) +
         ((3 * z2 + 7) * z2 - 16) / (810 * a * a);
}

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

double gamma_sample_derivative(double alpha, double x) {
  if (!(alpha > 0) || !(x >= 0)) return kNan;
  if (x == 0) return 0;
  // The sums' length grows with the root of alpha, the expansion's error falls with its square.
  if (alpha > 1e5 && std::abs(x - alpha) < 10 * std::sqrt(alpha)) {
    return derivative_by_expansion(alpha, x);
  }
  const double exact =
      x > 1 && x > alpha ? derivative_by_fraction(alpha, x) : derivative_by_series(alpha, x);
  return std::isnan(exact) && alpha > 1 ? derivative_by_expansion(alpha, x) : exact;
}

}  // namespace assay::cpu
