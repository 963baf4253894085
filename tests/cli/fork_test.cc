#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <regex>

#include "tests/cli/program.h"
#include "tests/cli/word2vec_runs.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class ForkTest : public Word2vecRuns {
 protected:
  /// A command in which a fork takes its flags from its run.
  std::vector<std::string> fork(const std::string& from, const std::string& to,
                                std::vector<std::string> more) const {
    std::vector<std::string> all{"train", "word2vec", "--fork", path(from), "--run", path(to)};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  std::string checkpoint(const std::string& run, int step) const {
    return path(run) + "/checkpoints/skip-gram-" + std::to_string(step);
  }

  /// Whether two checkpoints have the same variables to the bit.
  static bool same(const std::string& a, const std::string& b) {
    const Finished f = assay({"checkpoints", "diff", a, b, "--variables-only"});
    EXPECT_LE(f.code, 1) << f.err;
    return f.code == 0;
  }

  std::string run_json(const std::string& run) const {
    std::ifstream in(path(run) + "/run.json");
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

TEST_F(ForkTest, GoesOnAsItsRunWould) {
  ASSERT_EQ(assay(train("one", {"--steps", "300", "--window", "3"})).code, 0);
  const Finished f = assay(fork("one", "two", {"--steps", "450", "--threads", "3"}));
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.err, "");
  EXPECT_THAT(f.out, HasSubstr("Forked from " + checkpoint("one", 300) + " at step 300"));
  EXPECT_THAT(f.out, HasSubstr("Done: step 450"));
  ASSERT_EQ(assay(train("one", {"--steps", "450", "--window", "3"})).code, 0);
  EXPECT_TRUE(same(checkpoint("one", 450), checkpoint("two", 450)));
  EXPECT_THAT(run_json("two"), HasSubstr("\"run\": \"" + path("one") + "\""));
  EXPECT_THAT(run_json("two"), HasSubstr("\"step\": 300"));
  EXPECT_THAT(run_json("two"), HasSubstr("\"reseeded\": false"));

  // The same command goes on with the fork, and so does one that names no other run.
  const Finished again = assay(fork("one", "two", {"--steps", "500"}));
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("at step 450\n"));
  fs::remove_all(path("one"));
  EXPECT_EQ(assay({"train", "word2vec", "--run", path("two"), "--steps", "520"}).code, 0);
  // What it began with is kept.
  EXPECT_THAT(assay({"checkpoints", "ls", path("two")}).out, HasSubstr("pinned"));
}

TEST_F(ForkTest, WithNewStreamsDiffersAndIsTheSameEachTime) {
  ASSERT_EQ(assay(train("one", {"--steps", "200", "--window", "3"})).code, 0);
  ASSERT_EQ(assay(fork("one", "same", {"--steps", "300"})).code, 0);
  const Finished f =
      assay(fork("one", "a", {"--steps", "300", "--reseed", "77", "--threads", "1"}));
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("New random streams: seed 77"));
  ASSERT_EQ(assay(fork("one", "b", {"--steps", "300", "--reseed", "77", "--threads", "3"})).code,
            0);
  ASSERT_EQ(assay(fork("one", "c", {"--steps", "300", "--reseed", "78"})).code, 0);
  EXPECT_TRUE(same(checkpoint("a", 200), checkpoint("one", 200)));
  EXPECT_TRUE(same(checkpoint("a", 300), checkpoint("b", 300)));
  EXPECT_FALSE(same(checkpoint("a", 300), checkpoint("c", 300)));
  EXPECT_FALSE(same(checkpoint("a", 300), checkpoint("same", 300)));
  EXPECT_THAT(run_json("a"), HasSubstr("\"seed\": 77"));
  EXPECT_THAT(run_json("a"), HasSubstr("\"reseeded\": true"));

  // Without a number one is drawn, said and kept; and without the model's name and a folder.
  const Finished drawn = assay({"train", "--fork", path("one"), "--reseed", "--steps", "250"});
  ASSERT_EQ(drawn.code, 0) << drawn.err;
  std::smatch seed;
  ASSERT_TRUE(std::regex_search(drawn.out, seed, std::regex("New random streams: seed ([0-9]+)")));
  EXPECT_THAT(run_json("one-fork"), HasSubstr("\"seed\": " + seed[1].str()));
  ASSERT_EQ(assay({"train", "--fork=" + path("one"), "--steps", "250"}).code, 0);
  EXPECT_THAT(run_json("one-fork-2"), HasSubstr("\"reseeded\": false"));

  // Its own seed repeats its own numbers.
  const Finished own = assay(fork("one", "own", {"--steps", "201", "--reseed", "1"}));
  EXPECT_EQ(own.code, 0);
  EXPECT_THAT(own.err, HasSubstr("come again"));
  // So does one that is the same modulo 2^31 - 1.
  const Finished equal = assay(fork("one", "equal", {"--steps", "201", "--reseed", "2147483648"}));
  EXPECT_EQ(equal.code, 0);
  EXPECT_THAT(equal.err, HasSubstr("modulo 2^31 - 1"));
  EXPECT_THAT(equal.err, HasSubstr("come again"));
  EXPECT_EQ(assay(fork("one", "other", {"--steps", "201", "--reseed", "2147483649"})).err, "");
  EXPECT_THAT(assay({"train", "word2vec", "--help"}).out, HasSubstr("modulo 2^31 - 1"));
}

