#include <gtest/gtest.h>

#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

using testing::code_of;
using testing::error_of;
using testing::OpGraph;

using Texts = std::vector<std::string>;

TEST(StringJoin, ScalarsGoWithEach) {
  OpGraph g;
  const Output words = g.constant(Tensor::of<std::string>({"a", "b"}));
  const Output joined = g.op("StringJoin", {g.constant(Tensor::scalar<std::string>("x")), words},
                             {{"separator", std::string("-")}});
  EXPECT_EQ(joined.shape().str(), "[2]");
  EXPECT_EQ(g.run(joined).to_vector<std::string>(), (Texts{"x-a", "x-b"}));
}

TEST(AsString, FormatsOfPrintf) {
  OpGraph g;
  const Output x = g.constant(Tensor::of<float>({1.5F, -0.25F}));
  EXPECT_EQ(g.run(g.op("AsString", {x})).to_vector<std::string>(),
            (Texts{"1.500000", "-0.250000"}));
  EXPECT_EQ(g.run(g.op("AsString", {x}, {{"precision", std::int64_t{2}}, {"scientific", true}}))
                .to_vector<std::string>(),
            (Texts{"1.50e+00", "-2.50e-01"}));
  const Output n = g.constant(Tensor::of<std::int64_t>({7}));
  EXPECT_EQ(g.run(g.op("AsString", {n}, {{"width", std::int64_t{3}}, {"fill", std::string("0")}}))
                .to_vector<std::string>(),
            (Texts{"007"}));
  const Output b = g.constant(Tensor::of<bool>({true}));
  EXPECT_EQ(g.run(g.op("AsString", {b})).to_vector<std::string>(), (Texts{"true"}));
  const Output wrong = g.op("AsString", {n}, {{"precision", std::int64_t{3}}});
  EXPECT_EQ(code_of([&] { g.run(wrong); }), Code::kInvalidArgument);
}

TEST(StringToNumber, ReadsAllOfIt) {
  OpGraph g;
  const Output x = g.constant(Tensor::of<std::string>({" 1.5", "+2", "-3e2 "}));
  EXPECT_EQ(g.run(g.op("StringToNumber", {x})).to_vector<float>(),
            (std::vector<float>{1.5F, 2, -300}));
  const Output bad = g.constant(Tensor::of<std::string>({"12x"}));
  const Error error = error_of([&] {
    g.run(g.op("StringToNumber", {bad}, {{"out_type", int32}}));
  });
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_NE(error.message().find("'12x'"), std::string::npos);
}

TEST(DecodeRaw, EitherByteOrder) {
  OpGraph g;
  const Output bytes = g.constant(Tensor::of<std::string>({std::string("\x01\x00\x02\x00", 4)}));
  EXPECT_EQ(g.run(g.op("DecodeRaw", {bytes}, {{"out_type", int16}})).to_vector<std::int16_t>(),
            (std::vector<std::int16_t>{1, 2}));
  EXPECT_EQ(g.run(g.op("DecodeRaw", {bytes}, {{"out_type", int16}, {"little_endian", false}}))
                .to_vector<std::int16_t>(),
            (std::vector<std::int16_t>{256, 512}));
  EXPECT_EQ(code_of([&] {
              g.run(g.op("DecodeRaw", {bytes}, {{"out_type", int64}}));
            }),
            Code::kInvalidArgument);
}

TEST(ReadFile, WhatWriteFileWrote) {
  const testing::TemporaryFolder folder;
  OpGraph g;
  const Output path = g.constant(Tensor::scalar<std::string>(folder / "new/file"));
  const Output contents = g.constant(Tensor::scalar<std::string>("line\n"));
  g.session().run(g.node("WriteFile", {path, contents}));
  EXPECT_EQ(g.run(g.op("ReadFile", {path})).item<std::string>(), "line\n");
}

TEST(Assert, SaysWhy) {
  OpGraph g;
  const Output reason = g.constant(Tensor::scalar<std::string>("too small:"));
  const Output data = g.constant(Tensor::of<std::int32_t>({1, 2}));
  const auto run = [&](bool condition) {
    Node* node = g.node("Assert", {g.constant(Tensor::scalar(condition)), reason, data});
    return error_of([&] { g.session().run(node); });
  };
  EXPECT_EQ(run(true).code(), Code::kOk);
  const Error error = run(false);
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_NE(error.message().find("too small:"), std::string::npos) << error.message();
}

TEST(Print, PassesItsInputOn) {
  OpGraph g;
  const Output x = g.constant(Tensor::of<float>({3}));
  const Output y = g.op("Print", {x, x}, {{"message", std::string("x = ")}});
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(g.run(y).item<float>(), 3.0F);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("x = "), std::string::npos);
}

}  // namespace
}  // namespace assay
