#include "assay/base/file_system.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <tuple>

#include "assay/base/fault_file_system.h"
#include "assay/base/memory_file_system.h"
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
  EXPECT_TRUE(is_temporary_name(temporary_name("a.tmp/b")));
  for (const char* name : {"a", "a.tmp", "a.tmp1", "a.tmp1-", "a.tmp-1", "a.tmp1-2x", "tmp1-2"}) {
    EXPECT_FALSE(is_temporary_name(name)) << name;
  }
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

TEST(FileSystem, ASecondTakerOfALockIsToldOfTheFirst) {
  const TemporaryFolder folder;
  FileSystem& fs = posix_file_system();
  const std::string path = folder / "lock";
  auto lock = fs.lock_file(path);
  EXPECT_EQ(lock->path(), path);
  const Error e = error_of([&] { fs.lock_file(path); });
  EXPECT_EQ(e.code(), Code::kFailedPrecondition);
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  EXPECT_EQ(e.message(), fmt::format("{} is locked by process {} on {}", path, ::getpid(), host));
  lock.reset();
  lock = fs.lock_file(path);
  lock.reset();
  // What a holder that is gone wrote, however long, is replaced.
  put(path, std::string(5000, '\x01'));
  lock = fs.lock_file(path);
  EXPECT_EQ(read_file(fs, path), fmt::format("process {} on {}\n", ::getpid(), host));
  EXPECT_EQ(code_of([&] { fs.lock_file(folder / "no/lock"); }), Code::kNotFound);
}

TEST(FileSystem, ALockEndsWithItsProcess) {
  const TemporaryFolder folder;
  FileSystem& fs = posix_file_system();
  const std::string path = folder / "lock";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto lock = fs.lock_file(path);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  ::close(ready[1]);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const Error e = error_of([&] { fs.lock_file(path); });
  EXPECT_EQ(e.code(), Code::kFailedPrecondition);
  EXPECT_NE(e.message().find(fmt::format("process {} on ", child)), std::string::npos)
      << e.message();
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_NE(fs.lock_file(path), nullptr);
  ::close(ready[0]);
}

/// The system may write less than it was given: the rest follows. A limit on the size of files
/// makes it do so: the first write ends at the limit, the next fails.
TEST(FileSystem, ShortWritesGoOn) {
  const TemporaryFolder folder;
  FileSystem& fs = posix_file_system();
  const std::string bytes(100000, 'x');
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit limit = old_limit;
  limit.rlim_cur = 60000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const Error e = error_of([&] {
    const auto file = fs.open_write(folder / "f");
    file->append(bytes);
  });
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(e.code(), Code::kResourceExhausted);
  EXPECT_EQ(e.message(), "cannot write " + (folder / "f") + ": File too large");
  EXPECT_EQ(fs.stat(folder / "f")->size, 60000U);
}

TEST(FileSystem, WritebackMayBeStartedAnywhere) {
  const TemporaryFolder folder;
  FileSystem& fs = posix_file_system();
  put(folder / "f", "old ");
  const auto file = fs.open_write(folder / "f", WriteMode::kAppend);
  file->start_writeback();
  file->append("and ");
  file->start_writeback();
  file->append("new");
  file->sync();
  file->close();
  EXPECT_EQ(read_file(fs, folder / "f"), "old and new");
  const auto null = fs.open_write("/dev/null");
  null->append("x");
  null->start_writeback();
  null->sync();
}

TEST(FileSystem, FreeSpaceIsAskedForPlainly) {
  const TemporaryFolder folder;
  FaultyFileSystem fs(posix_file_system());
  require_free_space(fs, folder.path(), 1);
  fs.set_free_space(999);
  require_free_space(fs, folder.path(), 999);
  const Error e = error_of([&] { require_free_space(fs, folder.path(), 1000); });
  EXPECT_EQ(e.code(), Code::kResourceExhausted);
  EXPECT_NE(e.message().find("1000 bytes are needed, 999 are free"), std::string::npos);
}

