#include "assay/base/fault_file_system.h"

namespace assay {

class FaultyFileSystem::File : public WritableFile {
 public:
  File(FaultyFileSystem& fs, std::unique_ptr<WritableFile> base)
      : fs_(fs), base_(std::move(base)) {}

  void append(std::string_view bytes) override {
    fs_.step(fmt::format("append {} {}", path(), bytes.size()),
             [&] { base_->append(bytes.substr(0, bytes.size() / 2)); });
    base_->append(bytes);
  }
  void sync() override {
    fs_.step("sync " + path());
    base_->sync();
  }
  void close() override {
    fs_.step("close " + path());
    base_->close();
  }
  const std::string& path() const override { return base_->path(); }

 private:
  FaultyFileSystem& fs_;
  std::unique_ptr<WritableFile> base_;
};

void FaultyFileSystem::step(const std::string& what, const std::function<void()>& half) {
  const std::lock_guard lock(mutex_);
  if (killed_) fail(Code::kAborted, "killed before: {}", what);
  log_.push_back(what);
  if (fault_step_ != steps_++) return;
  if (half) half();
  if (fault_ == Fault::kKill) {
    killed_ = true;
    fail(Code::kAborted, "killed in: {}", what);
  }
  fail(code_, "injected fault in: {}", what);
}

void FaultyFileSystem::set_fault(int step, Fault fault, Code code) {
  const std::lock_guard lock(mutex_);
  fault_step_ = step;
  fault_ = fault;
  code_ = code;
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

int FaultyFileSystem::steps() const {
  const std::lock_guard lock(mutex_);
  return steps_;
}

std::vector<std::string> FaultyFileSystem::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

std::unique_ptr<ReadableFile> FaultyFileSystem::open_read(const std::string& path) {
  return base_.open_read(path);
}

std::unique_ptr<WritableFile> FaultyFileSystem::open_write(const std::string& path,
                                                           WriteMode mode) {
  step("open " + path);
  return std::make_unique<File>(*this, base_.open_write(path, mode));
}

void FaultyFileSystem::rename(const std::string& from, const std::string& to) {
  step(fmt::format("rename {} {}", from, to));
  base_.rename(from, to);
}

void FaultyFileSystem::remove(const std::string& path) {
  step("remove " + path);
  base_.remove(path);
}

void FaultyFileSystem::make_directories(const std::string& path) {
  step("mkdir " + path);
  base_.make_directories(path);
}

void FaultyFileSystem::sync_directory(const std::string& path) {
  step("syncdir " + path);
  base_.sync_directory(path);
}

}  // namespace assay
