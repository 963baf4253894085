#include "assay/api/layers.h"

#include <optional>

#include "assay/api/apply_op.h"
#include "assay/api/math_ops.h"
#include "assay/api/nn.h"
#include "assay/api/place_error.h"

namespace assay::layers {

namespace {

/// The scope of a layer: opened once to settle its name, and again for its nodes.
VariableScopeHandle layer_scope(const std::string& name, const char* default_name, Reuse reuse) {
  const VariableScopeOptions options{.reuse = reuse};
  if (!name.empty()) return VariableScope(name, options).handle();
  if (reuse.is_false()) return VariableScope::with_default_name(default_name, options).handle();
  return VariableScope(default_name, options).handle();
}

}  // namespace

Output dense(const Operand& inputs, std::int64_t units, const DenseOptions& options,
             std::source_location where) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&inputs}));
  if (units <= 0) internal::invalid_here("dense: units must be above 0, got {}", units);
  const Output x = convert_to_tensor(inputs);
  const int rank = x.shape().rank();
  if (rank < 2 || x.shape().dim(rank - 1) < 0) {
    internal::invalid_here(
        "dense: the input needs at least two dimensions and a known last size, got {} from '{}'",
        x.shape().str(), x.name());
  }
  const VariableScopeHandle handle = layer_scope(options.name, "dense", options.reuse);
  VariableScope scope(handle, {.reuse = options.reuse, .auxiliary_name_scope = false});
  NameScope names(handle.original_name_scope());
  const DType dtype = base_dtype(x.dtype());
  const Variable kernel = get_variable("kernel", {x.shape().dim(rank - 1), units},
                                       {.initializer = options.kernel_initializer,
                                        .regularizer = options.kernel_regularizer,
                                        .dtype = dtype,
                                        .trainable = options.trainable});
  Variable bias;
  if (options.use_bias) {
    bias = get_variable("bias", {units},
                        {.initializer = options.bias_initializer,
                         .regularizer = options.bias_regularizer,
                         .dtype = dtype,
                         .trainable = options.trainable});
  }
  Output y;
  if (rank > 2) {
    y = tensordot(x, kernel, {rank - 1}, {0});
  } else {
    y = apply_op("MatMul", "", {Operand(x), Operand(kernel)})->output();
  }
  if (options.use_bias) y = nn::bias_add(y, bias);
  return options.activation ? options.activation(y) : y;
}

}  // namespace assay::layers
