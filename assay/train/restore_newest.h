#pragma once

#include <map>
#include <string>
#include <vector>

#include "assay/train/saver.h"

namespace assay::train {

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
    std::string moved_to;  ///< its new prefix; "" when it could not be renamed
  };
  std::vector<Damaged> damaged;
};

/// Restores the newest checkpoint of a folder (find_checkpoints) that is sound. A damaged one is
/// set aside as PREFIX.damaged and the next older one is tried; each is a warning on stderr. Damage
/// is believed when two reads find it. Throws NotFound when the folder holds no checkpoint,
/// DataLoss when all are damaged, and what Saver::restore throws for a checkpoint of another model:
/// going back does not help against that. Then, too, no variable has changed.
RestoredNewest restore_newest_sound(const Saver& saver, Session& session,
                                    const std::string& checkpoint_dir,
                                    const RestoreOptions& options = {});

}  // namespace assay::train
