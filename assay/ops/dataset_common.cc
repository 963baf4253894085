#include "assay/ops/dataset_common.h"

namespace assay {
namespace {

// A graph can feed one dataset to two inputs of another, again and again: its places would be more
// than any memory holds.
constexpr std::int64_t kMaxPlaces = 65536;

const Tensor& find(const IteratorState& state, const std::string& name) {
  const auto at = state.find(name);
  if (at == state.end()) {
    fail(Code::kDataLoss, "the saved iterator lacks '{}': it is of another dataset", name);
  }
  return at->second;
}

}  // namespace

std::shared_ptr<const Dataset> Places::of(const std::shared_ptr<const Dataset>& dataset) {
  if (++count_ > kMaxPlaces) {
    invalid_argument(
        "the pipeline has more than {} stages, counting one that feeds several others once for "
        "each; at {}: give it fewer branches",
        kMaxPlaces, dataset->label());
  }
  const auto* placed = dynamic_cast<const PlacedDataset*>(dataset.get());
  std::shared_ptr<Dataset> own = placed == nullptr ? nullptr : placed->at_place(*this);
  if (own == nullptr) return dataset;
  const std::string& node = dataset->node_name();
  const std::int64_t place = ++places_[node];
  own->set_node(place == 1 ? node : node + "#" + std::to_string(place), dataset->label());
  return own;
}

std::string saved_place(const IteratorState& state, const std::string& prefix,
                        const std::string& name) {
  return state.contains(prefix + name) ? prefix : prefix.substr(0, prefix.rfind('#'));
}

void initialize(IteratorResource& iterator, const std::shared_ptr<const Dataset>& dataset,
                ResourceStore& resources) {
  Places places(resources);
  iterator.initialize(places.of(dataset));
}

std::int64_t scalar_input(const KernelContext& ctx, int i, const char* name) {
  const Tensor& value = ctx.input(i);
  if (value.dtype() != DType::kInt64 || !value.shape().is_scalar()) {
    invalid_argument("{} must be an int64 scalar, got {}{}", name, dtype_name(value.dtype()),
                     value.shape().str());
  }
  return *value.data<std::int64_t>();
}

bool bool_input(const KernelContext& ctx, int i, const char* name) {
  const Tensor& value = ctx.input(i);
  if (value.dtype() != DType::kBool || !value.shape().is_scalar()) {
    invalid_argument("{} must be a bool scalar, got {}{}", name, dtype_name(value.dtype()),
                     value.shape().str());
  }
  return *value.data<bool>();
}

std::vector<DType> output_types(const KernelInit& init) {
  return init.attr<std::vector<DType>>("output_types");
}

std::vector<PartialShape> output_shapes(const KernelInit& init) {
  return init.attr<std::vector<PartialShape>>("output_shapes");
}

void dataset_shape(ShapeContext& c) {
  for (int i = 1; i < c.num_inputs(); ++i) c.with_rank(i, 0);
  c.set_output(0, PartialShape::scalar());
}

void source_dataset_shape(ShapeContext& c) {
  c.set_output(0, PartialShape::scalar());
}

void save_int(IteratorState& state, const std::string& name, std::int64_t value) {
  state[name] = Tensor::scalar<std::int64_t>(value);
}

std::int64_t restore_int(const IteratorState& state, const std::string& name) {
  const Tensor& value = find(state, name);
  if (value.dtype() != DType::kInt64 || value.num_elements() != 1) {
    fail(Code::kDataLoss, "the saved iterator's '{}' is no number", name);
  }
  return *value.data<std::int64_t>();
}

std::int64_t restore_count(const IteratorState& state, const std::string& name) {
  const std::int64_t value = restore_int(state, name);
  if (value < 0) fail(Code::kDataLoss, "the saved iterator's '{}' is {}", name, value);
  return value;
}

void save_text(IteratorState& state, const std::string& name, std::string value) {
  state[name] = Tensor::scalar<std::string>(std::move(value));
}

std::string restore_text(const IteratorState& state, const std::string& name) {
  const Tensor& value = find(state, name);
  if (value.dtype() != DType::kString || value.num_elements() != 1) {
    fail(Code::kDataLoss, "the saved iterator's '{}' is no text", name);
  }
  return *value.data<std::string>();
}

void save_element(IteratorState& state, const std::string& name,
                  const std::vector<Tensor>& element) {
  save_int(state, name + "/size", static_cast<std::int64_t>(element.size()));
  for (std::size_t i = 0; i < element.size(); ++i) {
    state[name + "/" + std::to_string(i)] = element[i];
  }
}

std::vector<Tensor> restore_element(const IteratorState& state, const std::string& name,
                                    const Dataset& dataset) {
  const auto& types = dataset.output_types();
  const auto& shapes = dataset.output_shapes();
  if (restore_int(state, name + "/size") != std::ssize(types)) {
    fail(Code::kDataLoss, "the saved element '{}' is not of {} components", name, types.size());
  }
  std::vector<Tensor> element;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const Tensor& saved = find(state, name + "/" + std::to_string(i));
    if (saved.dtype() != types[i] || !shapes[i].is_compatible_with(saved.shape())) {
      fail(Code::kDataLoss, "component {} of the saved element '{}': expected {}{}, got {}{}", i,
           name, dtype_name(types[i]), shapes[i].str(), dtype_name(saved.dtype()),
           saved.shape().str());
    }
    element.push_back(saved.copy());
  }
  return element;
}

void save_input(IteratorState& state, const std::string& name, const DatasetIterator* iterator) {
  save_int(state, name + "/ended", iterator == nullptr ? 1 : 0);
  if (iterator != nullptr) iterator->save(state, name);
}

std::unique_ptr<DatasetIterator> restore_input(const IteratorState& state, const std::string& name,
                                               const Dataset& dataset) {
  if (restore_int(state, name + "/ended") != 0) return nullptr;
  auto iterator = dataset.make_iterator();
  iterator->restore(state, name);
  return iterator;
}

}  // namespace assay
