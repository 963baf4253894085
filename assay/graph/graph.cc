#include "assay/graph/graph.h"

#include <algorithm>
#include <cctype>

#include "assay/graph/device_name.h"
#include "assay/graph/names.h"
#include "assay/graph/scope.h"
#include "assay/graph/shape_context.h"
#include "assay/graph/signature.h"
#include "assay/graph/similar.h"

namespace assay {
namespace {

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

[[noreturn]] void fail_at(const Node& node, const Error& e) {
  throw Error(e.code(), fmt::format("{}: {}", node.label(), e.message()), node.name(),
              node.place());
}

}  // namespace

Graph::Graph(const OpRegistry& registry) : registry_(&registry) {}

Graph::~Graph() = default;

Node* Graph::add_node(NodeSpec spec) {
  std::unique_ptr<Node> node(new Node);
  node->op_ = std::move(spec.op);
  node->graph_ = this;
  node->where_ = PlaceScope::current();
  std::string wanted = spec.name.empty() ? node->op_ : spec.name;
  const bool exact = wanted.ends_with('/');
  if (exact) wanted.pop_back();
  node->name_ = exact ? wanted : unique_name(wanted, false);
  try {
    if (finalized_) fail(Code::kFailedPrecondition, "the graph is finalized; no node may be added");
    check_node_name(node->name_);
    if (const Node* other = find_node(node->name_)) {
      invalid_argument("the name is taken by {}", other->label());
    }
    node->def_ = registry_->find(node->op_);
    if (node->def_ == nullptr) {
      SimilarNames near(node->op_);
      for (const auto& [name, def] : registry_->ops()) near.consider(name);
      invalid_argument("there is no op '{}'{}", node->op_, near.hint());
    }
    for (const Output& input : spec.inputs) {
      if (input && input.node->graph_ != this) {
        invalid_argument("input '{}' belongs to another graph", input.name());
      }
    }
    node->inputs_ = std::move(spec.inputs);
    node->attrs_ = std::move(spec.attrs);
    node->output_dtypes_ =
        resolve_signature(*node->def_, node->inputs_, node->attrs_, AttrPolicy::kStrict);
  } catch (const Error& e) {
    fail_at(*node, e);
  }
  node->control_inputs_ = control_inputs_for(node->inputs_);
  for (Node* control : spec.control_inputs) node->add_control_input(control);
  apply_placement(*node);
  node->output_shapes_.resize(node->output_dtypes_.size());
  node->output_shapes_ = infer_shapes(*node);
  if (!exact) unique_name(wanted, true);
  return insert(std::move(node));
}

Node* Graph::add_imported_node(NodeSpec spec, std::string device,
                               std::vector<DType> output_dtypes) {
  std::unique_ptr<Node> node(new Node);
  node->op_ = std::move(spec.op);
  node->graph_ = this;
  node->name_ = std::move(spec.name);
  node->device_ = std::move(device);
  node->inputs_ = std::move(spec.inputs);
  node->attrs_ = std::move(spec.attrs);
  node->def_ = registry_->find(node->op_);
  try {
    if (finalized_) fail(Code::kFailedPrecondition, "the graph is finalized; no node may be added");
    check_imported_name(node->name_);
    if (find_node(node->name_) != nullptr) {
      invalid_argument("the graph already has a node of this name");
    }
    for (const Output& input : node->inputs_) ASSAY_CHECK(input && input.node->graph_ == this);
    if (node->def_ != nullptr) {
      node->output_dtypes_ =
          resolve_signature(*node->def_, node->inputs_, node->attrs_, AttrPolicy::kLenient);
    } else {
      node->output_dtypes_ = std::move(output_dtypes);
    }
  } catch (const Error& e) {
    fail_at(*node, e);
  }
  for (Node* control : spec.control_inputs) node->add_control_input(control);
  node->output_shapes_.resize(node->output_dtypes_.size());
  node->output_shapes_ = infer_shapes(*node);
  names_in_use_.try_emplace(lower(node->name_), 1);
  return insert(std::move(node));
}

Node* Graph::insert(std::unique_ptr<Node> node) {
  node->id_ = num_nodes();
  Node* added = node.get();
  nodes_.push_back(std::move(node));
  by_name_.emplace(added->name_, added);
  for (auto frame = control_stack_.rbegin(); frame != control_stack_.rend(); ++frame) {
    frame->seen.insert(added);
    if (frame->clears) break;
  }
  return added;
}

void Graph::remove_nodes_from(int first) {
  while (num_nodes() > first) {
    by_name_.erase(nodes_.back()->name());
    for (ControlFrame& frame : control_stack_) frame.seen.erase(nodes_.back().get());
    nodes_.pop_back();
  }
}

// TF's rule (ops.Graph._control_dependencies_for_inputs): a scope's inputs are left out when an
// input of the new node was itself made inside that scope, since it waits for them already.
std::vector<Node*> Graph::control_inputs_for(const std::vector<Output>& inputs) const {
  std::vector<Node*> result;
  std::size_t first = control_stack_.size();
  while (first > 0) {
    --first;
    if (control_stack_[first].clears) break;
  }
  for (std::size_t f = first; f < control_stack_.size(); ++f) {
    const ControlFrame& frame = control_stack_[f];
    const bool dominated = std::any_of(inputs.begin(), inputs.end(), [&](const Output& input) {
      return frame.seen.contains(input.node);
    });
    if (dominated) continue;
    for (Node* control : frame.nodes) {
      const bool is_input = std::any_of(inputs.begin(), inputs.end(),
                                        [&](const Output& input) { return input.node == control; });
      if (!is_input && std::find(result.begin(), result.end(), control) == result.end()) {
        result.push_back(control);
      }
    }
  }
  return result;
}

std::string Graph::current_device(std::string inner) const {
  for (auto device = device_stack_.rbegin(); device != device_stack_.rend(); ++device) {
    inner = merge_devices(*device, inner);
  }
  return inner;
}

// Device scopes, then colocation: its groups replace `_class`, and a colocated node's device wins.
void Graph::apply_placement(Node& node) const {
  node.device_ = current_device({});
  if (colocation_stack_.empty()) return;
  std::vector<std::string> groups;
  for (auto with = colocation_stack_.rbegin(); with != colocation_stack_.rend(); ++with) {
    const std::vector<std::string> own = colocation_groups(**with);
    groups.insert(groups.end(), own.begin(), own.end());
    if (!(*with)->device_.empty()) node.device_ = (*with)->device_;
  }
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  node.attrs_["_class"] = std::move(groups);
}

Node* Graph::find_node(std::string_view name) const {
  const auto it = by_name_.find(std::string(name));
  return it == by_name_.end() ? nullptr : it->second;
}

Output Graph::output(std::string_view tensor_name) const {
  const TensorName parsed = parse_tensor_name(tensor_name);
  Node* node = find_node(parsed.node);
  if (node == nullptr) {
    SimilarNames near(parsed.node);
    for (const auto& n : nodes_) near.consider(n->name());
    fail(Code::kNotFound, "the graph has no node '{}'{}", parsed.node, near.hint());
  }
  if (parsed.index >= node->num_outputs()) {
    throw Error(Code::kInvalidArgument,
                fmt::format("'{}' asks for output {} of {}, which has {}", tensor_name,
                            parsed.index, node->label(), node->num_outputs()),
                node->name(), node->place());
  }
  return node->output(parsed.index);
}

std::string Graph::unique_name(std::string_view name, bool mark_as_used) {
  std::string full =
      name_scope_.empty() ? std::string(name) : fmt::format("{}/{}", name_scope_, name);
  const std::string base = lower(full);
  const auto found = names_in_use_.find(base);
  int i = found == names_in_use_.end() ? 0 : found->second;
  if (mark_as_used) names_in_use_[base] = i + 1;
  if (i == 0) return full;
  std::string key = base;
  while (names_in_use_.contains(key)) key = fmt::format("{}_{}", base, i++);
  if (mark_as_used) names_in_use_[key] = 1;
  return fmt::format("{}_{}", full, i - 1);
}

void Graph::add_to_collection(const std::string& name, CollectionItem item) {
  collections_[name].push_back(std::move(item));
}

const std::vector<CollectionItem>& Graph::collection(const std::string& name) const {
  static const std::vector<CollectionItem> none;
  const auto it = collections_.find(name);
  return it == collections_.end() ? none : it->second;
}

const std::any* Graph::find_attachment(const std::string& key) const {
  const auto it = attachments_.find(key);
  return it == attachments_.end() ? nullptr : &it->second;
}

namespace {

thread_local Graph* t_current = nullptr;                  // the innermost GraphScope's
thread_local std::unique_ptr<Graph> t_default = nullptr;  // made on first use

}  // namespace

GraphScope::GraphScope(Graph& graph) : previous_(t_current) {
  t_current = &graph;
}

GraphScope::~GraphScope() {
  t_current = previous_;
}

namespace internal {

Graph& current_graph_or_new(const OpRegistry& (*registry)()) {
  if (t_current != nullptr) return *t_current;
  if (t_default == nullptr) t_default = std::make_unique<Graph>(registry());
  return *t_default;
}

void reset_default_graph() {
  ASSAY_CHECK(t_current == nullptr);
  t_default.reset();
}

}  // namespace internal
}  // namespace assay
