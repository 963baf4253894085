#include <queue>

#include "assay/compiler/passes.h"

namespace assay::compiler {

// Earliest in the graph first among those that are ready: forward before backward, as written.
void schedule(Ir& ir) {
  const std::size_t count = ir.instrs.size();
  std::vector<int> waiting(count, 0);
  std::vector<std::vector<InstrId>> successors(count);
  const auto edge = [&](InstrId from, InstrId to) {
    if (from < 0 || from == to || ir.instr(from).dead) return;
    successors[static_cast<std::size_t>(from)].push_back(to);
    ++waiting[static_cast<std::size_t>(to)];
  };
  for (InstrId i = 0; i < static_cast<InstrId>(count); ++i) {
    if (ir.instr(i).dead) continue;
    for (const ValueId v : ir.instr(i).inputs) edge(ir.value(v).producer, i);
    for (const InstrId a : ir.instr(i).after) edge(a, i);
  }
  std::priority_queue<InstrId, std::vector<InstrId>, std::greater<>> ready;
  std::size_t alive = 0;
  for (InstrId i = 0; i < static_cast<InstrId>(count); ++i) {
    if (ir.instr(i).dead) continue;
    ++alive;
    if (waiting[static_cast<std::size_t>(i)] == 0) ready.push(i);
  }
  ir.order.clear();
  while (!ready.empty()) {
    const InstrId i = ready.top();
    ready.pop();
    ir.order.push_back(i);
    for (const InstrId next : successors[static_cast<std::size_t>(i)]) {
      if (--waiting[static_cast<std::size_t>(next)] == 0) ready.push(next);
    }
  }
  ASSAY_CHECK(ir.order.size() == alive);
}

}  // namespace assay::compiler
