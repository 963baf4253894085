#include "assay/base/memory_file_system.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace assay {

struct MemoryFileSystem::Inode {
  std::mutex mutex;
  std::string bytes;    // guarded by mutex
  std::string durable;  // guarded by mutex: `bytes` when it was last synced
};

class MemoryFileSystem::Reading : public ReadableFile {
 public:
  Reading(std::shared_ptr<Inode> inode, std::string path)
      : inode_(std::move(inode)), path_(std::move(path)) {}

  std::size_t read_at(std::uint64_t offset, char* out, std::size_t n) const override {
    const std::lock_guard lock(inode_->mutex);
    const std::string& bytes = inode_->bytes;
    if (offset >= bytes.size()) return 0;
    n = std::min<std::size_t>(n, bytes.size() - offset);
    std::memcpy(out, bytes.data() + offset, n);
    return n;
  }
  std::uint64_t size() const override {
    const std::lock_guard lock(inode_->mutex);
    return inode_->bytes.size();
  }
  const std::string& path() const override { return path_; }

 private:
  std::shared_ptr<Inode> inode_;
  std::string path_;
};

class MemoryFileSystem::Writing : public WritableFile {
 public:
  Writing(std::shared_ptr<Inode> inode, std::string path)
      : inode_(std::move(inode)), path_(std::move(path)) {}

  void append(std::string_view bytes) override {
    const std::lock_guard lock(inode_->mutex);
    inode_->bytes.append(bytes);
  }
  void sync() override {
    const std::lock_guard lock(inode_->mutex);
    inode_->durable = inode_->bytes;
  }
  void close() override {}
  const std::string& path() const override { return path_; }

 private:
  std::shared_ptr<Inode> inode_;
  std::string path_;
};

class MemoryFileSystem::Lock : public FileLock {
 public:
  Lock(MemoryFileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  ~Lock() override {
    const std::lock_guard lock(fs_.mutex_);
    fs_.locks_.erase(path_);
  }
  const std::string& path() const override { return path_; }

 private:
  MemoryFileSystem& fs_;
  std::string path_;
};

MemoryFileSystem::MemoryFileSystem() = default;
MemoryFileSystem::~MemoryFileSystem() = default;

void MemoryFileSystem::cut_power(bool lose_names) {
  const std::lock_guard lock(mutex_);
  if (lose_names) {
    files_ = durable_files_;
  } else {
    durable_files_ = files_;
  }
  for (const auto& [path, inode] : files_) {
    const std::lock_guard inode_lock(inode->mutex);
    inode->bytes = inode->durable;
  }
}

std::shared_ptr<MemoryFileSystem::Inode> MemoryFileSystem::find(const std::string& path,
                                                                std::string_view action) {
  const auto it = files_.find(path);
  if (it == files_.end()) fail_errno(folders_.contains(path) ? EISDIR : ENOENT, action, path);
  return it->second;
}

void MemoryFileSystem::check_folder(const std::string& path, std::string_view action) {
  if (!folders_.contains(path)) fail_errno(files_.contains(path) ? ENOTDIR : ENOENT, action, path);
}

std::unique_ptr<ReadableFile> MemoryFileSystem::open_read(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return std::make_unique<Reading>(find(path, "read"), path);
}

std::unique_ptr<WritableFile> MemoryFileSystem::open_write(const std::string& path,
                                                           WriteMode mode) {
  const std::lock_guard lock(mutex_);
  check_folder(parent_directory(path), "write");
  if (folders_.contains(path)) fail_errno(EISDIR, "write", path);
  auto& inode = files_[path];
  if (inode == nullptr) {
    inode = std::make_shared<Inode>();
  } else if (mode == WriteMode::kCreateNew) {
    fail_errno(EEXIST, "write", path);
  } else if (mode == WriteMode::kTruncate) {
    const std::lock_guard inode_lock(inode->mutex);
    inode->bytes.clear();
  }
  return std::make_unique<Writing>(inode, path);
}

void MemoryFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const std::string action = fmt::format("rename {} to", from);
  auto inode = find(from, action);
  check_folder(parent_directory(to), action);
  if (folders_.contains(to)) fail_errno(EISDIR, action, to);
  files_.erase(from);
  files_[to] = std::move(inode);
}

void MemoryFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  find(path, "remove");
  files_.erase(path);
}

void MemoryFileSystem::make_directories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  for (std::string folder = path; !folders_.contains(folder); folder = parent_directory(folder)) {
    if (files_.contains(folder)) fail_errno(ENOTDIR, "make the folder", path);
    folders_.insert(folder);
  }
}

std::vector<std::string> MemoryFileSystem::list(const std::string& path) {
  const std::lock_guard lock(mutex_);
  check_folder(path, "list the folder");
  std::vector<std::string> names;
  const auto add = [&](const std::string& entry) {
    if (entry != path && parent_directory(entry) == path) {
      names.push_back(entry.substr(entry.rfind('/') + 1));
    }
  };
  for (const auto& [name, inode] : files_) add(name);
  for (const std::string& name : folders_) {
    if (name != "." && name != "/") add(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<FileInfo> MemoryFileSystem::stat(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (folders_.contains(path)) return FileInfo{.is_directory = true};
  const auto it = files_.find(path);
  if (it == files_.end()) return std::nullopt;
  const std::lock_guard inode_lock(it->second->mutex);
  return FileInfo{.size = it->second->bytes.size()};
}

void MemoryFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  check_folder(path, "sync the folder");
  const auto inside = [&](const auto& entry) { return parent_directory(entry.first) == path; };
  std::erase_if(durable_files_, inside);
  for (const auto& entry : files_) {
    if (inside(entry)) durable_files_.insert(entry);
  }
}

std::uint64_t MemoryFileSystem::free_space(const std::string& path) {
  const std::lock_guard lock(mutex_);
  check_folder(path, "ask the free space of");
  return std::uint64_t{1} << 40;
}

std::unique_ptr<FileLock> MemoryFileSystem::lock_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  check_folder(parent_directory(path), "lock");
  if (!locks_.insert(path).second) {
    fail(Code::kFailedPrecondition, "{} is locked by process {} on this host", path, ::getpid());
  }
  files_.try_emplace(path, std::make_shared<Inode>());
  return std::make_unique<Lock>(*this, path);
}

}  // namespace assay
