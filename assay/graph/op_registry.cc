#include "assay/graph/op_registry.h"

#include "assay/graph/op_parse.h"
#include "assay/graph/similar.h"

namespace assay {

const AttrDef* OpDef::find_attr(std::string_view attr) const {
  for (const AttrDef& def : attr_defs) {
    if (def.name == attr) return &def;
  }
  return nullptr;
}

void OpRegistry::add(OpSpec spec) {
  if (ops_.contains(spec.name)) fail(Code::kInternal, "op {} is registered twice", spec.name);
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
