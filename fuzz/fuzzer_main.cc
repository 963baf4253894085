// One libFuzzer program a target: ASSAY_FUZZ_TARGET is its name, ASSAY_FUZZ_TARGETS the function
// that lists it. With the environment variable ASSAY_WRITE_SEEDS it writes the inputs to begin with
// to that folder instead.

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "assay/base/file_system.h"
#include "fuzz/targets.h"

namespace {

const assay::fuzz::Target& target() {
  for (const auto& target : assay::fuzz::ASSAY_FUZZ_TARGETS()) {
    if (std::string_view(target.name) == ASSAY_FUZZ_TARGET) return target;
  }
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  const char* folder = std::getenv("ASSAY_WRITE_SEEDS");
  if (folder == nullptr) return 0;
  try {
    assay::FileSystem& fs = assay::posix_file_system();
    fs.make_directories(folder);
    int number = 0;
    for (const std::string& seed : target().seeds()) {
      assay::atomic_write_file(fs, fmt::format("{}/seed-{}", folder, number++), seed);
    }
  } catch (const assay::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    std::exit(1);
  }
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const assay::fuzz::Target& chosen = target();
  chosen.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
