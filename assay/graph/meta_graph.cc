#include "assay/graph/meta_graph.h"

#include <set>

#include "assay/graph/attr_proto.h"
#include "assay/graph/names.h"

namespace assay {
namespace {

// Adds items to one CollectionDef, of the kind that the first item has.
struct ItemWriter {
  proto::CollectionDef& out;

  bool fits(proto::CollectionDef::KindCase kind) const {
    return out.kind_case() == proto::CollectionDef::KIND_NOT_SET || out.kind_case() == kind;
  }
  bool operator()(Node* node) {
    if (!fits(proto::CollectionDef::kNodeList)) return false;
    out.mutable_node_list()->add_value(node->name());
    return true;
  }
  bool operator()(const Output& output) {
    if (!fits(proto::CollectionDef::kNodeList)) return false;
    out.mutable_node_list()->add_value(output.name());
    return true;
  }
  bool operator()(std::int64_t value) {
    if (!fits(proto::CollectionDef::kInt64List)) return false;
    out.mutable_int64_list()->add_value(value);
    return true;
  }
  bool operator()(float value) {
    if (!fits(proto::CollectionDef::kFloatList)) return false;
    out.mutable_float_list()->add_value(value);
    return true;
  }
  bool operator()(const std::string& bytes) {
    if (!fits(proto::CollectionDef::kBytesList)) return false;
    out.mutable_bytes_list()->add_value(bytes);
    return true;
  }
  bool operator()(const std::shared_ptr<CollectionObject>& object) {
    return (*this)(object->to_bytes());
  }
};

void write_collection(const std::string& name, const std::vector<CollectionItem>& items,
                      proto::MetaGraphDef& out) {
  proto::CollectionDef def;
  for (const CollectionItem& item : items) {
    if (!std::visit(ItemWriter{def}, item)) return;
  }
  if (!items.empty()) (*out.mutable_collection_def())[name] = std::move(def);
}

void write_op_list(const Graph& graph, proto::OpList& out) {
  std::set<std::string> used;
  for (const auto& node : graph.nodes()) {
    if (node->def() != nullptr) used.insert(node->op());
  }
  for (const std::string& op : used) *out.add_op() = op_def_to_proto(*graph.registry().find(op));
}

// "x" is a node, "x:0" a tensor, as the GraphDef names them.
CollectionItem find_item(const std::string& collection, const std::string& name,
                         const ImportResult& nodes) {
  const TensorName parsed = parse_tensor_name(name);
  const auto it = nodes.nodes.find(parsed.node);
  if (it == nodes.nodes.end()) {
    invalid_argument("collection '{}' names '{}', which the graph does not have", collection, name);
  }
  if (name.find(':') == std::string::npos) return it->second;
  if (parsed.index >= it->second->num_outputs()) {
    invalid_argument("collection '{}' names '{}', which {} does not have", collection, name,
                     it->second->label());
  }
  return it->second->output(parsed.index);
}

std::vector<CollectionItem> read_collection(const std::string& name,
                                            const proto::CollectionDef& def, Graph& graph,
                                            const ImportResult& nodes,
                                            const CollectionReader& reader) {
  std::vector<CollectionItem> items;
  for (const std::string& value : def.node_list().value()) {
    items.push_back(find_item(name, value, nodes));
  }
  for (const std::string& bytes : def.bytes_list().value()) {
    std::optional<CollectionItem> item;
    if (reader) item = reader(graph, name, bytes, nodes.scope);
    items.push_back(item ? std::move(*item) : CollectionItem(bytes));
  }
  for (std::int64_t value : def.int64_list().value()) items.emplace_back(value);
  for (float value : def.float_list().value()) items.emplace_back(value);
  return items;
}

}  // namespace

proto::MetaGraphDef to_meta_graph_def(const Graph& graph, const proto::SaverDef* saver,
                                      const MetaGraphOptions& options) {
  proto::MetaGraphDef out;
  *out.mutable_graph_def() = to_graph_def(
      graph,
      {.add_shapes = options.add_shapes, .strip_default_attrs = options.strip_default_attrs});
  auto* info = out.mutable_meta_info_def();
  // The TensorFlow whose vocabulary and collections these are: readers go by it.
  info->set_tensorflow_version("1.15.5");
  info->set_tensorflow_git_version("unknown");
  info->set_stripped_default_attrs(options.strip_default_attrs);
  write_op_list(graph, *info->mutable_stripped_op_list());
  if (saver != nullptr) *out.mutable_saver_def() = *saver;
  if (options.collections) {
    for (const std::string& name : *options.collections) {
      write_collection(name, graph.collection(name), out);
    }
  } else {
    for (const auto& [name, items] : graph.collections()) write_collection(name, items, out);
  }
  return out;
}

MetaGraphImport import_meta_graph_def(const proto::MetaGraphDef& def, Graph& graph,
                                      const ImportOptions& options,
                                      const CollectionReader& reader) {
  MetaGraphImport result{.nodes = import_graph_def(def.graph_def(), graph, options), .saver = {}};
  if (def.has_saver_def()) result.saver = def.saver_def();
  // All are read before any is added: an error leaves the collections as they were.
  std::map<std::string, std::vector<CollectionItem>> read;
  try {
    for (const auto& [name, collection] : def.collection_def()) {
      read[name] = read_collection(name, collection, graph, result.nodes, reader);
    }
  } catch (const Error& e) {
    throw Error(e.code(), fmt::format("{}: {}", options.source, e.message()), e.node());
  }
  for (auto& [name, items] : read) {
    for (CollectionItem& item : items) graph.add_to_collection(name, std::move(item));
  }
  return result;
}

}  // namespace assay
