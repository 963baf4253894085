#include "assay/graph/scope.h"

#include <algorithm>

#include "assay/graph/device_name.h"
#include "assay/graph/names.h"

namespace assay {

NameScope::NameScope(Graph& graph, std::string_view name)
    : graph_(graph), previous_(graph.name_scope_) {
  if (name.empty()) {
    graph.name_scope_.clear();
    return;
  }
  check_scope_name(name, !previous_.empty());
  std::string scope =
      name.ends_with('/') ? std::string(name.substr(0, name.size() - 1)) : graph.unique_name(name);
  graph.name_scope_ = std::move(scope);
  full_ = graph.name_scope_ + "/";
}

NameScope::~NameScope() {
  graph_.name_scope_ = previous_;
}

ControlDependencies::ControlDependencies(std::vector<Node*> nodes)
    : ControlDependencies(current_graph(), std::move(nodes)) {}

ControlDependencies::ControlDependencies(Graph& graph, std::vector<Node*> nodes) : graph_(graph) {
  // Only what the scopes around do not say already (TF drops repetitions here).
  Graph::ControlFrame frame;
  std::vector<Node*> current;
  for (auto f = graph.control_stack_.rbegin(); f != graph.control_stack_.rend(); ++f) {
    current.insert(current.end(), f->nodes.begin(), f->nodes.end());
    if (f->clears) break;
  }
  for (Node* node : nodes) {
    if (node == nullptr) invalid_argument("control dependencies: a node is absent");
    if (&node->graph() != &graph) {
      invalid_argument("control dependencies: {} belongs to another graph", node->label());
    }
    if (std::find(current.begin(), current.end(), node) != current.end()) continue;
    frame.nodes.push_back(node);
    current.push_back(node);
  }
  graph.control_stack_.push_back(std::move(frame));
}

ControlDependencies::ControlDependencies(Graph& graph) : graph_(graph) {
  Graph::ControlFrame frame;
  frame.clears = true;
  graph.control_stack_.push_back(std::move(frame));
}

ControlDependencies::~ControlDependencies() {
  graph_.control_stack_.pop_back();
}

DeviceScope::DeviceScope(Graph& graph, std::string_view device) : graph_(graph) {
  graph.device_stack_.push_back(canonical_device(device));
}

DeviceScope::~DeviceScope() {
  graph_.device_stack_.pop_back();
}

ColocateWith::ColocateWith(Graph& graph, Node* node, bool ignore_existing)
    : graph_(graph),
      devices_(std::move(graph.device_stack_)),
      colocations_(graph.colocation_stack_) {
  graph.device_stack_.clear();
  if (ignore_existing || node == nullptr) graph.colocation_stack_.clear();
  if (node != nullptr) graph.colocation_stack_.push_back(node);
}

ColocateWith::~ColocateWith() {
  graph_.device_stack_ = std::move(devices_);
  graph_.colocation_stack_ = std::move(colocations_);
}

namespace {

thread_local int t_place_depth = 0;
thread_local std::source_location t_place;

}  // namespace

PlaceScope::PlaceScope(const std::source_location& where) : outermost_(t_place_depth == 0) {
  ++t_place_depth;
  if (outermost_) t_place = where;
}

PlaceScope::~PlaceScope() {
  --t_place_depth;
}

std::source_location PlaceScope::current() {
  return t_place_depth > 0 ? t_place : std::source_location();
}

}  // namespace assay
