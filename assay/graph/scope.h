#pragma once

#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "assay/graph/graph.h"

namespace assay {

/// Names made while it lives get this prefix (tf.name_scope / Graph.name_scope). "a" makes a
/// unique scope ("a", then "a_1"); "a/" re-enters exactly "a"; "" goes to the top level.
class NameScope {
 public:
  /// In the thread's current graph, or in `graph`, which must outlive it.
  explicit NameScope(std::string_view name) : NameScope(current_graph(), name) {}
  NameScope(Graph& graph, std::string_view name);
  ~NameScope();
  NameScope(const NameScope&) = delete;
  NameScope& operator=(const NameScope&) = delete;
  /// The full scope with a final slash ("a/b/"), or "" at the top level. As a node's name it
  /// gives exactly the scope's name.
  const std::string& full() const { return full_; }

 private:
  Graph& graph_;
  std::string previous_;
  std::string full_;
};

/// Nodes made while it lives run after `nodes` (tf.control_dependencies).
class ControlDependencies {
 public:
  /// Added to those of the scopes around it.
  explicit ControlDependencies(std::vector<Node*> nodes);
  ControlDependencies(Graph& graph, std::vector<Node*> nodes);
  /// Clears all control dependencies (and nothing else) while it lives:
  /// tf.control_dependencies(None).
  static ControlDependencies none(Graph& graph) { return ControlDependencies(graph); }
  ~ControlDependencies();
  ControlDependencies(const ControlDependencies&) = delete;
  ControlDependencies& operator=(const ControlDependencies&) = delete;

 private:
  explicit ControlDependencies(Graph& graph);
  Graph& graph_;
};

/// Nodes made while it lives carry this device, such as "/cpu:0" (tf.device); "" adds nothing.
/// Throws InvalidArgument for what is no device.
class DeviceScope {
 public:
  /// In the thread's current graph, or in `graph`, which must outlive it.
  explicit DeviceScope(std::string_view device) : DeviceScope(current_graph(), device) {}
  DeviceScope(Graph& graph, std::string_view device);
  ~DeviceScope();
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  Graph& graph_;
};

/// Nodes made while it lives get the attribute `_class = ["loc:@NAME"]` (tf.colocate_with);
/// device scopes around it do not count inside. With `ignore_existing` neither do colocations
/// around it; a null node drops them and adds none.
class ColocateWith {
 public:
  ColocateWith(Graph& graph, Node* node, bool ignore_existing = false);
  ~ColocateWith();
  ColocateWith(const ColocateWith&) = delete;
  ColocateWith& operator=(const ColocateWith&) = delete;

 private:
  Graph& graph_;
  std::vector<std::string> devices_;
  std::vector<Node*> colocations_;
};

/// The outermost one on this thread says which user's line the nodes made meanwhile come from.
/// Every public function that builds nodes opens one with its defaulted source_location.
class PlaceScope {
 public:
  /// Changes nothing when one is open on this thread already.
  explicit PlaceScope(const std::source_location& where);
  ~PlaceScope();
  PlaceScope(const PlaceScope&) = delete;
  PlaceScope& operator=(const PlaceScope&) = delete;
  /// line() is 0 when no scope is open.
  static std::source_location current();

 private:
  bool outermost_;
};

}  // namespace assay
