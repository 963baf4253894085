#include "assay/device/cpu/loops.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <complex>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "assay/base/error.h"
#include "hwy/targets.h"

namespace assay::cpu {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

template <typename T>
std::vector<T> run1(ElementwiseLoop loop, const std::vector<T>& x) {
  std::vector<T> out(x.size());
  const void* in = x.data();
  const int stride = 1;
  loop(&in, &stride, out.data(), static_cast<std::int64_t>(x.size()));
  return out;
}

template <typename Out, typename In>
std::vector<Out> run2(ElementwiseLoop loop, const std::vector<In>& x, const std::vector<In>& y) {
  const std::size_t n = std::max(x.size(), y.size());
  std::vector<Out> out(n);
  const void* in[] = {x.data(), y.data()};
  const int stride[] = {x.size() == n ? 1 : 0, y.size() == n ? 1 : 0};
  loop(in, stride, out.data(), static_cast<std::int64_t>(n));
  return out;
}

// The distance in units of the last place of `want`, rounded to T.
template <typename T>
double ulps(T got, long double want) {
  const T rounded = static_cast<T>(want);
  if (std::isnan(got) || std::isnan(rounded))
    return std::isnan(got) == std::isnan(rounded) ? 0 : kInf;
  if (got == rounded) return 0;
  if (std::isinf(got) || std::isinf(rounded)) return kInf;
  const T unit =
      std::max(std::nextafter(std::abs(rounded), static_cast<T>(kInf)) - std::abs(rounded),
               std::numeric_limits<T>::denorm_min());
  return static_cast<double>(std::abs((static_cast<long double>(got) - want) / unit));
}

template <typename T>
std::vector<T> special_values() {
  using L = std::numeric_limits<T>;
  std::vector<T> v = {
      0,        1,        2,       L::min(), L::denorm_min(), L::max(), L::epsilon(), L::infinity(),
      T(0.5),   T(1e-30), T(3.25), T(88.0),  T(88.8),         T(103.9), T(709.7),     T(710.5),
      T(39000), T(1e6),   T(100),  T(104.5), T(20),           T(1e-4),  T(0.99999994)};
  for (const T x : std::vector<T>(v)) v.push_back(-x);
  v.push_back(L::quiet_NaN());
  return v;
}

// Values over the whole range of T and, more densely, in [-range, range].
template <typename T>
std::vector<T> sample(double range) {
  std::vector<T> v = special_values<T>();
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    v.push_back(static_cast<T>(std::uniform_real_distribution<double>(-range, range)(random)));
    if constexpr (sizeof(T) == 4) {
      v.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
    } else {
      v.push_back(std::bit_cast<double>(static_cast<std::uint64_t>(random())));
    }
  }
  return v;
}

using Reference = long double (*)(long double);

struct Accuracy {
  const char* name;
  UnaryOp op;
  Reference reference;
  double range;
  double tolerance;  // in units of the last place
};

// Compared where the reference is not lost in denormals, whose units are coarse by nature.
template <typename T>
void check_accuracy(const Accuracy& a) {
  const auto x = sample<T>(a.range);
  const auto y = run1(unary_loop(a.op, dtype_of<T>), x);
  double worst = 0;
  T at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = ulps(y[i], a.reference(x[i]));
    if (error > worst) {
      worst = error;
      at = x[i];
    }
  }
  EXPECT_LE(worst, a.tolerance) << a.name << " of " << at << " gives "
                                << run1(unary_loop(a.op, dtype_of<T>), std::vector<T>{at})[0]
                                << ", not " << static_cast<T>(a.reference(at));
}

long double sigmoid(long double x) {
  return 1 / (1 + std::exp(-x));
}
long double softplus(long double x) {
  return std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x))) + (x != x ? x : 0);
}
long double elu(long double x) {
  return x < 0 ? std::expm1(x) : x;
}

class LoopAccuracy : public testing::TestWithParam<Accuracy> {};

TEST_P(LoopAccuracy, Float) {
  check_accuracy<float>(GetParam());
}
TEST_P(LoopAccuracy, Double) {
  check_accuracy<double>(GetParam());
}

