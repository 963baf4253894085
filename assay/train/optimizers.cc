#include "assay/train/optimizers.h"

#include <algorithm>

#include "assay/api/control_flow.h"
#include "assay/graph/scope.h"

namespace assay::train {

using internal::cast;
using internal::mul;
using internal::one_minus;
using internal::update;

// Gradient descent.

GradientDescentOptimizer::GradientDescentOptimizer(Operand learning_rate,
                                                   const GradientDescentOptions& options)
    : Optimizer(options.name, options.use_locking), learning_rate_(learning_rate) {}

void GradientDescentOptimizer::prepare() {
  learning_rate_t_ = convert_to_tensor(learning_rate_, "learning_rate");
}

Node* GradientDescentOptimizer::apply_dense(NodeBuilder& b, Output grad, const Variable& variable) {
  return update(b, "ApplyGradientDescent", {variable},
                {cast(b, learning_rate_t_, variable.dtype()), grad},
                {{"use_locking", use_locking()}});
}

Node* GradientDescentOptimizer::apply_sparse(NodeBuilder& b, const IndexedSlices& grad,
                                             const Variable& variable) {
  return apply_sparse_duplicates(b, grad, variable);
}

Node* GradientDescentOptimizer::apply_sparse_duplicates(NodeBuilder& b, const IndexedSlices& grad,
                                                        const Variable& variable) {
  if (variable.is_resource()) {
    const Output negative = b.op("Neg", {grad.values});
    const Output delta = mul(b, negative, cast(b, learning_rate_t_, variable.dtype()));
    return b.node("ResourceScatterAdd", {variable.ref(), grad.indices, delta});
  }
  const Output delta = mul(b, grad.values, cast(b, learning_rate_t_, variable.dtype()));
  return b.node("ScatterSub", {variable.ref(), grad.indices, delta},
                {{"use_locking", use_locking()}});
}

// Momentum.

MomentumOptimizer::MomentumOptimizer(Operand learning_rate, Operand momentum,
                                     const MomentumOptions& options)
    : OneOpOptimizer(options.name, options.use_locking,
                     {.op = "Momentum",
                      .slots = {{"momentum", zeros_initializer()}},
                      .refs = {"momentum"},
                      .before = {{"learning_rate", std::move(learning_rate)}},
                      .after = {{"momentum", std::move(momentum)}},
                      .attrs = {{"use_nesterov", options.use_nesterov}}}) {}

// Adagrad.

AdagradOptimizer::AdagradOptimizer(Operand learning_rate, const AdagradOptions& options)
    : OneOpOptimizer(
          options.name, options.use_locking,
          {.op = "Adagrad",
           .slots = {{"accumulator", constant_initializer(options.initial_accumulator_value)}},
           .refs = {"accumulator"},
           .before = {{"learning_rate", std::move(learning_rate)}}}) {
  if (!(options.initial_accumulator_value > 0)) {
    invalid_argument("{}: initial_accumulator_value must be positive, got {}", options.name,
                     options.initial_accumulator_value);
  }
}

// Adam.

AdamOptimizer::AdamOptimizer(Operand learning_rate, const AdamOptions& options)
    : Optimizer(options.name, options.use_locking),
      learning_rate_(learning_rate),
      options_(options) {}

void AdamOptimizer::create_slots(const std::vector<Variable>& variables) {
  const Variable& first =
      *std::min_element(variables.begin(), variables.end(),
                        [](const Variable& a, const Variable& b) { return a.name() < b.name(); });
  create_non_slot_variable(options_.beta1, "beta1_power", first);
  create_non_slot_variable(options_.beta2, "beta2_power", first);
  for (const Variable& v : variables) {
    zeros_slot(v, "m", name());
    zeros_slot(v, "v", name());
  }
}

void AdamOptimizer::prepare() {
  learning_rate_t_ = convert_to_tensor(learning_rate_, "learning_rate");
  beta1_t_ = convert_to_tensor(options_.beta1, "beta1");
  beta2_t_ = convert_to_tensor(options_.beta2, "beta2");
  epsilon_t_ = convert_to_tensor(options_.epsilon, "epsilon");
}

Node* AdamOptimizer::apply_dense(NodeBuilder& b, Output grad, const Variable& variable) {
  const DType dtype = variable.dtype();
  const Output beta1_power = cast(b, non_slot_variable("beta1_power"), dtype);
  const Output beta2_power = cast(b, non_slot_variable("beta2_power"), dtype);
  const Output rate = cast(b, learning_rate_t_, dtype);
  const Output beta1 = cast(b, beta1_t_, dtype);
  const Output beta2 = cast(b, beta2_t_, dtype);
  const Output epsilon = cast(b, epsilon_t_, dtype);
  return update(b, "ApplyAdam", {variable, slot(variable, "m"), slot(variable, "v")},
                {beta1_power, beta2_power, rate, beta1, beta2, epsilon, grad},
                {{"use_locking", use_locking()}, {"use_nesterov", false}});
}

namespace {

/// moment = moment * decay, then rows `indices` += `values`; the result as a tensor.
struct DecayAndAdd {
  NodeBuilder& b;
  bool use_locking;

