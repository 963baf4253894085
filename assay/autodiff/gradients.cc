#include "assay/autodiff/gradients.h"

#include <deque>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "assay/graph/scope.h"

namespace assay {
namespace {

bool is_trainable(DType dtype) {
  const DType base = base_dtype(dtype);
  return is_floating(base) || is_complex(base) || base == DType::kResource ||
         base == DType::kVariant;
}

// One call of gradients(): walks from the ys back to the xs, each op once all its consumers on the
// way are done.
class Backward {
 public:
  Backward(Graph& graph, const std::vector<Output>& ys, const std::vector<Output>& xs,
           const GradientsOptions& options)
      : builder_(graph), ys_(ys), xs_(xs), options_(options) {}

  std::vector<Gradient> run() {
    const auto grad_ys = default_grad_ys();
    find_between();
    for (std::size_t i = 0; i < ys_.size(); ++i) grads_[ys_[i]].push_back(grad_ys[i]);
    std::deque<Node*> queue;
    std::unordered_set<Node*> queued;
    for (const Output& y : ys_) {
      if (between_.contains(y.node) && pending_[y.node] == 0 && queued.insert(y.node).second) {
        queue.push_back(y.node);
      }
    }
    const auto stops = stop_nodes();
    while (!queue.empty()) {
      Node* node = queue.front();
      queue.pop_front();
      differentiate(node, stops.contains(node));
      for (const Output& input : node->inputs()) {
        if (between_.contains(input.node) && --pending_[input.node] == 0)
          queue.push_back(input.node);
      }
    }
    std::vector<Gradient> result;
    for (const Output& x : xs_) {
      Gradient g = aggregate(x);
      if (!g.defined() && options_.unconnected_zeros) {
        g = builder_.op("ZerosLike", {x}, {}, "zeros_like");
      }
      result.push_back(g);
    }
    return result;
  }

 private:
  std::vector<Gradient> default_grad_ys() {
    if (!options_.grad_ys.empty() && options_.grad_ys.size() != ys_.size()) {
      invalid_argument("gradients: {} ys but {} grad_ys", ys_.size(), options_.grad_ys.size());
    }
    std::vector<Gradient> result;
    for (std::size_t i = 0; i < ys_.size(); ++i) {
      const Output y = ys_[i];
      if (!is_trainable(y.dtype())) {
        throw Error(Code::kInvalidArgument,
                    fmt::format("gradients: {} yields {}, which has no derivative", y.node->label(),
                                dtype_name(y.dtype())),
                    y.node->name(), y.node->place());
      }
      if (!options_.grad_ys.empty() && options_.grad_ys[i]) {
        const Output g = options_.grad_ys[i];
        if (base_dtype(g.dtype()) != base_dtype(y.dtype())) {
          throw Error(Code::kInvalidArgument,
                      fmt::format("gradients: grad_ys for {} must be {}, got {}", y.node->label(),
                                  dtype_name(y.dtype()), dtype_name(g.dtype())),
                      y.node->name(), y.node->place());
        }
        result.emplace_back(g);
        continue;
      }
      const Output shape = builder_.shape_of(y);
      const Output one = builder_.scalar(1, base_dtype(y.dtype()), fmt::format("grad_ys_{}", i));
      result.emplace_back(builder_.op("Fill", {shape, one}));
    }
    return result;
  }

