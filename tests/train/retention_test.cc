#include "assay/train/retention.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "assay/train/saver.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::train {
namespace {

namespace fs = std::filesystem;
using assay::testing::code_of;
using assay::testing::TemporaryFolder;
using ::testing::ElementsAre;

CheckpointFacts fact(std::int64_t step, double loss = 0) {
  return {.prefix = fmt::format("m-{}", step),
          .step = step,
          .time = static_cast<double>(step) * 10,
          .ours = true,
          .metrics = {{"loss", loss}}};
}

/// The steps that stay, each with its reasons.
std::vector<std::string> kept(const std::vector<CheckpointFacts>& all, const RetentionRules& rules,
                              const std::string& written = {}) {
  std::vector<std::string> out;
  for (const RetentionDecision& d : decide_retention(all, rules, written)) {
    if (d.keep()) out.push_back(fmt::format("{}: {}", d.prefix, fmt::join(d.reasons, ", ")));
  }
  return out;
}

TEST(Retention, TheNewest) {
  EXPECT_THAT(kept({fact(3), fact(1), fact(2)}, {.last = 2}),
              ElementsAre("m-2: newest 2", "m-3: newest 2"));
  EXPECT_THAT(kept({fact(3), fact(1)}, {.last = 0}),
              ElementsAre("m-1: all are kept", "m-3: all are kept"));
  // A run that went back writes lower numbers: what was just written stays.
  EXPECT_THAT(kept({fact(3), fact(1), fact(2)}, {.last = 1}, "m-1"), ElementsAre("m-1: newest 1"));
}

TEST(Retention, RulesAreReadBackFromText) {
  for (const RetentionRules& rules :
       {RetentionRules{}, RetentionRules{.last = 0}, RetentionRules{.last = 3, .every_steps = 1000},
        RetentionRules{.last = 2,
        .best = 4,
        .metric = "my loss, by (max)",
        .best_is_max = true,
        .every_seconds = 5400.5,
        .every_steps = 7}}) {
    EXPECT_EQ(RetentionRules::parse(rules.str()), rules) << rules.str();
  }
  for (const char* text : {"", "last", "last 5,", "best 3 by loss (min)", "last 99999999999"}) {
    EXPECT_EQ(code_of([&] { RetentionRules::parse(text); }), Code::kInvalidArgument) << text;
  }
}

TEST(Retention, TheBest) {
  const std::vector<CheckpointFacts> all = {fact(1, 0.5), fact(2, 0.1), fact(3, 0.9), fact(4, 0.1),
                                            fact(5, std::nan(""))};
  EXPECT_THAT(kept(all, {.last = 1, .best = 1, .metric = "loss"}),
              ElementsAre("m-2: best 1 of loss", "m-5: newest 1"));
  EXPECT_THAT(kept(all, {.last = 1, .best = 2, .metric = "loss", .best_is_max = true}),
              ElementsAre("m-1: best 2 of loss", "m-3: best 2 of loss", "m-5: newest 1"));
  EXPECT_THAT(kept(all, {.last = 1, .best = 2, .metric = "accuracy"}),
              ElementsAre("m-5: newest 1"));
}

TEST(Retention, OneOfEvery) {
  std::vector<CheckpointFacts> all;
  for (int step = 1; step <= 10; ++step) all.push_back(fact(step));
  EXPECT_THAT(kept(all, {.last = 1, .every_steps = 4}),
              ElementsAre("m-1: one every 4 steps", "m-5: one every 4 steps",
                          "m-9: one every 4 steps", "m-10: newest 1"));
  EXPECT_THAT(kept(all, {.last = 1, .every_seconds = 45}),
              ElementsAre("m-1: one every 45 s", "m-6: one every 45 s", "m-10: newest 1"));
  // Computed anew from what it left, the answer is the same.
  EXPECT_THAT(kept({fact(1), fact(5), fact(9), fact(10)}, {.last = 1, .every_steps = 4}),
              ElementsAre("m-1: one every 4 steps", "m-5: one every 4 steps",
                          "m-9: one every 4 steps", "m-10: newest 1"));
}

TEST(Retention, PinnedAndOthers) {
  std::vector<CheckpointFacts> all = {fact(1), fact(2), fact(3)};
  all[0].pinned = true;
  all[1].ours = false;
  EXPECT_THAT(kept(all, {.last = 1}),
              ElementsAre("m-1: pinned", "m-2: not written here", "m-3: newest 1"));
}

TEST(Retention, RulesAsText) {
  EXPECT_EQ(RetentionRules{}.str(), "last 5");
  EXPECT_EQ((RetentionRules{.last = 0, .every_steps = 10}).str(), "all, one every 10 steps");
  EXPECT_EQ((RetentionRules{.last = 2, .best = 3, .metric = "loss", .every_seconds = 3600}).str(),
            "last 2, best 3 by loss (min), one every 3600 s");
}

/// A graph of one variable.
struct Model {
  Graph graph;
  GraphScope scope{graph};
  Variable w = Variable(std::vector<float>{1, 2, 3}, {.name = "w"});
  Node* init = global_variables_initializer();
  Session session{{.threads = 1}};
  Model() { session.run(init); }
};

std::vector<std::string> steps_in(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const std::string& prefix : find_checkpoints(folder.path().string())) {
    names.push_back(fs::path(prefix).filename().string());
  }
  return names;
}

