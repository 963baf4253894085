#include <algorithm>
#include <cstring>

#include "assay/graph/op_registry.h"
#include "assay/ops/dataset_common.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// Copies `element` to place `index` of `batch`, a tensor of such elements one after the other.
void put(const Tensor& element, std::int64_t index, Tensor& batch) {
  const std::int64_t n = element.num_elements();
  if (element.dtype() == DType::kString) {
    std::copy_n(element.data<std::string>(), n, batch.data<std::string>() + index * n);
  } else if (n > 0) {
    const std::size_t bytes = element.num_bytes();
    std::memcpy(static_cast<char*>(batch.raw()) + static_cast<std::size_t>(index) * bytes,
                element.raw(), bytes);
  }
}

class BatchDataset : public DatasetBase<BatchDataset> {
 public:
  BatchDataset(std::shared_ptr<const Dataset> input, std::int64_t size, bool drop_remainder,
               std::vector<PartialShape> shapes)
      : DatasetBase(input->output_types(), std::move(shapes)),
        input_(std::move(input)),
        size_(size),
        drop_remainder_(drop_remainder) {
    if (size < 1) invalid_argument("batch_size must be greater than 0, got {}", size);
  }

  std::shared_ptr<Dataset> at_place(Places& places) const override {
    return std::make_shared<BatchDataset>(places.of(input_), size_, drop_remainder_,
                                          output_shapes());
  }
  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return std::make_unique<Iterator>(self());
  }
  std::vector<const Dataset*> inputs() const override { return {input_.get()}; }

 private:
  class Iterator : public IteratorOf<BatchDataset> {
   public:
    explicit Iterator(std::shared_ptr<const BatchDataset> owner)
        : IteratorOf(std::move(owner)), input_(dataset().input_->make_iterator()) {}

    bool next(std::vector<Tensor>& out) override {
      // Elements are gathered first: how many there are is known only at the end, and a batch
      // size beyond any data must not take its memory.
      std::vector<std::vector<Tensor>> elements;
      while (input_ != nullptr && std::ssize(elements) < dataset().size_) {
        std::vector<Tensor> element;
        if (input_->next(element)) {
          elements.push_back(std::move(element));
        } else {
          input_ = nullptr;
        }
      }
      if (elements.empty()) return false;
      if (dataset().drop_remainder_ && std::ssize(elements) < dataset().size_) return false;
      stack(elements, out);
      return true;
    }

    void save(IteratorState& state, const std::string& prefix) const override {
      save_input(state, prefix + "/batch", input_.get());
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      input_ = restore_input(state, prefix + "/batch", *dataset().input_);
    }

   private:
    static void stack(const std::vector<std::vector<Tensor>>& elements, std::vector<Tensor>& out) {
      out.clear();
      for (std::size_t c = 0; c < elements.front().size(); ++c) {
        const Tensor& first = elements.front()[c];
        std::vector<std::int64_t> dims{std::ssize(elements)};
        dims.insert(dims.end(), first.shape().dims().begin(), first.shape().dims().end());
        Tensor batch(first.dtype(), Shape(dims));
        for (std::size_t i = 0; i < elements.size(); ++i) {
          const Tensor& element = elements[i].at(c);
          if (element.shape() != first.shape() || element.dtype() != first.dtype()) {
            invalid_argument(
                "cannot batch tensors of different shapes in component {}: the first element has "
                "{}, element {} has {}",
                c, first.shape().str(), i, element.shape().str());
          }
          put(element, static_cast<std::int64_t>(i), batch);
        }
        out.push_back(std::move(batch));
      }
    }

    std::unique_ptr<DatasetIterator> input_;
  };

  std::shared_ptr<const Dataset> input_;
  std::int64_t size_;
  bool drop_remainder_;
};

class BatchKernel : public DatasetKernel {
 public:
  explicit BatchKernel(const KernelInit& init)
      : DatasetKernel(init), shapes_(output_shapes(init)) {}

 private:
  std::shared_ptr<Dataset> make(KernelContext& ctx) override {
    const bool drop = ctx.num_inputs() > 2 && bool_input(ctx, 2, "drop_remainder");
    return std::make_shared<BatchDataset>(dataset_of(ctx.input(0)),
                                          scalar_input(ctx, 1, "batch_size"), drop, shapes_);
  }

  std::vector<PartialShape> shapes_;
};

}  // namespace

void register_dataset_batch(OpRegistry& registry) {
  registry.add({.name = "BatchDataset",
                .doc = "Elements of the input stacked batch_size at a time; the last may be fewer.",
                .inputs = {"input_dataset: variant", "batch_size: int64"},
                .outputs = {"handle: variant"},
                .attrs = {"output_types: list(type) >= 1", "output_shapes: list(shape) >= 1"},
                .shape = dataset_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<BatchKernel>}}});
  registry.add({.name = "BatchDatasetV2",
                .doc = "Elements of the input stacked batch_size at a time; drop_remainder leaves "
                       "out a last batch that is smaller.",
                .inputs = {"input_dataset: variant", "batch_size: int64", "drop_remainder: bool"},
                .outputs = {"handle: variant"},
                .attrs = {"parallel_copy: bool = false", "output_types: list(type) >= 1",
                          "output_shapes: list(shape) >= 1"},
                .shape = dataset_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<BatchKernel>}}});
}

}  // namespace assay
