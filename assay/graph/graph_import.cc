#include <algorithm>
#include <queue>
#include <unordered_map>

#include "assay/graph/attr_proto.h"
#include "assay/graph/graph_def.h"
#include "assay/graph/import_state.h"
#include "assay/graph/names.h"
#include "assay/graph/scope.h"
#include "assay/graph/signature.h"
#include "assay/graph/similar.h"

namespace assay {
namespace {

constexpr std::int64_t kMaxImportedOutputs = std::int64_t{1} << 24;  // of a whole GraphDef
constexpr int kTrustedShapesProducer = 21;    // earlier writers' _output_shapes may be wrong
constexpr int kScalarIsUnknownProducer = 21;  // a Placeholder's shape [] then meant none given

// One input of a node in the GraphDef.
struct Input {
  int node = -1;  // in the GraphDef; -1: `mapped` of the graph
  int index = 0;
  Output mapped;
  bool back_edge = false;
};

struct Pending {
  std::string final_name;
  std::vector<Input> inputs;
  std::vector<int> controls;
  std::vector<Node*> mapped_controls;
  int waits_for = 0;
  int outputs = 1;  // how many others refer to; counts for unknown ops
  Node* made = nullptr;
};

bool is_back_edge(const proto::NodeDef& from, const proto::NodeDef& to) {
  return (from.op() == "NextIteration" && to.op() == "Merge") ||
         (from.op() == "RefNextIteration" && to.op() == "RefMerge");
}

}  // namespace

/// Does one import; a friend of Graph, for taking nodes back when something is wrong.
class GraphImporter {
 public:
  GraphImporter(const proto::GraphDef& def, Graph& graph, const ImportOptions& options)
      : def_(def), graph_(graph), options_(options), first_new_(graph.num_nodes()) {}

  ImportResult run() {
    try {
      if (graph_.finalized())
        fail(Code::kFailedPrecondition, "the graph is finalized; no node may be added");
      read_names();
      read_inputs();
      enter_scope();
      sort_and_add();
      close_loops();
      find_returned();
      keep_library();
    } catch (const Error& e) {
      graph_.remove_nodes_from(first_new_);
      throw Error(e.code(), fmt::format("{}: {}", options_.source, e.message()), e.node());
    }
    return std::move(result_);
  }

 private:
  const proto::NodeDef& node_def(int i) const { return def_.node(i); }

  std::string label(int i) const {
    return fmt::format("{} '{}'", node_def(i).op(), node_def(i).name());
  }

  template <typename... Args>
  [[noreturn]] void bad_node(int i, fmt::format_string<Args...> format, Args&&... args) const {
    throw Error(Code::kInvalidArgument,
                fmt::format("{}: {}", label(i), fmt::format(format, std::forward<Args>(args)...)),
                node_def(i).name());
  }

  void read_names() {
    pending_.resize(static_cast<std::size_t>(def_.node_size()));
    for (int i = 0; i < def_.node_size(); ++i) {
      const std::string& name = node_def(i).name();
      if (name.empty()) invalid_argument("node number {} ({}) has no name", i, node_def(i).op());
      check_imported_name(name);
      if (node_def(i).op().empty()) bad_node(i, "has no op");
      if (!by_name_.emplace(name, i).second) bad_node(i, "its name occurs twice");
    }
  }

  void read_inputs() {
    for (const auto& [name, output] : options_.input_map) {
      if (!output || &output.graph() != &graph_) {
        invalid_argument("the tensor given for '{}' is absent or belongs to another graph", name);
      }
      const bool control = name.starts_with('^');
      const TensorName key = parse_tensor_name(control ? std::string_view(name).substr(1) : name);
      mapped_[{key.node, control ? -1 : key.index}] = output;
    }
    for (int i = 0; i < def_.node_size(); ++i) {
      bool controls_began = false;
      for (const std::string& text : node_def(i).input()) {
        if (text.starts_with('^')) {
          controls_began = true;
          read_control(i, text);
        } else {
          if (controls_began) bad_node(i, "input '{}' stands after a control input", text);
          read_data_input(i, text);
        }
      }
    }
  }

