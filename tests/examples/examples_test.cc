#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>

#include "tests/support/fixtures.h"

namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// Runs an example with one argument; returns what it printed. It must end with 0.
std::string run_example(const std::string& name, const std::string& argument = "") {
  const std::string command =
      assay::testing::binary_dir() + "/examples/" + name + " '" + argument + "' 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "popen failed";
  std::string text;
  std::array<char, 4096> part;
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe)) {
    text.append(part.data(), n);
  }
  EXPECT_EQ(pclose(pipe), 0) << name << ":\n" << text;
  return text;
}

TEST(Examples, LinearRegression) {
  EXPECT_THAT(run_example("linear_regression"), HasSubstr("y = 3.000 x + -1.000"));
}

TEST(Examples, NameScopes) {
  const std::string text = run_example("name_scopes");
  EXPECT_THAT(text, HasSubstr("data/inner/sum"));
  EXPECT_THAT(text, HasSubstr("data_1/mul:0 = 50"));
}

TEST(Examples, VariableSharing) {
  const std::string text = run_example("variable_sharing");
  EXPECT_THAT(
      text,
      HasSubstr("two_layers/h1/weights:0 [100,50]\ntwo_layers/h1/biases:0 [50]\n"
                "two_layers/h2/weights:0 [50,10]\ntwo_layers/h2/biases:0 [10]\nshared: true"));
  // The error names where the variable was made and where it was made again.
  EXPECT_THAT(text,
              ContainsRegex("by_hand/w.*variable_sharing.cc:[0-9]+.*variable_sharing.cc:[0-9]+"));
}

TEST(Examples, CheckpointingThenResume) {
  const assay::testing::TemporaryFolder folder;
  const std::string saved = run_example("checkpointing", folder.path().string());
  EXPECT_THAT(saved, HasSubstr("model.ckpt-1000"));
  EXPECT_THAT(saved, HasSubstr("model.ckpt-3000"));
  const std::string resumed = run_example("resume", folder.path().string());
  EXPECT_THAT(resumed, HasSubstr("model.ckpt-3000"));
  EXPECT_THAT(resumed, HasSubstr("steps 3000 to 4000"));
  EXPECT_THAT(run_example("resume", folder.path().string()), HasSubstr("steps 4000 to 5000"));
}

TEST(Examples, ResumeWithoutACheckpointStartsAnew) {
  const assay::testing::TemporaryFolder folder;
  const std::string text = run_example("resume", folder.path().string());
  EXPECT_THAT(text, HasSubstr("starting anew"));
  EXPECT_THAT(text, HasSubstr("steps 0 to 1000"));
}

TEST(Examples, Summaries) {
  const assay::testing::TemporaryFolder folder;
  const std::string text = run_example("summaries", folder.path().string());
  EXPECT_THAT(text, HasSubstr("step  75"));
  EXPECT_THAT(text, HasSubstr("events.out.tfevents."));
}

TEST(Examples, RandomSeedsGiveTensorFlowsNumbers) {
  EXPECT_EQ(run_example("random_seeds"),
            "session 1: 3.574932 then -5.9731865\n"
            "session 2: 3.574932 then -5.9731865\n"
            "graph seed: 9.123926 and -4.5340395\n");
}

TEST(Examples, GradientsAreThoseByHand) {
  const std::string text = run_example("gradients");
  EXPECT_THAT(text, HasSubstr("8.940000   by hand  8.940000"));
  EXPECT_THAT(text, HasSubstr("16.22080"));
}

TEST(Examples, Iterators) {
  const std::string text = run_example("iterators");
  EXPECT_THAT(text, HasSubstr("epoch 1: float32[2] [1 2] int32[2] [10 20] sum 3"));
  EXPECT_THAT(text, HasSubstr("epoch 2: float32[1] [5] int32[1] [50] sum 5"));
  EXPECT_THAT(text, HasSubstr("epoch 2 ended: OutOfRange"));
}

}  // namespace
