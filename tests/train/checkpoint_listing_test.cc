#include "assay/train/checkpoint_listing.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/base/memory_file_system.h"
#include "assay/format/bundle_writer.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/saver_files.h"
#include "tests/support/errors.h"

namespace assay::train {
namespace {

using assay::testing::code_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A checkpoint as a Saver with these rules writes it; "" for one that no Saver wrote.
void write(FileSystem& disk, const std::string& prefix, const std::string& rules,
           std::optional<double> loss = {}) {
  format::BundleWriter writer(prefix, disk);
  writer.add("w", Tensor::of<float>({1, 2}));
  if (!rules.empty()) {
    std::map<std::string, double> metrics;
    if (loss) metrics["loss"] = *loss;
    for (const auto& [name, value] :
         extra_tensors({}, metrics, checkpoint_step(prefix), rules, "checkpoint")) {
      writer.add(name, value);
    }
  }
  writer.finish();
}

/// Flips a bit of the variable; the mark stays readable.
void damage(FileSystem& disk, const std::string& prefix) {
  const std::string path = prefix + ".data-00000-of-00001";
  std::string bytes = read_file(disk, path);
  bytes[0] ^= 1;
  const auto file = disk.open_write(path);
  file->append(bytes);
  file->close();
}

/// "m-3: newest 1"; a star before the newest.
std::vector<std::string> lines(const std::vector<ListedCheckpoint>& all) {
  std::vector<std::string> out;
  for (const ListedCheckpoint& c : all) {
    out.push_back(fmt::format("{}{}: {}", c.newest ? "*" : "", c.facts.prefix.substr(4),
                              fmt::join(c.reasons, ", ")));
  }
  return out;
}

TEST(CheckpointListing, ByTheRulesTheyWereSavedWith) {
  MemoryFileSystem disk;
  write(disk, "run/m-1", "last 5", 0.1);
  write(disk, "run/m-2", "last 5", 0.3);
  write(disk, "run/m-3", "last 1, best 1 by loss (min)", 0.2);
  write(disk, "run/other", "");
  write(disk, "run/k-9", "last 1");
  EXPECT_THAT(lines(list_checkpoints("run", {}, disk)),
              ElementsAre("*k-9: newest 1", "m-3: newest 1", "m-2: ", "m-1: best 1 of loss",
                          "other: not written here"));
  update_checkpoint_state("run", {.model_checkpoint_path = "run/m-3"}, {}, false, disk);
  pin_checkpoint("run/m-2", disk);
  auto all = list_checkpoints("run", {}, disk);
  EXPECT_THAT(lines(all), ElementsAre("k-9: newest 1", "*m-3: newest 1", "m-2: pinned",
                                      "m-1: best 1 of loss", "other: not written here"));
  EXPECT_EQ(all[1].facts.metrics.at("loss"), 0.2);
  EXPECT_EQ(all[1].rules->str(), "last 1, best 1 by loss (min)");
  EXPECT_EQ(code_of([&] { list_checkpoints("nowhere", {}, disk); }), Code::kNotFound);
}

TEST(CheckpointListing, WhatTheStateFileCallsTheNewestStays) {
  MemoryFileSystem disk;
  for (const char* prefix : {"run/m-1", "run/m-2", "run/m-3"}) write(disk, prefix, "last 5");
  // A run that went back: m-1 was written last.
  update_checkpoint_state("run", {.model_checkpoint_path = "run/m-1"}, {}, false, disk);
  EXPECT_THAT(lines(list_checkpoints("run", RetentionRules{.last = 1}, disk)),
              ElementsAre("m-3: ", "m-2: ", "*m-1: newest 1"));
}

TEST(CheckpointListing, ThoseSetAside) {
  MemoryFileSystem disk;
  write(disk, "run/m-1", "last 1");
  write(disk, "run/m-2", "last 1");
  damage(disk, "run/m-2");
  EXPECT_EQ(set_aside_checkpoint("run/m-2", disk), "run/m-2.damaged");
  const auto all = list_checkpoints("run", {}, disk);
  EXPECT_THAT(lines(all), ElementsAre("*m-1: newest 1", "m-2.damaged: set aside"));
  EXPECT_TRUE(all[1].set_aside);
  EXPECT_EQ(all[1].facts.step, 2);
  disk.remove("run/m-2.damaged.index");
  EXPECT_THAT(find_set_aside_checkpoints("run", disk), ElementsAre("run/m-2.damaged"));
}

TEST(CheckpointListing, WithoutRulesAllStay) {
  MemoryFileSystem disk;
  write(disk, "run/m-1", "");
  write(disk, "run/m-2", "");
  update_checkpoint_state(
      "run",
      {.model_checkpoint_path = "run/m-2", .all_model_checkpoint_paths = {"run/m-1", "run/m-2"}},
      {}, false, disk);
  EXPECT_THAT(lines(list_checkpoints("run", {}, disk)),
              ElementsAre("*m-2: no rules are known", "m-1: no rules are known"));
  EXPECT_THAT(lines(list_checkpoints("run", RetentionRules{.last = 1}, disk)),
              ElementsAre("*m-2: newest 1", "m-1: "));
}

TEST(CheckpointListing, TheLastSoundOneStays) {
  MemoryFileSystem disk;
  for (const char* prefix : {"run/m-1", "run/m-2", "run/m-3", "run/m-4"}) {
    write(disk, prefix, "last 5");
  }
  damage(disk, "run/m-4");
  damage(disk, "run/m-3");
  auto all = list_checkpoints("run", RetentionRules{.last = 1}, disk);
  protect_last_sound(all, disk);
  EXPECT_THAT(lines(all),
              ElementsAre("*m-4: newest 1", "m-3: ", "m-2: the newest sound one", "m-1: "));
  all = list_checkpoints("run", RetentionRules{.last = 3}, disk);
  protect_last_sound(all, disk);
  EXPECT_THAT(lines(all), ElementsAre("*m-4: newest 3", "m-3: newest 3", "m-2: newest 3", "m-1: "));
}

TEST(CheckpointListing, DeletesWhatNoRuleKeepsAndNothingElse) {
  MemoryFileSystem disk;
  for (const char* prefix : {"run/m-1", "run/m-2", "run/m-3"}) write(disk, prefix, "last 5");
  write(disk, "run/mine-1", "");
  atomic_write_file(disk, "run/m-1.txt", "notes");
  atomic_write_file(disk, "run/m-1.meta", "graph");
  update_checkpoint_state("run",
                          {.model_checkpoint_path = "run/m-3",
                           .all_model_checkpoint_paths = {"run/m-1", "run/m-2", "run/m-3"},
                           .all_model_checkpoint_timestamps = {10, 20, 30}},
                          {}, true, disk);
  delete_unkept("run", list_checkpoints("run", RetentionRules{.last = 1}, disk), disk);
  EXPECT_THAT(disk.list("run"),
              ElementsAre("checkpoint", "m-1.txt", "m-3.data-00000-of-00001", "m-3.index",
                          "mine-1.data-00000-of-00001", "mine-1.index"));
  const auto state = get_checkpoint_state("run", {}, disk);
  EXPECT_THAT(state->all_model_checkpoint_paths, ElementsAre("run/m-3"));
  EXPECT_THAT(state->all_model_checkpoint_timestamps, ElementsAre(30));
  EXPECT_THAT(read_file(disk, "run/checkpoint"), HasSubstr("\"m-3\""));
}

}  // namespace
}  // namespace assay::train
