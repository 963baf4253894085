#pragma once

#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "assay/base/file_system.h"

namespace assay {

/// For tests: a file system that lets another do the work, and at a chosen step fails, or stops
/// as if the process had been killed there. Steps are the calls that change something: opening for
/// writing, append, sync, close, rename, remove, make_directories, sync_directory, lock_file; with
/// count_reads() also opening for reading, read_at and list. Thread-safe.
class FaultyFileSystem : public FileSystem {
 public:
  /// What goes wrong at the chosen step.
  enum class Fault {
    kFail,        ///< that step alone does nothing and fails
    kShortWrite,  ///< the same, but an append fails after half of its bytes are written
    kKill,        ///< that step and all later ones throw Aborted and do nothing; an append writes
                  ///< half of its bytes first
  };

  /// `base` does the work and must outlive this.
  explicit FaultyFileSystem(FileSystem& base) : base_(base) {}

  /// The step (counted from 0) at which it happens, and the errno that a failure reports: EIO,
  /// ENOSPC, EROFS, EMFILE, ... Starts the count anew.
  void set_fault(int step, Fault fault, int error_number = ENOSPC);
  /// No fault any more; starts the count anew.
  void clear();
  /// Whether the calls that only read are steps too; they are not at first.
  void count_reads(bool count);
  /// What free_space() answers from now on; nullopt: the truth.
  void set_free_space(std::optional<std::uint64_t> bytes);
  /// Steps done since the last set_fault() or clear().
  int steps() const;
  /// What was done, one line a step, such as "rename a b".
  std::vector<std::string> log() const;

  std::unique_ptr<ReadableFile> open_read(const std::string& path) override;
  std::unique_ptr<WritableFile> open_write(const std::string& path,
                                           WriteMode mode = WriteMode::kTruncate) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void make_directories(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  std::optional<FileInfo> stat(const std::string& path) override { return base_.stat(path); }
  void sync_directory(const std::string& path) override;
  std::uint64_t free_space(const std::string& path) override;
  std::unique_ptr<FileLock> lock_file(const std::string& path) override;

 private:
  class Reading;
  class Writing;
  /// Counts a step. When it is the chosen one, calls `half` (if any) and throws; the message is
  /// that of the system call: "cannot {action} {path}: ...".
  void step(const std::string& what, std::string_view action, const std::string& path,
            const std::function<void()>& half = {});
  void read_step(const std::string& what, std::string_view action, const std::string& path);

  FileSystem& base_;
  mutable std::mutex mutex_;
  // All guarded by mutex_.
  int steps_ = 0;
  std::optional<int> fault_step_;
  Fault fault_ = Fault::kFail;
  int error_number_ = ENOSPC;
  bool killed_ = false;
  bool count_reads_ = false;
  std::optional<std::uint64_t> free_space_;
  std::vector<std::string> log_;
};

}  // namespace assay