TEST_P(LoopAccuracy, WithoutAvx512) {
  hwy::SetSupportedTargetsForTest(HWY_AVX2);
  hwy::GetChosenTarget().DeInit();
  check_accuracy<float>(GetParam());
  check_accuracy<double>(GetParam());
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

INSTANTIATE_TEST_SUITE_P(All, LoopAccuracy,
                         testing::Values(Accuracy{"exp", UnaryOp::kExp, std::exp, 90, 2},
                                         Accuracy{"expm1", UnaryOp::kExpm1, std::expm1, 20, 4},
                                         Accuracy{"log", UnaryOp::kLog, std::log, 100, 4},
                                         Accuracy{"log1p", UnaryOp::kLog1p, std::log1p, 3, 5},
                                         Accuracy{"tanh", UnaryOp::kTanh, std::tanh, 10, 4},
                                         Accuracy{"sigmoid", UnaryOp::kSigmoid, sigmoid, 30, 4},
                                         Accuracy{"softplus", UnaryOp::kSoftplus, softplus, 30, 5},
                                         Accuracy{"elu", UnaryOp::kElu, elu, 30, 4},
                                         Accuracy{"sin", UnaryOp::kSin, std::sin, 3, 4},
                                         Accuracy{"cos", UnaryOp::kCos, std::cos, 1.5, 4},
                                         Accuracy{"sqrt", UnaryOp::kSqrt, std::sqrt, 100, 0.5},
                                         Accuracy{"erf", UnaryOp::kErf, std::erf, 4, 2},
                                         Accuracy{"tan", UnaryOp::kTan, std::tan, 3, 2},
                                         Accuracy{"floor", UnaryOp::kFloor, std::floor, 100, 0},
                                         Accuracy{"ceil", UnaryOp::kCeil, std::ceil, 100, 0},
                                         Accuracy{"rint", UnaryOp::kRint, std::rint, 100, 0}),
                         [](const auto& info) { return std::string(info.param.name); });

// sin and cos are as far off as the rounding of their argument's reduction, not of their value:
// an absolute error.
TEST(Loops, LargeAngles) {
  std::vector<double> x;
  for (double v = 1; v < 1e9; v *= 1.37) x.push_back(v);
  const auto s = run1(unary_loop(UnaryOp::kSin, float64), x);
  const auto c = run1(unary_loop(UnaryOp::kCos, float64), x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(s[i], std::sin(x[i]), 1e-15) << x[i];
    EXPECT_NEAR(c[i], std::cos(x[i]), 1e-15) << x[i];
  }
  const std::vector<float> f(x.begin(), x.end());
  const auto sf = run1(unary_loop(UnaryOp::kSin, float32), f);
  for (std::size_t i = 0; i < f.size(); ++i) EXPECT_NEAR(sf[i], std::sin(f[i]), 2e-7) << f[i];
}

// Fused and plain programs cut runs differently: a value may not depend on where it stands.
TEST(Loops, ElementsDoNotDependOnTheirPlace) {
  const auto x = sample<float>(20);
  for (const UnaryOp op : {UnaryOp::kExp, UnaryOp::kLog, UnaryOp::kTanh, UnaryOp::kSigmoid,
                           UnaryOp::kSin, UnaryOp::kSoftplus, UnaryOp::kRsqrt, UnaryOp::kErf}) {
    const auto loop = unary_loop(op, float32);
    const auto whole = run1(loop, x);
    for (std::size_t i = 0; i < 300; ++i) {
      const float alone = run1(loop, std::vector<float>{x[i]})[0];
      EXPECT_EQ(std::bit_cast<std::uint32_t>(alone), std::bit_cast<std::uint32_t>(whole[i]));
    }
  }
}

TEST(Loops, EveryLengthAndStride) {
  const auto loop = binary_loop(BinaryOp::kSub, float32);
  for (std::size_t n = 0; n < 70; ++n) {
    for (int strides = 0; strides < 4; ++strides) {
      std::vector<float> x(n + 1);
      std::vector<float> y(n + 1);
      for (std::size_t i = 0; i <= n; ++i) {
        x[i] = static_cast<float>(i) + 1;
        y[i] = static_cast<float>(i * i);
      }
      std::vector<float> out(n + 1, -77);
      const void* in[] = {x.data(), y.data()};
      const int stride[] = {strides & 1, strides >> 1};
      loop(in, stride, out.data(), static_cast<std::int64_t>(n));
      for (std::size_t i = 0; i < n; ++i) {
        EXPECT_EQ(out[i], x[(strides & 1) != 0 ? i : 0] - y[(strides >> 1) != 0 ? i : 0]);
      }
      EXPECT_EQ(out[n], -77) << "written past the end";
    }
  }
}

TEST(Loops, InPlace) {
  std::vector<float> x(37);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  const std::vector<float> y(37, 2);
  const void* in[] = {x.data(), y.data()};
  const int stride[] = {1, 1};
  binary_loop(BinaryOp::kMul, float32)(in, stride, x.data(), 37);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(x[i], 2 * static_cast<float>(i));
}

TEST(Loops, IntegerDivisionRounds) {
  const std::vector<std::int32_t> x = {
      7, -7, 7, -7, 6, -6, std::numeric_limits<std::int32_t>::min()};
  const std::vector<std::int32_t> y = {2, 2, -2, -2, 3, 3, -1};
  EXPECT_EQ(run2<std::int32_t>(binary_loop(BinaryOp::kDiv, int32), x, y),
            (std::vector<std::int32_t>{3, -3, -3, 3, 2, -2, x.back()}));
  EXPECT_EQ(run2<std::int32_t>(binary_loop(BinaryOp::kFloorDiv, int32), x, y),
            (std::vector<std::int32_t>{3, -4, -4, 3, 2, -2, x.back()}));
  EXPECT_EQ(run2<std::int32_t>(binary_loop(BinaryOp::kFloorMod, int32), x, y),
            (std::vector<std::int32_t>{1, 1, -1, -1, 0, 0, 0}));
  EXPECT_EQ(run2<std::int32_t>(binary_loop(BinaryOp::kTruncateMod, int32), x, y),
            (std::vector<std::int32_t>{1, -1, 1, -1, 0, 0, 0}));
}

TEST(Loops, FloatModuloFollowsTheDivisor) {
  const std::vector<double> x = {7.5, -7.5, 7.5, -7.5, 6, kInf, 1};
  const std::vector<double> y = {2, 2, -2, -2, 3, 2, kInf};
  const auto m = run2<double>(binary_loop(BinaryOp::kFloorMod, float64), x, y);
  EXPECT_EQ(std::vector<double>(m.begin(), m.begin() + 5),
            (std::vector<double>{1.5, 0.5, -0.5, -1.5, 0}));
  EXPECT_TRUE(std::isnan(m[5]));
  EXPECT_EQ(m[6], 1);
}

TEST(Loops, IntegerDivisionByZeroIsAnError) {
  const std::vector<std::int64_t> x = {1};
  const std::vector<std::int64_t> y = {0};
  for (const BinaryOp op :
       {BinaryOp::kDiv, BinaryOp::kFloorDiv, BinaryOp::kFloorMod, BinaryOp::kTruncateMod}) {
    try {
      run2<std::int64_t>(binary_loop(op, int64), x, y);
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kInvalidArgument);
    }
  }
}

