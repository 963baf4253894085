#pragma once

#include <source_location>
#include <vector>

#include "assay/graph/node.h"
#include "assay/runtime/session.h"

namespace assay {

/// How a numeric gradient check works.
struct GradientCheckOptions {
  /// Step of the central differences. 0: 1e-5 when everything is float64, 1e-3 otherwise.
  double delta = 0;
  /// Largest difference allowed, relative to 1 + |derivative|. 0: 1e-6 when everything is float64,
  /// 1e-2 otherwise.
  double tolerance = 0;
};

/// What a gradient check found: where the derivatives differ most.
struct GradientError {
  double error = 0;     ///< |symbolic - numeric| / (1 + |numeric|)
  double symbolic = 0;  ///< the derivative that gradients() gives there
  double numeric = 0;   ///< the one from central differences
  Output x;             ///< the input concerned
  std::int64_t element = 0;
};

/// Compares gradients() with central differences at one point: `ys` are functions of the tensors
/// fed in `at`, and each floating-point one among these is varied element by element. The ys are
/// weighted with fixed numbers of either sign and summed, so one pass checks all derivatives. Adds
/// nodes to the graph, in the scope "gradient_error", and runs them in a session of its own, so
/// `ys` may not depend on variables. Source: tf.test.compute_gradient_error.
GradientError gradient_error(const std::vector<Output>& ys, const std::vector<Feed>& at,
                             const GradientCheckOptions& options = {},
                             std::source_location where = std::source_location::current());

/// The check in one line: throws InvalidArgument that names the input, the element and both
/// derivatives when they differ by more than the tolerance.
///
///   check_gradient(assay::tanh(x), {{x, Tensor::of<double>({-1, 0.5})}});
void check_gradient(Output y, const std::vector<Feed>& at, const GradientCheckOptions& options = {},
                    std::source_location where = std::source_location::current());

}  // namespace assay
