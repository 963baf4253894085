#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/format/tensor_slice.h"
#include "assay/tensor/tensor.h"

namespace assay::format {

/// What a checkpoint says of one tensor.
struct CheckpointEntry {
  DType dtype = DType::kInvalid;
  Shape shape;
  /// When not empty, the values are stored in these parts; the next members then say nothing.
  std::vector<TensorSlice> slices;
  /// Which of the data files holds the bytes.
  int shard = 0;
  /// V2: where in it. V1: where the table's block begins.
  std::uint64_t offset = 0;
  /// V2: how many bytes. V1: how many the numbers take in memory, 0 for strings.
  std::uint64_t size = 0;
  /// V2: of these bytes. V1: 0, the table's blocks have checksums of their own.
  std::uint32_t masked_crc32c = 0;
};

/// Reads a checkpoint of either of TensorFlow's formats. What is there is read at once; a tensor is
/// read, and its checksum verified, when it is asked for. Thread-safe.
class CheckpointReader {
 public:
  virtual ~CheckpointReader() = default;
  CheckpointReader(const CheckpointReader&) = delete;
  CheckpointReader& operator=(const CheckpointReader&) = delete;

  /// Opens PREFIX.index (V2), else the file PREFIX or the files PREFIX-?????-of-????? (V1); the
  /// prefix may itself end in such question marks. Throws NotFound when there is none of these,
  /// DataLoss when a file is damaged or cut short.
  static std::unique_ptr<CheckpointReader> open(const std::string& prefix,
                                                FileSystem& fs = posix_file_system());
  /// True when open() would find files, sound or not.
  static bool exists(const std::string& prefix, FileSystem& fs = posix_file_system());

  const std::string& prefix() const { return prefix_; }
  /// 1 or 2.
  virtual int version() const = 0;
  /// The files it consists of, the index first; some may be missing.
  virtual std::vector<std::string> files() const = 0;

  /// The tensors by name.
  const std::map<std::string, CheckpointEntry>& entries() const { return entries_; }
  /// nullptr when there is no such tensor.
  const CheckpointEntry* find(const std::string& name) const;
  /// Throws NotFound with the prefix and names that are alike.
  const CheckpointEntry& at(const std::string& name) const;

  /// The whole tensor, put together from its parts if need be. Throws NotFound, DataLoss (with
  /// tensor, file and place) when its bytes are damaged or missing, Unimplemented for resources and
  /// variants.
  Tensor read(const std::string& name) const;
  /// A part of it; throws InvalidArgument when the box does not lie inside.
  Tensor read_slice(const std::string& name, const TensorSlice& slice) const;
  /// Reads everything but resources and variants; throws for the first tensor that is damaged.
  virtual void verify() const;

 protected:
  explicit CheckpointReader(std::string prefix) : prefix_(std::move(prefix)) {}

  /// The tensor of an entry without slices.
  virtual Tensor read_whole(const std::string& name, const CheckpointEntry& entry) const = 0;
  /// Checks that entry.slices[part] is there and returns its shape, before memory is taken.
  virtual Shape check_part(const std::string& name, const CheckpointEntry& entry,
                           std::size_t part) const = 0;
  virtual Tensor read_part(const std::string& name, const CheckpointEntry& entry,
                           std::size_t part) const = 0;

  std::map<std::string, CheckpointEntry> entries_;

 private:
  std::string prefix_;
};

}  // namespace assay::format
