#include "assay/ops/dataset_common.h"

namespace assay {
namespace {

const Tensor& find(const IteratorState& state, const std::string& name) {
  const auto at = state.find(name);
  if (at == state.end()) {
    fail(Code::kDataLoss, "the saved iterator lacks '{}': it is of another dataset", name);
  }
  return at->second;
}

}  // namespace

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

void set_dataset_output(KernelContext& ctx, std::shared_ptr<const Dataset> dataset) {
  ctx.set_output(0, dataset_tensor(std::move(dataset)));
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

void save_element(IteratorState& state, const std::string& name,
                  const std::vector<Tensor>& element) {
  save_int(state, name + "/size", static_cast<std::int64_t>(element.size()));
  for (std::size_t i = 0; i < element.size(); ++i) {
    state[name + "/" + std::to_string(i)] = element[i];
  }
}

std::vector<Tensor> restore_element(const IteratorState& state, const std::string& name) {
  std::vector<Tensor> element;
  const std::int64_t size = restore_int(state, name + "/size");
  for (std::int64_t i = 0; i < size; ++i) {
    element.push_back(find(state, name + "/" + std::to_string(i)).copy());
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
