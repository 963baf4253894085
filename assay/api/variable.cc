#include "assay/api/variable.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "assay/api/apply_op.h"
#include "assay/api/control_flow.h"
#include "assay/api/place_error.h"
#include "assay/api/variable_scope.h"
#include "assay/format/proto/variable.pb.h"
#include "assay/graph/scope.h"

namespace assay {

std::string SaveSlice::spec() const {
  std::vector<std::string> extents;
  for (std::size_t i = 0; i < offset.size(); ++i) {
    extents.push_back(fmt::format("{},{}", offset[i], shape[static_cast<int>(i)]));
  }
  return fmt::format("{} {}", fmt::join(full_shape.dims(), " "), fmt::join(extents, ":"));
}

std::string VariableState::name() const {
  return ref_.name();
}

std::string VariableState::to_bytes() const {
  proto::VariableDef def;
  def.set_variable_name(ref_.name());
  if (initial_value_) def.set_initial_value_name(initial_value_.name());
  if (initializer_ != nullptr) def.set_initializer_name(initializer_->name());
  def.set_snapshot_name(snapshot_.name());
  def.set_is_resource(is_resource_);
  def.set_trainable(trainable_);
  if (save_slice_) {
    auto& slice = *def.mutable_save_slice_info_def();
    slice.set_full_name(save_slice_->full_name);
    for (const std::int64_t n : save_slice_->full_shape.dims()) slice.add_full_shape(n);
    for (const std::int64_t n : save_slice_->offset) slice.add_var_offset(n);
    for (const std::int64_t n : save_slice_->shape.dims()) slice.add_var_shape(n);
  }
  return def.SerializeAsString();
}

namespace {

Output read_resource(const Output& handle, DType dtype) {
  AttrMap attrs;
  attrs["dtype"] = dtype;
  return apply_op("ReadVariableOp", "", {Operand(handle)}, std::move(attrs))->output();
}

}  // namespace

Output VariableState::value() const {
  if (!is_resource_) return snapshot_;
  GraphScope graph_scope(graph());
  ColocateWith none(graph(), nullptr, true);
  return read_resource(ref_, dtype_);
}

/// Builds the nodes of a variable.
class VariableMaker {
 public:
  VariableMaker(const Operand& value, const std::function<Output()>& make,
                const NewVariableOptions& options)
      : value_(value), make_(make), options_(options), state_(std::make_shared<VariableState>()) {}

  std::shared_ptr<VariableState> run() {
    Graph& graph = graph_of({&value_});
    GraphScope graph_scope(graph);
    bool resource = options_.use_resource.value_or(false);
    if (!options_.use_resource) resource = get_variable_scope().use_resource().value_or(false);
    const auto outside = ControlDependencies::none(graph);
    NameScope scope(graph, options_.name);
    state_->trainable_ = options_.trainable;
    state_->is_resource_ = resource;
    if (resource) {
      build_resource(graph, scope.full());
    } else {
      build_ref(graph, scope.full());
    }
    collect(graph);
    return state_;
  }

  static std::shared_ptr<VariableState> restore(Graph& graph, const proto::VariableDef& def,
                                                const std::string& prefix) {
    auto state = std::make_shared<VariableState>();
    state->ref_ = graph.output(prefix + def.variable_name());
    if (!def.initializer_name().empty()) {
      const std::string name = prefix + def.initializer_name();
      state->initializer_ = graph.find_node(name);
      if (state->initializer_ == nullptr) {
        fail(Code::kNotFound, "variable '{}': the graph has no initializer '{}'",
             def.variable_name(), name);
      }
    }
    if (!def.initial_value_name().empty()) {
      state->initial_value_ = graph.output(prefix + def.initial_value_name());
    }
    state->is_resource_ = def.is_resource();
    state->trainable_ = def.trainable();
    if (def.has_save_slice_info_def()) {
      const auto& slice = def.save_slice_info_def();
      const std::string full = prefix + slice.full_name();
      const auto sizes = [](const auto& list) {
        return std::vector<std::int64_t>(list.begin(), list.end());
      };
      if (slice.full_shape_size() != slice.var_offset_size() ||
          slice.full_shape_size() != slice.var_shape_size()) {
        fail(Code::kDataLoss, "variable '{}': its place in '{}' is damaged", def.variable_name(),
             full);
      }
      state->save_slice_ = {.full_name = full,
                            .full_shape = Shape(sizes(slice.full_shape())),
                            .offset = sizes(slice.var_offset()),
                            .shape = Shape(sizes(slice.var_shape()))};
    }
    const Node& node = *state->ref_.node;
    state->dtype_ = def.is_resource() ? node.attr<DType>("dtype") : base_dtype(state->ref_.dtype());
    state->shape_ = node.attr_or<PartialShape>("shape", PartialShape::unknown());
    if (!def.snapshot_name().empty()) {
      state->snapshot_ = graph.output(prefix + def.snapshot_name());
    } else if (def.is_resource()) {
      state->snapshot_ = graph.output(node.name() + "/Read/ReadVariableOp:0");
    } else {
      fail(Code::kDataLoss, "variable '{}': its description names no snapshot",
           def.variable_name());
    }
    return state;
  }

