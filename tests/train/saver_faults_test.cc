// A save that is interrupted, or that the disk refuses, at every one of its steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "assay/base/fault_file_system.h"
#include "assay/base/memory_file_system.h"
#include "assay/graph/scope.h"
#include "assay/train/restore_newest.h"
#include "tests/support/errors.h"

namespace assay::train {
namespace {

using assay::testing::error_of;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A run on a disk in memory. Step 1 is saved; its values are 1, 2, 3 and 1, those of step 2 are
/// 11, 12, 13 and 11.
struct TestRun {
  Graph graph;
  GraphScope scope{graph};
  Variable w = Variable(std::vector<float>{1, 2, 3}, {.name = "w"});
  Variable n = Variable(std::int64_t{1}, {.trainable = false, .name = "n"});
  Node* init = global_variables_initializer();
  Output more_w = w.assign_add(Operand(std::vector<float>{10, 10, 10}));
  Output more_n = n.assign_add(Operand(std::int64_t{10}));
  MemoryFileSystem disk;
  FaultyFileSystem faulty{disk};
  Session session{{.graph = &graph, .threads = 1}};
  Saver saver{{.max_to_keep = 1, .save_relative_paths = true, .file_system = &faulty}};

  TestRun() {
    disk.make_directories("run");
    session.run(init);
    save(1);
    session.run({more_w, more_n});
    faulty.clear();
  }
  void save(int step) {
    saver.save(session, "run/m",
               {.global_step = step, .session_state = {{"step", Tensor::scalar(step)}}});
  }
  /// Restores the newest sound checkpoint as a new process would, and checks that it is one of the
  /// two, whole. Returns its step.
  int check_restorable() {
    Saver fresh({.name = "fresh", .file_system = &disk});
    Session other({.graph = &graph, .threads = 1});
    const RestoredNewest restored = restore_newest_sound(fresh, other, "run");
    EXPECT_TRUE(restored.damaged.empty());
    const auto step = static_cast<int>(checkpoint_step(restored.prefix));
    const auto first = other.run(w.value()).to_vector<float>();
    const std::vector<float> old_values = {1, 2, 3};
    const std::vector<float> new_values = {11, 12, 13};
    EXPECT_EQ(first, step == 1 ? old_values : new_values);
    EXPECT_EQ(other.run(n.value()).item<std::int64_t>(), step == 1 ? 1 : 11);
    EXPECT_EQ(Saver::read_session_state(restored.prefix, disk).at("step").item<int>(), step);
    // The state file names a checkpoint that is there.
    EXPECT_TRUE(latest_checkpoint("run", {}, disk));
    return step;
  }
};

/// The files of a folder but for temporary ones, which a run's start removes.
std::vector<std::string> lasting_files(FileSystem& disk) {
  auto names = disk.list("run");
  std::erase_if(names, [](const std::string& name) { return is_temporary_name(name); });
  return names;
}

/// Saves once more as a new process would that holds the folder: of all before, nothing is left.
void check_next_process_tidies(TestRun& run) {
  remove_unfinished_checkpoints("run", "m", run.disk);
  Saver next(
      {.max_to_keep = 1, .name = "next", .save_relative_paths = true, .file_system = &run.disk});
  next.save(run.session, "run/m", {.global_step = 3});
  EXPECT_THAT(lasting_files(run.disk),
              ElementsAre("checkpoint", "m-3.data-00000-of-00001", "m-3.index", "m-3.meta"));
}

/// The steps that the second save takes.
int steps_of_a_save() {
  TestRun run;
  run.save(2);
  return run.faulty.steps();
}

class KilledAt : public ::testing::TestWithParam<int> {};

TEST_P(KilledAt, ASoundCheckpointIsRestored) {
  TestRun run;
  run.faulty.set_fault(GetParam(), FaultyFileSystem::Fault::kKill);
  const Error e = error_of([&] { run.save(2); });
  // In retention's unlinks nothing is thrown: the checkpoint is saved.
  EXPECT_THAT(e.code(), AnyOf(Code::kAborted, Code::kOk));
  run.check_restorable();
  check_next_process_tidies(run);
}

TEST_P(KilledAt, ByAPowerCut) {
  for (const bool lose_names : {false, true}) {
    TestRun run;
    run.faulty.set_fault(GetParam(), FaultyFileSystem::Fault::kKill);
    const Error e = error_of([&] { run.save(2); });
    run.disk.cut_power(lose_names);
    const int step = run.check_restorable();
    // A save that returned is on the disk.
    if (e.code() == Code::kOk) {
      EXPECT_EQ(step, 2);
    }
    check_next_process_tidies(run);
  }
}

TEST(SaverFaults, ASaveThatReturnedSurvivesAPowerCut) {
  for (const bool lose_names : {false, true}) {
    for (const bool async : {false, true}) {
      TestRun run;
      run.saver.save(
          run.session, "run/m",
          {.global_step = 2, .session_state = {{"step", Tensor::scalar(2)}}, .async = async});
      run.saver.wait();
      run.disk.cut_power(lose_names);
      EXPECT_EQ(run.check_restorable(), 2);
      EXPECT_EQ(latest_checkpoint("run", {}, run.disk), "run/m-2");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryStep, KilledAt, ::testing::Range(0, steps_of_a_save()));

/// Saves again under the name that is there.
void replace(TestRun& run) {
  run.saver.save(run.session, "run/m-1");
}

int steps_of_a_replacement() {
  TestRun run;
  replace(run);
  return run.faulty.steps();
}

class KilledReplacingAt : public ::testing::TestWithParam<int> {};

TEST_P(KilledReplacingAt, OneOfTheTwoIsRestoredWhole) {
  TestRun run;
  run.faulty.set_fault(GetParam(), FaultyFileSystem::Fault::kKill);
  EXPECT_EQ(error_of([&] { replace(run); }).code(), Code::kAborted);
  Saver fresh({.name = "fresh", .file_system = &run.disk});
  Session other({.graph = &run.graph, .threads = 1});
  EXPECT_EQ(restore_newest_sound(fresh, other, "run").prefix, "run/m-1");
  const float w = other.run(run.w.value()).to_vector<float>()[0];
  const auto n = other.run(run.n.value()).item<std::int64_t>();
  EXPECT_EQ(static_cast<std::int64_t>(w), n);
  EXPECT_THAT(n, AnyOf(1, 11));
  // The next one ends what was begun.
  run.faulty.clear();
  replace(run);
  restore_newest_sound(fresh, other, "run");
  EXPECT_EQ(other.run(run.n.value()).item<std::int64_t>(), 11);
}

INSTANTIATE_TEST_SUITE_P(EveryStep, KilledReplacingAt,
                         ::testing::Range(0, steps_of_a_replacement()));

class RefusedAt : public ::testing::TestWithParam<int> {};

TEST_P(RefusedAt, TheErrorSaysWhatAndTrainingGoesOn) {
  for (const int reason : {EIO, ENOSPC, EROFS, EMFILE}) {
    for (const auto fault :
         {FaultyFileSystem::Fault::kFail, FaultyFileSystem::Fault::kShortWrite}) {
      TestRun run;
      run.faulty.set_fault(GetParam(), fault, reason);
      const Error e = error_of([&] { run.save(2); });
      const std::string step = run.faulty.log()[static_cast<std::size_t>(GetParam())];
      run.faulty.clear();
      if (step.starts_with("remove run/m-1")) {
        // An old checkpoint that stays is no reason to stop: it is a warning.
        EXPECT_EQ(e.code(), Code::kOk) << step << e.what();
      } else {
        EXPECT_NE(e.code(), Code::kOk) << step;
        EXPECT_THAT(e.what(), HasSubstr(std::strerror(reason))) << step;
        EXPECT_THAT(e.what(), HasSubstr("run")) << step;
      }
      EXPECT_EQ(run.session.run(run.n.value()).item<std::int64_t>(), 11);
      run.check_restorable();
      // The disk has recovered: so has the saver.
      run.save(2);
      EXPECT_EQ(run.check_restorable(), 2);
      EXPECT_EQ(find_checkpoints("run", run.disk).size(), 1U) << step;
      EXPECT_THAT(run.disk.list("run"),
                  ElementsAre("checkpoint", "m-2.data-00000-of-00001", "m-2.index", "m-2.meta"))
          << " after: " << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryStep, RefusedAt, ::testing::Range(0, steps_of_a_save()));

TEST(SaverFaults, TooLittleSpaceIsToldBeforeAnythingIsWritten) {
  TestRun run;
  run.faulty.set_free_space(10);
  const Error e = error_of([&] { run.save(2); });
  EXPECT_EQ(e.code(), Code::kResourceExhausted);
  EXPECT_EQ(run.faulty.steps(), 0) << e.what();
  run.faulty.set_free_space(std::nullopt);
  EXPECT_EQ(run.check_restorable(), 1);
}

TEST(SaverFaults, ADamagedCheckpointIsSetAsideAndTheOneBeforeRestored) {
  TestRun run;
  run.saver.set_max_to_keep(0);
  run.save(2);
  {
    const std::string path = "run/m-2.data-00000-of-00001";
    std::string bytes = read_file(run.disk, path);
    bytes[1] = static_cast<char>(bytes[1] ^ 4);
    run.disk.open_write(path)->append(bytes);
  }
  Saver fresh({.name = "fresh", .file_system = &run.disk});
  Session other({.graph = &run.graph, .threads = 1});
  ::testing::internal::CaptureStderr();
  const RestoredNewest restored = restore_newest_sound(fresh, other, "run", {.set_aside = true});
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(restored.prefix, "run/m-1");
  EXPECT_EQ(other.run(run.n.value()).item<std::int64_t>(), 1);
  ASSERT_EQ(restored.damaged.size(), 1U);
  EXPECT_EQ(restored.damaged[0].prefix, "run/m-2");
  EXPECT_EQ(restored.damaged[0].moved_to, "run/m-2.damaged");
  EXPECT_THAT(restored.damaged[0].message, HasSubstr("run/m-2.data-00000-of-00001"));
  EXPECT_THAT(restored.damaged[0].message, HasSubstr("'n'"));
  EXPECT_THAT(printed, HasSubstr("run/m-2.damaged"));
  // Nothing is lost, and it is not tried again.
  EXPECT_TRUE(run.disk.exists("run/m-2.damaged.index"));
  EXPECT_TRUE(run.disk.exists("run/m-2.damaged.data-00000-of-00001"));
  EXPECT_TRUE(run.disk.exists("run/m-2.damaged.meta"));
  EXPECT_TRUE(restore_newest_sound(fresh, other, "run").damaged.empty());
}

TEST(SaverFaults, DamageIsNotRenamedWhereOthersMaySave) {
  TestRun run;
  run.saver.set_max_to_keep(0);
  run.save(2);
  run.disk.open_write("run/m-2.index")->append("no index");
  const auto before = run.disk.list("run");
  ::testing::internal::CaptureStderr();
  const RestoredNewest restored = restore_newest_sound(run.saver, run.session, "run");
  ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(restored.prefix, "run/m-1");
  ASSERT_EQ(restored.damaged.size(), 1U);
  EXPECT_EQ(restored.damaged[0].moved_to, "");
  EXPECT_EQ(run.disk.list("run"), before);
}

TEST(SaverFaults, FilesThatAreNoCheckpointsAreNotRenamed) {
  TestRun run;
  run.disk.open_write("run/m-99999999.index")->append("hello");
  // Another saver's, with a higher step and other variables.
  run.disk.open_write("run/words-100.index")->append(read_file(run.disk, "run/m-1.index"));
  const auto before = run.disk.list("run");
  ::testing::internal::CaptureStderr();
  const RestoredNewest restored =
      restore_newest_sound(run.saver, run.session, "run", {.name = "m", .set_aside = true});
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(restored.prefix, "run/m-1");
  EXPECT_TRUE(restored.damaged.empty());
  EXPECT_THAT(printed, HasSubstr("run/m-99999999.index"));
  EXPECT_EQ(run.disk.list("run"), before);
  EXPECT_THAT(find_checkpoints("run", "m", run.disk), ElementsAre("run/m-99999999", "run/m-1"));
  EXPECT_THAT(find_checkpoints("run", "words", run.disk), ElementsAre("run/words-100"));
}

TEST(SaverFaults, AReadThatTheDiskRefusesIsNoDamage) {
  TestRun run;
  Saver reader({.name = "reader", .file_system = &run.faulty});
  run.faulty.count_reads(true);
  run.faulty.clear();
  restore_newest_sound(reader, run.session, "run");
  const int steps = run.faulty.steps();
  ASSERT_GT(steps, 5);
  const auto before = run.disk.list("run");
  for (int step = 0; step < steps; ++step) {
    run.faulty.set_fault(step, FaultyFileSystem::Fault::kFail, EIO);
    RestoredNewest restored;
    const Error e = error_of(
        [&] { restored = restore_newest_sound(reader, run.session, "run", {.set_aside = true}); });
    // Only listing the folder is not tried again.
    EXPECT_THAT(e.code(), AnyOf(Code::kOk, Code::kUnavailable)) << e.what();
    EXPECT_EQ(e.code() == Code::kOk, step > 0) << e.what();
    EXPECT_TRUE(restored.damaged.empty());
    EXPECT_EQ(run.disk.list("run"), before);
  }
}

/// Deletes a checkpoint, as another process's retention does, when its data is about to be read.
class DeletingFileSystem : public FaultyFileSystem {
 public:
  DeletingFileSystem(FileSystem& base, std::string prefix)
      : FaultyFileSystem(base), disk_(base), prefix_(std::move(prefix)) {}
  std::unique_ptr<ReadableFile> open_read(const std::string& path) override {
    if (path.starts_with(prefix_ + ".data-")) remove_checkpoint(prefix_, "meta", disk_);
    return FaultyFileSystem::open_read(path);
  }

 private:
  FileSystem& disk_;
  std::string prefix_;
};

TEST(SaverFaults, ACheckpointDeletedMeanwhileIsPassedOver) {
  TestRun run;
  run.saver.set_max_to_keep(0);
  run.save(2);
  DeletingFileSystem files(run.disk, "run/m-2");
  Saver evaluator({.name = "evaluator", .file_system = &files});
  const RestoredNewest restored = restore_newest_sound(evaluator, run.session, "run");
  EXPECT_EQ(restored.prefix, "run/m-1");
  EXPECT_TRUE(restored.damaged.empty());
}

TEST(SaverFaults, AnErrorOfASaveUnderWayIsNotTakenForDamage) {
  for (const int reason : {EIO, ENOSPC}) {
    TestRun run;
    run.faulty.set_fault(0, FaultyFileSystem::Fault::kFail, reason);
    run.saver.save(run.session, "run/m", {.global_step = 2, .async = true});
    const Error e = error_of([&] { restore_newest_sound(run.saver, run.session, "run"); });
    EXPECT_THAT(e.what(), HasSubstr(std::strerror(reason)));
    EXPECT_EQ(restore_newest_sound(run.saver, run.session, "run").prefix, "run/m-1");
  }
}

/// Saves two shards on a disk that fails or dies at `step`; returns how many steps there were.
int save_sharded(MemoryFileSystem& disk, int step, FaultyFileSystem::Fault fault) {
  Graph graph;
  GraphScope scope(graph);
  {
    const DeviceScope first(graph, "/job:ps/task:0");
    Variable(std::vector<float>{1, 2}, {.name = "a"});
  }
  {
    const DeviceScope second(graph, "/job:ps/task:1");
    Variable(std::vector<float>{3, 4}, {.name = "b"});
  }
  FaultyFileSystem files(disk);
  Saver saver({.sharded = true, .file_system = &files});
  Session session({.threads = 1});
  session.run(global_variables_initializer());
  disk.make_directories("run");
  if (step >= 0) files.set_fault(step, fault, EIO);
  error_of([&] { saver.save(session, "run/m", {.global_step = 1}); });
  return files.steps();
}

TEST(SaverFaults, ShardsOfAFailedSaveAreRemoved) {
  using Fault = FaultyFileSystem::Fault;
  MemoryFileSystem whole;
  const int steps = save_sharded(whole, -1, Fault::kFail);
  ASSERT_GT(steps, 10);
  // This disk in memory cannot remove folders: an empty one stays.
  const auto shards_in = [](MemoryFileSystem& disk) {
    return disk.is_directory("run/m-1_temp") ? disk.list("run/m-1_temp")
                                             : std::vector<std::string>();
  };
  ::testing::internal::CaptureStderr();
  for (int step = 0; step < steps; ++step) {
    MemoryFileSystem disk;
    save_sharded(disk, step, Fault::kFail);
    EXPECT_THAT(shards_in(disk), ElementsAre()) << step;
    MemoryFileSystem killed;
    save_sharded(killed, step, Fault::kKill);
    remove_unfinished_checkpoints("run", "m", killed);
    EXPECT_THAT(shards_in(killed), ElementsAre()) << step;
    if (!killed.exists("run/m-1.index")) {
      auto left = lasting_files(killed);
      std::erase(left, "m-1_temp");
      EXPECT_THAT(left, ElementsAre()) << step;
    }
  }
  ::testing::internal::GetCapturedStderr();
}

TEST(SaverFaults, WhatMayBeOthersIsNoLeftover) {
  MemoryFileSystem disk;
  disk.make_directories("run/m-9_temp");
  // An exported graph, V1, of another name, a half that was set aside, a folder in use.
  const std::vector<std::string> all = {"m-1.meta",
                                        "m-2",
                                        "m-2.data-00000-of-00001",
                                        "m-3x.data-00000-of-00001",
                                        "m-4.damaged.index",
                                        "m-4.data-00000-of-00001",
                                        "m-9_temp/notes",
                                        "xm-5.data-00000-of-00001"};
  for (const std::string& name : all) disk.open_write("run/" + name)->append("x");
  disk.open_write("run/m-6.data-00000-of-00001")->append("x");
  remove_unfinished_checkpoints("run", "m", disk);
  for (const std::string& name : all) EXPECT_TRUE(disk.exists("run/" + name)) << name;
  EXPECT_FALSE(disk.exists("run/m-6.data-00000-of-00001"));
}

TEST(SaverFaults, WhenAllAreDamagedItSaysSo) {
  TestRun run;
  run.disk.open_write("run/m-1.index")->append("no index");
  ::testing::internal::CaptureStderr();
  const Error e =
      error_of([&] { restore_newest_sound(run.saver, run.session, "run", {.set_aside = true}); });
  ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(e.code(), Code::kDataLoss);
  EXPECT_THAT(e.what(), HasSubstr("run/m-1.index"));
  EXPECT_EQ(run.session.run(run.n.value()).item<std::int64_t>(), 11);
  EXPECT_EQ(error_of([&] {
              restore_newest_sound(run.saver, run.session, "run", {.set_aside = true});
            }).code(),
            Code::kNotFound);
}

}  // namespace
}  // namespace assay::train
