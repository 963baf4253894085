#pragma once

#include <map>
#include <string>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/format/proto/checkpoint.pb.h"

namespace assay::format {

/// A checkpoint that replaces one of the same prefix has this after its files' names until the
/// old files are gone. Once PREFIX.index.new is there, the new checkpoint counts; its data files
/// are then there under the one name or the other.
inline constexpr const char* kReplacingSuffix = ".new";

/// "PREFIX.data-00000-of-00001".
std::string data_file_name(const std::string& prefix, int shard, int num_shards);

/// The bytes of PREFIX.index, as TensorFlow writes it.
std::string bundle_index(const std::map<std::string, proto::BundleEntryProto>& entries,
                         int num_shards, bool big_endian);

/// Makes a checkpoint of files that are complete and on the disk under other names in the same
/// file system, the data files in the order of their numbers: renames them into place, the index
/// last. Whenever that is interrupted, BundleReader finds the older checkpoint of that prefix, if
/// there is one, or the new one, whole.
void publish_bundle(FileSystem& fs, const std::string& prefix,
                    const std::vector<std::string>& data_files, const std::string& index_file);

/// Ends what a killed publish_bundle() of this prefix left: the files of a checkpoint that counts
/// take their places, others are removed.
void complete_replacement(FileSystem& fs, const std::string& prefix);

}  // namespace assay::format
