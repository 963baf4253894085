#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "assay/format/proto/event.pb.h"
#include "assay/format/proto/meta_graph.pb.h"
#include "assay/graph/attr_proto.h"
#include "assay/graph/graph.h"

namespace assay::testing {

/// The graph in a `.meta` file, or the last one in an event file; read with no code of ours but
/// the schemas. An empty graph when there is none.
inline proto::GraphDef read_recorded_graph(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  proto::GraphDef graph;
  if (path.extension() == ".meta") {
    proto::MetaGraphDef meta;
    if (meta.ParseFromString(bytes)) graph = meta.graph_def();
    return graph;
  }
  // TFRecord: length (8 bytes), its checksum (4), the record, its checksum (4).
  for (std::size_t at = 0; at + 12 <= bytes.size();) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof(length));
    if (length > bytes.size() - at - 12) break;
    proto::Event event;
    if (event.ParseFromArray(bytes.data() + at + 12, static_cast<int>(length)) &&
        !event.graph_def().empty()) {
      graph.ParseFromString(event.graph_def());
    }
    at += 16 + length;
  }
  return graph;
}

/// What may differ between a graph recorded by an older TensorFlow and the one that 1.15 builds.
struct ParityRules {
  /// Nodes that are not compared, by recorded name.
  std::function<bool(const std::string&)> outside = [](const std::string&) { return false; };
  /// Turns a name of ours into the recorded one.
  std::function<std::string(const std::string&)> recorded_name = [](const std::string& n) {
    return n;
  };
  /// Nodes, by recorded name, of another op than recorded, with that op: {"add", "AddV2"}.
  std::map<std::string, std::string> other_op = {};
  /// Nodes that only TensorFlow 1.15 makes, by our name.
  std::set<std::string> only_ours = {};
  /// Attributes that came later: "Cast.Truncate".
  std::set<std::string> later_attrs = {};
  /// Attributes whose values differ for a reason that the test tells: "Placeholder.shape".
  std::set<std::string> other_attrs = {};
};

/// One line for each difference between the graph built and the graph recorded: nodes in order,
/// names, ops, inputs in order, control inputs as a set, attributes, shapes where both know them.
class ParityCheck {
 public:
  ParityCheck(const Graph& built, const proto::GraphDef& recorded, ParityRules rules)
      : rules_(std::move(rules)) {
    std::vector<const Node*> ours;
    for (const auto& node : built.nodes()) {
      if (rules_.only_ours.contains(node->name())) {
        ++only_ours_;
      } else if (!rules_.outside(rules_.recorded_name(node->name()))) {
        ours.push_back(node.get());
      }
    }
    std::vector<const proto::NodeDef*> theirs;
    for (const proto::NodeDef& node : recorded.node()) {
      if (!rules_.outside(node.name())) theirs.push_back(&node);
    }
    if (only_ours_ != rules_.only_ours.size()) say("not all nodes of only_ours were made");
    if (ours.size() != theirs.size()) {
      say(fmt::format("{} nodes built, {} recorded", ours.size(), theirs.size()));
    }
    compared_ = std::min(ours.size(), theirs.size());
    for (std::size_t i = 0; i < compared_; ++i) {
      if (rules_.recorded_name(ours[i]->name()) != theirs[i]->name()) {
        say(fmt::format("node {}: built '{}' {}, recorded '{}' {}", i, ours[i]->name(),
                        ours[i]->op(), theirs[i]->name(), theirs[i]->op()));
        break;
      }
      compare(*ours[i], *theirs[i]);
    }
  }

  const std::vector<std::string>& differences() const { return differences_; }
  std::size_t compared() const { return compared_; }

 private:
  void say(std::string line) { differences_.push_back(std::move(line)); }

  std::string input_name(const Output& input) const {
    const std::string name = rules_.recorded_name(input.node->name());
    return input.index == 0 ? name : fmt::format("{}:{}", name, input.index);
  }

  void compare(const Node& ours, const proto::NodeDef& theirs) {
    const auto other = rules_.other_op.find(theirs.name());
    const std::string& op = other == rules_.other_op.end() ? theirs.op() : other->second;
    if (ours.op() != op) say(fmt::format("'{}': op {}, recorded {}", theirs.name(), ours.op(), op));
    std::vector<std::string> inputs;
    std::set<std::string> controls;
    for (const std::string& input : theirs.input()) {
      if (input.starts_with('^')) {
        controls.insert(input.substr(1));
      } else {
        inputs.push_back(input);
      }
    }
    std::vector<std::string> our_inputs;
    for (const Output& input : ours.inputs()) our_inputs.push_back(input_name(input));
    std::set<std::string> our_controls;
    for (const Node* c : ours.control_inputs()) {
      our_controls.insert(rules_.recorded_name(c->name()));
    }
    if (our_inputs != inputs) {
      say(fmt::format("'{}': inputs {}, recorded {}", theirs.name(), join(our_inputs),
                      join(inputs)));
    }
    if (our_controls != controls) {
      say(fmt::format("'{}': control inputs {}, recorded {}", theirs.name(), join(our_controls),
                      join(controls)));
    }
    compare_attrs(ours, theirs);
  }

  void compare_attrs(const Node& ours, const proto::NodeDef& theirs) {
    for (const auto& [name, value] : theirs.attr()) {
      if (name == "_output_shapes") {
        compare_shapes(ours, value);
        continue;
      }
      const std::string label = fmt::format("{}.{}", ours.op(), name);
      if (rules_.other_attrs.contains(label)) continue;
      const auto recorded = attr_from_proto(value, label);
      const AttrValue* built = ours.find_attr(name);
      if (built == nullptr) {
        say(fmt::format("'{}': no attribute {}", theirs.name(), name));
      } else if (recorded && !attr_equal(*built, *recorded)) {
        say(fmt::format("'{}': {} = {}, recorded {}", theirs.name(), name, attr_str(*built),
                        attr_str(*recorded)));
      }
    }
    for (const auto& [name, value] : ours.attrs()) {
      if (theirs.attr().contains(name)) continue;
      if (!rules_.later_attrs.contains(fmt::format("{}.{}", ours.op(), name))) {
        say(fmt::format("'{}': attribute {} = {} is not recorded", theirs.name(), name,
                        attr_str(value)));
      }
    }
  }

  void compare_shapes(const Node& ours, const proto::AttrValue& value) {
    for (int i = 0; i < value.list().shape_size() && i < ours.num_outputs(); ++i) {
      const proto::TensorShapeProto& shape = value.list().shape(i);
      if (shape.unknown_rank()) continue;
      std::vector<std::int64_t> dims;
      for (const auto& d : shape.dim()) dims.push_back(d.size());
      const PartialShape recorded(dims);
      const auto merged = ours.output_shape(i).merge(recorded);
      if (!merged || !(*merged == ours.output_shape(i))) {
        say(fmt::format("'{}:{}': shape {}, recorded {}", theirs_name(ours), i,
                        ours.output_shape(i).str(), recorded.str()));
      }
    }
  }

  std::string theirs_name(const Node& node) const { return rules_.recorded_name(node.name()); }

  template <typename Strings>
  static std::string join(const Strings& strings) {
    return fmt::format("[{}]", fmt::join(strings, ", "));
  }

  ParityRules rules_;
  std::vector<std::string> differences_;
  std::size_t only_ours_ = 0;
  std::size_t compared_ = 0;
};

}  // namespace assay::testing
