#include "assay/device/entropy.h"

#include <gtest/gtest.h>

#include "assay/base/siphash.h"
#include "assay/device/random_state.h"

namespace assay {
namespace {

TEST(Entropy, DrawnOnesDifferAndStay) {
  Entropy a;
  Entropy b;
  EXPECT_FALSE(a.used());
  testing::internal::CaptureStderr();
  const std::uint64_t bits = a.bits();
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "assay: random ops without a seed draw from the entropy " + entropy_str(bits) + "\n");
  EXPECT_NE(bits, b.bits());
  EXPECT_NE(a.stream("n"), b.stream("n"));
  EXPECT_EQ(a.bits(), bits);
  EXPECT_EQ(a.used(), bits);
}

TEST(Entropy, StreamsFollowFromBitsAndName) {
  Entropy a(7);
  Entropy b;
  b.set(7);
  EXPECT_EQ(a.stream("drop/uniform"), b.stream("drop/uniform"));
  EXPECT_NE(a.stream("drop/uniform"), a.stream("drop_1/uniform"));
  EXPECT_NE(a.stream("n"), Entropy(8).stream("n"));
  const std::uint64_t key = siphash(7, 1, "n");
  const std::uint64_t counter = siphash(7, 2, "n");
  EXPECT_EQ(a.stream("n"), Philox(key, counter));
}

TEST(Entropy, ThatOfAnInnerSessionFollowsFromTheOuterOnes) {
  ResourceStore outer;
  ResourceStore first;
  ResourceStore second;
  share_entropy(first, session_entropy(outer), "map");
  share_entropy(second, session_entropy(outer), "map_1");
  session_entropy(outer)->set(1);
  const std::uint64_t bits = session_entropy(first)->bits();
  EXPECT_EQ(bits, siphash(1, 3, "map"));
  EXPECT_NE(bits, session_entropy(second)->bits());
  EXPECT_FALSE(session_entropy(first)->used());
  session_entropy(outer)->set(2);
  EXPECT_NE(session_entropy(first)->bits(), bits);
}

TEST(Entropy, TextAndBack) {
  for (const std::uint64_t bits : {std::uint64_t{0}, std::uint64_t{0xc0ffee}, ~std::uint64_t{0}}) {
    EXPECT_EQ(parse_entropy(entropy_str(bits)), bits);
  }
  EXPECT_EQ(entropy_str(0xc0ffee), "0x0000000000c0ffee");
  EXPECT_EQ(parse_entropy("0xF"), 15U);
  for (const char* text : {"", "0x", "12", "0x12345678123456781", "0x1g", "0x-1", " 0x1"}) {
    EXPECT_FALSE(parse_entropy(text)) << text;
  }
}

TEST(Entropy, IsStateOfASession) {
  ResourceStore resources;
  std::map<std::string, Tensor> state;
  save_random_state(resources, state, "");
  EXPECT_TRUE(state.empty());

  session_entropy(resources)->set(5);
  save_random_state(resources, state, "");
  EXPECT_TRUE(state.empty());
  unseeded_random_state(resources, "used")->philox().reserve_blocks(3);
  save_random_state(resources, state, "");
  ASSERT_TRUE(state.contains("entropy"));

  // A session that has drawn with another entropy goes on as if it were the first.
  ResourceStore other;
  session_entropy(other)->set(6);
  unseeded_random_state(other, "early")->philox().reserve_blocks(1);
  restore_random_state(other, state, "");
  EXPECT_EQ(session_entropy(other)->bits(), 5U);
  EXPECT_EQ(unseeded_random_state(other, "early")->philox().state(), Entropy(5).stream("early"));
  EXPECT_EQ(unseeded_random_state(other, "late")->philox().state(), Entropy(5).stream("late"));
  Philox used = Entropy(5).stream("used");
  used.skip(3);
  EXPECT_EQ(unseeded_random_state(other, "used")->philox().state(), used);

  state["entropy"] = Tensor::scalar(1.0f);
  try {
    restore_random_state(other, state, "");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kDataLoss);
  }
}

}  // namespace
}  // namespace assay
