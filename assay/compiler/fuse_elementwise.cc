#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "assay/compiler/passes.h"
#include "assay/device/elementwise.h"

namespace assay::compiler {
namespace {

// Limits of the fused loop's register file.
constexpr std::size_t kMaxChainOps = 16;
constexpr std::size_t kMaxChainInputs = 12;
// Shorter rows than this cost more in calls than fusing saves.
constexpr std::int64_t kMinInner = 16;
// How far to look for a way back into a chain before giving up on it.
constexpr std::size_t kMaxSearch = 2000;

using Layout = FusedChain::Layout;

class Fuser {
 public:
  explicit Fuser(Ir& ir)
      : ir_(ir),
        consumers_(ir.consumers()),
        after_(ir.instrs.size()),
        leader_(ir.instrs.size()),
        waited_for_(ir.instrs.size(), 0) {
    for (InstrId i = 0; i < static_cast<InstrId>(ir_.instrs.size()); ++i) {
      leader_[static_cast<std::size_t>(i)] = i;
      if (ir_.instr(i).dead) continue;
      for (const InstrId a : ir_.instr(i).after) {
        waited_for_[static_cast<std::size_t>(a)] = 1;
        after_[static_cast<std::size_t>(a)].push_back(i);
      }
    }
    for (const InstrId t : ir_.targets) waited_for_[static_cast<std::size_t>(t)] = 1;
  }

  void run() {
    for (auto i = static_cast<InstrId>(ir_.instrs.size()) - 1; i >= 0; --i) {
      if (eligible(i)) fuse_into(i);
    }
  }

 private:
  // Sums of more than two count as pairs added one after the other.
  static ElementwiseLoop loop_of(const Ir& ir, const Instr& instr) {
    const OpDef& op = *instr.node->def();
    const ElementwiseDef* def = op.elementwise;
    if (def == nullptr || instr.inputs.size() < static_cast<std::size_t>(def->arity))
      return nullptr;
    if (instr.inputs.size() != static_cast<std::size_t>(def->arity) && !op.sums) return nullptr;
    return def->loop(ir.value(instr.inputs.back()).dtype);
  }

  static std::size_t operations_in(const Instr& instr) {
    return instr.inputs.size() - static_cast<std::size_t>(instr.node->def()->elementwise->arity) +
           1;
  }

  bool eligible(InstrId i) const {
    const Instr& instr = ir_.instr(i);
    return !instr.dead && instr.kind == InstrKind::kNode && instr.effect == Effect::kNone &&
           instr.outputs.size() == 1 && ir_.value(instr.outputs[0]).shape.is_fully_defined() &&
           ir_.value(instr.outputs[0]).shape.num_elements() > 0 && loop_of(ir_, instr) != nullptr &&
           dtype_size(ir_.value(instr.outputs[0]).dtype) <= 8;
  }

  // True when a known value has one element over and over: it is read as a scalar.
  static bool is_uniform(const Value& value) {
    if (!value.is_constant() || value.dtype == DType::kString) return false;
    const Tensor& t = value.constant;
    const std::size_t size = dtype_size(value.dtype);
    const auto* bytes = static_cast<const char*>(t.raw());
    return t.num_bytes() >= size && std::memcmp(bytes, bytes + size, t.num_bytes() - size) == 0;
  }

  // The value that `v` shows whole, under another shape; `v` itself when it is no such view.
  ValueId base_of(ValueId v) const {
    while (ir_.value(v).alias_of >= 0 && ir_.value(v).alias_offset == 0) {
      const ValueId next = ir_.value(v).alias_of;
      if (ir_.value(v).producer < 0 || ir_.value(next).producer < 0 ||
          ir_.value(v).producer == ir_.value(next).producer) {
        break;
      }
      const Instr& view = ir_.producer_of(v);
      if (view.kind != InstrKind::kView || !view.after.empty() || view.outputs.size() != 1 ||
          waited_for_[static_cast<std::size_t>(ir_.value(v).producer)] != 0 ||
          !ir_.value(v).shape.is_fully_defined() || !ir_.value(next).shape.is_fully_defined() ||
          ir_.value(v).shape.num_elements() != ir_.value(next).shape.num_elements()) {
        break;
      }
      v = next;
    }
    return v;
  }

