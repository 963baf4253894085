#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "assay/base/file_system.h"

namespace assay {

/// Files that live in memory, for tests: quick, and able to forget, as a power cut does, what was
/// not synced. Thread-safe.
class MemoryFileSystem : public FileSystem {
 public:
  /// Begins without files.
  MemoryFileSystem();
  ~MemoryFileSystem() override;

  /// Loses the bytes of files that were not synced since. `lose_names`: new names, renames and
  /// removals in folders that were not synced since are undone too; a disk may do either.
  void cut_power(bool lose_names);

  std::unique_ptr<ReadableFile> open_read(const std::string& path) override;
  std::unique_ptr<WritableFile> open_write(const std::string& path,
                                           WriteMode mode = WriteMode::kTruncate) override;
  void rename(const std::string& from, const std::string& to) override;
  /// Files only.
  void remove(const std::string& path) override;
  void make_directories(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  std::optional<FileInfo> stat(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::uint64_t free_space(const std::string& path) override;
  std::unique_ptr<FileLock> lock_file(const std::string& path) override;

 private:
  struct Inode;
  class Reading;
  class Writing;
  class Lock;
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  std::shared_ptr<Inode> find(const std::string& path, std::string_view action);
  void check_folder(const std::string& path, std::string_view action);

  std::mutex mutex_;
  // All guarded by mutex_.
  Names files_;
  Names durable_files_;  // as the folders were when they were last synced
  std::set<std::string> folders_{".", "/"};
  std::set<std::string> locks_;
};

}  // namespace assay
