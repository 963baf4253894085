#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "assay/graph/op_def.h"

namespace assay {

/// The ops a graph may use. Filled once, then only read: safe to share between threads.
class OpRegistry {
 public:
  /// Parses and adds an op; a malformed or repeated one is an internal error.
  void add(OpSpec spec);
  /// Null when there is no such op.
  const OpDef* find(std::string_view name) const;
  /// All ops by name.
  const std::map<std::string, OpDef, std::less<>>& ops() const { return ops_; }
  /// Up to three names that look most like `name`, nearest first, for messages.
  std::vector<std::string> similar(std::string_view name) const;

 private:
  std::map<std::string, OpDef, std::less<>> ops_;
};

/// Every op of Assay; defined by the ops layer's manifest (assay/ops/manifest.cc).
const OpRegistry& default_op_registry();

}  // namespace assay
