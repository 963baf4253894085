#pragma once

#include "assay/compiler/passes.h"

namespace assay::compiler {

/// Runs the whole pipeline: from the request to ordered instructions with planned memory. Throws
/// what build() and fold_constants() throw.
Ir compile(const Request& request, ResourceStore& resources, ThreadPool& pool);

}  // namespace assay::compiler
