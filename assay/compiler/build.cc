#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "assay/compiler/passes.h"
#include "assay/graph/signature.h"

namespace assay::compiler {
namespace {

// How a node is visited: because its value or effect is wanted, or only for the effects among
// what it waits for.
enum Mode { kNeed = 0, kFrontier = 1 };

// A variable's own node is only its name: waiting for it means nothing.
bool has_effect(const Node& node) {
  return node.def() == nullptr || (node.def()->is_stateful() && !node.def()->resolved_by_runtime);
}

// What a pure node yields does not depend on when it runs, unless it reads a variable directly.
bool depends_on_order(const Node& node) {
  if (node.def()->is_stateful()) return true;
  return std::ranges::any_of(node.inputs(), [](const Output& o) { return is_ref(o.dtype()); });
}

class Builder {
 public:
  Builder(const Request& request, ResourceStore& resources)
      : request_(request), resources_(resources) {}

  Ir run() {
    for (std::size_t i = 0; i < request_.feeds.size(); ++i) {
      const Output feed = request_.feeds[i];
      Value value;
      value.dtype = request_.feed_dtypes[i];
      value.shape = request_.feed_shapes[i];
      value.storage = Storage::kFeed;
      ir_.feeds.push_back(add_value(std::move(value)));
      if (!values_.emplace(feed, ir_.feeds.back()).second) {
        invalid_argument("tensor '{}' is fed twice", feed.name());
      }
      fed_.insert(feed);
    }
    for (const Output fetch : request_.fetches) {
      if (!fed_.contains(fetch)) visit(fetch.node, kNeed);
    }
    for (Node* target : request_.targets) {
      visit(target, kNeed);
      ir_.targets.push_back(instr_of_.at(target));
    }
    for (const Output fetch : request_.fetches) {
      ir_.fetches.push_back(values_.at(fetch));
      ir_.value(ir_.fetches.back()).fetched = true;
    }
    return std::move(ir_);
  }

 private:
  struct Frame {
    const Node* node;
    Mode mode;
    std::vector<std::pair<const Node*, Mode>> children;
    std::size_t next = 0;
  };
  enum State : char { kNew, kOpen, kDone };

  ValueId add_value(Value value) {
    ir_.values.push_back(std::move(value));
    return static_cast<ValueId>(ir_.values.size() - 1);
  }

  State& state(const Node* node, Mode mode) { return states_[node][mode]; }

  Frame open(const Node* node, Mode mode) {
    state(node, mode) = kOpen;
    Frame frame{node, mode, {}, 0};
    for (const Output& input : node->inputs()) {
      if (fed_.contains(input)) continue;
      frame.children.emplace_back(input.node,
                                  mode == kNeed || has_effect(*input.node) ? kNeed : kFrontier);
    }
    for (const Node* input : node->control_inputs()) {
      frame.children.emplace_back(input, has_effect(*input) ? kNeed : kFrontier);
    }
    return frame;
  }

  // Depth first with a stack of its own, since graphs may be deeper than the thread's stack.
  void visit(const Node* root, Mode mode) {
    if (state(root, mode) != kNew) return;
    std::vector<Frame> stack;
    stack.push_back(open(root, mode));
    while (!stack.empty()) {
      Frame& top = stack.back();
      if (top.next < top.children.size()) {
        const auto [child, child_mode] = top.children[top.next++];
        const State s = state(child, child_mode);
        if (s == kOpen) report_cycle(stack, child);
        if (s == kNew) stack.push_back(open(child, child_mode));
        continue;
      }
      state(top.node, top.mode) = kDone;
      if (top.mode == kNeed) {
        emit(*top.node);
      } else {
        frontier_[top.node] = collect_frontier(*top.node);
      }
      stack.pop_back();
    }
  }

  [[noreturn]] void report_cycle(const std::vector<Frame>& stack, const Node* again) const {
    std::string path;
    bool inside = false;
    for (const Frame& frame : stack) {
      inside = inside || frame.node == again;
      if (inside) path += fmt::format("'{}' <- ", frame.node->name());
    }
    throw Error(Code::kInvalidArgument,
                fmt::format("the graph has a cycle: {}'{}'", path, again->name()), again->name(),
                again->place());
  }

  // What waiting for `node` means: the nearest nodes with an effect.
  std::vector<InstrId> waits_for(const Node* node) const {
    if (has_effect(*node)) return {instr_of_.at(node)};
    const auto it = frontier_.find(node);
    return it == frontier_.end() ? std::vector<InstrId>{} : it->second;
  }

  std::vector<InstrId> collect_frontier(const Node& node) const {
    std::set<InstrId> all;
    for (const Output& input : node.inputs()) {
      if (fed_.contains(input)) continue;
      for (const InstrId i : waits_for(input.node)) all.insert(i);
    }
    for (const Node* input : node.control_inputs()) {
      for (const InstrId i : waits_for(input)) all.insert(i);
    }
    return {all.begin(), all.end()};
  }