/// Each kind of failure, at each step: told as the system tells it, and without effect.
TEST(FaultyFileSystem, FailsAsTheSystemDoes) {
  const struct {
    int number;
    Code code;
    const char* reason;
  } kinds[] = {{EIO, Code::kUnavailable, "Input/output error"},
               {ENOSPC, Code::kResourceExhausted, "No space left on device"},
               {EROFS, Code::kPermissionDenied, "Read-only file system"},
               {EMFILE, Code::kResourceExhausted, "Too many open files"}};
  const auto work = [](FileSystem& fs, const std::string& folder) {
    fs.make_directories(folder + "/d");
    const auto file = fs.open_write(folder + "/d/f");
    file->append("0123456789");
    file->sync();
    file->close();
    fs.rename(folder + "/d/f", folder + "/d/g");
    fs.sync_directory(folder + "/d");
    fs.lock_file(folder + "/d/lock");
    fs.list(folder + "/d");
    char c = 0;
    fs.open_read(folder + "/d/g")->read_at(0, &c, 1);
    fs.remove(folder + "/d/g");
  };
  int steps = 0;
  {
    const TemporaryFolder folder;
    FaultyFileSystem fs(posix_file_system());
    fs.count_reads(true);
    work(fs, folder.path());
    steps = fs.steps();
    EXPECT_EQ(steps, 12);
    fs.clear();
    fs.count_reads(false);
    work(fs, folder.path());
    EXPECT_EQ(fs.steps(), 9);
  }
  for (const auto& kind : kinds) {
    for (int step = 0; step < steps; ++step) {
      const TemporaryFolder folder;
      FaultyFileSystem fs(posix_file_system());
      fs.count_reads(true);
      fs.set_fault(step, FaultyFileSystem::Fault::kFail, kind.number);
      const Error e = error_of([&] { work(fs, folder.path()); });
      EXPECT_EQ(e.code(), kind.code);
      EXPECT_NE(e.message().find(folder.path().string() + "/d"), std::string::npos) << e.message();
      EXPECT_TRUE(e.message().ends_with(kind.reason)) << e.message();
      EXPECT_EQ(fs.steps(), step + 1);
      // Only that step: the work can be done again.
      work(fs, folder.path());
    }
  }
}

TEST(FaultyFileSystem, AppendsInParts) {
  using Fault = FaultyFileSystem::Fault;
  for (const auto& [fault, left, code] :
       {std::tuple(Fault::kFail, "", Code::kResourceExhausted),
        std::tuple(Fault::kShortWrite, "01234", Code::kResourceExhausted),
        std::tuple(Fault::kKill, "01234", Code::kAborted)}) {
    const TemporaryFolder folder;
    FaultyFileSystem fs(posix_file_system());
    fs.set_fault(1, fault);
    const auto file = fs.open_write(folder / "f");
    EXPECT_EQ(code_of([&] { file->append("0123456789"); }), code);
    EXPECT_EQ(read_file(fs, folder / "f"), left);
    EXPECT_EQ(code_of([&] { file->append("more"); }), fault == Fault::kKill ? code : Code::kOk);
    EXPECT_EQ(code_of([&] { fs.remove(folder / "f"); }), fault == Fault::kKill ? code : Code::kOk);
    EXPECT_EQ(fs.exists(folder / "f"), fault == Fault::kKill);
  }
}

TEST(MemoryFileSystem, IsLikeADisk) {
  MemoryFileSystem fs;
  fs.make_directories("/a/b");
  atomic_write_file(fs, "/a/b/f", "one");
  EXPECT_EQ(read_file(fs, "/a/b/f"), "one");
  EXPECT_EQ(fs.list("/a"), (std::vector<std::string>{"b"}));
  EXPECT_EQ(fs.list("/a/b"), (std::vector<std::string>{"f"}));
  EXPECT_EQ(fs.stat("/a/b/f")->size, 3U);
  EXPECT_EQ(code_of([&] { fs.open_read("/a/b"); }), Code::kFailedPrecondition);
  EXPECT_EQ(code_of([&] { fs.open_read("/a/c"); }), Code::kNotFound);
  EXPECT_EQ(code_of([&] { fs.open_write("/x/c"); }), Code::kNotFound);
  EXPECT_EQ(code_of([&] { fs.open_write("/a/b/f", WriteMode::kCreateNew); }), Code::kAlreadyExists);
  EXPECT_EQ(code_of([&] { fs.make_directories("/a/b/f/g"); }), Code::kFailedPrecondition);
  {
    const auto lock = fs.lock_file("/a/lock");
    EXPECT_EQ(code_of([&] { fs.lock_file("/a/lock"); }), Code::kFailedPrecondition);
  }
  fs.lock_file("/a/lock");
  fs.remove("/a/lock");
  EXPECT_FALSE(fs.exists("/a/lock"));
}

TEST(MemoryFileSystem, ForgetsWhatWasNotSynced) {
  for (const bool lose_names : {false, true}) {
    MemoryFileSystem fs;
    fs.make_directories("/d");
    atomic_write_file(fs, "/d/f", "one");
    const auto file = fs.open_write("/d/f", WriteMode::kAppend);
    file->append(" two");
    fs.rename("/d/f", "/d/g");
    atomic_write_file(fs, "h", "another folder");
    fs.cut_power(lose_names);
    EXPECT_EQ(fs.exists("/d/f"), lose_names);
    EXPECT_EQ(read_file(fs, lose_names ? "/d/f" : "/d/g"), "one");
    EXPECT_EQ(read_file(fs, "h"), "another folder");
  }
}

}  // namespace
}  // namespace assay
