// Gamma, Poisson, truncated normal and multinomial numbers.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "assay/base/philox.h"
#include "assay/device/cpu/special.h"
#include "tests/base/statistics.h"
#include "tests/ops/op_case.h"
#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"

namespace assay::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

AttrMap seeds(std::int64_t seed, std::int64_t seed2, AttrMap more = {}) {
  more["seed"] = seed;
  more["seed2"] = seed2;
  return more;
}

Tensor doubles(const std::vector<double>& values) {
  return Tensor::of(values);
}

Output gamma(OpGraph& g, const std::vector<std::int32_t>& shape, const Tensor& alpha) {
  return g.op("RandomGamma", {g.constant(Tensor::of(shape)), g.constant(alpha)}, seeds(5, 9));
}

// Computed by following TensorFlow's algorithm in Python, apart from this code.
TEST(RandomGamma, ValuesOfItsAlgorithm) {
  OpGraph g;
  const Tensor got = g.run(gamma(g, {3}, doubles({0.3, 1.0, 2.5, 40.0})));
  const std::vector<double> want = {
      0.11385924812135165,  0.6357687933510775,   0.065488120517785881, 44.362754999867292,
      0.010177661063262572, 0.30560158331781651,  2.0433131852663422,   39.200662384335779,
      0.85255421638445938,  0.016828707697059794, 1.0137498382753289,   43.219727876341388};
  ASSERT_EQ(got.shape(), (Shape{3, 4}));
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(got.data<double>()[i] / want[i], 1, 4e-16) << i;
  }
  // Other dtypes are the same numbers, rounded.
  OpGraph h;
  const Tensor narrow = h.run(gamma(h, {3}, f32({0.5, 1.0, 2.5, 40.0})));
  OpGraph k;
  const Tensor wide = k.run(gamma(k, {3}, doubles({0.5, 1.0, 2.5, 40.0})));
  const Tensor half = k.run(gamma(k, {3}, numbers(DType::kHalf, {0.5, 1.0, 2.5, 40.0}, Shape{4})));
  for (int i = 0; i < 12; ++i) {
    const double exact = wide.data<double>()[i];
    EXPECT_EQ(narrow.data<float>()[i], static_cast<float>(exact));
    EXPECT_EQ(half.data<Half>()[i], Half(static_cast<float>(exact)));
  }
}

TEST(RandomGamma, FollowsItsDistribution) {
  const std::vector<double> alphas = {0.05, 0.7, 1, 1.5, 20, 3000};
  OpGraph g;
  const Tensor all = g.run(gamma(g, {40000}, doubles(alphas)));
  for (std::size_t a = 0; a < alphas.size(); ++a) {
    std::vector<double> values;
    for (int i = 0; i < 40000; ++i) {
      values.push_back(all.data<double>()[static_cast<std::size_t>(i) * alphas.size() + a]);
    }
    const double p =
        kolmogorov_p_value<double>(values, [&](double x) { return 1 - upper_gamma(alphas[a], x); });
    EXPECT_GT(p, 1e-3) << alphas[a];
  }
}

TEST(RandomGamma, OddParametersComeToAnEnd) {
  OpGraph g;
  const Tensor out = g.run(gamma(
      g, {100}, doubles({0, -1, -2.0 / 3, std::nan(""), kInfinity, -kInfinity, 1e-300, 1e300})));
  EXPECT_EQ(out.num_elements(), 800);
  OpGraph h;
  EXPECT_EQ(h.run(gamma(h, {0, 3}, doubles({1, 2}))).shape(), (Shape{0, 3, 2}));
  EXPECT_EQ(h.run(gamma(h, {2}, Tensor::zeros(float64, Shape{0}))).shape(), (Shape{2, 0}));
  EXPECT_EQ(h.run(gamma(h, {}, Tensor::scalar(2.0))).shape(), Shape{});
}

