#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "assay/base/file_system.h"

namespace assay::train {

/// Which checkpoints stay. One that any rule keeps, stays.
struct RetentionRules {
  /// The newest so many; 0 keeps all.
  int last = 5;
  /// The best so many by `metric`; 0: no such rule.
  int best = 0;
  std::string metric = {};
  /// Whether a larger metric is better.
  bool best_is_max = false;
  /// One of every so many seconds, beginning with the oldest; 0: no such rule.
  double every_seconds = 0;
  /// One of every so many steps, beginning with the oldest; 0: no such rule.
  std::int64_t every_steps = 0;

  /// "last 5, best 3 by loss (min), every 1000 steps".
  std::string str() const;
  /// The inverse of str(). Throws InvalidArgument.
  static RetentionRules parse(const std::string& text);
  bool operator==(const RetentionRules&) const = default;
};

/// What is known of a checkpoint on the disk.
struct CheckpointFacts {
  std::string prefix;
  std::int64_t step = -1;       ///< -1: no number in its name
  double time = 0;              ///< seconds since 1970: when it was saved, or of its last change
  bool marked_time = false;     ///< `time` is from its mark
  std::string state_file = {};  ///< the name of its Saver's state file; "" when not known
  std::uint64_t bytes = 0;      ///< of all its files
  bool ours = false;            ///< it has a Saver's mark, or the state file lists it
  bool pinned = false;
  std::map<std::string, double> metrics = {};
  /// Whether the mark says so, and that it goes with this state file ("": "checkpoint").
  bool is_managed_by(const std::string& latest_filename) const {
    const std::string latest = latest_filename.empty() ? "checkpoint" : latest_filename;
    return ours && (state_file.empty() || state_file == latest);
  }
};

/// Whether a checkpoint stays, and why: each reason is a phrase such as "newest 5", "best loss",
/// "pinned". Without a reason it may go.
struct RetentionDecision {
  std::string prefix;
  double time = 0;
  bool newest = false;  ///< one of the newest so many
  std::vector<std::string> reasons;
  bool keep() const { return !reasons.empty(); }
};

/// Applies the rules; looks at nothing but its arguments. Decisions are in order of age, oldest
/// first: by step, or by time where a step is not known. `written` is the prefix just written,
/// which counts as the newest whatever its step; when others have higher steps, the run has begun
/// anew, and all are sorted by time.
std::vector<RetentionDecision> decide_retention(std::vector<CheckpointFacts> checkpoints,
                                                const RetentionRules& rules,
                                                const std::string& written = {});

/// Reads what is known of the checkpoints PREFIX.index in a folder. A damaged index is nobody's
/// (`ours` is false) unless the state file lists it.
std::vector<CheckpointFacts> read_checkpoint_facts(const std::string& checkpoint_dir,
                                                   const std::string& latest_filename = {},
                                                   FileSystem& file_system = posix_file_system());

/// What is known of one checkpoint by its files alone, but for its size and pin.
CheckpointFacts read_facts(const std::string& prefix,
                           FileSystem& file_system = posix_file_system());

/// Keeps a checkpoint until it is unpinned, whatever the rules: writes the file PREFIX.pin. Throws
/// NotFound when there is no such checkpoint.
void pin_checkpoint(const std::string& prefix, FileSystem& file_system = posix_file_system());
/// Removes the pin, if there is one.
void unpin_checkpoint(const std::string& prefix, FileSystem& file_system = posix_file_system());
/// Whether the file PREFIX.pin is there.
bool is_pinned(const std::string& prefix, FileSystem& file_system = posix_file_system());

}  // namespace assay::train