TEST(Loops, IntegerPowers) {
  const std::vector<std::int64_t> x = {2, -3, 0, 7, 1};
  const std::vector<std::int64_t> y = {10, 3, 0, 1, 1000000};
  EXPECT_EQ(run2<std::int64_t>(binary_loop(BinaryOp::kPow, int64), x, y),
            (std::vector<std::int64_t>{1024, -27, 1, 7, 1}));
  EXPECT_THROW(run2<std::int64_t>(binary_loop(BinaryOp::kPow, int64), std::vector<std::int64_t>{2},
                                  std::vector<std::int64_t>{-1}),
               Error);
}

TEST(Loops, IntegersWrapAround) {
  const std::int32_t top = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(run2<std::int32_t>(binary_loop(BinaryOp::kAdd, int32), std::vector{top}, {1})[0],
            std::numeric_limits<std::int32_t>::min());
  const std::vector<std::int8_t> small = {100};
  EXPECT_EQ(run2<std::int8_t>(binary_loop(BinaryOp::kMul, int8), small, small)[0], 16);
}

TEST(Loops, MaximumKeepsNanOfTheFirst) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x = {nan, 1, -1, 3};
  const std::vector<float> y = {1, 2, -2, 3};
  for (std::size_t n = 1; n <= 4; ++n) {
    const auto m = run2<float>(binary_loop(BinaryOp::kMaximum, float32),
                               std::vector<float>(x.begin(), x.begin() + static_cast<long>(n)),
                               std::vector<float>(y.begin(), y.begin() + static_cast<long>(n)));
    EXPECT_TRUE(std::isnan(m[0]));
    if (n > 1) {
      EXPECT_EQ(m[1], 2);
    }
    if (n > 2) {
      EXPECT_EQ(m[2], -1);
    }
  }
  EXPECT_TRUE(std::isnan(run1(unary_loop(UnaryOp::kRelu, float32), std::vector<float>{nan})[0]));
}

