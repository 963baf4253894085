#pragma once

#include <source_location>
#include <string>

#include "assay/api/operand.h"

namespace assay::train {

/// Options of a decay in steps.
struct DecayOptions {
  /// Decay at whole multiples of `decay_steps` only.
  bool staircase = false;
  std::string name = {};
};

/// learning_rate * decay_rate ^ (global_step / decay_steps), a scalar of the rate's dtype
/// (tf.train.exponential_decay).
Output exponential_decay(const Operand& learning_rate, const Operand& global_step,
                         const Operand& decay_steps, const Operand& decay_rate,
                         const DecayOptions& options = {},
                         std::source_location where = std::source_location::current());

/// learning_rate / (1 + decay_rate * global_step / decay_steps) (tf.train.inverse_time_decay).
Output inverse_time_decay(const Operand& learning_rate, const Operand& global_step,
                          const Operand& decay_steps, const Operand& decay_rate,
                          const DecayOptions& options = {},
                          std::source_location where = std::source_location::current());

/// The rate that polynomial_decay() ends with, and the power of what is left of the way (1: a
/// straight line).
struct PolynomialDecayOptions {
  Operand end_learning_rate = 0.0001;
  Operand power = 1.0;
  std::string name = {};
};

/// From learning_rate to end_learning_rate in `decay_steps`, then constant:
/// (learning_rate - end) * (1 - step / decay_steps) ^ power + end (tf.train.polynomial_decay).
Output polynomial_decay(const Operand& learning_rate, const Operand& global_step,
                        const Operand& decay_steps, const PolynomialDecayOptions& options = {},
                        std::source_location where = std::source_location::current());

/// Options of cosine_decay.
struct CosineDecayOptions {
  /// The least rate as a part of the first.
  double alpha = 0;
  std::string name = {};
};

/// learning_rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha), constant after
/// `decay_steps` (Loshchilov and Hutter 2017; tf.train.cosine_decay).
Output cosine_decay(const Operand& learning_rate, const Operand& global_step,
                    const Operand& decay_steps, const CosineDecayOptions& options = {},
                    std::source_location where = std::source_location::current());

}  // namespace assay::train
