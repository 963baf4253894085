#include <cstring>

#include "assay/base/crc32c.h"
#include "assay/device/dataset_functions.h"
#include "assay/graph/op_registry.h"
#include "assay/ops/dataset_common.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

std::vector<DType> dtypes_of(const std::vector<Tensor>& tensors) {
  std::vector<DType> types;
  for (const Tensor& t : tensors) types.push_back(t.dtype());
  return types;
}

std::vector<Tensor> copies_of_inputs(const KernelContext& ctx) {
  std::vector<Tensor> all;
  for (int i = 0; i < ctx.num_inputs(); ++i) all.push_back(ctx.input(i).copy());
  return all;
}

std::uint32_t checksum_of(const std::vector<Tensor>& tensors) {
  std::uint32_t crc = 0;
  for (const Tensor& t : tensors) {
    if (t.dtype() == DType::kString) {
      for (const std::string& s : t.span<std::string>()) {
        const auto size = static_cast<std::uint64_t>(s.size());
        crc = crc32c::extend(crc, reinterpret_cast<const char*>(&size), sizeof size);
        crc = crc32c::extend(crc, s.data(), s.size());
      }
    } else if (t.num_bytes() > 0) {
      crc = crc32c::extend(crc, static_cast<const char*>(t.raw()), t.num_bytes());
    }
  }
  return crc;
}

/// One element: the tensors themselves.
class TensorsDataset : public DatasetBase<TensorsDataset> {
 public:
  TensorsDataset(std::vector<Tensor> tensors, std::vector<PartialShape> shapes)
      : DatasetBase(dtypes_of(tensors), std::move(shapes)), tensors_(std::move(tensors)) {}

  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return std::make_unique<Iterator>(self());
  }
  std::string fingerprint() const override {
    return fmt::format("1 element, checksum {:08x}", checksum_of(tensors_));
  }

 private:
  class Iterator : public IteratorOf<TensorsDataset> {
   public:
    using IteratorOf::IteratorOf;
    bool next(std::vector<Tensor>& out) override {
      if (done_) return false;
      done_ = true;
      out.clear();
      for (const Tensor& t : dataset().tensors_) out.push_back(t.copy());
      return true;
    }
    void save(IteratorState& state, const std::string& prefix) const override {
      save_int(state, prefix + "/done", done_ ? 1 : 0);
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      done_ = restore_int(state, prefix + "/done") != 0;
    }

   private:
    bool done_ = false;
  };

  std::vector<Tensor> tensors_;
};

/// Slice number `index` of `from` along its first dimension.
Tensor slice(const Tensor& from, std::int64_t index) {
  Tensor to(from.dtype(), Shape(from.shape().dims().subspan(1)));
  const std::int64_t n = to.num_elements();
  if (from.dtype() == DType::kString) {
    std::copy_n(from.data<std::string>() + index * n, n, to.data<std::string>());
  } else {
    const std::size_t bytes = to.num_bytes();
    if (bytes > 0) {
      std::memcpy(to.raw(),
                  static_cast<const char*>(from.raw()) + static_cast<std::size_t>(index) * bytes,
                  bytes);
    }
  }
  return to;
}

class SlicesDataset : public DatasetBase<SlicesDataset> {
 public:
  SlicesDataset(std::vector<Tensor> tensors, std::vector<PartialShape> shapes)
      : DatasetBase(dtypes_of(tensors), std::move(shapes)), tensors_(std::move(tensors)) {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (tensors_[i].rank() == 0)
        invalid_argument("component {} is a scalar: nothing to slice", i);
      if (tensors_[i].dim(0) != tensors_[0].dim(0)) {
        invalid_argument("component 0 has {} slices, component {} has {}", tensors_[0].dim(0), i,
                         tensors_[i].dim(0));
      }
    }
    size_ = tensors_[0].dim(0);
  }

  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return std::make_unique<Iterator>(self());
  }
  std::string fingerprint() const override {
    return fmt::format("{} elements, checksum {:08x}", size_, checksum_of(tensors_));
  }

 private:
  class Iterator : public IteratorOf<SlicesDataset> {
   public:
    using IteratorOf::IteratorOf;
    bool next(std::vector<Tensor>& out) override {
      if (next_ >= dataset().size_) return false;
      out.clear();
      for (const Tensor& t : dataset().tensors_) out.push_back(slice(t, next_));
      ++next_;
      return true;
    }
    void save(IteratorState& state, const std::string& prefix) const override {
      save_int(state, prefix + "/next", next_);
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      next_ = restore_int(state, prefix + "/next");
      if (next_ < 0) fail(Code::kDataLoss, "the saved iterator stands before its first element");
    }

   private:
    std::int64_t next_ = 0;
  };

  std::vector<Tensor> tensors_;
  std::int64_t size_ = 0;
};

