#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "assay/base/file_system.h"

namespace assay {

namespace {

/// Linux reads and writes at most about 2^31 bytes a call.
constexpr std::size_t kMaxPiece = std::size_t{1} << 30;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

class PosixReadableFile : public ReadableFile {
 public:
  PosixReadableFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  std::size_t read_at(std::uint64_t offset, char* out, std::size_t n) const override {
    std::size_t done = 0;
    while (done < n) {
      const ssize_t got = ::pread(fd_.get(), out + done, std::min(n - done, kMaxPiece),
                                  static_cast<off_t>(offset + done));
      if (got < 0) {
        if (errno == EINTR) continue;
        // A pipe has no places: it can only be read from its beginning on.
        if (errno == ESPIPE) return done + read_on(out + done, n - done);
        fail_errno(errno, "read", path_);
      }
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  std::uint64_t size() const override {
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) fail_errno(errno, "look at", path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

  const std::string& path() const override { return path_; }

 private:
  std::size_t read_on(char* out, std::size_t n) const {
    std::size_t done = 0;
    while (done < n) {
      const ssize_t got = ::read(fd_.get(), out + done, std::min(n - done, kMaxPiece));
      if (got < 0) {
        if (errno == EINTR) continue;
        fail_errno(errno, "read", path_);
      }
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  Descriptor fd_;
  std::string path_;
};

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(int fd, off_t start, std::string path)
      : fd_(fd), start_(start), path_(std::move(path)) {}

  void append(std::string_view bytes) override {
    ASSAY_CHECK(fd_.get() >= 0);
    while (!bytes.empty()) {
      const ssize_t put = ::write(fd_.get(), bytes.data(), std::min(bytes.size(), kMaxPiece));
      if (put < 0) {
        if (errno == EINTR) continue;
        fail_errno(errno, "write", path_);
      }
      // Nothing taken and no reason given: going on would never end.
      if (put == 0) fail_errno(EIO, "write", path_);
      written_ += static_cast<off_t>(put);
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
  }

  void start_writeback() override {
    ASSAY_CHECK(fd_.get() >= 0);
    const off_t begin = std::exchange(writeback_, written_);
    if (begin < written_) {
      ::sync_file_range(fd_.get(), start_ + begin, written_ - begin, SYNC_FILE_RANGE_WRITE);
    }
  }

  void sync() override {
    ASSAY_CHECK(fd_.get() >= 0);
    if (::fsync(fd_.get()) == 0) return;
    const int error = errno;
    // A pipe or a device that has nothing to be synced says EINVAL or EROFS. Of a file EROFS would
    // mean that its file system has given up.
    struct stat info {};
    const bool file = ::fstat(fd_.get(), &info) != 0 || S_ISREG(info.st_mode);
    if (file || (error != EINVAL && error != EROFS)) fail_errno(error, "write", path_);
  }

  void close() override {
    ASSAY_CHECK(fd_.get() >= 0);
    // Even on EINTR Linux has closed it.
    if (::close(fd_.release()) != 0 && errno != EINTR) fail_errno(errno, "close", path_);
  }

  const std::string& path() const override { return path_; }

 private:
  Descriptor fd_;
  off_t start_;          // the file's size when it was opened
  off_t written_ = 0;    // since then
  off_t writeback_ = 0;  // of those, asked to be put on the disk
  std::string path_;
};

/// What the holder wrote into its lock file: "process 12 on host".
std::string holder_of(int fd) {
  char text[512];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  std::string_view holder(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  holder = holder.substr(0, holder.find('\n'));
  const bool readable = std::all_of(holder.begin(), holder.end(),
                                    [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  return holder.empty() || !readable ? "another process" : std::string(holder);
}

class PosixFileLock : public FileLock {
 public:
  explicit PosixFileLock(const std::string& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)), path_(path) {
    if (fd_.get() < 0) fail_errno(errno, "lock", path);
    while (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      switch (errno) {
        case EINTR:
          continue;
        case EWOULDBLOCK:
          fail(Code::kFailedPrecondition, "{} is locked by {}", path, holder_of(fd_.get()));
        case EINVAL:
        case ENOSYS:
        case EOPNOTSUPP:
          fail(Code::kUnimplemented, "cannot lock {}: its file system knows no locks", path);
        default:
          fail_errno(errno, "lock", path);
      }
    }
    char host[256] = {};
    if (::gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
    const std::string text =
        fmt::format("process {} on {}\n", ::getpid(), host[0] == '\0' ? "this host" : host);
    if (::ftruncate(fd_.get(), 0) != 0 ||
        ::pwrite(fd_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
      fail_errno(errno, "write", path);
    }
  }

  const std::string& path() const override { return path_; }

 private:
  // Closing it ends the lock. The file stays: removing it would let two others, one of which had
  // it open already, hold "the" lock.
  Descriptor fd_;
  std::string path_;
};

class PosixFileSystem : public FileSystem {
 public:
  std::unique_ptr<ReadableFile> open_read(const std::string& path) override {
    const int fd = open_retrying(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail_errno(errno, "read", path);
    auto file = std::make_unique<PosixReadableFile>(fd, path);
    struct stat info {};
    if (::fstat(fd, &info) != 0) fail_errno(errno, "read", path);
    if (S_ISDIR(info.st_mode)) fail(Code::kFailedPrecondition, "{} is a folder, not a file", path);
    return file;
  }

  std::unique_ptr<WritableFile> open_write(const std::string& path, WriteMode mode) override {
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
    if (mode == WriteMode::kTruncate) flags |= O_TRUNC;
    if (mode == WriteMode::kAppend) flags |= O_APPEND;
    if (mode == WriteMode::kCreateNew) flags |= O_EXCL;
    const int fd = open_retrying(path, flags);
    if (fd < 0) fail_errno(errno, "write", path);
    struct stat info {};
    const off_t start = mode == WriteMode::kAppend && ::fstat(fd, &info) == 0 ? info.st_size : 0;
    return std::make_unique<PosixWritableFile>(fd, start, path);
  }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      fail_errno(errno, fmt::format("rename {} to", from), to);
    }
  }

  void remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0) fail_errno(errno, "remove", path);
  }

  void make_directories(const std::string& path) override {
    if (path.empty() || path == "/" || path == ".") return;
    int error = make_directory(path);
    if (error == ENOENT) {
      make_directories(parent_directory(path));
      error = make_directory(path);
    }
    if (error == 0) return;
    if (error == EEXIST) {
      if (is_directory(path)) return;
      fail(Code::kFailedPrecondition, "cannot make the folder {}: there is a file of that name",
           path);
    }
    fail_errno(error, "make the folder", path);
  }

  std::vector<std::string> list(const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
    if (!folder) fail_errno(errno, "list the folder", path);
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(folder.get());
      if (entry == nullptr) {
        if (errno != 0) fail_errno(errno, "list the folder", path);
        break;
      }
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::optional<FileInfo> stat(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
      fail_errno(errno, "look at", path);
    }
    return FileInfo{
        .is_directory = S_ISDIR(info.st_mode),
        .size = static_cast<std::uint64_t>(info.st_size),
        .modified_ns = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
  }

  void sync_directory(const std::string& path) override {
    const Descriptor fd(open_retrying(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) fail_errno(errno, "open the folder", path);
    // Some network file systems cannot sync a folder and say EINVAL; there is no more to do then.
    if (::fsync(fd.get()) != 0 && errno != EINVAL) fail_errno(errno, "sync the folder", path);
  }

  std::uint64_t free_space(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) fail_errno(errno, "ask the free space of", path);
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }

  std::unique_ptr<FileLock> lock_file(const std::string& path) override {
    return std::make_unique<PosixFileLock>(path);
  }

 private:
  /// Makes one folder that a power cut does not take away; returns the error's number, or 0.
  int make_directory(const std::string& path) {
    if (::mkdir(path.c_str(), 0777) != 0) return errno;
    sync_directory(parent_directory(path));
    return 0;
  }

  static int open_retrying(const std::string& path, int flags) {
    while (true) {
      const int fd = ::open(path.c_str(), flags, 0666);
      if (fd >= 0 || errno != EINTR) return fd;
    }
  }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem fs;
  return fs;
}

}  // namespace assay
