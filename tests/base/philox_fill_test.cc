// The vectorised fills against the plain definition, block after block; on both instruction sets.
#include "assay/base/philox_fill.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>
#include <utility>
#include <vector>

#include "hwy/targets.h"

namespace assay {
namespace {

using Block = Philox::Block;

// Streams from the beginning, and where each half of the counter carries into the next one.
const Philox kStreams[] = {
    Philox(123, 456),
    Philox(Block{0xfffffff0, 7, 0xffffffff, 0xffffffff}, {0x12345678, 0x9abcdef0}),
    Philox(Block{0xfffffff0, 0xffffffff, 0xffffffff, 3}, {0xffffffff, 1}),
};

std::vector<std::uint32_t> words_of(Philox p, std::int64_t n) {
  std::vector<std::uint32_t> words;
  while (static_cast<std::int64_t>(words.size()) < n) {
    const Block block = p();
    words.insert(words.end(), block.begin(), block.end());
  }
  words.resize(static_cast<std::size_t>(n));
  return words;
}

// TensorFlow's formula with this machine's libm.
std::array<float, 2> plain_normals(std::uint32_t x0, std::uint32_t x1) {
  const float u = std::max(philox_float(x0), 1.0e-7F);
  const auto angle = static_cast<float>(2.0 * std::numbers::pi * philox_float(x1));
  const float radius = std::sqrt(-2.0F * std::log(u));
  return {std::sin(angle) * radius, std::cos(angle) * radius};
}

std::array<double, 2> plain_normals(std::uint32_t x0, std::uint32_t x1, std::uint32_t x2,
                                    std::uint32_t x3) {
  const double u = std::max(philox_double(x0, x1), 1.0e-7);
  const double angle = 2.0 * std::numbers::pi * philox_double(x2, x3);
  const double radius = std::sqrt(-2.0 * std::log(u));
  return {std::sin(angle) * radius, std::cos(angle) * radius};
}

template <typename T>
std::array<T, 2> next_pair(PhiloxStream& words) {
  const std::uint32_t x0 = words.next32();
  const std::uint32_t x1 = words.next32();
  if constexpr (std::is_same_v<T, float>) {
    return plain_normals(x0, x1);
  } else {
    const std::uint32_t x2 = words.next32();
    return plain_normals(x0, x1, x2, words.next32());
  }
}

template <typename T>
std::vector<T> plain_normals_of(const Philox& base, std::size_t n) {
  PhiloxStream words(base);
  std::vector<T> out;
  while (out.size() < n) {
    for (const T x : next_pair<T>(words)) out.push_back(x);
  }
  out.resize(n);
  return out;
}

// Each group of as many values as a block has numbers draws from 256 words a value of its own.
template <typename T>
std::vector<T> plain_truncated_of(const Philox& base, std::size_t n) {
  constexpr std::size_t kSize = 16 / sizeof(T);
  std::vector<T> out;
  for (std::uint64_t group = 0; out.size() < n; ++group) {
    Philox generator = base;
    generator.skip(group * kSize * 64);
    PhiloxStream words(generator);
    const std::size_t end = out.size() + kSize;
    while (out.size() < end) {
      for (const T x : next_pair<T>(words)) {
        if (std::abs(x) < 2 && out.size() < end) out.push_back(x);
      }
    }
  }
  out.resize(n);
  return out;
}

std::int64_t order(float x) {
  const auto bits = std::bit_cast<std::int32_t>(x);
  return bits < 0 ? -std::int64_t{bits & 0x7fffffff} : bits;
}
std::int64_t order(double x) {
  const auto bits = std::bit_cast<std::int64_t>(x);
  return bits < 0 ? -(bits & 0x7fffffffffffffff) : bits;
}

template <typename T>
std::int64_t most_units_apart(const std::vector<T>& a, const std::vector<T>& b) {
  std::int64_t worst = a.size() == b.size() ? 0 : -1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(order(a[i]) - order(b[i])));
  }
  return worst;
}

template <typename T, typename Fill>
std::vector<T> filled(Fill fill, std::int64_t first, std::int64_t n) {
  std::vector<T> out(static_cast<std::size_t>(n));
  fill(first, out.data(), n);
  return out;
}

