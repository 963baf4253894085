#include "tests/compiler/pass_test.h"

namespace assay::compiler {
namespace {

using RemoveDeadTest = PassTest;

TEST_F(RemoveDeadTest, KeepsWhatFetchesTargetsAndEffectsNeed) {
  const Output x = placeholder(Shape{2});
  const Output v = variable(Shape{2});
  const Output used = b.op("Square", {x});
  const Output forgotten = b.op("Exp", {x});
  const Output value = b.op("Neg", {x});
  Node* write = b.node("AssignAdd", {v, value});
  Ir ir = built({used, forgotten}, {write});
  ir.fetches.pop_back();
  remove_dead(ir);
  EXPECT_NE(find(ir, used), -1);
  EXPECT_NE(find(ir, value), -1);
  EXPECT_NE(find(ir, write), -1);
  EXPECT_EQ(find(ir, forgotten), -1);
}

TEST_F(RemoveDeadTest, AWriteThatNobodyNamesStays) {
  const Output v = variable(Shape{2});
  Node* write = b.node("AssignAdd", {v, floats({1, 1})});
  Ir ir = built({}, {write});
  ir.targets.clear();
  remove_dead(ir);
  EXPECT_NE(find(ir, write), -1);
}

TEST_F(RemoveDeadTest, WhatIsWaitedForStays) {
  const Output v = variable(Shape{2});
  Node* write = b.node("AssignAdd", {v, floats({1, 1})});
  const ControlDependencies after(graph, {write});
  Node* target = b.node("NoOp", {});
  Ir ir = built({}, {target});
  remove_dead(ir);
  EXPECT_NE(find(ir, write), -1);
  EXPECT_NE(find(ir, target), -1);
}

}  // namespace
}  // namespace assay::compiler
