#include "assay/train/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "assay/api/constant.h"
#include "assay/api/initializers.h"
#include "assay/api/math_ops.h"
#include "assay/api/random_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/format/event_reader.h"
#include "assay/summary/summary.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/optimizers.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using assay::testing::error_of;
using assay::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// y = w * x + b on noisy points; feeds one point a step, `kPoints` in a pass.
class Line : public Model {
 public:
  static constexpr int kPoints = 10;
  Variable w;
  bool counts_steps = true;
  int passes = 0;

 protected:
  void import_data() override {
    x_ = placeholder(float32, {.shape = Dims(Shape{}), .name = "x"});
    y_ = placeholder(float32, {.shape = Dims(Shape{}), .name = "y"});
  }
  void create_inference() override {
    w = get_variable("w", {.initial_value = 0.0F});
    b_ = get_variable("b", {.initial_value = 0.0F});
    predicted_ = w * x_ + b_ + random_normal({}, {.stddev = 0.01, .seed = 5});
  }
  void create_loss() override { loss_ = square(y_ - predicted_, {.name = "loss"}); }
  void create_optimizer() override {
    train::MinimizeOptions options;
    if (counts_steps) options.global_step = global_step();
    train_op_ = train::AdamOptimizer(0.05).minimize(loss_, options);
  }
  void create_summaries() override {
    summary::scalar("loss", loss_);
    summary_op_ = summary::merge_all();
  }
  void initialize_data(Session&) override {
    ++passes;
    next_ = 0;
  }
  std::vector<Feed> next_feeds() override {
    if (next_ == kPoints) fail(Code::kOutOfRange, "the points are used up");
    const double x = 0.1 * next_++;
    return {{x_, x}, {y_, 2 * x + 1}};
  }

 private:
  Output x_;
  Output y_;
  Output predicted_;
  Variable b_;
  int next_ = 0;
};

TrainOptions quiet(const std::string& run_dir, std::int64_t steps) {
  TrainOptions options;
  options.run_dir = run_dir;
  options.steps = steps;
  options.print = false;
  options.threads = 1;
  options.save_every = 10;
  options.summary_every = 5;
  options.skip_step = 10;
  return options;
}

TEST(Model, TrainsReportsAndSaves) {
  TemporaryFolder folder;
  Line model;
  std::vector<float> losses;
  std::vector<TrainProgress> reports;
  TrainOptions options = quiet(folder / "run", 200);
  options.on_step = [&](std::int64_t, float loss) { losses.push_back(loss); };
  options.on_progress = [&](const TrainProgress& p) { reports.push_back(p); };
  const TrainResult result = model.train(options);
  EXPECT_EQ(result.step, 200);
  EXPECT_EQ(result.first_step, 0);
  EXPECT_FALSE(result.stopped);
  EXPECT_EQ(losses.size(), 200U);
  double last = 0;
  for (std::size_t i = 190; i < 200; ++i) last += losses[i] / 10;
  EXPECT_NEAR(result.average_loss, last, 1e-6);
  EXPECT_LT(result.average_loss, 0.1);
  EXPECT_EQ(result.checkpoint, folder / "run/checkpoints/model.ckpt-200");
  EXPECT_EQ(train::latest_checkpoint(folder / "run/checkpoints"), result.checkpoint);
  ASSERT_GE(reports.size(), 20U);
  EXPECT_EQ(reports.back().step, 200);
  EXPECT_TRUE(reports.back().done || reports.back().window_complete);
}

TEST(Model, ResumesToTheSameBits) {
  TemporaryFolder folder;
  const auto value = [](Line& m) { return m.session().run(m.w.value()).item<float>(); };
  Line whole;
  whole.train(quiet(folder / "whole", 60));
  {
    Line first;
    first.train(quiet(folder / "parts", 30));
  }
  Line second;
  const TrainResult result = second.train(quiet(folder / "parts", 60));
  EXPECT_EQ(result.first_step, 30);
  EXPECT_EQ(result.resumed_from, folder / "parts/checkpoints/model.ckpt-30");
  EXPECT_EQ(result.step, 60);
  EXPECT_EQ(value(whole), value(second));
  // Nothing is left to do: the run is as it was.
  Line third;
  const TrainResult again = third.train(quiet(folder / "parts", 60));
  EXPECT_EQ(again.first_step, 60);
  EXPECT_EQ(again.step, 60);
}

