#pragma once

#include <string>
#include <vector>

#include "assay/base/file_system.h"

namespace assay::format {

/// Makes one checkpoint of several that lie in the same file system, as TensorFlow's
/// MergeV2Checkpoints does: their data files are renamed, not copied, to be the shards of
/// `destination`, and their indexes become one. A tensor may be in parts in several of them. The
/// indexes of the merged are removed; their folders are the caller's. Interrupted, it leaves the
/// older checkpoint of that prefix or the new one, whole. Throws InvalidArgument when a tensor is
/// in two of them or they differ in byte order, DataLoss when one is damaged.
void merge_bundles(const std::vector<std::string>& prefixes, const std::string& destination,
                   FileSystem& fs = posix_file_system());

}  // namespace assay::format
