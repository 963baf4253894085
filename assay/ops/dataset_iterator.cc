#include "assay/graph/op_registry.h"
#include "assay/ops/dataset_common.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// The session's iterator over the dataset that is input 0, initialised when it is first asked
/// for.
class OneShotIterator : public Kernel {
 public:
  explicit OneShotIterator(const KernelInit& init)
      : resources_(init.resources), handle_(DType::kResource, Shape{}) {
    std::string name = init.attr_or<std::string>("shared_name", "");
    if (name.empty()) name = init.node.name();
    auto& handle = *handle_.data<ResourceHandle>();
    handle.name = name;
    if (init.resources == nullptr) return;
    iterator_ = init.resources->get_or_create<IteratorResource>(iterator_resource_name(name), [&] {
      return std::make_shared<IteratorResource>(name, output_types(init), output_shapes(init));
    });
    handle.resource = iterator_;
  }
  void run(KernelContext& ctx) override {
    if (!iterator_->initialized()) initialize(*iterator_, dataset_of(ctx.input(0)), *resources_);
    ctx.set_output(0, handle_);
  }

 private:
  ResourceStore* resources_;
  Tensor handle_;
  std::shared_ptr<IteratorResource> iterator_;
};

void to_string_handle(KernelContext& ctx) {
  *ctx.out<std::string>(0, Shape{}) =
      iterator_resource_name(ctx.resource<IteratorResource>(0).name());
}

}  // namespace

void register_dataset_iterator(OpRegistry& registry) {
  registry.add({.name = "AssayOneShotIterator",
                .doc = "An iterator that starts over its dataset by itself, once in a session; not "
                       "in TensorFlow, whose OneShotIterator takes a function of the graph.",
                .inputs = {"dataset: variant"},
                .outputs = {"handle: resource"},
                .attrs = {"output_types: list(type) >= 1", "output_shapes: list(shape) >= 1",
                          "container: string = ''", "shared_name: string = ''"},
                .effect = Effect::kState,
                .shape = source_dataset_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<OneShotIterator>}}});
  registry.add({.name = "IteratorToStringHandle",
                .doc = "A string that names an iterator.",
                .inputs = {"resource_handle: resource"},
                .outputs = {"string_handle: string"},
                .effect = Effect::kReads,
                .shape = source_dataset_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, function_kernel<to_string_handle>}}});
}

}  // namespace assay