  int find_or_fail(int i, const std::string& name, const std::string& text) const {
    const auto it = by_name_.find(name);
    if (it != by_name_.end()) return it->second;
    SimilarNames near(name);
    for (const auto& [candidate, index] : by_name_) near.consider(candidate);
    bad_node(i, "its input '{}' does not exist{}", text, near.hint());
  }

  void read_control(int i, const std::string& text) {
    const std::string name = text.substr(1);
    Pending& p = pending_[static_cast<std::size_t>(i)];
    if (const auto it = mapped_.find({name, -1}); it != mapped_.end()) {
      p.mapped_controls.push_back(it->second.node);
      return;
    }
    p.controls.push_back(find_or_fail(i, name, text));
  }

  void read_data_input(int i, const std::string& text) {
    Pending& p = pending_[static_cast<std::size_t>(i)];
    TensorName name;
    try {
      name = parse_tensor_name(text);
    } catch (const Error& e) {
      bad_node(i, "{}", e.message());
    }
    if (const auto it = mapped_.find({name.node, name.index}); it != mapped_.end()) {
      p.inputs.push_back({.mapped = it->second});
      return;
    }
    const int from = find_or_fail(i, name.node, text);
    if (name.index >= kMaxOutputs) bad_node(i, "input '{}' asks for too high an output", text);
    Pending& source = pending_[static_cast<std::size_t>(from)];
    source.outputs = std::max(source.outputs, name.index + 1);
    p.inputs.push_back({.node = from,
                        .index = name.index,
                        .mapped = {},
                        .back_edge = is_back_edge(node_def(from), node_def(i))});
  }

  void enter_scope() {
    if (!options_.prefix.empty()) {
      NameScope scope(graph_, options_.prefix);
      result_.scope = scope.full();
    }
    for (int i = 0; i < def_.node_size(); ++i) {
      const std::string base = result_.scope + node_def(i).name();
      std::string name = base;
      // Names of this GraphDef that come later must stay free as well.
      for (int k = 1; graph_.find_node(name) != nullptr || (k > 1 && in_def(name)); ++k) {
        name = fmt::format("{}_{}", base, k);
      }
      pending_[static_cast<std::size_t>(i)].final_name = std::move(name);
    }
  }

  bool in_def(const std::string& final_name) const {
    if (!final_name.starts_with(result_.scope)) return false;
    return by_name_.contains(std::string_view(final_name).substr(result_.scope.size()));
  }

  // Kahn's algorithm; of the nodes that are ready, the first in the file goes first, so a sorted
  // GraphDef keeps its order.
  void sort_and_add() {
    std::vector<std::vector<int>> users(pending_.size());
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      Pending& p = pending_[i];
      const auto wait_for = [&](int source) {
        users[static_cast<std::size_t>(source)].push_back(static_cast<int>(i));
        ++p.waits_for;
      };
      for (const Input& input : p.inputs) {
        if (input.node >= 0 && !input.back_edge) wait_for(input.node);
      }
      for (int control : p.controls) wait_for(control);
      if (p.waits_for == 0) ready.push(static_cast<int>(i));
    }
    std::size_t done = 0;
    while (!ready.empty()) {
      const int i = ready.top();
      ready.pop();
      add(i);
      ++done;
      for (int user : users[static_cast<std::size_t>(i)]) {
        if (--pending_[static_cast<std::size_t>(user)].waits_for == 0) ready.push(user);
      }
    }
    if (done < pending_.size()) report_cycle();
  }

  [[noreturn]] void report_cycle() const {
    // Every node left waits for another one left: going backwards must come round.
    std::size_t at = 0;
    while (pending_[at].made != nullptr) ++at;
    std::vector<int> path;
    std::vector<int> seen(pending_.size(), -1);
    while (seen[at] < 0) {
      seen[at] = static_cast<int>(path.size());
      path.push_back(static_cast<int>(at));
      at = static_cast<std::size_t>(waited_for(pending_[at]));
    }
    constexpr int kShown = 8;
    std::string names;
    const int first = seen[at];
    const int last = static_cast<int>(path.size()) - 1;
    for (int k = last; k >= first && last - k < kShown; --k) {
      names += fmt::format("'{}' -> ", node_def(path[static_cast<std::size_t>(k)]).name());
    }
    if (last - first >= kShown) names += "... -> ";
    const auto back = path[static_cast<std::size_t>(last)];
    throw Error(Code::kInvalidArgument,
                fmt::format("the graph has a cycle: {}'{}'", names, node_def(back).name()),
                node_def(back).name());
  }

