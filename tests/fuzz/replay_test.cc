#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>

#include "assay/base/file_system.h"
#include "fuzz/targets.h"
#include "tests/support/paths.h"

namespace assay::fuzz {
namespace {

/// One to four changes of the kinds that fuzzers make, the same for the same state of `random`.
std::string mutated(std::string bytes, const std::vector<std::string>& seeds,
                    std::mt19937& random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(bytes.size() + 1);
    const std::size_t length = std::min(bytes.size() - at, 1 + below(16));
    switch (below(7)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = "\0\x01\x7f\x80\xfe\xff"[below(6)];
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, std::string(1 + below(9), static_cast<char>(random())));
        break;
      case 4:
        bytes.insert(below(bytes.size() + 1), bytes.substr(at, length));
        break;
      case 5: {  // a number as wide as a varint or a length may be
        const std::uint64_t number = std::uint64_t{1} << below(64);
        const std::size_t n = std::min<std::size_t>(bytes.size() - at, 1 + below(8));
        std::memcpy(bytes.data() + at, &number, n);
        break;
      }
      default: {
        const std::string& other = seeds[below(seeds.size())];
        bytes.replace(at, length, other.substr(below(other.size() + 1), 1 + below(40)));
        break;
      }
    }
  }
  return bytes;
}

class Replay : public ::testing::TestWithParam<Target> {};

TEST_P(Replay, SeedsAndWhatOnceWentWrong) {
  const Target& target = GetParam();
  EXPECT_FALSE(target.seeds().empty());
  for (const std::string& seed : target.seeds()) target.run(seed);
  target.run("");
  const auto folder =
      std::filesystem::path(testing::source_dir()) / "fuzz/regressions" / target.name;
  if (!std::filesystem::is_directory(folder)) return;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(file.path().string());
    target.run(read_file(posix_file_system(), file.path().string()));
  }
}

TEST_P(Replay, Cuts) {
  const Target& target = GetParam();
  for (const std::string& seed : target.seeds()) {
    for (std::size_t n = 0; n < seed.size(); ++n) target.run(seed.substr(0, n));
  }
}

TEST_P(Replay, Mutations) {
  constexpr int kMutations = 4000;
  const Target& target = GetParam();
  const std::vector<std::string> seeds = target.seeds();
  std::mt19937 random(20);
  std::string bytes;
  for (int i = 0; i < kMutations; ++i) {
    // Some go further from the seed than one round of changes.
    const bool anew = bytes.empty() || random() % 4 != 0;
    bytes = mutated(anew ? seeds[random() % seeds.size()] : bytes, seeds, random);
    ASSERT_NO_THROW(target.run(bytes)) << target.name << " " << i;
  }
}

std::vector<Target> all_targets() {
  std::vector<Target> all(format_targets().begin(), format_targets().end());
  all.insert(all.end(), graph_targets().begin(), graph_targets().end());
  return all;
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, ::testing::ValuesIn(all_targets()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace assay::fuzz
