#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <cmath>

#include "assay/base/file_system.h"
#include "assay/format/event_reader.h"
#include "assay/format/record_io.h"
#include "tests/cli/program.h"
#include "tests/cli/word2vec_runs.h"
#include "tests/support/paths.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class ReplayTest : public Word2vecRuns {
 protected:
  std::vector<std::string> replay(const std::string& run, std::vector<std::string> more) const {
    std::vector<std::string> all{"replay", path(run)};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  std::vector<std::string> event_files(const std::string& run) const {
    std::vector<std::string> all;
    for (const std::string& name : files_in(path(run))) {
      if (name.find("tfevents") != std::string::npos) all.push_back(path(run) + "/" + name);
    }
    return all;
  }

  /// Turns one byte of the event of a step, so that this one and those after it cannot be read.
  static void damage(const std::string& file, std::int64_t step) {
    std::uint64_t place = 0;
    {
      format::EventReader reader(file);
      proto::Event event;
      while (reader.next(event)) {
        if (event.step() == step && event.what_case() == proto::Event::kSummary) break;
        place = reader.offset();
      }
    }
    std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
    // After the record's length and its checksum.
    bytes.seekg(static_cast<std::streamoff>(place + 12 + 3));
    const char turned = static_cast<char>(bytes.get() ^ 0x10);
    bytes.seekp(static_cast<std::streamoff>(place + 12 + 3));
    bytes.put(turned);
  }

  /// Moves the recorded loss of a step by one bit.
  static void tamper(const std::string& file, std::int64_t step) {
    std::vector<proto::Event> events;
    {
      format::EventReader reader(file);
      proto::Event event;
      while (reader.next(event)) events.push_back(event);
    }
    fs::remove(file);
    format::RecordWriter writer(posix_file_system().open_write(file));
    for (proto::Event& event : events) {
      if (event.step() == step && event.what_case() == proto::Event::kSummary) {
        for (auto& value : *event.mutable_summary()->mutable_value()) {
          if (value.tag() == "summaries/loss") {
            value.set_simple_value(std::nextafter(value.simple_value(), 0.0F));
          }
        }
      }
      writer.write(event.SerializeAsString());
    }
    writer.close();
  }
};

TEST_F(ReplayTest, ARunIsTheSameOnAnyNumberOfThreads) {
  ASSERT_EQ(assay(train("run", {"--steps", "200", "--window", "2", "--summary-every", "1",
                                "--threads", "1"}))
                .code,
            0);
  const auto before = files_in(path("run"));
  const Finished f = assay(replay("run", {"--to", "200"}));
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_EQ(f.err, "");
  EXPECT_THAT(f.out, HasSubstr("from its beginning to step 200; 200 losses recorded"));
  EXPECT_THAT(f.out, HasSubstr("200 losses compared, to the bit the same"));
  for (const char* threads : {"1", "3", "8"}) {
    const Finished other = assay(replay("run", {"--to", "120", "--threads", threads}));
    EXPECT_EQ(other.code, 0) << other.out << other.err;
    EXPECT_THAT(other.out, HasSubstr("120 losses compared, to the bit the same"));
  }
  const Finished from = assay(replay("run", {"--from", "100"}));
  EXPECT_EQ(from.code, 0) << from.out << from.err;
  EXPECT_THAT(from.out, HasSubstr("from step 100 to step 200; 100 losses recorded"));
  const Finished beyond = assay(replay("run", {"--to", "1000"}));
  EXPECT_EQ(beyond.code, 0);
  EXPECT_THAT(beyond.out, HasSubstr("The recorded losses end at step 200"));
  EXPECT_THAT(beyond.out, HasSubstr("200 losses compared"));
  // Nothing was written.
  EXPECT_EQ(files_in(path("run")), before);
}

TEST_F(ReplayTest, TheFirstStepThatDiffersIsNamed) {
  ASSERT_EQ(assay(train("run", {"--steps", "60", "--summary-every", "1"})).code, 0);
  tamper(event_files("run").at(0), 37);
  tamper(event_files("run").at(0), 41);
  const Finished f = assay(replay("run", {"--to", "60"}));
  EXPECT_EQ(f.code, 1) << f.err;
  EXPECT_THAT(f.out, HasSubstr("The loss differs at step 37: recorded "));
  EXPECT_THAT(f.out, HasSubstr("36 losses compared before it, to the bit the same"));
  EXPECT_THAT(f.out, Not(HasSubstr("may have begun")));
  EXPECT_EQ(assay(replay("run", {"--to", "36"})).code, 0);
}

