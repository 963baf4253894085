#include <algorithm>
#include <map>
#include <set>

#include "assay/cli/inspect.h"
#include "assay/graph/graph_files.h"
#include "assay/graph/op_registry.h"

namespace assay::cli {
namespace {

std::string dtype_str(int type) {
  const auto dtype = static_cast<DType>(type);
  return dtype_name(dtype);
}

/// "[?,3]" or "?" of a shape.
std::string shape_str(const proto::TensorShapeProto& shape) {
  if (shape.unknown_rank()) return "?";
  std::string text = "[";
  for (const auto& dim : shape.dim()) {
    if (text.size() > 1) text += ',';
    text += dim.size() < 0 ? "?" : std::to_string(dim.size());
  }
  return text + "]";
}

// Before this version a placeholder's shape [] said that nothing was known.
constexpr int kPlaceholderShapesAreKnown = 24;

Json typed_node(const proto::NodeDef& node, int producer) {
  Json entry = {{"name", node.name()}, {"op", node.op()}};
  const auto dtype = node.attr().find("dtype");
  if (dtype != node.attr().end()) entry["dtype"] = dtype_str(dtype->second.type());
  const auto shape = node.attr().find("shape");
  if (shape != node.attr().end()) {
    const bool unknown = node.op() == "Placeholder" && producer < kPlaceholderShapesAreKnown &&
                         shape->second.shape().dim().empty();
    entry["shape"] = unknown ? "?" : shape_str(shape->second.shape());
  }
  return entry;
}

Json signature_json(const google::protobuf::Map<std::string, proto::TensorInfo>& tensors) {
  std::map<std::string, std::string> sorted;
  for (const auto& [key, info] : tensors) {
    sorted[key] = info.name() + " " + dtype_str(info.dtype()) + shape_str(info.tensor_shape());
  }
  return sorted;
}

const char* kind_str(GraphFileKind kind) {
  switch (kind) {
    case GraphFileKind::kMetaGraphDef:
      return "MetaGraphDef";
    case GraphFileKind::kSavedModel:
      return "SavedModel";
    case GraphFileKind::kGraphDef:
      break;
  }
  return "GraphDef";
}

std::int64_t size_of(const proto::CollectionDef& collection) {
  return collection.node_list().value_size() + collection.bytes_list().value_size() +
         collection.int64_list().value_size() + collection.float_list().value_size() +
         collection.any_list().value_size();
}

}  // namespace

Json describe_graph(const std::string& path) {
  const GraphFile file = read_graph_file(path);
  const proto::GraphDef& graph = file.meta.graph_def();
  std::map<std::string, std::int64_t> ops;
  std::map<std::string, std::int64_t> unsupported;
  Json placeholders = Json::array();
  Json variables = Json::array();
  const OpRegistry& registry = default_op_registry();
  std::set<std::string> functions;
  for (const auto& function : graph.library().function()) {
    functions.insert(function.signature().name());
  }
  for (const auto& node : graph.node()) {
    ++ops[node.op()];
    if (registry.find(node.op()) == nullptr && !functions.contains(node.op())) {
      ++unsupported[node.op()];
    }
    if (node.op().starts_with("Placeholder"))
      placeholders.push_back(typed_node(node, graph.versions().producer()));
    if (node.op() == "VariableV2" || node.op() == "Variable" || node.op() == "VarHandleOp") {
      variables.push_back(typed_node(node, graph.versions().producer()));
    }
  }
  Json result = {{"kind", kind_str(file.kind)},
                 {"path", path},
                 {"format", file.is_text ? "text" : "binary"},
                 {"producer", graph.versions().producer()},
                 {"nodes", graph.node_size()},
                 {"functions", graph.library().function_size()},
                 {"ops", ops},
                 {"unsupported", unsupported},
                 {"placeholders", std::move(placeholders)},
                 {"variables", std::move(variables)}};
  if (file.kind == GraphFileKind::kGraphDef) return result;
  const auto& info = file.meta.meta_info_def();
  result["tensorflow_version"] = info.tensorflow_version();
  Json tags = Json::array();
  for (const auto& tag : info.tags()) tags.push_back(tag);
  if (!tags.empty()) result["tags"] = std::move(tags);
  std::map<std::string, std::int64_t> collections;
  for (const auto& [name, collection] : file.meta.collection_def()) {
    collections[name] = size_of(collection);
  }
  result["collections"] = collections;
  if (file.meta.has_saver_def()) {
    const auto& saver = file.meta.saver_def();
    result["saver"] = {{"filename", saver.filename_tensor_name()},
                       {"save", saver.save_tensor_name()},
                       {"restore", saver.restore_op_name()}};
  }
  std::map<std::string, Json> signatures;
  for (const auto& [name, signature] : file.meta.signature_def()) {
    signatures[name] = {{"method", signature.method_name()},
                        {"inputs", signature_json(signature.inputs())},
                        {"outputs", signature_json(signature.outputs())}};
  }
  if (!signatures.empty()) result["signatures"] = signatures;
  return result;
}

}  // namespace assay::cli
