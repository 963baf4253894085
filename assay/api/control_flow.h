#pragma once

#include <source_location>
#include <vector>

#include "assay/api/operand.h"

namespace assay {

/// A node that does nothing; something to hang control dependencies on.
Node* no_op(const NameOption& options = {},
            std::source_location where = std::source_location::current());

/// A node that runs after all of `nodes` (tf.group): one NoOp, or one for each device first.
Node* group(const std::vector<Node*>& nodes, const NameOption& options = {},
            std::source_location where = std::source_location::current());

/// `x`, available only after `dependencies` have run (an Identity).
Output with_dependencies(const std::vector<Node*>& dependencies, const Operand& x,
                         const NameOption& options = {},
                         std::source_location where = std::source_location::current());

/// The same tensors, each available only when all are computed (tf.tuple).
std::vector<Output> tuple(const std::vector<Output>& tensors, const NameOption& options = {},
                          std::source_location where = std::source_location::current());

}  // namespace assay
