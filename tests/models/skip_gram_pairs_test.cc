#include "models/word2vec/skip_gram_pairs.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "assay/base/error.h"

namespace assay::word2vec {
namespace {

using Pairs = std::vector<std::pair<std::int32_t, std::int32_t>>;

SkipGramPairs::Text counting_text(std::int32_t n) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(n));
  std::iota(ids.begin(), ids.end(), 0);
  return std::make_shared<const std::vector<std::int32_t>>(std::move(ids));
}

Pairs take(SkipGramPairs& pairs, std::int64_t count) {
  std::vector<std::int32_t> centers(static_cast<std::size_t>(count));
  std::vector<std::int32_t> targets(static_cast<std::size_t>(count));
  pairs.next(count, centers.data(), targets.data());
  Pairs all;
  for (std::size_t i = 0; i < centers.size(); ++i) all.emplace_back(centers[i], targets[i]);
  return all;
}

TEST(SkipGramPairs, BeforeThenAfterAndRoundAgain) {
  SkipGramPairs pairs(counting_text(3), 1, 0);
  EXPECT_EQ(pairs.pairs_in_pass(0), 4);
  EXPECT_EQ(take(pairs, 6), (Pairs{{0, 1}, {1, 0}, {1, 2}, {2, 1}, {0, 1}, {1, 0}}));
}

TEST(SkipGramPairs, WindowsAreDrawnUniformlyAndCutAtTheEnds) {
  const std::int32_t n = 20000;
  const std::int64_t window = 4;
  SkipGramPairs pairs(counting_text(n), window, 3);
  const Pairs all = take(pairs, pairs.pairs_in_pass(0));
  std::map<std::int32_t, std::vector<std::int32_t>> targets;
  for (const auto& [center, target] : all) targets[center].push_back(target);
  std::map<std::int64_t, int> widths;
  for (std::int32_t c = window; c < n - window; ++c) {
    const auto& t = targets[c];
    const auto width = static_cast<std::int64_t>(t.size() / 2);
    ++widths[width];
    std::vector<std::int32_t> expected;
    for (std::int32_t i = c - static_cast<std::int32_t>(width); i <= c + width; ++i) {
      if (i != c) expected.push_back(i);
    }
    ASSERT_EQ(t, expected) << "centre " << c;
  }
  ASSERT_EQ(widths.size(), 4u);
  for (const auto& [width, count] : widths) EXPECT_NEAR(count, n / 4, n / 50) << width;
}

TEST(SkipGramPairs, AnyCutGivesTheSamePairs) {
  for (const std::int64_t window : {1, 3}) {
    SkipGramPairs whole(counting_text(11), window, 9);
    const Pairs expected = take(whole, 200);
    SkipGramPairs parts(counting_text(11), window, 9);
    Pairs got;
    for (const std::int64_t n : {1, 2, 3, 50, 0, 100, 44}) {
      for (const auto& p : take(parts, n)) got.push_back(p);
    }
    EXPECT_EQ(got, expected);
  }
}

TEST(SkipGramPairs, SkipAndPositionReachTheSamePlace) {
  for (const std::int64_t window : {1, 2, 5}) {
    for (const std::int64_t n : {0, 1, 7, 63, 64, 65, 500}) {
      SkipGramPairs reading(counting_text(13), window, 4);
      take(reading, n);
      SkipGramPairs skipping(counting_text(13), window, 4);
      skipping.skip(n);
      EXPECT_EQ(reading.position(), skipping.position());
      SkipGramPairs placed(counting_text(13), window, 4);
      placed.set_position(reading.position());
      EXPECT_EQ(take(placed, 60), take(skipping, 60));
    }
  }
}

TEST(SkipGramPairs, BadArgumentsAreRefused) {
  EXPECT_THROW(SkipGramPairs(counting_text(1), 1, 0), Error);
  EXPECT_THROW(SkipGramPairs(counting_text(5), 0, 0), Error);
  SkipGramPairs pairs(counting_text(5), 1, 0);
  EXPECT_THROW(pairs.set_position({.pass = 0, .center = 5, .target = 0}), Error);
  EXPECT_THROW(pairs.set_position({.pass = 0, .center = 0, .target = 1}), Error);
}

}  // namespace
}  // namespace assay::word2vec
