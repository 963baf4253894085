#pragma once

#include <initializer_list>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "assay/api/operand.h"
#include "assay/graph/scope.h"

namespace assay {

/// One argument of an op: a tensor, an integer list, or a list of tensors.
using OpArg = std::variant<Operand, IntList, std::vector<Operand>>;

/// The scope that a public function opens (`with ops.name_scope(name, default_name, values)`):
/// notes the user's line, enters the graph of the operands, and opens the name scope. Its full()
/// given as a name makes the node that carries the scope's own name.
class OpScope {
 public:
  /// `name` wins over `default_name`; `values` are the operands whose graph is entered.
  OpScope(const std::source_location& where, const std::string& name, std::string_view default_name,
          std::initializer_list<const Operand*> values = {});
  OpScope(const std::source_location& where, const std::string& name, std::string_view default_name,
          const std::vector<Operand>& values);
  const std::string& full() const { return scope_->full(); }
  Graph& graph() const { return *graph_; }

 private:
  PlaceScope place_;
  Graph* graph_;
  std::optional<GraphScope> graph_scope_;
  std::optional<NameScope> scope_;
};

/// Adds a node as TensorFlow's generated op functions do: opens the name scope, converts the
/// arguments that are no tensors to Const nodes inside it, named after the op's arguments and of
/// the dtype that earlier arguments decide, then makes the node. `name` as in NodeSpec.
Node* apply_op(std::string_view op, const std::string& name, const std::vector<OpArg>& args,
               AttrMap attrs = {});

/// The same for a public function without a scope of its own; returns output 0.
Output apply_op(const std::source_location& where, std::string_view op, const std::string& name,
                const std::vector<OpArg>& args, AttrMap attrs = {});

/// The graph that the first of `values` that is a tensor belongs to, else the current one. Throws
/// InvalidArgument when they belong to different graphs.
Graph& graph_of(const std::vector<const Operand*>& values);

}  // namespace assay
