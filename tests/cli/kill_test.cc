// `assay train` killed with SIGKILL, again and again: what it ends with is what a run ends with
// that was never killed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/format/event_history.h"
#include "assay/train/checkpoint_management.h"
#include "tests/cli/program.h"
#include "tests/support/fixtures.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class KillTest : public ::testing::Test {
 protected:
  KillTest() {
    std::ofstream text(path("text.txt"), std::ios::binary);
    std::mt19937 random(7);
    for (int i = 0; i < 5000; ++i) {
      text << static_cast<char>('a' + random() % 16) << static_cast<char>('a' + random() % 8)
           << ' ';
    }
  }

  std::string path(const std::string& name) const { return folder_ / name; }

  /// A run of word2vec small enough to start, step and save within milliseconds.
  std::vector<std::string> train(const std::string& run, std::int64_t steps,
                                 std::int64_t save_every) const {
    return {"train",           "word2vec",
            "--run",           path(run),
            "--text",          path("text.txt"),
            "--vocab",         "64",
            "--dim",           "8",
            "--batch",         "16",
            "--window",        "3",
            "--sampled",       "4",
            "--seed",          "11",
            "--threads",       "2",
            "--summary-every", "50",
            "--steps",         std::to_string(steps),
            "--save-every",    std::to_string(save_every)};
  }

  std::string checkpoints(const std::string& run) const { return path(run) + "/checkpoints"; }

  /// The step of the newest checkpoint; 0 when there is none.
  std::int64_t newest(const std::string& run) const {
    const auto all = train::find_checkpoints(checkpoints(run));
    return all.empty() ? 0 : std::stoll(all.front().substr(all.front().rfind('-') + 1));
  }

  /// All tensors of a run's newest checkpoint but the place of the event log: its file's name and
  /// length tell how often the run was started.
  std::map<std::string, Tensor> tensors(const std::string& run) const {
    std::map<std::string, Tensor> all;
    const std::string prefix = train::find_checkpoints(checkpoints(run)).at(0);
    const format::BundleReader reader(prefix);
    for (const auto& [name, entry] : reader.entries()) {
      // Where the event log stood and the time of day are another process's.
      const bool same = !name.starts_with("_assay/events/") && name != "_assay/saver/time";
      if (same) all[name] = reader.read(name);
    }
    return all;
  }

  /// The names of the tensors that are not the same to the bit.
  static std::vector<std::string> differences(const std::map<std::string, Tensor>& a,
                                              const std::map<std::string, Tensor>& b) {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : a) {
      const auto other = b.find(name);
      if (other == b.end() || other->second.dtype() != tensor.dtype() ||
          other->second.shape() != tensor.shape()) {
        names.push_back(name);
      } else if (tensor.dtype() == DType::kString) {
        if (tensor.to_vector<std::string>() != other->second.to_vector<std::string>()) {
          names.push_back(name);
        }
      } else if (std::memcmp(tensor.raw(), other->second.raw(), tensor.num_bytes()) != 0) {
        names.push_back(name);
      }
    }
    for (const auto& [name, tensor] : b) {
      if (!a.contains(name)) names.push_back(name);
    }
    return names;
  }

  /// Starts the run, lets it work until it has saved `saves` more checkpoints, and kills it.
  void run_and_kill(const std::string& run, std::int64_t saves) const {
    const std::int64_t before = newest(run);
    Process process(assay_command(train(run, std::int64_t{1} << 40, 100)));
    for (int i = 0; i < 6000 && newest(run) < before + saves * 100; ++i) {
      std::this_thread::sleep_for(5ms);
    }
    process.send(SIGKILL);
    const Finished f = process.finish();
    ASSERT_EQ(f.signal, SIGKILL) << f.out << f.err;
    ASSERT_GE(newest(run), before + saves * 100) << f.out << f.err;
  }

  /// Trains to `steps` without being disturbed.
  void finish(const std::string& run, std::int64_t steps) const {
    const Finished f = assay(train(run, steps, std::int64_t{1} << 40));
    ASSERT_EQ(f.code, 0) << f.err;
    EXPECT_EQ(f.err, "");
    ASSERT_EQ(newest(run), steps);
  }

  TemporaryFolder folder_;
};