class PhiloxFill : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { use_avx512(GetParam()); }
  void TearDown() override { use_avx512(true); }
  static void use_avx512(bool on) {
    hwy::SetSupportedTargetsForTest(on ? 0 : HWY_AVX2);
    hwy::GetChosenTarget().DeInit();
  }
};
INSTANTIATE_TEST_SUITE_P(All, PhiloxFill, testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Best" : "Avx2"; });

// Random123's known answers, through the vectors.
TEST_P(PhiloxFill, KnownAnswers) {
  std::uint32_t words[4];
  fill_words(Philox(Block{0, 0, 0, 0}, {0, 0}), 0, words, 4);
  EXPECT_EQ(std::to_array(words), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  fill_words(Philox(Block{kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}), 0, words, 4);
  EXPECT_EQ(std::to_array(words), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  fill_words(
      Philox(Block{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}), 0,
      words, 4);
  EXPECT_EQ(std::to_array(words), (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST_P(PhiloxFill, WordsInOrderPastEveryCarry) {
  for (const Philox& p : kStreams) {
    const auto expected = words_of(p, 600);
    for (const std::int64_t n : {0, 1, 3, 4, 5, 31, 32, 33, 64, 65, 599, 600}) {
      EXPECT_EQ(filled<std::uint32_t>([&](auto... a) { fill_words(p, a...); }, 0, n),
                std::vector(expected.begin(), expected.begin() + n));
    }
    EXPECT_EQ(filled<std::uint32_t>([&](auto... a) { fill_words(p, a...); }, 52, 548),
              std::vector(expected.begin() + 52, expected.end()));
  }
}

TEST_P(PhiloxFill, UniformFractions) {
  for (const Philox& p : kStreams) {
    const auto words = words_of(p, 2010);
    const auto f = filled<float>([&](auto... a) { fill_uniform(p, a...); }, 0, 1003);
    for (std::size_t i = 0; i < f.size(); ++i) ASSERT_EQ(f[i], philox_float(words[i])) << i;
    const auto d = filled<double>([&](auto... a) { fill_uniform(p, a...); }, 0, 1003);
    for (std::size_t i = 0; i < d.size(); ++i) {
      ASSERT_EQ(d[i], philox_double(words[2 * i], words[2 * i + 1])) << i;
    }
  }
}

TEST_P(PhiloxFill, UniformIntegers) {
  using Limits = std::numeric_limits<std::int32_t>;
  using Limits64 = std::numeric_limits<std::int64_t>;
  for (const Philox& p : kStreams) {
    const auto words = words_of(p, 2010);
    const std::pair<std::int32_t, std::int32_t> ranges[] = {
        {0, 1},       {-5, 100},          {7, 10},
        {0, 1 << 20}, {0, Limits::max()}, {-1, 1},
        {3, 65540},   {-8, 1 << 30},      {Limits::min(), Limits::max()}};
    for (const auto& [low, high] : ranges) {
      const auto got = filled<std::int32_t>(
          [&, low = low, high = high](auto... a) { fill_uniform(p, a..., low, high); }, 0, 1003);
      const auto range = static_cast<std::uint32_t>(std::int64_t{high} - low);
      for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], low + words[i] % range) << i;
    }
    const std::pair<std::int64_t, std::int64_t> wide[] = {{0, 1},
                                                          {-5, 100},
                                                          {0, std::int64_t{1} << 40},
                                                          {3, (std::int64_t{1} << 62) + 12345},
                                                          {-1, Limits64::max()},
                                                          {Limits64::min(), Limits64::max()}};
    for (const auto& [low, high] : wide) {
      const auto got = filled<std::int64_t>(
          [&, low = low, high = high](auto... a) { fill_uniform(p, a..., low, high); }, 0, 1003);
      const auto start = static_cast<std::uint64_t>(low);
      const std::uint64_t range = static_cast<std::uint64_t>(high) - start;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const std::uint64_t bits = words[2 * i] | (std::uint64_t{words[2 * i + 1]} << 32);
        ASSERT_EQ(got[i], static_cast<std::int64_t>(start + bits % range)) << i;
      }
    }
  }
}

// Two units in the last place is what a different libm may cost; with glibc 2.28 and later there
// is no difference at all.
TEST_P(PhiloxFill, NormalsAreTensorFlowsFormula) {
  for (const Philox& p : kStreams) {
    EXPECT_LE(most_units_apart(filled<float>([&](auto... a) { fill_normal(p, a...); }, 0, 50003),
                               plain_normals_of<float>(p, 50003)),
              2);
    EXPECT_LE(most_units_apart(filled<double>([&](auto... a) { fill_normal(p, a...); }, 0, 5003),
                               plain_normals_of<double>(p, 5003)),
              2);
  }
}

TEST_P(PhiloxFill, TruncatedNormalsAreTensorFlowsFormula) {
  for (const Philox& p : kStreams) {
    EXPECT_LE(most_units_apart(
                  filled<float>([&](auto... a) { fill_truncated_normal(p, a...); }, 0, 50003),
                  plain_truncated_of<float>(p, 50003)),
              2);
    EXPECT_LE(most_units_apart(
                  filled<double>([&](auto... a) { fill_truncated_normal(p, a...); }, 0, 5003),
                  plain_truncated_of<double>(p, 5003)),
              2);
  }
}

TEST_P(PhiloxFill, AnyStretchHasTheSameBits) {
  const Philox p = kStreams[1];
  const auto check = [](auto zero, auto fill) {
    using T = decltype(zero);
    const auto whole = filled<T>(fill, 0, 5000);
    for (const std::int64_t first : {0, 4, 60, 64, 2048, 4096}) {
      for (const std::int64_t n : {0, 1, 2, 3, 4, 5, 8, 31, 33, 67, 511, 904}) {
        EXPECT_EQ(filled<T>(fill, first, n),
                  std::vector(whole.begin() + first, whole.begin() + first + n))
            << first << " " << n;
      }
    }
  };
  check(0.0F, [&](auto... a) { fill_uniform(p, a...); });
  check(0.0, [&](auto... a) { fill_uniform(p, a...); });
  check(std::int32_t{0}, [&](auto... a) { fill_uniform(p, a..., 3, 1000); });
  check(std::int64_t{0},
        [&](auto... a) { fill_uniform(p, a..., std::int64_t{3}, std::int64_t{1000}); });
  check(0.0F, [&](auto... a) { fill_normal(p, a...); });
  check(0.0, [&](auto... a) { fill_normal(p, a...); });
  check(0.0F, [&](auto... a) { fill_truncated_normal(p, a...); });
  check(0.0, [&](auto... a) { fill_truncated_normal(p, a...); });
}

TEST(PhiloxFillTargets, GiveTheSameBits) {
  const auto make = [](std::uint32_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
    std::vector<float> all;
    for (const Philox& p : kStreams) {
      const auto normal = filled<float>([&](auto... a) { fill_normal(p, a...); }, 0, 300001);
      const auto cut = filled<float>([&](auto... a) { fill_truncated_normal(p, a...); }, 0, 300001);
      all.insert(all.end(), normal.begin(), normal.end());
      all.insert(all.end(), cut.begin(), cut.end());
    }
    return all;
  };
  const auto narrow = make(HWY_AVX2);
  EXPECT_EQ(make(0), narrow);
}

// The distance of `got` from the true value, in units in the last place.
double units_off(float got, long double exact) {
  const auto near = static_cast<float>(exact);
  const float unit = std::abs(std::nextafter(near, INFINITY) - near);
  return static_cast<double>(std::abs(got - exact) / unit);
}

// A turn of 0 has sine 0 and cosine 1: the second number is the radius, for each u there is.
TEST(BoxMuller, EveryRadius) {
  double worst = 0;
  for (std::uint32_t x = 0; x < 1U << 23; ++x) {
    const long double u = x == 0 ? 1.0e-7F : x * 0x1p-23L;
    const double off = units_off(box_muller(x, 0)[1], std::sqrt(-2 * std::log(u)));
    worst = std::max(worst, off);
  }
  // Half of the logarithm's error, at most 0.82, and the square root's rounding: 0.946 in all.
  EXPECT_LT(worst, 0.95);
  EXPECT_EQ(box_muller(0, 0)[0], 0.0F);
}

// Every angle, TensorFlow's rounding of it to float taken as it is.
TEST(BoxMuller, EveryAngle) {
  double worst = 0;
  const std::uint32_t u = 0x2aaaaa;
  const float radius = box_muller(u, 0)[1];
  for (std::uint32_t x = 0; x < 1U << 23; x += 5) {
    const auto angle = static_cast<float>(2.0 * std::numbers::pi * philox_float(x));
    const auto pair = box_muller(u, x);
    worst = std::max(worst, units_off(pair[0], radius * std::sin(static_cast<long double>(angle))));
    worst = std::max(worst, units_off(pair[1], radius * std::cos(static_cast<long double>(angle))));
  }
  // Sine's or cosine's own 0.56, which count up to twice after the product, and its rounding.
  EXPECT_LT(worst, 1.4);
}

// Random pairs of words, against the formula without any rounding but that of the angle.
TEST(BoxMuller, ErrorOfTheWhole) {
  PhiloxStream words(Philox(2011, 11));
  double worst = 0;
  for (int i = 0; i < 2000000; ++i) {
    const std::uint32_t x0 = words.next32();
    const std::uint32_t x1 = words.next32();
    const auto angle = static_cast<float>(2.0 * std::numbers::pi * philox_float(x1));
    const long double u = std::max(philox_float(x0), 1.0e-7F);
    const long double radius = std::sqrt(-2 * std::log(u));
    const auto pair = box_muller(x0, x1);
    worst = std::max(worst, units_off(pair[0], radius * std::sin(static_cast<long double>(angle))));
    worst = std::max(worst, units_off(pair[1], radius * std::cos(static_cast<long double>(angle))));
  }
  EXPECT_LT(worst, 2.5);
}

}  // namespace
}  // namespace assay