  int waited_for(const Pending& p) const {
    const auto left = [&](int i) { return pending_[static_cast<std::size_t>(i)].made == nullptr; };
    for (const Input& input : p.inputs) {
      if (input.node >= 0 && !input.back_edge && left(input.node)) return input.node;
    }
    for (int control : p.controls) {
      if (left(control)) return control;
    }
    internal_error("a node that waits for nothing was not added", __FILE__, __LINE__);
  }

  Output resolve(int i, const Input& input) const {
    if (input.node < 0) return input.mapped;
    Node* source = pending_[static_cast<std::size_t>(input.node)].made;
    if (input.index >= source->num_outputs()) {
      bad_node(i, "its input '{}:{}' does not exist: {} has {} outputs",
               node_def(input.node).name(), input.index, label(input.node), source->num_outputs());
    }
    return source->output(input.index);
  }

  void add(int i) {
    Pending& p = pending_[static_cast<std::size_t>(i)];
    NodeSpec spec{.op = node_def(i).op(), .name = p.final_name};
    spec.attrs = read_attrs(i);
    const std::vector<PartialShape> shapes = take_output_shapes(spec.attrs);
    const Input* forward = nullptr;
    for (const Input& input : p.inputs) {
      if (forward == nullptr && !input.back_edge) forward = &input;
    }
    bool loops = false;
    for (const Input& input : p.inputs) {
      loops = loops || input.back_edge;
      if (input.back_edge && forward == nullptr) bad_node(i, "a loop has no way in");
      // A loop's back edge is put in when its source is there; until then the way in stands here.
      spec.inputs.push_back(resolve(i, input.back_edge ? *forward : input));
    }
    for (int control : p.controls) {
      spec.control_inputs.push_back(pending_[static_cast<std::size_t>(control)].made);
    }
    spec.control_inputs.insert(spec.control_inputs.end(), p.mapped_controls.begin(),
                               p.mapped_controls.end());
    const int outputs =
        std::max(p.outputs, static_cast<int>(std::min<std::size_t>(shapes.size(), kMaxOutputs)));
    std::vector<DType> unknown(static_cast<std::size_t>(outputs), DType::kInvalid);
    p.made = graph_.add_imported_node(std::move(spec), device_of(i), std::move(unknown));
    for (int k = 0; loops && k < p.made->num_outputs(); ++k) {
      p.made->output_shapes_[static_cast<std::size_t>(k)] = PartialShape::unknown();
    }
    apply_output_shapes(i, *p.made, shapes);
    total_outputs_ += p.made->num_outputs();
    if (total_outputs_ > kMaxImportedOutputs) {
      bad_node(i, "the graph's nodes have more than {} outputs", kMaxImportedOutputs);
    }
    result_.nodes.emplace(node_def(i).name(), p.made);
  }

  std::string device_of(int i) const {
    const std::string& own = node_def(i).device();
    if (graph_.device_stack_.empty()) return own;
    try {
      return graph_.current_device(own);
    } catch (const Error& e) {
      bad_node(i, "{}", e.message());
    }
  }

  AttrMap read_attrs(int i) const {
    AttrMap attrs;
    for (const auto& [name, value] : node_def(i).attr()) {
      const std::string what = fmt::format("{}: attribute '{}'", label(i), name);
      if (auto read = attr_from_proto(value, what)) attrs.emplace(name, std::move(*read));
    }
    if (const auto it = attrs.find("_class"); it != attrs.end()) rename_colocation(it->second);
    if (node_def(i).op() == "Placeholder" &&
        def_.versions().producer() <= kScalarIsUnknownProducer) {
      const auto it = attrs.find("shape");
      if (it != attrs.end() && attr_equal(it->second, PartialShape::scalar())) {
        it->second = PartialShape::unknown();
      }
    }
    return attrs;
  }

