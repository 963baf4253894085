#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "assay/base/fault_file_system.h"
#include "assay/base/memory_file_system.h"
#include "assay/train/saver.h"
#include "tests/support/errors.h"

namespace assay::train {
namespace {

using assay::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A disk on which new files wait for a gate to open.
class SlowDisk : public MemoryFileSystem {
 public:
  std::unique_ptr<WritableFile> open_write(const std::string& path, WriteMode mode) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    --waiting_;
    return MemoryFileSystem::open_write(path, mode);
  }
  void set_open(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  void wait_for_a_writer() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int waiting_ = 0;
};

struct TestRun {
  Graph graph;
  GraphScope scope{graph};
  Variable w = Variable(std::vector<float>{1, 2}, {.name = "w"});
  Variable text = Variable(Operand("words"), {.trainable = false, .name = "text"});
  Node* init = global_variables_initializer();
  Output more = w.assign_add(Operand(std::vector<float>{1, 1}));
  SlowDisk disk;
  Session session{{.graph = &graph, .threads = 1}};
  Saver saver{{.max_to_keep = 1, .file_system = &disk}};

  TestRun() {
    disk.make_directories("run");
    session.run(init);
  }
  std::string save(int step) {
    return saver.save(session, "run/m", {.global_step = step, .async = true});
  }
  std::vector<float> saved(const std::string& prefix) {
    Session other({.graph = &graph, .threads = 1});
    saver.restore(other, prefix);
    EXPECT_EQ(other.run(text.value()).item<std::string>(), "words");
    return other.run(w.value()).to_vector<float>();
  }
};

TEST(SaverAsync, TrainingGoesOnAndTheCheckpointIsOfTheMomentAsked) {
  TestRun run;
  run.disk.set_open(false);
  const std::string prefix = run.save(1);
  EXPECT_EQ(prefix, "run/m-1");
  run.disk.wait_for_a_writer();
  // Written in the background: meanwhile the variables change.
  for (int i = 0; i < 3; ++i) run.session.run(run.more);
  EXPECT_FALSE(checkpoint_exists(prefix, run.disk));
  EXPECT_FALSE(latest_checkpoint("run", {}, run.disk));
  run.disk.set_open(true);
  run.saver.wait();
  EXPECT_EQ(latest_checkpoint("run", {}, run.disk), prefix);
  EXPECT_THAT(run.saved(prefix), ElementsAre(1, 2));
  EXPECT_THAT(run.session.run(run.w.value()).to_vector<float>(), ElementsAre(4, 5));
}

TEST(SaverAsync, ASecondSaveWaitsForTheFirst) {
  TestRun run;
  run.save(1);
  run.session.run(run.more);
  run.save(2);
  // The first is whole, its state file and retention included.
  EXPECT_THAT(run.saver.last_checkpoints().front(), ::testing::StartsWith("run/m-"));
  run.saver.wait();
  EXPECT_THAT(run.saver.last_checkpoints(), ElementsAre("run/m-2"));
  EXPECT_FALSE(checkpoint_exists("run/m-1", run.disk));
  EXPECT_THAT(run.saved("run/m-2"), ElementsAre(2, 3));
  // A synchronous one waits too.
  run.save(3);
  run.saver.save(run.session, "run/m", {.global_step = 4});
  EXPECT_THAT(run.saver.last_checkpoints(), ElementsAre("run/m-4"));
}

TEST(SaverAsync, AnErrorIsThrownByTheNextCall) {
  TestRun run;
  FaultyFileSystem faulty(run.disk);
  Saver saver({.name = "faulty", .file_system = &faulty});
  const auto save = [&](int step) {
    saver.save(run.session, "run/m", {.global_step = step, .async = true});
  };
  save(1);
  saver.wait();
  faulty.set_fault(3, FaultyFileSystem::Fault::kFail);
  save(2);
  const Error e = error_of([&] { save(3); });
  EXPECT_EQ(e.code(), Code::kResourceExhausted);
  EXPECT_THAT(e.what(), HasSubstr("run/m-2"));
  // Told once; the next one is saved.
  faulty.clear();
  save(4);
  saver.wait();
  EXPECT_EQ(latest_checkpoint("run", {}, run.disk), "run/m-4");
  faulty.set_fault(0, FaultyFileSystem::Fault::kFail);
  save(5);
  EXPECT_NE(error_of([&] { saver.wait(); }).code(), Code::kOk);
  saver.wait();
}

TEST(SaverAsync, WhatIsWrongBeforeTheCopyIsThrownAtOnce) {
  TestRun run;
  Session empty({.graph = &run.graph, .threads = 1});
  EXPECT_EQ(error_of([&] { run.saver.save(empty, "run/m", {.async = true}); }).code(),
            Code::kFailedPrecondition);
  EXPECT_EQ(error_of([&] { run.saver.save(run.session, "none/m", {.async = true}); }).code(),
            Code::kInvalidArgument);
}

TEST(SaverAsync, TheDestructorFinishes) {
  TestRun run;
  {
    Saver saver({.name = "short", .file_system = &run.disk});
    run.disk.set_open(false);
    saver.save(run.session, "run/m", {.global_step = 1, .async = true});
    run.disk.wait_for_a_writer();
    run.disk.set_open(true);
  }
  EXPECT_EQ(latest_checkpoint("run", {}, run.disk), "run/m-1");
  FaultyFileSystem faulty(run.disk);
  ::testing::internal::CaptureStderr();
  {
    Saver saver({.name = "failing", .file_system = &faulty});
    faulty.set_fault(0, FaultyFileSystem::Fault::kFail);
    saver.save(run.session, "run/m", {.global_step = 2, .async = true});
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("was not saved"));
}

}  // namespace
}  // namespace assay::train