  Node* assign(const Variable& v, Output value) const {
    if (v.is_resource()) return b.node("AssignVariableOp", {v.ref(), value});
    return b.node("Assign", {v.ref(), value},
                  {{"use_locking", use_locking}, {"validate_shape", true}});
  }

  Output operator()(const Variable& moment, Output decay, Output indices, Output values) const {
    Node* decayed = assign(moment, mul(b, moment.value(), decay));
    ControlDependencies wait(b.graph(), {decayed});
    if (!moment.is_resource()) {
      return b.op("ScatterAdd", {moment.ref(), indices, values}, {{"use_locking", use_locking}});
    }
    Node* added = b.node("ResourceScatterAdd", {moment.ref(), indices, values});
    ControlDependencies wait_added(b.graph(), {added});
    return b.op("ReadVariableOp", {moment.ref()}, {{"dtype", moment.dtype()}});
  }
};

}  // namespace

Node* AdamOptimizer::apply_sparse(NodeBuilder& b, const IndexedSlices& grad,
                                  const Variable& variable) {
  const DType dtype = variable.dtype();
  const Output beta1_power = cast(b, non_slot_variable("beta1_power"), dtype);
  const Output beta2_power = cast(b, non_slot_variable("beta2_power"), dtype);
  const Output rate_t = cast(b, learning_rate_t_, dtype);
  const Output beta1 = cast(b, beta1_t_, dtype);
  const Output beta2 = cast(b, beta2_t_, dtype);
  const Output epsilon = cast(b, epsilon_t_, dtype);
  const auto div = [&](Output x, Output y) { return b.op("RealDiv", {x, y}, {}, "truediv"); };
  const DecayAndAdd decay_and_add{b, use_locking()};

  const Output root = b.op("Sqrt", {one_minus(b, beta2_power)});
  const Output scaled_rate = mul(b, rate_t, root);
  const Output rate = div(scaled_rate, one_minus(b, beta1_power));

  const Output m_values = mul(b, grad.values, one_minus(b, beta1));
  const Output m = decay_and_add(slot(variable, "m"), beta1, grad.indices, m_values);
  const Output squares = mul(b, grad.values, grad.values);
  const Output v_values = mul(b, squares, one_minus(b, beta2));
  const Output v = decay_and_add(slot(variable, "v"), beta2, grad.indices, v_values);

  const Output v_root = b.op("Sqrt", {v});
  const Output numerator = mul(b, rate, m);
  const Output step = div(numerator, b.op("AddV2", {v_root, epsilon}, {}, "add"));
  Node* assigned = variable.is_resource() ? b.node("AssignSubVariableOp", {variable.ref(), step})
                                          : b.node("AssignSub", {variable.ref(), step},
                                                   {{"use_locking", use_locking()}});
  return group({assigned, m.node, v.node});
}

Node* AdamOptimizer::finish(NodeBuilder& b, const std::vector<Node*>& updates,
                            const std::string& name) {
  std::vector<Node*> all = updates;
  {
    const Variable& beta1_power = non_slot_variable("beta1_power");
    const Variable& beta2_power = non_slot_variable("beta2_power");
    const DecayAndAdd decay{b, use_locking()};
    ControlDependencies wait(b.graph(), updates);
    ColocateWith colocate(b.graph(), beta1_power.node());
    all.push_back(decay.assign(beta1_power, mul(b, beta1_power.value(), beta1_t_)));
    all.push_back(decay.assign(beta2_power, mul(b, beta2_power.value(), beta2_t_)));
  }
  return group(all, {.name = name});
}

}  // namespace assay::train
