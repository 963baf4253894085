#include "assay/train/one_op_optimizer.h"

namespace assay::train {

OneOpOptimizer::OneOpOptimizer(const std::string& name, bool use_locking, Rule rule)
    : Optimizer(name, use_locking), rule_(std::move(rule)) {
  rule_.attrs["use_locking"] = use_locking;
}

void OneOpOptimizer::create_slots(const std::vector<Variable>& variables) {
  for (const Variable& v : variables) {
    for (const Slot& slot : rule_.slots) initialized_slot(v, slot.initial, slot.name, name());
  }
}

void OneOpOptimizer::prepare() {
  const auto convert = [](const std::vector<Number>& numbers) {
    std::vector<Output> tensors;
    for (const Number& n : numbers) tensors.push_back(convert_to_tensor(n.value, n.name));
    return tensors;
  };
  before_ = convert(rule_.before);
  after_ = convert(rule_.after);
}

Node* OneOpOptimizer::apply(NodeBuilder& b, const std::string& prefix, const Variable& variable,
                            const std::vector<Output>& grad) {
  std::vector<Variable> refs = {variable};
  for (const std::string& name : rule_.refs) refs.push_back(slot(variable, name));
  const auto cast_all = [&](const std::vector<Output>& tensors) {
    std::vector<Output> values;
    for (const Output& x : tensors) values.push_back(internal::cast(b, x, variable.dtype()));
    return values;
  };
  std::vector<Output> values = cast_all(before_);
  const std::vector<Output> after = cast_all(after_);
  values.insert(values.end(), grad.begin(), grad.end());
  values.insert(values.end(), after.begin(), after.end());
  return internal::update(b, prefix + rule_.op, refs, values, rule_.attrs);
}

Node* OneOpOptimizer::apply_dense(NodeBuilder& b, Output grad, const Variable& variable) {
  return apply(b, "Apply", variable, {grad});
}

Node* OneOpOptimizer::apply_sparse(NodeBuilder& b, const IndexedSlices& grad,
                                   const Variable& variable) {
  return apply(b, "SparseApply", variable, {grad.values, grad.indices});
}

}  // namespace assay::train