TEST(SaverRetention, IsRecomputedAfterARestart) {
  TemporaryFolder folder;
  Model m;
  {
    Saver saver({.max_to_keep = 3});
    for (int step = 1; step <= 3; ++step)
      saver.save(m.session, folder / "m", {.global_step = step});
  }
  Saver saver({.max_to_keep = 2, .name = "again"});
  saver.save(m.session, folder / "m", {.global_step = 4});
  EXPECT_THAT(steps_in(folder), ElementsAre("m-4", "m-3"));
  EXPECT_THAT(saver.last_checkpoints(), ElementsAre(folder / "m-3", folder / "m-4"));
}

TEST(SaverRetention, BestByMetricAndEverySteps) {
  TemporaryFolder folder;
  Model m;
  Saver saver({.max_to_keep = 1, .keep = {.best = 1, .metric = "loss", .every_steps = 3}});
  const double losses[] = {0, 9, 3, 2, 7, 1, 8, 8};
  for (int step = 1; step <= 7; ++step) {
    saver.save(m.session, folder / "m", {.global_step = step, .metrics = {{"loss", losses[step]}}});
  }
  EXPECT_THAT(steps_in(folder), ElementsAre("m-7", "m-5", "m-4", "m-1"));
  const auto facts = read_checkpoint_facts(folder.path().string());
  ASSERT_EQ(facts.size(), 4U);
  EXPECT_EQ(facts[1].metrics.at("loss"), 1);
  EXPECT_TRUE(facts[1].ours);
  EXPECT_GT(facts[1].bytes, 100U);
}

TEST(SaverRetention, PinsSurviveARestart) {
  TemporaryFolder folder;
  Model m;
  {
    Saver saver({.max_to_keep = 1});
    saver.save(m.session, folder / "m", {.global_step = 1});
    pin_checkpoint(folder / "m-1");
  }
  EXPECT_TRUE(is_pinned(folder / "m-1"));
  Saver saver({.max_to_keep = 1, .name = "again"});
  for (int step = 2; step <= 3; ++step) saver.save(m.session, folder / "m", {.global_step = step});
  EXPECT_THAT(steps_in(folder), ElementsAre("m-3", "m-1"));
  unpin_checkpoint(folder / "m-1");
  unpin_checkpoint(folder / "m-1");
  saver.save(m.session, folder / "m", {.global_step = 4});
  EXPECT_THAT(steps_in(folder), ElementsAre("m-4"));
  EXPECT_EQ(code_of([&] { pin_checkpoint(folder / "m-9"); }), Code::kNotFound);
}

TEST(SaverRetention, NothingNotOursIsDeleted) {
  TemporaryFolder folder;
  Model m;
  // Another program's checkpoint of the same name: without a mark, and not in the state file.
  Saver other({.name = "other"});
  other.save(m.session, folder / "m", {.global_step = 1, .write_state = false});
  const std::vector<std::string> strangers = {
      "m-2.data", "m-2.index.bak",           "m-2.data-00000-of-00001.old", "m-22.txt", "m-2.meta2",
      "m",        "xm-2.data-00000-of-00001"};
  for (const std::string& name : strangers) std::ofstream(folder / name) << name;
  // Another Saver's, in the same folder.
  Saver best({.max_to_keep = 1, .name = "best"});
  best.save(m.session, folder / "best", {.global_step = 1, .latest_filename = "best_state"});
  Saver saver({.max_to_keep = 1});
  for (int step = 2; step <= 5; ++step) saver.save(m.session, folder / "m", {.global_step = step});
  EXPECT_THAT(steps_in(folder), ::testing::UnorderedElementsAre("m-5", "m-1", "best-1"));
  for (const std::string& name : strangers) EXPECT_TRUE(fs::exists(folder / name)) << name;
}

