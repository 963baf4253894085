#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "assay/assay.h"
#include "assay/data/dataset.h"
#include "assay/summary/summary.h"
#include "assay/train/model.h"
#include "assay/train/optimizers.h"
#include "tests/support/fixtures.h"

// The class of the design document ("What a user writes"), its five steps word for word.

class SkipGram : public assay::Model {
 public:
  explicit SkipGram(std::uint64_t seed) {
    assay::GraphScope scope(graph());
    assay::set_random_seed(static_cast<std::int64_t>(seed));
    std::vector<std::int32_t> centers;
    std::vector<std::int32_t> targets;
    for (int i = 0; i < 400; ++i) {  // each word's neighbour is the next one
      centers.push_back(i % vocab_);
      targets.push_back((i + 1) % vocab_);
    }
    const assay::Shape column{400, 1};
    dataset_ = assay::data::Dataset::from_tensor_slices(
                   {assay::Tensor::of(centers), assay::Tensor::of(targets, column)})
                   .shuffle(100)
                   .batch(16, {.drop_remainder = true});
  }

  std::vector<float> embeddings() {
    return session().run(embed_matrix_.value()).to_vector<float>();
  }

 protected:
  void import_data() override {
    assay::NameScope scope("data");
    iterator_ = dataset_.make_initializable_iterator();
    std::tie(center_, target_) = iterator_.get_next<2>();
  }
  void create_embedding() override {
    assay::NameScope scope("embed");
    embed_matrix_ = assay::get_variable("embed_matrix", {vocab_, dim_},
                                        {.initializer = assay::random_uniform_initializer()});
    embed_ = assay::nn::embedding_lookup(embed_matrix_, center_, {.name = "embedding"});
  }
  void create_loss() override {
    assay::NameScope scope("loss");
    auto weight = assay::get_variable(
        "nce_weight", {vocab_, dim_},
        {.initializer = assay::truncated_normal_initializer({.stddev = 1 / std::sqrt(dim_)})});
    auto bias = assay::get_variable("nce_bias", {.initial_value = assay::zeros({vocab_})});
    loss_ = assay::reduce_mean(assay::nn::nce_loss(weight, bias, target_, embed_, sampled_, vocab_),
                               {.name = "loss"});
  }
  void create_optimizer() override {
    train_op_ =
        assay::train::GradientDescentOptimizer(lr_).minimize(loss_, {.global_step = global_step()});
  }
  void create_summaries() override {
    assay::NameScope scope("summaries");
    assay::summary::scalar("loss", loss_);
    assay::summary::histogram("histogram loss", loss_);
    summary_op_ = assay::summary::merge_all();
  }

 private:
  int vocab_ = 50;
  int dim_ = 8;
  int sampled_ = 5;
  double lr_ = 0.5;
  assay::data::Dataset dataset_;
  assay::data::Iterator iterator_;
  assay::Output center_;
  assay::Output target_;
  assay::Variable embed_matrix_;
  assay::Output embed_;
};

namespace {

assay::TrainOptions options(const std::string& run_dir, std::int64_t steps, int threads) {
  return {.run_dir = run_dir,
          .steps = steps,
          .save_every = 0,
          .summary_every = 20,
          .skip_step = 50,
          .threads = threads,
          .print = false};
}

TEST(NotesModel, Learns) {
  assay::testing::TemporaryFolder folder;
  SkipGram model(7);
  std::vector<float> losses;
  assay::TrainOptions o = options(folder / "run", 500, 1);
  o.on_step = [&](std::int64_t, float loss) { losses.push_back(loss); };
  const assay::TrainResult result = model.train(o);
  EXPECT_EQ(result.step, 500);
  EXPECT_EQ(result.epoch, 19);  // 25 batches a pass; the last one has just ended
  EXPECT_LT(result.average_loss, losses.front() / 2);
}

TEST(NotesModel, TheSameBitsOnMoreThreadsAndAfterAResume) {
  assay::testing::TemporaryFolder folder;
  SkipGram whole(7);
  whole.train(options(folder / "whole", 120, 1));
  SkipGram threads(7);
  threads.train(options("", 120, 2));
  EXPECT_EQ(whole.embeddings(), threads.embeddings());
  {
    SkipGram first(7);
    first.train(options(folder / "parts", 61, 2));
  }
  SkipGram second(7);
  EXPECT_EQ(second.train(options(folder / "parts", 120, 1)).first_step, 61);
  EXPECT_EQ(whole.embeddings(), second.embeddings());
}

}  // namespace
