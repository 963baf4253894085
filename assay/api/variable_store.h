#pragma once

#include <map>
#include <source_location>
#include <string>

#include "assay/api/partitioned_variable.h"
#include "assay/api/variable_scope.h"

namespace assay {

/// The variables that get_variable made in a graph, and its variable scopes.
struct VariableStore {
  /// A variable, and the source line that made it, for messages.
  struct Entry {
    Variable variable;
    std::source_location where;
  };
  std::map<std::string, Entry> variables;
  std::map<std::string, PartitionedVariable> partitioned;
  VariableScopeHandle scope;
  /// How often a variable scope of a name was opened inside its parent.
  std::map<std::string, int> counts;

  /// Forgets how often the scopes under `name` were opened: they are counted anew.
  void close_subscopes(const std::string& name) {
    for (auto& [key, count] : counts) {
      if (key.starts_with(name + "/")) count = 0;
    }
  }

  /// The graph's own store, made at the first call.
  static VariableStore& of(Graph& graph);
};

namespace internal {

/// Makes or shares the variable of a full name, as get_variable does inside its scopes. A part of
/// a partitioned variable says of which whole it is.
Variable get_single_variable(VariableStore& store, const std::string& full_name,
                             const std::optional<PartialShape>& shape, DType dtype,
                             VariableOptions options, const VariablePart* part = nullptr);

}  // namespace internal

}  // namespace assay
