#pragma once

#include <string>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/runtime/session.h"
#include "assay/train/restore_report.h"
#include "assay/train/saver_nodes.h"

namespace assay::train {

/// Compares the checkpoint with `tensors`, reads what matches and gives it to the session's
/// variables, all at once. Throws as Saver::restore says.
RestoreReport restore_variables(Session& session, const std::vector<SavedTensor>& tensors,
                                const std::string& prefix, const RestoreOptions& options,
                                FileSystem& fs);

}  // namespace assay::train