TEST_F(KillTest, KilledRunGoesOnToTheSameBits) {
  run_and_kill("killed", 2);
  run_and_kill("killed", 1);
  const std::int64_t steps = newest("killed") + 321;
  const Finished f = assay(train("killed", steps, 100));
  ASSERT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr(fmt::format("at step {}\n", steps - 321)));
  finish("whole", steps);
  EXPECT_THAT(differences(tensors("whole"), tensors("killed")), ::testing::IsEmpty());
}

// What the comparison is worth: it must fail when one random counter is not restored.
TEST_F(KillTest, ACounterThatIsNotRestoredIsNoticed) {
  run_and_kill("killed", 1);
  const std::int64_t steps = newest("killed") + 200;
  fs::copy(path("killed"), path("forgetful"), fs::copy_options::recursive);
  const std::string prefix = train::find_checkpoints(checkpoints("forgetful")).at(0);
  std::vector<std::string> dropped;
  {
    const format::BundleReader reader(prefix);
    format::BundleWriter writer(prefix);
    for (const auto& [name, entry] : reader.entries()) {
      if (dropped.empty() && name.starts_with("_assay/random/loss/")) {
        dropped.push_back(name);
      } else {
        writer.add(name, reader.read(name));
      }
    }
    writer.finish();
  }
  ASSERT_EQ(dropped.size(), 1u);
  finish("killed", steps);
  finish("forgetful", steps);
  finish("whole", steps);
  EXPECT_THAT(differences(tensors("whole"), tensors("killed")), ::testing::IsEmpty());
  EXPECT_THAT(differences(tensors("whole"), tensors("forgetful")),
              ::testing::IsSupersetOf({std::string("embed_matrix"), dropped.front()}));
}

TEST_F(KillTest, ASecondProcessIsRefusedWhileTheFirstLives) {
  Process first(assay_command(train("run", std::int64_t{1} << 40, 100)));
  for (int i = 0; i < 6000 && newest("run") == 0; ++i) std::this_thread::sleep_for(5ms);
  ASSERT_GT(newest("run"), 0);
  const Finished second = assay(train("run", std::int64_t{1} << 40, 100));
  EXPECT_EQ(second.code, 1) << second.out;
  EXPECT_THAT(second.err, HasSubstr(fmt::format("process {} ", first.pid())));
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  EXPECT_THAT(second.err, HasSubstr(host));
  EXPECT_EQ(std::count(second.err.begin(), second.err.end(), '\n'), 1) << second.err;
  // What the killed one leaves locks nobody out.
  first.send(SIGKILL);
  first.finish();
  const std::int64_t steps = newest("run") + 5;
  EXPECT_EQ(assay(train("run", steps, 100)).code, 0);
}

TEST_F(KillTest, KillsWhileTheRunIsMadeLockNobodyOut) {
  // How long a process takes to make a run.
  const auto start = std::chrono::steady_clock::now();
  {
    Process process(assay_command(train("first", std::int64_t{1} << 40, 100)));
    while (!fs::exists(path("first") + "/run.json") &&
           std::chrono::steady_clock::now() - start < 10s) {
      std::this_thread::sleep_for(100us);
    }
    process.send(SIGKILL);
    process.finish();
  }
  const auto made = std::chrono::steady_clock::now() - start;
  std::mt19937 random(5);
  for (int kill = 0; kill < 15; ++kill) {
    const std::string run = fmt::format("run{}", kill);
    fs::create_directory(path(run));
    {
      Process process(assay_command(train(run, std::int64_t{1} << 40, 100)));
      std::this_thread::sleep_for(std::chrono::duration_cast<std::chrono::microseconds>(made) *
                                  (500 + static_cast<int>(random() % 700)) / 1000);
      process.send(SIGKILL);
      process.finish();
    }
    // What any such kill may leave, too.
    if (!fs::exists(path(run) + "/run.json")) {
      std::ofstream(path(run) + "/run.json.tmp12-0") << "{";
    }
    finish(run, newest(run) + 5);
    EXPECT_FALSE(fs::exists(path(run) + "/run.json.tmp12-0"));
  }
}

