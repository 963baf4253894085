// Writes what the fuzzers begin with: `write_seeds FOLDER` makes FOLDER/TARGET/seed-N.

#include <cstdio>

#include "assay/base/file_system.h"
#include "fuzz/targets.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_seeds FOLDER\n", stderr);
    return 2;
  }
  try {
    assay::FileSystem& fs = assay::posix_file_system();
    for (const auto& target : assay::fuzz::targets()) {
      const std::string folder = assay::join_path(argv[1], target.name);
      fs.make_directories(folder);
      int number = 0;
      for (const std::string& seed : target.seeds()) {
        assay::atomic_write_file(fs, fmt::format("{}/seed-{}", folder, number++), seed);
      }
    }
  } catch (const assay::Error& e) {
    std::fprintf(stderr, "write_seeds: %s\n", e.what());
    return 1;
  }
  return 0;
}
