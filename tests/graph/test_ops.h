#pragma once

#include "assay/graph/gradient.h"
#include "assay/graph/graph.h"
#include "assay/graph/op_registry.h"

namespace assay::testing {

/// A few ops with TF's signatures and the shared shape functions, and no kernels: the graph layer
/// is tested without the layers below it.
const OpRegistry& test_ops();

/// A placeholder of dtype float32.
Output placeholder(Graph& graph, const PartialShape& shape, const std::string& name = {},
                   DType dtype = DType::kFloat);

/// A node of `op` made as from the line `line` of "model.cc".
Node* make(Graph& graph, const std::string& op, std::vector<Output> inputs, AttrMap attrs = {},
           const std::string& name = {});

}  // namespace assay::testing
