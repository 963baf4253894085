#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "assay/graph/op_registry.h"
#include "assay/ops/dataset_common.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

// How many elements TensorFlow's "tuned" size (-1) stands for here.
constexpr std::int64_t kDefaultBuffer = 2;

constexpr const char* kError = "/error";

void save_error(IteratorState& state, const std::string& name, const std::exception_ptr& error) {
  Code code = Code::kUnknown;
  std::string message;
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    code = e.code();
    message = e.message();
  } catch (const std::exception& e) {
    message = e.what();
  }
  save_int(state, name + "/code", static_cast<std::int64_t>(code));
  save_text(state, name + kError, std::move(message));
}

std::exception_ptr restore_error(const IteratorState& state, const std::string& name) {
  const std::int64_t code = restore_int(state, name + "/code");
  const bool known = code > static_cast<std::int64_t>(Code::kOk) &&
                     code <= static_cast<std::int64_t>(Code::kDataLoss);
  return std::make_exception_ptr(
      Error(known ? static_cast<Code>(code) : Code::kUnknown, restore_text(state, name + kError)));
}

/// Elements of the input in its order, made ahead of time by a thread of its own.
class PrefetchDataset : public DatasetBase<PrefetchDataset> {
 public:
  PrefetchDataset(std::shared_ptr<const Dataset> input, std::int64_t buffer_size)
      : DatasetBase(input->output_types(), input->output_shapes()),
        input_(std::move(input)),
        buffer_size_(buffer_size < 0 ? kDefaultBuffer : buffer_size) {
    if (buffer_size < -1) invalid_argument("buffer_size must be at least -1, got {}", buffer_size);
  }

  std::shared_ptr<Dataset> at_place(Places& places) const override {
    return std::make_shared<PrefetchDataset>(places.of(input_), buffer_size_);
  }
  std::vector<const Dataset*> inputs() const override { return {input_.get()}; }
  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return buffer_size_ == 0 ? input_->make_iterator() : std::make_unique<Iterator>(self());
  }

 private:
  /// What the producer hands over: an element, the end, or an error to be thrown at its place.
  struct Made {
    std::vector<Tensor> element;
    std::exception_ptr error;
    bool end = false;
  };

  class Iterator : public IteratorOf<PrefetchDataset> {
   public:
    explicit Iterator(std::shared_ptr<const PrefetchDataset> owner)
        : IteratorOf(std::move(owner)), input_(dataset().input_->make_iterator()) {}
    ~Iterator() override { stop(); }

    bool next(std::vector<Tensor>& out) override {
      if (!producer_.joinable()) producer_ = std::thread([this] { produce(); });
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !made_.empty(); });
      if (made_.front().end) return false;  // stays in front for every later call
      Made made = std::move(made_.front());
      made_.pop_front();
      lock.unlock();
      changed_.notify_all();
      if (made.error != nullptr) std::rethrow_exception(made.error);
      out = std::move(made.element);
      return true;
    }

    void save(IteratorState& state, const std::string& prefix) const override {
      // The producer holds input_mutex_ while it makes and hands over one element, so with both
      // locks what is buffered and where the input stands fit together.
      std::lock_guard input_lock(input_mutex_);
      std::lock_guard lock(mutex_);
      save_dataset_counters(*dataset().input_, state);
      std::int64_t count = 0;
      for (const Made& made : made_) {
        if (made.end) break;
        const std::string name = prefix + "/buffer" + std::to_string(count++);
        if (made.error != nullptr) {
          // It is still to be thrown, at its place.
          save_error(state, name, made.error);
        } else {
          save_element(state, name, made.element);
        }
      }
      save_int(state, prefix + "/buffered", count);
      save_input(state, prefix + "/prefetch", ended_ ? nullptr : input_.get());
    }

    void restore(const IteratorState& state, const std::string& prefix) override {
      stop();
      made_.clear();
      const std::int64_t count = restore_count(state, prefix + "/buffered");
      for (std::int64_t i = 0; i < count; ++i) {
        const std::string name = prefix + "/buffer" + std::to_string(i);
        if (state.contains(name + kError)) {
          made_.push_back({{}, restore_error(state, name), false});
        } else {
          made_.push_back({restore_element(state, name, *dataset().input_), {}, false});
        }
      }
      input_ = restore_input(state, prefix + "/prefetch", *dataset().input_);
      ended_ = input_ == nullptr;
      if (ended_) made_.push_back({{}, {}, true});
      stopping_ = false;
    }

   private:
    void stop() {
      {
        std::lock_guard lock(mutex_);
        stopping_ = true;
      }
      changed_.notify_all();
      if (producer_.joinable()) producer_.join();
    }

    void produce() {
      while (true) {
        {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [&] {
            return stopping_ || (!ended_ && std::ssize(made_) < dataset().buffer_size_);
          });
          if (stopping_) return;
        }
        std::lock_guard input_lock(input_mutex_);
        Made made;
        try {
          made.end = !input_->next(made.element);
        } catch (...) {
          made.error = std::current_exception();
        }
        {
          std::lock_guard lock(mutex_);
          ended_ = made.end;
          made_.push_back(std::move(made));
        }
        changed_.notify_all();
      }
    }

    std::unique_ptr<DatasetIterator> input_;
    mutable std::mutex input_mutex_;  // taken before mutex_
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Made> made_;
    bool ended_ = false;
    bool stopping_ = false;
    std::thread producer_;
  };

  std::shared_ptr<const Dataset> input_;
  std::int64_t buffer_size_;
};

std::shared_ptr<Dataset> make_prefetch(KernelContext& ctx) {
  return std::make_shared<PrefetchDataset>(dataset_of(ctx.input(0)),
                                           scalar_input(ctx, 1, "buffer_size"));
}

}  // namespace

void register_dataset_prefetch(OpRegistry& registry) {
  registry.add({.name = "PrefetchDataset",
                .doc = "The input's elements, up to buffer_size of them made ahead of time.",
                .inputs = {"input_dataset: variant", "buffer_size: int64"},
                .outputs = {"handle: variant"},
                .attrs = {"output_types: list(type) >= 1", "output_shapes: list(shape) >= 1",
                          "slack_period: int = 0", "legacy_autotune: bool = true"},
                .shape = dataset_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, dataset_kernel<make_prefetch>}}});
}

}  // namespace assay
