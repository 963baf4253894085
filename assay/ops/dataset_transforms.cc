#include <array>

#include "assay/graph/op_registry.h"
#include "assay/ops/dataset_common.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// A dataset made from one other and a count.
template <typename Self>
class CountedDataset : public DatasetBase<Self> {
 public:
  CountedDataset(std::shared_ptr<const Dataset> input, std::int64_t count)
      : DatasetBase<Self>(input->output_types(), input->output_shapes()),
        input_(std::move(input)),
        count_(count) {}

  std::shared_ptr<Dataset> at_place(Places& places) const override {
    return std::make_shared<Self>(places.of(input_), count_);
  }
  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return std::make_unique<typename Self::Iterator>(this->self());
  }
  const Dataset& input() const { return *input_; }
  std::int64_t count() const { return count_; }
  std::vector<const Dataset*> inputs() const override { return {input_.get()}; }

 private:
  std::shared_ptr<const Dataset> input_;
  std::int64_t count_;
};

class RepeatDataset : public CountedDataset<RepeatDataset> {
 public:
  using CountedDataset::CountedDataset;

  class Iterator : public IteratorOf<RepeatDataset> {
   public:
    using IteratorOf::IteratorOf;
    bool next(std::vector<Tensor>& out) override {
      const std::int64_t count = dataset().count();
      while (count < 0 || passes_ < count) {
        const bool fresh = input_ == nullptr;
        if (fresh) input_ = dataset().input().make_iterator();
        if (input_->next(out)) return true;
        input_ = nullptr;
        if (count >= 0) ++passes_;
        // Nothing at all in a pass: repeating it for ever would give nothing for ever.
        if (fresh && count < 0) return false;
      }
      return false;
    }
    void save(IteratorState& state, const std::string& prefix) const override {
      save_int(state, prefix + "/passes", passes_);
      save_input(state, prefix + "/repeat", input_.get());
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      passes_ = restore_count(state, prefix + "/passes");
      input_ = restore_input(state, prefix + "/repeat", dataset().input());
    }

   private:
    std::int64_t passes_ = 0;
    std::unique_ptr<DatasetIterator> input_;
  };
};

class TakeDataset : public CountedDataset<TakeDataset> {
 public:
  using CountedDataset::CountedDataset;

  class Iterator : public IteratorOf<TakeDataset> {
   public:
    explicit Iterator(std::shared_ptr<const TakeDataset> owner)
        : IteratorOf(std::move(owner)), input_(dataset().input().make_iterator()) {}
    bool next(std::vector<Tensor>& out) override {
      const std::int64_t count = dataset().count();
      if (input_ != nullptr && (count < 0 || taken_ < count) && input_->next(out)) {
        if (count >= 0) ++taken_;
        return true;
      }
      input_ = nullptr;
      return false;
    }
    void save(IteratorState& state, const std::string& prefix) const override {
      save_int(state, prefix + "/taken", taken_);
      save_input(state, prefix + "/take", input_.get());
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      taken_ = restore_count(state, prefix + "/taken");
      input_ = restore_input(state, prefix + "/take", dataset().input());
    }

   private:
    std::int64_t taken_ = 0;
    std::unique_ptr<DatasetIterator> input_;
  };
};

class SkipDataset : public CountedDataset<SkipDataset> {
 public:
  using CountedDataset::CountedDataset;

  class Iterator : public IteratorOf<SkipDataset> {
   public:
    explicit Iterator(std::shared_ptr<const SkipDataset> owner)
        : IteratorOf(std::move(owner)), input_(dataset().input().make_iterator()) {}
    bool next(std::vector<Tensor>& out) override {
      if (dataset().count() < 0) return false;
      for (; input_ != nullptr && skipped_ < dataset().count(); ++skipped_) {
        if (!input_->next(out)) input_ = nullptr;
      }
      if (input_ != nullptr && input_->next(out)) return true;
      input_ = nullptr;
      return false;
    }
    void save(IteratorState& state, const std::string& prefix) const override {
      save_int(state, prefix + "/skipped", skipped_);
      save_input(state, prefix + "/skip", input_.get());
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      skipped_ = restore_count(state, prefix + "/skipped");
      input_ = restore_input(state, prefix + "/skip", dataset().input());
    }

   private:
    std::int64_t skipped_ = 0;
    std::unique_ptr<DatasetIterator> input_;
  };
};

class ZipDataset : public DatasetBase<ZipDataset> {
 public:
  ZipDataset(std::vector<std::shared_ptr<const Dataset>> inputs, std::vector<DType> types,
             std::vector<PartialShape> shapes)
      : DatasetBase(std::move(types), std::move(shapes)), inputs_(std::move(inputs)) {}