  // What `node` runs after, beside what yields its inputs: what its control inputs mean, and what
  // the pure nodes among its inputs would have waited for, had the time mattered to them.
  std::vector<InstrId> runs_after(const Node& node) const {
    std::set<InstrId> all;
    for (const Node* input : node.control_inputs()) {
      for (const InstrId i : waits_for(input)) all.insert(i);
    }
    for (const Output& input : node.inputs()) {
      if (fed_.contains(input)) continue;
      if (const auto it = postponed_.find(input.node); it != postponed_.end()) {
        all.insert(it->second.begin(), it->second.end());
      }
    }
    return {all.begin(), all.end()};
  }

  // What an unknown op would yield may be fed as anything; here is who has to read it.
  void check_dtype(const Node& node, int i, ValueId v) const {
    const DType got = ir_.value(v).dtype;
    const DType expected = declared_input_dtype(node, i);
    if (expected == got || expected == DType::kInvalid || node.input(i).dtype() != DType::kInvalid)
      return;
    throw Error(Code::kInvalidArgument,
                fmt::format("{}: input {}, '{}', is fed as {}, but must be {}", node.label(), i,
                            node.input(i).name(), dtype_name(got), dtype_name(expected)),
                node.name(), node.place());
  }

  void emit(const Node& node) {
    const OpDef* def = node.def();
    if (def == nullptr) {
      const auto similar = node.graph().registry().similar(node.op());
      throw Error(
          Code::kUnimplemented,
          fmt::format(
              "{}: this op is not known to Assay and the request needs it{}", node.label(),
              similar.empty() ? "" : fmt::format(" (similar: {})", fmt::join(similar, ", "))),
          node.name(), node.place());
    }
    Instr instr;
    instr.node = &node;
    instr.effect = def->effect;
    for (int i = 0; i < node.num_inputs(); ++i) {
      instr.inputs.push_back(values_.at(node.input(i)));
      check_dtype(node, i, instr.inputs.back());
    }
    std::vector<InstrId> after = runs_after(node);
    if (depends_on_order(node) || node.num_outputs() == 0) {
      instr.after = std::move(after);
    } else if (!after.empty()) {
      postponed_[&node] = std::move(after);
    }
    const auto id = static_cast<InstrId>(ir_.instrs.size());
    for (int i = 0; i < node.num_outputs(); ++i) {
      const Output output{const_cast<Node*>(&node), i};
      Value value;
      value.dtype = base_dtype(node.output_dtype(i));
      value.shape = node.output_shape(i);
      value.producer = id;
      value.output_index = i;
      const ValueId v = add_value(std::move(value));
      instr.outputs.push_back(v);
      values_.try_emplace(output, v);  // a fed output keeps the feed
      if (is_ref(node.output_dtype(i))) resolve_ref(node, instr, v);
    }
    if (!def->value_attr.empty()) {
      ir_.value(instr.outputs[0]).constant = node.attr<Tensor>(def->value_attr);
      ir_.value(instr.outputs[0]).shape = ir_.value(instr.outputs[0]).constant.shape();
      instr.kind = InstrKind::kView;
    } else if (def->resolved_by_runtime) {
      instr.kind = InstrKind::kView;
      if (node.num_outputs() > 0 && !is_ref(node.output_dtype(0))) {
        throw Error(
            Code::kInvalidArgument,
            fmt::format(
                "{}: must be fed a value of {}{}", node.label(), dtype_name(node.output_dtype(0)),
                node.output_shape(0).has_rank() ? node.output_shape(0).str() : " of any shape"),
            node.name(), node.place());
      }
    } else if (node.num_outputs() == 0 && def->kernels.empty()) {
      instr.kind = InstrKind::kView;  // NoOp: only what it waits for counts
    }
    instr_of_[&node] = id;
    ir_.instrs.push_back(std::move(instr));
  }

  // A ref output is a variable's own storage: a variable's, or that of the op's first ref input.
  void resolve_ref(const Node& node, const Instr& instr, ValueId v) {
    Value& value = ir_.value(v);
    if (node.num_inputs() == 0) {
      auto name = node.attr_or<std::string>("shared_name", "");
      if (name.empty()) name = node.name();
      value.variable = resources_.get_or_create<VariableResource>(
          name, [] { return std::make_shared<VariableResource>(); });
      value.variable_name = node.name();
      value.storage = Storage::kVariable;
      return;
    }
    for (int i = 0; i < node.num_inputs(); ++i) {
      if (is_ref(node.input(i).dtype())) {
        const ValueId source = instr.inputs[static_cast<std::size_t>(i)];
        value.alias_of = source;
        value.variable = ir_.value(source).variable;
        value.variable_name = ir_.value(source).variable_name;
        return;
      }
    }
    throw Error(Code::kUnimplemented,
                fmt::format("{}: its reference output comes from no variable", node.label()),
                node.name(), node.place());
  }

  const Request& request_;
  ResourceStore& resources_;
  Ir ir_;
  std::map<Output, ValueId> values_;
  std::set<Output> fed_;
  std::unordered_map<const Node*, std::array<State, 2>> states_;
  std::unordered_map<const Node*, InstrId> instr_of_;
  std::unordered_map<const Node*, std::vector<InstrId>> frontier_;
  std::unordered_map<const Node*, std::vector<InstrId>> postponed_;  // of pure nodes
};

}  // namespace

Ir build(const Request& request, ResourceStore& resources) {
  return Builder(request, resources).run();
}

}  // namespace assay::compiler
