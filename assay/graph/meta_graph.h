#pragma once

#include <functional>
#include <optional>

#include "assay/format/proto/meta_graph.pb.h"
#include "assay/graph/graph_def.h"

namespace assay {

/// What to_meta_graph_def() writes besides the nodes.
struct MetaGraphOptions {
  /// As in GraphDefOptions; TensorFlow writes shapes into every MetaGraphDef.
  bool add_shapes = true;
  bool strip_default_attrs = false;
  /// The collections to write; all when absent.
  std::optional<std::vector<std::string>> collections = {};
};

/// The graph with its collections, the signatures of the ops it uses, and `saver` when given:
/// what TensorFlow writes as a ".meta" file. A collection of mixed kinds is left out, as in
/// TensorFlow.
proto::MetaGraphDef to_meta_graph_def(const Graph& graph, const proto::SaverDef* saver = nullptr,
                                      const MetaGraphOptions& options = {});

/// Makes an item of a collection from the bytes that a MetaGraphDef keeps of it (VariableDef for
/// a variable); `scope` is what the nodes' names were prefixed with ("" or "a/"). nullopt keeps
/// the bytes as they are.
using CollectionReader = std::function<std::optional<CollectionItem>(
    Graph& graph, const std::string& collection, const std::string& bytes,
    const std::string& scope)>;

/// What import_meta_graph_def() made and found.
struct MetaGraphImport {
  ImportResult nodes;
  /// How the graph saves and restores, when the file says it. Names are as in the file.
  std::optional<proto::SaverDef> saver;
};

/// Adds the graph and its collections to `graph`. Items that name nodes or tensors which do not
/// exist are an InvalidArgument. Errors are as import_graph_def's.
MetaGraphImport import_meta_graph_def(const proto::MetaGraphDef& def, Graph& graph,
                                      const ImportOptions& options = {},
                                      const CollectionReader& reader = {});

}  // namespace assay
