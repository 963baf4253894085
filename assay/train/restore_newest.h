#pragma once

#include <map>
#include <string>
#include <vector>

#include "assay/train/saver.h"

namespace assay::train {

/// What restore_newest_sound() looks at and may do.
struct RestoreNewestOptions {
  /// Only checkpoints called NAME or NAME-NUMBER; "": all.
  std::string name = {};
  /// Rename damaged checkpoints. Only for who holds the folder: where another process saves, its
  /// retention may be deleting what looks damaged.
  bool set_aside = false;
  RestoreOptions restore = {};
};

/// What restore_newest_sound() did.
struct RestoredNewest {
  std::string prefix;  ///< the checkpoint restored
  RestoreReport report;
  /// What it holds beside the variables (Saver::read_session_state).
  std::map<std::string, Tensor> session_state;
  /// A checkpoint that was damaged.
  struct Damaged {
    std::string prefix;
    std::string message;   ///< file, tensor and place
    std::string moved_to;  ///< its new prefix; "" when it was not renamed
  };
  std::vector<Damaged> damaged;
};

/// Restores the newest checkpoint of a folder (find_checkpoints) that is sound, after waiting for
/// the saver's own save under way. Of a damaged one the next older is tried, and it is set aside as
/// PREFIX.damaged if the options say so; each is a warning on stderr. Damage is believed when two
/// reads find it. A file X.index that is no checkpoint (damaged, nothing beside it, not in the
/// state file) is passed over and never renamed, and so is a checkpoint that another process
/// deletes meanwhile. Throws NotFound when the folder holds no checkpoint, DataLoss when all are
/// damaged, Unavailable when the disk refuses a read three times, and what Saver::restore throws
/// for a checkpoint of another model: going back does not help against that. Then, too, no variable
/// has changed.
RestoredNewest restore_newest_sound(const Saver& saver, Session& session,
                                    const std::string& checkpoint_dir,
                                    const RestoreNewestOptions& options = {});

}  // namespace assay::train
