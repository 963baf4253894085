#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "assay/api/initializers.h"
#include "assay/api/operand.h"
#include "assay/graph/graph.h"

namespace assay {

/// Where a part of a partitioned variable lies in the whole (SaveSliceInfo).
struct SaveSlice {
  std::string full_name;  ///< of the whole, as checkpoints call it
  Shape full_shape;
  std::vector<std::int64_t> offset;
  Shape shape;
  /// "20 10 0,5:0,10": as SaveV2 and RestoreV2 take it.
  std::string spec() const;
};

/// What a graph knows of one variable; shared by every Variable that stands for it, and the item
/// in the graph's collections of variables.
class VariableState : public CollectionObject {
 public:
  /// "scope/w:0".
  std::string name() const override;
  /// A serialized VariableDef, as MetaGraphDef keeps it.
  std::string to_bytes() const override;

  Graph& graph() const { return ref_.graph(); }
  /// The tensor that reads as the variable's value: the "read" node, or for a resource variable a
  /// new ReadVariableOp in the current scopes.
  Output value() const;
  /// The variable itself: a reference of VariableV2, or a resource handle of VarHandleOp.
  const Output& ref() const { return ref_; }
  const Output& snapshot() const { return snapshot_; }
  const Output& initial_value() const { return initial_value_; }
  Node* initializer() const { return initializer_; }
  DType dtype() const { return dtype_; }
  const PartialShape& shape() const { return shape_; }
  bool trainable() const { return trainable_; }
  bool is_resource() const { return is_resource_; }
  /// Of a part of a partitioned variable.
  const std::optional<SaveSlice>& save_slice() const { return save_slice_; }
  void set_save_slice(SaveSlice slice) { save_slice_ = std::move(slice); }
  /// Gives the variable another first value, from the next initialization on.
  void replace_initializer(Node* initializer, const Output& initial_value) {
    initializer_ = initializer;
    initial_value_ = initial_value;
  }

 private:
  friend class VariableMaker;
  Output ref_;
  Output snapshot_;
  Output initial_value_;  // absent in some imported graphs
  Node* initializer_ = nullptr;
  DType dtype_ = DType::kInvalid;
  PartialShape shape_;
  bool trainable_ = true;
  bool is_resource_ = false;
  std::optional<SaveSlice> save_slice_;
};

/// How `Variable(initial_value, {...})` makes a variable.
struct NewVariableOptions {
  /// kInvalid takes the initial value's.
  DType dtype = DType::kInvalid;
  bool trainable = true;
  /// Instead of graph_keys::kGlobalVariables.
  std::vector<std::string> collections;
  /// False allows an initial value of unknown shape.
  bool validate_shape = true;
  /// A VarHandleOp in place of a VariableV2; the variable scope's choice when not given.
  std::optional<bool> use_resource;
  std::string name = "Variable";
};

/// What an assignment makes.
struct AssignOptions {
  bool use_locking = false;
  std::string name;
};

/// A variable of the graph: a value that a session keeps between runs. A small handle; copies
/// stand for the same variable. Valid as long as the graph. Made by get_variable (which shares
/// and names by variable scope) or by this class's constructor (which always makes a new one).
///
/// Nodes, for a variable "w": the initial value, VariableV2 "w", Assign "w/Assign" and Identity
/// "w/read". Used as a tensor, it is its value.
class Variable {
 public:
  /// Stands for no variable; defined() is false.
  Variable() = default;
  /// A new variable (tf.Variable). Throws InvalidArgument when the shape is not fully known and
  /// `validate_shape` is true.
  explicit Variable(const Operand& initial_value, const NewVariableOptions& options = {},
                    std::source_location where = std::source_location::current());
  /// The same, the initial value being made inside the scope NAME/Initializer.
  template <typename F>
  requires std::is_invocable_r_v<Output, const F&>
  explicit Variable(const F& initial_value, const NewVariableOptions& options = {},
                    std::source_location where = std::source_location::current())
      : Variable(std::function<Output()>(initial_value), options, where) {}
  explicit Variable(std::shared_ptr<VariableState> state) : state_(std::move(state)) {}

