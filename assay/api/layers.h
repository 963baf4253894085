#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>

#include "assay/api/variable_scope.h"

/// Layers that make their own variables (tf.layers).
namespace assay::layers {

/// Options of dense.
struct DenseOptions {
  /// Applied to the result, such as nn::relu; none for a linear layer.
  std::function<Output(const Output&)> activation;
  bool use_bias = true;
  Initializer kernel_initializer;  ///< the variable scope's when not given
  Initializer bias_initializer = zeros_initializer();
  Regularizer kernel_regularizer;
  Regularizer bias_regularizer;
  bool trainable = true;
  /// The variable scope; "" takes "dense", made unique.
  std::string name;
  /// Share the variables of an earlier layer of this name.
  Reuse reuse;
};

/// activation(inputs * kernel + bias), with variables NAME/kernel [in, units] and NAME/bias
/// [units]. Inputs of a higher rank are multiplied along their last dimension, whose size must be
/// known; throws InvalidArgument otherwise.
Output dense(const Operand& inputs, std::int64_t units, const DenseOptions& options = {},
             std::source_location where = std::source_location::current());

}  // namespace assay::layers
