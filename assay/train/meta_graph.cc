#include "assay/graph/meta_graph.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "assay/api/variable.h"
#include "assay/format/proto/variable.pb.h"
#include "assay/format/proto_io.h"
#include "assay/train/saver.h"

namespace assay::train {

namespace {

constexpr const char* kUnboundInputs = "unbound_inputs";
constexpr const char* kUnboundPrefix = "$unbound_inputs_";

bool holds_variables(const std::string& collection) {
  static const std::set<std::string> keys = {
      graph_keys::kGlobalVariables,        graph_keys::kLocalVariables,
      graph_keys::kTrainableVariables,     graph_keys::kModelVariables,
      graph_keys::kMovingAverageVariables, graph_keys::kGlobalStep};
  return keys.contains(collection);
}

/// Whether TensorFlow `version` wrote into each variable's description if it is trainable: since
/// 1.9. An unknown version did.
bool says_trainable(const std::string& version) {
  int major = 0;
  int minor = 0;
  const char* end = version.data() + version.size();
  const auto [dot, bad] = std::from_chars(version.data(), end, major);
  if (bad != std::errc() || dot == end || *dot != '.') return true;
  if (std::from_chars(dot + 1, end, minor).ec != std::errc()) return true;
  return major > 1 || (major == 1 && minor >= 9);
}

/// Reads the variables of a .meta file's collections; one that several collections hold becomes
/// one Variable.
class VariableItems {
 public:
  explicit VariableItems(const proto::MetaGraphDef& meta)
      : says_trainable_(says_trainable(meta.meta_info_def().tensorflow_version())) {
    const auto trainable = meta.collection_def().find(graph_keys::kTrainableVariables);
    if (trainable == meta.collection_def().end()) return;
    for (const std::string& bytes : trainable->second.bytes_list().value()) {
      trainable_.insert(parse(bytes).variable_name());
    }
  }

  std::optional<CollectionItem> operator()(Graph& graph, const std::string& collection,
                                           const std::string& bytes, const std::string& scope) {
    if (!holds_variables(collection)) return std::nullopt;
    auto def = parse(bytes);
    auto found = variables_.find(def.variable_name());
    if (found == variables_.end()) {
      if (!says_trainable_) def.set_trainable(trainable_.contains(def.variable_name()));
      // from_bytes() adds the slash itself.
      const std::string prefix = scope.substr(0, scope.empty() ? 0 : scope.size() - 1);
      const Variable made = Variable::from_bytes(graph, format::to_binary(def), prefix);
      found = variables_.emplace(def.variable_name(), made.state()).first;
    }
    return CollectionItem(found->second);
  }

 private:
  static proto::VariableDef parse(const std::string& bytes) {
    return format::parse_binary<proto::VariableDef>(bytes, "a variable of a collection");
  }

