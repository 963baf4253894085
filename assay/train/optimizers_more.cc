#include "assay/train/optimizers_more.h"

namespace assay::train {

using internal::cast;
using internal::update;

RMSPropOptimizer::RMSPropOptimizer(Operand learning_rate, const RMSPropOptions& options)
    : Optimizer(options.name, options.use_locking),
      learning_rate_(std::move(learning_rate)),
      options_(options) {}

void RMSPropOptimizer::create_slots(const std::vector<Variable>& variables) {
  for (const Variable& v : variables) {
    initialized_slot(v, ones_initializer(), "rms", name());
    if (options_.centered) zeros_slot(v, "mg", name());
    zeros_slot(v, "momentum", name());
  }
}

void RMSPropOptimizer::prepare() {
  learning_rate_t_ = convert_to_tensor(learning_rate_, "learning_rate");
  decay_t_ = convert_to_tensor(options_.decay, "decay");
  momentum_t_ = convert_to_tensor(options_.momentum, "momentum");
  epsilon_t_ = convert_to_tensor(options_.epsilon, "epsilon");
}

Node* RMSPropOptimizer::apply(NodeBuilder& b, const std::string& prefix, const Variable& variable,
                              const std::vector<Output>& grad) {
  std::vector<Variable> refs = {variable};
  if (options_.centered) refs.push_back(slot(variable, "mg"));
  refs.push_back(slot(variable, "rms"));
  refs.push_back(slot(variable, "momentum"));
  std::vector<Output> values;
  for (const Output& x : {learning_rate_t_, decay_t_, momentum_t_, epsilon_t_}) {
    values.push_back(cast(b, x, variable.dtype()));
  }
  values.insert(values.end(), grad.begin(), grad.end());
  return update(b, prefix + (options_.centered ? "CenteredRMSProp" : "RMSProp"), refs, values,
                {{"use_locking", use_locking()}});
}

Node* RMSPropOptimizer::apply_dense(NodeBuilder& b, Output grad, const Variable& variable) {
  return apply(b, "Apply", variable, {grad});
}

Node* RMSPropOptimizer::apply_sparse(NodeBuilder& b, const IndexedSlices& grad,
                                     const Variable& variable) {
  return apply(b, "SparseApply", variable, {grad.values, grad.indices});
}

AdadeltaOptimizer::AdadeltaOptimizer(Operand learning_rate, const AdadeltaOptions& options)
    : Optimizer(options.name, options.use_locking),
      learning_rate_(std::move(learning_rate)),
      options_(options) {}

void AdadeltaOptimizer::create_slots(const std::vector<Variable>& variables) {
  for (const Variable& v : variables) {
    zeros_slot(v, "accum", name());
    zeros_slot(v, "accum_update", name());
  }
}

void AdadeltaOptimizer::prepare() {
  learning_rate_t_ = convert_to_tensor(learning_rate_, "lr");
  rho_t_ = convert_to_tensor(options_.rho, "rho");
  epsilon_t_ = convert_to_tensor(options_.epsilon, "epsilon");
}

Node* AdadeltaOptimizer::apply(NodeBuilder& b, const std::string& op, const Variable& variable,
                               const std::vector<Output>& grad) {
  std::vector<Output> values;
  for (const Output& x : {learning_rate_t_, rho_t_, epsilon_t_}) {
    values.push_back(cast(b, x, variable.dtype()));
  }
  values.insert(values.end(), grad.begin(), grad.end());
  return update(b, op, {variable, slot(variable, "accum"), slot(variable, "accum_update")}, values,
                {{"use_locking", use_locking()}});
}

Node* AdadeltaOptimizer::apply_dense(NodeBuilder& b, Output grad, const Variable& variable) {
  return apply(b, "ApplyAdadelta", variable, {grad});
}

Node* AdadeltaOptimizer::apply_sparse(NodeBuilder& b, const IndexedSlices& grad,
                                      const Variable& variable) {
  return apply(b, "SparseApplyAdadelta", variable, {grad.values, grad.indices});
}

}  // namespace assay::train
