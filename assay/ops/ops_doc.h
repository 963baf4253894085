#pragma once

#include <string>

#include "assay/graph/op_registry.h"

namespace assay {

/// Every op of the registry as a page of Markdown: what it gives, its signature, the dtypes it has
/// kernels for, whether it has a gradient, and what running it does. docs/ops.md is this text.
std::string ops_markdown(const OpRegistry& registry);

}  // namespace assay
