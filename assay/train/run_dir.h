#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace assay {
class FileLock;
}

namespace assay::train {

/// A value that a run was made with.
using Parameter = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

/// Parameters by name, in the order they are printed.
using Parameters = std::vector<std::pair<std::string, Parameter>>;

/// Where a run that did not begin anew comes from.
struct RunParent {
  std::string run;         ///< the folder of the run that it was forked off
  std::string checkpoint;  ///< the prefix of the checkpoint that it goes on from
  std::int64_t step = 0;   ///< the global step of that
  /// Random streams began anew, with this run's seeds; else they went on.
  bool reseeded = false;
};

/// What `run.json` holds: which model a run folder is of, with which parameters and entropy.
struct RunInfo {
  std::string model;
  Parameters parameters;
  std::optional<RunParent> parent = {};
  /// What tells the run's data from other data, for people too; "" when nobody has said.
  std::string data = {};
  /// The version of Assay that made the run ("0.1.0"), as read back; "" for runs of before that was
  /// kept.
  std::string version = {};
  /// What random ops without a seed draw from (Session::entropy()). Nothing goes with any run, and
  /// lets a new one draw it, or have its parent's when it is not reseeded.
  std::optional<std::uint64_t> entropy = std::nullopt;

  /// Null when there is no parameter of this name.
  const Parameter* find(const std::string& name) const;
  /// The parameter as a T; throws NotFound or InvalidArgument naming it. Integers read as double.
  template <typename T>
  T get(const std::string& name) const;
};

/// "0.5", "true", "a b": how messages print a parameter.
std::string parameter_str(const Parameter& value);

/// The version of Assay that this program is of.
std::string program_version();

/// True when `run_dir` holds a run.json.
bool is_run_dir(const std::string& run_dir);

/// Reads run.json. Throws NotFound when the folder holds none, DataLoss when it cannot be read
/// as one; both say what to do.
RunInfo read_run_info(const std::string& run_dir);

/// Makes `run_dir` a run of `info`, or checks that it is one already. Creates the folder and
/// run.json (written whole or not at all). Throws
/// - FailedPrecondition when the folder is of another model or was made with other parameters
///   (each named with both values), is no fork of `info.parent` when there is one, or is a folder
///   of something else, not empty and without run.json;
/// - InvalidArgument when the path is a file;
/// - PermissionDenied when it cannot be written.
/// Returns true when the run was there before. What killed processes left of a run.json counts as
/// nothing; a new run is written under the folder's lock, which is then given back.
bool open_run_dir(const std::string& run_dir, const RunInfo& info);

/// Throws what open_run_dir() would throw and changes nothing; true when the folder is the run.
bool check_run_dir(const std::string& run_dir, const RunInfo& info);

/// Takes the run folder for this process, until the lock is destroyed or the process ends, however
/// it ends: two processes that trained one run would overwrite each other's checkpoints. Throws
/// FailedPrecondition that names the other's process and machine. Null where the disk's file system
/// knows no locks, with a warning. REQUIRES: the folder is a run.
std::unique_ptr<FileLock> lock_run_dir(const std::string& run_dir);

/// open_run_dir() by a process that goes on to work in the folder: it is taken before anything is
/// written, so two that begin one run at a time cannot both make it. Returns the lock, as
/// lock_run_dir() does, and throws what both throw.
std::unique_ptr<FileLock> enter_run_dir(const std::string& run_dir, const RunInfo& info);

/// Removes the temporary files ("NAME.tmpPROCESS-N") that killed processes left of the state file
/// and of the checkpoints CHECKPOINT_NAME-STEP among the run's checkpoints; what cannot be removed
/// stays, with a warning. REQUIRES: the run is locked, so nobody is writing them.
void remove_leftovers(const std::string& run_dir, const std::string& checkpoint_name);

/// `run_dir/checkpoints`.
std::string checkpoint_dir(const std::string& run_dir);

}  // namespace assay::train