// The derivative of sum(w sample) by alpha, through the graph.
TEST(RandomGamma, GradientIsThatOfTheQuantile) {
  for (const bool known : {true, false}) {
    OpGraph g;
    const Tensor alphas = numbers(float64, {0.4, 1, 3, 700}, Shape{2, 2});
    const Output alpha =
        known ? g.constant(alphas)
              : g.op("Placeholder", {}, {{"dtype", float64}, {"shape", PartialShape()}});
    const Output shape =
        known ? g.constant(i32({2, 3}))
              : g.op("Placeholder", {}, {{"dtype", int32}, {"shape", PartialShape()}});
    const Output sample = g.op("RandomGamma", {shape, alpha}, seeds(1, 2));
    const Output loss = g.op("Square", {sample});
    const Output grad = dense_gradients({loss}, {alpha}).at(0);
    std::vector<Feed> feeds;
    if (!known) feeds = {{alpha, alphas}, {shape, i32({2, 3})}};
    const auto out = g.session().run(feeds, {sample, grad});
    ASSERT_EQ(out[1].shape(), alphas.shape());
    for (int a = 0; a < 4; ++a) {
      double want = 0;
      for (int i = 0; i < 6; ++i) {
        const double x = out[0].data<double>()[4 * i + a];
        want += 2 * x * cpu::gamma_sample_derivative(alphas.data<double>()[a], x);
      }
      EXPECT_NEAR(out[1].data<double>()[a] / want, 1, 1e-12) << a;
    }
  }
}

// What TensorFlow's tests ask: the mean of the derivative is that of the mean, 1, and for
// E (x - t)^2 it is 1 + 2 alpha - 2 t.
TEST(RandomGamma, GradientsOnAverage) {
  OpGraph g;
  const Output alpha = g.constant(f32({0.8, 10, 1000}));
  const Output sample =
      g.op("RandomGamma", {g.constant(i32({10000})), alpha}, seeds(87654321, 12345));
  const Output mean = g.op("Mean", {sample, g.constant(i32({0}))});
  const Tensor by_alpha = g.run(dense_gradients({mean}, {alpha}).at(0));
  for (const float d : by_alpha.span<float>()) EXPECT_NEAR(d, 1, 0.05);
  const Output half = g.constant(Tensor::scalar(0.5F));
  const Output x = g.op("RandomGamma", {g.constant(i32({10000})), half}, seeds(87654321, 12345));
  const Output off = g.op("Square", {g.op("Sub", {x, g.constant(Tensor::scalar(0.3F))})});
  const Output loss = g.op("Mean", {off, g.constant(i32({0}))});
  EXPECT_NEAR(g.run(dense_gradients({loss}, {half}).at(0)).item<float>(), 1.4, 0.1);
}

TEST(RandomGammaGrad, Broadcasts) {
  OpGraph g;
  const auto run = [&](const Tensor& alpha, const Tensor& sample) {
    return g.run(g.op("RandomGammaGrad", {g.constant(alpha), g.constant(sample)}));
  };
  const Tensor wide = run(doubles({0.5, 3}), numbers(float64, {0.2, 7}, Shape{2, 1}));
  const Tensor narrow = run(f32({0.5, 3}), f32({0.25, 7}, Shape{2, 1}));
  ASSERT_EQ(wide.shape(), (Shape{2, 2}));
  for (int i = 0; i < 4; ++i) {
    const double alpha = i % 2 == 0 ? 0.5 : 3;
    EXPECT_EQ(wide.data<double>()[i], cpu::gamma_sample_derivative(alpha, i < 2 ? 0.2 : 7));
    EXPECT_EQ(narrow.data<float>()[i],
              static_cast<float>(cpu::gamma_sample_derivative(alpha, i < 2 ? 0.25 : 7)));
  }
}

TEST(RandomGamma, HasNoSecondDerivative) {
  OpGraph g;
  const Output alpha = g.constant(doubles({2}));
  const Output sample = g.op("RandomGamma", {g.constant(i32({2})), alpha}, seeds(1, 2));
  const Output once = dense_gradients({sample}, {alpha}).at(0);
  EXPECT_EQ(code_of([&] { dense_gradients({once}, {alpha}); }), Code::kUnimplemented);
}

Output poisson(OpGraph& g, const std::vector<std::int32_t>& shape, const Tensor& rate,
               DType dtype = int64) {
  return g.op("RandomPoissonV2", {g.constant(Tensor::of(shape)), g.constant(rate)},
              seeds(5, 9, {{"dtype", dtype}}));
}