TEST_F(ReplayTest, StepsWithoutARecordedLossAreSaid) {
  ASSERT_EQ(assay(train("run", {"--steps", "100", "--summary-every", "20"})).code, 0);
  tamper(event_files("run").at(0), 60);
  const Finished f = assay(replay("run", {}));
  EXPECT_EQ(f.code, 1);
  EXPECT_THAT(f.out, HasSubstr("The loss differs at step 60"));
  EXPECT_THAT(f.out, HasSubstr("no loss is recorded of the steps 41 to 59"));
  EXPECT_THAT(f.out, HasSubstr("2 losses compared before it"));
  const Finished early = assay(replay("run", {"--to", "15"}));
  EXPECT_EQ(early.code, 2);
  expect_one_line(early);
  EXPECT_THAT(early.err,
              HasSubstr("no loss of the steps 1 to 15: those recorded are of 20 to 100"));
}

TEST_F(ReplayTest, ResumedAndForkedRuns) {
  ASSERT_EQ(assay(train("one", {"--steps", "40", "--summary-every", "1"})).code, 0);
  ASSERT_EQ(assay(train("one", {"--steps", "90", "--summary-every", "3"})).code, 0);
  EXPECT_EQ(event_files("one").size(), 2U);
  const Finished resumed = assay(replay("one", {}));
  EXPECT_EQ(resumed.code, 0) << resumed.out << resumed.err;
  // 1 to 40, then 42, 45, ..., 90.
  EXPECT_THAT(resumed.out, HasSubstr("57 losses compared, to the bit the same"));

  ASSERT_EQ(assay({"train", "--fork", path("one"), "--run", path("two"), "--reseed", "9", "--steps",
                   "130", "--summary-every", "1"})
                .code,
            0);
  ASSERT_EQ(
      assay({"train", "word2vec", "--run", path("two"), "--steps", "150", "--summary-every", "1"})
          .code,
      0);
  fs::remove_all(path("one"));
  const Finished forked = assay(replay("two", {"--threads", "3"}));
  EXPECT_EQ(forked.code, 0) << forked.out << forked.err;
  EXPECT_THAT(forked.out, HasSubstr("from step 90 to step 150; 60 losses recorded"));
  fs::remove(path("two/checkpoints/skip-gram-90.index"));
  const Finished gone = assay(replay("two", {}));
  EXPECT_EQ(gone.code, 2);
  expect_one_line(gone);
  EXPECT_THAT(gone.err, HasSubstr("was forked at step 90"));
}

TEST_F(ReplayTest, DamageThatHidesLossesIsNoSuccess) {
  ASSERT_EQ(assay(train("run", {"--steps", "60", "--summary-every", "1"})).code, 0);
  ASSERT_EQ(assay(train("run", {"--steps", "90", "--summary-every", "1"})).code, 0);
  fs::copy(path("run"), path("first"), fs::copy_options::recursive);
  damage(event_files("run").at(1), 81);
  for (const auto& more : {std::vector<std::string>{}, std::vector<std::string>{"--to", "85"}}) {
    const Finished f = assay(replay("run", more));
    EXPECT_EQ(f.code, 2) << f.out;
    EXPECT_EQ(f.out, "");
    expect_one_line(f);
    EXPECT_THAT(f.err, HasSubstr("cannot be compared after step 80, since "));
    EXPECT_THAT(f.err, HasSubstr("is damaged: wrong checksum"));
    EXPECT_THAT(f.err, HasSubstr("--to 80 compares what comes before it"));
  }
  const Finished before = assay(replay("run", {"--to", "80"}));
  EXPECT_EQ(before.code, 0) << before.err;
  EXPECT_THAT(before.out, HasSubstr("80 losses compared, to the bit the same"));
  EXPECT_THAT(before.err, HasSubstr("is damaged"));

  // A gap before the run was resumed; it matters from where it begins to where the run was resumed.
  damage(event_files("first").at(0), 41);
  EXPECT_EQ(assay(replay("first", {"--to", "40"})).code, 0);
  const Finished gap = assay(replay("first", {}));
  EXPECT_EQ(gap.code, 2) << gap.out;
  EXPECT_THAT(gap.err, HasSubstr("cannot be compared after step 40"));
  const Finished after = assay(replay("first", {"--from", "60"}));
  EXPECT_EQ(after.code, 0) << after.err;
  EXPECT_THAT(after.out, HasSubstr("30 losses compared"));

  // Nothing readable at all: the damage is said, not that nothing was recorded.
  ASSERT_EQ(assay(train("all", {"--steps", "5", "--summary-every", "1"})).code, 0);
  damage(event_files("all").at(0), 1);
  const Finished none = assay(replay("all", {}));
  EXPECT_EQ(none.code, 2);
  expect_one_line(none);
  EXPECT_THAT(none.err, HasSubstr("is damaged: wrong checksum"));
  EXPECT_THAT(none.err, Not(HasSubstr("--to")));
}

TEST_F(ReplayTest, StepZeroIsTheBeginning) {
  ASSERT_EQ(assay(train("run", {"--steps", "10", "--summary-every", "1"})).code, 0);
  const Finished f = assay(replay("run", {"--from", "0"}));
  EXPECT_EQ(f.code, 0) << f.err;
  EXPECT_THAT(f.out, HasSubstr("from its beginning to step 10"));
  ASSERT_EQ(assay({"train", "--fork", path("run"), "--run", path("fork"), "--steps", "12",
                   "--summary-every", "1"})
                .code,
            0);
  const Finished fork = assay(replay("fork", {"--from", "0"}));
  EXPECT_EQ(fork.code, 2);
  EXPECT_THAT(fork.err, HasSubstr("has no checkpoint of step 0"));
}

