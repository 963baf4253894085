#pragma once

#include <cstdint>
#include <optional>
#include <source_location>

#include "assay/api/variable.h"
#include "assay/runtime/session.h"

namespace assay::train {

/// The graph's global step, or nothing: the one variable of the collection "global_step", else a
/// variable named "global_step". Throws FailedPrecondition when the collection holds several, and
/// InvalidArgument when it is no integer scalar. `graph` null: the current one.
std::optional<Variable> get_global_step(Graph* graph = nullptr);

/// Makes the int64 variable "global_step", zero at first, not trainable, at the top of the name
/// scopes. Throws AlreadyExists when there is one.
Variable create_global_step(Graph* graph = nullptr,
                            std::source_location where = std::source_location::current());

/// get_global_step(), or create_global_step() when there is none.
Variable get_or_create_global_step(Graph* graph = nullptr,
                                   std::source_location where = std::source_location::current());

/// The value of a global step in a session.
std::int64_t global_step(Session& session, const Variable& step);

}  // namespace assay::train
