#include "assay/compiler/passes.h"

namespace assay::compiler {
namespace {

void require(bool holds, const char* pass, const char* what, const Instr* instr) {
  if (holds) return;
  throw Error(Code::kInternal,
              fmt::format("this is a bug in Assay: after pass {}: {}{}", pass, what,
                          instr != nullptr && instr->node != nullptr
                              ? fmt::format(" at {}", instr->node->label())
                              : ""));
}

}  // namespace

void verify(const Ir& ir, const char* after_pass) {
  const auto values = static_cast<ValueId>(ir.values.size());
  const auto instrs = static_cast<InstrId>(ir.instrs.size());
  for (InstrId i = 0; i < instrs; ++i) {
    const Instr& instr = ir.instr(i);
    if (instr.dead) continue;
    for (const ValueId v : instr.inputs) {
      require(v >= 0 && v < values, after_pass, "an input does not exist", &instr);
      const InstrId p = ir.value(v).producer;
      require(p < instrs, after_pass, "an input's producer does not exist", &instr);
      require(p < 0 || !ir.instr(p).dead || ir.value(v).is_constant(), after_pass,
              "an input's producer was removed", &instr);
    }
    for (const ValueId v : instr.outputs) {
      require(v >= 0 && v < values && ir.value(v).producer == i, after_pass,
              "an output has another producer", &instr);
      require(!ir.value(v).is_constant() || ir.value(v).constant.dtype() == ir.value(v).dtype,
              after_pass, "a constant has another dtype than its value", &instr);
    }
    for (const InstrId a : instr.after) {
      require(a >= 0 && a < instrs && a != i, after_pass, "an order edge leads nowhere", &instr);
    }
    require((instr.kind == InstrKind::kFused) == (instr.fused != nullptr), after_pass,
            "a fused instruction without its chain", &instr);
  }
  for (const ValueId v : ir.fetches) {
    require(v >= 0 && v < values, after_pass, "a fetch does not exist", nullptr);
  }
  for (ValueId v = 0; v < values; ++v) {
    ValueId at = v;
    for (ValueId steps = 0; ir.value(at).alias_of >= 0; ++steps) {
      at = ir.value(at).alias_of;
      require(at < values && steps < values, after_pass, "a value shares memory with itself",
              nullptr);
    }
  }
  if (ir.order.empty()) return;  // not yet decided
  std::vector<char> seen(ir.instrs.size(), 0);
  for (const InstrId i : ir.order) {
    const Instr& instr = ir.instr(i);
    for (const ValueId v : instr.inputs) {
      const InstrId p = ir.value(v).producer;
      require(p < 0 || p == i || seen[static_cast<std::size_t>(p)] != 0 || ir.instr(p).dead,
              after_pass, "an instruction comes before its input", &instr);
    }
    for (const InstrId a : instr.after) {
      require(seen[static_cast<std::size_t>(a)] != 0 || ir.instr(a).dead, after_pass,
              "an instruction comes before what it waits for", &instr);
    }
    seen[static_cast<std::size_t>(i)] = 1;
  }
  for (InstrId i = 0; i < instrs; ++i) {
    require(ir.instr(i).dead || seen[static_cast<std::size_t>(i)] != 0, after_pass,
            "the order leaves out an instruction", &ir.instr(i));
  }
}

}  // namespace assay::compiler
