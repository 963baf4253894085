#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/runtime/session.h"
#include "assay/train/retention.h"
#include "assay/train/saver_nodes.h"

namespace assay::train {

/// One save, decided on.
struct SaveJob {
  std::string path;  ///< without "-STEP"
  std::string prefix;
  std::string dir;
  std::string latest;  ///< the state file's name
  std::string meta_graph_suffix;
  std::string meta;   ///< the .meta file's bytes; "" for none
  std::string debug;  ///< the .debug file's bytes; "" for none
  bool write_state = true;
  /// What the bundle holds besides variables, by full name.
  std::vector<std::pair<std::string, Tensor>> extras;
};

/// The mark (version, step, whether retention may delete it), when it is saved (microseconds since
/// 1970), the state file's name, the rules, metrics and session state under their reserved names.
/// `rules` is "" for a checkpoint that no rule manages.
std::vector<std::pair<std::string, Tensor>> extra_tensors(
    const std::map<std::string, Tensor>& session_state,
    const std::map<std::string, double>& metrics, std::int64_t step, const std::string& rules,
    const std::string& state_file = "checkpoint");

/// The session state of a checkpoint, without the reserved prefix.
std::map<std::string, Tensor> read_extras(const std::string& prefix, FileSystem& fs);

/// The variables' values, sharing their memory: for use while no run is under way. Throws
/// FailedPrecondition for one that is not initialised.
std::vector<Tensor> values_of(const ResourceStore& resources,
                              const std::vector<SavedTensor>& tensors);

/// Copies values into `copies`, reusing their memory where it fits.
void copy_values(const std::vector<Tensor>& values, std::vector<Tensor>& copies);

/// Writes the bundle from the session's variables; runs are kept out while it reads them.
void save_variables(Session& session, const std::vector<SavedTensor>& tensors, int shards,
                    const SaveJob& job, FileSystem& fs);

/// Writes the bundle from values already copied.
void write_values(const std::vector<Tensor>& values, const std::vector<SavedTensor>& tensors,
                  int shards, const SaveJob& job, FileSystem& fs);

/// Runs a saver's own nodes, which do more than move variables.
void save_by_nodes(Session& session, const SaverNodes& nodes, const SaveJob& job, bool has_state);

/// A checkpoint that a saver knows of.
struct KnownCheckpoint {
  std::string prefix;
  double time = 0;    ///< seconds since 1970; infinity: not known
  bool ours = false;  ///< this saver wrote it, or has found it to be its own
};

/// What was read of checkpoints before, by prefix and time of change.
using FactsCache = std::map<std::string, std::pair<std::int64_t, CheckpointFacts>>;

/// The checkpoints that the retention after `job` is about, of those in `known` and those in the
/// folder that are named like it: the ones that are ours, that have a mark that goes with this
/// state file or that the state file lists.
std::vector<CheckpointFacts> candidates(const SaveJob& job,
                                        const std::vector<KnownCheckpoint>& known, FileSystem& fs,
                                        FactsCache& cache);

}  // namespace assay::train
