#pragma once

#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "assay/api/operand.h"

namespace assay {

/// `t` with values below `min` raised to it and those above `max` lowered to it.
Output clip_by_value(const Operand& t, const Operand& min, const Operand& max,
                     const NameOption& options = {},
                     std::source_location where = std::source_location::current());

/// Options of clip_by_norm: without `axes`, the norm of all elements together.
struct ClipByNormOptions {
  Axes axes;
  std::string name;
};
/// `t`, scaled so that its Euclidean norm is at most `clip_norm`.
Output clip_by_norm(const Operand& t, const Operand& clip_norm,
                    const ClipByNormOptions& options = {},
                    std::source_location where = std::source_location::current());

/// The Euclidean norm of all tensors together; absent ones (default Outputs) do not count.
Output global_norm(const std::vector<Output>& tensors, const NameOption& options = {},
                   std::source_location where = std::source_location::current());

/// Options of clip_by_global_norm: the norm, when it is known already.
struct ClipByGlobalNormOptions {
  Output use_norm;
  std::string name;
};
/// The tensors, all scaled by one factor so that their global norm is at most `clip_norm` (Pascanu
/// et al. 2012), and the norm before. Absent tensors stay absent; an infinite norm gives NaNs.
std::pair<std::vector<Output>, Output> clip_by_global_norm(
    const std::vector<Output>& tensors, const Operand& clip_norm,
    const ClipByGlobalNormOptions& options = {},
    std::source_location where = std::source_location::current());

}  // namespace assay
