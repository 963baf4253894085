#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "assay/tensor/dtype.h"
#include "assay/tensor/shape.h"

namespace assay::train {

/// What a folder's state file ("checkpoint") says (tf.train.CheckpointState). Paths are prefixes,
/// made relative to the working directory, or absolute.
struct CheckpointState {
  std::string model_checkpoint_path;
  std::vector<std::string> all_model_checkpoint_paths;  ///< oldest first
  std::vector<double> all_model_checkpoint_timestamps;  ///< seconds since 1970; may be empty
  double last_preserved_timestamp = 0;
};

/// Reads a folder's state file; nothing when there is none. Throws DataLoss when it cannot be
/// read as one or names no checkpoint.
std::optional<CheckpointState> get_checkpoint_state(const std::string& checkpoint_dir,
                                                    const std::string& latest_filename = {});

/// Writes the state file, whole or not at all. Relative paths of checkpoints inside `save_dir`
/// are written relative to it, and with `save_relative_paths` absolute ones too.
void update_checkpoint_state(const std::string& save_dir, CheckpointState state,
                             const std::string& latest_filename = {},
                             bool save_relative_paths = false);

/// The newest checkpoint's prefix by the state file, if its files are there.
std::optional<std::string> latest_checkpoint(const std::string& checkpoint_dir,
                                             const std::string& latest_filename = {});

/// True when the files of a checkpoint with this prefix are there (V2: PREFIX.index; V1: PREFIX).
bool checkpoint_exists(const std::string& prefix);

/// Deletes the files of a checkpoint: .meta, .index, .data-*-of-*, and the session state beside.
/// The index goes first, so that no half of it looks whole. What is not there is passed over.
void remove_checkpoint(const std::string& prefix, const std::string& meta_graph_suffix = "meta");

/// "model.ckpt-7.meta" of "model.ckpt-7"; a shard pattern at the end is left out.
std::string meta_graph_filename(const std::string& prefix,
                                const std::string& meta_graph_suffix = "meta");

/// One variable in a checkpoint.
struct CheckpointVariable {
  std::string name;
  DType dtype = DType::kInvalid;
  Shape shape;
};

/// The variables of a checkpoint, sorted by name. `prefix_or_dir`: a prefix, or a folder (its
/// latest checkpoint). Throws NotFound, or DataLoss for a damaged index.
std::vector<CheckpointVariable> list_variables(const std::string& prefix_or_dir);

/// Prefixes of the checkpoints in a folder, newest first: by the number after the last '-', then
/// by time of change. Takes every PREFIX.index, whatever the state file says.
std::vector<std::string> find_checkpoints(const std::string& checkpoint_dir);

}  // namespace assay::train