TEST_F(KillTest, TwoHundredKillsAtRandomMomentsEndInTheSameBits) {
#if defined(__SANITIZE_ADDRESS__) || defined(_GLIBCXX_TSAN)
  constexpr int kKills = 40;  // a process starts several times as slowly
#else
  constexpr int kKills = 200;
#endif
  std::mt19937 random(20260);
  // How long a process takes to its first checkpoint, on this machine and in this build.
  const auto start = std::chrono::steady_clock::now();
  run_and_kill("killed", 1);
  const auto first_save = std::chrono::steady_clock::now() - start;
  int starting = 0;
  int saving = 0;
  int training = 0;
  std::set<std::string> seen;
  const auto new_names = [&](const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (seen.insert(name).second) names.push_back(name);
    }
    return names;
  };
  new_names(path("killed"));
  new_names(checkpoints("killed"));
  for (int kill = 0; kill < kKills; ++kill) {
    // Saving takes most of the time, or stepping.
    const std::int64_t save_every = std::array{20, 500, 3000}[random() % 3];
    const auto delay = std::chrono::duration_cast<std::chrono::microseconds>(first_save) *
                       static_cast<int>(random() % 2000) / 1000;
    Process process(assay_command(train("killed", std::int64_t{1} << 40, save_every)));
    std::this_thread::sleep_for(delay);
    process.send(SIGKILL);
    const Finished f = process.finish();
    ASSERT_EQ(f.signal, SIGKILL) << "kill " << kill << "\n" << f.out << f.err;
    ASSERT_EQ(f.err, "") << "kill " << kill;
    // Where it was: an event file of its own is made before the first step; a save is under way
    // while its files are not yet in the state file.
    const bool started = !new_names(path("killed")).empty();
    const auto files = new_names(checkpoints("killed"));
    const auto latest = train::latest_checkpoint(checkpoints("killed"));
    const auto all = train::find_checkpoints(checkpoints("killed"));
    const bool half = std::any_of(files.begin(), files.end(), [](const std::string& name) {
      return name.find(".tmp") != std::string::npos;
    });
    if (!started) {
      ++starting;
    } else if (half || !latest || all.empty() || *latest != all.front()) {
      ++saving;
    } else {
      ++training;
    }
  }
  const std::int64_t last = newest("killed");
  fmt::print("{} kills: {} while starting, {} while saving, {} while training; step {}\n", kKills,
             starting, saving, training, last);
  EXPECT_GT(starting, 0);
  EXPECT_GT(saving, 0);
  EXPECT_GT(training, 0);
  EXPECT_GT(last, 1000);
  finish("killed", last + 321);
  finish("whole", last + 321);
  EXPECT_THAT(differences(tensors("whole"), tensors("killed")), ::testing::IsEmpty());
  // Nothing is left of what was half written.
  for (const auto& entry : fs::directory_iterator(checkpoints("killed"))) {
    EXPECT_EQ(entry.path().string().find(".tmp"), std::string::npos) << entry.path();
  }
  // The curve has each step once, with the same value.
  const auto whole = format::read_event_folder(path("whole"));
  const auto killed = format::read_event_folder(path("killed"));
  EXPECT_THAT(killed.problems(), ::testing::IsEmpty());
  const auto& expected = whole.series().at("summaries/loss").points;
  const auto& points = killed.series().at("summaries/loss").points;
  ASSERT_EQ(points.size(), expected.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    ASSERT_EQ(points[i].step, expected[i].step);
    ASSERT_EQ(points[i].scalar, expected[i].scalar) << "step " << points[i].step;
  }
}

}  // namespace
}  // namespace assay::testing
