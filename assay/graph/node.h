#pragma once

#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "assay/graph/attr.h"
#include "assay/graph/op_def.h"

namespace assay {

class Graph;
class Node;

/// One output of a node; a small value, valid as long as its graph. Default: no output at all
/// (operator bool is false).
struct Output {
  Node* node = nullptr;
  int index = 0;

  explicit operator bool() const { return node != nullptr; }
  /// The base dtype or, for a VariableV2's output, its reference dtype.
  DType dtype() const;
  const PartialShape& shape() const;
  /// "scope/name:0".
  std::string name() const;
  /// "scope/name" for output 0, "scope/name:1" for others: how GraphDef writes an input.
  std::string input_name() const;
  Graph& graph() const;
  friend bool operator==(const Output&, const Output&) = default;
  friend auto operator<=>(const Output&, const Output&) = default;
};

/// A node of a graph: an op with a name, inputs and attributes. Owned by its Graph; its address
/// is stable. Never removed.
class Node {
 public:
  /// Position in order of creation, from 0.
  int id() const { return id_; }
  const std::string& name() const { return name_; }
  const std::string& op() const { return op_; }
  /// Null for an op that Assay does not know (such a node can be carried but not run).
  const OpDef* def() const { return def_; }
  Graph& graph() const { return *graph_; }
  const std::vector<Output>& inputs() const { return inputs_; }
  const Output& input(int i) const { return inputs_.at(static_cast<std::size_t>(i)); }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  const std::vector<Node*>& control_inputs() const { return control_inputs_; }
  int num_outputs() const { return static_cast<int>(output_dtypes_.size()); }
  DType output_dtype(int i) const { return output_dtypes_.at(static_cast<std::size_t>(i)); }
  const PartialShape& output_shape(int i) const {
    return output_shapes_.at(static_cast<std::size_t>(i));
  }
  Output output(int i = 0) { return {this, i}; }
  const std::string& device() const { return device_; }
  const AttrMap& attrs() const { return attrs_; }
  /// Null when the node has no such attribute.
  const AttrValue* find_attr(std::string_view name) const;
  /// The attribute's value; throws InvalidArgument when it is missing or of another kind. An
  /// empty list reads as an empty vector of any kind.
  template <typename T>
  T attr(std::string_view name) const;
  /// The same, or `fallback` when the node has no such attribute.
  template <typename T>
  T attr_or(std::string_view name, T fallback) const {
    return find_attr(name) != nullptr ? attr<T>(name) : fallback;
  }
  /// The user's source line; line() is 0 when unknown (an imported node).
  const std::source_location& where() const { return where_; }
  /// "file.cc:12", or "" when unknown.
  std::string place() const;
  /// "MatMul 'fc1/MatMul' (model.cc:57)": how messages name a node.
  std::string label() const;

  /// Narrows an output's shape by what is known otherwise (Tensor.set_shape in TF); throws
  /// InvalidArgument when the two contradict each other.
  void merge_output_shape(int i, const PartialShape& shape);
  void add_control_input(Node* node);
  void set_attr(const std::string& name, AttrValue value) { attrs_[name] = std::move(value); }
  void set_device(std::string device) { device_ = std::move(device); }
  /// Replaces one input, keeping dtype compatibility. For graph imports and edits.
  void replace_input(int i, Output with);

 private:
  friend class Graph;
  friend class GraphImporter;
  Node() = default;

  int id_ = 0;
  std::string name_;
  std::string op_;
  const OpDef* def_ = nullptr;
  Graph* graph_ = nullptr;
  std::vector<Output> inputs_;
  std::vector<Node*> control_inputs_;
  std::vector<DType> output_dtypes_;
  std::vector<PartialShape> output_shapes_;
  std::string device_;
  AttrMap attrs_;
  std::source_location where_;
};

}  // namespace assay
