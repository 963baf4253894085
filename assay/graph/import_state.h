#pragma once

#include "assay/format/proto/graph.pb.h"
#include "assay/graph/graph.h"

namespace assay {

/// What a graph keeps of the GraphDefs imported into it, to be written out again.
struct ImportState {
  proto::FunctionDefLibrary library;
  proto::VersionDef versions;
};

/// The defaults when nothing was imported.
const ImportState& import_state(const Graph& graph);
/// Made on first use.
ImportState& mutable_import_state(Graph& graph);

}  // namespace assay