  // Calls `visit` for what reads `v` or a whole view of it.
  template <typename Visit>
  void for_each_user(ValueId v, const Visit& visit) const {
    for (const InstrId c : consumers_[static_cast<std::size_t>(v)]) {
      if (const auto view = whole_view(c, v)) {
        for_each_user(*view, visit);
      } else {
        visit(c);
      }
    }
  }

  // What instruction `i` yields when that is all of `v` under another shape.
  std::optional<ValueId> whole_view(InstrId i, ValueId v) const {
    const Instr& instr = ir_.instr(i);
    if (instr.kind != InstrKind::kView || instr.outputs.size() != 1) return std::nullopt;
    const ValueId out = instr.outputs[0];
    if (ir_.value(out).alias_of != v || base_of(out) == out) return std::nullopt;
    return out;
  }

  // Whether `v` or a whole view of it leaves the program.
  bool is_fetched(ValueId v) const {
    if (ir_.value(v).fetched) return true;
    return std::ranges::any_of(consumers_[static_cast<std::size_t>(v)], [&](InstrId c) {
      const auto view = whole_view(c, v);
      return view && is_fetched(*view);
    });
  }

  bool is_used_outside(const std::vector<InstrId>& members, ValueId v) const {
    bool outside = is_fetched(v);
    for_each_user(v, [&](InstrId c) { outside = outside || !is_in(members, c); });
    return outside;
  }

  // What a member of a chain reads for its input `v`: `v`, or what `v` only repeats.
  struct Read {
    ValueId value;
    Layout layout;
  };

  // The column that `v`, a matrix of `inner` columns, repeats in each of them.
  struct Column {
    ValueId value;
    std::int64_t inner;
  };
  std::optional<Column> column_of(ValueId v) const {
    const ValueId from = base_of(v);
    if (ir_.value(from).producer < 0) return std::nullopt;
    const Instr& instr = ir_.producer_of(from);
    if (instr.kind != InstrKind::kNode || instr.effect != Effect::kNone || !instr.after.empty() ||
        instr.node->def()->repeats == nullptr || !ir_.value(from).shape.is_fully_defined()) {
      return std::nullopt;
    }
    std::vector<PartialShape> shapes;
    std::vector<const Tensor*> values;
    for (const ValueId in : instr.inputs) {
      shapes.push_back(ir_.value(in).shape);
      values.push_back(ir_.value(in).is_constant() ? &ir_.value(in).constant : nullptr);
    }
    const auto input = instr.node->def()->repeats({*instr.node, 0, shapes, values});
    if (!input) return std::nullopt;
    const ValueId source = instr.inputs[static_cast<std::size_t>(*input)];
    // A variable may be written between the op and the chain.
    if (ir_.value(ir_.root(source)).variable != nullptr) return std::nullopt;
    const std::int64_t count = ir_.value(source).shape.num_elements();
    const std::int64_t inner = count == 0 ? 0 : ir_.value(from).shape.num_elements() / count;
    if (inner < kMinInner) return std::nullopt;
    return Column{source, inner};
  }

  // How a member reads `v`; as layout().
  std::optional<Read> read(ValueId v, const Shape& domain, std::int64_t& inner) const {
    const PartialShape& shape = ir_.value(v).shape;
    if (shape.is_fully_defined() && shape.num_elements() == domain.num_elements()) {
      const auto column = column_of(v);
      if (column && (inner == 0 || inner == column->inner)) {
        inner = column->inner;
        return Read{column->value, {1, 0}};
      }
    }
    const auto found = layout(v, domain, inner);
    return found ? std::optional(Read{v, *found}) : std::nullopt;
  }

