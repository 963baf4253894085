#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "assay/base/file_system.h"
#include "assay/format/event_reader.h"
#include "assay/format/record_io.h"
#include "tests/cli/program.h"
#include "tests/cli/word2vec_runs.h"

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
