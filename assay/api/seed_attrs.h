#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "assay/graph/graph.h"

namespace assay::internal {

/// The attributes `seed` and `seed2` of the random node that apply_op(op, name, ...) makes next.
AttrMap seed_attrs(Graph& graph, std::optional<std::int64_t> op_seed, const char* op,
                   const std::string& name);

}  // namespace assay::internal
