#include "assay/api/control_flow.h"

#include <algorithm>
#include <map>
#include <string>

#include "assay/api/apply_op.h"
#include "assay/api/place_error.h"
#include "assay/graph/scope.h"

namespace assay {

Node* no_op(const NameOption& options, std::source_location where) {
  PlaceScope place(where);
  return apply_op("NoOp", options.name, {});
}

namespace {

Node* after(Graph& graph, const std::string& device, const std::vector<Node*>& nodes,
            const std::string& name) {
  ControlDependencies wait(graph, nodes);
  if (device.empty()) return apply_op("NoOp", name, {});
  DeviceScope on(graph, device);
  return apply_op("NoOp", name, {});
}

}  // namespace

Node* group(const std::vector<Node*>& nodes, const NameOption& options,
            std::source_location where) {
  PlaceScope place(where);
  for (const Node* n : nodes) {
    if (n == nullptr) internal::invalid_here("group: a node is absent");
  }
  Graph& graph = nodes.empty() ? current_graph() : nodes.front()->graph();
  GraphScope graph_scope(graph);
  NameScope scope(graph, options.name.empty() ? "group_deps" : options.name);
  if (nodes.empty()) return apply_op("NoOp", scope.full(), {});
  std::map<std::string, std::vector<Node*>> by_device;
  for (Node* n : nodes) by_device[n->device()].push_back(n);
  if (by_device.size() == 1) {
    return after(graph, by_device.begin()->first, by_device.begin()->second, scope.full());
  }
  std::vector<Node*> parts;
  for (const auto& [device, of_device] : by_device) {
    parts.push_back(after(graph, device, of_device, ""));
  }
  return after(graph, "", parts, scope.full());
}

Output with_dependencies(const std::vector<Node*>& dependencies, const Operand& x,
                         const NameOption& options, std::source_location where) {
  OpScope scope(where, options.name, "control_dependency", {&x});
  const Output tensor = convert_to_tensor(x);
  ColocateWith colocate(scope.graph(), tensor.node);
  ControlDependencies wait(scope.graph(), dependencies);
  return apply_op("Identity", scope.full(), {Operand(tensor)})->output();
}

std::vector<Output> tuple(const std::vector<Output>& tensors, const NameOption& options,
                          std::source_location where) {
  PlaceScope place(where);
  if (tensors.empty()) internal::invalid_here("tuple: at least one tensor is needed");
  GraphScope graph_scope(tensors.front().graph());
  NameScope scope(options.name.empty() ? "tuple" : options.name);
  std::vector<Node*> nodes;
  for (const Output& t : tensors) nodes.push_back(t.node);
  std::sort(nodes.begin(), nodes.end(), [](Node* a, Node* b) { return a->id() < b->id(); });
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  Node* gate = group(nodes);
  std::vector<Output> gated;
  for (const Output& t : tensors) gated.push_back(with_dependencies({gate}, t));
  return gated;
}

}  // namespace assay