  std::shared_ptr<Dataset> at_place(Places& places) const override {
    std::vector<std::shared_ptr<const Dataset>> placed;
    for (const auto& input : inputs_) placed.push_back(places.of(input));
    return std::make_shared<ZipDataset>(std::move(placed), output_types(), output_shapes());
  }
  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return std::make_unique<Iterator>(self());
  }
  std::vector<const Dataset*> inputs() const override {
    std::vector<const Dataset*> all;
    for (const auto& input : inputs_) all.push_back(input.get());
    return all;
  }

 private:
  class Iterator : public IteratorOf<ZipDataset> {
   public:
    explicit Iterator(std::shared_ptr<const ZipDataset> owner) : IteratorOf(std::move(owner)) {
      for (const auto& input : dataset().inputs_) inputs_.push_back(input->make_iterator());
    }
    bool next(std::vector<Tensor>& out) override {
      out.clear();
      for (auto& input : inputs_) {
        if (!input->next(part_)) {
          inputs_.clear();
          break;
        }
        for (Tensor& t : part_) out.push_back(std::move(t));
      }
      return !inputs_.empty();
    }
    void save(IteratorState& state, const std::string& prefix) const override {
      save_int(state, prefix + "/zip_size", static_cast<std::int64_t>(inputs_.size()));
      for (std::size_t i = 0; i < inputs_.size(); ++i) {
        save_input(state, prefix + "/zip" + std::to_string(i), inputs_[i].get());
      }
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      const std::int64_t size = restore_int(state, prefix + "/zip_size");
      if (size == 0) return inputs_.clear();
      if (size != static_cast<std::int64_t>(inputs_.size())) {
        fail(Code::kDataLoss, "the saved iterator zips {} datasets, this one {}", size,
             inputs_.size());
      }
      for (std::size_t i = 0; i < inputs_.size(); ++i) {
        inputs_[i] =
            restore_input(state, prefix + "/zip" + std::to_string(i), *dataset().inputs_[i]);
        if (inputs_[i] == nullptr) {
          fail(Code::kDataLoss, "the saved iterator zips a dataset that has ended");
        }
      }
    }

   private:
    std::vector<std::unique_ptr<DatasetIterator>> inputs_;  // empty at the end
    std::vector<Tensor> part_;
  };

  std::vector<std::shared_ptr<const Dataset>> inputs_;
};

class ConcatenateDataset : public DatasetBase<ConcatenateDataset> {
 public:
  ConcatenateDataset(std::shared_ptr<const Dataset> first, std::shared_ptr<const Dataset> second,
                     std::vector<PartialShape> shapes)
      : DatasetBase(first->output_types(), std::move(shapes)),
        inputs_{std::move(first), std::move(second)} {
    if (inputs_[0]->output_types() != inputs_[1]->output_types()) {
      invalid_argument("the datasets to concatenate have elements of different types");
    }
  }

  std::shared_ptr<Dataset> at_place(Places& places) const override {
    // In this order, which that of a call's arguments need not be.
    auto first = places.of(inputs_[0]);
    auto second = places.of(inputs_[1]);
    return std::make_shared<ConcatenateDataset>(std::move(first), std::move(second),
                                                output_shapes());
  }
  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return std::make_unique<Iterator>(self());
  }
  std::vector<const Dataset*> inputs() const override {
    return {inputs_[0].get(), inputs_[1].get()};
  }

 private:
  class Iterator : public IteratorOf<ConcatenateDataset> {
   public:
    explicit Iterator(std::shared_ptr<const ConcatenateDataset> owner)
        : IteratorOf(std::move(owner)), input_(dataset().inputs_[0]->make_iterator()) {}
    bool next(std::vector<Tensor>& out) override {
      while (input_ != nullptr) {
        if (input_->next(out)) return true;
        ++which_;
        input_ = which_ < 2 ? dataset().inputs_[which_]->make_iterator() : nullptr;
      }
      return false;
    }
    void save(IteratorState& state, const std::string& prefix) const override {
      save_int(state, prefix + "/which", static_cast<std::int64_t>(which_));
      save_input(state, prefix + "/concatenate", input_.get());
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      const std::int64_t which = restore_int(state, prefix + "/which");
      if (which < 0 || which > 2) fail(Code::kDataLoss, "the saved iterator is of another dataset");
      which_ = static_cast<std::size_t>(which);
      input_ = which_ < 2
                   ? restore_input(state, prefix + "/concatenate", *dataset().inputs_[which_])
                   : nullptr;
    }

   private:
    std::size_t which_ = 0;
    std::unique_ptr<DatasetIterator> input_;
  };

  std::array<std::shared_ptr<const Dataset>, 2> inputs_;
};