  /// The variable of a serialized VariableDef whose nodes `graph` holds already, their names
  /// prefixed with `import_scope` and a slash unless it is empty. Throws DataLoss for bytes that
  /// are no VariableDef and NotFound for nodes that are not there.
  static Variable from_bytes(Graph& graph, std::string_view bytes,
                             std::string_view import_scope = {});

  bool defined() const { return state_ != nullptr; }
  explicit operator bool() const { return defined(); }
  const std::shared_ptr<VariableState>& state() const { return state_; }

  /// "scope/w:0".
  std::string name() const { return get().name(); }
  /// "scope/w": the name in checkpoints.
  std::string op_name() const { return get().ref().node->name(); }
  /// The VariableV2 or VarHandleOp node.
  Node* node() const { return get().ref().node; }
  Graph& graph() const { return get().graph(); }
  DType dtype() const { return get().dtype(); }
  const PartialShape& shape() const { return get().shape(); }
  bool trainable() const { return get().trainable(); }
  bool is_resource() const { return get().is_resource(); }

  /// The value as a tensor.
  Output value() const { return get().value(); }
  operator Output() const { return value(); }
  /// What ops that change the variable take: the reference, or the resource handle.
  Output ref() const { return get().ref(); }
  Output initial_value() const { return get().initial_value(); }
  /// The node that gives the variable its initial value.
  Node* initializer() const { return get().initializer(); }

  /// A new read, at the point that control dependencies say.
  Output read_value(std::source_location where = std::source_location::current()) const;
  /// Nodes that change the variable when run; the tensor is the new value. Throw InvalidArgument
  /// for a value of another dtype or shape.
  Output assign(const Operand& value, const AssignOptions& options = {},
                std::source_location where = std::source_location::current()) const;
  Output assign_add(const Operand& delta, const AssignOptions& options = {},
                    std::source_location where = std::source_location::current()) const;
  Output assign_sub(const Operand& delta, const AssignOptions& options = {},
                    std::source_location where = std::source_location::current()) const;

  friend bool operator==(const Variable& a, const Variable& b) { return a.state_ == b.state_; }

 private:
  Variable(const std::function<Output()>& initial_value, const NewVariableOptions& options,
           std::source_location where);
  const VariableState& get() const {
    if (state_ == nullptr) invalid_argument("the variable was never made");
    return *state_;
  }
  std::shared_ptr<VariableState> state_;
};

/// The variables of the current graph in the collections of these names, in order of making.
/// `scope` keeps those whose name begins so.
std::vector<Variable> global_variables(std::string_view scope = {});
/// Those that optimizers change unless told otherwise.
std::vector<Variable> trainable_variables(std::string_view scope = {});
/// Those that are not saved.
std::vector<Variable> local_variables(std::string_view scope = {});
/// The variables among the items of a collection of `graph`.
std::vector<Variable> variables_in(const Graph& graph, const std::string& collection,
                                   std::string_view scope = {});

/// One node, "init" unless named, that initializes these variables.
Node* variables_initializer(const std::vector<Variable>& variables,
                            const NameOption& options = {.name = "init"},
                            std::source_location where = std::source_location::current());
/// The same for all global variables made so far.
Node* global_variables_initializer(std::source_location where = std::source_location::current());
/// The same for all local variables made so far.
Node* local_variables_initializer(std::source_location where = std::source_location::current());

/// A bool scalar: whether the variable has been initialized in the session.
Output is_variable_initialized(const Variable& variable, const NameOption& options = {},
                               std::source_location where = std::source_location::current());

namespace internal {
/// Makes a variable's nodes as tf.Variable does. Exactly one of `value` and `make` is given.
Variable make_variable(const Operand& value, const std::function<Output()>& make,
                       const NewVariableOptions& options);
}  // namespace internal

}  // namespace assay
