// Runs whose random ops have no seed: what they draw is one number, kept in the run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "assay/api/initializers.h"
#include "assay/api/math_ops.h"
#include "assay/api/nn.h"
#include "assay/api/random_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/data/dataset.h"
#include "assay/device/entropy.h"
#include "assay/format/bundle_reader.h"
#include "assay/graph/debug_info.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/model.h"
#include "assay/train/optimizers.h"
#include "assay/train/run_dir.h"
#include "assay/train/session_state.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using assay::testing::error_of;
using assay::testing::TemporaryFolder;
using ::testing::HasSubstr;

/// Draws in its data, its initial values and its steps, all without a seed.
class Unseeded : public Model {
 protected:
  void import_data() override {
    const auto iterator =
        data::Dataset::range(20)
            .shuffle(7)
            .map([](const std::vector<Output>& e) {
              return std::vector<Output>{cast(e[0], float32) + random_normal({3}, {.stddev = 0.1})};
            })
            .repeat()
            .batch(4)
            .make_initializable_iterator();
    x_ = iterator.get_next().at(0);
  }
  void create_inference() override {
    const auto w = get_variable("w", {3, 2}, {.initializer = random_normal_initializer()});
    predicted_ = nn::dropout(matmul(x_, w), {.keep_prob = 0.7});
  }
  void create_loss() override { loss_ = reduce_mean(square(predicted_)); }
  void create_optimizer() override {
    train_op_ =
        train::GradientDescentOptimizer(0.001).minimize(loss_, {.global_step = global_step()});
  }

 private:
  Output x_;
  Output predicted_;
};

TrainOptions options(const std::string& run_dir, std::int64_t steps) {
  TrainOptions options;
  options.run_dir = run_dir;
  options.steps = steps;
  options.print = false;
  options.threads = 1;
  options.save_every = 4;
  return options;
}

std::vector<float> losses(const std::string& run_dir, std::int64_t steps,
                          std::optional<std::uint64_t> entropy = std::nullopt) {
  std::vector<float> all;
  TrainOptions how = options(run_dir, steps);
  how.entropy = entropy;
  how.on_step = [&](std::int64_t, float loss) { all.push_back(loss); };
  Unseeded model;
  model.train(how);
  return all;
}

TEST(UnseededRun, IsRepeatedByItsEntropyAndResumedToTheSameBits) {
  TemporaryFolder folder;
  const auto first = losses(folder / "first", 12);
  const auto entropy = train::read_run_info(folder / "first").entropy;
  ASSERT_TRUE(entropy);
  // Killed after a few steps, then resumed: in two processes' worth of sessions.
  auto parts = losses(folder / "parts", 5, entropy);
  for (const float loss : losses(folder / "parts", 12)) parts.push_back(loss);
  EXPECT_EQ(parts, first);
  EXPECT_EQ(losses("", 12, entropy), first);

  const auto other = losses(folder / "other", 12);
  EXPECT_NE(other, first);
  EXPECT_NE(train::read_run_info(folder / "other").entropy, entropy);
}

TEST(UnseededRun, AnotherEntropyIsRefused) {
  TemporaryFolder folder;
  losses(folder / "run", 2, 5);
  losses(folder / "run", 4, 5);
  const Error e = error_of([&] { losses(folder / "run", 6, 6); });
  EXPECT_EQ(e.code(), Code::kFailedPrecondition);
  EXPECT_THAT(e.message(),
              HasSubstr("entropy: the run has 0x0000000000000005, now 0x0000000000000006"));
}

TEST(UnseededRun, TellsItsEntropy) {
  TemporaryFolder folder;
  TrainOptions how = options(folder / "run", 2);
  how.print = true;
  how.entropy = 5;
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Unseeded().train(how);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(::testing::internal::GetCapturedStdout(),
              HasSubstr("Random ops without a seed draw from the entropy 0x0000000000000005\n"));
}

TEST(UnseededRun, CheckpointsKeepEntropyAndPlaces) {
  TemporaryFolder folder;
  losses(folder / "run", 2, 5);
  const std::string prefix = train::find_checkpoints(train::checkpoint_dir(folder / "run")).at(0);
  EXPECT_EQ(format::BundleReader(prefix).read("_assay/entropy").item<std::int64_t>(), 5);
  const auto places = places_of(read_debug_info(prefix + ".debug"));
  EXPECT_THAT(places.at("dropout/random_uniform/RandomUniform"),
              ::testing::StartsWith("unseeded_test.cc:"));
  EXPECT_TRUE(places.contains("AssayMapDataset/random_normal/RandomStandardNormal"));
}

TEST(UnseededRun, ARunOfBeforeEntropyWasKeptGoesOn) {
  TemporaryFolder folder;
  losses(folder / "run", 4, 5);
  const std::string path = folder / "run/run.json";
  std::ifstream in(path);
  auto json = nlohmann::json::parse(in);
  EXPECT_EQ(json["entropy"], "0x0000000000000005");
  json.erase("entropy");
  std::ofstream(path) << json.dump();
  const auto rest = losses(folder / "run", 8);
  EXPECT_EQ(rest.size(), 4U);
  // The checkpoint had it too.
  const auto whole = losses("", 8, 5);
  EXPECT_EQ(rest, std::vector<float>(whole.begin() + 4, whole.end()));

  json["entropy"] = 5;
  std::ofstream(path) << json.dump();
  const Error e = error_of([&] { losses(folder / "run", 9); });
  EXPECT_EQ(e.code(), Code::kDataLoss);
  EXPECT_THAT(e.message(), HasSubstr("\"entropy\" is no text of up to 16 digits after \"0x\""));
}

TEST(UnseededSession, SavedStateGoesOnInAnother) {
  Graph graph;
  GraphScope scope(graph);
  const Output used = random_uniform({3});
  const Output late = random_uniform({3});
  Session first({.entropy = 9});
  first.run(used);
  const auto state = train::save_session_state(first);
  Session second({.entropy = 10});
  second.run(late);
  train::restore_session_state(second, state);
  EXPECT_EQ(second.entropy(), 9U);
  EXPECT_TRUE(train::save_session_state(second).contains("entropy"));
  for (const Output& x : {used, late}) {
    EXPECT_EQ(second.run(x).to_vector<float>(), first.run(x).to_vector<float>());
  }
}

}  // namespace
}  // namespace assay
