#include <algorithm>
#include <queue>
#include <unordered_map>
#include <utility>

#include "assay/compiler/passes.h"
#include "assay/graph/signature.h"

namespace assay::compiler {
namespace {

// True when the op declares input `index` of the node as Ref(T): it may change the variable.
bool takes_ref(const Node& node, int index) {
  const ArgDef* arg = input_arg(node, index);
  return arg != nullptr && arg->is_ref;
}

class EffectOrder {
 public:
  explicit EffectOrder(Ir& ir) : ir_(ir) {}

  void run() {
    mark_views();
    snapshot_fetches();
    collect();
    if (take_snapshots()) collect();
    add_order();
  }

 private:
  struct Access {
    std::vector<InstrId> readers;
    std::vector<InstrId> writers;
  };

  void mark_views() {
    const auto count = static_cast<InstrId>(ir_.instrs.size());
    for (InstrId i = 0; i < count; ++i) {
      if (ir_.instr(i).dead || ir_.instr(i).kind != InstrKind::kNode) continue;
      const OpDef& def = *ir_.instr(i).node->def();
      if (def.reads_variable) {
        mark_variable_read(i);
        continue;
      }
      if (def.view != nullptr && mark_parts(i)) continue;
      if (!def.reshapes_input || def.is_stateful()) continue;
      Instr& instr = ir_.instr(i);
      Value& out = ir_.value(instr.outputs[0]);
      out.alias_of = instr.inputs[0];
      if (out.shape.is_fully_defined() && ir_.value(instr.inputs[0]).shape.is_fully_defined()) {
        instr.kind = InstrKind::kView;
      }
    }
  }

  // Outputs that are contiguous parts of an input (a slice of rows) need no copy.
  bool mark_parts(InstrId i) {
    Instr& instr = ir_.instr(i);
    std::vector<PartialShape> shapes;
    std::vector<const Tensor*> values;
    for (const ValueId v : instr.inputs) {
      shapes.push_back(ir_.value(v).shape);
      values.push_back(ir_.value(v).is_constant() ? &ir_.value(v).constant : nullptr);
    }
    std::vector<ViewPart> parts;
    for (std::size_t k = 0; k < instr.outputs.size(); ++k) {
      if (!ir_.value(instr.outputs[k]).shape.is_fully_defined()) return false;
      const auto part = instr.node->def()->view({*instr.node, static_cast<int>(k), shapes, values});
      if (!part) return false;
      parts.push_back(*part);
    }
    for (std::size_t k = 0; k < instr.outputs.size(); ++k) {
      Value& out = ir_.value(instr.outputs[k]);
      out.alias_of = instr.inputs[static_cast<std::size_t>(parts[k].input)];
      out.alias_offset = parts[k].first_element * static_cast<std::int64_t>(dtype_size(out.dtype));
    }
    instr.kind = InstrKind::kView;
    return true;
  }

  // A read of a variable whose handle is known shares the variable's own tensor.
  void mark_variable_read(InstrId i) {
    const ValueId out = ir_.instr(i).outputs[0];
    const Value& handle = ir_.value(ir_.instr(i).inputs[0]);
    if (!handle.is_constant() || !ir_.value(out).shape.is_fully_defined()) return;
    const ResourceHandle& resource = *handle.constant.data<ResourceHandle>();
    auto variable = std::dynamic_pointer_cast<VariableResource>(resource.resource);
    if (variable == nullptr) return;
    Value storage;
    storage.dtype = ir_.value(out).dtype;
    storage.shape = ir_.value(out).shape;
    storage.producer = i;
    storage.storage = Storage::kVariable;
    storage.variable = std::move(variable);
    storage.variable_name = resource.name;
    ir_.values.push_back(std::move(storage));
    ir_.value(out).alias_of = static_cast<ValueId>(ir_.values.size() - 1);
    ir_.instr(i).kind = InstrKind::kView;
  }

