#include "assay/compiler/passes.h"

namespace assay::compiler {

void remove_dead(Ir& ir) {
  std::vector<char> alive(ir.instrs.size(), 0);
  std::vector<InstrId> work;
  const auto need = [&](InstrId i) {
    if (i < 0 || alive[static_cast<std::size_t>(i)] != 0) return;
    alive[static_cast<std::size_t>(i)] = 1;
    work.push_back(i);
  };
  for (const ValueId v : ir.fetches) need(ir.value(v).producer);
  for (const InstrId i : ir.targets) need(i);
  // Whatever has an effect is here because somebody waits for it.
  for (InstrId i = 0; i < static_cast<InstrId>(ir.instrs.size()); ++i) {
    const Instr& instr = ir.instr(i);
    if (!instr.dead && instr.kind != InstrKind::kView &&
        (instr.effect == Effect::kWrites || instr.effect == Effect::kState)) {
      need(i);
    }
  }
  while (!work.empty()) {
    const Instr& instr = ir.instr(work.back());
    work.pop_back();
    for (const ValueId v : instr.inputs) need(ir.value(v).producer);
    for (const InstrId a : instr.after) need(a);
    for (const ValueId v : instr.outputs) {
      if (ir.value(v).alias_of >= 0) need(ir.value(ir.value(v).alias_of).producer);
    }
  }
  for (InstrId i = 0; i < static_cast<InstrId>(ir.instrs.size()); ++i) {
    if (alive[static_cast<std::size_t>(i)] == 0) ir.instr(i).dead = true;
  }
}

}  // namespace assay::compiler
