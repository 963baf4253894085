#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/format/checkpoint_reader.h"

namespace assay::format {

/// Reads a checkpoint in TensorFlow's V2 format: PREFIX.index and PREFIX.data-*-of-*
/// (docs/formats/checkpoint.md). The whole index is read and checked at once; a tensor is read
/// and its checksum verified when it is asked for. Thread-safe.
class BundleReader : public CheckpointReader {
 public:
  /// True when there is an index.
  static bool exists(const std::string& prefix, FileSystem& fs = posix_file_system());

  /// Throws NotFound when there is no index, DataLoss when it is damaged or cut short.
  explicit BundleReader(const std::string& prefix, FileSystem& fs = posix_file_system());
  ~BundleReader() override;

  int version() const override { return 2; }
  std::vector<std::string> files() const override;
  int num_shards() const { return num_shards_; }
  bool big_endian() const { return big_endian_; }
  /// The files read. Beside PREFIX.index there may be PREFIX.index.new, left by a writer that was
  /// killed while it replaced the checkpoint: it is complete, and it is the one that is read.
  const std::string& index_path() const { return index_path_; }
  std::string data_path(int shard) const;

  /// The entries of parts of tensors, by the keys that they have in the index, for tools.
  const std::map<std::string, CheckpointEntry>& slice_entries() const { return slice_entries_; }
  /// The values of parts that no tensor lists are verified too.
  void verify() const override;

 protected:
  Tensor read_whole(const std::string& name, const CheckpointEntry& entry) const override;
  Shape check_part(const std::string& name, const CheckpointEntry& entry,
                   std::size_t part) const override;
  Tensor read_part(const std::string& name, const CheckpointEntry& entry,
                   std::size_t part) const override;

 private:
  void read_index();
  void read_header(std::string_view value);
  void add_entry(const std::string& key, std::string_view value);
  const ReadableFile& shard_file(int shard) const;
  /// Throws when the bytes do not lie inside the file.
  void check_place(const std::string& name, const CheckpointEntry& entry) const;
  [[noreturn]] void damaged_at(const std::string& name, const CheckpointEntry& entry,
                               std::string_view why) const;
  const CheckpointEntry& part_of(const std::string& name, const CheckpointEntry& entry,
                                 std::size_t part) const;

  FileSystem& fs_;
  std::string index_path_;
  bool replacing_ = false;  // PREFIX.index.new is read
  int num_shards_ = 0;
  bool big_endian_ = false;
  std::map<std::string, CheckpointEntry> slice_entries_;
  mutable std::mutex mutex_;
  mutable std::map<int, std::unique_ptr<ReadableFile>> files_;  // guarded by mutex_
};

}  // namespace assay::format