TEST(Loops, ZeroTimesAnything) {
  const std::vector<float> zero = {0};
  const std::vector<float> inf = {static_cast<float>(kInf)};
  EXPECT_EQ(run2<float>(binary_loop(BinaryOp::kMulNoNan, float32), inf, zero)[0], 0);
  EXPECT_EQ(run2<float>(binary_loop(BinaryOp::kDivNoNan, float32), inf, zero)[0], 0);
  EXPECT_EQ(run2<float>(binary_loop(BinaryOp::kXdivy, float32), zero, zero)[0], 0);
  EXPECT_EQ(run2<float>(binary_loop(BinaryOp::kXlogy, float32), zero, zero)[0], 0);
  EXPECT_TRUE(std::isnan(run2<float>(binary_loop(BinaryOp::kMul, float32), inf, zero)[0]));
}

TEST(Loops, HalvesRoundOnce) {
  std::vector<Half> x;
  std::vector<Half> y;
  for (int i = 0; i < 600; ++i) {
    x.push_back(Half(0.37f * static_cast<float>(i)));
    y.push_back(Half(1.0f + static_cast<float>(i % 7)));
  }
  const auto q = run2<Half>(binary_loop(BinaryOp::kDiv, DType::kHalf), x, y);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(q[i], Half(static_cast<float>(x[i]) / static_cast<float>(y[i])));
  }
}

TEST(Loops, HalvesCompare) {
  const Half x(1);
  const Half y(2);
  bool less = false;
  const void* in[] = {&x, &y};
  const int stride[] = {1, 1};
  compare_loop(CompareOp::kLess, DType::kHalf)(in, stride, &less, 1);
  EXPECT_TRUE(less);
}

TEST(Loops, Comparisons) {
  const std::vector<double> x = {1, 2, 3, std::numeric_limits<double>::quiet_NaN()};
  const std::vector<double> y = {2, 2, 2, 2};
  const auto compare = [&](CompareOp op) {
    bool out[4];
    const void* in[] = {x.data(), y.data()};
    const int stride[] = {1, 1};
    compare_loop(op, float64)(in, stride, out, 4);
    return std::string(
        {out[0] ? 't' : 'f', out[1] ? 't' : 'f', out[2] ? 't' : 'f', out[3] ? 't' : 'f'});
  };
  EXPECT_EQ(compare(CompareOp::kLess), "tfff");
  EXPECT_EQ(compare(CompareOp::kLessEqual), "ttff");
  EXPECT_EQ(compare(CompareOp::kGreater), "fftf");
  EXPECT_EQ(compare(CompareOp::kGreaterEqual), "fttf");
  EXPECT_EQ(compare(CompareOp::kEqual), "ftff");
  EXPECT_EQ(compare(CompareOp::kNotEqual), "tftt");
}

TEST(Loops, DigammaAtKnownPlaces) {
  const auto y =
      run1(unary_loop(UnaryOp::kDigamma, float64), std::vector<double>{1, 0.5, 100, -0.5, -1});
  EXPECT_NEAR(y[0], -0.57721566490153286, 1e-14);
  EXPECT_NEAR(y[1], -1.9635100260214235, 1e-14);
  EXPECT_NEAR(y[2], 4.6001618527380874, 1e-14);
  EXPECT_NEAR(y[3], 0.03648997397857652, 1e-13);
  EXPECT_TRUE(std::isnan(y[4]));
}

TEST(Loops, ZetaAndPolygammaAtKnownPlaces) {
  const double pi = 3.14159265358979323846;
  const std::vector<double> x = {2, 4, 3, 2, 1, 2, 12};
  const std::vector<double> q = {1, 1, 1, 0.5, 1, -1, 30};
  const auto z = run2<double>(binary_loop(BinaryOp::kZeta, float64), x, q);
  EXPECT_NEAR(z[0], pi * pi / 6, 1e-15);
  EXPECT_NEAR(z[1], pi * pi * pi * pi / 90, 1e-15);
  EXPECT_NEAR(z[2], 1.2020569031595943, 1e-15);
  EXPECT_NEAR(z[3], pi * pi / 2, 1e-14);
  EXPECT_EQ(z[4], kInf);
  EXPECT_EQ(z[5], kInf);
  double sum = 0;
  for (int i = 20000; i >= 0; --i) sum += std::pow(30.0 + i, -12);
  EXPECT_NEAR(z[6], sum, 1e-14 * sum);
  const auto p =
      run2<double>(binary_loop(BinaryOp::kPolygamma, float64), std::vector<double>{0, 1, 2, 1, 0.5},
                   std::vector<double>{1, 1, 1, 0.5, 1});
  EXPECT_NEAR(p[0], -0.57721566490153286, 1e-14);
  EXPECT_NEAR(p[1], pi * pi / 6, 1e-14);
  EXPECT_NEAR(p[2], -2 * 1.2020569031595943, 1e-14);
  EXPECT_NEAR(p[3], pi * pi / 2, 1e-14);
  EXPECT_TRUE(std::isnan(p[4]));
}

