// Fills of 16-bit types against their definition, and every fill in pieces.
#include "assay/ops/random_fill.h"

#include <gtest/gtest.h>

#include <cmath>

namespace assay {
namespace {

const Philox kBase(20111, 5);

template <typename T, typename Distribution>
std::vector<T> filled(std::int64_t first, std::int64_t n) {
  std::vector<T> out(static_cast<std::size_t>(n));
  Distribution::fill(kBase, first, out.data(), n);
  return out;
}

template <typename T>
std::vector<std::uint16_t> bits_of(const std::vector<T>& values) {
  std::vector<std::uint16_t> bits;
  for (const T value : values) bits.push_back(value.bits);
  return bits;
}

// The low bits of a word as the fraction of a number in [1, 2), less 1.
template <typename T>
void expect_fractions(int bits) {
  const auto got = filled<T, random::Uniform>(0, 5003);
  PhiloxStream words(kBase);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const std::uint32_t fraction = words.next32() % (1U << bits);
    ASSERT_EQ(static_cast<float>(got[i]), std::ldexp(static_cast<float>(fraction), -bits)) << i;
  }
}

TEST(RandomFill, ShortUniformTypesTakeTheLowBits) {
  expect_fractions<Half>(10);
  expect_fractions<BFloat16>(7);
}

template <typename T, typename Distribution>
void expect_rounded_floats() {
  std::vector<T> rounded;
  for (const float x : filled<float, Distribution>(0, 5003)) rounded.push_back(T(x));
  EXPECT_EQ(bits_of(filled<T, Distribution>(0, 5003)), bits_of(rounded));
}

TEST(RandomFill, ShortNormalTypesAreRoundedFloats) {
  expect_rounded_floats<Half, random::Normal>();
  expect_rounded_floats<BFloat16, random::Normal>();
  expect_rounded_floats<Half, random::Truncated>();
  expect_rounded_floats<BFloat16, random::Truncated>();
}

template <typename T, typename Distribution>
void expect_same_in_pieces() {
  const auto whole = bits_of(filled<T, Distribution>(0, 9000));
  for (const std::int64_t first : {4, 1020, 1024, 4096}) {
    for (const std::int64_t n : {1, 3, 4, 1023, 1025, 4000}) {
      EXPECT_EQ(bits_of(filled<T, Distribution>(first, n)),
                std::vector(whole.begin() + first, whole.begin() + first + n))
          << first << " " << n;
    }
  }
}

TEST(RandomFill, PiecesJoin) {
  expect_same_in_pieces<Half, random::Uniform>();
  expect_same_in_pieces<BFloat16, random::Uniform>();
  expect_same_in_pieces<Half, random::Normal>();
  expect_same_in_pieces<BFloat16, random::Truncated>();
}

}  // namespace
}  // namespace assay