// From Python, as above.
TEST(RandomPoisson, ValuesOfItsAlgorithm) {
  const std::vector<double> rates = {0.5, 4.0, 12.5, 1000.0, 1e7};
  const std::vector<std::int64_t> want = {0, 4, 12, 1011, 9998181,  0, 0, 17, 1020, 10003349,
                                          0, 1, 10, 1014, 10003282, 0, 2, 9,  984,  9996961};
  OpGraph g;
  EXPECT_EQ(g.run(poisson(g, {4}, doubles(rates))).to_vector<std::int64_t>(), want);
  OpGraph h;
  const auto narrow = h.run(poisson(h, {4}, f32(rates), int32)).to_vector<std::int32_t>();
  EXPECT_TRUE(std::ranges::equal(narrow, want));
  const auto real = h.run(poisson(h, {4}, doubles(rates), float32)).to_vector<float>();
  EXPECT_TRUE(std::ranges::equal(real, want));
  const auto old =
      h.run(h.op("RandomPoisson", {h.constant(i32({4})), h.constant(doubles(rates))}, seeds(5, 9)));
  EXPECT_TRUE(std::ranges::equal(old.to_vector<double>(), want));
  // Rates of an integer type.
  OpGraph k;
  const auto whole =
      k.session().run({poisson(k, {4}, i64({4, 1000})), poisson(k, {4}, i32({4, 1000})),
                       poisson(k, {4}, numbers(DType::kHalf, {4, 1000}, Shape{2})),
                       poisson(k, {4}, f32({4, 1000}))});
  for (const Tensor& t : whole) EXPECT_TRUE(t.identical(whole[0]));
}

TEST(RandomPoisson, FollowsItsDistribution) {
  const std::vector<double> rates = {0.3, 9.9, 10, 25, 400};
  constexpr int kSamples = 40000;
  OpGraph g;
  const Tensor all = g.run(poisson(g, {kSamples}, doubles(rates)));
  for (std::size_t r = 0; r < rates.size(); ++r) {
    std::vector<std::int64_t> observed(1000);
    std::vector<double> expected(1000);
    for (std::size_t i = 0; i < kSamples; ++i) {
      ++observed.at(static_cast<std::size_t>(all.data<std::int64_t>()[i * rates.size() + r]));
    }
    for (std::size_t k = 0; k < expected.size(); ++k) {
      const double n = static_cast<double>(k);
      expected[k] = kSamples * std::exp(n * std::log(rates[r]) - rates[r] - std::lgamma(n + 1));
    }
    EXPECT_GT(chi_square_p_value(observed, expected), 1e-3) << rates[r];
  }
}

TEST(RandomPoisson, RatesThatWouldNotComeToAnEnd) {
  const auto code = [](double rate, DType dtype) {
    OpGraph g;
    const Output x = poisson(g, {3}, doubles({1, rate}), dtype);
    return code_of([&] { g.run(x); });
  };
  for (const DType dtype : {DType::kHalf, float32, float64, int32, int64}) {
    EXPECT_EQ(code(std::nan(""), dtype), Code::kInvalidArgument);
    EXPECT_EQ(code(kInfinity, dtype), Code::kInvalidArgument);
  }
  EXPECT_EQ(code(7e4, DType::kHalf), Code::kInvalidArgument);
  EXPECT_EQ(code(3e9, int32), Code::kInvalidArgument);
  EXPECT_EQ(code(1e19, int64), Code::kInvalidArgument);
  EXPECT_EQ(code(1e300, float32), Code::kInvalidArgument);
  OpGraph g;
  // TensorFlow's answer to what is no rate.
  EXPECT_EQ(g.run(poisson(g, {2}, doubles({-3}))).to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{0, 0}));
  for (const auto& [rate, dtype] : std::vector<std::pair<double, DType>>{
           {65504, DType::kHalf}, {2147483647, int32}, {9.2e18, int64}, {1e308, float64}}) {
    OpGraph h;
    EXPECT_EQ(h.run(poisson(h, {50}, doubles({rate}), dtype)).num_elements(), 50);
  }
}

