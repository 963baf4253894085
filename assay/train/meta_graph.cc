#include <map>
#include <set>

#include "assay/api/variable.h"
#include "assay/base/file_system.h"
#include "assay/base/log.h"
#include "assay/format/proto/meta_graph.pb.h"
#include "assay/format/proto/variable.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/graph_def.h"
#include "assay/train/saver.h"

namespace assay::train {

namespace {

const std::set<std::string>& variable_collections() {
  static const std::set<std::string> keys = {
      graph_keys::kGlobalVariables,        graph_keys::kLocalVariables,
      graph_keys::kTrainableVariables,     graph_keys::kModelVariables,
      graph_keys::kMovingAverageVariables, graph_keys::kGlobalStep};
  return keys;
}

/// One collection; its first item says which kind it is, as in TensorFlow.
proto::CollectionDef collection_def(const std::vector<CollectionItem>& items) {
  proto::CollectionDef def;
  const auto kind = items.front().index();
  for (const CollectionItem& item : items) {
    if (item.index() != kind) continue;
    struct Visitor {
      proto::CollectionDef& def;
      void operator()(Node* v) const { def.mutable_node_list()->add_value(v->name()); }
      void operator()(const Output& v) const { def.mutable_node_list()->add_value(v.name()); }
      void operator()(std::int64_t v) const { def.mutable_int64_list()->add_value(v); }
      void operator()(float v) const { def.mutable_float_list()->add_value(v); }
      void operator()(const std::string& v) const { def.mutable_bytes_list()->add_value(v); }
      void operator()(const std::shared_ptr<CollectionObject>& v) const {
        def.mutable_bytes_list()->add_value(v->to_bytes());
      }
    };
    std::visit(Visitor{def}, item);
  }
  return def;
}

/// Puts the items of a .meta file's collections into a graph. A variable that several
/// collections hold becomes one.
class CollectionImporter {
 public:
  CollectionImporter(Graph& graph, std::string prefix, const std::string& source)
      : graph_(graph), prefix_(std::move(prefix)), source_(source) {}

  void add(const std::string& key, const proto::CollectionDef& def) {
    switch (def.kind_case()) {
      case proto::CollectionDef::kNodeList:
        for (const std::string& name : def.node_list().value()) add_named(key, prefix_ + name);
        break;
      case proto::CollectionDef::kBytesList:
        for (const std::string& bytes : def.bytes_list().value()) {
          if (variable_collections().contains(key)) {
            add_variable(key, bytes);
          } else {
            graph_.add_to_collection(key, bytes);
          }
        }
        break;
      case proto::CollectionDef::kInt64List:
        for (const std::int64_t v : def.int64_list().value()) graph_.add_to_collection(key, v);
        break;
      case proto::CollectionDef::kFloatList:
        for (const float v : def.float_list().value()) graph_.add_to_collection(key, v);
        break;
      default:
        break;
    }
  }

 private:
  void add_named(const std::string& key, const std::string& name) {
    if (name.find(':') != std::string::npos) {
      graph_.add_to_collection(key, graph_.output(name));
    } else if (Node* node = graph_.find_node(name)) {
      graph_.add_to_collection(key, node);
    } else {
      fail(Code::kDataLoss, "{}: the collection '{}' names '{}', which the graph does not have",
           source_, key, name);
    }
  }

  void add_variable(const std::string& key, const std::string& bytes) {
    const auto name =
        format::parse_binary<proto::VariableDef>(bytes, source_ + ": a variable").variable_name();
    auto found = variables_.find(name);
    if (found == variables_.end()) {
      const std::string scope = prefix_.substr(0, prefix_.empty() ? 0 : prefix_.size() - 1);
      found = variables_.emplace(name, Variable::from_bytes(graph_, bytes, scope)).first;
    }
    graph_.add_to_collection(key, found->second.state());
  }

  Graph& graph_;
  std::string prefix_;  // with its slash
  const std::string& source_;
  std::map<std::string, Variable> variables_;
};

}  // namespace

std::string export_meta_graph(const Graph& graph, const Saver* saver) {
  proto::MetaGraphDef meta;
  meta.mutable_meta_info_def();
  *meta.mutable_graph_def() = to_graph_def(graph, {.add_shapes = true});
  if (saver != nullptr && !saver->nodes().restore_op_name.empty()) {
    format::parse_binary(saver->to_bytes(), *meta.mutable_saver_def(), "saver");
  }
  for (const auto& [key, items] : graph.collections()) {
    if (!items.empty()) (*meta.mutable_collection_def())[key] = collection_def(items);
  }
  return format::to_binary(meta);
}

void export_meta_graph_to(const std::string& filename, const Graph& graph, const Saver* saver) {
  atomic_write_file(posix_file_system(), filename, export_meta_graph(graph, saver));
}

std::optional<Saver> import_meta_graph(const std::string& filename,
                                       const ImportMetaGraphOptions& options) {
  auto meta =
      format::parse_binary<proto::MetaGraphDef>(read_file(posix_file_system(), filename), filename);
  if (options.clear_devices) {
    for (proto::NodeDef& node : *meta.mutable_graph_def()->mutable_node()) node.clear_device();
  }
  Graph& graph = current_graph();
  const ImportResult imported = import_graph_def(
      meta.graph_def(), graph, {.prefix = options.import_scope, .source = filename});
  CollectionImporter collections(graph, imported.scope, filename);
  const std::map<std::string, proto::CollectionDef> sorted(meta.collection_def().begin(),
                                                           meta.collection_def().end());
  for (const auto& [key, def] : sorted) collections.add(key, def);
  const proto::SaverDef& saver = meta.saver_def();
  if (saver.restore_op_name().empty()) return std::nullopt;
  return Saver(graph,
               {.filename_tensor_name = imported.scope + saver.filename_tensor_name(),
                .save_tensor_name = imported.scope + saver.save_tensor_name(),
                .restore_op_name = imported.scope + saver.restore_op_name()},
               saver.max_to_keep(), saver.keep_checkpoint_every_n_hours());
}

}  // namespace assay::train
