// A run that is interrupted and goes on ends with the bits of one that never was.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "assay/api/apply_op.h"
#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/random_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/data/dataset.h"
#include "assay/format/event_history.h"
#include "assay/summary/summary.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/model.h"
#include "assay/train/optimizers.h"
#include "assay/train/optimizers_more.h"
#include "assay/train/session_state.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"
#include "tests/train/noisy_net.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using assay::testing::error_of;
using assay::testing::expect_same_run;
using assay::testing::Minimize;
using assay::testing::Net;
using assay::testing::options;
using assay::testing::TemporaryFolder;
using assay::testing::with;
using ::testing::HasSubstr;

struct Case {
  std::string name;
  Minimize minimize;
};

class ResumeTest : public ::testing::TestWithParam<Case> {};

TEST_P(ResumeTest, EndsWithTheSameBitsOnAnyNumberOfThreads) {
  const TemporaryFolder folder;
  Net(GetParam().minimize).train(options(folder / "whole", 40));
  // Seven processes, of 1, 2, 3, 1, ... threads.
  int threads = 0;
  for (const std::int64_t steps : {1, 2, 9, 10, 23, 31, 40}) {
    Net net(GetParam().minimize);
    const TrainResult result = net.train(options(folder / "parts", steps, threads++ % 3 + 1));
    EXPECT_EQ(result.step, steps);
  }
  expect_same_run(folder / "whole", folder / "parts");
  Net(GetParam().minimize).train(options(folder / "whole", 60, 2));
  Net(GetParam().minimize).train(options(folder / "parts", 60, 3));
  expect_same_run(folder / "whole", folder / "parts");
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, ResumeTest,
    ::testing::Values(Case{"GradientDescent", with<train::GradientDescentOptimizer>(0.1)},
                      Case{"Momentum", with<train::MomentumOptimizer>(0.1, 0.9)},
                      Case{"Adagrad", with<train::AdagradOptimizer>(0.1)},
                      Case{"Adam", with<train::AdamOptimizer>(0.01)},
                      Case{"RMSProp", with<train::RMSPropOptimizer>(0.01)},
                      Case{"Adadelta", with<train::AdadeltaOptimizer>(0.1)}),
    [](const auto& info) { return info.param.name; });

const Minimize kAdam = with<train::AdamOptimizer>(0.01);

TEST(Resume, ForgottenStepsComeAgainOnce) {
  const TemporaryFolder folder;
  Net(kAdam).train(options(folder / "whole", 30));
  for (int round = 0; round < 3; ++round) {
    Net(kAdam).train(options(folder / "parts", 10));
    Net(kAdam).train(options(folder / "parts", 17));
    // As if it had been killed at 17: what was saved at 10 is the last.
    train::remove_checkpoint(folder / "parts/checkpoints/model.ckpt-17");
  }
  Net(kAdam).train(options(folder / "parts", 30));
  expect_same_run(folder / "whole", folder / "parts");
  const auto history = format::read_event_folder(folder / "parts");
  EXPECT_EQ(history.dropped(), 3 * 7);
  EXPECT_GE(history.starts(), 4);
}

TEST(Resume, AnotherDatasetIsRefusedOrBegunAnew) {
  const TemporaryFolder folder;
  Net(kAdam, 37).train(options(folder / "run", 10));
  const Error grown = error_of([&] { Net(kAdam, 40).train(options(folder / "run", 20)); });
  EXPECT_EQ(grown.code(), Code::kFailedPrecondition);
  EXPECT_THAT(grown.message(), HasSubstr("then 37 elements"));
  EXPECT_THAT(grown.message(), HasSubstr("now 40 elements"));
  TrainOptions accept = options(folder / "run", 20);
  accept.accept_changed_data = true;
  const TrainResult result = Net(kAdam, 40).train(accept);
  EXPECT_EQ(result.first_step, 10);
  EXPECT_EQ(result.step, 20);
  // From then on the new data is the run's.
  EXPECT_EQ(Net(kAdam, 40).train(options(folder / "run", 25)).step, 25);
}

/// Fed by code; a pass has ten steps.
class Fed : public Model {
 public:
  int points = 10;
  double sum = 0;

 protected:
  void import_data() override { x_ = placeholder(float32, {.shape = Dims(Shape{}), .name = "x"}); }
  void create_loss() override { loss_ = square(get_variable("w", {.initial_value = 0.0F}) - x_); }
  void create_optimizer() override {
    train_op_ = train::AdamOptimizer(0.05).minimize(loss_, {.global_step = global_step()});
  }
  void create_summaries() override {
    summary::scalar("loss", loss_);
    summary_op_ = summary::merge_all();
  }
  void initialize_data(Session&) override { next_ = 0; }
  std::vector<Feed> next_feeds() override {
    if (next_ == points) fail(Code::kOutOfRange, "the points are used up");
    return {{x_, 0.25 * next_++}};
  }

 private:
  Output x_;
  int next_ = 0;
};

TEST(Resume, FeedsGoOnInTheMiddleOfAPass) {
  const TemporaryFolder folder;
  Fed().train(options(folder / "whole", 45));
  for (const std::int64_t steps : {3, 10, 14, 29, 45})
    Fed().train(options(folder / "parts", steps));
  expect_same_run(folder / "whole", folder / "parts");
  Fed fewer;
  fewer.points = 4;
  const Error e = error_of([&] { fewer.train(options(folder / "parts", 60)); });
  EXPECT_EQ(e.code(), Code::kFailedPrecondition);
  EXPECT_THAT(e.message(), HasSubstr("had given 5 batches"));
}

