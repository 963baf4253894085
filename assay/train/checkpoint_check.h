#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "assay/format/checkpoint_reader.h"

namespace assay::train {

/// Where the values of one tensor, or of one part of it, lie.
struct StoredPart {
  std::string name;
  std::optional<format::TensorSlice> slice;  ///< absent: the whole tensor
  DType dtype = DType::kInvalid;
  Shape shape;                          ///< of the whole tensor
  std::string file;                     ///< "" when not known (parts in several V1 files)
  std::optional<std::uint64_t> offset;  ///< absent when not known (parts in V1)
  std::uint64_t size = 0;               ///< bytes; 0 for strings in V1
};

/// All values of a checkpoint, in the order in which they lie in its files.
std::vector<StoredPart> stored_parts(const format::CheckpointReader& reader);

/// The values of one of stored_parts(), verified. Throws as CheckpointReader::read().
Tensor read_part(const format::CheckpointReader& reader, const StoredPart& part);

/// True for resources and variants: a checkpoint may list one, but its value cannot be read.
bool has_no_value(DType dtype);

/// Something that is wrong with a checkpoint.
struct Damage {
  std::string file;
  std::string tensor;                   ///< "": the file as a whole
  std::optional<std::uint64_t> offset;  ///< of the tensor's bytes in the file
  std::string message;                  ///< reads alone
};

/// What reading a checkpoint whole has shown.
struct CheckpointCheck {
  std::string prefix;
  int version = 0;           ///< 1 or 2; 0 when its index cannot be read
  std::int64_t tensors = 0;  ///< read, whole
  std::uint64_t bytes = 0;   ///< of their values
  std::vector<Damage> damage;

  bool sound() const { return damage.empty(); }
};

/// Reads every tensor, with its checksum, and the .meta file when there is one; collects all that
/// is damaged. Throws NotFound when there is no such checkpoint, and what is no damage: a file
/// that may not be read.
CheckpointCheck check_checkpoint(const std::string& prefix,
                                 FileSystem& file_system = posix_file_system());

}  // namespace assay::train
