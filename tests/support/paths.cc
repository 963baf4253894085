#include "tests/support/paths.h"

namespace assay::testing {

std::string source_dir() {
  return ASSAY_SOURCE_DIR;
}

std::string binary_dir() {
  return ASSAY_BINARY_DIR;
}

std::string assay_program() {
  return ASSAY_PROGRAM;
}

}  // namespace assay::testing
