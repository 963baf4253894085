#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

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

namespace assay::testing {

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
  explicit Net(Minimize minimize, int rows = 37, int seed = 3)
      : minimize_(std::move(minimize)), rows_(rows), seed_(seed) {}

 protected:
  void import_data() override {
    set_random_seed(seed_);
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
  int seed_;
  Output x_;
  Output ids_;
  Output predicted_;
};

inline TrainOptions options(const std::string& run_dir, std::int64_t steps, int threads = 1) {
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
inline std::map<std::string, std::string> checkpoint(const std::string& run_dir) {
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

inline void expect_same_run(const std::string& a, const std::string& b) {
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

}  // namespace assay::testing
