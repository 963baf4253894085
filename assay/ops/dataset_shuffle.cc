#include <atomic>
#include <mutex>

#include "assay/base/philox.h"
#include "assay/device/random_state.h"
#include "assay/graph/op_registry.h"
#include "assay/ops/dataset_common.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// The words of TensorFlow's PhiloxRandom(seed, seed2), one at a time, counted so that a place in
/// the stream can be saved.
class Words {
 public:
  Words(std::int64_t seed, std::int64_t seed2) { reset(seed, seed2, 0); }

  void reset(std::int64_t seed, std::int64_t seed2, std::int64_t taken) {
    Philox generator(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(seed2));
    generator.skip(static_cast<std::uint64_t>(taken) / 4);
    stream_ = PhiloxStream(generator);
    for (std::int64_t i = 0; i < taken % 4; ++i) stream_.next32();
    taken_ = static_cast<std::uint64_t>(taken);
  }
  std::uint32_t next() {
    ++taken_;
    return stream_.next32();
  }
  std::int64_t taken() const { return static_cast<std::int64_t>(taken_); }

 private:
  PhiloxStream stream_{Philox()};
  std::uint64_t taken_ = 0;
};

/// Draws each element at random from a buffer that the input fills: TensorFlow's algorithm, so
/// equal seeds give TensorFlow's order.
class ShuffleDataset : public DatasetBase<ShuffleDataset> {
 public:
  ShuffleDataset(std::shared_ptr<const Dataset> input, std::int64_t buffer_size, std::int64_t seed,
                 std::int64_t seed2, bool reshuffle)
      : DatasetBase(input->output_types(), input->output_shapes()),
        input_(std::move(input)),
        buffer_size_(buffer_size),
        reshuffle_(reshuffle),
        seed_(seed),
        seed2_(seed2),
        seeds_(seed, seed2) {
    if (buffer_size < 1)
      invalid_argument("buffer_size must be greater than 0, got {}", buffer_size);
  }

  std::shared_ptr<Dataset> at_place(Places& places) const override {
    auto input = places.of(input_);
    std::lock_guard lock(mutex_);
    return std::make_shared<ShuffleDataset>(std::move(input), buffer_size_, seed_, seed2_,
                                            reshuffle_);
  }
  std::unique_ptr<DatasetIterator> make_iterator() const override {
    std::lock_guard lock(mutex_);
    std::int64_t seed = seed_;
    std::int64_t seed2 = seed2_;
    if (reshuffle_) {
      // Each pass has seeds of its own, taken from the stream of the dataset at this place.
      seed = seeds_.next();
      seed2 = seeds_.next();
    }
    return std::make_unique<Iterator>(self(), seed, seed2);
  }
  std::vector<const Dataset*> inputs() const override { return {input_.get()}; }
  void save_counters(IteratorState& state, const std::string& prefix) const override {
    std::lock_guard lock(mutex_);
    save_int(state, prefix + "/seed", seed_);
    save_int(state, prefix + "/seed2", seed2_);
    save_int(state, prefix + "/drawn", seeds_.taken());
    save_int(state, prefix + "/elements", elements_.load());
  }
  void restore_counters(const IteratorState& state, const std::string& prefix) const override {
    if (asks_for_new_streams(state)) return;
    const std::string place = saved_place(state, prefix, "/seed");
    std::lock_guard lock(mutex_);
    seed_ = restore_int(state, place + "/seed");
    seed2_ = restore_int(state, place + "/seed2");
    seeds_.reset(seed_, seed2_, restore_count(state, place + "/drawn"));
    // Checkpoints of earlier versions do not have it.
    const std::string elements = place + "/elements";
    if (state.contains(elements)) elements_ = restore_count(state, elements);
  }

 private:
  class Iterator : public IteratorOf<ShuffleDataset> {
   public:
    Iterator(std::shared_ptr<const ShuffleDataset> owner, std::int64_t seed, std::int64_t seed2)
        : IteratorOf(std::move(owner)),
          input_(dataset().input_->make_iterator()),
          seed_(seed),
          seed2_(seed2),
          words_(seed, seed2) {}

    bool next(std::vector<Tensor>& out) override {
      while (input_ != nullptr && std::ssize(buffer_) - first_ < dataset().buffer_size_) {
        std::vector<Tensor> element;
        if (!input_->next(element)) {
          input_ = nullptr;
        } else if (first_ > 0) {
          // The oldest place of the ring is free: the last element drawn left it.
          rotate_in(std::move(element));
        } else {
          buffer_.push_back(std::move(element));
        }
      }
      const std::int64_t held = std::ssize(buffer_) - first_;
      if (held == 0) return false;
      dataset().elements_.fetch_add(1, std::memory_order_relaxed);
      const std::int64_t offset = static_cast<std::int64_t>(words_.next()) % held;
      std::vector<Tensor>& chosen = at(start_ + offset);
      out = std::move(chosen);
      if (offset != 0) chosen = std::move(at(start_));
      at(start_).clear();
      ++start_;
      ++first_;
      return true;
    }