  // What leaves the program must not share memory with what stays.
  void snapshot_fetches() {
    std::unordered_map<ValueId, ValueId> copies;
    for (ValueId& v : ir_.fetches) {
      if (const auto it = copies.find(v); it != copies.end()) {
        v = it->second;
        continue;
      }
      const Value& root = ir_.value(ir_.root(v));
      const bool own = ir_.root(v) == v && !root.is_constant() && root.variable == nullptr;
      if (root.storage == Storage::kFeed || own) continue;
      Value copy = ir_.value(v);
      ir_.value(v).fetched = false;
      copy.alias_of = -1;
      copy.alias_offset = 0;
      copy.constant = Tensor();
      copy.variable.reset();
      copy.storage = Storage::kUnset;
      copy.producer = static_cast<InstrId>(ir_.instrs.size());
      copy.output_index = 0;
      Instr instr;
      instr.kind = InstrKind::kSnapshot;
      const InstrId producer = ir_.value(v).producer;
      instr.node = producer >= 0 ? ir_.instr(producer).node : nullptr;
      instr.inputs = {v};
      if (producer >= 0) instr.after = {producer};
      ir_.values.push_back(std::move(copy));
      const auto id = static_cast<ValueId>(ir_.values.size() - 1);
      instr.outputs = {id};
      ir_.instrs.push_back(std::move(instr));
      copies.emplace(v, id);
      v = id;
    }
  }

  const Resource* resource_of(ValueId v) const {
    const Value& root = ir_.value(ir_.root(v));
    if (root.variable != nullptr) return root.variable.get();
    if (root.dtype == DType::kResource && root.is_constant() && root.constant.num_elements() == 1) {
      return root.constant.data<ResourceHandle>()->resource.get();
    }
    return nullptr;
  }

  void collect() {
    accesses_.clear();
    order_of_resources_.clear();
    for (InstrId i = 0; i < static_cast<InstrId>(ir_.instrs.size()); ++i) {
      const Instr& instr = ir_.instr(i);
      if (instr.dead || instr.kind == InstrKind::kView) continue;
      for (std::size_t k = 0; k < instr.inputs.size(); ++k) {
        const Resource* resource = resource_of(instr.inputs[k]);
        if (resource == nullptr) continue;
        const bool by_handle = ir_.value(ir_.root(instr.inputs[k])).variable == nullptr;
        const bool writes = instr.kind == InstrKind::kNode && instr.effect == Effect::kWrites &&
                            (by_handle || takes_ref(*instr.node, static_cast<int>(k)));
        if (!accesses_.contains(resource)) order_of_resources_.push_back(resource);
        Access& access = accesses_[resource];
        auto& list = writes ? access.writers : access.readers;
        if (list.empty() || list.back() != i) list.push_back(i);
      }
    }
    for (auto& [resource, access] : accesses_) {
      std::erase_if(access.readers, [&access = access](InstrId r) {
        return std::ranges::find(access.writers, r) != access.writers.end();
      });
    }
  }

  // Everything that runs after `from`, by data or by order.
  std::vector<char> reachable(InstrId from) const {
    std::vector<char> seen(ir_.instrs.size(), 0);
    std::vector<InstrId> work{from};
    while (!work.empty()) {
      const InstrId i = work.back();
      work.pop_back();
      for (const InstrId next : successors_[static_cast<std::size_t>(i)]) {
        if (seen[static_cast<std::size_t>(next)] != 0) continue;
        seen[static_cast<std::size_t>(next)] = 1;
        work.push_back(next);
      }
    }
    return seen;
  }

  void build_successors() {
    successors_.assign(ir_.instrs.size(), {});
    for (InstrId i = 0; i < static_cast<InstrId>(ir_.instrs.size()); ++i) {
      const Instr& instr = ir_.instr(i);
      if (instr.dead) continue;
      for (const ValueId v : instr.inputs) {
        if (const InstrId p = ir_.value(v).producer; p >= 0) {
          successors_[static_cast<std::size_t>(p)].push_back(i);
        }
      }
      for (const InstrId a : instr.after) successors_[static_cast<std::size_t>(a)].push_back(i);
    }
  }

  // A view made before a write and used after it must keep the old value.
  bool take_snapshots() {
    build_successors();
    bool any = false;
    for (const Resource* resource : order_of_resources_) {
      const Access& access = accesses_.at(resource);
      for (const InstrId w : access.writers) {
        const auto later = reachable(w);
        std::vector<InstrId> users = access.readers;
        users.insert(users.end(), access.writers.begin(), access.writers.end());
        for (const InstrId r : users) {
          if (r != w && later[static_cast<std::size_t>(r)] == 0) continue;
          for (const ValueId v : ir_.instr(r).inputs) {
            if (resource_of(v) == resource) any = snapshot_view(v, later) || any;
          }
        }
      }
    }
    return any;
  }

