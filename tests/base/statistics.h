#pragma once

// Statistics that tests of random numbers are judged by. Seeds are fixed, so a p-value is the same
// in each run: a test asks for one that is not tiny, and fails only when the numbers change.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace assay::testing {

/// Q(a, x): the upper incomplete gamma function divided by gamma(a). REQUIRES: a > 0, x >= 0.
inline double upper_gamma(double a, double x) {
  if (x <= 0) return 1;
  const double front = std::exp(a * std::log(x) - x - std::lgamma(a));
  if (x < a + 1) {  // the lower function's series
    double term = 1 / a;
    double sum = term;
    for (double k = a + 1; term > sum * 1e-16; ++k) {
      term *= x / k;
      sum += term;
    }
    return 1 - front * sum;
  }
  // The continued fraction, by Lentz's method.
  double b = x + 1 - a;
  double c = 1e300;
  double d = 1 / b;
  double h = d;
  for (double k = 1; k < 1e6; ++k) {
    const double an = -k * (k - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    h *= c * d;
    if (std::abs(c * d - 1) < 1e-15) break;
  }
  return front * h;
}

/// How likely a chi-square variable of that many degrees of freedom is at least `statistic`.
inline double chi_square_tail(double statistic, double degrees) {
  return upper_gamma(degrees / 2, statistic / 2);
}

/// Pearson's test: the p-value of `observed` counts against `expected` ones (same total). Cells of
/// less than 10 expected are joined with those after them.
inline double chi_square_p_value(std::span<const std::int64_t> observed,
                                 std::span<const double> expected) {
  double statistic = 0;
  double cells = 0;
  double seen = 0;
  double due = 0;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    seen += static_cast<double>(observed[i]);
    due += expected[i];
    if (due < 10) continue;
    statistic += (seen - due) * (seen - due) / due;
    ++cells;
    seen = due = 0;
  }
  // What is left over at the end: a small cell of its own, or something that may not be.
  if (due > 0) {
    statistic += (seen - due) * (seen - due) / due;
    ++cells;
  } else if (seen > 0) {
    return 0;
  }
  return cells < 2 ? 1 : chi_square_tail(statistic, cells - 1);
}

/// The p-value of a Kolmogorov-Smirnov distance over n values (the limit, with Stephens's
/// correction for finite n).
inline double kolmogorov_p_value(double distance, double n) {
  const double x = (std::sqrt(n) + 0.12 + 0.11 / std::sqrt(n)) * distance;
  if (x < 0.2) return 1;
  double sum = 0;
  for (int k = 1; k <= 100; ++k) {
    const double term = std::exp(-2.0 * k * k * x * x);
    sum += k % 2 == 1 ? term : -term;
    if (term < 1e-18) break;
  }
  return std::clamp(2 * sum, 0.0, 1.0);
}

/// The Kolmogorov-Smirnov p-value of discrete or continuous values, which get sorted.
template <typename T>
double kolmogorov_p_value(std::vector<T>& values, const std::function<double(double)>& cdf) {
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = cdf(static_cast<double>(values[i]));
    const double at = static_cast<double>(i);
    distance = std::max({distance, (at + 1) / n - p, p - at / n});
  }
  return kolmogorov_p_value(distance, n);
}

/// Counts of many values in cells of one width, so that none needs to be kept or sorted.
class Histogram {
 public:
  /// Cells cover [low, high); two more take what is outside.
  Histogram(double low, double high, std::size_t cells)
      : low_(low), width_((high - low) / static_cast<double>(cells)), counts_(cells + 2) {}

  template <typename T>
  void add(std::span<const T> values) {
    const double last = static_cast<double>(counts_.size() - 2);
    for (const T value : values) {
      const double at = std::floor((static_cast<double>(value) - low_) / width_);
      ++counts_[static_cast<std::size_t>(std::clamp(at, -1.0, last) + 1)];
    }
    n_ += static_cast<double>(values.size());
  }

  /// Kolmogorov-Smirnov, the distance being taken at the edges of the cells alone: with cells much
  /// narrower than 1 / sqrt(n) that is as good.
  double kolmogorov(const std::function<double(double)>& cdf) const {
    double below = 0;
    double distance = 0;
    for (std::size_t i = 0; i + 1 < counts_.size(); ++i) {
      below += static_cast<double>(counts_[i]);
      distance = std::max(distance, std::abs(below / n_ - cdf(edge(i))));
    }
    return kolmogorov_p_value(distance, n_);
  }

  /// Pearson's test over cells `join` times as wide.
  double chi_square(const std::function<double(double)>& cdf, std::size_t join = 1) const {
    std::vector<std::int64_t> observed;
    std::vector<double> expected;
    double before = 0;
    std::int64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      const bool last = i + 1 == counts_.size();
      if (!last && i % join != 0) continue;
      const double now = last ? 1 : cdf(edge(i));
      observed.push_back(seen);
      expected.push_back((now - before) * n_);
      before = now;
      seen = 0;
    }
    return chi_square_p_value(observed, expected);
  }

 private:
  double edge(std::size_t i) const { return low_ + static_cast<double>(i) * width_; }

  double low_;
  double width_;
  std::vector<std::int64_t> counts_;
  double n_ = 0;
};

/// How far the mean, variance, third and fourth central moment of `values` are from a
/// distribution's, in standard deviations of each: beyond 5 something is wrong. `moment(k)` is the
/// distribution's k-th central moment, k up to 8; the third stands for skewness, the fourth for
/// kurtosis.
template <typename T>
std::array<double, 4> moment_deviations(std::span<const T> values, double mean,
                                        const std::function<double(int)>& moment) {
  std::array<double, 4> sums{};
  // Sums of short stretches first: no rounding that 10^7 values could show.
  constexpr std::size_t kStretch = 4096;
  for (std::size_t begin = 0; begin < values.size(); begin += kStretch) {
    std::array<double, 4> part{};
    for (const T value : values.subspan(begin, std::min(kStretch, values.size() - begin))) {
      const double x = static_cast<double>(value) - mean;
      const double square = x * x;
      part[0] += x;
      part[1] += square;
      part[2] += square * x;
      part[3] += square * square;
    }
    for (std::size_t k = 0; k < 4; ++k) sums[k] += part[k];
  }
  const double n = static_cast<double>(values.size());
  std::array<double, 4> deviations{};
  for (int k = 1; k <= 4; ++k) {
    const double expected = k == 1 ? 0 : moment(k);
    const double variance = (moment(2 * k) - expected * expected) / n;
    const auto i = static_cast<std::size_t>(k - 1);
    deviations[i] = std::abs(sums[i] / n - expected) / std::sqrt(variance);
  }
  return deviations;
}

/// How far the covariance of values `stride` apart is from 0, in standard deviations.
template <typename T>
double covariance_deviation(std::span<const T> values, std::size_t stride, double mean,
                            double variance) {
  double sum = 0;
  for (std::size_t i = stride; i < values.size(); ++i) {
    sum +=
        (static_cast<double>(values[i]) - mean) * (static_cast<double>(values[i - stride]) - mean);
  }
  return std::abs(sum) / (variance * std::sqrt(static_cast<double>(values.size() - stride)));
}

}  // namespace assay::testing
