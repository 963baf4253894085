// One libFuzzer program a target; ASSAY_FUZZ_TARGET is its name.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const assay::fuzz::Target* const target = assay::fuzz::find_target(ASSAY_FUZZ_TARGET);
  if (target == nullptr) std::abort();
  target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
