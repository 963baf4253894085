#pragma once

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
/// writing, append, sync, close, rename, remove, make_directories, sync_directory. A kill or a
/// failure in an append leaves half of the bytes written. Thread-safe.
class FaultyFileSystem : public FileSystem {
 public:
  enum class Fault {
    kFail,  ///< that step alone throws Error of the given code
    kKill,  ///< that step and every later change throw Aborted and do nothing
  };

  explicit FaultyFileSystem(FileSystem& base) : base_(base) {}

  /// The step (counted from 0) at which it happens. Starts the count anew.
  void set_fault(int step, Fault fault, Code code = Code::kResourceExhausted);
  /// No fault any more; starts the count anew.
  void clear();
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
  std::vector<std::string> list(const std::string& path) override { return base_.list(path); }
  std::optional<FileInfo> stat(const std::string& path) override { return base_.stat(path); }
  void sync_directory(const std::string& path) override;
  std::uint64_t free_space(const std::string& path) override { return base_.free_space(path); }

 private:
  class File;
  /// Counts a step; when it is the chosen one, calls `half` (if any) and throws.
  void step(const std::string& what, const std::function<void()>& half = {});

  FileSystem& base_;
  mutable std::mutex mutex_;
  int steps_ = 0;
  std::optional<int> fault_step_;
  Fault fault_ = Fault::kFail;
  Code code_ = Code::kResourceExhausted;
  bool killed_ = false;
  std::vector<std::string> log_;
};

}  // namespace assay
