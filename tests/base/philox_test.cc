#include "assay/base/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace assay {
namespace {

using Block = Philox::Block;

// The known-answer vectors that the authors of Philox publish with Random123 (kat_vectors).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(Philox(Block{0, 0, 0, 0}, {0, 0})(),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(
      Philox(Block{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff})(),
      (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      Philox(Block{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0})(),
      (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, SeedsAreKeyAndUpperCounter) {
  const Philox p(0x0000000200000001, 0x0000000400000003);
  EXPECT_EQ(p.key(), (Philox::Key{1, 2}));
  EXPECT_EQ(p.counter(), (Block{0, 0, 3, 4}));
}

TEST(Philox, SkipPassesOverBlocks) {
  Philox a(7, 9);
  Philox b = a;
  for (int i = 0; i < 5; ++i) a();
  b.skip(5);
  EXPECT_EQ(a, b);
  EXPECT_EQ(a(), b());
}

TEST(Philox, SkipCarries) {
  Philox p(Block{0xffffffff, 0xffffffff, 0xffffffff, 7}, {1, 2});
  p.skip(1);
  EXPECT_EQ(p.counter(), (Block{0, 0, 0, 8}));
  Philox q(Block{0xffffffff, 0, 0, 0}, {1, 2});
  q();
  EXPECT_EQ(q.counter(), (Block{0, 1, 0, 0}));
  Philox r(Block{1, 0, 0, 0}, {1, 2});
  r.skip(0x200000003);
  EXPECT_EQ(r.counter(), (Block{4, 2, 0, 0}));
}

// random_uniform([], -10, 10, seed=2) in TensorFlow 1.x: graph seed 87654321 (the default), op
// seed 2; two runs in a session.
TEST(Philox, TensorFlowsUniformNumbers) {
  GuardedPhilox guarded(87654321, 2);
  float x = 0;
  fill_uniform(guarded.reserve_outputs(1), 0, &x, 1);
  EXPECT_FLOAT_EQ(x * 20 - 10, 3.574932f);
  fill_uniform(guarded.reserve_outputs(1), 0, &x, 1);
  EXPECT_FLOAT_EQ(x * 20 - 10, -5.9731865f);
}

// set_random_seed(2), op seeds 31 and 38.
TEST(Philox, TensorFlowsGraphSeedNumbers) {
  float x = 0;
  fill_uniform(GuardedPhilox(2, 31).reserve_outputs(1), 0, &x, 1);
  EXPECT_FLOAT_EQ(x * 20 - 10, 9.123926f);
  fill_uniform(GuardedPhilox(2, 38).reserve_outputs(1), 0, &x, 1);
  EXPECT_FLOAT_EQ(x * 20 - 10, -4.5340395f);
}

template <typename Fill>
void expect_same_in_stretches(Fill&& fill) {
  const Philox base(123, 456);
  auto whole = fill(base, 0, 103);
  auto head = fill(base, 0, 40);
  const auto tail = fill(base, 40, 63);
  head.insert(head.end(), tail.begin(), tail.end());
  EXPECT_EQ(whole, head);
}

TEST(Philox, StretchesJoin) {
  expect_same_in_stretches([](const Philox& p, std::int64_t first, std::int64_t n) {
    std::vector<float> v(static_cast<std::size_t>(n));
    fill_uniform(p, first, v.data(), n);
    return v;
  });
  expect_same_in_stretches([](const Philox& p, std::int64_t first, std::int64_t n) {
    std::vector<double> v(static_cast<std::size_t>(n));
    fill_normal(p, first, v.data(), n);
    return v;
  });
  expect_same_in_stretches([](const Philox& p, std::int64_t first, std::int64_t n) {
    std::vector<float> v(static_cast<std::size_t>(n));
    fill_truncated_normal(p, first, v.data(), n);
    return v;
  });
  expect_same_in_stretches([](const Philox& p, std::int64_t first, std::int64_t n) {
    std::vector<std::int64_t> v(static_cast<std::size_t>(n));
    fill_uniform(p, first, v.data(), n, std::int64_t{-5}, std::int64_t{1} << 40);
    return v;
  });
}

template <typename T>
void expect_moments(const std::vector<T>& v, double mean, double deviation, double low,
                    double high) {
  double sum = 0;
  double squares = 0;
  for (const T x : v) {
    ASSERT_GE(x, low);
    ASSERT_LT(x, high);
    sum += x;
    squares += static_cast<double>(x) * x;
  }
  const double n = static_cast<double>(v.size());
  EXPECT_NEAR(sum / n, mean, 5 * deviation / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(squares / n - (sum / n) * (sum / n)), deviation, 0.01 * deviation);
}

TEST(Philox, Distributions) {
  constexpr std::int64_t n = 200000;
  std::vector<float> f(n);
  std::vector<double> d(n);
  std::vector<std::int32_t> i(n);
  fill_uniform(Philox(1, 2), 0, f.data(), n);
  expect_moments(f, 0.5, std::sqrt(1.0 / 12), 0, 1);
  fill_uniform(Philox(1, 2), 0, d.data(), n);
  expect_moments(d, 0.5, std::sqrt(1.0 / 12), 0, 1);
  fill_uniform(Philox(1, 2), 0, i.data(), n, -3, 4);
  expect_moments(i, 0, 2, -3, 4);
  fill_normal(Philox(3, 4), 0, f.data(), n);
  expect_moments(f, 0, 1, -6, 6);
  fill_normal(Philox(3, 4), 0, d.data(), n);
  expect_moments(d, 0, 1, -6, 6);
  // The deviation of a standard normal cut off at 2.
  fill_truncated_normal(Philox(3, 4), 0, f.data(), n);
  expect_moments(f, 0, 0.8796256610342398, -2, 2);
  fill_truncated_normal(Philox(3, 4), 0, d.data(), n);
  expect_moments(d, 0, 0.8796256610342398, -2, 2);
}

TEST(Philox, IntegersCoverExtremeRanges) {
  std::int32_t v[8];
  fill_uniform(Philox(1, 1), 0, v, 8, std::int32_t{-2147483647 - 1}, std::int32_t{2147483647});
  bool negative = false;
  bool positive = false;
  for (const std::int32_t x : v) (x < 0 ? negative : positive) = true;
  EXPECT_TRUE(negative && positive);
}

TEST(PhiloxStream, WordsInOrder) {
  Philox p(5, 6);
  PhiloxStream s(p);
  const Block b = p();
  EXPECT_EQ(s.next32(), b[0]);
  EXPECT_EQ(s.next64(), b[1] | (std::uint64_t{b[2]} << 32));
  EXPECT_EQ(s.next_float(), philox_float(b[3]));
  const Block c = p();
  EXPECT_EQ(s.next_double(), philox_double(c[0], c[1]));
}

TEST(PhiloxStream, ExactUniformStaysBelow) {
  PhiloxStream s(Philox(5, 6));
  int counts[3] = {};
  for (int i = 0; i < 30000; ++i) ++counts[s.uniform(3)];
  for (const int c : counts) EXPECT_NEAR(c, 10000, 500);
  EXPECT_EQ(s.uniform(1), 0u);
  EXPECT_LT(s.uniform64(std::uint64_t{1} << 63), std::uint64_t{1} << 63);
}

TEST(GuardedPhilox, StateComesBack) {
  GuardedPhilox g(1, 2);
  g.reserve_words(9);  // three blocks
  const Philox saved = g.state();
  EXPECT_EQ(saved.counter()[0], 3u);
  const Philox next = g.reserve_blocks(1);
  GuardedPhilox other(8, 8);
  other.set_state(saved);
  EXPECT_EQ(other.reserve_blocks(1), next);
}

}  // namespace
}  // namespace assay
