#include <gmock/gmock.h>

#include "tests/compiler/pass_test.h"
#include "tests/support/errors.h"

namespace assay::compiler {
namespace {

using ::testing::HasSubstr;

using FoldConstantsTest = PassTest;

TEST_F(FoldConstantsTest, ComputesWhatIsKnown) {
  const Output sum = b.op("Add", {floats({1, 2}), floats({10, 20})});
  const Output y = b.op("Neg", {sum});
  const Ir ir = folded({y});
  const Value& value = ir.value(ir.fetches[0]);
  ASSERT_TRUE(value.is_constant());
  EXPECT_EQ(value.constant.to_vector<float>(), (std::vector<float>{-11, -22}));
  EXPECT_TRUE(of_kind(ir, InstrKind::kNode).empty());
}

TEST_F(FoldConstantsTest, InfersExactShapesFromTheFeeds) {
  const Output x = b.op("Placeholder", {}, {{"dtype", float32}});
  const Output y = b.op("Reshape", {b.op("Square", {x}), b.ints({-1})});
  ASSERT_FALSE(y.shape().is_fully_defined());
  Ir ir = build({{x}, {float32}, {Shape{3, 4}}, {y}, {}}, resources);
  fold_constants(ir, resources, pool);
  EXPECT_EQ(ir.value(ir.fetches[0]).shape, PartialShape(Shape{12}));
}

TEST_F(FoldConstantsTest, WhatNeedsOnlyAShapeIsKnownOnceTheShapeIs) {
  const Output x = placeholder(Shape{3, 4});
  const Ir ir = folded({b.op("Shape", {b.op("Square", {x})})});
  ASSERT_TRUE(ir.value(ir.fetches[0]).is_constant());
  EXPECT_EQ(ir.value(ir.fetches[0]).constant.to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{3, 4}));
}

TEST_F(FoldConstantsTest, KeepsStateEffectsAndWhatIsFed) {
  const Output random =
      b.op("RandomUniform", {b.ints({2})}, {{"dtype", float32}, {"seed", std::int64_t{1}}});
  const Output v = variable(Shape{2});
  const Output x = placeholder(Shape{2});
  const Output sum = b.op("AddN", {random, b.op("Neg", {v}), x});
  const Ir ir = folded({sum});
  EXPECT_EQ(count(ir, "RandomUniform"), 1);
  EXPECT_EQ(count(ir, "Neg"), 1);
  EXPECT_EQ(count(ir, "AddN"), 1);
}

TEST_F(FoldConstantsTest, LeavesWhatWouldBeLargeToTheRun) {
  const Output big = b.op("Fill", {b.ints({8 << 20}), number(1)});
  const Ir ir = folded({b.op("Sum", {big, b.ints({0})})});
  EXPECT_EQ(count(ir, "Fill"), 1);
}

TEST_F(FoldConstantsTest, AHandleIsResolvedOnce) {
  const Output r = handle(Shape{2});
  const Ir ir = folded({read(r)});
  EXPECT_EQ(ir.instr(find(ir, r)).kind, InstrKind::kView);
  EXPECT_TRUE(ir.value(ir.instr(find(ir, r)).outputs[0]).is_constant());
}

TEST_F(FoldConstantsTest, AnErrorNamesTheNode) {
  const Output x = b.op("Placeholder", {}, {{"dtype", float32}});
  const Output y = b.op("Add", {x, floats({1, 2})}, {}, "sum");
  Ir ir = build({{x}, {float32}, {Shape{3}}, {y}, {}}, resources);
  const Error error = assay::testing::error_of([&] { fold_constants(ir, resources, pool); });
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_EQ(error.node(), "sum");
}

}  // namespace
}  // namespace assay::compiler