Output truncated(OpGraph& g, const std::vector<std::int32_t>& shape, const Tensor& mean,
                 const Tensor& stddev, const Tensor& low, const Tensor& high) {
  return g.op("ParameterizedTruncatedNormal",
              {g.constant(Tensor::of(shape)), g.constant(mean), g.constant(stddev), g.constant(low),
               g.constant(high)},
              seeds(7, 8, {{"dtype", mean.dtype()}}));
}

// From Python, as above: numbers by way of normal, uniform and exponential ones.
TEST(ParameterizedTruncatedNormal, ValuesOfItsAlgorithm) {
  OpGraph g;
  const Tensor got =
      g.run(truncated(g, {5, 3}, doubles({0, 1, 0, 5, 0}), doubles({1, 2, 1, 0.5, 1}),
                      doubles({-2, 1.5, 3, -kInfinity, -2}), doubles({2, 1.9, kInfinity, 3, 2})));
  const std::vector<double> want = {0.62086730901493536, -1.9131762341919658, -1.2841974110249619,
                                    1.797753595127054,   1.7137125480017334,  1.6792683950854181,
                                    3.1179901653158559,  3.0180348215943096,  3.3798287780384668,
                                    2.94872657063567,    2.7929780170785916,  2.984736873597738,
                                    0.31880298191531692, 0.58521846011367307, 1.2425294253691197};
  ASSERT_EQ(got.shape(), (Shape{5, 3}));
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(got.data<double>()[i] / want[i], 1, 4e-15) << i;
  }
}

template <typename T>
double truncated_p_value(double mean, double stddev, double low, double high) {
  OpGraph g;
  const auto scalar = [](double x) { return numbers(dtype_of<T>, {x}, Shape{}); };
  const Tensor out =
      g.run(truncated(g, {20000}, scalar(mean), scalar(stddev), scalar(low), scalar(high)));
  std::vector<double> values;
  for (const T x : out.span<T>()) values.push_back(static_cast<double>(x));
  // The tail on the side where it is small keeps its digits.
  const double side = high < mean ? -1 : 1;
  const auto tail = [&](double x) {
    return std::erfc(side * (x - mean) / stddev / std::sqrt(2.0)) / 2;
  };
  return kolmogorov_p_value<double>(
      values, [&](double x) { return (tail(low) - tail(x)) / (tail(low) - tail(high)); });
}

TEST(ParameterizedTruncatedNormal, FollowsItsDistribution) {
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{{-2, 2},
                                                                        {-1.35, 0.1},
                                                                        {0.2, 0.7},
                                                                        {-0.5, 0.5},
                                                                        {1, 6},
                                                                        {4, kInfinity},
                                                                        {-kInfinity, -3},
                                                                        {-kInfinity, kInfinity},
                                                                        {-9, -8}}) {
    if (std::isinf(low) && std::isinf(high)) continue;  // refused, below
    EXPECT_GT(truncated_p_value<double>(0, 1, low, high), 1e-3) << low << " " << high;
    EXPECT_GT(truncated_p_value<float>(3, 2, 3 + 2 * low, 3 + 2 * high), 1e-3) << low;
  }
}

// TensorFlow's tests: small deviations far from a bound, and bounds far from the mean.
TEST(ParameterizedTruncatedNormal, FarBounds) {
  OpGraph g;
  const auto scalar = [](double x) { return f32({x}, Shape{}); };
  const Tensor near =
      g.run(truncated(g, {200000}, scalar(0.8), scalar(0.05), scalar(-1), scalar(1)));
  double mean = 0;
  for (const float x : near.span<float>()) {
    ASSERT_TRUE(x >= -1 && x <= 1);
    mean += x / 200000.0;
  }
  EXPECT_NEAR(mean, 0.8, 1e-3);
  const Tensor far = g.run(truncated(g, {1000}, scalar(0), scalar(1), scalar(10), scalar(11)));
  for (const float x : far.span<float>()) ASSERT_TRUE(x >= 10 && x <= 11);
  const Tensor half = g.run(
      truncated(g, {1000}, numbers(DType::kHalf, {0}, Shape{}), numbers(DType::kHalf, {1}, Shape{}),
                numbers(DType::kHalf, {-2}, Shape{}), numbers(DType::kHalf, {2}, Shape{})));
  for (const Half x : half.span<Half>()) ASSERT_LE(std::abs(static_cast<float>(x)), 2);
}

