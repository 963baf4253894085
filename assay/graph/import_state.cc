#include "assay/graph/import_state.h"

#include "assay/graph/graph_def.h"

namespace assay {
namespace {

constexpr const char* kKey = "import_state";

ImportState fresh_state() {
  ImportState state;
  state.versions.set_producer(kGraphDefProducer);
  return state;
}

}  // namespace

const ImportState& import_state(const Graph& graph) {
  static const ImportState fresh = fresh_state();
  const std::any* held = graph.find_attachment(kKey);
  const auto* state = held == nullptr ? nullptr : std::any_cast<ImportState>(held);
  return state == nullptr ? fresh : *state;
}

ImportState& mutable_import_state(Graph& graph) {
  std::any& held = graph.attachment(kKey);
  if (!held.has_value()) held = fresh_state();
  return *std::any_cast<ImportState>(&held);
}

}  // namespace assay
