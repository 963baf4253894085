#include "assay/device/kernel.h"
#include "assay/graph/op_registry.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/dataset_common.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void components_shape(ShapeContext& c) {
  const auto shapes = c.attr<std::vector<PartialShape>>("output_shapes");
  if (static_cast<int>(shapes.size()) != c.num_outputs()) {
    c.mismatch("output_shapes has {} entries for {} components", shapes.size(), c.num_outputs());
  }
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, shapes[static_cast<std::size_t>(i)]);
}

/// Gives the session's iterator of the node's shared name, made on first use.
class Iterator : public Kernel {
 public:
  explicit Iterator(const KernelInit& init) : handle_(DType::kResource, Shape{}) {
    std::string name = init.attr_or<std::string>("shared_name", "");
    if (name.empty()) name = init.node.name();
    auto& handle = *handle_.data<ResourceHandle>();
    handle.name = name;
    if (init.resources == nullptr) return;
    handle.resource =
        init.resources->get_or_create<IteratorResource>(iterator_resource_name(name), [&] {
          return std::make_shared<IteratorResource>(
              name, init.attr<std::vector<DType>>("output_types"),
              init.attr<std::vector<PartialShape>>("output_shapes"));
        });
  }
  void run(KernelContext& ctx) override { ctx.set_output(0, handle_); }

 private:
  Tensor handle_;
};

class MakeIterator : public Kernel {
 public:
  explicit MakeIterator(const KernelInit& init) : resources_(init.resources) {}
  void run(KernelContext& ctx) override {
    // An iterator there is only with a session's resources.
    auto& iterator = ctx.resource<IteratorResource>(1);
    initialize(iterator, dataset_of(ctx.input(0)), *resources_);
  }

 private:
  ResourceStore* resources_;
};

/// Programs with effects run alone, so the element may live in the kernel between calls and its
/// vector is not allocated anew.
class IteratorGetNext : public Kernel {
 public:
  explicit IteratorGetNext(const KernelInit&) {}
  void run(KernelContext& ctx) override {
    ctx.resource<IteratorResource>(0).next(element_);
    const int n = static_cast<int>(element_.size());
    if (n != ctx.num_outputs()) {
      invalid_argument("expected {} components, the iterator gives {}", ctx.num_outputs(), n);
    }
    for (int i = 0; i < n; ++i) ctx.set_output(i, element_[static_cast<std::size_t>(i)]);
    // Nothing is kept: a buffer must not outlive its use because a kernel remembers it.
    element_.clear();
  }

 private:
  std::vector<Tensor> element_;
};

OpSpec iterator_spec(std::string name) {
  return {.name = std::move(name),
          .doc = "A handle of the session's iterator with this shared name.",
          .outputs = {"handle: resource"},
          .attrs = {"shared_name: string", "container: string", "output_types: list(type) >= 1",
                    "output_shapes: list(shape) >= 1"},
          .effect = Effect::kReads,
          .shape = shapes::scalar,
          .not_differentiable = true,
          .kernels = {{DType::kInvalid, make_kernel<Iterator>}}};
}

OpSpec get_next_spec(std::string name) {
  return {.name = std::move(name),
          .doc = "The next element of an iterator; OutOfRange at the end.",
          .inputs = {"iterator: resource"},
          .outputs = {"components: output_types"},
          .attrs = {"output_types: list(type) >= 1", "output_shapes: list(shape) >= 1"},
          .effect = Effect::kWrites,
          .shape = components_shape,
          .not_differentiable = true,
          .kernels = {{DType::kInvalid, make_kernel<IteratorGetNext>}}};
}

}  // namespace

void register_iterator(OpRegistry& registry) {
  registry.add(iterator_spec("Iterator"));
  registry.add(iterator_spec("IteratorV2"));
  registry.add({.name = "MakeIterator",
                .doc = "Points an iterator at the first element of a dataset.",
                .inputs = {"dataset: variant", "iterator: resource"},
                .effect = Effect::kWrites,
                .shape = shapes::no_output,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<MakeIterator>}}});
  registry.add(get_next_spec("IteratorGetNext"));
  registry.add(get_next_spec("IteratorGetNextSync"));
}

}  // namespace assay
