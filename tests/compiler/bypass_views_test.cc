#include "tests/compiler/pass_test.h"

namespace assay::compiler {
namespace {

using BypassViewsTest = PassTest;

TEST_F(BypassViewsTest, ReadersTakeWhatAViewOfTheSameShapeShares) {
  const Output x = placeholder(Shape{4});
  const Output base = b.op("Exp", {x});
  const Output same = b.op("Identity", {b.op("StopGradient", {base})});
  const Output y = b.op("Neg", {same});
  const Ir ir = bypassed({y});
  EXPECT_EQ(ir.instr(find(ir, y)).inputs, ir.instr(find(ir, base)).outputs);
  EXPECT_EQ(find(ir, same), -1);
}

TEST_F(BypassViewsTest, AViewOfAnotherShapeStays) {
  const Output x = placeholder(Shape{4});
  const Output square = b.op("Reshape", {b.op("Exp", {x}), b.ints({2, 2})});
  const Output y = b.op("Neg", {square});
  const Ir ir = bypassed({y});
  EXPECT_EQ(ir.instr(find(ir, y)).inputs[0], ir.instr(find(ir, square)).outputs[0]);
}

TEST_F(BypassViewsTest, WhatTheViewWaitedForIsWaitedForStill) {
  const Output v = variable(Shape{4});
  Node* write = b.node("AssignAdd", {v, floats({1, 1, 1, 1})});
  Output later;
  {
    const ControlDependencies after(graph, {write});
    later = b.op("Identity", {v});
  }
  const Output y = b.op("Neg", {later});
  const Ir ir = bypassed({y});
  EXPECT_EQ(find(ir, later), -1);
  EXPECT_TRUE(waits_for(ir, find(ir, y), find(ir, write)));
}

}  // namespace
}  // namespace assay::compiler
