#include "assay/base/file_system.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "assay/base/fault_file_system.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

using testing::code_of;
using testing::error_of;
using testing::TemporaryFolder;

void put(const std::string& path, std::string_view bytes) {
  const auto file = posix_file_system().open_write(path);
  file->append(bytes);
  file->close();
}

TEST(FileSystem, WritesAndReads) {
  const TemporaryFolder folder;
  FileSystem& fs = posix_file_system();
  const std::string path = folder / "f";
  put(path, "hello world");
  EXPECT_EQ(read_file(fs, path), "hello world");
  const auto file = fs.open_read(path);
  char buffer[8];
  EXPECT_EQ(file->read_at(6, buffer, 8), 5U);
  EXPECT_EQ(std::string(buffer, 5), "world");
  EXPECT_EQ(file->read_at(100, buffer, 8), 0U);
  EXPECT_EQ(file->size(), 11U);
  const auto more = fs.open_write(path, WriteMode::kAppend);
  more->append("!");
  more->sync();
  more->close();
  EXPECT_EQ(read_file(fs, path), "hello world!");
  EXPECT_EQ(fs.stat(path)->size, 12U);
  EXPECT_FALSE(fs.stat(path)->is_directory);
  fs.rename(path, folder / "g");
  EXPECT_FALSE(fs.exists(path));
  EXPECT_EQ(fs.list(folder.path()), (std::vector<std::string>{"g"}));
  fs.remove(folder / "g");
  EXPECT_TRUE(fs.list(folder.path()).empty());
  fs.make_directories(folder / "a/b/c");
  fs.make_directories(folder / "a/b/c");
  EXPECT_TRUE(fs.is_directory(folder / "a/b/c"));
  fs.sync_directory(folder / "a");
  EXPECT_GT(fs.free_space(folder.path()), 0U);
}

TEST(FileSystem, ErrorsNameTheFileAndTheReason) {
  const TemporaryFolder folder;
  FileSystem& fs = posix_file_system();
  const Error missing = error_of([&] { fs.open_read(folder / "no"); });
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_EQ(missing.message(), "cannot read " + (folder / "no") + ": No such file or directory");
  EXPECT_EQ(code_of([&] { fs.open_read(folder.path()); }), Code::kFailedPrecondition);
  put(folder / "f", "x");
  EXPECT_EQ(code_of([&] { fs.make_directories(folder / "f"); }), Code::kFailedPrecondition);
  EXPECT_EQ(code_of([&] { fs.make_directories(folder / "f/g"); }), Code::kFailedPrecondition);
  EXPECT_EQ(code_of([&] { fs.open_write(folder / "f", WriteMode::kCreateNew); }),
            Code::kAlreadyExists);
  EXPECT_EQ(code_of([&] { fs.list(folder / "no"); }), Code::kNotFound);
  EXPECT_EQ(code_of([&] { fs.remove(folder / "no"); }), Code::kNotFound);
  EXPECT_EQ(code_of([&] { fs.rename(folder / "no", folder / "n"); }), Code::kNotFound);
  EXPECT_EQ(code_of([&] { read_file(fs, folder / "f", 0); }), Code::kResourceExhausted);
  EXPECT_FALSE(fs.stat(folder / "no"));
  EXPECT_FALSE(fs.stat(folder / "f/x"));
  EXPECT_EQ(error_of([&] {
              const auto full = fs.open_write("/dev/full");
              full->append("x");
            }).code(),
            Code::kResourceExhausted);
  if (::geteuid() != 0) {
    EXPECT_EQ(code_of([&] { fs.open_write("/proc/version"); }), Code::kPermissionDenied);
  }
}

TEST(FileSystem, Paths) {
  EXPECT_EQ(parent_directory("a/b/c"), "a/b");
  EXPECT_EQ(parent_directory("a/b/"), "a");
  EXPECT_EQ(parent_directory("c"), ".");
  EXPECT_EQ(parent_directory("/c"), "/");
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("a", "/b"), "/b");
  EXPECT_EQ(join_path("", "b"), "b");
}

/// Whatever step fails or is the last, the file holds the old or the new bytes, and a failure
/// leaves nothing else behind.
TEST(FileSystem, AtomicWriteSurvivesEveryFault) {
  const std::string old_bytes(1000, 'o');
  const std::string new_bytes(2000, 'n');
  int steps = 0;
  {
    const TemporaryFolder folder;
    FaultyFileSystem fs(posix_file_system());
    atomic_write_file(fs, folder / "f", new_bytes);
    steps = fs.steps();
    EXPECT_EQ(read_file(fs, folder / "f"), new_bytes);
  }
  EXPECT_EQ(steps, 6);  // open, append, sync, close, rename, sync the folder
  for (const auto fault : {FaultyFileSystem::Fault::kFail, FaultyFileSystem::Fault::kKill}) {
    for (int step = 0; step < steps; ++step) {
      const TemporaryFolder folder;
      put(folder / "f", old_bytes);
      FaultyFileSystem fs(posix_file_system());
      fs.set_fault(step, fault);
      const Error e = error_of([&] { atomic_write_file(fs, folder / "f", new_bytes); });
      EXPECT_EQ(e.code(), fault == FaultyFileSystem::Fault::kFail ? Code::kResourceExhausted
                                                                  : Code::kAborted);
      EXPECT_EQ(read_file(posix_file_system(), folder / "f"), step < 5 ? old_bytes : new_bytes);
      if (fault == FaultyFileSystem::Fault::kFail) {
        EXPECT_EQ(fs.list(folder.path()), (std::vector<std::string>{"f"})) << step;
      }
    }
  }
}

}  // namespace
}  // namespace assay
