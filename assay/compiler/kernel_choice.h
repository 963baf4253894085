#pragma once

#include "assay/graph/node.h"

namespace assay::compiler {

/// The factory of the kernel that fits the node's dtype, or null when the op has none for it.
KernelFactory choose_kernel(const Node& node);

/// The same; throws Unimplemented that names the node, its dtype and the dtypes there are.
KernelFactory require_kernel(const Node& node);

}  // namespace assay::compiler
