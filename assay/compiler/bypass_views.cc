#include <algorithm>

#include "assay/compiler/passes.h"

namespace assay::compiler {

void bypass_views(Ir& ir) {
  for (Instr& instr : ir.instrs) {
    if (instr.dead) continue;
    for (ValueId& v : instr.inputs) {
      while (true) {
        const Value& value = ir.value(v);
        if (value.alias_of < 0 || value.alias_offset != 0 || value.producer < 0) break;
        const Instr& view = ir.instr(value.producer);
        const Value& source = ir.value(value.alias_of);
        // A read by handle owns the value it shares, so it has to stay.
        if (view.kind != InstrKind::kView || source.producer == value.producer) break;
        if (!(source.shape == value.shape) || !value.shape.is_fully_defined()) break;
        for (const InstrId a : view.after) {
          if (std::ranges::find(instr.after, a) == instr.after.end()) instr.after.push_back(a);
        }
        v = value.alias_of;
      }
    }
  }
}

}  // namespace assay::compiler
