#include <atomic>

#include "assay/device/dataset_functions.h"
#include "assay/graph/op_registry.h"
#include "assay/ops/dataset_common.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// Elements of the input as a function turns them; with `filter`, as they are, those for which
/// the function gives true.
class MappedDataset : public DatasetBase<MappedDataset> {
 public:
  /// `factory` made `transform` for the node of this name.
  MappedDataset(std::shared_ptr<const Dataset> input, ElementFunctionFactory factory,
                std::string node, ElementTransform transform, bool filter, std::vector<DType> types,
                std::vector<PartialShape> shapes)
      : DatasetBase(std::move(types), std::move(shapes)),
        input_(std::move(input)),
        factory_(std::move(factory)),
        node_(std::move(node)),
        transform_(std::move(transform)),
        filter_(filter) {}

  std::shared_ptr<Dataset> at_place(Places& places) const override {
    auto input = places.of(input_);
    // The first place takes over the transform, which nobody has used; the others get new ones,
    // equal to it: what a function draws belongs to its place.
    auto transform = taken_.exchange(true) ? factory_(places.resources(), node_) : transform_;
    return std::make_shared<MappedDataset>(std::move(input), factory_, node_, std::move(transform),
                                           filter_, output_types(), output_shapes());
  }

  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return std::make_unique<Iterator>(self());
  }
  std::vector<const Dataset*> inputs() const override { return {input_.get()}; }
  void save_counters(IteratorState& state, const std::string& prefix) const override {
    if (transform_.save) transform_.save(state, prefix + "/");
  }
  void restore_counters(const IteratorState& state, const std::string& prefix) const override {
    if (transform_.restore) transform_.restore(state, prefix + "/");
  }

 private:
  class Iterator : public IteratorOf<MappedDataset> {
   public:
    explicit Iterator(std::shared_ptr<const MappedDataset> owner)
        : IteratorOf(std::move(owner)), input_(dataset().input_->make_iterator()) {}
    bool next(std::vector<Tensor>& out) override {
      while (input_->next(element_)) {
        auto result = dataset().transform_.apply(element_);
        if (!dataset().filter_) {
          out = std::move(result);
          return true;
        }
        if (result.size() != 1) invalid_argument("a filter gives one bool, not {}", result.size());
        if (result.front().item<bool>()) {
          out = std::move(element_);
          return true;
        }
      }
      return false;
    }
    void save(IteratorState& state, const std::string& prefix) const override {
      input_->save(state, prefix + "/map");
    }
    void restore(const IteratorState& state, const std::string& prefix) override {
      input_->restore(state, prefix + "/map");
    }

   private:
    std::unique_ptr<DatasetIterator> input_;
    std::vector<Tensor> element_;
  };

  std::shared_ptr<const Dataset> input_;
  ElementFunctionFactory factory_;
  std::string node_;
  ElementTransform transform_;
  mutable std::atomic<bool> taken_{false};
  bool filter_;
};

class MapKernel : public DatasetKernel {
 public:
  explicit MapKernel(const KernelInit& init)
      : DatasetKernel(init),
        resources_(*init.resources),
        node_(init.node.name()),
        factory_(attached_function<ElementFunctionFactory>(init.node.graph(),
                                                           init.attr<std::string>("function"))),
        filter_(init.node.op() == "AssayFilterDataset"),
        types_(output_types(init)),
        shapes_(output_shapes(init)) {}

 private:
  std::shared_ptr<Dataset> make(KernelContext& ctx) override {
    return std::make_shared<MappedDataset>(dataset_of(ctx.input(0)), factory_, node_,
                                           factory_(resources_, node_), filter_, types_, shapes_);
  }

  ResourceStore& resources_;
  std::string node_;
  ElementFunctionFactory factory_;
  bool filter_;
  std::vector<DType> types_;
  std::vector<PartialShape> shapes_;
};

OpSpec mapped_spec(std::string name, std::string doc) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"input_dataset: variant"},
          .outputs = {"handle: variant"},
          .attrs = {"function: string", "output_types: list(type) >= 1",
                    "output_shapes: list(shape) >= 1"},
          .effect = Effect::kState,
          .shape = source_dataset_shape,
          .not_differentiable = true,
          .kernels = {{DType::kInvalid, make_kernel<MapKernel>}}};
}

}  // namespace

void register_dataset_map(OpRegistry& registry) {
  registry.add(
      mapped_spec("AssayMapDataset",
                  "The input's elements as a function turns them; not in TensorFlow, whose "
                  "MapDataset takes a function of the graph."));
  registry.add(mapped_spec("AssayFilterDataset",
                           "The input's elements for which a function gives true; not in "
                           "TensorFlow, whose FilterDataset takes a function of the graph."));
}

}  // namespace assay
