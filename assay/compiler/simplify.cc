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

// The input that `instr` only hands on: x * 1, x / 1, of the result's own shape.
std::optional<ValueId> neutral(const Ir& ir, const Instr& instr) {
  const OpDef& def = *instr.node->def();
  if (instr.inputs.size() != 2 || instr.outputs.size() != 1) return std::nullopt;
  const PartialShape& shape = ir.value(instr.outputs[0]).shape;
  const auto keeps = [&](ValueId kept, ValueId other, const std::optional<double>& neutral) {
    // A variable itself is no substitute for its value now: it may be written before it is read.
    return neutral && shape.is_fully_defined() && ir.value(kept).shape == shape &&
           ir.value(kept).variable == nullptr && is_all(ir.value(other), *neutral);
  };
  if (keeps(instr.inputs[0], instr.inputs[1], def.right_neutral)) return instr.inputs[0];
  if (keeps(instr.inputs[1], instr.inputs[0], def.left_neutral)) return instr.inputs[1];
  return std::nullopt;
}

// A sum of tensors that each fill their own part of one shape with zeros around, as the gradients
// of slices do: the parts side by side.
void join_padded(Ir& ir, Instr& instr) {
  if (!instr.node->def()->sums || instr.inputs.size() < 2) return;
  struct Part {
    std::int64_t first;
    std::int64_t count;
    ValueId value;
  };
  std::vector<Part> parts;
  for (const ValueId v : instr.inputs) {
    if (!(ir.value(v).shape == ir.value(instr.outputs[0]).shape) || ir.value(v).producer < 0)
      return;
    const Instr& pad = ir.producer_of(v);
    if (pad.kind != InstrKind::kNode || pad.node->def()->embed == nullptr || !pad.after.empty())
      return;
    std::vector<PartialShape> shapes;
    std::vector<const Tensor*> values;
    for (const ValueId in : pad.inputs) {
      shapes.push_back(ir.value(in).shape);
      values.push_back(ir.value(in).is_constant() ? &ir.value(in).constant : nullptr);
    }
    const auto first = pad.node->def()->embed({*pad.node, 0, shapes, values});
    if (!first) return;
    parts.push_back({*first, shapes[0].num_elements(), pad.inputs[0]});
  }
  std::ranges::sort(parts, {}, &Part::first);
  std::int64_t filled = 0;
  for (const Part& part : parts) {
    if (part.first != filled) return;
    filled += part.count;
  }
  if (filled != ir.value(instr.outputs[0]).shape.num_elements()) return;
  instr.kind = InstrKind::kJoin;
  instr.inputs.clear();
  for (const Part& part : parts) {
    instr.inputs.push_back(part.value);
    instr.parts.push_back(part.first);
  }
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
      continue;
    }
    join_padded(ir, instr);
  }
}

}  // namespace assay::compiler
