#include "assay/ops/ops_doc.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/paths.h"

namespace assay {
namespace {

const std::string kPage = testing::source_dir() + "/docs/ops.md";

TEST(OpsDoc, PageIsCurrent) {
  const std::string text = ops_markdown(default_op_registry());
  if (const char* update = std::getenv("ASSAY_UPDATE_DOCS"); update != nullptr) {
    std::ofstream(kPage, std::ios::binary) << text;
  }
  std::ifstream in(kPage, std::ios::binary);
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  EXPECT_TRUE(page == text) << "docs/ops.md is out of date; write it anew with\n"
                               "  ASSAY_UPDATE_DOCS=1 ops_test --gtest_filter='OpsDoc.*'";
}

TEST(OpsDoc, TellsOfEveryOp) {
  OpRegistry registry;
  registry.add({.name = "Twice",
                .doc = "Two of it.",
                .inputs = {"x: T"},
                .outputs = {"y: T"},
                .attrs = {"T: {float, double}"},
                .not_differentiable = true,
                .kernels = {{float32, nullptr}, {float64, nullptr}}});
  const std::string text = ops_markdown(registry);
  EXPECT_NE(text.find("| Twice | Two of it. | `x: T -> y: T` | `T: {float, double}` | float32, "
                      "float64 | none |  |"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("1 ops, 0 with a gradient"), std::string::npos) << text;
}

}  // namespace
}  // namespace assay
