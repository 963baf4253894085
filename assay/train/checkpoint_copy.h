#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "assay/base/file_system.h"

namespace assay::train {

/// What copy_checkpoint() takes along.
struct CopyOptions {
  /// Leaves out what the checkpoint holds besides variables ("_assay/...").
  bool variables_only = false;
  /// Replaces a checkpoint that is there.
  bool overwrite = false;
  /// Takes the .meta file along, and a .debug file beside it.
  bool meta = true;
  /// What a variable is called in the copy; empty: as it is. Not asked about "_assay/...".
  std::function<std::string(const std::string& name)> rename = {};
};

/// What was copied; `bytes` are those of the values.
struct CopyReport {
  std::int64_t tensors = 0;
  std::uint64_t bytes = 0;
  bool meta = false;                                         ///< a .meta file was copied
  std::vector<std::pair<std::string, std::string>> renamed;  ///< old and new name
  std::vector<std::string> left_out;
};

/// Copies a checkpoint (V1 or V2) to a new one (V2, one data file), verifying each tensor as it is
/// read; they keep their order and their parts. The copy is there whole or not at all. Throws
/// NotFound when there is no `source`, AlreadyExists when there is a `destination`,
/// InvalidArgument when the two are one or two names become one, DataLoss for damage.
CopyReport copy_checkpoint(const std::string& source, const std::string& destination,
                           const CopyOptions& options = {},
                           FileSystem& file_system = posix_file_system());

/// New names for tensors: pairs and substitutions.
class RenameRules {
 public:
  /// Reads rules, each on a line or after a comma or semicolon:
  /// - "old=new": this name; when both end in '/', all names under this scope;
  /// - "s/pattern/new/", "s/pattern/new/g": the first or every place that the regular expression
  ///   (ECMAScript) matches; "$1" or "\1" stands for a group. Any sign may take the place of '/'.
  /// Empty lines and lines that begin with '#' are passed over. `what` names the source in
  /// messages. Throws InvalidArgument.
  static RenameRules parse(const std::string& text, const std::string& what);

  /// The new name. A pair goes before all substitutions, a whole name before a scope; the
  /// substitutions are applied one after the other.
  std::string apply(const std::string& name) const;
  /// Throws NotFound for the first rule that matches none of `names`, with names that are alike.
  void check(const std::vector<std::string>& names, const std::string& where) const;

 private:
  struct Substitution {
    std::string text;  // as it was given
    std::regex pattern;
    std::string replacement;
    bool everywhere = false;
  };
  void add_pair(const std::string& text, const std::string& what);
  void add_substitution(const std::string& text, std::size_t& at, const std::string& what);
  static std::string substitute(const Substitution& rule, const std::string& name);
  /// The new name by the pairs; null when none is about this name.
  std::optional<std::string> by_pairs(const std::string& name) const;

  std::vector<std::pair<std::string, std::string>> pairs_;
  std::vector<Substitution> substitutions_;
};

}  // namespace assay::train
