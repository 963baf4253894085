#include "assay/train/run_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "assay/base/file_system.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::train {
namespace {

using assay::testing::error_of;
using assay::testing::TemporaryFolder;
using ::testing::HasSubstr;

RunInfo info() {
  return {.model = "word2vec",
          .parameters = {{"dim", std::int64_t{128}},
                         {"lr", 1.0},
                         {"text", std::vector<std::string>{"a.txt", "b.txt"}},
                         {"lower", true}}};
}

TEST(RunDir, IsReadBack) {
  TemporaryFolder folder;
  const std::string dir = folder / "new/run";
  EXPECT_FALSE(is_run_dir(dir));
  EXPECT_FALSE(open_run_dir(dir, info()));
  EXPECT_TRUE(is_run_dir(dir));
  EXPECT_TRUE(open_run_dir(dir, info()));
  const RunInfo read = read_run_info(dir);
  EXPECT_EQ(read.model, "word2vec");
  EXPECT_EQ(read.get<std::int64_t>("dim"), 128);
  EXPECT_EQ(read.get<double>("lr"), 1.0);
  EXPECT_EQ(read.get<double>("dim"), 128.0);
  EXPECT_TRUE(read.get<bool>("lower"));
  EXPECT_EQ(read.get<std::vector<std::string>>("text").size(), 2U);
  EXPECT_EQ(error_of([&] { read.get<bool>("dim"); }).code(), Code::kInvalidArgument);
  EXPECT_EQ(error_of([&] { read.get<bool>("none"); }).code(), Code::kNotFound);
}

TEST(RunDir, OtherParametersAreRefusedWithBothValues) {
  TemporaryFolder folder;
  const std::string dir = folder / "run";
  open_run_dir(dir, info());
  RunInfo other = info();
  other.parameters[1].second = 0.5;
  const Error e = error_of([&] { open_run_dir(dir, other); });
  EXPECT_EQ(e.code(), Code::kFailedPrecondition);
  EXPECT_THAT(e.what(), HasSubstr("lr: the run has 1, now 0.5"));
  EXPECT_THAT(e.what(), ::testing::Not(HasSubstr("dim")));
  other = info();
  other.model = "linear";
  EXPECT_THAT(error_of([&] { open_run_dir(dir, other); }).what(), HasSubstr("'word2vec'"));
}

TEST(RunDir, IsLockedByOneAtATime) {
  TemporaryFolder folder;
  const std::string dir = folder / "run";
  open_run_dir(dir, info());
  {
    const auto lock = lock_run_dir(dir);
    ASSERT_NE(lock, nullptr);
    const Error e = error_of([&] { lock_run_dir(dir); });
    EXPECT_EQ(e.code(), Code::kFailedPrecondition);
    EXPECT_THAT(e.message(), HasSubstr(fmt::format("process {} on ", ::getpid())));
  }
  EXPECT_NE(lock_run_dir(dir), nullptr);
}

TEST(RunDir, LeftoversOfKilledProcessesGo) {
  TemporaryFolder folder;
  const std::string dir = folder / "run";
  open_run_dir(dir, info());
  const std::string checkpoints = checkpoint_dir(dir);
  std::filesystem::create_directory(checkpoints);
  for (const char* name :
       {"m-1.index.tmp12-3", "m-20.data-00000-of-00001.tmp12-4", "m-1.meta.tmp1-1",
        "checkpoint.tmp1-1", "m-1.index", "notes.tmp", "x.tmp1-", "x.tmpa-1", "notes.tmp2024-1",
        "m-.index.tmp1-1", "m-1.txt.tmp1-1", "other-1.index.tmp1-1"}) {
    std::ofstream(checkpoints + "/" + name) << "x";
  }
  remove_leftovers(dir, "m");
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints)) {
    left.insert(entry.path().filename().string());
  }
  EXPECT_THAT(left, ::testing::ElementsAre("m-.index.tmp1-1", "m-1.index", "m-1.txt.tmp1-1",
                                           "notes.tmp", "notes.tmp2024-1", "other-1.index.tmp1-1",
                                           "x.tmp1-", "x.tmpa-1"));
}

