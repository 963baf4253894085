#include <unordered_map>

#include "assay/compiler/passes.h"

namespace assay::compiler {
namespace {

bool same_computation(const Ir& ir, const Instr& a, const Instr& b) {
  if (a.node->op() != b.node->op() || a.inputs != b.inputs) return false;
  if (a.outputs.size() != b.outputs.size()) return false;
  for (std::size_t i = 0; i < a.outputs.size(); ++i) {
    if (ir.value(a.outputs[i]).dtype != ir.value(b.outputs[i]).dtype) return false;
  }
  for (const auto& [name, value] : a.node->attrs()) {
    if (name.starts_with('_')) continue;
    const AttrValue* other = b.node->find_attr(name);
    if (other == nullptr || !attr_equal(value, *other)) return false;
  }
  for (const auto& [name, value] : b.node->attrs()) {
    if (!name.starts_with('_') && a.node->find_attr(name) == nullptr) return false;
  }
  return true;
}

std::size_t hash_of(const Instr& instr) {
  std::size_t h = std::hash<std::string>{}(instr.node->op());
  for (const ValueId v : instr.inputs) h = h * 1000003U + static_cast<std::size_t>(v) + 1;
  return h;
}

}  // namespace

void share_common(Ir& ir) {
  std::unordered_map<std::size_t, std::vector<InstrId>> seen;
  std::vector<ValueId> replacement(ir.values.size());
  for (std::size_t v = 0; v < replacement.size(); ++v) replacement[v] = static_cast<ValueId>(v);
  for (InstrId i = 0; i < static_cast<InstrId>(ir.instrs.size()); ++i) {
    Instr& instr = ir.instr(i);
    if (instr.dead) continue;
    for (ValueId& v : instr.inputs) v = replacement[static_cast<std::size_t>(v)];
    if (instr.kind != InstrKind::kNode || instr.effect != Effect::kNone || !instr.after.empty() ||
        instr.inputs.empty()) {
      continue;
    }
    bool fetched = false;
    for (const ValueId v : instr.outputs) fetched = fetched || ir.value(v).fetched;
    if (fetched) continue;
    auto& candidates = seen[hash_of(instr)];
    bool shared = false;
    for (const InstrId c : candidates) {
      if (!same_computation(ir, instr, ir.instr(c))) continue;
      for (std::size_t k = 0; k < instr.outputs.size(); ++k) {
        replacement[static_cast<std::size_t>(instr.outputs[k])] = ir.instr(c).outputs[k];
      }
      shared = true;
      break;
    }
    if (!shared) candidates.push_back(i);
  }
}

}  // namespace assay::compiler
