#pragma once

namespace assay::format {

/// A checkpoint that replaces one of the same prefix has this after its files' names until the
/// old files are gone. Once PREFIX.index.new is there, the new checkpoint counts; its data file is
/// then there under the one name or the other.
inline constexpr const char* kReplacingSuffix = ".new";

}  // namespace assay::format