  // "loc:@x" follows x to its new name.
  void rename_colocation(AttrValue& value) const {
    auto* groups = std::get_if<std::vector<std::string>>(&value);
    if (groups == nullptr) return;
    for (std::string& group : *groups) {
      if (!group.starts_with("loc:@")) continue;
      const std::string name = group.substr(5);
      const auto it = by_name_.find(name);
      group = "loc:@" + (it == by_name_.end()
                             ? result_.scope + name
                             : pending_[static_cast<std::size_t>(it->second)].final_name);
    }
  }

  static std::vector<PartialShape> take_output_shapes(AttrMap& attrs) {
    std::vector<PartialShape> shapes;
    const auto it = attrs.find("_output_shapes");
    if (it == attrs.end()) return shapes;
    if (auto* held = std::get_if<std::vector<PartialShape>>(&it->second)) shapes = std::move(*held);
    attrs.erase(it);
    return shapes;
  }

  void apply_output_shapes(int i, Node& node, const std::vector<PartialShape>& shapes) const {
    if (static_cast<int>(shapes.size()) != node.num_outputs()) return;
    if (def_.versions().producer() < kTrustedShapesProducer) return;
    for (int k = 0; k < node.num_outputs(); ++k) {
      const PartialShape& shape = shapes[static_cast<std::size_t>(k)];
      if (node.output_shape(k).is_compatible_with(shape)) {
        node.merge_output_shape(k, shape);
      } else {
        bad_node(i, "output {} has shape {}, but the file says {}", k, node.output_shape(k).str(),
                 shape.str());
      }
    }
  }

  void close_loops() {
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      Pending& p = pending_[i];
      for (std::size_t k = 0; k < p.inputs.size(); ++k) {
        if (!p.inputs[k].back_edge) continue;
        p.made->replace_input(static_cast<int>(k), resolve(static_cast<int>(i), p.inputs[k]));
      }
    }
  }

  void find_returned() {
    for (const std::string& text : options_.return_names) {
      const TensorName name = parse_tensor_name(text);
      if (const auto it = mapped_.find({name.node, name.index}); it != mapped_.end()) {
        result_.returned.push_back(it->second);
        continue;
      }
      const auto it = result_.nodes.find(name.node);
      if (it == result_.nodes.end()) {
        SimilarNames near(name.node);
        for (const auto& [candidate, node] : result_.nodes) near.consider(candidate);
        fail(Code::kNotFound, "there is no node '{}'{}", name.node, near.hint());
      }
      // A node without outputs is returned as its output 0: its node is what is wanted.
      if (name.index >= std::max(1, it->second->num_outputs())) {
        invalid_argument("'{}' asks for an output that {} does not have", text,
                         it->second->label());
      }
      result_.returned.push_back(it->second->output(name.index));
    }
  }

  void keep_library() {
    if (def_.has_library()) {
      auto& library = mutable_import_state(graph_).library;
      for (const auto& function : def_.library().function()) {
        const auto& own = library.function();
        const bool known = std::any_of(own.begin(), own.end(), [&](const proto::FunctionDef& f) {
          return f.signature().name() == function.signature().name();
        });
        if (!known) *library.add_function() = function;
      }
      library.mutable_gradient()->MergeFrom(def_.library().gradient());
    }
    if (!def_.has_versions()) return;
    // The graph then means what the older of the two writers meant.
    proto::VersionDef& own = mutable_import_state(graph_).versions;
    own.set_producer(std::min(own.producer(), def_.versions().producer()));
    own.set_min_consumer(std::max(own.min_consumer(), def_.versions().min_consumer()));
  }

  const proto::GraphDef& def_;
  Graph& graph_;
  const ImportOptions& options_;
  const int first_new_;
  std::vector<Pending> pending_;
  std::unordered_map<std::string_view, int> by_name_;
  std::map<std::pair<std::string, int>, Output> mapped_;  // -1: as a control input
  std::int64_t total_outputs_ = 0;
  ImportResult result_;
};

ImportResult import_graph_def(const proto::GraphDef& def, Graph& graph,
                              const ImportOptions& options) {
  return GraphImporter(def, graph, options).run();
}

}  // namespace assay
