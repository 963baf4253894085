// A run that is interrupted and goes on ends with the bits of one that never was.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/initializers.h"
#include "assay/api/math_ops.h"
#include "assay/api/nn.h"
#include "assay/api/random_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/data/dataset.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/event_history.h"
#include "assay/summary/summary.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/model.h"
#include "assay/train/optimizers.h"
#include "assay/train/optimizers_more.h"
#include "assay/train/session_state.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using assay::testing::error_of;
using assay::testing::TemporaryFolder;
using ::testing::HasSubstr;

/// Makes the train op from the loss and the global step.
using Minimize = std::function<Node*(Output, const train::MinimizeOptions&)>;

template <typename Optimizer, typename... Args>
Minimize with(Args... args) {
  return [=](Output loss, const train::MinimizeOptions& options) {
    return Optimizer(args...).minimize(loss, options);
  };
}

/// All that a run's state can be: shuffled data with random numbers of its own, made ahead by a
/// thread; sparse and dense updates; dropout and noise.
class Net : public Model {
 public:
  explicit Net(Minimize minimize, int rows = 37) : minimize_(std::move(minimize)), rows_(rows) {}

 protected:
  void import_data() override {
    set_random_seed(3);
    std::vector<float> x;
    std::vector<std::int32_t> ids;
    for (int i = 0; i < rows_; ++i) {
      for (int k = 0; k < 4; ++k) x.push_back(std::sin(static_cast<float>(i * 4 + k)));
      ids.push_back(i * 7 % 11);
    }
    const auto iterator =
        data::Dataset::from_tensor_slices({Tensor::of<float>(x, Shape{rows_, 4}), ids})
            .shuffle(10)
            .map([](const std::vector<Output>& e) {
              return std::vector<Output>{e[0] + random_normal({4}, {.stddev = 0.1}), e[1]};
            })
            .repeat()
            .batch(6)
            .prefetch(2)
            .make_initializable_iterator();
    std::tie(x_, ids_) = iterator.get_next<2>();
  }
  void create_inference() override {
    const auto table =
        get_variable("table", {11, 4}, {.initializer = random_uniform_initializer()});
    const auto w = get_variable("w", {4, 3}, {.initializer = random_normal_initializer()});
    const Output hidden = tanh(matmul(x_ + nn::embedding_lookup(table, ids_), w));
    predicted_ = nn::dropout(hidden, {.keep_prob = 0.7}) + random_uniform({3}, 0, 0.1);
  }
  void create_loss() override { loss_ = reduce_mean(square(predicted_ - 0.5F)); }
  void create_optimizer() override { train_op_ = minimize_(loss_, {.global_step = global_step()}); }
  void create_summaries() override {
    summary::scalar("loss", loss_);
    summary_op_ = summary::merge_all();
  }

 private:
  Minimize minimize_;
  int rows_;
  Output x_;
  Output ids_;
  Output predicted_;
};

TrainOptions options(const std::string& run_dir, std::int64_t steps, int threads = 1) {
  TrainOptions options;
  options.run_dir = run_dir;
  options.steps = steps;
  options.print = false;
  options.threads = threads;
  options.save_every = 1000;
  options.summary_every = 1;
  options.skip_step = 10;
  return options;
}

/// The tensors of a run's newest checkpoint, as bytes; without the places of event log and data and
/// the time of day.
std::map<std::string, std::string> checkpoint(const std::string& run_dir) {
  const std::string prefix = train::find_checkpoints(train::checkpoint_dir(run_dir)).at(0);
  std::map<std::string, std::string> all;
  const format::BundleReader reader(prefix);
  for (const auto& [name, entry] : reader.entries()) {
    // How far the data's thread has worked ahead is a matter of time; what it made shows in the
    // steps that follow.
    if (name.starts_with("_assay/events/") || name.starts_with("_assay/iterator/")) continue;
    if (name == "_assay/saver/time") continue;
    const Tensor value = reader.read(name);
    all[name] = value.dtype() == DType::kString
                    ? value.str(1 << 20)
                    : std::string(static_cast<const char*>(value.raw()), value.num_bytes());
  }
  return all;
}

void expect_same_run(const std::string& a, const std::string& b) {
  const auto one = checkpoint(a);
  const auto other = checkpoint(b);
  EXPECT_EQ(one.size(), other.size());
  for (const auto& [name, bytes] : one) {
    const auto found = other.find(name);
    if (found == other.end()) {
      ADD_FAILURE() << name << " is not there";
    } else {
      EXPECT_TRUE(found->second == bytes) << name;
    }
  }
  // The losses too, step by step, each step once.
  const auto one_loss = format::read_event_folder(a).series().at("loss").points;
  const auto other_loss = format::read_event_folder(b).series().at("loss").points;
  ASSERT_EQ(one_loss.size(), other_loss.size());
  for (std::size_t i = 0; i < one_loss.size(); ++i) {
    EXPECT_EQ(one_loss[i].step, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(other_loss[i].step, one_loss[i].step);
    EXPECT_EQ(other_loss[i].scalar, one_loss[i].scalar);
  }
}

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
