#include "assay/train/optimizer.h"

#include <algorithm>
#include <set>

#include "assay/api/control_flow.h"
#include "assay/api/place_error.h"
#include "assay/api/variable_scope.h"
#include "assay/autodiff/gradients.h"
#include "assay/graph/scope.h"

namespace assay::train {

namespace internal {

Output cast(NodeBuilder& b, Output x, DType dtype) {
  if (base_dtype(x.dtype()) == dtype) return x;
  return b.op("Cast", {x}, {{"DstT", dtype}}, "Cast");
}

Output cast(NodeBuilder& b, const Variable& x, DType dtype) {
  // TensorFlow opens the scope "Cast" before it sees that a variable's value needs no cast.
  NameScope scope(b.graph(), "Cast");
  const Output value = x.value();
  if (base_dtype(value.dtype()) == dtype) return value;
  return b.op("Cast", {value}, {{"DstT", dtype}}, scope.full());
}

Node* update(NodeBuilder& b, const std::string& op, const std::vector<Variable>& refs,
             const std::vector<Output>& values, AttrMap attrs) {
  const bool resource = refs.front().is_resource();
  std::vector<Output> inputs;
  for (const Variable& v : refs) inputs.push_back(v.ref());
  inputs.insert(inputs.end(), values.begin(), values.end());
  return b.node(resource ? "Resource" + op : op, std::move(inputs), std::move(attrs));
}

Output mul(NodeBuilder& b, Output x, Output y) {
  return b.op("Mul", {x, y}, {}, "mul");
}

Output one_minus(NodeBuilder& b, Output x) {
  NameScope scope(b.graph(), "sub");
  const Output one = b.scalar(1, base_dtype(x.dtype()), "x");
  return b.op("Sub", {one, x}, {}, scope.full());
}

}  // namespace internal

namespace {

/// `shape[0]`.
Output first_element(NodeBuilder& b, Output shape) {
  NameScope scope(b.graph(), "strided_slice");
  const Output begin = b.ints({0}, "stack");
  const Output end = b.ints({1}, "stack_1");
  const Output strides = b.ints({1}, "stack_2");
  return b.op("StridedSlice", {shape, begin, end, strides},
              {{"begin_mask", std::int64_t{0}},
               {"end_mask", std::int64_t{0}},
               {"ellipsis_mask", std::int64_t{0}},
               {"new_axis_mask", std::int64_t{0}},
               {"shrink_axis_mask", std::int64_t{1}}},
              scope.full());
}

/// Adds up the rows of equal index: TF's _deduplicate_indexed_slices.
IndexedSlices deduplicate(NodeBuilder& b, const IndexedSlices& slices) {
  Node* unique = b.node("Unique", {slices.indices});
  const Output shape = b.op("Shape", {unique->output(0)}, {}, "Shape");
  const Output count = first_element(b, shape);
  const Output sums = b.op("UnsortedSegmentSum", {slices.values, unique->output(1), count});
  return {.values = sums, .indices = unique->output(0), .dense_shape = slices.dense_shape};
}

void check_dtype(DType dtype, const std::string& what) {
  if (!is_floating(base_dtype(dtype))) {
    assay::internal::invalid_here(
        "{} is {}; an optimizer works on float16, bfloat16, float32 or float64", what,
        dtype_name(base_dtype(dtype)));
  }
}

/// tf.tuple: every gradient is available only once all are.
void gate_all(NodeBuilder& b, std::vector<Gradient>& grads) {
  NameScope scope(b.graph(), "tuple");
  std::vector<Node*> gates;
  for (const Gradient& g : grads) {
    if (g.defined()) gates.push_back(g.is_sparse() ? g.slices.values.node : g.dense.node);
  }
  Node* gate = group(gates);
  for (Gradient& g : grads) {
    if (!g.defined()) continue;
    NameScope inner(b.graph(), "control_dependency");
    Output& main = g.is_sparse() ? g.slices.values : g.dense;
    ColocateWith colocate(b.graph(), main.node);
    ControlDependencies wait(b.graph(), {gate});
    main = b.op("Identity", {main}, {}, inner.full());
    if (g.is_sparse()) {
      g.slices.indices = b.op("Identity", {g.slices.indices}, {}, "indices");
      if (g.slices.dense_shape) {
        g.slices.dense_shape = b.op("Identity", {g.slices.dense_shape}, {}, "dense_shape");
      }
    }
  }
}

}  // namespace

Optimizer::~Optimizer() = default;

Node* Optimizer::minimize(Output loss, const MinimizeOptions& options, std::source_location where) {
  PlaceScope place(where);
  const auto grads_and_vars =
      compute_gradients(loss, {.var_list = options.var_list,
                               .gate_gradients = options.gate_gradients,
                               .colocate_gradients_with_ops = options.colocate_gradients_with_ops,
                               .grad_loss = options.grad_loss});
  return apply_gradients(grads_and_vars,
                         {.global_step = options.global_step, .name = options.name});
}

std::vector<GradientAndVariable> Optimizer::compute_gradients(
    Output loss, const ComputeGradientsOptions& options, std::source_location where) {
  PlaceScope place(where);
  if (!loss) assay::internal::invalid_here("{}: the loss to minimize is not set", name_);
  check_dtype(loss.dtype(), fmt::format("the loss '{}'", loss.name()));
  Graph& graph = loss.graph();
  GraphScope scope(graph);
  std::vector<Variable> variables = options.var_list;
  if (variables.empty()) variables = trainable_variables();
  if (variables.empty()) {
    assay::internal::invalid_here(
        "{}: there is no variable to optimize; the graph has no trainable variables", name_);
  }
  std::vector<Output> xs;
  for (const Variable& v : variables) {
    check_dtype(v.dtype(), fmt::format("the variable '{}'", v.name()));
    xs.push_back(v.ref());
  }
  GradientsOptions how;
  if (options.grad_loss) how.grad_ys = {options.grad_loss};
  how.gate_gradients = options.gate_gradients == GateGradients::kOp;
  how.colocate_gradients_with_ops = options.colocate_gradients_with_ops;
  std::vector<Gradient> grads = gradients({loss}, xs, how);
  NodeBuilder b(graph);
  if (options.gate_gradients == GateGradients::kGraph) gate_all(b, grads);
  std::vector<GradientAndVariable> pairs;
  for (std::size_t i = 0; i < grads.size(); ++i) pairs.push_back({grads[i], variables[i]});
  return pairs;
}

Node* Optimizer::apply_gradients(const std::vector<GradientAndVariable>& grads_and_vars,
                                 const ApplyGradientsOptions& options, std::source_location where) {
  PlaceScope place(where);
  std::vector<Variable> variables;
  for (const auto& [gradient, variable] : grads_and_vars) {
    if (gradient.defined()) variables.push_back(variable);
  }
  if (variables.empty()) {
    std::string names;
    for (const auto& pair : grads_and_vars) {
      names += (names.empty() ? "'" : ", '") + pair.variable.name() + "'";
    }
    assay::internal::invalid_here(
        "{}: no gradient for any variable; the loss does not depend on {}", name_,
        names.empty() ? "any" : names);
  }
  Graph& graph = variables.front().graph();
  if (graph_ != nullptr && graph_ != &graph) {
    assay::internal::invalid_here(
        "{}: an optimizer serves one graph; make another one for the second graph", name_);
  }
  graph_ = &graph;
  GraphScope graph_scope(graph);
  NodeBuilder b(graph);
  {
    const auto outside = ControlDependencies::none(graph);
    create_slots(variables);
  }
  NameScope scope(graph, options.name.empty() ? name_ : options.name);
  prepare();
  std::vector<Node*> updates;
  for (const auto& [gradient, variable] : grads_and_vars) {
    if (!gradient.defined()) continue;
    NameScope update_scope(graph, "update_" + variable.op_name());
    ColocateWith colocate(graph, variable.node());
    updates.push_back(gradient.is_sparse() ? apply_sparse_duplicates(b, gradient.slices, variable)
                                           : apply_dense(b, gradient.dense, variable));
  }
  Node* train_op = nullptr;
  if (!options.global_step) {
    train_op = finish(b, updates, scope.full());
  } else {
    const Variable& step = *options.global_step;
    ControlDependencies wait(graph, {finish(b, updates, "update")});
    ColocateWith colocate(graph, step.node());
    if (step.is_resource()) {
      const Output one = b.scalar(1, step.dtype(), "Const");
      train_op = b.node("AssignAddVariableOp", {step.ref(), one}, {}, scope.full());
    } else {
      const Output one = b.scalar(1, step.dtype(), "value");
      train_op = b.node("AssignAdd", {step.ref(), one}, {{"use_locking", false}}, scope.full());
    }
  }
  const auto& collected = graph.collection(graph_keys::kTrainOp);
  if (std::find(collected.begin(), collected.end(), CollectionItem(train_op)) == collected.end()) {
    graph.add_to_collection(graph_keys::kTrainOp, train_op);
  }
  return train_op;
}

Node* Optimizer::apply_sparse_duplicates(NodeBuilder& b, const IndexedSlices& grad,
                                         const Variable& variable) {
  return apply_sparse(b, deduplicate(b, grad), variable);
}

Node* Optimizer::finish(NodeBuilder&, const std::vector<Node*>& updates, const std::string& name) {
  return group(updates, {.name = name});
}

std::optional<Variable> Optimizer::get_slot(const Variable& variable,
                                            const std::string& slot_name) const {
  const auto named = slots_.find(slot_name);
  if (named == slots_.end()) return std::nullopt;
  const auto found = named->second.find(variable.node());
  if (found == named->second.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> Optimizer::get_slot_names() const {
  std::vector<std::string> names;
  for (const auto& [name, unused] : slots_) names.push_back(name);
  return names;
}

std::vector<Variable> Optimizer::variables() const {
  std::vector<Variable> all;
  for (const auto& [name, variable] : non_slots_) all.push_back(variable);
  for (const auto& [name, named] : slots_) {
    for (const auto& [primary, variable] : named) all.push_back(variable);
  }
  std::sort(all.begin(), all.end(),
            [](const Variable& a, const Variable& b) { return a.name() < b.name(); });
  return all;
}

Variable Optimizer::initialized_slot(const Variable& variable, Initializer initializer,
                                     const std::string& slot_name, const std::string& op_name) {
  auto& named = slots_[slot_name];
  const auto found = named.find(variable.node());
  if (found != named.end()) return found->second;
  // The slot's name is the variable scope's own: "W/Adam", then "W/Adam_1".
  const VariableScope scope = VariableScope::with_default_name(variable.op_name() + "/" + op_name);
  ColocateWith colocate(variable.graph(), variable.node());
  Variable made = get_variable("", Dims(variable.shape()),
                               {.initializer = std::move(initializer),
                                .dtype = variable.dtype(),
                                .trainable = false,
                                .use_resource = variable.is_resource()});
  if (const auto& slice = variable.state()->save_slice()) {
    // The slot of a part is a part of the whole's slot. TensorFlow cuts the slot's own name where
    // the variable's would end, also when the slot is under another scope: checkpoints have it so.
    SaveSlice of_slot = *slice;
    const std::string name = made.op_name();
    of_slot.full_name += "/" + name.substr(std::min(name.size(), variable.op_name().size() + 1));
    made.state()->set_save_slice(std::move(of_slot));
  }
  named.emplace(variable.node(), made);
  return made;
}

Variable Optimizer::zeros_slot(const Variable& variable, const std::string& slot_name,
                               const std::string& op_name) {
  return initialized_slot(variable, zeros_initializer(), slot_name, op_name);
}

const Variable& Optimizer::slot(const Variable& variable, const std::string& slot_name) const {
  return slots_.at(slot_name).at(variable.node());
}

void Optimizer::create_non_slot_variable(const Operand& initial, const std::string& name,
                                         const Variable& colocate_with) {
  if (non_slots_.contains(name)) return;
  Graph& graph = colocate_with.graph();
  ColocateWith colocate(graph, colocate_with.node());
  non_slots_.emplace(name, Variable(initial, {.trainable = false,
                                              .use_resource = colocate_with.is_resource(),
                                              .name = name}));
}

const Variable& Optimizer::non_slot_variable(const std::string& name) const {
  return non_slots_.at(name);
}

}  // namespace assay::train
