#include "assay/summary/file_writer.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/format/event_writer.h"
#include "assay/format/proto/event.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/graph_def.h"

namespace assay::summary {

namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

/// The queue between the callers and the writing thread. The thread alone touches the file.
class FileWriter::Impl {
 public:
  Impl(std::string logdir, FileWriterOptions options)
      : logdir_(std::move(logdir)), options_(std::move(options)) {
    open();
  }

  ~Impl() {
    try {
      close();
    } catch (const Error& e) {
      log_warning("the event file '{}' is not complete: {}", path_, e.message());
    }
  }

  void open() {
    file_ = std::make_unique<format::EventWriter>(
        logdir_, format::EventWriterOptions{.filename_suffix = options_.filename_suffix});
    path_ = file_->path();
    stopping_ = false;
    closed_ = false;
    reported_ = false;
    error_ = nullptr;
    thread_ = std::thread([this] { work(); });
  }

  /// Hands an event over. `raw_summary` is parsed by the thread.
  void push(proto::Event event, std::string raw_summary = {}) {
    std::unique_lock lock(mutex_);
    rethrow();
    if (closed_) {
      fail(Code::kFailedPrecondition, "the event writer of '{}' is closed", path_);
    }
    queue_.push_back({std::move(event), std::move(raw_summary)});
    ++added_;
    wake_.notify_one();
  }

  void flush() {
    std::unique_lock lock(mutex_);
    rethrow();
    if (closed_) return;
    flush_wanted_ = true;
    const std::int64_t all = added_;
    wake_.notify_one();
    done_.wait(lock, [&] { return flushed_ >= all || error_ != nullptr; });
    rethrow();
  }

  void close() {
    if (!thread_.joinable()) return;
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      stopping_ = true;
      wake_.notify_one();
    }
    thread_.join();
    std::lock_guard lock(mutex_);
    if (error_ == nullptr) {
      try {
        file_->close();
      } catch (...) {
        error_ = std::current_exception();
      }
    }
    file_.reset();
    rethrow();
  }

  void reopen() {
    if (!thread_.joinable()) open();
  }

  const std::string& logdir() const { return logdir_; }
  std::string path() const { return path_; }
  std::uint64_t bytes() {
    std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  struct Item {
    proto::Event event;
    std::string raw_summary;
  };

  /// REQUIRES: mutex_ held. An error is reported once.
  void rethrow() {
    if (error_ != nullptr && !reported_) {
      reported_ = true;
      std::rethrow_exception(error_);
    }
  }

  void work() {
    const auto flush_every = std::chrono::duration<double>(options_.flush_secs);
    auto last_flush = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (true) {
      const auto ready = [&] { return stopping_ || flush_wanted_ || !queue_.empty(); };
      if (flushed_ < written_) {
        wake_.wait_until(lock,
                         std::chrono::time_point_cast<std::chrono::steady_clock::duration>(
                             last_flush + flush_every),
                         ready);
      } else {
        wake_.wait(lock, ready);
      }
      std::deque<Item> items;
      items.swap(queue_);
      const bool flush_now = flush_wanted_ || stopping_ ||
                             std::chrono::steady_clock::now() - last_flush >= flush_every;
      const bool stop = stopping_;
      flush_wanted_ = false;
      const std::int64_t all = added_;
      lock.unlock();
      std::exception_ptr failed;
      std::uint64_t bytes = 0;
      try {
        for (Item& item : items) write(item);
        if (flush_now) {
          file_->flush();
          bytes = file_->bytes();
        }
      } catch (...) {
        failed = std::current_exception();
      }
      lock.lock();
      written_ = all;
      if (flush_now) {
        flushed_ = all;
        bytes_ = bytes;
        last_flush = std::chrono::steady_clock::now();
      }
      if (failed != nullptr) {
        error_ = failed;
        closed_ = true;
      }
      done_.notify_all();
      if (stop || failed != nullptr) return;
    }
  }

  void write(Item& item) {
    if (!item.raw_summary.empty()) {
      proto::Summary& summary = *item.event.mutable_summary();
      format::parse_binary(item.raw_summary, summary, "summary");
      // The first value of a tag carries its metadata for all later ones.
      for (proto::Summary::Value& value : *summary.mutable_value()) {
        if (value.has_metadata() && !seen_tags_.insert(value.tag()).second) value.clear_metadata();
      }
    }
    file_->write(item.event);
  }

  const std::string logdir_;
  const FileWriterOptions options_;
  std::string path_;
  std::unique_ptr<format::EventWriter> file_;
  std::set<std::string> seen_tags_;  // the thread's
  std::thread thread_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::deque<Item> queue_;
  std::int64_t added_ = 0;
  std::int64_t written_ = 0;
  std::int64_t flushed_ = 0;
  std::uint64_t bytes_ = 0;  // of the file at the last flush
  bool flush_wanted_ = false;
  bool stopping_ = false;
  bool closed_ = true;
  bool reported_ = false;
  std::exception_ptr error_;
};

namespace {

proto::Event new_event(std::optional<std::int64_t> step) {
  proto::Event event;
  event.set_wall_time(now_seconds());
  if (step) event.set_step(*step);
  return event;
}

}  // namespace

FileWriter::FileWriter(const std::string& logdir, const FileWriterOptions& options)
    : impl_(std::make_unique<Impl>(logdir, options)) {
  if (options.graph != nullptr) add_graph(*options.graph);
}

FileWriter::~FileWriter() = default;

void FileWriter::add_summary(const Tensor& summary, std::optional<std::int64_t> global_step) {
  if (summary.dtype() != string || summary.num_elements() != 1) {
    invalid_argument("a summary is one string, the bytes of a Summary; got {}{}",
                     dtype_name(summary.dtype()), summary.shape().str());
  }
  add_summary(std::string_view(summary.data<std::string>()[0]), global_step);
}

void FileWriter::add_summary(std::string_view summary, std::optional<std::int64_t> global_step) {
  proto::Event event = new_event(global_step);
  event.mutable_summary();
  impl_->push(std::move(event), std::string(summary));
}

void FileWriter::add_graph(const Graph& graph, std::optional<std::int64_t> global_step) {
  proto::Event event = new_event(global_step);
  event.set_graph_def(format::to_binary(to_graph_def(graph, {.add_shapes = true})));
  impl_->push(std::move(event));
}

void FileWriter::add_meta_graph(std::string meta_graph_def,
                                std::optional<std::int64_t> global_step) {
  proto::Event event = new_event(global_step);
  event.set_meta_graph_def(std::move(meta_graph_def));
  impl_->push(std::move(event));
}

void FileWriter::add_session_log(SessionStatus status, std::optional<std::int64_t> global_step,
                                 const std::string& checkpoint_path, const std::string& message) {
  proto::Event event = new_event(global_step);
  proto::SessionLog& log = *event.mutable_session_log();
  log.set_status(static_cast<proto::SessionLog::SessionStatus>(status));
  log.set_checkpoint_path(checkpoint_path);
  log.set_msg(message);
  impl_->push(std::move(event));
}

void FileWriter::add_event(const proto::Event& event) {
  impl_->push(event);
}

void FileWriter::flush() {
  impl_->flush();
}

void FileWriter::close() {
  impl_->close();
}

void FileWriter::reopen() {
  impl_->reopen();
}

std::uint64_t FileWriter::bytes() const {
  return impl_->bytes();
}

const std::string& FileWriter::logdir() const {
  return impl_->logdir();
}

std::string FileWriter::path() const {
  return impl_->path();
}

}  // namespace assay::summary
