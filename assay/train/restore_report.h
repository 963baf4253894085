#pragma once

#include <string>
#include <utility>
#include <vector>

#include "assay/tensor/dtype.h"
#include "assay/tensor/shape.h"

namespace assay::train {

/// How a restore matches the variables of a graph with the tensors of a checkpoint. Strict unless
/// told otherwise: every variable must be there, with its dtype and shape.
struct RestoreOptions {
  /// Variables that the checkpoint lacks keep what they have.
  bool ignore_missing = false;
  /// Names of the checkpoint, and what they are in the graph: {"old/w", "new/w"}. Looked at first.
  std::vector<std::pair<std::string, std::string>> rename = {};
  /// The same by regular expressions (ECMAScript) that match a whole name of the checkpoint, with
  /// "$1" for a group: {"old/(.*)", "new/$1"}. The first that matches counts.
  std::vector<std::pair<std::string, std::string>> rename_regex = {};
  /// Changes nothing and reads no values: the report alone.
  bool dry_run = false;
};

/// What a restore found, variable by variable.
struct RestoreReport {
  /// A variable and the tensor it was given.
  struct Matched {
    std::string variable;  ///< its name in the graph
    std::string stored;    ///< the tensor's name in the checkpoint
  };
  /// A variable for which the checkpoint has no tensor.
  struct Missing {
    std::string variable;
    std::vector<std::string> nearest;  ///< names in the checkpoint, most alike first
  };
  /// A variable whose tensor has another dtype or shape.
  struct Differs {
    std::string variable;
    std::string stored;
    std::string place;     ///< the source line that made the variable; may be ""
    std::string expected;  ///< dtype or shape of the variable
    std::string got;       ///< the checkpoint's
  };

  std::string prefix;
  std::vector<Matched> matched;
  std::vector<Missing> missing;
  std::vector<std::string> unused;  ///< tensors of the checkpoint that no variable asked for
  std::vector<Differs> shape_differs;
  std::vector<Differs> dtype_differs;

  /// Every variable has its tensor.
  bool complete() const;
  /// One line for the numbers, then one for each thing that does not fit.
  std::string str() const;
};

}  // namespace assay::train
