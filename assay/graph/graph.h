#pragma once

#include <any>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "assay/graph/node.h"
#include "assay/graph/op_registry.h"

namespace assay {

/// A thing kept in a collection that is neither node nor tensor: a variable, a saver.
class CollectionObject {
 public:
  virtual ~CollectionObject() = default;
  /// The protobuf that MetaGraphDef keeps of it (VariableDef for a variable).
  virtual std::string to_bytes() const = 0;
  /// The tensor or node it stands for, such as "w:0".
  virtual std::string name() const = 0;
};

/// What a collection holds: nodes, tensors, numbers, bytes or objects.
using CollectionItem = std::variant<Node*, Output, std::int64_t, float, std::string,
                                    std::shared_ptr<CollectionObject>>;

/// The standard collection names (tf.GraphKeys).
namespace graph_keys {
inline constexpr const char* kGlobalVariables = "variables";
inline constexpr const char* kLocalVariables = "local_variables";
inline constexpr const char* kTrainableVariables = "trainable_variables";
inline constexpr const char* kModelVariables = "model_variables";
inline constexpr const char* kMovingAverageVariables = "moving_average_variables";
inline constexpr const char* kSummaries = "summaries";
inline constexpr const char* kSummaryOp = "summary_op";
inline constexpr const char* kGlobalStep = "global_step";
inline constexpr const char* kTrainOp = "train_op";
inline constexpr const char* kLosses = "losses";
inline constexpr const char* kRegularizationLosses = "regularization_losses";
inline constexpr const char* kUpdateOps = "update_ops";
inline constexpr const char* kSavers = "savers";
inline constexpr const char* kTableInitializers = "table_initializer";
}  // namespace graph_keys

/// What a new node is made from.
struct NodeSpec {
  std::string op;
  /// "" takes the op's name. Ending in "/": exactly this name, given by a NameScope already;
  /// otherwise made unique inside the current name scope.
  std::string name;
  std::vector<Output> inputs;
  /// Attributes that the inputs do not determine; defaults of the op are filled in.
  AttrMap attrs;
  std::vector<Node*> control_inputs;
};

/// A graph being assembled: nodes, names, collections. Grows only. Not thread-safe: one thread
/// assembles; any number may read once assembly is done.
class Graph {
 public:
  explicit Graph(const OpRegistry& registry = default_op_registry());
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  const OpRegistry& registry() const { return *registry_; }

  /// Adds a node: checks inputs against the op's signature, infers type and count attributes,
  /// fills defaults, applies the name, control-dependency, device and colocation scopes, and
  /// infers output shapes. Throws InvalidArgument naming node, op, user's place, expected, got.
  Node* add_node(NodeSpec spec);
  /// Adds a node exactly as given (import): final name, no scopes, all attributes there. The op
  /// may be unknown; then `output_dtypes` says what it yields.
  Node* add_imported_node(NodeSpec spec, std::string device, std::vector<DType> output_dtypes = {});

  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  /// Nodes made so far: TensorFlow's `_last_id`, which unseeded random ops take as op seed.
  int num_nodes() const { return static_cast<int>(nodes_.size()); }
  /// Null when there is none of this name.
  Node* find_node(std::string_view name) const;
  /// The tensor of "name" or "name:1"; throws NotFound with near names, or InvalidArgument.
  Output output(std::string_view tensor_name) const;

  /// A name not used so far in this graph, inside the current name scope: "a", then "a_1", ...
  /// (TF's rules: case-insensitive). With `mark_as_used` false only tells.
  std::string unique_name(std::string_view name, bool mark_as_used = true);
  /// The current name scope without its final slash; "" at top level.
  const std::string& name_scope() const { return name_scope_; }

  /// The device of the open device scopes, in TF's form, with the fields that `inner` sets
  /// replaced by inner's; "" when there is none.
  std::string current_device(std::string inner = {}) const;

  std::optional<std::int64_t> seed() const { return seed_; }
  void set_seed(std::optional<std::int64_t> seed) { seed_ = seed; }

  void add_to_collection(const std::string& name, CollectionItem item);
  const std::vector<CollectionItem>& collection(const std::string& name) const;
  const std::map<std::string, std::vector<CollectionItem>>& collections() const {
    return collections_;
  }
  void clear_collection(const std::string& name) { collections_.erase(name); }

  /// Objects that other layers attach to a graph under a name (the variable store, C++ callbacks
  /// of datasets, functions). Empty any when there is none.
  std::any& attachment(const std::string& key) { return attachments_[key]; }
  /// The same without making one; null when there is none.
  const std::any* find_attachment(const std::string& key) const;

  /// No node may be added afterwards (Session freezes nothing; `Graph.finalize()` in TF).
  void finalize() { finalized_ = true; }
  bool finalized() const { return finalized_; }

 private:
  friend class NameScope;
  friend class ControlDependencies;
  friend class DeviceScope;
  friend class ColocateWith;
  friend class GraphImporter;
  struct ControlFrame {
    std::vector<Node*> nodes;
    bool clears = false;                        // the frames below do not count
    std::unordered_set<const Node*> seen = {};  // made inside: they wait for `nodes` already
  };

  Node* insert(std::unique_ptr<Node> node);
  void remove_nodes_from(int first);  // what a failed import made; nothing else refers to them
  std::vector<Node*> control_inputs_for(const std::vector<Output>& inputs) const;
  void apply_placement(Node& node) const;

  const OpRegistry* registry_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unordered_map<std::string, Node*> by_name_;
  std::unordered_map<std::string, int> names_in_use_;
  std::string name_scope_;
  std::vector<ControlFrame> control_stack_;
  std::vector<std::string> device_stack_;
  std::vector<Node*> colocation_stack_;
  std::optional<std::int64_t> seed_;
  std::map<std::string, std::vector<CollectionItem>> collections_;
  std::map<std::string, std::any> attachments_;
  bool finalized_ = false;
};

/// Sets the thread's current graph to `graph`, or makes a fresh default one, while it lives
/// (`with graph.as_default():`).
class GraphScope {
 public:
  explicit GraphScope(Graph& graph);
  ~GraphScope();
  GraphScope(const GraphScope&) = delete;
  GraphScope& operator=(const GraphScope&) = delete;

 private:
  Graph* previous_;
};

namespace internal {
Graph& current_graph_or_new(const OpRegistry& (*registry)());
void reset_default_graph();
}  // namespace internal

/// The thread's current graph: the innermost GraphScope's, else the thread's default graph.
inline Graph& current_graph() {
  return internal::current_graph_or_new(&default_op_registry);
}

/// Drops the thread's default graph; the next use makes a new one (tf.reset_default_graph).
/// REQUIRES: no GraphScope is open and nothing of the old graph is used afterwards.
inline void reset_default_graph() {
  internal::reset_default_graph();
}

}  // namespace assay