TEST_F(ForkTest, SaysHowLongItWillTrain) {
  ASSERT_EQ(assay(train("one", {"--steps", "100"})).code, 0);
  EXPECT_THAT(assay(fork("one", "two", {"--steps", "105"})).out,
              HasSubstr(" at step 100 into " + path("two") + ", to train up to step 105\n"));
  EXPECT_THAT(assay(fork("one", "three", {"--epochs", "1"})).out,
              HasSubstr(", to train up to pass 1 over the text\n"));
  EXPECT_THAT(assay({"train", "--help"}).out, HasSubstr("assay train --fork RUN needs no model"));
}

TEST_F(ForkTest, OtherLearningRateBatchAndSample) {
  ASSERT_EQ(assay(train("one", {"--steps", "100"})).code, 0);
  const Finished f = assay(
      fork("one", "two", {"--steps", "150", "--lr", "0.25", "--batch", "48", "--sampled", "16"}));
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(run_json("two"), HasSubstr("\"lr\": 0.25"));
  const std::vector<std::vector<std::string>> wrong{{"--vocab", "50"},
                                                    {"--dim", "8"},
                                                    {"--window", "2"},
                                                    {"--seed", "4"},
                                                    {"--text", path("other.txt")}};
  for (const auto& more : wrong) {
    const Finished no = assay(fork("one", "three", more));
    EXPECT_EQ(no.code, 2) << more[0];
    expect_one_line(no);
    EXPECT_THAT(no.err, HasSubstr(more[0]));
    EXPECT_FALSE(fs::exists(path("three")));
  }
}

TEST_F(ForkTest, MistakesAreOneClearLine) {
  ASSERT_EQ(assay(train("one", {"--steps", "100"})).code, 0);
  ASSERT_EQ(assay(train("own", {"--steps", "5"})).code, 0);
  fs::create_directories(path("empty"));
  fs::create_directories(path("none"));
  fs::copy(path("one/run.json"), path("none/run.json"));
  const auto expect_error = [&](const std::vector<std::string>& command, int code,
                                const std::string& words) {
    const Finished f = assay(command);
    EXPECT_EQ(f.code, code) << words;
    expect_one_line(f);
    EXPECT_THAT(f.err, HasSubstr(words));
    EXPECT_FALSE(fs::exists(path("new")));
  };
  expect_error(fork("nowhere", "new", {}), 1, "no such folder");
  expect_error({"train", "--fork", path("nowhere")}, 1, "no such folder");
  expect_error(fork("empty", "new", {}), 1, "holds no run.json");
  expect_error(fork("none", "new", {}), 1, "there is no checkpoint under");
  expect_error(fork("one", "own", {}), 1, "is a run already, and no fork of");
  expect_error(fork("one", "one", {}), 1, "is a run already, and no fork of");
  expect_error({"train", "word2vec", "--run", path("new"), "--reseed"}, 2, "--fork");
  expect_error({"train", "--reseed"}, 2, "give --fork RUN");
  expect_error({"train", "--run", path("new"), "--reseed=5"}, 2, "give --fork RUN");
  expect_error({"train", "word2vec"}, 2, "--run");
  expect_error(fork("one", "new", {"--reseed", "-1"}), 2, "--reseed");
  expect_error(fork("one", "new", {"--reseed", "x"}), 2, "--reseed");
  // A fork says how it was made.
  ASSERT_EQ(assay(fork("one", "two", {"--steps", "110", "--reseed", "5"})).code, 0);
  expect_error(fork("one", "two", {}), 1, "was forked with --reseed");
  expect_error(fork("one", "two", {"--reseed", "6"}), 1, "new seed 5, not 6");
  EXPECT_EQ(assay(fork("one", "two", {"--steps", "120", "--reseed"})).code, 0);
  EXPECT_EQ(assay(fork("one", "two", {"--steps", "130", "--reseed", "5"})).code, 0);
}

TEST_F(ForkTest, ADamagedCheckpointIsPassedOverAndLeftAlone) {
  ASSERT_EQ(assay(train("one", {"--steps", "200"})).code, 0);
  fs::resize_file(checkpoint("one", 200) + ".data-00000-of-00001", 100);
  const auto before = files_in(path("one"));
  const Finished f = assay(fork("one", "two", {"--steps", "150"}));
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.err, HasSubstr("skip-gram-200"));
  EXPECT_THAT(f.out, HasSubstr("at step 100"));
  EXPECT_EQ(files_in(path("one")), before);
}

TEST_F(ForkTest, OfARunThatIsBeingTrained) {
  Process first(assay_command(train("one", {"--steps", "100000000"})));
  const std::string state = path("one") + "/checkpoints/checkpoint";
  for (int i = 0; i < 3000 && !fs::exists(state); ++i) ::usleep(10000);
  const Finished f = assay({"train", "--fork", path("one"), "--epochs", "1"});
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("Forked from"));
  first.send(SIGINT);
  EXPECT_EQ(first.finish().code, 130);
}

}  // namespace
}  // namespace assay::testing
