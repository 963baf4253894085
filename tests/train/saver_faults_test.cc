// A save that is interrupted, or that the disk refuses, at every one of its steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "assay/base/fault_file_system.h"
#include "assay/base/memory_file_system.h"
#include "assay/train/restore_newest.h"
#include "tests/support/errors.h"

namespace assay::train {
namespace {

using assay::testing::error_of;
using ::testing::AnyOf;
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
}

TEST_P(KilledAt, ByAPowerCut) {
  for (const bool lose_names : {false, true}) {
    TestRun run;
    run.faulty.set_fault(GetParam(), FaultyFileSystem::Fault::kKill);
    error_of([&] { run.save(2); });
    run.disk.cut_power(lose_names);
    run.check_restorable();
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
      for (const std::string& name : run.disk.list("run")) {
        EXPECT_EQ(name.find(".tmp"), std::string::npos) << name << " after: " << step;
      }
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
  const RestoredNewest restored = restore_newest_sound(fresh, other, "run");
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

TEST(SaverFaults, WhenAllAreDamagedItSaysSo) {
  TestRun run;
  run.disk.open_write("run/m-1.index")->append("no index");
  ::testing::internal::CaptureStderr();
  const Error e = error_of([&] { restore_newest_sound(run.saver, run.session, "run"); });
  ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(e.code(), Code::kDataLoss);
  EXPECT_THAT(e.what(), HasSubstr("run/m-1.index"));
  EXPECT_EQ(run.session.run(run.n.value()).item<std::int64_t>(), 11);
  EXPECT_EQ(error_of([&] { restore_newest_sound(run.saver, run.session, "run"); }).code(),
            Code::kNotFound);
}

}  // namespace
}  // namespace assay::train
