#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

#include "assay/train/retention.h"

namespace assay::cli {

using Json = nlohmann::ordered_json;

/// What all `assay checkpoints` commands write with --json: one document on standard output.
void print_json(const Json& document);

/// A table for people: columns as wide as what is in them, two spaces between.
class Table {
 public:
  /// '<' left, '>' right; one for each column.
  explicit Table(std::string alignment) : alignment_(std::move(alignment)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  /// Writes it to standard output, each line after `indent`. The first row names the columns; those
  /// with nothing in the rows after it are left out. Without `header` it is not written.
  void print(const std::string& indent = "", bool header = true) const;

 private:
  std::string alignment_;
  std::vector<std::vector<std::string>> rows_;
};

/// `text` with what could move a terminal's cursor made visible.
std::string printable(const std::string& text);

/// "1 tensor", "2 tensors".
std::string count_str(std::int64_t count, const std::string& what);

/// The folder that holds the checkpoints of `path`, a run folder or a folder of checkpoints.
/// Throws NotFound when there is no such folder.
std::string checkpoints_folder(const std::string& path);

/// The prefix that `path` stands for: a prefix, one of a checkpoint's files, or a folder (its
/// newest). Throws NotFound.
std::string checkpoint_prefix_of(const std::string& path);

/// Flags of `assay checkpoints list`; with `quick` no values are read.
struct ListFlags {
  std::string dir;
  bool quick = false;
  bool json = false;
};
/// Lists the checkpoints of a folder; returns the exit code, as all of these.
int list_command(const ListFlags& flags);

/// Flags of `assay checkpoints verify`.
struct VerifyFlags {
  std::vector<std::string> paths;
  bool json = false;
};
/// Reads whole checkpoints; 0 when all are sound, else kExitFailure.
int verify_command(const VerifyFlags& flags);

/// Flags of `assay checkpoints show`; without `tensor` all tensors are listed, `npy` is a file to
/// write.
struct ShowFlags {
  std::string prefix;
  std::string tensor;
  bool stats = false;
  std::string npy;
  std::int64_t values = 32;
  bool json = false;
};
/// Prints what is in a checkpoint or in one tensor. Throws UsageError for flags that do not go
/// together.
int show_command(const ShowFlags& flags);

/// Flags of `assay checkpoints diff`.
struct DiffFlags {
  std::string a;
  std::string b;
  bool variables_only = false;
  bool json = false;
};
/// Compares two checkpoints; 0 when they are identical to the bit, kExitFailure when not. Throws
/// UsageError when one cannot be read.
int diff_command(const DiffFlags& flags);

/// Flags of `assay checkpoints copy` and `rename`; `force` replaces a checkpoint that is there.
struct CopyFlags {
  std::string map;  ///< for rename
  std::string source;
  std::string destination;
  bool variables_only = false;
  bool force = false;
  bool json = false;
};
/// Copies a checkpoint, verifying it.
int copy_command(const CopyFlags& flags);
/// Copies a checkpoint with its tensors renamed by the rules of `map`.
int rename_command(const CopyFlags& flags);

/// Flags of `assay checkpoints prune`; without `rules`, those that the newest checkpoint of each
/// name was saved with count.
struct PruneFlags {
  std::string dir;
  std::optional<train::RetentionRules> rules;
  bool dry_run = false;
  bool json = false;
};
/// Deletes the checkpoints that the rules do not keep; `dry_run` only says which.
int prune_command(const PruneFlags& flags);

/// Flags of `assay checkpoints pin` and `unpin`.
struct PinFlags {
  std::vector<std::string> prefixes;
  bool json = false;
};
/// Pins checkpoints: no rule deletes them. Throws NotFound.
int pin_command(const PinFlags& flags);
/// Removes the pins.
int unpin_command(const PinFlags& flags);

}  // namespace assay::cli