  bool says_trainable_;
  std::set<std::string> trainable_;
  std::map<std::string, std::shared_ptr<VariableState>> variables_;
};

/// "a/b" of "a/b/c:0", "^a/b/c".
std::string scope_of(std::string name) {
  if (name.starts_with('^')) name.erase(0, 1);
  const auto slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

/// The nodes of all savers but `keep`: each saver has a name scope of its own.
std::set<std::string> other_savers(const proto::GraphDef& graph, const proto::SaverDef* keep) {
  std::set<std::string> scopes;
  for (const auto& node : graph.node()) {
    if (node.op() == "SaveV2" || node.op() == "RestoreV2" || node.op() == "Save" ||
        node.op() == "SaveSlice" || node.op() == "SaveSlices" || node.op() == "Restore" ||
        node.op() == "RestoreSlice" || node.op() == "MergeV2Checkpoints") {
      scopes.insert(scope_of(node.name()) + "/");
    }
  }
  scopes.erase("/");
  if (keep != nullptr) {
    scopes.erase(scope_of(keep->save_tensor_name()) + "/");
    scopes.erase(scope_of(keep->restore_op_name()) + "/");
  }
  std::set<std::string> names;
  for (const auto& node : graph.node()) {
    if (std::any_of(scopes.begin(), scopes.end(),
                    [&](const std::string& scope) { return node.name().starts_with(scope); })) {
      names.insert(node.name());
    }
  }
  return names;
}

/// Cuts a MetaGraphDef down to what ExportMetaGraphOptions ask for.
class Trimmer {
 public:
  Trimmer(proto::MetaGraphDef& meta, const ExportMetaGraphOptions& options)
      : meta_(meta),
        scope_(options.export_scope.empty() ? "" : options.export_scope + "/"),
        clear_devices_(options.clear_devices) {
    if (options.clear_extraneous_savers) {
      excluded_ =
          other_savers(meta.graph_def(), meta.has_saver_def() ? &meta.saver_def() : nullptr);
      clear_savers_ = true;
    }
  }

  void run() {
    trim_nodes();
    trim_collections();
    trim_saver();
    if (!unbound_.empty()) {
      auto& list = *(*meta_.mutable_collection_def())[kUnboundInputs].mutable_bytes_list();
      for (const std::string& name : unbound_) list.add_value(name);
    }
  }

 private:
  bool included(const std::string& name) const {
    return !excluded_.contains(name.substr(0, name.find(':'))) && name.starts_with(scope_);
  }
  std::string stripped(const std::string& name) const { return name.substr(scope_.size()); }

  void strip_input(std::string& input) {
    const bool control = input.starts_with('^');
    const std::string name = control ? input.substr(1) : input;
    if (name.starts_with(scope_)) {
      input = (control ? "^" : "") + stripped(name);
    } else {
      input = (control ? "^" : "") + std::string(kUnboundPrefix) + name;
      unbound_.push_back(input);
    }
  }

  void strip_class(proto::NodeDef& node) const {
    const auto found = node.mutable_attr()->find("_class");
    if (found == node.mutable_attr()->end()) return;
    const std::string start = "loc:@" + scope_;
    std::vector<std::string> kept;
    for (const std::string& s : found->second.list().s()) {
      if (s.starts_with(start)) kept.push_back("loc:@" + s.substr(start.size()));
    }
    auto& list = *found->second.mutable_list();
    list.clear_s();
    for (const std::string& s : kept) list.add_s(s);
  }

  void trim_nodes() {
    proto::GraphDef trimmed = meta_.graph_def();
    trimmed.clear_node();
    for (proto::NodeDef& node : *meta_.mutable_graph_def()->mutable_node()) {
      if (!included(node.name())) continue;
      if (!scope_.empty()) {
        node.set_name(stripped(node.name()));
        for (std::string& input : *node.mutable_input()) strip_input(input);
        strip_class(node);
        if (node.op() == "Enter" || node.op() == "RefEnter") {
          std::string& frame = *(*node.mutable_attr())["frame_name"].mutable_s();
          if (frame.starts_with(scope_)) frame = stripped(frame);
        }
      }
      if (clear_devices_) node.clear_device();
      *trimmed.add_node() = std::move(node);
    }
    *meta_.mutable_graph_def() = std::move(trimmed);
  }

  /// The description of a variable with the scope left out of its names.
  std::optional<std::string> trim_variable(const std::string& bytes) const {
    auto def = format::parse_binary<proto::VariableDef>(bytes, "a variable of a collection");
    if (!included(def.variable_name())) return std::nullopt;
    for (std::string* name : {def.mutable_variable_name(), def.mutable_initializer_name(),
                              def.mutable_snapshot_name(), def.mutable_initial_value_name()}) {
      if (name->starts_with(scope_)) *name = stripped(*name);
    }
    if (def.has_save_slice_info_def() &&
        def.save_slice_info_def().full_name().starts_with(scope_)) {
      auto& slice = *def.mutable_save_slice_info_def();
      slice.set_full_name(stripped(slice.full_name()));
    }
    return format::to_binary(def);
  }

  void trim_collections() {
    std::vector<std::string> empty;
    for (auto& [name, collection] : *meta_.mutable_collection_def()) {
      if (collection.has_node_list()) {
        proto::CollectionDef::NodeList kept;
        for (const std::string& value : collection.node_list().value()) {
          if (included(value)) kept.add_value(stripped(value));
        }
        *collection.mutable_node_list() = kept;
        if (kept.value().empty()) empty.push_back(name);
      } else if (holds_variables(name) && collection.has_bytes_list()) {
        proto::CollectionDef::BytesList kept;
        for (const std::string& value : collection.bytes_list().value()) {
          if (auto trimmed = trim_variable(value)) kept.add_value(*trimmed);
        }
        *collection.mutable_bytes_list() = kept;
        if (kept.value().empty()) empty.push_back(name);
      }
    }
    if (clear_savers_) empty.emplace_back(graph_keys::kSavers);
    for (const std::string& name : empty) meta_.mutable_collection_def()->erase(name);
    if (clear_savers_ && meta_.has_saver_def()) {
      (*meta_.mutable_collection_def())[graph_keys::kSavers].mutable_bytes_list()->add_value(
          format::to_binary(meta_.saver_def()));
    }
  }

  void trim_saver() {
    if (!meta_.has_saver_def() || scope_.empty()) return;
    proto::SaverDef& saver = *meta_.mutable_saver_def();
    if (!saver.filename_tensor_name().starts_with(scope_) ||
        !saver.save_tensor_name().starts_with(scope_) ||
        !saver.restore_op_name().starts_with(scope_)) {
      meta_.clear_saver_def();
      return;
    }
    saver.set_filename_tensor_name(stripped(saver.filename_tensor_name()));
    saver.set_save_tensor_name(stripped(saver.save_tensor_name()));
    saver.set_restore_op_name(stripped(saver.restore_op_name()));
  }

  proto::MetaGraphDef& meta_;
  std::string scope_;
  bool clear_devices_;
  bool clear_savers_ = false;
  std::set<std::string> excluded_;
  std::vector<std::string> unbound_;
};

proto::MetaGraphDef read_meta_graph(const std::string& bytes, const std::string& source) {
  try {
    return format::parse_binary<proto::MetaGraphDef>(bytes, source);
  } catch (const Error& e) {
    // TensorFlow writes text when asked to; bytes that are neither are told as bytes.
    if (e.code() != Code::kDataLoss) throw;
    try {
      return format::parse_text<proto::MetaGraphDef>(bytes, source);
    } catch (const Error&) {
      throw e;
    }
  }
}

}  // namespace

std::string export_meta_graph(const Graph& graph, const ExportMetaGraphOptions& options) {
  proto::SaverDef def;
  const std::string saver = options.saver != nullptr ? options.saver->to_bytes() : "";
  if (!saver.empty()) format::parse_binary(saver, def, "saver");
  proto::MetaGraphDef meta = to_meta_graph_def(
      graph, saver.empty() ? nullptr : &def,
      {.strip_default_attrs = options.strip_default_attrs, .collections = options.collection_list});
  if (!options.export_scope.empty() || options.clear_devices || options.clear_extraneous_savers) {
    Trimmer(meta, options).run();
  }
  return options.as_text ? format::to_text(meta) : format::to_binary(meta);
}

void export_meta_graph_to(const std::string& filename, const Graph& graph,
                          const ExportMetaGraphOptions& options, FileSystem& file_system) {
  atomic_write_file(file_system, filename, export_meta_graph(graph, options));
}

std::optional<Saver> import_meta_graph(const std::string& filename,
                                       const ImportMetaGraphOptions& options) {
  FileSystem& fs = options.file_system != nullptr ? *options.file_system : posix_file_system();
  return import_meta_graph_bytes(read_file(fs, filename), options, filename);
}

std::optional<Saver> import_meta_graph_bytes(const std::string& bytes,
                                             const ImportMetaGraphOptions& options,
                                             const std::string& source) {
  auto meta = read_meta_graph(bytes, source);
  const auto unbound = meta.collection_def().find(kUnboundInputs);
  if (unbound != meta.collection_def().end() && !unbound->second.bytes_list().value().empty()) {
    invalid_argument("{}: the graph is a part of another one and lacks its input '{}'", source,
                     unbound->second.bytes_list().value(0));
  }
  if (options.clear_devices) {
    for (proto::NodeDef& node : *meta.mutable_graph_def()->mutable_node()) node.clear_device();
  }
  Graph& graph = current_graph();
  VariableItems variables(meta);
  const MetaGraphImport imported = import_meta_graph_def(
      meta, graph, {.prefix = options.import_scope, .source = source},
      [&variables](Graph& g, const std::string& collection, const std::string& item,
                   const std::string& scope) { return variables(g, collection, item, scope); });
  if (!imported.saver || imported.saver->restore_op_name().empty()) return std::nullopt;
  const std::string& scope = imported.nodes.scope;
  const proto::SaverDef& saver = *imported.saver;
  return Saver(graph,
               {.filename_tensor_name = scope + saver.filename_tensor_name(),
                .save_tensor_name = scope + saver.save_tensor_name(),
                .restore_op_name = scope + saver.restore_op_name()},
               {.sharded = saver.sharded(),
                .max_to_keep = saver.max_to_keep(),
                .keep_checkpoint_every_n_hours = saver.keep_checkpoint_every_n_hours(),
                .file_system = options.file_system});
}

}  // namespace assay::train
