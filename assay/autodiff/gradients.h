#pragma once

#include <source_location>
#include <string>
#include <vector>

#include "assay/graph/gradient.h"

namespace assay {

/// How gradients() works.
struct GradientsOptions {
  /// Gradients with which each y counts; empty: ones. An absent Output among them: ones too.
  std::vector<Output> grad_ys = {};
  /// Tensors treated as constants: nothing flows through them.
  std::vector<Output> stop_gradients = {};
  /// Name scope of the nodes made.
  std::string name = "gradients";
  /// Place each gradient op with the op it belongs to (`_class` attributes, as in TF).
  bool colocate_gradients_with_ops = false;
  /// Let an op's input gradients be used only once all of them are computed (the optimizers'
  /// GATE_OP).
  bool gate_gradients = false;
  /// What an x that no y depends on gets: an absent gradient, or zeros (UnconnectedGradients).
  bool unconnected_zeros = false;
};

/// The sums of the derivatives of `ys` with respect to each of `xs`, built as ordinary nodes that
/// can be run, saved and differentiated again (tf.gradients). An entry is absent when no y
/// depends on that x, and slices when it comes from gathers alone. A VariableV2's ref or read
/// output may be an x. Throws InvalidArgument for a y that is not floating point, Unimplemented
/// for an op without a gradient; both name the node.
std::vector<Gradient> gradients(const std::vector<Output>& ys, const std::vector<Output>& xs,
                                const GradientsOptions& options = {},
                                std::source_location where = std::source_location::current());

/// The same with slices made dense: one Output for each x, absent where unconnected.
std::vector<Output> dense_gradients(const std::vector<Output>& ys, const std::vector<Output>& xs,
                                    const GradientsOptions& options = {},
                                    std::source_location where = std::source_location::current());

}  // namespace assay
