#include <google/protobuf/stubs/logging.h>

#include "assay/format/proto/meta_graph.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/graph_files.h"
#include "assay/graph/meta_graph.h"
#include "assay/graph/op_registry.h"
#include "assay/ops/manifest.h"
#include "fuzz/targets.h"

namespace assay::fuzz {

namespace {

const OpRegistry& registry() {
  static const OpRegistry ops = [] {
    OpRegistry r;
    register_all_ops(r);
    return r;
  }();
  return ops;
}

void run_meta_graph(std::string_view bytes) {
  tolerate([&] {
    const GraphFile file = parse_graph_file(bytes, "input");
    Graph graph(registry());
    import_meta_graph_def(file.meta, graph);
    // What could be read can be written, and that be read again.
    const proto::MetaGraphDef again = to_meta_graph_def(graph);
    Graph second(registry());
    import_meta_graph_def(again, second);
    ASSAY_CHECK(second.nodes().size() == graph.nodes().size());
  });
}

std::vector<std::string> meta_graph_seeds() {
  constexpr std::string_view kText = R"(
    meta_info_def { tensorflow_version: "1.15.0" }
    graph_def {
      node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
             attr { key: "shape" value { shape { dim { size: -1 } dim { size: 3 } } } } }
      node { name: "w" op: "VariableV2" attr { key: "dtype" value { type: DT_FLOAT } }
             attr { key: "shape" value { shape { dim { size: 3 } dim { size: 2 } } } }
             attr { key: "container" value { s: "" } } attr { key: "shared_name" value { s: "" } } }
      node { name: "w/read" op: "Identity" input: "w" attr { key: "T" value { type: DT_FLOAT } } }
      node { name: "y" op: "MatMul" input: "x" input: "w/read"
             attr { key: "T" value { type: DT_FLOAT } } }
      node { name: "c" op: "Const" input: "^y" attr { key: "dtype" value { type: DT_INT32 } }
             attr { key: "value" value { tensor { dtype: DT_INT32
               tensor_shape { dim { size: 2 } } int_val: 1 int_val: -1 } } } }
      node { name: "r" op: "Reshape" input: "y" input: "c"
             attr { key: "T" value { type: DT_FLOAT } }
             attr { key: "Tshape" value { type: DT_INT32 } } }
      versions { producer: 134 }
    }
    saver_def { filename_tensor_name: "c:0" save_tensor_name: "c:0" restore_op_name: "y" }
    collection_def { key: "losses" value { node_list { value: "y:0" } } }
    collection_def { key: "texts" value { bytes_list { value: "abc" } } }
    collection_def { key: "numbers" value { int64_list { value: 1 value: -2 } } })";
  const auto meta = format::parse_text<proto::MetaGraphDef>(kText, "seed");
  return {format::to_binary(meta), std::string(kText), format::to_binary(meta.graph_def())};
}

constexpr Target kTargets[] = {{"meta_graph", run_meta_graph, meta_graph_seeds}};

}  // namespace

std::span<const Target> graph_targets() {
  google::protobuf::SetLogHandler(nullptr);
  return kTargets;
}

}  // namespace assay::fuzz