TEST(Model, AResumeDeletesAndRenamesNothingOfOthers) {
  TemporaryFolder folder;
  TrainOptions options = quiet(folder / "run", 20);
  options.max_to_keep = 1;
  {
    Line first;
    first.train(options);
  }
  const fs::path dir = folder / "run/checkpoints";
  const std::vector<std::string> others = {"notes.index", "notes.meta", "model.ckpt-99999999.index",
                                           "foreign-7.index"};
  for (const std::string& name : others) std::ofstream(dir / name) << "hello";
  // What a killed process left.
  std::ofstream(dir / "model.ckpt-5.data-00000-of-00001") << "data";
  options.steps = 60;
  Line second;
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(second.train(options).first_step, 20);
  ::testing::internal::GetCapturedStderr();
  for (const std::string& name : others) EXPECT_TRUE(fs::exists(dir / name)) << name;
  EXPECT_FALSE(fs::exists(dir / "model.ckpt-5.data-00000-of-00001"));
  EXPECT_FALSE(fs::exists(dir / "model.ckpt-20.index"));
}

TEST(Model, EventsDoNotZigzagAfterAResume) {
  TemporaryFolder folder;
  {
    Line first;
    TrainOptions options = quiet(folder / "run", 28);
    options.save_every = 20;
    first.train(options);
  }
  // As if it had been killed after step 28 without saving: the checkpoint of step 20 is the last.
  train::remove_checkpoint(folder / "run/checkpoints/model.ckpt-28");
  // File names hold the second; the sorted order must be that of writing.
  Line second;
  second.train(quiet(folder / "run", 40));
  std::vector<std::int64_t> steps;
  bool graph = false;
  for (const std::string& path : format::list_event_files(folder / "run")) {
    format::EventReader reader(path);
    proto::Event event;
    while (reader.next(event)) {
      graph = graph || event.what_case() == proto::Event::kGraphDef;
      if (event.what_case() == proto::Event::kSessionLog &&
          event.session_log().status() == proto::SessionLog::START) {
        std::erase_if(steps, [&](std::int64_t s) { return s >= event.step(); });
      }
      if (event.what_case() == proto::Event::kSummary) steps.push_back(event.step());
    }
  }
  EXPECT_TRUE(graph);
  EXPECT_THAT(steps, ElementsAre(5, 10, 15, 20, 25, 30, 35, 40));
}

TEST(Model, FallsBackToAnOlderCheckpoint) {
  TemporaryFolder folder;
  {
    Line first;
    first.train(quiet(folder / "run", 30));
  }
  fs::resize_file(folder / "run/checkpoints/model.ckpt-30.data-00000-of-00001", 3);
  Line second;
  ::testing::internal::CaptureStderr();
  const TrainResult result = second.train(quiet(folder / "run", 40));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("model.ckpt-30"));
  EXPECT_EQ(result.resumed_from, folder / "run/checkpoints/model.ckpt-20");
  EXPECT_EQ(result.step, 40);
  for (const auto& entry : fs::directory_iterator(folder / "run/checkpoints")) {
    if (entry.path().extension() == ".index") fs::resize_file(entry.path(), 5);
  }
  Line third;
  const Error none = error_of([&] { third.train(quiet(folder / "run", 50)); });
  EXPECT_EQ(none.code(), Code::kDataLoss);
  // They are set aside now; still the run does not begin anew by itself.
  Line fourth;
  const Error still = error_of([&] { fourth.train(quiet(folder / "run", 50)); });
  EXPECT_EQ(still.code(), Code::kDataLoss);
  EXPECT_THAT(still.message(), HasSubstr("are damaged"));
}

TEST(Model, StopsWhenAsked) {
  TemporaryFolder folder;
  Line model;
  std::atomic<bool> stop = false;
  TrainOptions options = quiet(folder / "run", 1000);
  options.stop = &stop;
  options.on_step = [&](std::int64_t step, float) { stop = step == 17; };
  const TrainResult result = model.train(options);
  EXPECT_TRUE(result.stopped);
  EXPECT_EQ(result.step, 17);
  EXPECT_EQ(result.checkpoint, folder / "run/checkpoints/model.ckpt-17");
}

TEST(Model, EpochsEndWithTheData) {
  Line model;
  TrainOptions options = quiet("", 0);
  options.epochs = 3;
  const TrainResult result = model.train(options);
  EXPECT_EQ(result.step, 3 * Line::kPoints);
  EXPECT_EQ(result.epoch, 3);
  EXPECT_EQ(model.passes, 3);
  EXPECT_EQ(result.checkpoint, "");
}

TEST(Model, ResumesInTheMiddleOfAnEpoch) {
  TemporaryFolder folder;
  {
    Line first;
    TrainOptions options = quiet(folder / "run", 25);
    options.epochs = 3;
    first.train(options);
  }
  Line second;
  TrainOptions options = quiet(folder / "run", 0);
  options.epochs = 4;
  const TrainResult result = second.train(options);
  EXPECT_EQ(result.first_step, 25);
  EXPECT_EQ(result.epoch, 4);
}