  // Turns the view nearest the variable that was made before the write into a copy. This holds for
  // a writer's own other inputs too (Assign(w, read of w)): it may change what it still has to
  // read.
  bool snapshot_view(ValueId v, const std::vector<char>& later) {
    ValueId found = -1;
    for (ValueId at = v; ir_.value(at).alias_of >= 0; at = ir_.value(at).alias_of) {
      const InstrId p = ir_.value(at).producer;
      const Instr& producer = ir_.instr(p);
      const bool view = producer.kind == InstrKind::kView || producer.effect == Effect::kNone;
      if (view && later[static_cast<std::size_t>(p)] == 0) found = at;
    }
    if (found < 0) return false;
    Instr& producer = ir_.instr(ir_.value(found).producer);
    if (producer.kind == InstrKind::kSnapshot) return false;
    // An op with several outputs, or one that hands on a part, makes its own copy.
    if (producer.outputs.size() == 1 && ir_.value(found).alias_offset == 0 &&
        ir_.value(found).shape == ir_.value(ir_.value(found).alias_of).shape) {
      producer.kind = InstrKind::kSnapshot;
      producer.inputs = {ir_.value(found).alias_of};
    } else {
      producer.kind = InstrKind::kNode;
    }
    for (const ValueId out : producer.outputs) {
      ir_.value(out).alias_of = -1;
      ir_.value(out).alias_offset = 0;
    }
    return true;
  }

  void add_order() {
    build_successors();
    for (const Resource* resource : order_of_resources_) {
      const Access& access = accesses_.at(resource);
      for (const InstrId w : access.writers) {
        if (access.readers.empty()) break;
        const auto later = reachable(w);
        for (const InstrId r : access.readers) {
          if (later[static_cast<std::size_t>(r)] == 0) add_edge(r, w);
        }
      }
      if (access.writers.size() > 1) order_writers(access.writers);
    }
  }

  // Writers that nothing orders run in the order their nodes were made.
  void order_writers(const std::vector<InstrId>& writers) {
    std::unordered_map<InstrId, int> waiting;  // of each writer: how many others come first
    for (const InstrId w : writers) waiting[w] = 0;
    std::unordered_map<InstrId, std::vector<InstrId>> next;
    std::vector<InstrId> seen_from(ir_.instrs.size(), -1);
    for (const InstrId w : writers) {
      std::vector<InstrId> work{w};
      while (!work.empty()) {
        const InstrId i = work.back();
        work.pop_back();
        for (const InstrId s : successors_[static_cast<std::size_t>(i)]) {
          if (std::exchange(seen_from[static_cast<std::size_t>(s)], w) == w) continue;
          const auto it = waiting.find(s);
          if (it == waiting.end()) {
            work.push_back(s);
          } else {
            // What comes after that one it says itself.
            next[w].push_back(s);
            ++it->second;
          }
        }
      }
    }
    const auto made_later = [this](InstrId a, InstrId b) {
      return ir_.instr(a).node->id() > ir_.instr(b).node->id();
    };
    std::priority_queue<InstrId, std::vector<InstrId>, decltype(made_later)> ready(made_later);
    for (const InstrId w : writers) {
      if (waiting[w] == 0) ready.push(w);
    }
    InstrId last = -1;
    while (!ready.empty()) {
      const InstrId w = ready.top();
      ready.pop();
      if (last >= 0) add_edge(last, w);
      last = w;
      for (const InstrId n : next[w]) {
        if (--waiting[n] == 0) ready.push(n);
      }
    }
  }

  void add_edge(InstrId first, InstrId then) {
    auto& after = ir_.instr(then).after;
    if (std::ranges::find(after, first) != after.end()) return;
    after.push_back(first);
    successors_[static_cast<std::size_t>(first)].push_back(then);
  }

  Ir& ir_;
  std::unordered_map<const Resource*, Access> accesses_;
  std::vector<const Resource*>
      order_of_resources_;  // so that the result does not depend on addresses
  std::vector<std::vector<InstrId>> successors_;
};

}  // namespace

void order_effects(Ir& ir) {
  EffectOrder(ir).run();
}

}  // namespace assay::compiler
