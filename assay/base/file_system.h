#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "assay/base/error.h"

namespace assay {

/// A file open for reading at any place. Thread-safe: reads do not move a position.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  /// Reads up to `n` bytes at `offset` into `out`; returns how many, fewer only at the end.
  virtual std::size_t read_at(std::uint64_t offset, char* out, std::size_t n) const = 0;
  /// The size now, in bytes: another program may still be writing.
  virtual std::uint64_t size() const = 0;
  virtual const std::string& path() const = 0;
};

/// A file open for writing at its end. Every append goes to the operating system at once, so
/// callers with small pieces collect them first. Destroying it closes it, errors unseen.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  /// All of `bytes`, behind what is there. After an error some of them may be written.
  virtual void append(std::string_view bytes) = 0;
  /// Asks the system to begin putting on the disk what was appended, and returns at once: a later
  /// sync() then has less to wait for. Promises nothing and never fails.
  virtual void start_writeback() {}
  /// Returns when the bytes are on the disk.
  virtual void sync() = 0;
  /// No other call may follow.
  virtual void close() = 0;
  virtual const std::string& path() const = 0;
};

/// A lock that this process holds on a file, until it is destroyed or the process ends, however it
/// ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
  virtual const std::string& path() const = 0;
};

/// What stat() tells of a file or folder; `size` in bytes.
struct FileInfo {
  bool is_directory = false;
  std::uint64_t size = 0;
  /// Last change, nanoseconds since 1970.
  std::int64_t modified_ns = 0;
};

/// What open_write() does with a file that is there.
enum class WriteMode {
  kTruncate,   ///< an existing file loses its content
  kAppend,     ///< an existing file grows
  kCreateNew,  ///< an existing file is an error, AlreadyExists
};

/// Files and folders, as an interface so that tests can make any step fail. Failures throw Error
/// with the path and the system's reason: NotFound, PermissionDenied, AlreadyExists,
/// ResourceExhausted (disk full, too many files), FailedPrecondition (a file where a folder is
/// needed, or the other way round), Unavailable otherwise. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  /// Throws NotFound when there is no such file.
  virtual std::unique_ptr<ReadableFile> open_read(const std::string& path) = 0;
  /// Makes the file when it is not there; the folder must be.
  virtual std::unique_ptr<WritableFile> open_write(const std::string& path,
                                                   WriteMode mode = WriteMode::kTruncate) = 0;
  /// Replaces `to` in one step, if it exists.
  virtual void rename(const std::string& from, const std::string& to) = 0;
  /// Removes one file; NotFound when there is none.
  virtual void remove(const std::string& path) = 0;
  /// Makes the folder and those above it; no error when it exists.
  virtual void make_directories(const std::string& path) = 0;
  /// Names (not paths) in a folder, sorted, without "." and "..".
  virtual std::vector<std::string> list(const std::string& path) = 0;
  /// nullopt when there is nothing at `path`.
  virtual std::optional<FileInfo> stat(const std::string& path) = 0;
  /// Makes renames and new files in the folder survive a power cut.
  virtual void sync_directory(const std::string& path) = 0;
  /// Bytes that may still be written where `path` (a folder) lies.
  virtual std::uint64_t free_space(const std::string& path) = 0;
  /// Takes a lock that all who ask for it by this path respect, within this process too, and makes
  /// the file if need be; it stays there, with the holder's pid and host in it. Throws
  /// FailedPrecondition that names the first holder when it is taken, Unimplemented where the
  /// disk's file system knows no locks.
  virtual std::unique_ptr<FileLock> lock_file(const std::string& path) = 0;

  /// Anything at all at `path`, a folder too.
  bool exists(const std::string& path) { return stat(path).has_value(); }
  bool is_directory(const std::string& path) {
    const auto info = stat(path);
    return info && info->is_directory;
  }
};

/// The machine's own files.
FileSystem& posix_file_system();

/// The whole file; throws ResourceExhausted when it is longer than `max_bytes`.
std::string read_file(FileSystem& fs, const std::string& path,
                      std::uint64_t max_bytes = std::uint64_t{1} << 34);

/// Writes a file that is there whole or not at all: a temporary name beside it, fsync, rename,
/// fsync of the folder. On failure the temporary file is removed and an older `path` is kept.
void atomic_write_file(FileSystem& fs, const std::string& path, std::string_view bytes);

/// Asks whether `bytes` more can be written in the folder; throws ResourceExhausted with the bytes
/// needed and free. What others write meanwhile may still fill the disk.
void require_free_space(FileSystem& fs, const std::string& folder, std::uint64_t bytes);

/// A name beside `path` that no other file has: `path` + ".tmp" + process + counter.
std::string temporary_name(const std::string& path);

/// True when a name or path is one that temporary_name() makes: where nobody writes any more, such
/// a file was left by a process that was killed.
bool is_temporary_name(std::string_view path);

/// The folder of a path: "a/b" of "a/b/c", "." of "c", "/" of "/c".
std::string parent_directory(std::string_view path);

/// "a/b"; `name` alone when it is absolute or `folder` is empty.
std::string join_path(std::string_view folder, std::string_view name);

/// Throws the Error for a system call's errno: "cannot {action} {path}: {reason}".
[[noreturn]] void fail_errno(int error_number, std::string_view action, std::string_view path);

}  // namespace assay
