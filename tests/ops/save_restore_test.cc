#include <gtest/gtest.h>

#include <filesystem>

#include "assay/format/bundle_reader.h"
#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

using testing::code_of;
using testing::error_of;
using testing::OpGraph;
using testing::TemporaryFolder;

Output strings(OpGraph& g, const std::vector<std::string>& values) {
  return g.constant(Tensor::of(values));
}
Output text(OpGraph& g, const std::string& value) {
  return g.constant(Tensor::scalar(value));
}

TEST(SaveRestore, RoundTripOfSeveralTypes) {
  const TemporaryFolder folder;
  OpGraph g;
  const Tensor numbers = Tensor::of<float>({1, 2, 3, 4, 5, 6}, Shape{2, 3});
  const Tensor words = Tensor::of<std::string>({"a", "", "longer"});
  const Output v = g.variable(numbers);
  Node* save = g.node("SaveV2", {text(g, folder / "c"), strings(g, {"v", "words"}),
                                 strings(g, {"", ""}), v, g.constant(words)});
  g.session().run(save);
  Node* restore =
      g.node("RestoreV2", {text(g, folder / "c"), strings(g, {"words", "v"}), strings(g, {"", ""})},
             {{"dtypes", std::vector<DType>{string, float32}}});
  const auto out = g.session().run({restore->output(0), restore->output(1)});
  EXPECT_TRUE(out[0].identical(words));
  EXPECT_TRUE(out[1].identical(numbers));
}

TEST(SaveRestore, SlicesOfOneTensor) {
  const TemporaryFolder folder;
  OpGraph g;
  const Tensor top = Tensor::of<float>({1, 2}, Shape{1, 2});
  const Tensor rest = Tensor::of<float>({3, 4, 5, 6}, Shape{2, 2});
  g.session().run(g.node(
      "SaveV2", {text(g, folder / "c"), strings(g, {"w", "w"}),
                 strings(g, {"3 2 0,1:-", "3 2 1,2:-"}), g.constant(top), g.constant(rest)}));
  Node* restore = g.node(
      "RestoreV2", {text(g, folder / "c"), strings(g, {"w", "w"}), strings(g, {"", "3 2 -:1,1"})},
      {{"dtypes", std::vector<DType>{float32, float32}}});
  EXPECT_EQ(restore->output_shape(1).str(), "[3,1]");
  const auto out = g.session().run({restore->output(0), restore->output(1)});
  EXPECT_EQ(out[0].to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(out[1].to_vector<float>(), (std::vector<float>{2, 4, 6}));
}

TEST(SaveRestore, WhatDoesNotFitIsNamed) {
  const TemporaryFolder folder;
  OpGraph g;
  g.session().run(g.node("SaveV2", {text(g, folder / "c"), strings(g, {"w"}), strings(g, {""}),
                                    g.constant(Tensor::of<float>({1}))}));
  const auto restore = [&](const std::string& prefix, const std::string& name, DType dtype) {
    Node* node = g.node("RestoreV2", {text(g, prefix), strings(g, {name}), strings(g, {""})},
                        {{"dtypes", std::vector<DType>{dtype}}});
    return error_of([&] { g.run(node->output()); });
  };
  EXPECT_EQ(restore(folder / "none", "w", float32).code(), Code::kNotFound);
  EXPECT_EQ(restore(folder / "c", "weights", float32).code(), Code::kNotFound);
  const Error type = restore(folder / "c", "w", int32);
  EXPECT_EQ(type.code(), Code::kInvalidArgument);
  EXPECT_NE(type.message().find("'w' (expected int32, stored float32)"), std::string::npos);
}

TEST(SaveRestore, MergesShardedCheckpoints) {
  const TemporaryFolder folder;
  OpGraph g;
  const std::string parts = folder / "parts";
  std::vector<std::string> prefixes;
  for (std::int32_t i = 0; i < 2; ++i) {
    const Output name =
        g.op("ShardedFilename", {text(g, parts + "/part"), g.constant(Tensor::scalar(i)),
                                 g.constant(Tensor::scalar<std::int32_t>(2))});
    prefixes.push_back(g.run(name).item<std::string>());
    const float value = 10.0F * static_cast<float>(i);
    g.session().run(g.node(
        "SaveV2", {name, strings(g, {"v" + std::to_string(i), "w"}),
                   strings(g, {"", i == 0 ? "2 0,1" : "2 1,1"}), g.constant(Tensor::scalar(value)),
                   g.constant(Tensor::of<float>({value}))}));
  }
  EXPECT_EQ(prefixes[1], parts + "/part-00001-of-00002");
  const Output two = g.constant(Tensor::scalar<std::int32_t>(2));
  EXPECT_EQ(g.run(g.op("ShardedFilespec", {text(g, "part"), two})).item<std::string>(),
            "part-" + std::string(5, '?') + "-of-00002");
  g.session().run(g.node("MergeV2Checkpoints", {strings(g, prefixes), text(g, folder / "model")}));
  const format::BundleReader reader(folder / "model");
  EXPECT_EQ(reader.read("v1").item<float>(), 10.0F);
  EXPECT_EQ(reader.read("w").to_vector<float>(), (std::vector<float>{0, 10}));
  EXPECT_FALSE(std::filesystem::exists(parts));
}

}  // namespace
}  // namespace assay