 private:
  /// Nodes made from `first` on that have no `_class` get that of the variable: TensorFlow sets it
  /// by an attribute scope, before the variable's own node exists.
  static void colocate_from(Graph& graph, int first, const std::string& name) {
    for (int i = first; i < graph.num_nodes(); ++i) {
      Node& node = *graph.nodes()[static_cast<std::size_t>(i)];
      if (node.find_attr("_class") == nullptr) {
        node.set_attr("_class", std::vector<std::string>{"loc:@" + name});
      }
    }
  }

  Output made_in_scope(DType dtype) {
    NameScope scope("Initializer");
    return convert_to_tensor(make_ ? Operand(make_()) : value_, "initial_value", dtype);
  }

  void set_initial(const Output& value, const std::string& name) {
    state_->initial_value_ = value;
    state_->dtype_ = base_dtype(value.dtype());
    state_->shape_ = options_.validate_shape ? value.shape() : PartialShape::unknown();
    if (options_.validate_shape && !value.shape().is_fully_defined()) {
      internal::invalid_here(
          "variable '{}': the initial value '{}' has shape {}; a variable needs a fully known "
          "shape unless validate_shape is false",
          name, value.name(), value.shape().str());
    }
  }

  void build_ref(Graph& graph, const std::string& full) {
    const std::string name = full.substr(0, full.size() - 1);
    const int first = graph.num_nodes();
    if (make_) {
      set_initial(made_in_scope(options_.dtype), name);
    } else {
      set_initial(convert_to_tensor(value_, "initial_value", options_.dtype), name);
    }
    AttrMap attrs;
    attrs["shape"] = state_->shape_;
    attrs["dtype"] = state_->dtype_;
    state_->ref_ = apply_op("VariableV2", full, {}, std::move(attrs))->output();
    if (make_) colocate_from(graph, first, name);
    AttrMap assign;
    assign["validate_shape"] = options_.validate_shape;
    state_->initializer_ = apply_op(
        "Assign", "", {Operand(state_->ref_), Operand(state_->initial_value_)}, std::move(assign));
    ColocateWith colocate(graph, state_->ref_.node);
    state_->snapshot_ = apply_op("Identity", "read", {Operand(state_->ref_)})->output();
  }

  void build_resource(Graph& graph, const std::string& full) {
    const std::string name = full.substr(0, full.size() - 1);
    const int first = graph.num_nodes();
    set_initial(made_in_scope(options_.dtype), name);
    AttrMap attrs;
    attrs["shape"] = state_->shape_;
    attrs["dtype"] = state_->dtype_;
    attrs["shared_name"] = name;
    attrs["container"] = std::string();
    state_->ref_ = apply_op("VarHandleOp", full, {}, std::move(attrs))->output();
    colocate_from(graph, first, name);
    {
      NameScope scope("IsInitialized");
      apply_op("VarIsInitializedOp", "", {Operand(state_->ref_)});
    }
    {
      NameScope scope("Assign");
      ColocateWith none(graph, nullptr, true);
      AttrMap assign;
      assign["dtype"] = state_->dtype_;
      state_->initializer_ =
          apply_op("AssignVariableOp", scope.full(),
                   {Operand(state_->ref_), Operand(state_->initial_value_)}, std::move(assign));
    }
    NameScope scope("Read");
    state_->snapshot_ = read_resource(state_->ref_, state_->dtype_);
  }

  void collect(Graph& graph) {
    std::vector<std::string> collections = options_.collections;
    if (collections.empty()) collections.emplace_back(graph_keys::kGlobalVariables);
    if (options_.trainable && std::find(collections.begin(), collections.end(),
                                        graph_keys::kTrainableVariables) == collections.end()) {
      collections.emplace_back(graph_keys::kTrainableVariables);
    }
    for (const std::string& c : collections) graph.add_to_collection(c, state_);
  }