TEST(Model, MistakesAreNamed) {
  TemporaryFolder folder;
  EXPECT_THAT(error_of([] { Line().train(quiet("", 0)); }).what(), HasSubstr("how long"));
  EXPECT_THAT(error_of([] { Line().train(quiet("", -1)); }).what(), HasSubstr("-1"));
  Line uncounted;
  uncounted.counts_steps = false;
  EXPECT_THAT(error_of([&] { uncounted.train(quiet("", 5)); }).what(), HasSubstr("global_step()"));
  {
    Line model;
    TrainOptions options = quiet(folder / "run", 5);
    options.parameters = {{"lr", 0.05}};
    model.train(options);
  }
  Line model;
  TrainOptions options = quiet(folder / "run", 5);
  options.parameters = {{"lr", 0.1}};
  EXPECT_THAT(error_of([&] { model.train(options); }).what(),
              HasSubstr("lr: the run has 0.05, now 0.1"));
}

TEST(Model, AResumeLeavesFilesOfOthersAlone) {
  TemporaryFolder folder;
  Line().train(quiet(folder / "run", 30));
  const std::string dir = folder / "run/checkpoints/";
  for (const char* name : {"notes.index", "notes.meta", "foreign.index"}) {
    std::ofstream(dir + name) << "hello";
  }
  fs::remove(dir + "foreign.index");
  for (const char* end : {".index", ".meta", ".data-00000-of-00001"}) {
    fs::copy_file(dir + "model.ckpt-10" + end, dir + "foreign" + end);
  }
  Line().train(quiet(folder / "run", 150));
  for (const char* name : {"notes.index", "notes.meta", "foreign.index", "foreign.meta",
                           "foreign.data-00000-of-00001"}) {
    EXPECT_TRUE(fs::exists(dir + name)) << name;
  }
  // Its own are still kept within bounds.
  EXPECT_FALSE(fs::exists(dir + "model.ckpt-10.index"));
  EXPECT_FALSE(fs::exists(dir + "model.ckpt-30.index"));
  EXPECT_TRUE(fs::exists(dir + "model.ckpt-110.index"));
}

/// Its save takes a while.
class Wide : public Model {
 protected:
  void create_loss() override {
    const auto w = get_variable("w", {1 << 22}, {.initializer = ones_initializer()});
    loss_ = reduce_mean(square(w.value()));
  }
  void create_optimizer() override {
    train_op_ =
        train::GradientDescentOptimizer(0.05).minimize(loss_, {.global_step = global_step()});
  }
};

TEST(Model, AnErrorWaitsForTheSaveUnderWay) {
  TemporaryFolder folder;
  TrainOptions options = quiet(folder / "run", 10);
  options.save_every = 2;
  options.on_step = [](std::int64_t step, float) {
    if (step == 3) fail(Code::kAborted, "enough");
  };
  Wide model;
  EXPECT_EQ(error_of([&] { model.train(options); }).code(), Code::kAborted);
  // The folder is free now, so nothing may still be written in it.
  const std::string dir = folder / "run/checkpoints";
  EXPECT_EQ(train::latest_checkpoint(dir), dir + "/model.ckpt-2");
  for (const auto& entry : fs::directory_iterator(dir)) {
    EXPECT_EQ(entry.path().string().find(".tmp"), std::string::npos) << entry.path();
  }
}

TEST(Model, ASaveThatFailsDoesNotEndTraining) {
  for (const bool async : {false, true}) {
    TemporaryFolder folder;
    const std::string dir = folder / "run/checkpoints";
    TrainOptions options = quiet(folder / "run", 35);
    options.async_save = async;
    options.on_step = [&](std::int64_t step, float) {
      // No folder at step 10, and something in the way at step 20.
      if (step == 8) fs::rename(dir, dir + "-away");
      if (step == 12) {
        fs::rename(dir + "-away", dir);
        fs::create_directories(dir + "/model.ckpt-20.meta");
      }
    };
    ::testing::internal::CaptureStderr();
    Line model;
    const TrainResult result = model.train(options);
    const std::string told = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(result.step, 35);
    EXPECT_EQ(result.checkpoint, dir + "/model.ckpt-35");
    EXPECT_TRUE(train::checkpoint_exists(dir + "/model.ckpt-30"));
    EXPECT_THAT(told, HasSubstr("no checkpoint of step 10"));
    EXPECT_THAT(told, HasSubstr("no checkpoint of step 20"));
    // The last one must be good.
    options.steps = 45;
    options.on_step = [&](std::int64_t step, float) {
      if (step == 41) fs::rename(dir, dir + "-away");
    };
    Line more;
    EXPECT_EQ(error_of([&] { more.train(options); }).code(), Code::kInvalidArgument);
  }
}

class NoLoss : public Model {
  void create_loss() override {}
  void create_optimizer() override {}
};

TEST(Model, StepsLeftOutAreNamed) {
  NoLoss model;
  EXPECT_THAT(error_of([&] { model.build(); }).what(), HasSubstr("loss_"));
}

}  // namespace
}  // namespace assay