  // How `v` lies in a domain of shape `domain` whose inner part is `inner` elements (0: not yet
  // decided, then this input may decide). Nothing when it does not fit one of the four layouts.
  std::optional<Layout> layout(ValueId v, const Shape& domain, std::int64_t& inner) const {
    const PartialShape& partial = ir_.value(v).shape;
    if (!partial.is_fully_defined()) return std::nullopt;
    const Shape shape = partial.to_shape();
    const std::int64_t total = domain.num_elements();
    // Nothing fills a domain of something; the op itself says what is wrong with it.
    if (shape.num_elements() == 0) return std::nullopt;
    if (shape.num_elements() == 1 || is_uniform(ir_.value(v))) return Layout{0, 0};
    if (shape.num_elements() == total) return Layout{inner, 1};
    // Row: the trailing sizes of the domain. Column: the leading ones, then ones.
    const int lead = domain.rank() - shape.rank();
    if (lead < 0) return std::nullopt;
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
      if (!instr.node->def()->elementwise->broadcasts &&
          !(ir_.value(v).shape == PartialShape(domain))) {
        return false;
      }
      if (!read(v, domain, settled)) return false;
    }
    inner = settled;
    return true;
  }

  // Every member of a chain has the domain's elements in the domain's order, if not its shape.
  Shape shape_of(InstrId i) const { return ir_.value(ir_.instr(i).outputs[0]).shape.to_shape(); }

  void fuse_into(InstrId root) {
    const Shape domain = shape_of(root);
    std::int64_t inner = 0;
    if (operations_in(ir_.instr(root)) > kMaxChainOps ||
        ir_.instr(root).inputs.size() > kMaxChainInputs || !fits(ir_.instr(root), domain, inner)) {
      return;
    }
    std::vector<InstrId> members{root};
    std::size_t operations = operations_in(ir_.instr(root));
    for (std::size_t m = 0; m < members.size(); ++m) {
      // Inputs of members found later are looked at when their turn comes.
      const std::vector<ValueId> inputs = ir_.instr(members[m]).inputs;
      for (const ValueId input : inputs) {
        const ValueId v = base_of(input);
        const InstrId p = ir_.value(v).producer;
        if (p < 0 || is_in(members, p) || !eligible(p) ||
            waited_for_[static_cast<std::size_t>(p)] != 0 ||
            ir_.value(v).shape.num_elements() != domain.num_elements()) {
          continue;
        }
        std::int64_t with = inner;
        if (operations + operations_in(ir_.instr(p)) > kMaxChainOps ||
            !fits(ir_.instr(p), shape_of(p), with) || count_inputs(members, p) > kMaxChainInputs ||
            returns_to(members, p, v)) {
          continue;
        }
        inner = with;
        operations += operations_in(ir_.instr(p));
        members.push_back(p);
      }
    }
    const auto skips_op = [&](ValueId v) { return read(v, domain, inner)->value != v; };
    if (members.size() > 1 || std::ranges::any_of(ir_.instr(root).inputs, skips_op)) {
      replace(root, members, inner > 0 ? inner : domain.num_elements());
    }
  }

  static bool is_in(const std::vector<InstrId>& members, InstrId i) {
    return std::ranges::find(members, i) != members.end();
  }

  // True when `p`'s value is used outside the chain in a way that comes back into it: then the
  // chain would wait for itself. Gives up, with true, after a while.
  bool returns_to(const std::vector<InstrId>& members, InstrId p, ValueId v) const {
    std::vector<InstrId> work;
    std::unordered_set<InstrId> seen;
    const auto visit = [&](InstrId i) {
      const InstrId leader = leader_[static_cast<std::size_t>(i)];
      if (seen.insert(leader).second) work.push_back(leader);
    };
    for_each_user(v, [&](InstrId c) {
      if (!is_in(members, c)) visit(c);
    });
    while (!work.empty()) {
      const InstrId i = work.back();
      work.pop_back();
      if (i == p || is_in(members, i)) return true;
      if (seen.size() > kMaxSearch) return true;
      for (const ValueId out : ir_.instr(i).outputs) {
        for (const InstrId c : consumers_[static_cast<std::size_t>(out)]) visit(c);
      }
      for (const InstrId next : after_[static_cast<std::size_t>(i)]) visit(next);
    }
    return false;
  }

