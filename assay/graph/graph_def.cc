#include "assay/graph/graph_def.h"

#include <algorithm>

#include "assay/format/tensor_proto.h"
#include "assay/graph/attr_proto.h"
#include "assay/graph/import_state.h"

namespace assay {
namespace {

void write_attrs(const Node& node, const GraphDefOptions& options, proto::NodeDef& out) {
  for (const auto& [name, value] : node.attrs()) {
    if (options.strip_default_attrs && node.def() != nullptr) {
      const AttrDef* attr = node.def()->find_attr(name);
      if (attr != nullptr && attr->default_value && attr_equal(*attr->default_value, value))
        continue;
    }
    (*out.mutable_attr())[name] = attr_to_proto(value);
  }
  if (!options.add_shapes || node.num_outputs() == 0) return;
  auto* shapes = (*out.mutable_attr())["_output_shapes"].mutable_list();
  for (int i = 0; i < node.num_outputs(); ++i)
    format::shape_to_proto(node.output_shape(i), *shapes->add_shape());
}

void write_node(const Node& node, const GraphDefOptions& options, proto::NodeDef& out) {
  out.set_name(node.name());
  out.set_op(node.op());
  for (const Output& input : node.inputs()) out.add_input(input.input_name());
  std::vector<std::string> controls;
  for (const Node* control : node.control_inputs()) controls.push_back("^" + control->name());
  std::sort(controls.begin(), controls.end());
  for (std::string& control : controls) out.add_input(std::move(control));
  out.set_device(node.device());
  write_attrs(node, options, out);
}

}  // namespace

proto::GraphDef to_graph_def(const Graph& graph, const GraphDefOptions& options) {
  proto::GraphDef def;
  for (const auto& node : graph.nodes()) write_node(*node, options, *def.add_node());
  const ImportState& state = import_state(graph);
  *def.mutable_versions() = state.versions;
  if (state.library.function_size() > 0 || state.library.gradient_size() > 0) {
    *def.mutable_library() = state.library;
  }
  return def;
}

const proto::FunctionDefLibrary& function_library(const Graph& graph) {
  return import_state(graph).library;
}

}  // namespace assay
