#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/support/fixtures.h"
#include "tests/train/replay.h"

namespace assay::testing {
namespace {

// Every recorded case whose ops are all supported gives what TensorFlow gave.
TEST(Replay, RecordedTrainingGoesOnAsTensorFlowDid) {
  ASSAY_SHARED_OR_SKIP(root, "fixtures/tf1_train");
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (std::filesystem::exists(entry.path() / "case.json")) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  ASSERT_FALSE(folders.empty());
  const char* only = std::getenv("ASSAY_REPLAY_ONLY");
  std::vector<std::string> passed;
  std::vector<std::string> not_supported;
  std::vector<std::string> failed;
  for (const auto& folder : folders) {
    if (only != nullptr && folder.filename().string().find(only) == std::string::npos) continue;
    ReplayCase recorded(folder, root.parent_path());
    try {
      const auto missing = recorded.unsupported_ops();
      if (!missing.empty()) {
        not_supported.push_back(
            fmt::format("{} needs {}", recorded.name(), fmt::join(missing, ", ")));
        continue;
      }
      const auto differences = recorded.run();
      if (differences.empty()) {
        passed.push_back(recorded.name());
      } else {
        failed.push_back(recorded.name());
        ADD_FAILURE() << recorded.name() << ":\n  "
                      << fmt::format("{}", fmt::join(differences, "\n  "));
      }
    } catch (const Error& e) {
      failed.push_back(recorded.name());
      ADD_FAILURE() << recorded.name() << ": " << e.what();
    }
  }
  fmt::print("{} of {} recorded cases give TensorFlow's values: {}\n", passed.size(),
             folders.size(), fmt::join(passed, ", "));
  fmt::print("{} need ops that are not there:\n  {}\n", not_supported.size(),
             fmt::join(not_supported, "\n  "));
  if (only != nullptr) return;
  for (const char* wanted : {"mlp-adam-golbin", "mlp-sgd-lzcaisg", "mlp-sgd-ema-caicloud",
                             "linreg-sgd-onnx", "softmax-sgd-leander", "gru-static-adam-lzcaisg"}) {
    EXPECT_TRUE(std::find(passed.begin(), passed.end(), wanted) != passed.end()) << wanted;
  }
}

}  // namespace
}  // namespace assay::testing
