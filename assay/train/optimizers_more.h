#pragma once

#include <string>
#include <vector>

#include "assay/train/one_op_optimizer.h"

namespace assay::train {

/// `decay` is the rate of the moving averages, `epsilon` is added under the square root: numbers or
/// scalar tensors.
struct RMSPropOptions {
  Operand decay = 0.9;
  Operand momentum = 0.0;
  Operand epsilon = 1e-10;
  bool use_locking = false;
  /// Divide by an estimate of the gradient's variance instead of its second moment.
  bool centered = false;
  std::string name = "RMSProp";
};

/// ms = decay * ms + (1 - decay) * g * g; mom = momentum * mom + learning_rate * g /
/// sqrt(ms + epsilon); w -= mom (Hinton's lecture 6e; tf.train.RMSPropOptimizer). Slots "rms"
/// (ones at first), "momentum" and, when centered, "mg".
class RMSPropOptimizer : public OneOpOptimizer {
 public:
  explicit RMSPropOptimizer(Operand learning_rate, const RMSPropOptions& options = {});
};

/// `rho` is the rate of both moving averages, `epsilon` is added under the square roots: numbers or
/// scalar tensors.
struct AdadeltaOptions {
  Operand rho = 0.95;
  Operand epsilon = 1e-8;
  bool use_locking = false;
  std::string name = "Adadelta";
};

/// Adadelta (Zeiler 2012; tf.train.AdadeltaOptimizer). Slots "accum" and "accum_update".
class AdadeltaOptimizer : public OneOpOptimizer {
 public:
  explicit AdadeltaOptimizer(Operand learning_rate = 0.001, const AdadeltaOptions& options = {});
};

}  // namespace assay::train