  std::size_t count_inputs(const std::vector<InstrId>& members, InstrId extra) const {
    std::vector<ValueId> inputs;
    const auto add = [&](InstrId i) {
      for (const ValueId v : ir_.instr(i).inputs) {
        const InstrId p = ir_.value(base_of(v)).producer;
        if (p >= 0 && (p == extra || is_in(members, p))) continue;
        if (std::ranges::find(inputs, v) == inputs.end()) inputs.push_back(v);
      }
    };
    for (const InstrId i : members) add(i);
    add(extra);
    return inputs.size();
  }

  void replace(InstrId root, std::vector<InstrId> members, std::int64_t inner) {
    std::ranges::sort(members);  // ids are in topological order
    auto chain = std::make_shared<FusedChain>();
    chain->inner = inner;
    chain->outer = shape_of(root).num_elements() / inner;
    std::vector<ValueId> inputs;
    std::unordered_map<ValueId, int> registers;
    for (const InstrId i : members) {
      for (const ValueId v : ir_.instr(i).inputs) {
        const InstrId p = ir_.value(base_of(v)).producer;
        if (p >= 0 && is_in(members, p)) continue;
        if (!registers.emplace(v, static_cast<int>(inputs.size())).second) continue;
        const Read from = *read(v, shape_of(i), chain->inner);
        inputs.push_back(from.value);
        chain->inputs.push_back(from.layout);
        chain->input_dtypes.push_back(ir_.value(v).dtype);
      }
    }
    std::vector<InstrId> after;
    std::vector<ValueId> outputs;
    for (const InstrId i : members) {
      Instr& instr = ir_.instr(i);
      for (const ValueId v : instr.inputs) {
        const auto made = registers.find(base_of(v));
        if (made != registers.end()) registers.emplace(v, made->second);
      }
      add_operations(*chain, instr, registers, inputs.size());
      const ValueId out = instr.outputs[0];
      registers[out] = static_cast<int>(inputs.size() + chain->ops.size()) - 1;
      if (i == root || is_used_outside(members, out)) {
        outputs.push_back(out);
        chain->output_shapes.push_back(shape_of(i));
        chain->outputs.push_back(static_cast<int>(chain->ops.size()) - 1);
      }
      for (const InstrId a : instr.after) {
        if (std::ranges::find(after, a) == after.end()) after.push_back(a);
      }
      leader_[static_cast<std::size_t>(i)] = root;
      if (i != root) instr.dead = true;
    }
    Instr& fused = ir_.instr(root);
    fused.kind = InstrKind::kFused;
    fused.fused = std::move(chain);
    fused.inputs = std::move(inputs);
    fused.after = std::move(after);
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      ir_.value(outputs[k]).producer = root;
      ir_.value(outputs[k]).output_index = static_cast<int>(k);
    }
    fused.outputs = std::move(outputs);
  }

  void add_operations(FusedChain& chain, const Instr& instr,
                      const std::unordered_map<ValueId, int>& registers, std::size_t num_inputs) {
    FusedChain::Op op;
    op.node = instr.node;
    op.loop = loop_of(ir_, instr);
    op.result = ir_.value(instr.outputs[0]).dtype;
    const auto arity = static_cast<std::size_t>(instr.node->def()->elementwise->arity);
    for (std::size_t k = 0; k < arity; ++k) op.inputs.push_back(registers.at(instr.inputs[k]));
    chain.ops.push_back(op);
    for (std::size_t k = arity; k < instr.inputs.size(); ++k) {
      op.inputs = {static_cast<int>(num_inputs + chain.ops.size()) - 1,
                   registers.at(instr.inputs[k])};
      chain.ops.push_back(op);
    }
  }

  Ir& ir_;
  std::vector<std::vector<InstrId>> consumers_;  // by value, as they were before fusing
  std::vector<std::vector<InstrId>> after_;      // what waits for an instruction
  std::vector<InstrId> leader_;                  // the chain an instruction went into, or itself
  std::vector<char> waited_for_;
};

}  // namespace

void fuse_elementwise(Ir& ir) {
  Fuser(ir).run();
}

}  // namespace assay::compiler
