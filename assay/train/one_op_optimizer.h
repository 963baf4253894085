#pragma once

#include <string>
#include <vector>

#include "assay/train/optimizer.h"

namespace assay::train {

/// An optimizer whose step is one op for each variable, such as ApplyMomentum: the op, its slots
/// and its numbers say all there is to say.
class OneOpOptimizer : public Optimizer {
 protected:
  /// A slot variable and what it holds at first.
  struct Slot {
    std::string name;
    Initializer initial;
  };
  /// A number of the step, and the name of its tensor.
  struct Number {
    std::string name;
    Operand value;
  };
  /// What the op is called and takes: the variable, its slots, `before`, the gradient, `after`.
  struct Rule {
    std::string op;                 ///< behind "Apply", or "SparseApply" for slices
    std::vector<Slot> slots;        ///< in the order in which they are made
    std::vector<std::string> refs;  ///< the slots in the order in which the op takes them
    std::vector<Number> before;
    std::vector<Number> after = {};
    AttrMap attrs = {};  ///< beside use_locking
  };

  OneOpOptimizer(const std::string& name, bool use_locking, Rule rule);

  void create_slots(const std::vector<Variable>& variables) override;
  void prepare() override;
  Node* apply_dense(NodeBuilder& b, Output grad, const Variable& variable) override;
  Node* apply_sparse(NodeBuilder& b, const IndexedSlices& grad, const Variable& variable) override;

 private:
  Node* apply(NodeBuilder& b, const std::string& prefix, const Variable& variable,
              const std::vector<Output>& grad);
  Rule rule_;
  std::vector<Output> before_;  // the numbers' tensors
  std::vector<Output> after_;
};

}  // namespace assay::train
