#include <algorithm>
#include <optional>

#include "assay/compiler/passes.h"

namespace assay::compiler {
namespace {

// True when every element of a known value is `wanted`.
bool is_all(const Value& value, double wanted) {
  if (!value.is_constant()) return false;
  const Tensor& t = value.constant;
  if (t.dtype() == DType::kFloat) {
    return std::ranges::all_of(t.span<float>(),
                               [&](float x) { return x == static_cast<float>(wanted); });
  }
  if (t.dtype() == DType::kDouble) {
    return std::ranges::all_of(t.span<double>(), [&](double x) { return x == wanted; });
  }
  return false;
}

// The input that `instr` only hands on: x * 1, 1 * x, x / 1, of the result's own shape. x + 0 is
// not among them: it turns -0 into +0.
std::optional<ValueId> neutral(const Ir& ir, const Instr& instr) {
  const std::string& op = instr.node->op();
  if (instr.inputs.size() != 2 || instr.outputs.size() != 1) return std::nullopt;
  const PartialShape& shape = ir.value(instr.outputs[0]).shape;
  const auto keeps = [&](ValueId kept, ValueId other) {
    return shape.is_fully_defined() && ir.value(kept).shape == shape && is_all(ir.value(other), 1);
  };
  if ((op == "Mul" || op == "RealDiv") && keeps(instr.inputs[0], instr.inputs[1]))
    return instr.inputs[0];
  if (op == "Mul" && keeps(instr.inputs[1], instr.inputs[0])) return instr.inputs[1];
  return std::nullopt;
}

}  // namespace

void simplify(Ir& ir) {
  std::vector<ValueId> replacement(ir.values.size());
  for (std::size_t v = 0; v < replacement.size(); ++v) replacement[v] = static_cast<ValueId>(v);
  for (Instr& instr : ir.instrs) {
    if (instr.dead) continue;
    for (ValueId& v : instr.inputs) v = replacement[static_cast<std::size_t>(v)];
    if (instr.kind != InstrKind::kNode || instr.effect != Effect::kNone || !instr.after.empty())
      continue;
    if (const auto same = neutral(ir, instr); same && !ir.value(instr.outputs[0]).fetched) {
      replacement[static_cast<std::size_t>(instr.outputs[0])] = *same;
    }
  }
}

}  // namespace assay::compiler