template <typename D>
std::shared_ptr<Dataset> make_counted(KernelContext& ctx) {
  return std::make_shared<D>(dataset_of(ctx.input(0)), scalar_input(ctx, 1, "count"));
}

class ZipKernel : public DatasetKernel {
 public:
  explicit ZipKernel(const KernelInit& init)
      : DatasetKernel(init), types_(output_types(init)), shapes_(output_shapes(init)) {}

 private:
  std::shared_ptr<Dataset> make(KernelContext& ctx) override {
    std::vector<std::shared_ptr<const Dataset>> inputs;
    for (int i = 0; i < ctx.num_inputs(); ++i) inputs.push_back(dataset_of(ctx.input(i)));
    return std::make_shared<ZipDataset>(std::move(inputs), types_, shapes_);
  }

  std::vector<DType> types_;
  std::vector<PartialShape> shapes_;
};

class ConcatenateKernel : public DatasetKernel {
 public:
  explicit ConcatenateKernel(const KernelInit& init)
      : DatasetKernel(init), shapes_(output_shapes(init)) {}

 private:
  std::shared_ptr<Dataset> make(KernelContext& ctx) override {
    return std::make_shared<ConcatenateDataset>(dataset_of(ctx.input(0)), dataset_of(ctx.input(1)),
                                                shapes_);
  }

  std::vector<PartialShape> shapes_;
};

/// OptimizeDataset and ModelDataset ask TensorFlow to rewrite a pipeline; its elements stay.
void pass_on(KernelContext& ctx) {
  ctx.set_output(0, ctx.input(0));
}

OpSpec counted_spec(std::string name, std::string doc, KernelFactory make) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"input_dataset: variant", "count: int64"},
          .outputs = {"handle: variant"},
          .attrs = {"output_types: list(type) >= 1", "output_shapes: list(shape) >= 1"},
          .shape = dataset_shape,
          .not_differentiable = true,
          .kernels = {{DType::kInvalid, make}}};
}

}  // namespace

void register_dataset_transforms(OpRegistry& registry) {
  registry.add(counted_spec("RepeatDataset", "The input count times over; -1 for ever.",
                            dataset_kernel<make_counted<RepeatDataset>>));
  registry.add(counted_spec("TakeDataset", "The first count elements of the input; -1 all.",
                            dataset_kernel<make_counted<TakeDataset>>));
  registry.add(counted_spec("SkipDataset", "The input without its first count elements; -1 none.",
                            dataset_kernel<make_counted<SkipDataset>>));
  registry.add(
      {.name = "ZipDataset",
       .doc = "Elements of several datasets side by side, up to the end of the shortest.",
       .inputs = {"input_datasets: N * variant"},
       .outputs = {"handle: variant"},
       .attrs = {"output_types: list(type) >= 1", "output_shapes: list(shape) >= 1", "N: int >= 1"},
       .shape = source_dataset_shape,
       .not_differentiable = true,
       .kernels = {{DType::kInvalid, make_kernel<ZipKernel>}}});
  registry.add({.name = "ConcatenateDataset",
                .doc = "The elements of one dataset, then those of another.",
                .inputs = {"input_dataset: variant", "another_dataset: variant"},
                .outputs = {"handle: variant"},
                .attrs = {"output_types: list(type) >= 1", "output_shapes: list(shape) >= 1"},
                .shape = source_dataset_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<ConcatenateKernel>}}});
  registry.add({.name = "OptimizeDataset",
                .doc = "The input dataset as it is; TensorFlow rewrites its pipeline here.",
                .inputs = {"input_dataset: variant", "optimizations: string"},
                .outputs = {"handle: variant"},
                .attrs = {"output_types: list(type) >= 1", "output_shapes: list(shape) >= 1",
                          "optimization_configs: list(string) = []"},
                .shape = source_dataset_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, function_kernel<pass_on>}}});
  registry.add({.name = "ModelDataset",
                .doc = "The input dataset as it is; TensorFlow tunes its pipeline here.",
                .inputs = {"input_dataset: variant"},
                .outputs = {"handle: variant"},
                .attrs = {"algorithm: int = 0", "cpu_budget: int = 0",
                          "output_types: list(type) >= 1", "output_shapes: list(shape) >= 1"},
                .shape = source_dataset_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, function_kernel<pass_on>}}});
}

}  // namespace assay
