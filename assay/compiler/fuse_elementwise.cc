#include <algorithm>
#include <optional>
#include <unordered_map>

#include "assay/compiler/passes.h"
#include "assay/device/elementwise.h"

namespace assay::compiler {
namespace {

// Limits of the fused loop's register file.
constexpr std::size_t kMaxChainOps = 16;
constexpr std::size_t kMaxChainInputs = 12;
// Shorter rows than this cost more in calls than fusing saves.
constexpr std::int64_t kMinInner = 16;

using Layout = FusedChain::Layout;

class Fuser {
 public:
  explicit Fuser(Ir& ir) : ir_(ir), consumers_(ir.consumers()), waited_for_(ir.instrs.size(), 0) {
    for (const Instr& instr : ir_.instrs) {
      if (instr.dead) continue;
      for (const InstrId a : instr.after) waited_for_[static_cast<std::size_t>(a)] = 1;
    }
    for (const InstrId t : ir_.targets) waited_for_[static_cast<std::size_t>(t)] = 1;
  }

  void run() {
    for (auto i = static_cast<InstrId>(ir_.instrs.size()) - 1; i >= 0; --i) {
      if (eligible(i)) fuse_into(i);
    }
  }

 private:
  static ElementwiseLoop loop_of(const Ir& ir, const Instr& instr) {
    const ElementwiseDef* def = instr.node->def()->elementwise;
    return def == nullptr || static_cast<std::size_t>(def->arity) != instr.inputs.size()
               ? nullptr
               : def->loop(ir.value(instr.inputs.back()).dtype);
  }

  bool eligible(InstrId i) const {
    const Instr& instr = ir_.instr(i);
    return !instr.dead && instr.kind == InstrKind::kNode && instr.effect == Effect::kNone &&
           instr.outputs.size() == 1 && ir_.value(instr.outputs[0]).shape.is_fully_defined() &&
           ir_.value(instr.outputs[0]).shape.num_elements() > 0 && loop_of(ir_, instr) != nullptr &&
           dtype_size(ir_.value(instr.outputs[0]).dtype) <= 8;
  }

  // How `v` lies in a domain of shape `domain` whose inner part is `inner` elements (0: not yet
  // decided, then this input may decide). Nothing when it does not fit one of the four layouts.
  std::optional<Layout> layout(ValueId v, const Shape& domain, std::int64_t& inner) const {
    const PartialShape& partial = ir_.value(v).shape;
    if (!partial.is_fully_defined()) return std::nullopt;
    const Shape shape = partial.to_shape();
    const std::int64_t total = domain.num_elements();
    if (shape.num_elements() == 1) return Layout{0, 0};
    if (shape.num_elements() == total) return Layout{inner, 1};
    // Row: the trailing sizes of the domain. Column: the leading ones, then ones.
    const int lead = domain.rank() - shape.rank();
    bool row = true;
    bool column = lead == 0;
    bool in_row = false;
    bool in_ones = false;
    for (int d = 0; d < shape.rank(); ++d) {
      const bool same = shape[d] == domain[d + lead];
      if (!in_row && shape[d] == 1 && domain[d + lead] != 1) {
        // still before the row
      } else if (same) {
        in_row = true;
      } else {
        row = false;
      }
      if (same && !in_ones) {
        // still in the column
      } else if (shape[d] == 1) {
        in_ones = in_ones || domain[d + lead] != 1;
      } else {
        column = false;
      }
    }
    const std::int64_t n = shape.num_elements();
    if (row && total % n == 0 && n >= kMinInner && (inner == 0 || inner == n)) {
      inner = n;
      return Layout{0, 1};
    }
    if (column && total % n == 0 && total / n >= kMinInner && (inner == 0 || inner == total / n)) {
      inner = total / n;
      return Layout{1, 0};
    }
    return std::nullopt;
  }

  // True when all of the instruction's inputs fit the domain; settles `inner` on the way.
  bool fits(const Instr& instr, const Shape& domain, std::int64_t& inner) const {
    std::int64_t settled = inner;
    for (const ValueId v : instr.inputs) {
      if (!layout(v, domain, settled)) return false;
    }
    inner = settled;
    return true;
  }

