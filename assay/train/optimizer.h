#pragma once

#include <map>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "assay/api/initializers.h"
#include "assay/api/operand.h"
#include "assay/api/variable.h"
#include "assay/graph/gradient.h"
#include "assay/graph/graph.h"

namespace assay::train {

/// When a variable's gradient may be used (tf.train.Optimizer.GATE_*).
enum class GateGradients {
  kNone,   ///< as soon as it is there
  kOp,     ///< when all gradients of the op that yields it are there
  kGraph,  ///< when all gradients are there
};

/// A gradient and the variable it is of; an absent gradient stands for "does not depend on it".
struct GradientAndVariable {
  Gradient gradient;
  Variable variable;
};

/// How compute_gradients() makes gradients (tf.train.Optimizer.compute_gradients).
struct ComputeGradientsOptions {
  /// Empty: the trainable variables of the graph.
  std::vector<Variable> var_list = {};
  GateGradients gate_gradients = GateGradients::kOp;
  /// Puts each gradient node where its forward node is (`_class`).
  bool colocate_gradients_with_ops = false;
  /// The gradient of the loss itself; ones when absent.
  Output grad_loss = {};
};

/// What apply_gradients() does besides the updates.
struct ApplyGradientsOptions {
  /// Incremented by one once the variables are updated.
  std::optional<Variable> global_step = {};
  /// The name of the returned op; "" takes the optimizer's.
  std::string name = {};
};

/// The two above in one: each field means what it means there.
struct MinimizeOptions {
  std::optional<Variable> global_step = {};
  std::vector<Variable> var_list = {};
  GateGradients gate_gradients = GateGradients::kOp;
  bool colocate_gradients_with_ops = false;
  std::string name = {};
  Output grad_loss = {};
};

/// Adds to a graph what trains its variables (tf.train.Optimizer). Holds the slot variables it
/// made; one optimizer serves one graph. Builds exactly TensorFlow's nodes. Learning rates and
/// the like are Operands: a number (a float32 Const), or a scalar tensor such as a placeholder or
/// a schedule.
class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  const std::string& name() const { return name_; }

  /// compute_gradients() and apply_gradients() in one; returns the op that does one step. Throws
  /// InvalidArgument when no variable has a gradient.
  Node* minimize(Output loss, const MinimizeOptions& options = {},
                 std::source_location where = std::source_location::current());

  /// The gradients of `loss` for each variable, under the name scope "gradients".
  std::vector<GradientAndVariable> compute_gradients(
      Output loss, const ComputeGradientsOptions& options = {},
      std::source_location where = std::source_location::current());

  /// The op that applies the gradients, and increments the global step if one is given.
  Node* apply_gradients(const std::vector<GradientAndVariable>& grads_and_vars,
                        const ApplyGradientsOptions& options = {},
                        std::source_location where = std::source_location::current());

  /// The slot `slot_name` ("momentum", "m", ...) of a variable, if it was made.
  std::optional<Variable> get_slot(const Variable& variable, const std::string& slot_name) const;
  /// Names of the slots, sorted.
  std::vector<std::string> get_slot_names() const;
  /// All variables that the optimizer made, sorted by name.
  std::vector<Variable> variables() const;

 protected:
  Optimizer(std::string name, bool use_locking)
      : name_(std::move(name)), use_locking_(use_locking) {}

  /// Makes the slots of these variables; called once for each apply_gradients().
  virtual void create_slots(const std::vector<Variable>&) {}
  /// Makes the tensors that all updates share, inside the optimizer's name scope.
  virtual void prepare() {}
  /// The op that applies a dense gradient to a variable.
  virtual Node* apply_dense(NodeBuilder& b, Output grad, const Variable& variable) = 0;
  /// The op that applies slices, whose indices do not repeat.
  virtual Node* apply_sparse(NodeBuilder& b, const IndexedSlices& grad,
                             const Variable& variable) = 0;
  /// The same for indices that may repeat: adds up their rows first.
  virtual Node* apply_sparse_duplicates(NodeBuilder& b, const IndexedSlices& grad,
                                        const Variable& variable);
  /// The op that ends a step, named `name` (as in NodeSpec).
  virtual Node* finish(NodeBuilder& b, const std::vector<Node*>& updates, const std::string& name);

  bool use_locking() const { return use_locking_; }
  /// A slot of zeros like `variable`, named VARIABLE/`op_name`.
  Variable zeros_slot(const Variable& variable, const std::string& slot_name,
                      const std::string& op_name);
  /// The same with other first values.
  Variable initialized_slot(const Variable& variable, Initializer initializer,
                            const std::string& slot_name, const std::string& op_name);
  /// REQUIRES: the slot was made.
  const Variable& slot(const Variable& variable, const std::string& slot_name) const;
  /// A variable of the optimizer itself, in the place of `colocate_with`.
  void create_non_slot_variable(const Operand& initial, const std::string& name,
                                const Variable& colocate_with);
  const Variable& non_slot_variable(const std::string& name) const;

 private:
  std::string name_;
  bool use_locking_;
  Graph* graph_ = nullptr;
  std::map<std::string, std::map<const Node*, Variable>> slots_;
  std::map<std::string, Variable> non_slots_;
};

/// What the optimizers share in building their nodes.
namespace internal {

/// `x` as `dtype`: itself, or a Cast.
Output cast(NodeBuilder& b, Output x, DType dtype);
/// A variable's value for an update of `dtype`.
Output cast(NodeBuilder& b, const Variable& x, DType dtype);
/// An update op for one variable: `op` for a VariableV2 with its references, "Resource" + `op`
/// with the handles for a resource variable; `refs` come first, then `values`.
Node* update(NodeBuilder& b, const std::string& op, const std::vector<Variable>& refs,
             const std::vector<Output>& values, AttrMap attrs);
/// numpy-like binary operators of tensors under TF's names ("mul", "truediv", ...).
Output mul(NodeBuilder& b, Output x, Output y);
/// `1 - x`.
Output one_minus(NodeBuilder& b, Output x);

}  // namespace internal

}  // namespace assay::train