  // The nodes between xs and ys, and for each how many uses among them are still to be done.
  void find_between() {
    std::unordered_set<Node*> from_xs;
    std::vector<std::vector<Node*>> consumers(builder_.graph().nodes().size());
    for (const auto& node : builder_.graph().nodes()) {
      for (const Output& input : node->inputs()) {
        consumers[static_cast<std::size_t>(input.node->id())].push_back(node.get());
      }
    }
    std::vector<Node*> work;
    for (const Output& x : xs_) {
      if (from_xs.insert(x.node).second) work.push_back(x.node);
    }
    while (!work.empty()) {
      Node* node = work.back();
      work.pop_back();
      bool flows = false;
      for (int i = 0; i < node->num_outputs(); ++i)
        flows = flows || is_trainable(node->output_dtype(i));
      if (!flows) continue;
      for (Node* next : consumers[static_cast<std::size_t>(node->id())]) {
        if (from_xs.insert(next).second) work.push_back(next);
      }
    }
    std::vector<Node*> order;
    std::deque<Node*> queue;
    for (const Output& y : ys_) queue.push_back(y.node);
    while (!queue.empty()) {
      Node* node = queue.front();
      queue.pop_front();
      if (!from_xs.contains(node) || !between_.insert(node).second) continue;
      order.push_back(node);
      for (const Output& input : node->inputs()) queue.push_back(input.node);
    }
    for (Node* node : order) {
      for (const Output& input : node->inputs()) {
        if (between_.contains(input.node)) ++pending_[input.node];
      }
    }
  }

  // Where the walk ends: xs that depend on no other x, and what the user wants held constant.
  std::unordered_set<Node*> stop_nodes() {
    std::unordered_set<Node*> stops;
    for (const Output& x : xs_) {
      bool deeper = false;
      for (const Output& input : x.node->inputs()) {
        const auto it = pending_.find(input.node);
        deeper = deeper || (it != pending_.end() && it->second > 0);
      }
      if (!deeper) stops.insert(x.node);
    }
    for (const Output& stop : options_.stop_gradients) stops.insert(stop.node);
    return stops;
  }

  // The sum of what has arrived for `output`.
  Gradient aggregate(const Output& output) {
    const auto it = grads_.find(output);
    if (it == grads_.end() || it->second.empty()) return {};
    auto& list = it->second;
    if (list.size() > 1) list = {sum(list)};
    return list.front();
  }

  Gradient sum(const std::vector<Gradient>& list) {
    bool all_sparse = true;
    for (const Gradient& g : list) all_sparse = all_sparse && g.is_sparse();
    std::vector<Output> tensors;
    if (!all_sparse) {
      for (const Gradient& g : list)
        tensors.push_back(g.is_sparse() ? densify(builder_, g.slices) : g.dense);
      return builder_.op("AddN", tensors);
    }
    std::vector<Output> indices;
    bool any_long = false;
    for (const Gradient& g : list) {
      any_long = any_long || base_dtype(g.slices.indices.dtype()) == DType::kInt64;
    }
    for (const Gradient& g : list) {
      tensors.push_back(g.slices.values);
      const Output own = g.slices.indices;
      const bool widen = any_long && base_dtype(own.dtype()) != DType::kInt64;
      indices.push_back(widen ? builder_.op("Cast", {own}, {{"DstT", DType::kInt64}}) : own);
    }
    const auto joined = [&](std::vector<Output> parts) {
      parts.push_back(builder_.constant(Tensor::scalar<std::int32_t>(0), "concat/axis"));
      return builder_.op("ConcatV2", std::move(parts), {}, "concat");
    };
    const Output values = joined(tensors);
    return IndexedSlices{values, joined(indices), list.front().slices.dense_shape};
  }

  void differentiate(Node* node, bool stop) {
    std::vector<Gradient> out_grads;
    bool any = false;
    for (int i = 0; i < node->num_outputs(); ++i) {
      out_grads.push_back(aggregate(node->output(i)));
      any = any || out_grads.back().defined();
    }
    if (stop || !any) return;
    const OpDef* def = node->def();
    if (def == nullptr || (def->gradient == nullptr && !def->not_differentiable)) {
      throw Error(
          Code::kUnimplemented,
          fmt::format("gradients: {} has no gradient, and the ys depend on the xs through it",
                      node->label()),
          node->name(), node->place());
    }
    if (def->not_differentiable) return;
    const NameScope scope(builder_.graph(), node->name() + "_grad");
    std::optional<ColocateWith> colocate;
    if (options_.colocate_gradients_with_ops) colocate.emplace(builder_.graph(), node);
    GradientContext context(*node, std::move(out_grads));
    def->gradient(context);
    auto in_grads = context.grad_inputs();
    if (options_.gate_gradients) gate(in_grads);
    for (int i = 0; i < node->num_inputs(); ++i) {
      const Gradient& g = in_grads[static_cast<std::size_t>(i)];
      if (!g.defined()) continue;
      const Output input = node->input(i);
      if (g.dense) check_gradient_shape(*node, input, g.dense);
      grads_[input].push_back(g);
    }
  }

