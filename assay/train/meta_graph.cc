#include "assay/graph/meta_graph.h"

#include <map>
#include <set>

#include "assay/api/variable.h"
#include "assay/base/file_system.h"
#include "assay/format/proto/variable.pb.h"
#include "assay/format/proto_io.h"
#include "assay/train/saver.h"

namespace assay::train {

namespace {

/// Reads the variables of a .meta file's collections; one that several collections hold becomes
/// one Variable.
class VariableItems {
 public:
  std::optional<CollectionItem> operator()(Graph& graph, const std::string& collection,
                                           const std::string& bytes, const std::string& scope) {
    static const std::set<std::string> keys = {
        graph_keys::kGlobalVariables,        graph_keys::kLocalVariables,
        graph_keys::kTrainableVariables,     graph_keys::kModelVariables,
        graph_keys::kMovingAverageVariables, graph_keys::kGlobalStep};
    if (!keys.contains(collection)) return std::nullopt;
    const auto def = format::parse_binary<proto::VariableDef>(bytes, "a variable of a collection");
    auto found = variables_.find(def.variable_name());
    if (found == variables_.end()) {
      // from_bytes() adds the slash itself.
      const std::string prefix = scope.substr(0, scope.empty() ? 0 : scope.size() - 1);
      found = variables_
                  .emplace(def.variable_name(), Variable::from_bytes(graph, bytes, prefix).state())
                  .first;
    }
    return CollectionItem(found->second);
  }

 private:
  std::map<std::string, std::shared_ptr<VariableState>> variables_;
};

}  // namespace

std::string export_meta_graph(const Graph& graph, const Saver* saver) {
  proto::SaverDef def;
  const bool has_saver = saver != nullptr && !saver->nodes().restore_op_name.empty();
  if (has_saver) format::parse_binary(saver->to_bytes(), def, "saver");
  return format::to_binary(to_meta_graph_def(graph, has_saver ? &def : nullptr));
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
  VariableItems variables;
  const MetaGraphImport imported = import_meta_graph_def(
      meta, graph, {.prefix = options.import_scope, .source = filename},
      [&variables](Graph& g, const std::string& collection, const std::string& bytes,
                   const std::string& scope) { return variables(g, collection, bytes, scope); });
  if (!imported.saver || imported.saver->restore_op_name().empty()) return std::nullopt;
  const std::string& scope = imported.nodes.scope;
  const proto::SaverDef& saver = *imported.saver;
  return Saver(graph,
               {.filename_tensor_name = scope + saver.filename_tensor_name(),
                .save_tensor_name = scope + saver.save_tensor_name(),
                .restore_op_name = scope + saver.restore_op_name()},
               saver.max_to_keep(), saver.keep_checkpoint_every_n_hours());
}

}  // namespace assay::train
