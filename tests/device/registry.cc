#include "assay/graph/op_registry.h"

namespace assay {

// These tests have no ops layer, and need no ops.
const OpRegistry& default_op_registry() {
  static const OpRegistry registry;
  return registry;
}

}  // namespace assay