TEST(Loops, TruncatingCastDropsBits) {
  const float x[] = {1.0F + 255.0F / 256, -1.99999988F};
  BFloat16 out[2];
  const void* in = x;
  const int stride = 1;
  truncating_cast_loop(float32, DType::kBFloat16)(&in, &stride, out, 2);
  EXPECT_EQ(static_cast<float>(out[0]), 1.9921875F);
  EXPECT_EQ(static_cast<float>(out[1]), -1.9921875F);
  EXPECT_EQ(truncating_cast_loop(int32, float32), nullptr);
}

TEST(Loops, CastsBetweenAllNumbers) {
  const DType types[] = {float32,
                         float64,
                         int8,
                         int16,
                         int32,
                         int64,
                         uint8,
                         uint16,
                         boolean,
                         DType::kHalf,
                         DType::kBFloat16,
                         DType::kUInt32,
                         DType::kUInt64,
                         DType::kComplex64,
                         DType::kComplex128};
  for (const DType from : types) {
    for (const DType to : types) {
      const double one = 1;
      alignas(16) char a[16];
      alignas(16) char b[16];
      double back = 0;
      const void* in = &one;
      const int stride = 1;
      cast_loop(float64, from)(&in, &stride, a, 1);
      in = a;
      cast_loop(from, to)(&in, &stride, b, 1);
      in = b;
      cast_loop(to, float64)(&in, &stride, &back, 1);
      EXPECT_EQ(back, 1) << dtype_name(from) << " to " << dtype_name(to);
    }
  }
  EXPECT_EQ(cast_loop(DType::kString, float32), nullptr);
}

TEST(Loops, CastDropsFractions) {
  const std::vector<float> x = {1.9f, -1.9f, 0.4f};
  std::int32_t out[3];
  const void* in = x.data();
  const int stride = 1;
  cast_loop(float32, int32)(&in, &stride, out, 3);
  EXPECT_EQ(std::vector<std::int32_t>(out, out + 3), (std::vector<std::int32_t>{1, -1, 0}));
}

template <typename T>
void check_select() {
  std::vector<T> x(70);
  std::vector<T> y(70);
  bool c[70];
  for (std::size_t i = 0; i < 70; ++i) {
    x[i] = static_cast<T>(i);
    y[i] = static_cast<T>(100 + i);
    c[i] = i % 3 == 0 || i % 7 == 1;
  }
  for (std::size_t n = 0; n < 70; ++n) {
    for (int strides = 0; strides < 8; ++strides) {
      const int stride[] = {strides & 1, strides >> 1 & 1, strides >> 2};
      const void* in[] = {c, x.data(), y.data()};
      std::vector<T> out(n + 1, T(55));
      select_loop(dtype_of<T>)(in, stride, out.data(), static_cast<std::int64_t>(n));
      for (std::size_t i = 0; i < n; ++i) {
        const T want =
            c[stride[0] != 0 ? i : 0] ? x[stride[1] != 0 ? i : 0] : y[stride[2] != 0 ? i : 0];
        ASSERT_EQ(out[i], want) << n << " " << strides;
      }
      EXPECT_EQ(out[n], T(55)) << "written past the end";
    }
  }
}

TEST(Loops, Select) {
  check_select<float>();
  check_select<double>();
  check_select<std::int8_t>();
  check_select<std::int16_t>();
}

TEST(Loops, SelectTakesStrings) {
  const bool c[] = {true, false};
  const std::string x[] = {"a", "b"};
  const std::string y = "z";
  std::string out[2];
  const void* in[] = {c, x, &y};
  const int stride[] = {1, 1, 0};
  select_loop(DType::kString)(in, stride, out, 2);
  EXPECT_EQ(out[0], "a");
  EXPECT_EQ(out[1], "z");
}

}  // namespace
}  // namespace assay::cpu
