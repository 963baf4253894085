#include <algorithm>

#include "assay/compiler/passes.h"

namespace assay::compiler {
namespace {

// Joins of inputs that lie one behind the other in the output.
void find_joins(Ir& ir) {
  for (Instr& instr : ir.instrs) {
    if (instr.dead || instr.kind != InstrKind::kNode || instr.node->def()->join == nullptr)
      continue;
    const Value& out = ir.value(instr.outputs[0]);
    if (!out.shape.is_fully_defined() || out.dtype == DType::kString ||
        out.dtype == DType::kResource || out.dtype == DType::kVariant) {
      continue;
    }
    std::vector<PartialShape> shapes;
    std::vector<const Tensor*> values;
    for (const ValueId v : instr.inputs) {
      shapes.push_back(ir.value(v).shape);
      values.push_back(ir.value(v).is_constant() ? &ir.value(v).constant : nullptr);
    }
    const auto firsts = instr.node->def()->join({*instr.node, 0, shapes, values});
    if (!firsts) continue;
    std::vector<ValueId> inputs;
    for (std::size_t k = 0; k < instr.inputs.size(); ++k) {
      if ((*firsts)[k] < 0) continue;
      inputs.push_back(instr.inputs[k]);
      instr.parts.push_back((*firsts)[k]);
    }
    instr.inputs = std::move(inputs);
    instr.kind = InstrKind::kJoin;
  }
}

bool placeable(const Ir& ir, ValueId v) {
  const Value& value = ir.value(v);
  if (value.alias_of >= 0 || value.is_constant() || value.fetched || value.variable != nullptr ||
      value.storage != Storage::kUnset || value.producer < 0 || !value.shape.is_fully_defined()) {
    return false;
  }
  const InstrKind kind = ir.instr(value.producer).kind;
  return kind == InstrKind::kNode || kind == InstrKind::kFused || kind == InstrKind::kSnapshot;
}

}  // namespace

void place_parts(Ir& ir) {
  find_joins(ir);
  for (Instr& instr : ir.instrs) {
    if (instr.dead || instr.kind != InstrKind::kJoin) continue;
    const ValueId out = instr.outputs[0];
    if (ir.value(out).fetched || ir.value(out).alias_of >= 0) continue;
    const auto size = static_cast<std::int64_t>(dtype_size(ir.value(out).dtype));
    for (std::size_t k = 0; k < instr.inputs.size(); ++k) {
      const ValueId v = instr.inputs[k];
      if (!placeable(ir, v)) continue;
      ir.value(v).alias_of = out;
      ir.value(v).alias_offset = instr.parts[k] * size;
      ir.value(v).placed = true;
    }
  }
}

}  // namespace assay::compiler
