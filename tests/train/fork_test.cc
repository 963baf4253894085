#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "assay/train/retention.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"
#include "tests/train/noisy_net.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using namespace assay::testing;
using ::testing::HasSubstr;

const Minimize kAdam = with<train::AdamOptimizer>(0.01);

/// Where a fork of a run's checkpoint comes from.
train::RunParent parent_at(const std::string& run, std::int64_t step, bool reseeded = false) {
  return {.run = run,
          .checkpoint = run + "/checkpoints/model.ckpt-" + std::to_string(step),
          .step = step,
          .reseeded = reseeded};
}

TrainOptions fork_options(const std::string& run, std::int64_t steps, train::RunParent parent) {
  TrainOptions all = options(run, steps);
  all.parent = std::move(parent);
  return all;
}

/// The losses of a run by step.
std::map<std::int64_t, float> losses(const std::string& run) {
  std::map<std::int64_t, float> all;
  const auto history = format::read_event_folder(run);
  for (const auto& point : history.series().at("loss").points) {
    EXPECT_TRUE(all.emplace(point.step, *point.scalar).second) << "step " << point.step;
  }
  return all;
}

TEST(Fork, GoesOnAsTheOtherRunWould) {
  const TemporaryFolder folder;
  TrainOptions first = options(folder / "one", 20);
  first.max_to_keep = 0;
  Net(kAdam).train(first);
  const TrainResult fork =
      Net(kAdam).train(fork_options(folder / "two", 33, parent_at(folder / "one", 20)));
  EXPECT_EQ(fork.first_step, 20);
  EXPECT_EQ(fork.forked_from, folder / "one/checkpoints/model.ckpt-20");
  EXPECT_EQ(fork.resumed_from, "");
  // Resumed with and without saying again what it is.
  Net(kAdam).train(options(folder / "two", 37, 3));
  const TrainResult again =
      Net(kAdam).train(fork_options(folder / "two", 45, parent_at(folder / "one", 20)));
  EXPECT_EQ(again.first_step, 37);
  EXPECT_EQ(again.forked_from, "");
  Net(kAdam).train(options(folder / "one", 45, 2));

  EXPECT_EQ(checkpoint(folder / "two"), checkpoint(folder / "one"));
  auto of_one = losses(folder / "one");
  EXPECT_EQ(of_one.size(), 45U);
  std::erase_if(of_one, [](const auto& point) { return point.first <= 20; });
  EXPECT_EQ(losses(folder / "two"), of_one);

  const auto info = train::read_run_info(folder / "two");
  ASSERT_TRUE(info.parent);
  EXPECT_EQ(info.parent->run, folder / "one");
  EXPECT_EQ(info.parent->checkpoint, folder / "one/checkpoints/model.ckpt-20");
  EXPECT_EQ(info.parent->step, 20);
  EXPECT_FALSE(info.parent->reseeded);
  EXPECT_EQ(info.version, train::program_version());
  // What it began with stays whatever comes after, so the other run may go.
  EXPECT_TRUE(train::is_pinned(folder / "two/checkpoints/model.ckpt-20"));
}

TEST(Fork, WithNewStreamsIsAnotherRunAndTheSameEachTime) {
  const TemporaryFolder folder;
  Net(kAdam).train(options(folder / "one", 20));
  std::vector<std::map<std::string, std::string>> ends;
  for (const auto& [name, seed, threads] :
       {std::tuple{"a", 5, 1}, std::tuple{"b", 5, 3}, std::tuple{"c", 6, 1}}) {
    TrainOptions how = fork_options(folder / name, 30, parent_at(folder / "one", 20, true));
    how.threads = threads;
    if (std::string(name) == "b") {
      // Interrupted at once: what it began with is saved.
      TrainOptions part = how;
      part.steps = 20;
      Net(kAdam, 37, seed).train(part);
    }
    Net(kAdam, 37, seed).train(how);
    ends.push_back(checkpoint(folder / name));
    EXPECT_TRUE(train::read_run_info(folder / name).parent->reseeded);
  }
  Net(kAdam).train(options(folder / "one", 30));
  EXPECT_EQ(ends[0], ends[1]);
  EXPECT_NE(ends[0].at("w"), ends[2].at("w"));
  EXPECT_NE(ends[0].at("w"), checkpoint(folder / "one").at("w"));
  const auto same = losses(folder / "a");
  EXPECT_EQ(same, losses(folder / "b"));
  EXPECT_NE(same, losses(folder / "c"));
  auto of_one = losses(folder / "one");
  EXPECT_NE(same.at(21), of_one.at(21));
}

TEST(Fork, OfARunThatIsBeingTrained) {
  const TemporaryFolder folder;
  TrainOptions running = options(folder / "one", 400);
  running.save_every = 5;
  std::atomic<bool> begun{false};
  running.on_step = [&](std::int64_t step, float) { begun = begun || step > 100; };
  std::thread other([&] { Net(kAdam).train(running); });
  while (!begun) std::this_thread::yield();
  int forks = 0;
  for (int i = 0; i < 5; ++i) {
    const auto all = train::find_checkpoints(train::checkpoint_dir(folder / "one"));
    if (all.empty()) continue;
    const std::int64_t step = train::checkpoint_step(all.front());
    try {
      Net(kAdam).train(fork_options(folder / ("fork" + std::to_string(i)), step + 3,
                                    parent_at(folder / "one", step)));
      ++forks;
    } catch (const Error& e) {
      // Deleted meanwhile by the other's retention.
      EXPECT_THAT(e.message(), HasSubstr("model.ckpt-"));
    }
  }
  other.join();
  EXPECT_GT(forks, 0);
  EXPECT_EQ(losses(folder / "one").size(), 400U);
}

TEST(Fork, MistakesAreTold) {
  const TemporaryFolder folder;
  Net(kAdam).train(options(folder / "one", 20));
  Net(kAdam).train(options(folder / "own", 5));
  const Error own = error_of(
      [&] { Net(kAdam).train(fork_options(folder / "own", 30, parent_at(folder / "one", 20))); });
  EXPECT_EQ(own.code(), Code::kFailedPrecondition);
  EXPECT_THAT(own.message(), HasSubstr("is a run already, and no fork of"));
  const Error gone = error_of(
      [&] { Net(kAdam).train(fork_options(folder / "two", 30, parent_at(folder / "one", 19))); });
  EXPECT_EQ(gone.code(), Code::kFailedPrecondition);
  EXPECT_THAT(gone.message(), HasSubstr("model.ckpt-19"));
  EXPECT_THAT(gone.message(), HasSubstr("not there any more"));
  // That folder says what it was to be, so it never begins anew by itself.
  EXPECT_EQ(error_of([&] { Net(kAdam).train(options(folder / "two", 30)); }).code(),
            Code::kFailedPrecondition);
  // Other data is refused, as on resume.
  const Error data = error_of([&] {
    Net(kAdam, 40).train(fork_options(folder / "three", 30, parent_at(folder / "one", 20)));
  });
  EXPECT_THAT(data.message(), HasSubstr("then 37 elements"));
}

}  // namespace
}  // namespace assay