TEST(SaverRetention, WhatACallerKnowsOfIsNotOursForThat) {
  TemporaryFolder folder;
  Model m;
  Saver other({.name = "other"});
  other.save(m.session, folder / "foreign", {.write_state = false});
  std::ofstream(folder / "notes.index") << "hello";
  std::ofstream(folder / "notes.meta") << "hello";
  Saver saver({.max_to_keep = 1});
  const std::vector<std::string> known = {folder / "foreign", folder / "notes"};
  saver.recover_last_checkpoints(known);
  for (int step = 1; step <= 3; ++step) saver.save(m.session, folder / "m", {.global_step = step});
  saver.set_last_checkpoints_with_times({{known[0], 1}, {known[1], 2}});
  for (int step = 4; step <= 6; ++step) saver.save(m.session, folder / "m", {.global_step = step});
  EXPECT_THAT(steps_in(folder), ::testing::UnorderedElementsAre("m-6", "foreign", "notes"));
  EXPECT_TRUE(fs::exists(folder / "foreign.data-00000-of-00001"));
  EXPECT_TRUE(fs::exists(folder / "notes.meta"));
}

TEST(SaverRetention, LeavesWhatGoesWithAnotherStateFile) {
  TemporaryFolder folder;
  Model m;
  Saver all({.max_to_keep = 0, .name = "all"});
  Saver few({.max_to_keep = 1, .name = "few"});
  for (int step = 1; step <= 3; ++step) {
    all.save(m.session, folder / "m", {.global_step = 10 * step, .latest_filename = "all"});
    few.save(m.session, folder / "m", {.global_step = 10 * step + 1});
  }
  EXPECT_THAT(steps_in(folder), ElementsAre("m-31", "m-30", "m-20", "m-10"));
  const auto facts = read_checkpoint_facts(folder.path().string(), "all");
  ASSERT_EQ(facts.size(), 4U);
  EXPECT_FALSE(facts[0].ours);
  EXPECT_TRUE(facts[1].ours);
}

TEST(SaverRetention, ARunThatBeganAnewKeepsItsOwn) {
  TemporaryFolder folder;
  Model m;
  {
    Saver before({.max_to_keep = 3, .name = "before"});
    for (int step = 1000; step <= 1002; ++step) {
      before.save(m.session, folder / "m", {.global_step = step});
    }
  }
  Saver saver({.max_to_keep = 3});
  for (int step = 1; step <= 2; ++step) saver.save(m.session, folder / "m", {.global_step = step});
  EXPECT_THAT(steps_in(folder), ElementsAre("m-1002", "m-2", "m-1"));
  for (int step = 3; step <= 4; ++step) saver.save(m.session, folder / "m", {.global_step = step});
  EXPECT_THAT(steps_in(folder), ElementsAre("m-4", "m-3", "m-2"));
}

TEST(SaverRetention, TheTimeIsThatOfSaving) {
  TemporaryFolder folder;
  Model m;
  Saver saver;
  const std::string prefix = saver.save(m.session, folder / "m", {.global_step = 1});
  const double saved = read_facts(prefix).time;
  // A copy of the folder has other times.
  fs::last_write_time(prefix + ".index", fs::file_time_type::clock::now() + std::chrono::hours(5));
  EXPECT_EQ(read_facts(prefix).time, saved);
  EXPECT_TRUE(read_facts(prefix).marked_time);
}

TEST(SaverRetention, TakesOverWhatTensorFlowsStateFileLists) {
  TemporaryFolder folder;
  Model m;
  Saver other({.name = "other"});
  other.save(m.session, folder / "m", {.global_step = 1, .write_state = false});
  update_checkpoint_state(folder.path().string(), {.model_checkpoint_path = folder / "m-1"});
  Saver saver({.max_to_keep = 1});
  saver.save(m.session, folder / "m", {.global_step = 2});
  EXPECT_THAT(steps_in(folder), ElementsAre("m-2"));
}

TEST(SaverRetention, OfUnknownAgeIsNeverDeleted) {
  TemporaryFolder folder;
  Model m;
  Saver saver({.max_to_keep = 1});
  const std::string old = saver.save(m.session, folder / "old");
  saver.set_last_checkpoints({old});
  EXPECT_THAT(saver.last_checkpoints(), ElementsAre(old));
  saver.save(m.session, folder / "new");
  EXPECT_THAT(saver.last_checkpoints(), ElementsAre(folder / "new"));
  EXPECT_TRUE(checkpoint_exists(old));
  // Those that this saver wrote go, whatever their names.
  saver.save(m.session, folder / "newer");
  EXPECT_FALSE(checkpoint_exists(folder / "new"));
}

}  // namespace
}  // namespace assay::train
