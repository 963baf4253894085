#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/paths.h"

namespace assay::testing {

/// The folder with files that other programs wrote: $ASSAY_SHARED, else `../shared` beside the
/// source folder; nullopt when neither is there.
inline std::optional<std::filesystem::path> shared_folder() {
  if (const char* env = std::getenv("ASSAY_SHARED"); env != nullptr && *env != '\0') {
    if (std::filesystem::is_directory(env)) return std::filesystem::path(env);
    return std::nullopt;
  }
  const auto beside = std::filesystem::path(source_dir()) / ".." / "shared";
  if (std::filesystem::is_directory(beside)) return beside.lexically_normal();
  return std::nullopt;
}

/// `relative` (such as "fixtures/tf1/events") inside the shared folder; nullopt when absent.
inline std::optional<std::filesystem::path> shared_path(const std::string& relative) {
  const auto folder = shared_folder();
  if (!folder || !std::filesystem::exists(*folder / relative)) return std::nullopt;
  return *folder / relative;
}

/// A folder of its own for a test, removed when it goes out of scope.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "assay-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// The path of `name` in the folder.
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace assay::testing

/// Declares `variable` as the path of `relative` in the shared folder, or skips the test.
#define ASSAY_SHARED_OR_SKIP(variable, relative)                                           \
  const auto variable##_found = ::assay::testing::shared_path(relative);                   \
  if (!variable##_found) {                                                                 \
    GTEST_SKIP() << "no " << (relative)                                                    \
                 << ": set ASSAY_SHARED to the folder of recorded files to run this test"; \
  }                                                                                        \
  const std::filesystem::path variable = *variable##_found
