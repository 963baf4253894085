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
  for (const char* name : {"m-1.index.tmp12-3", "m-1.index", "notes.tmp", "x.tmp1-", "x.tmpa-1"}) {
    std::ofstream(checkpoints + "/" + name) << "x";
  }
  remove_leftovers(dir);
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints)) {
    left.insert(entry.path().filename().string());
  }
  EXPECT_THAT(left, ::testing::ElementsAre("m-1.index", "notes.tmp", "x.tmp1-", "x.tmpa-1"));
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
  std::ofstream(folder / "damaged/run.json") << "{\"model\": 3}";
  EXPECT_EQ(error_of([&] { open_run_dir(folder / "damaged", info()); }).code(), Code::kDataLoss);
}

}  // namespace
}  // namespace assay::train