TEST(Resume, FewerFedPointsAreBegunAnewWhenAskedFor) {
  const TemporaryFolder folder;
  Fed().train(options(folder / "run", 45));
  Fed fewer;
  fewer.points = 4;
  TrainOptions accept = options(folder / "run", 60);
  accept.accept_changed_data = true;
  const TrainResult result = fewer.train(accept);
  EXPECT_EQ(result.first_step, 45);
  EXPECT_EQ(result.step, 60);
}

/// Reads an iterator that starts by itself.
class OneShot : public Model {
 public:
  explicit OneShot(int rows = 60) : rows_(rows) {}
  std::string name = "x";

 protected:
  void import_data() override {
    set_random_seed(3);
    std::vector<float> x;
    for (int i = 0; i < rows_; ++i) x.push_back(std::sin(static_cast<float>(i)));
    NameScope scope(name);
    const auto iterator =
        data::Dataset::from_tensor_slices({x}).shuffle(10).repeat().make_one_shot_iterator();
    std::tie(x_) = iterator.get_next<1>();
  }
  void create_loss() override { loss_ = square(get_variable("w", {.initial_value = 0.0F}) - x_); }
  void create_optimizer() override {
    train_op_ = train::AdamOptimizer(0.05).minimize(loss_, {.global_step = global_step()});
  }
  void create_summaries() override {
    summary::scalar("loss", loss_);
    summary_op_ = summary::merge_all();
  }

 private:
  int rows_;
  Output x_;
};

TEST(Resume, IteratorsThatStartByThemselvesGoOn) {
  const TemporaryFolder folder;
  OneShot().train(options(folder / "whole", 150));
  for (const std::int64_t steps : {7, 59, 60, 100, 150}) {
    OneShot().train(options(folder / "parts", steps));
  }
  expect_same_run(folder / "whole", folder / "parts");
  const Error grown = error_of([&] { OneShot(61).train(options(folder / "parts", 160)); });
  EXPECT_EQ(grown.code(), Code::kFailedPrecondition);
  EXPECT_THAT(grown.message(), HasSubstr("then 60 elements"));
}

TEST(Resume, ASavedIteratorThatIsNotThereIsTold) {
  const TemporaryFolder folder;
  OneShot().train(options(folder / "run", 10));
  OneShot other;
  other.name = "y";
  const Error e = error_of([&] { other.train(options(folder / "run", 20)); });
  EXPECT_EQ(e.code(), Code::kFailedPrecondition);
  EXPECT_THAT(e.message(), HasSubstr("the graph makes none of that name"));
  TrainOptions accept = options(folder / "run", 20);
  accept.accept_changed_data = true;
  OneShot accepted;
  accepted.name = "y";
  EXPECT_EQ(accepted.train(accept).step, 20);
}

TEST(Resume, LostEventsAreTold) {
  const TemporaryFolder folder;
  Net(kAdam).train(options(folder / "run", 10));
  for (const auto& entry : fs::directory_iterator(folder / "run")) {
    if (entry.path().string().find("tfevents") != std::string::npos) {
      fs::resize_file(entry.path(), 100);
    }
  }
  ::testing::internal::CaptureStderr();
  Net(kAdam).train(options(folder / "run", 12));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("points are lost"));
}

TEST(SessionState, LearnedSamplersAreKept) {
  Graph graph;
  GraphScope scope(graph);
  const Tensor labels = Tensor::of<std::int64_t>({1, 5}, Shape{2, 1});
  const Output sampled = apply_op("LearnedUnigramCandidateSampler", "sampler", {Operand(labels)},
                                  {{"num_true", std::int64_t{1}},
                                   {"num_sampled", std::int64_t{20}},
                                   {"unique", false},
                                   {"range_max", std::int64_t{8}},
                                   {"seed", std::int64_t{4}},
                                   {"seed2", std::int64_t{2}}})
                             ->output(2);
  const auto draw = [&](Session& session) { return session.run(sampled).to_vector<float>(); };
  Session first;
  for (int i = 0; i < 5; ++i) draw(first);
  const auto state = train::save_session_state(first);
  EXPECT_TRUE(state.contains("unigram/sampler"));
  EXPECT_TRUE(state.contains("random/sampler"));
  const auto expected = draw(first);
  Session second;
  draw(second);
  train::restore_session_state(second, state);
  EXPECT_EQ(draw(second), expected);
  Session third;
  train::restore_session_state(third, state);
  EXPECT_EQ(draw(third), expected);
  Session fresh;
  EXPECT_NE(draw(fresh), expected);
  auto wrong = state;
  wrong["unigram/sampler"] = Tensor::of<std::int32_t>({1, 2, 3});
  EXPECT_EQ(error_of([&] { train::restore_session_state(second, wrong); }).code(),
            Code::kFailedPrecondition);
  wrong["unigram/sampler"] = Tensor::of<std::int32_t>({1, -2});
  EXPECT_EQ(error_of([&] { train::restore_session_state(second, wrong); }).code(), Code::kDataLoss);
}

TEST(SessionState, LocalVariablesAreKept) {
  Graph graph;
  GraphScope scope(graph);
  const Variable local(constant(1.0F), {.collections = {graph_keys::kLocalVariables}, .name = "n"});
  const Output more = local.assign_add(2.0F);
  std::map<std::string, Tensor> state;
  {
    Session session;
    session.run(local_variables_initializer());
    session.run(more);
    state = train::save_session_state(session);
    session.run(more);
  }
  Session other;
  train::restore_session_state(other, state);
  EXPECT_EQ(other.run(local.value()).item<float>(), 3);
  state["local/n"] = Tensor::of<float>({1, 2});
  const Error e = error_of([&] { train::restore_session_state(other, state); });
  EXPECT_EQ(e.code(), Code::kFailedPrecondition);
  EXPECT_THAT(e.message(), HasSubstr("'n' is float32[2] in the checkpoint, but float32[]"));
}

}  // namespace
}  // namespace assay
