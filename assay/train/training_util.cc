#include "assay/train/training_util.h"

#include "assay/api/variable_scope.h"
#include "assay/graph/scope.h"

namespace assay::train {

namespace {

Graph& graph_or_current(Graph* graph) {
  return graph != nullptr ? *graph : current_graph();
}

void check_global_step(const Variable& step) {
  if (!is_integer(step.dtype())) {
    invalid_argument("the global step '{}' is {}, not an integer", step.name(),
                     dtype_name(step.dtype()));
  }
  if (step.shape().has_rank() && step.shape().rank() != 0) {
    invalid_argument("the global step '{}' has shape {}, it must be a scalar", step.name(),
                     step.shape().str());
  }
}

}  // namespace

std::optional<Variable> get_global_step(Graph* graph) {
  const Graph& g = graph_or_current(graph);
  std::vector<Variable> found = variables_in(g, graph_keys::kGlobalStep);
  if (found.size() > 1) {
    fail(Code::kFailedPrecondition, "the collection 'global_step' holds {} variables",
         found.size());
  }
  if (found.empty()) {
    for (const Variable& v : variables_in(g, graph_keys::kGlobalVariables)) {
      if (v.op_name() == "global_step") found.push_back(v);
    }
    if (found.empty()) return std::nullopt;
  }
  check_global_step(found.front());
  return found.front();
}

Variable create_global_step(Graph* graph, std::source_location where) {
  PlaceScope place(where);
  GraphScope scope(graph_or_current(graph));
  if (const auto there = get_global_step()) {
    fail(Code::kAlreadyExists, "the graph has a global step already: '{}' ({})", there->name(),
         there->node()->place());
  }
  NameScope top("");
  return get_variable(graph_keys::kGlobalStep, Dims(Shape{}),
                      {.initializer = zeros_initializer(),
                       .dtype = int64,
                       .trainable = false,
                       .collections = {graph_keys::kGlobalVariables, graph_keys::kGlobalStep}});
}

Variable get_or_create_global_step(Graph* graph, std::source_location where) {
  if (auto there = get_global_step(graph)) return *there;
  return create_global_step(graph, where);
}

std::int64_t global_step(Session& session, const Variable& step) {
  const Tensor value = session.run(step.value());
  return value.dtype() == int32 ? value.item<std::int32_t>() : value.item<std::int64_t>();
}

}  // namespace assay::train