TEST_F(ReplayTest, AnInterruptedOneSaysSo) {
  ASSERT_EQ(assay(train("run", {"--steps", "20", "--summary-every", "1"})).code, 0);
  // A pipe: reading lasts until the test has sent the signal.
  fs::remove(path("text.txt"));
  ASSERT_EQ(::mkfifo(path("text.txt").c_str(), 0600), 0);
  Process run(assay_command(replay("run", {})));
  ASSERT_TRUE(run.wait_for("Reading"));
  run.send(SIGINT);
  std::ofstream(path("text.txt"), std::ios::binary) << text_;
  const Finished f = run.finish();
  EXPECT_EQ(f.code, 130) << f.out << f.err;
  EXPECT_THAT(f.out, HasSubstr("Stopped at step 0 of 20; no loss was compared yet\n"));
  EXPECT_THAT(f.out, Not(HasSubstr("to the bit the same")));
  EXPECT_THAT(assay({"replay", "--help"}).out, HasSubstr("130, it was interrupted"));
}

TEST_F(ReplayTest, AFullStandardOutputIsNoSuccess) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  ASSERT_EQ(assay(train("run", {"--steps", "10", "--summary-every", "1"})).code, 0);
  const auto into_full = [](const std::string& words) {
    return Process({"/bin/sh", "-c", "exec '" + assay_program() + "' " + words + " > /dev/full"})
        .finish();
  };
  const Finished f = into_full("replay '" + path("run") + "'");
  EXPECT_EQ(f.code, 2);
  expect_one_line(f);
  EXPECT_THAT(f.err, HasSubstr("cannot write to standard output: No space left"));
  for (const char* words : {"ops", "--version", "train --help"}) {
    const Finished other = into_full(words);
    EXPECT_EQ(other.code, 1) << words;
    expect_one_line(other);
  }
}

TEST_F(ReplayTest, WhatCannotBeComparedIsOneLineAndExitCode2) {
  ASSERT_EQ(assay(train("run", {"--steps", "20", "--summary-every", "1"})).code, 0);
  ASSERT_EQ(assay(train("silent", {"--steps", "20", "--summary-every", "0"})).code, 0);
  fs::create_directories(path("foreign"));
  std::ofstream(path("foreign") + "/run.json") << R"({"model":"lstm","parameters":{}})";
  const auto expect_error = [&](const std::vector<std::string>& command, const std::string& words) {
    const Finished f = assay(command);
    EXPECT_EQ(f.code, 2) << words;
    expect_one_line(f);
    EXPECT_THAT(f.err, HasSubstr(words));
  };
  expect_error(replay("nowhere", {}), "no such folder");
  expect_error(replay("foreign", {}), "'lstm'");
  expect_error(replay("silent", {}), "no 'summaries/loss'");
  expect_error(replay("run", {"--to", "0"}), "--to");
  expect_error(replay("run", {"--from", "7"}), "has no checkpoint of step 7");
  expect_error(replay("run", {"--threads", "0"}), "--threads");
  fs::copy(path("run"), path("bare"), fs::copy_options::recursive);
  for (const std::string& file : event_files("bare")) fs::remove(file);
  expect_error(replay("bare", {}), "no event files");

  // Another program's runs are said to be so; other data is refused.
  std::ifstream in(path("run/run.json"));
  std::string json((std::istreambuf_iterator<char>(in)), {});
  in.close();
  const auto at = json.find("\"version\": \"");
  ASSERT_NE(at, std::string::npos) << json;
  std::ofstream(path("run/run.json")) << json.insert(at + 12, "9.");
  const Finished other = assay(replay("run", {}));
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_THAT(other.out, HasSubstr("made by assay 9."));
  std::string words = text_;
  auto place = words.size() - 6;
  while (words.compare(place, 3, words, place + 3, 3) == 0) place -= 3;
  std::swap_ranges(words.begin() + static_cast<std::ptrdiff_t>(place),
                   words.begin() + static_cast<std::ptrdiff_t>(place + 3),
                   words.begin() + static_cast<std::ptrdiff_t>(place + 3));
  std::ofstream(path("text.txt"), std::ios::binary) << words;
  const Finished changed = assay(replay("run", {}));
  EXPECT_EQ(changed.code, 2);
  EXPECT_THAT(changed.err, HasSubstr("the text is not the one that"));
  std::ofstream(path("text.txt"), std::ios::app) << " aa";
  EXPECT_THAT(assay(replay("run", {})).err, HasSubstr("then 20000 words"));
  fs::remove(path("text.txt"));
  EXPECT_EQ(assay(replay("run", {})).code, 2);
}

}  // namespace
}  // namespace assay::testing
