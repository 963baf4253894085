#pragma once

#include <optional>
#include <string>
#include <vector>

#include "assay/train/checkpoint_check.h"
#include "assay/train/retention.h"

namespace assay::train {

/// One checkpoint of a folder.
struct ListedCheckpoint {
  CheckpointFacts facts;
  int version = 2;         ///< TensorFlow's format, 1 or 2
  bool newest = false;     ///< by the state file, or else by its step
  bool set_aside = false;  ///< renamed since it was damaged (set_aside_checkpoint)
  /// What `reasons` are by; absent when it is not known which rules it is kept by.
  std::optional<RetentionRules> rules = {};
  std::vector<std::string> reasons = {};  ///< why it stays; none: it may go
  bool keep() const { return !reasons.empty(); }
};

/// All checkpoints of a folder, the newest first: V2, V1 and those set aside. Rules hold, as when
/// saving, among the checkpoints of one name ("m-1", "m-2", ...): `rules` where given, otherwise
/// those that the newest of the name was saved with. Where none are known, all stay. What the state
/// file calls the newest stays. Throws NotFound when there is no such folder. Reads no values.
std::vector<ListedCheckpoint> list_checkpoints(const std::string& checkpoint_dir,
                                               const std::optional<RetentionRules>& rules = {},
                                               FileSystem& file_system = posix_file_system());

/// Gives a reason to stay to the newest sound checkpoint of each name of which all that would stay
/// are damaged, so that deleting the others leaves something to resume from. Reads values where
/// something would be deleted.
void protect_last_sound(std::vector<ListedCheckpoint>& checkpoints,
                        FileSystem& file_system = posix_file_system());

/// Deletes the checkpoints without a reason to stay, after taking them out of the state file.
void delete_unkept(const std::string& checkpoint_dir,
                   const std::vector<ListedCheckpoint>& checkpoints,
                   FileSystem& file_system = posix_file_system());

}  // namespace assay::train
