#include "assay/data/iterator.h"

#include <optional>

#include "assay/data/dataset.h"
#include "assay/data/make_node.h"
#include "assay/graph/scope.h"

namespace assay::data {
namespace {

/// TensorFlow's collection of all iterators of a graph.
constexpr const char* kIterators = "iterators";

AttrMap structure_of(const std::vector<DType>& types, const std::vector<PartialShape>& shapes) {
  return {{"output_types", types}, {"output_shapes", shapes}};
}

/// `with ops.device(device)`: an empty one changes nothing.
class SameDevice {
 public:
  explicit SameDevice(const Output& of) {
    if (!of.node->device().empty()) scope_.emplace(of.graph(), of.node->device());
  }

 private:
  std::optional<DeviceScope> scope_;
};

}  // namespace

Iterator::Iterator(Output resource, Node* initializer, std::vector<DType> types,
                   std::vector<PartialShape> shapes)
    : resource_(resource),
      initializer_(initializer),
      types_(std::move(types)),
      shapes_(std::move(shapes)) {
  make_node("IteratorToStringHandle", "", {resource_});
  resource_.graph().add_to_collection(kIterators, resource_);
}

Iterator Iterator::from_structure(std::vector<DType> types, std::vector<PartialShape> shapes,
                                  const std::string& shared_name, Where where) {
  PlaceScope place(where);
  if (types.empty()) invalid_argument("Iterator::from_structure: no component is given");
  if (shapes.empty()) shapes.resize(types.size());
  if (shapes.size() != types.size()) {
    invalid_argument("Iterator::from_structure: {} types but {} shapes", types.size(),
                     shapes.size());
  }
  AttrMap attrs = structure_of(types, shapes);
  attrs["container"] = std::string();
  attrs["shared_name"] = shared_name;
  Node* resource = nullptr;
  {
    // Iterators live on the CPU.
    DeviceScope device("/cpu:0");
    resource = make_node("IteratorV2", "", {}, std::move(attrs));
  }
  return {resource->output(), nullptr, std::move(types), std::move(shapes)};
}

Node* Iterator::initializer() const {
  if (initializer_ == nullptr) {
    fail(Code::kFailedPrecondition,
         "this iterator has no initializer: it starts by itself, or by make_initializer()");
  }
  return initializer_;
}

Node* Iterator::make_initializer(const Dataset& dataset, const std::string& name,
                                 Where where) const {
  OpScope scope(where, name, "make_initializer", {});
  const auto& types = dataset.output_types();
  const auto& shapes = dataset.output_shapes();
  if (types.size() != types_.size()) {
    invalid_argument("make_initializer: the iterator has {} components, the dataset {}",
                     types_.size(), types.size());
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i] != types_[i] || !shapes_[i].is_compatible_with(shapes[i])) {
      invalid_argument(
          "make_initializer: component {} of the iterator is {}{}, of the dataset {}{}", i,
          dtype_name(types_[i]), shapes_[i].str(), dtype_name(types[i]), shapes[i].str());
    }
  }
  SameDevice device(resource_);
  return make_node("MakeIterator", scope.full(), {dataset.variant(), resource_});
}

std::vector<Output> Iterator::get_next(const std::string& name, Where where) const {
  PlaceScope place(where);
  GraphScope graph(resource_.graph());
  SameDevice device(resource_);
  Node* node = make_node("IteratorGetNext", name, {resource_}, structure_of(types_, shapes_));
  std::vector<Output> all;
  for (int i = 0; i < node->num_outputs(); ++i) all.push_back(node->output(i));
  return all;
}

void Iterator::check_components(std::size_t wanted) const {
  if (types_.size() != wanted) {
    invalid_argument("get_next<{}>: an element has {} components", wanted, types_.size());
  }
}

std::string Iterator::resource_name() const {
  const auto shared = resource_.node->attr_or<std::string>("shared_name", "");
  return iterator_resource_name(shared.empty() ? resource_.node->name() : shared);
}

}  // namespace assay::data