    void save(IteratorState& state, const std::string& prefix) const override {
      const std::int64_t held = std::ssize(buffer_) - first_;
      save_int(state, prefix + "/seed", seed_);
      save_int(state, prefix + "/seed2", seed2_);
      save_int(state, prefix + "/drawn", words_.taken());
      save_int(state, prefix + "/held", held);
      for (std::int64_t i = 0; i < held; ++i) {
        save_element(state, prefix + "/buffer" + std::to_string(i), at(start_ + i));
      }
      save_input(state, prefix + "/shuffle", input_.get());
    }

    void restore(const IteratorState& state, const std::string& prefix) override {
      if (!asks_for_new_streams(state)) {
        seed_ = restore_int(state, prefix + "/seed");
        seed2_ = restore_int(state, prefix + "/seed2");
        words_.reset(seed_, seed2_, restore_count(state, prefix + "/drawn"));
      }
      const std::int64_t held = restore_count(state, prefix + "/held");
      buffer_.clear();
      for (std::int64_t i = 0; i < held; ++i) {
        buffer_.push_back(
            restore_element(state, prefix + "/buffer" + std::to_string(i), *dataset().input_));
      }
      start_ = 0;
      first_ = 0;
      input_ = restore_input(state, prefix + "/shuffle", *dataset().input_);
    }

   private:
    std::vector<Tensor>& at(std::int64_t i) {
      return buffer_[static_cast<std::size_t>(i % std::ssize(buffer_))];
    }
    const std::vector<Tensor>& at(std::int64_t i) const {
      return buffer_[static_cast<std::size_t>(i % std::ssize(buffer_))];
    }
    void rotate_in(std::vector<Tensor> element) {
      // The ring holds [start_, start_ + held); the place after its end is the free one.
      at(start_ + std::ssize(buffer_) - first_) = std::move(element);
      --first_;
    }

    std::unique_ptr<DatasetIterator> input_;
    std::int64_t seed_;
    std::int64_t seed2_;
    Words words_;
    std::vector<std::vector<Tensor>> buffer_;  // a ring
    std::int64_t start_ = 0;                   // where its oldest element is
    std::int64_t first_ = 0;                   // how many of its places are free
  };

  std::shared_ptr<const Dataset> input_;
  std::int64_t buffer_size_;
  bool reshuffle_;
  // Passes may be started by a thread of a prefetch.
  mutable std::mutex mutex_;
  mutable std::int64_t seed_;
  mutable std::int64_t seed2_;
  mutable Words seeds_;
  mutable std::atomic<std::int64_t> elements_{0};  // drawn in all passes, for people to see
};

class ShuffleKernel : public DatasetKernel {
 public:
  explicit ShuffleKernel(const KernelInit& init)
      : DatasetKernel(init),
        resources_(*init.resources),
        node_(init.node.name()),
        reshuffle_(init.attr_or<bool>("reshuffle_each_iteration", true)) {}

 private:
  std::shared_ptr<Dataset> make(KernelContext& ctx) override {
    std::int64_t seed = scalar_input(ctx, 2, "seed");
    std::int64_t seed2 = scalar_input(ctx, 3, "seed2");
    if (seed == 0 && seed2 == 0) {
      // Fresh ones whenever the dataset is made, from the node's unseeded stream.
      PhiloxStream fresh(unseeded_random_state(resources_, node_)->philox().reserve_blocks(1));
      seed = static_cast<std::int64_t>(fresh.next64());
      seed2 = static_cast<std::int64_t>(fresh.next64());
    }
    return std::make_shared<ShuffleDataset>(
        dataset_of(ctx.input(0)), scalar_input(ctx, 1, "buffer_size"), seed, seed2, reshuffle_);
  }

  ResourceStore& resources_;
  std::string node_;
  bool reshuffle_;
};

}  // namespace

void register_dataset_shuffle(OpRegistry& registry) {
  registry.add(
      {.name = "ShuffleDataset",
       .doc = "The input's elements, each drawn at random from the next buffer_size ones.",
       .inputs = {"input_dataset: variant", "buffer_size: int64", "seed: int64", "seed2: int64"},
       .outputs = {"handle: variant"},
       .attrs = {"reshuffle_each_iteration: bool = true", "output_types: list(type) >= 1",
                 "output_shapes: list(shape) >= 1"},
       .shape = dataset_shape,
       .not_differentiable = true,
       .kernels = {{DType::kInvalid, make_kernel<ShuffleKernel>}}});
}

}  // namespace assay
