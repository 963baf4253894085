#include "assay/api/variable_scope.h"

#include <any>
#include <utility>

#include "assay/api/apply_op.h"
#include "assay/api/place_error.h"
#include "assay/api/variable_store.h"

namespace assay {

VariableStore& VariableStore::of(Graph& graph) {
  std::any& slot = graph.attachment("variable_store");
  if (!slot.has_value()) slot = std::make_shared<VariableStore>();
  return *std::any_cast<std::shared_ptr<VariableStore>&>(slot);
}

VariableScopeHandle get_variable_scope() {
  return VariableStore::of(current_graph()).scope;
}

void VariableScope::override(VariableScopeHandle& handle, const VariableScopeOptions& options) {
  if (options.initializer.defined()) handle.set_initializer(options.initializer);
  if (options.regularizer) handle.set_regularizer(options.regularizer);
  if (options.dtype != DType::kInvalid) handle.set_dtype(options.dtype);
  if (options.use_resource) handle.set_use_resource(*options.use_resource);
}

void VariableScope::open_name_scope(std::string_view name, bool auxiliary) {
  if (auxiliary) {
    name_scope_.emplace(graph_, name);
  } else {
    const std::string& current = graph_.name_scope();
    name_scope_.emplace(graph_, current.empty() ? current : current + "/");
  }
}

void VariableScope::enter_new(std::string_view name, const VariableScopeOptions& options) {
  VariableStore& store = VariableStore::of(graph_);
  previous_ = store.scope;
  const VariableScopeHandle::Data& outer = *previous_.data_;
  VariableScopeHandle::Data data = outer;
  data.name = outer.name.empty() ? std::string(name) : fmt::format("{}/{}", outer.name, name);
  data.name_scope = name_scope_->full();
  data.reuse = options.reuse.is_false() ? outer.reuse : options.reuse;
  *handle_.data_ = std::move(data);
  override(handle_, options);
  ++store.counts[handle_.name()];
  store.scope = handle_;
}

VariableScope::VariableScope(std::string_view name, const VariableScopeOptions& options)
    : graph_(current_graph()) {
  if (name.empty()) internal::invalid_here("VariableScope: the name is empty");
  open_name_scope(name, options.auxiliary_name_scope);
  enter_new(name, options);
}

VariableScope::VariableScope(std::string_view default_name, const VariableScopeOptions& options,
                             Unique)
    : graph_(current_graph()) {
  open_name_scope(default_name, options.auxiliary_name_scope);
  const VariableStore& store = VariableStore::of(graph_);
  const std::string& outer = store.scope.name();
  const std::string base =
      outer.empty() ? std::string(default_name) : fmt::format("{}/{}", outer, default_name);
  const auto count = [&](const std::string& key) {
    const auto it = store.counts.find(key);
    return it == store.counts.end() ? 0 : it->second;
  };
  std::string name(default_name);
  if (count(base) > 0) {
    int i = 1;
    while (count(fmt::format("{}_{}", base, i)) > 0) ++i;
    name = fmt::format("{}_{}", default_name, i);
  }
  enter_new(name, options);
}

VariableScope::VariableScope(const VariableScopeHandle& scope, const VariableScopeOptions& options)
    : graph_(current_graph()), reentered_(true) {
  const std::size_t slash = scope.name().rfind('/');
  const std::string last =
      slash == std::string::npos ? scope.name() : scope.name().substr(slash + 1);
  if (!last.empty() || !options.auxiliary_name_scope) {
    open_name_scope(last, options.auxiliary_name_scope);
  }
  VariableStore& store = VariableStore::of(graph_);
  previous_ = store.scope;
  *handle_.data_ = *scope.data_;
  if (!options.reuse.is_false()) handle_.data_->reuse = options.reuse;
  override(handle_, options);
  ++store.counts[handle_.name()];
  old_counts_ = store.counts;
  store.scope = handle_;
}

VariableScope::~VariableScope() {
  VariableStore& store = VariableStore::of(graph_);
  if (reentered_) {
    store.counts = std::move(old_counts_);
  } else {
    store.close_subscopes(handle_.name());
  }
  store.scope = previous_;
}

namespace {

Variable share(const std::string& name, const VariableStore::Entry& found,
               const std::optional<PartialShape>& shape, DType dtype) {
  const Variable& v = found.variable;
  if (shape && !shape->is_compatible_with(v.shape())) {
    throw Error(Code::kInvalidArgument,
                fmt::format("get_variable: '{}' (made at {}) has shape {}, asked for with shape {} "
                            "at {}",
                            name, place_of(found.where), v.shape().str(), shape->str(),
                            place_of(PlaceScope::current())),
                v.op_name(), place_of(PlaceScope::current()));
  }
  if (dtype != DType::kInvalid && dtype != v.dtype()) {
    throw Error(Code::kInvalidArgument,
                fmt::format("get_variable: '{}' (made at {}) is {}, asked for as {} at {}", name,
                            place_of(found.where), dtype_name(v.dtype()), dtype_name(dtype),
                            place_of(PlaceScope::current())),
                v.op_name(), place_of(PlaceScope::current()));
  }
  return v;
}

Initializer default_initializer(const std::string& name, DType dtype) {
  if (is_floating(dtype)) return glorot_uniform_initializer();
  if (is_integer(dtype) || dtype == DType::kBool || dtype == DType::kString) {
    return zeros_initializer();
  }
  internal::invalid_here("get_variable: '{}' of dtype {} needs an initializer", name,
                         dtype_name(dtype));
}

Variable make(const std::string& name, const std::optional<PartialShape>& shape, DType dtype,
              Initializer initializer, const VariableOptions& options, const VariablePart* part) {
  NewVariableOptions made{.trainable = options.trainable,
                          .collections = options.collections,
                          .validate_shape = options.validate_shape,
                          .use_resource = options.use_resource,
                          .name = name};
  if (options.initial_value.defined()) {
    return internal::make_variable(options.initial_value, {}, made);
  }
  if (!shape || !shape->is_fully_defined()) {
    internal::invalid_here(
        "get_variable: '{}' does not exist yet, and to make it its shape must be fully known "
        "(got {}) or an initial value given",
        name, shape ? shape->str() : "none");
  }
  if (!initializer.defined()) initializer = default_initializer(name, dtype);
  made.dtype = dtype;
  const Shape sizes = shape->to_shape();
  return internal::make_variable(
      {},
      [&] {
        return part != nullptr ? initializer(sizes, dtype, *part) : initializer(sizes, dtype);
      },
      made);
}

void regularize(Graph& graph, const Variable& v, const Regularizer& regularizer) {
  ColocateWith colocate(graph, v.node());
  NameScope scope(graph, v.op_name() + "/Regularizer/");
  const Output loss = regularizer(v.value());
  if (loss) graph.add_to_collection(graph_keys::kRegularizationLosses, loss);
}

}  // namespace

Variable internal::get_single_variable(VariableStore& store, const std::string& full,
                                       const std::optional<PartialShape>& shape, DType dtype,
                                       VariableOptions options, const VariablePart* part) {
  const VariableScopeHandle scope = store.scope;
  if (!options.use_resource) options.use_resource = scope.use_resource();
  const DType asked = base_dtype(options.dtype);
  const auto found = store.variables.find(full);
  if (found != store.variables.end()) {
    if (scope.reuse().is_false()) {
      throw Error(
          Code::kAlreadyExists,
          fmt::format("get_variable: '{}' exists already: first made at {}, now asked for at {}; "
                      "to share it, open its VariableScope with .reuse = true or AUTO_REUSE, or "
                      "call reuse_variables()",
                      full, place_of(found->second.where), place_of(PlaceScope::current())),
          full, place_of(PlaceScope::current()));
    }
    return share(full, found->second, shape, asked);
  }
  if (scope.reuse().is_true()) {
    throw Error(Code::kNotFound,
                fmt::format("get_variable: '{}', asked for at {}, is to be shared (reuse is true), "
                            "but get_variable never made it; AUTO_REUSE makes what does not exist",
                            full, place_of(PlaceScope::current())),
                full, place_of(PlaceScope::current()));
  }
  const Variable v = make(full, shape, dtype,
                          options.initializer.defined() ? options.initializer : scope.initializer(),
                          options, part);
  store.variables[full] = {v, PlaceScope::current()};
  const Regularizer& regularizer = options.regularizer ? options.regularizer : scope.regularizer();
  if (regularizer) regularize(v.graph(), v, regularizer);
  return v;
}

namespace {

Variable get(const std::string& name, const std::optional<PartialShape>& shape,
             const VariableOptions& options) {
  if (options.initial_value.defined() && (shape || options.initializer.defined())) {
    internal::invalid_here(
        "get_variable: '{}' has an initial value, which gives the shape; {} must not be given too",
        name, shape ? "a shape" : "an initializer");
  }
  Graph& graph = graph_of({&options.initial_value});
  GraphScope graph_scope(graph);
  VariableStore& store = VariableStore::of(graph);
  const VariableScopeHandle scope = store.scope;
  const std::string full = scope.name().empty() ? name : fmt::format("{}/{}", scope.name(), name);
  if (store.variables.contains(full + "/part_0") && !store.variables.contains(full)) {
    internal::invalid_here(
        "get_variable: '{}' exists already, in parts; get_partitioned_variable() shares it", full);
  }
  NameScope top(graph, "");
  VariableOptions chosen = options;
  const DType asked = base_dtype(options.dtype);
  DType dtype = asked;
  if (options.initial_value.defined()) {
    if (asked == DType::kInvalid) {
      dtype = options.initial_value.dtype();
    } else {
      // TensorFlow converts the value once to look at its dtype; the node stays in the graph.
      if (options.initial_value.is_constant()) {
        chosen.initial_value = convert_constant(options.initial_value.constant(), asked);
      }
      convert_to_tensor(chosen.initial_value, "", asked);
    }
  } else if (dtype == DType::kInvalid) {
    dtype = scope.dtype();
  }
  return internal::get_single_variable(store, full, shape, dtype, chosen);
}

}  // namespace

Variable get_variable(const std::string& name, std::initializer_list<Dims::Size> shape,
                      const VariableOptions& options, std::source_location where) {
  PlaceScope place(where);
  return get(name, Dims(shape).shape(), options);
}

Variable get_variable(const std::string& name, const Dims& shape, const VariableOptions& options,
                      std::source_location where) {
  PlaceScope place(where);
  return get(name, shape.shape(), options);
}

Variable get_variable(const std::string& name, const VariableOptions& options,
                      std::source_location where) {
  PlaceScope place(where);
  return get(name, std::nullopt, options);
}

}  // namespace assay