TEST(RunDir, AKillWhileItIsMadeLocksNobodyOut) {
  TemporaryFolder folder;
  const std::string dir = folder / "run";
  std::filesystem::create_directory(dir);
  std::ofstream(dir + "/run.json.tmp12-0") << "{";
  std::ofstream(dir + "/run.lock") << "";
  EXPECT_FALSE(open_run_dir(dir, info()));
  EXPECT_TRUE(open_run_dir(dir, info()));
  EXPECT_FALSE(std::filesystem::exists(dir + "/run.json.tmp12-0"));
  const std::string other = folder / "other";
  std::filesystem::create_directory(other);
  std::ofstream(other + "/notes.tmp12-0") << "mine";
  EXPECT_EQ(error_of([&] { open_run_dir(other, info()); }).code(), Code::kFailedPrecondition);
  EXPECT_FALSE(std::filesystem::exists(other + "/run.lock"));
}

TEST(RunDir, IsTakenBeforeItIsWritten) {
  TemporaryFolder folder;
  const std::string dir = folder / "run";
  std::filesystem::create_directory(dir);
  {
    // Another process is about to make it a run.
    const auto lock = lock_run_dir(dir);
    ASSERT_NE(lock, nullptr);
    EXPECT_THAT(error_of([&] { enter_run_dir(dir, info()); }).message(),
                HasSubstr("another process is training"));
    EXPECT_EQ(error_of([&] { open_run_dir(dir, info()); }).code(), Code::kFailedPrecondition);
    EXPECT_FALSE(is_run_dir(dir));
  }
  const auto lock = enter_run_dir(dir, info());
  EXPECT_TRUE(is_run_dir(dir));
  EXPECT_EQ(error_of([&] { lock_run_dir(dir); }).code(), Code::kFailedPrecondition);
}

TEST(RunDir, OtherFoldersAreLeftAlone) {
  TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  EXPECT_EQ(error_of([&] { open_run_dir(folder / "file", info()); }).code(),
            Code::kInvalidArgument);
  const Error used = error_of([&] { open_run_dir(folder.path().string(), info()); });
  EXPECT_EQ(used.code(), Code::kFailedPrecondition);
  EXPECT_THAT(used.what(), HasSubstr("'file'"));
  EXPECT_EQ(error_of([&] { read_run_info(folder / "none"); }).code(), Code::kNotFound);
  std::filesystem::create_directory(folder / "damaged");
  std::ofstream(folder / "damaged/run.json") << "{\"model\": ";
  EXPECT_EQ(error_of([&] { read_run_info(folder / "damaged"); }).code(), Code::kDataLoss);
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "is not valid JSON (line 1, column 1)"},
      {"{\"model\": ", "is not valid JSON (line 1, column 11)"},
      {"{\n  \"model\": \"m\",\n  oops\n}\n", "is not valid JSON (line 3, column 3)"},
      {"[]", "no text \"model\""},
      {R"({"model": "m"})", "no object \"parameters\""},
      {R"({"model": "m", "parameters": {"dim": null}})", "its parameter \"dim\""},
      {R"({"model": "m", "parameters": {"text": ["a", 1]}})", "its parameter \"text\""}};
  for (const auto& [text, message] : cases) {
    std::ofstream(folder / "damaged/run.json") << text;
    const Error e = error_of([&] { read_run_info(folder / "damaged"); });
    EXPECT_EQ(e.code(), Code::kDataLoss);
    EXPECT_THAT(e.what(), HasSubstr(message));
    EXPECT_THAT(e.what(), ::testing::Not(HasSubstr("json.exception")));
  }
  std::ofstream(folder / "damaged/run.json") << "{\"model\": 3}";
  EXPECT_EQ(error_of([&] { open_run_dir(folder / "damaged", info()); }).code(), Code::kDataLoss);
}

}  // namespace
}  // namespace assay::train
