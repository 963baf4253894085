#include "assay/compiler/ir.h"

namespace assay::compiler {

std::vector<std::vector<InstrId>> Ir::consumers() const {
  std::vector<std::vector<InstrId>> by_value(values.size());
  for (InstrId i = 0; i < static_cast<InstrId>(instrs.size()); ++i) {
    if (instr(i).dead) continue;
    for (const ValueId v : instr(i).inputs) {
      auto& list = by_value[static_cast<std::size_t>(v)];
      if (list.empty() || list.back() != i) list.push_back(i);
    }
  }
  return by_value;
}

namespace {

std::string value_str(const Ir& ir, ValueId v) {
  const Value& value = ir.value(v);
  std::string text = fmt::format("%{}", v);
  if (value.is_constant()) text += "=const";
  return text;
}

const char* kind_name(InstrKind kind) {
  switch (kind) {
    case InstrKind::kNode:
      return "run";
    case InstrKind::kView:
      return "view";
    case InstrKind::kSnapshot:
      return "snapshot";
    case InstrKind::kFused:
      return "fused";
    case InstrKind::kJoin:
      return "join";
  }
  return "?";
}

std::string storage_str(const Value& value) {
  switch (value.storage) {
    case Storage::kUnset:
      return "";
    case Storage::kFeed:
      return " @feed";
    case Storage::kConstant:
      return " @const";
    case Storage::kVariable:
      return " @" + value.variable_name;
    case Storage::kPlanned:
      return fmt::format(" @{}", value.offset);
    case Storage::kDynamic:
      return " @dynamic";
    case Storage::kView:
      return fmt::format(" @%{}+{}", value.alias_of, value.alias_offset);
  }
  return "";
}

}  // namespace

std::string to_string(const Ir& ir) {
  std::vector<InstrId> order = ir.order;
  if (order.empty()) {
    for (InstrId i = 0; i < static_cast<InstrId>(ir.instrs.size()); ++i) order.push_back(i);
  }
  std::string text;
  for (const InstrId i : order) {
    const Instr& instr = ir.instr(i);
    if (instr.dead) continue;
    text += fmt::format("{:4} {:8} ", i, kind_name(instr.kind));
    if (instr.fused != nullptr) {
      for (const auto& op : instr.fused->ops) text += op.node->op() + " ";
      text += fmt::format("'{}' (", instr.node->name());
    } else {
      text += fmt::format("{} '{}' (", instr.node->op(), instr.node->name());
    }
    for (std::size_t k = 0; k < instr.inputs.size(); ++k) {
      text += (k > 0 ? ", " : "") + value_str(ir, instr.inputs[k]);
    }
    text += ") ->";
    for (const ValueId v : instr.outputs) {
      const Value& value = ir.value(v);
      text += fmt::format(" %{} {}{}{}", v, dtype_name(value.dtype), value.shape.str(),
                          storage_str(value));
    }
    if (!instr.after.empty()) {
      text += " after";
      for (const InstrId a : instr.after) text += fmt::format(" {}", a);
    }
    text += '\n';
  }
  return text + fmt::format("arena {} bytes\n", ir.arena_size);
}

}  // namespace assay::compiler
