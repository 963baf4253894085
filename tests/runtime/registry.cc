#include "tests/support/test_ops.h"

namespace assay {

// These tests have no ops layer: its place is taken by the test's own ops.
const OpRegistry& default_op_registry() {
  return testing::test_ops();
}

}  // namespace assay
