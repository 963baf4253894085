#include "assay/device/random_state.h"

#include <gtest/gtest.h>

#include "assay/device/unigram_weights.h"

namespace assay {
namespace {

Philox next(ResourceStore& resources, const std::string& node, std::uint64_t seed) {
  return resources
      .get_or_create<RandomResource>(
          random_resource_name(node),
          [&] { return std::make_shared<RandomResource>(Philox(seed, 7)); })
      ->philox()
      .reserve_blocks(3);
}

// What first ran after the state was saved is as if it had not.
TEST(RandomState, WhatTheStateDoesNotHaveBeginsAnew) {
  ResourceStore resources;
  std::map<std::string, Tensor> nothing;
  save_random_state(resources, nothing, "");
  EXPECT_TRUE(nothing.empty());
  next(resources, "before", 1);
  std::map<std::string, Tensor> state;
  save_random_state(resources, state, "");

  const Philox start = next(resources, "after", 2);
  EXPECT_EQ(start, Philox(2, 7));
  next(resources, "after", 2);
  const auto unseeded = [&] {
    return unseeded_random_state(resources, "unseeded")->philox().reserve_blocks(3);
  };
  session_entropy(resources)->set(11);
  const Philox unseeded_start = unseeded();
  const auto learned = resources.get_or_create<UnigramWeights>(
      unigram_resource_name("sampler"), [] { return std::make_shared<UnigramWeights>(5); });
  learned->add(3);

  restore_random_state(resources, state, "");
  EXPECT_EQ(next(resources, "after", 2), start);
  EXPECT_EQ(unseeded(), unseeded_start);
  EXPECT_EQ(learned->weight(3), 1);
  EXPECT_EQ(learned->total(), 5);
  Philox further(1, 7);
  further.skip(3);
  EXPECT_EQ(next(resources, "before", 1), further);

  restore_random_state(resources, nothing, "");
  EXPECT_EQ(next(resources, "before", 1), Philox(1, 7));
}

// A stream that was first met in a state is known to follow from that state's entropy.
TEST(RandomState, AnUnseededStreamOfAStateFollowsTheNextEntropy) {
  std::map<std::string, Tensor> first;
  std::map<std::string, Tensor> second;
  ResourceStore one;
  session_entropy(one)->set(5);
  unseeded_random_state(one, "x")->philox().reserve_blocks(3);
  save_random_state(one, first, "");
  ResourceStore two;
  session_entropy(two)->set(6);
  unseeded_random_state(two, "y")->philox().reserve_blocks(3);
  save_random_state(two, second, "");

  ResourceStore resources;
  restore_random_state(resources, first, "");
  restore_random_state(resources, second, "");
  EXPECT_EQ(unseeded_random_state(resources, "x")->philox().state(), Entropy(6).stream("x"));
}

}  // namespace
}  // namespace assay
