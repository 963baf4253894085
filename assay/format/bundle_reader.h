#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/format/tensor_slice.h"
#include "assay/tensor/tensor.h"

namespace assay::format {

/// What a bundle's index says of one tensor.
struct BundleEntry {
  DType dtype = DType::kInvalid;
  Shape shape;
  int shard = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint32_t masked_crc32c = 0;
  /// When not empty, the values are under the keys of these slices.
  std::vector<TensorSlice> slices;
};

/// Reads a checkpoint in TensorFlow's V2 format: PREFIX.index and PREFIX.data-*-of-*
/// (docs/formats/checkpoint.md). The whole index is read and checked at once; a tensor is read
/// and its checksum verified when it is asked for. Thread-safe.
class BundleReader {
 public:
  /// Throws NotFound when there is no index, DataLoss when it is damaged or cut short.
  explicit BundleReader(const std::string& prefix, FileSystem& fs = posix_file_system());
  ~BundleReader();

  const std::string& prefix() const { return prefix_; }
  int num_shards() const { return num_shards_; }
  bool big_endian() const { return big_endian_; }
  /// The files read. Beside PREFIX.index there may be PREFIX.index.new, left by a writer that was
  /// killed while it replaced the checkpoint: it is complete, and it is the one that is read.
  const std::string& index_path() const { return index_path_; }
  std::string data_path(int shard) const;

  /// The tensors by name.
  const std::map<std::string, BundleEntry>& entries() const { return entries_; }
  /// nullptr when there is no such tensor.
  const BundleEntry* find(const std::string& name) const;
  /// Throws NotFound with the prefix and names that are alike.
  const BundleEntry& at(const std::string& name) const;

  /// The whole tensor, put together from its slices if need be. Throws NotFound, DataLoss when
  /// its bytes are damaged or missing.
  Tensor read(const std::string& name) const;
  /// A part of it; throws InvalidArgument when the box does not lie inside.
  Tensor read_slice(const std::string& name, const TensorSlice& slice) const;
  /// Reads everything; throws for the first tensor that is damaged.
  void verify() const;

  /// The keys of slices as they stand in the index, for tools.
  const std::map<std::string, BundleEntry>& slice_entries() const { return slice_entries_; }

 private:
  void read_index();
  void add_entry(const std::string& key, std::string_view value);
  const ReadableFile& shard_file(int shard) const;
  Tensor read_entry(const std::string& name, const BundleEntry& entry) const;

  std::string prefix_;
  FileSystem& fs_;
  std::string index_path_;
  bool replacing_ = false;  // PREFIX.index.new is read
  int num_shards_ = 0;
  bool big_endian_ = false;
  std::map<std::string, BundleEntry> entries_;
  std::map<std::string, BundleEntry> slice_entries_;
  mutable std::mutex mutex_;
  mutable std::map<int, std::unique_ptr<ReadableFile>> files_;  // guarded by mutex_
};

}  // namespace assay::format
