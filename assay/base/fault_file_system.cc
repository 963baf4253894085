#include "assay/base/fault_file_system.h"

namespace assay {

class FaultyFileSystem::Reading : public ReadableFile {
 public:
  Reading(FaultyFileSystem& fs, std::unique_ptr<ReadableFile> base)
      : fs_(fs), base_(std::move(base)) {}

  std::size_t read_at(std::uint64_t offset, char* out, std::size_t n) const override {
    fs_.read_step(fmt::format("read {} {} {}", path(), offset, n), "read", path());
    return base_->read_at(offset, out, n);
  }
  std::uint64_t size() const override { return base_->size(); }
  const std::string& path() const override { return base_->path(); }

 private:
  FaultyFileSystem& fs_;
  std::unique_ptr<ReadableFile> base_;
};

class FaultyFileSystem::Writing : public WritableFile {
 public:
  Writing(FaultyFileSystem& fs, std::unique_ptr<WritableFile> base)
      : fs_(fs), base_(std::move(base)) {}

  void append(std::string_view bytes) override {
    fs_.step(fmt::format("append {} {}", path(), bytes.size()), "write", path(),
             [&] { base_->append(bytes.substr(0, bytes.size() / 2)); });
    base_->append(bytes);
  }
  void start_writeback() override { base_->start_writeback(); }
  void sync() override {
    fs_.step("sync " + path(), "write", path());
    base_->sync();
  }
  void close() override {
    fs_.step("close " + path(), "close", path());
    base_->close();
  }
  const std::string& path() const override { return base_->path(); }

 private:
  FaultyFileSystem& fs_;
  std::unique_ptr<WritableFile> base_;
};

void FaultyFileSystem::step(const std::string& what, std::string_view action,
                            const std::string& path, const std::function<void()>& half) {
  const std::lock_guard lock(mutex_);
  if (killed_) fail(Code::kAborted, "killed before: {}", what);
  log_.push_back(what);
  if (fault_step_ != steps_++) return;
  if (half && fault_ != Fault::kFail) half();
  if (fault_ == Fault::kKill) {
    killed_ = true;
    fail(Code::kAborted, "killed in: {}", what);
  }
  fail_errno(error_number_, action, path);
}

void FaultyFileSystem::read_step(const std::string& what, std::string_view action,
                                 const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (!count_reads_) return;
  }
  step(what, action, path);
}

void FaultyFileSystem::set_fault(int step, Fault fault, int error_number) {
  const std::lock_guard lock(mutex_);
  fault_step_ = step;
  fault_ = fault;
  error_number_ = error_number;
  killed_ = false;
  steps_ = 0;
  log_.clear();
}

void FaultyFileSystem::clear() {
  const std::lock_guard lock(mutex_);
  fault_step_.reset();
  killed_ = false;
  steps_ = 0;
  log_.clear();
}

void FaultyFileSystem::count_reads(bool count) {
  const std::lock_guard lock(mutex_);
  count_reads_ = count;
}

void FaultyFileSystem::set_free_space(std::optional<std::uint64_t> bytes) {
  const std::lock_guard lock(mutex_);
  free_space_ = bytes;
}

int FaultyFileSystem::steps() const {
  const std::lock_guard lock(mutex_);
  return steps_;
}

std::vector<std::string> FaultyFileSystem::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

std::unique_ptr<ReadableFile> FaultyFileSystem::open_read(const std::string& path) {
  read_step("open for reading " + path, "read", path);
  return std::make_unique<Reading>(*this, base_.open_read(path));
}

std::unique_ptr<WritableFile> FaultyFileSystem::open_write(const std::string& path,
                                                           WriteMode mode) {
  step("open " + path, "write", path);
  return std::make_unique<Writing>(*this, base_.open_write(path, mode));
}

void FaultyFileSystem::rename(const std::string& from, const std::string& to) {
  step(fmt::format("rename {} {}", from, to), fmt::format("rename {} to", from), to);
  base_.rename(from, to);
}

void FaultyFileSystem::remove(const std::string& path) {
  step("remove " + path, "remove", path);
  base_.remove(path);
}

void FaultyFileSystem::make_directories(const std::string& path) {
  step("mkdir " + path, "make the folder", path);
  base_.make_directories(path);
}

std::vector<std::string> FaultyFileSystem::list(const std::string& path) {
  read_step("list " + path, "list the folder", path);
  return base_.list(path);
}

void FaultyFileSystem::sync_directory(const std::string& path) {
  step("syncdir " + path, "sync the folder", path);
  base_.sync_directory(path);
}

std::uint64_t FaultyFileSystem::free_space(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (free_space_) return *free_space_;
  }
  return base_.free_space(path);
}

std::unique_ptr<FileLock> FaultyFileSystem::lock_file(const std::string& path) {
  step("lock " + path, "lock", path);
  return base_.lock_file(path);
}

}  // namespace assay
