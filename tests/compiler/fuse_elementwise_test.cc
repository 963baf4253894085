#include "tests/compiler/pass_test.h"

namespace assay::compiler {
namespace {

using FuseElementwiseTest = PassTest;

TEST_F(FuseElementwiseTest, AChainBecomesOneLoop) {
  const Output x = placeholder(Shape{64});
  const Output y = b.op("Tanh", {b.op("Neg", {b.op("Square", {x})})});
  const Ir ir = fused({y});
  const auto loops = of_kind(ir, InstrKind::kFused);
  ASSERT_EQ(loops.size(), 1U);
  const FusedChain& chain = *ir.instr(loops[0]).fused;
  ASSERT_EQ(chain.ops.size(), 3U);
  EXPECT_EQ(chain.ops[0].inputs, std::vector<int>{0});  // registers: the input first
  EXPECT_EQ(chain.ops[2].inputs, std::vector<int>{2});
  EXPECT_EQ(chain.outputs, std::vector<int>{2});
  EXPECT_EQ(chain.inner, 64);
  EXPECT_TRUE(of_kind(ir, InstrKind::kNode).empty());
  verify(ir, "fuse_elementwise");
}

TEST_F(FuseElementwiseTest, RowsColumnsAndNumbersAreBroadcastInside) {
  const Output x = placeholder(Shape{4, 32});
  const Output row = placeholder(Shape{32});
  const Output column = placeholder(Shape{4, 1});
  const Output y =
      b.op("Mul", {b.op("Add", {x, row}), b.op("Sub", {b.op("Mul", {x, number(2)}), column})});
  const Ir ir = fused({y});
  const auto loops = of_kind(ir, InstrKind::kFused);
  ASSERT_EQ(loops.size(), 1U) << to_string(ir);
  const FusedChain& chain = *ir.instr(loops[0]).fused;
  EXPECT_EQ(chain.outer, 4);
  EXPECT_EQ(chain.inner, 32);
  for (std::size_t k = 0; k < chain.inputs.size(); ++k) {
    const PartialShape& shape = ir.value(ir.instr(loops[0]).inputs[k]).shape;
    const auto layout = chain.inputs[k];
    const std::int64_t n = shape.num_elements();
    EXPECT_EQ(layout.inner_stride, n >= 32 ? 1 : 0);
    EXPECT_EQ(layout.outer_stride, n == 128 ? 32 : n == 4 ? 1 : 0);
  }
}

TEST_F(FuseElementwiseTest, WhatOthersNeedLeavesTheLoop) {
  const Output x = placeholder(Shape{64});
  const Output inside = b.op("Exp", {x});
  const Output y = b.op("Neg", {inside});
  const Ir ir = fused({y, b.op("Sum", {inside, b.ints({0})})});
  const auto loops = of_kind(ir, InstrKind::kFused);
  ASSERT_EQ(loops.size(), 1U);
  EXPECT_EQ(ir.instr(loops[0]).outputs.size(), 2U);
}

// Neg(x) + Sum(Neg(x)): the sum needs the chain that would need the sum.
TEST_F(FuseElementwiseTest, AChainDoesNotWaitForItself) {
  const Output x = placeholder(Shape{64});
  const Output negative = b.op("Neg", {x});
  const Output sum = b.op("Sum", {negative, b.ints({0})});
  const Output y = b.op("Add", {negative, sum});
  const Ir ir = scheduled({y});  // schedule() finds an order for all
  EXPECT_TRUE(of_kind(ir, InstrKind::kFused).empty());
}

TEST_F(FuseElementwiseTest, WhatAWriteWaitsForStaysBeforeIt) {
  const Output v = variable(Shape{64});
  const Output before = b.op("Neg", {v});
  const Output y = b.op("Exp", {before});
  Node* write = b.node("AssignAdd", {v, y});
  const Ir ir = scheduled({b.op("Square", {y})}, {write});
  EXPECT_LT(position(ir, find(ir, before)), position(ir, find(ir, write)));
}

TEST_F(FuseElementwiseTest, LoopsStayWithinTheirLimits) {
  Output y = placeholder(Shape{64});
  for (int i = 0; i < 100; ++i) y = b.op("Add", {y, placeholder(Shape{64})});
  const Ir ir = fused({y});
  for (const InstrId i : of_kind(ir, InstrKind::kFused)) {
    EXPECT_LE(ir.instr(i).fused->ops.size(), 16U);
    EXPECT_LE(ir.instr(i).inputs.size(), 12U);
  }
  EXPECT_GT(of_kind(ir, InstrKind::kFused).size(), 5U);
}

TEST_F(FuseElementwiseTest, OtherShapesAreNotMixed) {
  const Output x = placeholder(Shape{64});
  const Output y = placeholder(Shape{4, 64});
  // The row is computed once, not once for each row of the result.
  const Output sum = b.op("Add", {b.op("Exp", {x}), y});
  const Ir ir = fused({sum});
  EXPECT_TRUE(of_kind(ir, InstrKind::kFused).empty());
}

}  // namespace
}  // namespace assay::compiler