  static void check_gradient_shape(const Node& node, const Output& input, const Output& grad) {
    if (base_dtype(input.dtype()) == DType::kResource) return;
    if (!grad.shape().is_compatible_with(input.shape())) {
      throw Error(Code::kInternal,
                  fmt::format("this is a bug in Assay: the gradient of {} for its input '{}' has "
                              "shape {}, the input has {}",
                              node.label(), input.name(), grad.shape().str(), input.shape().str()),
                  node.name(), node.place());
    }
    grad.node->merge_output_shape(grad.index, input.shape());
  }

  // control_flow_ops.tuple: nobody sees one of the gradients before all are there.
  void gate(std::vector<Gradient>& grads) {
    std::vector<Node*> ready;
    for (const Gradient& g : grads) {
      if (g.defined()) ready.push_back(g.is_sparse() ? g.slices.values.node : g.dense.node);
    }
    if (ready.size() < 2) return;
    Graph& graph = builder_.graph();
    const NameScope scope(graph, "tuple");
    Node* all = nullptr;
    {
      const ControlDependencies after(graph, ready);
      all = builder_.node("NoOp", {}, {}, "group_deps");
    }
    for (Gradient& g : grads) {
      if (!g.defined()) continue;
      Output& tensor = g.is_sparse() ? g.slices.values : g.dense;
      const ColocateWith colocate(graph, tensor.node);
      const ControlDependencies after(graph, {all});
      tensor = builder_.op("Identity", {tensor}, {}, "control_dependency");
    }
  }

  NodeBuilder builder_;
  const std::vector<Output>& ys_;
  const std::vector<Output>& xs_;
  const GradientsOptions& options_;
  std::unordered_set<Node*> between_;
  std::unordered_map<Node*, int> pending_;
  std::map<Output, std::vector<Gradient>> grads_;
};

}  // namespace

std::vector<Gradient> gradients(const std::vector<Output>& ys, const std::vector<Output>& xs,
                                const GradientsOptions& options, std::source_location where) {
  const PlaceScope place(where);
  if (ys.empty() || xs.empty())
    invalid_argument("gradients: there must be at least one y and one x");
  for (const auto* list : {&ys, &xs}) {
    for (const Output& o : *list) {
      if (!o) invalid_argument("gradients: one of the {} is no tensor", list == &ys ? "ys" : "xs");
      if (&o.graph() != &ys.front().graph()) {
        invalid_argument("gradients: '{}' belongs to another graph than '{}'", o.name(),
                         ys.front().name());
      }
    }
  }
  Graph& graph = ys.front().graph();
  const NameScope scope(graph, options.name);
  return Backward(graph, ys, xs, options).run();
}

std::vector<Output> dense_gradients(const std::vector<Output>& ys, const std::vector<Output>& xs,
                                    const GradientsOptions& options, std::source_location where) {
  const PlaceScope place(where);
  std::vector<Output> result;
  for (const Gradient& g : gradients(ys, xs, options, where)) {
    if (!g.is_sparse()) {
      result.push_back(g.dense);
      continue;
    }
    NodeBuilder builder(ys.front().graph());
    result.push_back(densify(builder, g.slices));
  }
  return result;
}

}  // namespace assay