  void fuse_into(InstrId root) {
    const PartialShape shape = ir_.value(ir_.instr(root).outputs[0]).shape;
    const Shape domain = shape.to_shape();
    std::int64_t inner = 0;
    if (!fits(ir_.instr(root), domain, inner)) return;
    std::vector<InstrId> members{root};
    const auto is_member = [&](InstrId i) {
      return std::ranges::find(members, i) != members.end();
    };
    bool grown = true;
    while (grown && members.size() < kMaxChainOps) {
      grown = false;
      for (std::size_t m = 0; m < members.size() && !grown; ++m) {
        for (const ValueId v : ir_.instr(members[m]).inputs) {
          const InstrId p = ir_.value(v).producer;
          if (p < 0 || is_member(p) || !eligible(p) || ir_.value(v).fetched ||
              waited_for_[static_cast<std::size_t>(p)] != 0 || !(ir_.value(v).shape == shape) ||
              !std::ranges::all_of(consumers_[static_cast<std::size_t>(v)], is_member)) {
            continue;
          }
          std::int64_t with = inner;
          if (!fits(ir_.instr(p), domain, with)) continue;
          if (count_inputs(members, p) > kMaxChainInputs) continue;
          inner = with;
          members.push_back(p);
          grown = true;
          break;
        }
      }
    }
    if (members.size() > 1) replace(root, members, domain, inner);
  }

  std::size_t count_inputs(const std::vector<InstrId>& members, InstrId extra) const {
    std::vector<ValueId> inputs;
    const auto add = [&](InstrId i) {
      for (const ValueId v : ir_.instr(i).inputs) {
        const InstrId p = ir_.value(v).producer;
        if (p >= 0 && (p == extra || std::ranges::find(members, p) != members.end())) continue;
        if (std::ranges::find(inputs, v) == inputs.end()) inputs.push_back(v);
      }
    };
    for (const InstrId i : members) add(i);
    add(extra);
    return inputs.size();
  }

  void replace(InstrId root, std::vector<InstrId> members, const Shape& domain,
               std::int64_t inner) {
    std::ranges::sort(members);  // ids are in topological order
    auto chain = std::make_shared<FusedChain>();
    std::vector<ValueId> inputs;
    std::unordered_map<ValueId, int> registers;
    for (const InstrId i : members) {
      for (const ValueId v : ir_.instr(i).inputs) {
        const InstrId p = ir_.value(v).producer;
        if (p >= 0 && std::ranges::find(members, p) != members.end()) continue;
        if (registers.emplace(v, static_cast<int>(inputs.size())).second) inputs.push_back(v);
      }
    }
    chain->shape = domain;
    chain->inner = inner > 0 ? inner : domain.num_elements();
    chain->outer = domain.num_elements() / chain->inner;
    for (const ValueId v : inputs) {
      chain->inputs.push_back(*layout(v, domain, chain->inner));
      chain->input_dtypes.push_back(ir_.value(v).dtype);
    }
    std::vector<InstrId> after;
    for (const InstrId i : members) {
      Instr& instr = ir_.instr(i);
      FusedChain::Op op;
      op.node = instr.node;
      op.dtype = ir_.value(instr.inputs.back()).dtype;
      op.result = ir_.value(instr.outputs[0]).dtype;
      for (const ValueId v : instr.inputs) op.inputs.push_back(registers.at(v));
      registers[instr.outputs[0]] = static_cast<int>(inputs.size() + chain->ops.size());
      chain->ops.push_back(std::move(op));
      for (const InstrId a : instr.after) {
        if (std::ranges::find(after, a) == after.end()) after.push_back(a);
      }
      if (i != root) instr.dead = true;
    }
    Instr& fused = ir_.instr(root);
    fused.kind = InstrKind::kFused;
    fused.fused = std::move(chain);
    fused.inputs = std::move(inputs);
    fused.after = std::move(after);
  }

  Ir& ir_;
  std::vector<std::vector<InstrId>> consumers_;
  std::vector<char> waited_for_;
};

}  // namespace

void fuse_elementwise(Ir& ir) {
  Fuser(ir).run();
}

}  // namespace assay::compiler
