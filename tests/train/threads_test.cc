// Whole models on 1, 2, 3 and 8 threads: the loss of every step and every variable at the end are
// the same bits. The layers are large enough for kernels to share their work out.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>

#include "assay/format/proto/graph.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/graph_def.h"
#include "assay/train/optimizers_more.h"
#include "tests/support/fixtures.h"
#include "tests/train/noisy_net.h"

namespace assay {
namespace {

using testing::Minimize;
using testing::Net;
using testing::with;

constexpr std::int64_t kPoints = 600;
constexpr std::int64_t kWide = 784;
constexpr std::int64_t kClasses = 10;

/// Points [kPoints, width], of as many magnitudes as pictures have greys.
Tensor points(std::int64_t width) {
  Tensor t(float32, Shape{kPoints, width});
  std::uint32_t state = 5;
  for (float& x : t.span<float>()) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(state >> 24) / 256.0F;
  }
  return t;
}

std::vector<std::int32_t> labels() {
  std::vector<std::int32_t> all;
  for (std::int64_t i = 0; i < kPoints; ++i)
    all.push_back(static_cast<std::int32_t>(i * 7 % kClasses));
  return all;
}

/// Batches of points, shuffled and made ahead; a class derived from it says what learns from them.
class Learner : public Model {
 public:
  explicit Learner(Minimize minimize, std::int64_t width = kWide)
      : minimize_(std::move(minimize)), width_(width) {}

 protected:
  void import_data() override {
    set_random_seed(11);
    const auto iterator = data::Dataset::from_tensor_slices({points(width_), labels()})
                              .shuffle(200)
                              .repeat()
                              .batch(128)
                              .prefetch(2)
                              .make_initializable_iterator();
    const auto next = iterator.get_next();
    x_ = next[0];
    y_ = next[1];
  }
  void create_optimizer() override { train_op_ = minimize_(loss_, {.global_step = global_step()}); }

  Output dense(Output x, const std::string& name, std::int64_t from, std::int64_t to) {
    const auto w = get_variable(name + "/w", {from, to},
                                {.initializer = truncated_normal_initializer({.stddev = 0.1})});
    const auto b = get_variable(name + "/b", {to}, {.initializer = zeros_initializer()});
    return nn::bias_add(matmul(x, w), b);
  }

  Output x_;
  Output y_;

 private:
  Minimize minimize_;
  std::int64_t width_;
};

/// y = x w + b by least squares.
class LinearRegression : public Learner {
 public:
  using Learner::Learner;

 protected:
  void create_loss() override {
    loss_ = reduce_mean(square(dense(x_, "line", kWide, 1) - expand_dims(cast(y_, float32), 1)));
  }
};

/// Classes by one layer.
class LogisticRegression : public Learner {
 public:
  using Learner::Learner;

 protected:
  void create_loss() override {
    loss_ = reduce_mean(nn::sparse_softmax_cross_entropy_with_logits(
        {.labels = y_, .logits = dense(x_, "classes", kWide, kClasses)}));
  }
};

/// Two hidden layers with dropout, and weight decay.
class Perceptron : public Learner {
 public:
  using Learner::Learner;