class RangeDataset : public DatasetBase<RangeDataset> {
 public:
  RangeDataset(std::int64_t start, std::int64_t stop, std::int64_t step)
      : DatasetBase({DType::kInt64}, {PartialShape::scalar()}),
        start_(start),
        stop_(stop),
        step_(step) {
    if (step == 0) invalid_argument("step must not be 0");
    // Unsigned, so that no pair of ends overflows.
    const auto from = static_cast<std::uint64_t>(start);
    const auto to = static_cast<std::uint64_t>(stop);
    if (step > 0 && start < stop) {
      size_ = (to - from - 1) / static_cast<std::uint64_t>(step) + 1;
    } else if (step < 0 && start > stop) {
      size_ = (from - to - 1) / (std::uint64_t{0} - static_cast<std::uint64_t>(step)) + 1;
    }
  }

  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return std::make_unique<Iterator>(self());
  }
  std::string fingerprint() const override {
    return fmt::format("{} numbers from {} to {} by {}", size_, start_, stop_, step_);
  }

 private:
  class Iterator : public IteratorOf<RangeDataset> {
   public:
    using IteratorOf::IteratorOf;
    bool next(std::vector<Tensor>& out) override {
      if (next_ >= dataset().size_) return false;
      const std::uint64_t value = static_cast<std::uint64_t>(dataset().start_) +
                                  next_ * static_cast<std::uint64_t>(dataset().step_);
      ++next_;
      out.assign(1, Tensor::scalar<std::int64_t>(static_cast<std::int64_t>(value)));
      return true;
    }
    void save(IteratorState& state, const std::string& prefix) const override {
      save_int(state, prefix + "/next", static_cast<std::int64_t>(next_));
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      next_ = static_cast<std::uint64_t>(restore_int(state, prefix + "/next"));
    }

   private:
    std::uint64_t next_ = 0;
  };

  std::int64_t start_;
  std::int64_t stop_;
  std::int64_t step_;
  std::uint64_t size_ = 0;
};

class GeneratorDataset : public Dataset {
 public:
  GeneratorDataset(IteratorFactory factory, std::vector<DType> types,
                   std::vector<PartialShape> shapes)
      : Dataset(std::move(types), std::move(shapes)), factory_(std::move(factory)) {}
  std::unique_ptr<DatasetIterator> make_iterator() const override { return factory_(); }

 private:
  IteratorFactory factory_;
};

template <typename D>
class TensorsKernel : public DatasetKernel {
 public:
  explicit TensorsKernel(const KernelInit& init)
      : DatasetKernel(init), shapes_(output_shapes(init)) {}

 private:
  std::shared_ptr<Dataset> make(KernelContext& ctx) override {
    return std::make_shared<D>(copies_of_inputs(ctx), shapes_);
  }

  std::vector<PartialShape> shapes_;
};

std::shared_ptr<Dataset> make_range(KernelContext& ctx) {
  return std::make_shared<RangeDataset>(scalar_input(ctx, 0, "start"), scalar_input(ctx, 1, "stop"),
                                        scalar_input(ctx, 2, "step"));
}

class GeneratorKernel : public DatasetKernel {
 public:
  explicit GeneratorKernel(const KernelInit& init)
      : DatasetKernel(init),
        factory_(attached_function<IteratorFactory>(init.node.graph(),
                                                    init.attr<std::string>("function"))),
        types_(output_types(init)),
        shapes_(output_shapes(init)) {}

 private:
  std::shared_ptr<Dataset> make(KernelContext&) override {
    return std::make_shared<GeneratorDataset>(factory_, types_, shapes_);
  }

  IteratorFactory factory_;
  std::vector<DType> types_;
  std::vector<PartialShape> shapes_;
};

OpSpec tensors_spec(std::string name, std::string doc, KernelFactory make) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"components: Toutput_types"},
          .outputs = {"handle: variant"},
          .attrs = {"Toutput_types: list(type) >= 1", "output_shapes: list(shape) >= 1"},
          .effect = Effect::kState,
          .shape = source_dataset_shape,
          .not_differentiable = true,
          .kernels = {{DType::kInvalid, make}}};
}

}  // namespace

void register_dataset_sources(OpRegistry& registry) {
  registry.add(tensors_spec("TensorDataset", "A dataset of one element: the tensors themselves.",
                            make_kernel<TensorsKernel<TensorsDataset>>));
  registry.add(tensors_spec("TensorSliceDataset",
                            "A dataset of the slices of tensors along their first dimension.",
                            make_kernel<TensorsKernel<SlicesDataset>>));
  registry.add({.name = "RangeDataset",
                .doc = "A dataset of the integers from start up to, but without, stop.",
                .inputs = {"start: int64", "stop: int64", "step: int64"},
                .outputs = {"handle: variant"},
                .attrs = {"output_types: list(type) >= 1", "output_shapes: list(shape) >= 1"},
                .effect = Effect::kState,
                .shape = dataset_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, dataset_kernel<make_range>}}});
  registry.add({.name = "AssayGeneratorDataset",
                .doc = "A dataset whose elements C++ code makes; not in TensorFlow.",
                .outputs = {"handle: variant"},
                .attrs = {"function: string", "output_types: list(type) >= 1",
                          "output_shapes: list(shape) >= 1"},
                .effect = Effect::kState,
                .shape = source_dataset_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<GeneratorKernel>}}});
}

}  // namespace assay
