#include "assay/graph/op_registry.h"

#include <algorithm>

#include "assay/graph/op_parse.h"
#include "assay/graph/similar.h"

namespace assay {

const AttrDef* OpDef::find_attr(std::string_view attr) const {
  for (const AttrDef& def : attr_defs) {
    if (def.name == attr) return &def;
  }
  return nullptr;
}

namespace {

/// An op whose result the number of threads could change says why it does not.
void check_threads(const OpSpec& spec) {
  const bool shares = std::any_of(spec.kernels.begin(), spec.kernels.end(),
                                  [](const KernelEntry& entry) { return entry.make.uses_threads; });
  const bool says = spec.threads != Threads::kOne;
  if (shares == says || (shares && spec.elementwise != nullptr)) return;
  if (shares) {
    fail(Code::kInternal,
         "op {}: a kernel shares its work among threads: OpSpec::threads must say why their number "
         "does not change the result",
         spec.name);
  }
  fail(Code::kInternal, "op {}: OpSpec::threads speaks of several threads, every kernel uses one",
       spec.name);
}

}  // namespace

void OpRegistry::add(OpSpec spec) {
  if (ops_.contains(spec.name)) fail(Code::kInternal, "op {} is registered twice", spec.name);
  check_threads(spec);
  ops_.emplace(spec.name, parse_op(spec));
}

const OpDef* OpRegistry::find(std::string_view name) const {
  const auto it = ops_.find(name);
  return it == ops_.end() ? nullptr : &it->second;
}

std::vector<std::string> OpRegistry::similar(std::string_view name) const {
  SimilarNames near(name);
  for (const auto& [candidate, def] : ops_) near.consider(candidate);
  return near.best();
}

}  // namespace assay
