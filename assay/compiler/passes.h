#pragma once

#include "assay/base/thread_pool.h"
#include "assay/compiler/ir.h"

namespace assay::compiler {

/// The nodes that the request needs, as instructions in topological order. Pure nodes that are
/// only waited for are dropped; what they in turn waited for stays. Throws InvalidArgument for a
/// cycle, an unknown op or a placeholder that is not fed; each names the node.
Ir build(const Request& request, ResourceStore& resources);

/// Infers exact shapes forward and computes what is known before running. `pool` runs kernels.
void fold_constants(Ir& ir, ResourceStore& resources, ThreadPool& pool);

/// Merges pure instructions that compute the same.
void share_common(Ir& ir);

/// Drops arithmetic that changes nothing (x * 1, x + 0 of the same shape, Pads added up that
/// fill one tensor).
void simplify(Ir& ir);

/// Lets outputs share memory where an op only hands its input on, and orders reads of variables
/// before writes; takes a snapshot where a value must outlive a write.
void order_effects(Ir& ir);

/// Lets instructions read what a view of the same shape shares, instead of the view.
void bypass_views(Ir& ir);

/// Drops instructions that nobody needs.
void remove_dead(Ir& ir);

/// Joins chains of element-wise instructions over one shape into fused loops.
void fuse_elementwise(Ir& ir);

/// Lets the parts of a joined tensor (a concatenation of rows) be computed where they end up.
void place_parts(Ir& ir);

/// Chooses the order of the instructions.
void schedule(Ir& ir);

/// Gives every value of known shape a place in one arena, reusing places that are free.
void plan_memory(Ir& ir);

/// Checks what must hold between passes; a violation is an internal error naming `after_pass`.
void verify(const Ir& ir, const char* after_pass);

}  // namespace assay::compiler