  const Operand& value_;
  const std::function<Output()>& make_;
  const NewVariableOptions& options_;
  std::shared_ptr<VariableState> state_;
};

namespace internal {

Variable make_variable(const Operand& value, const std::function<Output()>& make,
                       const NewVariableOptions& options) {
  return Variable(VariableMaker(value, make, options).run());
}

}  // namespace internal

Variable::Variable(const Operand& initial_value, const NewVariableOptions& options,
                   std::source_location where) {
  PlaceScope place(where);
  *this = internal::make_variable(initial_value, {}, options);
}

Variable::Variable(const std::function<Output()>& initial_value, const NewVariableOptions& options,
                   std::source_location where) {
  PlaceScope place(where);
  *this = internal::make_variable({}, initial_value, options);
}

Variable Variable::from_bytes(Graph& graph, std::string_view bytes, std::string_view import_scope) {
  proto::VariableDef def;
  if (bytes.size() > (std::size_t{1} << 20) ||
      !def.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      def.variable_name().empty()) {
    fail(Code::kDataLoss, "a variable's description (VariableDef, {} bytes) cannot be read",
         bytes.size());
  }
  return Variable(VariableMaker::restore(
      graph, def, import_scope.empty() ? std::string() : fmt::format("{}/", import_scope)));
}

Output Variable::read_value(std::source_location where) const {
  PlaceScope place(where);
  GraphScope graph_scope(graph());
  if (!is_resource()) return apply_op("Identity", "read", {Operand(ref())})->output();
  Output read;
  {
    NameScope scope("Read");
    read = read_resource(ref(), dtype());
  }
  return apply_op("Identity", "", {Operand(read)})->output();
}

namespace {

Output change(const VariableState& v, const char* ref_op, const char* resource_op,
              const Operand& value, const AssignOptions& options,
              const std::source_location& where) {
  PlaceScope place(where);
  GraphScope graph_scope(v.graph());
  AttrMap attrs;
  if (!v.is_resource()) {
    attrs["use_locking"] = options.use_locking;
    return apply_op(ref_op, options.name, {Operand(v.ref()), value}, std::move(attrs))->output();
  }
  attrs["dtype"] = v.dtype();
  const Output converted = convert_to_tensor(value, "", v.dtype());
  Node* done =
      apply_op(resource_op, options.name, {Operand(v.ref()), Operand(converted)}, std::move(attrs));
  ControlDependencies after(v.graph(), {done});
  return read_resource(v.ref(), v.dtype());
}

}  // namespace

Output Variable::assign(const Operand& value, const AssignOptions& options,
                        std::source_location where) const {
  return change(get(), "Assign", "AssignVariableOp", value, options, where);
}

Output Variable::assign_add(const Operand& delta, const AssignOptions& options,
                            std::source_location where) const {
  return change(get(), "AssignAdd", "AssignAddVariableOp", delta, options, where);
}

Output Variable::assign_sub(const Operand& delta, const AssignOptions& options,
                            std::source_location where) const {
  return change(get(), "AssignSub", "AssignSubVariableOp", delta, options, where);
}

std::vector<Variable> variables_in(const Graph& graph, const std::string& collection,
                                   std::string_view scope) {
  std::vector<Variable> all;
  for (const CollectionItem& item : graph.collection(collection)) {
    const auto* object = std::get_if<std::shared_ptr<CollectionObject>>(&item);
    if (object == nullptr) continue;
    if (auto state = std::dynamic_pointer_cast<VariableState>(*object)) {
      if (state->name().starts_with(scope)) all.emplace_back(std::move(state));
    }
  }
  return all;
}

std::vector<Variable> global_variables(std::string_view scope) {
  return variables_in(current_graph(), graph_keys::kGlobalVariables, scope);
}

std::vector<Variable> trainable_variables(std::string_view scope) {
  return variables_in(current_graph(), graph_keys::kTrainableVariables, scope);
}

std::vector<Variable> local_variables(std::string_view scope) {
  return variables_in(current_graph(), graph_keys::kLocalVariables, scope);
}

Node* variables_initializer(const std::vector<Variable>& variables, const NameOption& options,
                            std::source_location where) {
  PlaceScope place(where);
  if (variables.empty()) return no_op(options);
  GraphScope graph_scope(variables.front().graph());
  std::vector<Node*> nodes;
  for (const Variable& v : variables) nodes.push_back(v.initializer());
  return group(nodes, options);
}

Node* global_variables_initializer(std::source_location where) {
  return variables_initializer(global_variables(), {.name = "init"}, where);
}

Node* local_variables_initializer(std::source_location where) {
  return variables_initializer(local_variables(), {.name = "init"}, where);
}

Output is_variable_initialized(const Variable& variable, const NameOption& options,
                               std::source_location where) {
  return apply_op(where, variable.is_resource() ? "VarIsInitializedOp" : "IsVariableInitialized",
                  options.name, {Operand(variable.ref())});
}

}  // namespace assay
