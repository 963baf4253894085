#pragma once

#include <map>
#include <string>
#include <vector>

#include "assay/format/proto/graph.pb.h"
#include "assay/graph/graph.h"

namespace assay {

/// The version of the GraphDef vocabulary that we write: TensorFlow 1.15's.
inline constexpr int kGraphDefProducer = 134;

/// What to_graph_def() writes besides the nodes.
struct GraphDefOptions {
  /// Adds each node's output shapes as the attribute `_output_shapes`, which TensorBoard shows.
  bool add_shapes = false;
  /// Leaves out attributes that have the op's default, so that older readers understand more.
  bool strip_default_attrs = false;
};

/// The graph as TensorFlow writes it: nodes in order of creation, control inputs last and sorted
/// by name; with the function library and versions of what was imported.
proto::GraphDef to_graph_def(const Graph& graph, const GraphDefOptions& options = {});

/// How import_graph_def() names and connects the nodes.
struct ImportOptions {
  /// A name scope for the imported nodes, made unique (tf.import_graph_def's `name`); "" keeps
  /// the names as they are. A name that the graph has already gets "_1", ...
  std::string prefix = {};
  /// Tensors of the graph to be used in place of the GraphDef's, by name ("x" or "x:1").
  std::map<std::string, Output> input_map = {};
  /// Names in the GraphDef, of nodes or tensors, whose new tensors are wanted.
  std::vector<std::string> return_names = {};
  /// What messages call the GraphDef: its file's path.
  std::string source = "GraphDef";
};

/// What import_graph_def() made.
struct ImportResult {
  /// The scope that the nodes were put in, with a final slash; "" for none.
  std::string scope;
  /// The new node of each name in the GraphDef.
  std::map<std::string, Node*> nodes;
  /// The tensors of ImportOptions::return_names, in their order.
  std::vector<Output> returned;
};

/// Adds the nodes of `def`, in whatever order they come. Ops that are not in the registry are
/// carried along: their outputs have dtype kInvalid. Missing attributes get the op's defaults.
/// The only cycles allowed are loops (NextIteration into Merge).
///
/// Throws InvalidArgument that names the source and the node for: a name that is malformed or
/// there twice, an input that does not exist, a cycle, a malformed attribute, inputs that do not
/// fit the op. The graph is then as it was before.
ImportResult import_graph_def(const proto::GraphDef& def, Graph& graph,
                              const ImportOptions& options = {});

/// The functions that imported GraphDefs defined.
const proto::FunctionDefLibrary& function_library(const Graph& graph);

}  // namespace assay
