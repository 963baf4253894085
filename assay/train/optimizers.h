#pragma once

#include <string>
#include <vector>

#include "assay/train/one_op_optimizer.h"

namespace assay::train {

/// `use_locking` is written as the ops' attribute and changes nothing here, where a run that writes
/// runs alone; `name` is the step's name scope. So for all optimizers.
struct GradientDescentOptions {
  bool use_locking = false;
  std::string name = "GradientDescent";
};

/// w -= learning_rate * g (tf.train.GradientDescentOptimizer).
class GradientDescentOptimizer : public Optimizer {
 public:
  explicit GradientDescentOptimizer(Operand learning_rate,
                                    const GradientDescentOptions& options = {});

 protected:
  void prepare() override;
  Node* apply_dense(NodeBuilder& b, Output grad, const Variable& variable) override;
  Node* apply_sparse(NodeBuilder& b, const IndexedSlices& grad, const Variable& variable) override;
  Node* apply_sparse_duplicates(NodeBuilder& b, const IndexedSlices& grad,
                                const Variable& variable) override;

 private:
  Operand learning_rate_;
  Output learning_rate_t_;
};

/// With `use_nesterov`, the gradient is taken one step ahead (Sutskever et al. 2013).
struct MomentumOptions {
  bool use_locking = false;
  std::string name = "Momentum";
  bool use_nesterov = false;
};

/// a = momentum * a + g; w -= learning_rate * a (tf.train.MomentumOptimizer); with use_nesterov
/// w -= learning_rate * (g + momentum * a). Slot "momentum".
class MomentumOptimizer : public OneOpOptimizer {
 public:
  MomentumOptimizer(Operand learning_rate, Operand momentum, const MomentumOptions& options = {});
};

/// `initial_accumulator_value` is what every accumulator holds at first; it must be positive.
struct AdagradOptions {
  double initial_accumulator_value = 0.1;
  bool use_locking = false;
  std::string name = "Adagrad";
};

/// a += g * g; w -= learning_rate * g / sqrt(a) (Duchi et al. 2011; tf.train.AdagradOptimizer).
/// Slot "accumulator". Throws InvalidArgument for an initial accumulator that is not positive.
class AdagradOptimizer : public OneOpOptimizer {
 public:
  explicit AdagradOptimizer(Operand learning_rate, const AdagradOptions& options = {});
};

/// Rates at which the averages of the gradient (`beta1`) and of its square (`beta2`) decay, and
/// what is added to the square root (`epsilon`): numbers or scalar tensors.
struct AdamOptions {
  Operand beta1 = 0.9;
  Operand beta2 = 0.999;
  Operand epsilon = 1e-8;
  bool use_locking = false;
  std::string name = "Adam";
};

/// Adam (Kingma and Ba 2014, the form before section 2.1; tf.train.AdamOptimizer). Slots "m" and
/// "v", and the variables beta1_power and beta2_power. Slices decay the whole of m and v.
class AdamOptimizer : public Optimizer {
 public:
  explicit AdamOptimizer(Operand learning_rate = 0.001, const AdamOptions& options = {});

 protected:
  void create_slots(const std::vector<Variable>& variables) override;
  void prepare() override;
  Node* apply_dense(NodeBuilder& b, Output grad, const Variable& variable) override;
  Node* apply_sparse(NodeBuilder& b, const IndexedSlices& grad, const Variable& variable) override;
  Node* finish(NodeBuilder& b, const std::vector<Node*>& updates, const std::string& name) override;

 private:
  Operand learning_rate_;
  AdamOptions options_;
  Output learning_rate_t_;
  Output beta1_t_;
  Output beta2_t_;
  Output epsilon_t_;
};

}  // namespace assay::train
