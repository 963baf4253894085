#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/tensor/dtype.h"
#include "assay/tensor/shape.h"

namespace assay::train {

/// TensorFlow's checkpoint formats.
enum class CheckpointVersion {
  kV1 = 1,  ///< one file (TensorFlow before 0.12)
  kV2 = 2,  ///< .index and .data-*
};

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
                                                    const std::string& latest_filename = {},
                                                    FileSystem& file_system = posix_file_system());

/// What the state file will hold, as text (tf.train.generate_checkpoint_state_proto): the newest
/// path is added to the list when it is not its last. Throws InvalidArgument when there are
/// timestamps, but not one for each path.
std::string generate_checkpoint_state(const std::string& save_dir, CheckpointState state,
                                      bool save_relative_paths = false);

/// Writes the state file, whole or not at all. Relative paths of checkpoints inside `save_dir`
/// are written relative to it, and with `save_relative_paths` absolute ones too.
void update_checkpoint_state(const std::string& save_dir, CheckpointState state,
                             const std::string& latest_filename = {},
                             bool save_relative_paths = false,
                             FileSystem& file_system = posix_file_system());

/// The newest checkpoint's prefix by the state file, if its files are there.
std::optional<std::string> latest_checkpoint(const std::string& checkpoint_dir,
                                             const std::string& latest_filename = {},
                                             FileSystem& file_system = posix_file_system());

/// True when the files of a checkpoint with this prefix are there (V2: PREFIX.index; V1: PREFIX).
bool checkpoint_exists(const std::string& prefix, FileSystem& file_system = posix_file_system());

/// When the checkpoints last changed, seconds since 1970; those that are not there are left out.
std::vector<double> get_checkpoint_mtimes(const std::vector<std::string>& prefixes,
                                          FileSystem& file_system = posix_file_system());

/// The files of a checkpoint that are there: .index, .data-*-of-*, .meta, .debug, .pin, and what a
/// writer killed while replacing it left; the index first, the data files last.
std::vector<std::string> checkpoint_files(const std::string& prefix,
                                          FileSystem& file_system = posix_file_system(),
                                          const std::string& meta_graph_suffix = "meta");

/// Deletes the files of a checkpoint. The index goes first, so that no half of it looks whole, and
/// the data files last, so that remove_unfinished() finds what is left of it. What is not there is
/// passed over.
void remove_checkpoint(const std::string& prefix, const std::string& meta_graph_suffix = "meta",
                       FileSystem& file_system = posix_file_system());

/// Deletes what is left of a checkpoint whose removal or writing did not end: data files without
/// an index, and the .meta file and pin beside them. False when there is none: then nothing is
/// touched. Not for a prefix that another thread or process may be writing.
bool remove_unfinished(const std::string& prefix, FileSystem& file_system = posix_file_system(),
                       const std::string& meta_graph_suffix = "meta");

/// The same for all NAME-NUMBER in a folder, and for what sharded saves left in folders
/// NAME-NUMBER_temp. Only for who holds the folder: nobody else may be saving there. What cannot
/// be deleted is a warning.
void remove_unfinished_checkpoints(const std::string& checkpoint_dir, const std::string& name,
                                   FileSystem& file_system = posix_file_system());

/// Deletes the parts (part-*) that a sharded save wrote in the folder PREFIX_temp, and the folder
/// if nothing else is in it. What cannot be deleted is a warning.
void remove_parts(const std::string& folder, FileSystem& file_system = posix_file_system());

/// Renames the files of a checkpoint from PREFIX.* to PREFIX.damaged.* (or .damaged-2, ...), so
/// that it is not tried again and nothing is lost; returns the new prefix.
std::string set_aside_checkpoint(const std::string& prefix,
                                 FileSystem& file_system = posix_file_system());

/// The new prefixes of the checkpoints in a folder that were set aside, sorted by name.
std::vector<std::string> find_set_aside_checkpoints(const std::string& checkpoint_dir,
                                                    FileSystem& file_system = posix_file_system());

/// "model.ckpt-7.meta" of "model.ckpt-7"; a shard pattern at the end is left out.
std::string meta_graph_filename(const std::string& prefix,
                                const std::string& meta_graph_suffix = "meta");

/// One variable in a checkpoint.
struct CheckpointVariable {
  std::string name;
  DType dtype = DType::kInvalid;
  Shape shape;
};

/// The variables of a checkpoint, sorted by name; what else our bundles hold ("_assay/...") is left
/// out. `prefix_or_dir`: a prefix, or a folder (its latest checkpoint). Throws NotFound, or
/// DataLoss for a damaged index.
std::vector<CheckpointVariable> list_variables(const std::string& prefix_or_dir,
                                               FileSystem& file_system = posix_file_system());

/// The number after the last '-' of a prefix, or -1.
std::int64_t checkpoint_step(const std::string& prefix);

/// Prefixes of the checkpoints in a folder, newest first: by the number after the last '-', then
/// by time of change. Takes every PREFIX.index, whatever the state file says, but those set aside.
std::vector<std::string> find_checkpoints(const std::string& checkpoint_dir,
                                          FileSystem& file_system = posix_file_system());
/// The same for those called NAME or NAME-NUMBER only.
std::vector<std::string> find_checkpoints(const std::string& checkpoint_dir,
                                          const std::string& name,
                                          FileSystem& file_system = posix_file_system());

}  // namespace assay::train