 protected:
  void create_loss() override {
    const Output one = nn::dropout(nn::relu(dense(x_, "one", kWide, 256)), {.keep_prob = 0.8});
    const Output two = tanh(dense(one, "two", 256, 100));
    const Output logits = dense(two, "three", 100, kClasses);
    loss_ = reduce_mean(nn::softmax_cross_entropy_with_logits_v2(
                {.labels = one_hot(y_, kClasses), .logits = logits})) +
            nn::l2_loss(logits) * 1e-4;
  }
};

/// What a run leaves: the loss of each step, then the variables.
std::vector<std::string> bits_of(Model& model, std::int64_t steps, int threads) {
  std::vector<std::string> all;
  const auto keep = [&](const Tensor& t) {
    all.emplace_back(static_cast<const char*>(t.raw()), t.num_bytes());
  };
  TrainOptions options;
  options.steps = steps;
  options.print = false;
  options.threads = threads;
  options.on_step = [&](std::int64_t, float loss) { keep(Tensor::scalar(loss)); };
  model.train(options);
  for (const Variable& v : variables_in(model.graph(), graph_keys::kGlobalVariables)) {
    keep(model.session().run(v.value()));
  }
  return all;
}

using Make = std::function<std::unique_ptr<Model>()>;

void expect_same_on_any_number_of_threads(const Make& make, std::int64_t steps) {
  const auto one = bits_of(*make(), steps, 1);
  EXPECT_GT(one.size(), static_cast<std::size_t>(steps));
  for (const int threads : {2, 3, 8}) {
    const auto more = bits_of(*make(), steps, threads);
    ASSERT_EQ(more.size(), one.size());
    for (std::size_t i = 0; i < one.size(); ++i) {
      EXPECT_TRUE(more[i] == one[i]) << threads << " threads, value " << i;
    }
  }
}

struct Case {
  std::string name;
  Make make;
};

class ThreadsTest : public ::testing::TestWithParam<Case> {};

TEST_P(ThreadsTest, SameLossesAndWeights) {
  expect_same_on_any_number_of_threads(GetParam().make, 12);
}

template <typename M, typename... Args>
Make making(Args... args) {
  return [=] { return std::make_unique<M>(args...); };
}

INSTANTIATE_TEST_SUITE_P(
    Models, ThreadsTest,
    ::testing::Values(
        Case{"LinearRegression",
             making<LinearRegression>(with<train::GradientDescentOptimizer>(1e-4))},
        Case{"LogisticRegression", making<LogisticRegression>(with<train::AdagradOptimizer>(0.01))},
        Case{"Perceptron", making<Perceptron>(with<train::AdamOptimizer>(1e-3))},
        Case{"PerceptronMomentum", making<Perceptron>(with<train::MomentumOptimizer>(0.01, 0.9))},
        Case{"PerceptronRMSProp", making<Perceptron>(with<train::RMSPropOptimizer>(1e-3))},
        Case{"Noisy", making<Net>(with<train::AdamOptimizer>(0.01))},
        Case{"NoisyAdadelta", making<Net>(with<train::AdadeltaOptimizer>(0.1))}),
    [](const auto& info) { return info.param.name; });

/// The loss that a step fetches is the one that its summary holds, and asking for summaries changes
/// nothing: another program computes the same bits.
TEST(Programs, SummariesChangeNothing) {
  const testing::TemporaryFolder folder;
  for (const Make& make : {making<Perceptron>(with<train::AdamOptimizer>(1e-3)),
                           making<Net>(with<train::AdamOptimizer>(0.01))}) {
    std::vector<std::vector<std::string>> runs;
    for (const std::int64_t every : {0, 1, 3}) {
      const auto model = make();
      std::vector<std::string> all;
      TrainOptions options;
      options.run_dir = folder / std::to_string(every);
      std::filesystem::remove_all(options.run_dir);
      options.steps = 10;
      options.print = false;
      options.summary_every = every;
      options.on_step = [&](std::int64_t, float loss) {
        all.emplace_back(reinterpret_cast<const char*>(&loss), sizeof loss);
      };
      model->train(options);
      for (const Variable& v : variables_in(model->graph(), graph_keys::kGlobalVariables)) {
        const Tensor t = model->session().run(v.value());
        all.emplace_back(static_cast<const char*>(t.raw()), t.num_bytes());
      }
      runs.push_back(std::move(all));
    }
    EXPECT_TRUE(runs[0] == runs[1]);
    EXPECT_TRUE(runs[0] == runs[2]);
  }
}

/// Graph and program as text.
std::pair<std::string, std::string> texts_of(Model& model) {
  model.build();
  Session session({.graph = &model.graph(), .threads = 1});
  return {format::to_binary(to_graph_def(model.graph())),
          session.describe_program({}, {model.loss()}, {model.train_op()})};
}

/// Graphs and programs are made the same wherever their nodes lie in memory.
TEST(Programs, DoNotDependOnAddresses) {
  for (const Make& make : {making<Perceptron>(with<train::AdamOptimizer>(1e-3)),
                           making<Net>(with<train::AdagradOptimizer>(0.1))}) {
    std::mt19937 random(7);
    std::vector<std::unique_ptr<char[]>> litter;
    std::pair<std::string, std::string> first;
    std::vector<std::unique_ptr<Model>> alive;
    for (int round = 0; round < 6; ++round) {
      alive.push_back(make());
      const auto texts = texts_of(*alive.back());
      if (round == 0) first = texts;
      EXPECT_TRUE(texts.first == first.first) << "graph, round " << round;
      EXPECT_EQ(texts.second, first.second) << "program, round " << round;
      // Holes of all sizes, so that what comes next is scattered over them in another order.
      for (int i = 0; i < 20000; ++i) {
        litter.push_back(std::make_unique<char[]>(16 + random() % 600));
      }
      std::shuffle(litter.begin(), litter.end(), random);
      litter.resize(litter.size() / 2);
    }
  }
}

}  // namespace
}  // namespace assay