TEST(ParameterizedTruncatedNormal, RefusesWhatIsNoDistribution) {
  const auto code = [](const std::vector<double>& p, const std::vector<std::int32_t>& shape = {5}) {
    OpGraph g;
    const auto scalar = [](double x) { return numbers(float64, {x}, Shape{}); };
    const Output x = truncated(g, shape, scalar(p[0]), scalar(p[1]), scalar(p[2]), scalar(p[3]));
    return code_of([&] { g.run(x); });
  };
  const double nan = std::nan("");
  EXPECT_EQ(code({0, 1, -1, 1}), Code::kOk);
  EXPECT_EQ(code({0, 0, -1, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({0, 1, 1, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({0, 1, -kInfinity, kInfinity}), Code::kInvalidArgument);
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<double> p = {0, 1, -1, 1};
    p[i] = nan;
    EXPECT_EQ(code(p), Code::kInvalidArgument) << i;
  }
  EXPECT_EQ(code({kInfinity, 1, -1, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({0, 1, -1, 1}, {}), Code::kInvalidArgument);
  EXPECT_EQ(code({0, 1, 1, 1}, {0}), Code::kOk);
  OpGraph g;
  const Output two = truncated(g, {3}, doubles({0, 1}), doubles({1}), doubles({0}), doubles({1}));
  EXPECT_EQ(code_of([&] { g.run(two); }), Code::kInvalidArgument);
}

TEST(RandomDistributions, BitsDoNotDependOnThreads) {
  std::vector<std::vector<Tensor>> results;
  for (const int threads : {1, 2, 3}) {
    OpGraph g;
    const Output logits = g.constant(Tensor::zeros(float32, Shape{300, 401}));
    const std::vector<Output> outputs = {
        gamma(g, {7001}, doubles({0.5, 1, 9})), poisson(g, {7001}, doubles({0.5, 9, 90})),
        g.op("Multinomial", {logits, g.constant(Tensor::scalar(33))}, seeds(3, 4)),
        g.op("StatelessMultinomial",
             {logits, g.constant(Tensor::scalar(33)), g.constant(i64({3, 4}))})};
    results.push_back(g.session(threads).run(outputs));
  }
  for (std::size_t k = 0; k < results[0].size(); ++k) {
    EXPECT_TRUE(results[1][k].identical(results[0][k])) << k;
    EXPECT_TRUE(results[2][k].identical(results[0][k])) << k;
  }
}

// Seeds that a stateless op mixes to the key and counter of a stateful one, by undoing Philox's
// rounds (as TensorFlow's stateless_random_ops_test does).
std::vector<std::int64_t> unmixed(std::int64_t seed, std::int64_t seed2) {
  const auto inverse = [](std::uint32_t odd) {
    std::uint32_t x = odd;
    for (int i = 0; i < 5; ++i) x *= 2 - odd * x;
    return x;
  };
  constexpr std::uint32_t kFirst = 0xD2511F53;
  constexpr std::uint32_t kSecond = 0xCD9E8D57;
  const auto low = [](std::int64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::int64_t x) {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(x) >> 32);
  };
  Philox::Block c = {low(seed), high(seed), low(seed2), high(seed2)};
  for (std::uint32_t round = 10; round-- > 0;) {
    const std::uint32_t k0 = 0x3ec8f720 + round * 0x9E3779B9;
    const std::uint32_t k1 = 0x02461e29 + round * 0xBB67AE85;
    const std::uint32_t c0 = c[3] * inverse(kFirst);
    const std::uint32_t c2 = c[1] * inverse(kSecond);
    const auto upper = [](std::uint32_t a, std::uint32_t b) {
      return static_cast<std::uint32_t>((std::uint64_t{a} * b) >> 32);
    };
    c = {c0, c[0] ^ upper(kSecond, c2) ^ k0, c2, c[2] ^ upper(kFirst, c0) ^ k1};
  }
  const auto join = [](std::uint32_t l, std::uint32_t h) {
    return static_cast<std::int64_t>(l | (std::uint64_t{h} << 32));
  };
  return {join(c[0], c[1]), join(c[2], c[3])};
}

TEST(Stateless, GivesWhatTheStatefulOpsDraw) {
  const std::vector<std::pair<std::string, std::string>> ops = {
      {"RandomUniform", "StatelessRandomUniform"},
      {"RandomStandardNormal", "StatelessRandomNormal"},
      {"TruncatedNormal", "StatelessTruncatedNormal"}};
  for (const auto& [seed, seed2] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {17, 2}, {1, -5}, {0x123456789abc, 1LL << 40}}) {
    OpGraph g;
    const Output shape = g.constant(i32({37}));
    const Output mixed = g.constant(Tensor::of(unmixed(seed, seed2)));
    for (const auto& [stateful, stateless] : ops) {
      for (const DType dtype : {DType::kHalf, DType::kBFloat16, float32, float64}) {
        const Tensor want = g.run(g.op(stateful, {shape}, seeds(seed, seed2, {{"dtype", dtype}})));
        const Tensor got = g.run(g.op(stateless, {shape, mixed}, {{"dtype", dtype}}));
        EXPECT_TRUE(got.identical(want)) << stateless << " " << dtype_name(dtype);
      }
    }
    for (const DType dtype : {int32, int64}) {
      const Output low = g.constant(numbers(dtype, {-7}, Shape{}));
      const Output high = g.constant(numbers(dtype, {1000}, Shape{}));
      const Tensor want = g.run(g.op("RandomUniformInt", {shape, low, high}, seeds(seed, seed2)));
      const Tensor got = g.run(g.op("StatelessRandomUniformInt", {shape, mixed, low, high}));
      EXPECT_TRUE(got.identical(want)) << dtype_name(dtype);
    }
    for (const DType dtype : {DType::kHalf, float32, float64}) {
      const Output logits = g.constant(numbers(dtype, {0, 1, -2, 3, 0.5, 0}, Shape{2, 3}));
      const Output samples = g.constant(Tensor::scalar(9));
      for (const DType out : {int32, int64}) {
        const AttrMap attrs = {{"output_dtype", out}};
        const Tensor want =
            g.run(g.op("Multinomial", {logits, samples}, seeds(seed, seed2, attrs)));
        const Tensor got = g.run(g.op("StatelessMultinomial", {logits, samples, mixed}, attrs));
        EXPECT_TRUE(got.identical(want)) << dtype_name(dtype);
      }
    }
  }
}

// Logits of TensorFlow's multinomial_op_test and its big sister.
TEST(Multinomial, LogitsAtTheEdgeOfTheRange) {
  const auto draw = [](const std::vector<double>& row, int n) {
    OpGraph g;
    const Output logits = g.constant(f32(row, Shape{1, std::ssize(row)}));
    return g.run(g.op("Multinomial", {logits, g.constant(Tensor::scalar(n))}, seeds(10, 15)))
        .to_vector<std::int64_t>();
  };
  for (const double logit : {1000.0, -1000.0}) {
    for (const std::int64_t x : draw(std::vector<double>(5, logit), 10)) {
      EXPECT_TRUE(x >= 0 && x < 5) << x;
    }
  }
  std::vector<double> lowest(1024, std::numeric_limits<float>::lowest());
  lowest.back() = 0;
  EXPECT_EQ(draw(lowest, 1000), std::vector<std::int64_t>(1000, 1023));
  EXPECT_EQ(draw({-30, 0}, 1000000), std::vector<std::int64_t>(1000000, 1));
  EXPECT_EQ(draw({0, -30}, 1000000), std::vector<std::int64_t>(1000000, 0));
  EXPECT_EQ(code_of([&] { draw({}, 7); }), Code::kInvalidArgument);
}

TEST(StatelessMultinomial, RefusesOtherSeeds) {
  OpGraph g;
  const Output logits = g.constant(f32({0, 1}, Shape{1, 2}));
  const Output seed = g.op("Placeholder", {}, {{"dtype", int64}, {"shape", PartialShape()}});
  const Output x = g.op("StatelessMultinomial", {logits, g.constant(Tensor::scalar(2)), seed});
  EXPECT_EQ(code_of([&] {
              g.session().run({{seed, i64({1, 2, 3})}}, {x});
            }),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace assay::testing
