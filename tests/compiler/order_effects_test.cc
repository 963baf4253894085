#include "tests/compiler/pass_test.h"

namespace assay::compiler {
namespace {

using OrderEffectsTest = PassTest;

TEST_F(OrderEffectsTest, AReadComesBeforeAWrite) {
  const Output v = variable(Shape{2});
  Node* write = b.node("AssignAdd", {v, floats({1, 1})});
  const Output read_it = b.op("Neg", {v});
  const Ir ir = ordered({read_it}, {write});
  EXPECT_TRUE(waits_for(ir, find(ir, write), find(ir, read_it)));
}

TEST_F(OrderEffectsTest, AReadByHandleComesBeforeAWrite) {
  const Output r = handle(Shape{2});
  Node* write = b.node("AssignAddVariableOp", {r, floats({1, 1})}, {{"dtype", float32}});
  const Output y = b.op("Neg", {read(r)});
  const Ir ir = ordered({y}, {write});
  EXPECT_TRUE(waits_for(ir, find(ir, write), find(ir, y)));
  EXPECT_TRUE(of_kind(ir, InstrKind::kSnapshot).empty());
}

TEST_F(OrderEffectsTest, AControlEdgeTurnsTheOrderAround) {
  const Output v = variable(Shape{2});
  Node* write = b.node("AssignAdd", {v, floats({1, 1})});
  const ControlDependencies after(graph, {write});
  const Output later = b.op("Neg", {v});
  const Ir ir = ordered({later});
  EXPECT_TRUE(waits_for(ir, find(ir, later), find(ir, write)));
  EXPECT_FALSE(waits_for(ir, find(ir, write), find(ir, later)));
}

TEST_F(OrderEffectsTest, WritersRunInTheOrderOfTheGraph) {
  const Output v = variable(Shape{2});
  Node* first = b.node("Assign", {v, floats({1, 1})});
  Node* second = b.node("AssignAdd", {v, floats({2, 2})});
  const Ir ir = ordered({}, {second, first});
  // Whatever the request's order, the graph's counts.
  EXPECT_TRUE(waits_for(ir, find(ir, second), find(ir, first)));
}

TEST_F(OrderEffectsTest, ManyWritersOfOneVariableAreAChain) {
  const Output v = variable(Shape{});
  std::vector<Node*> writers;
  for (int i = 0; i < 3000; ++i) writers.push_back(b.node("AssignAdd", {v, number(1)}));
  const Ir ir = ordered({}, writers);
  std::size_t edges = 0;
  for (const Instr& instr : ir.instrs) edges += instr.after.size();
  EXPECT_LT(edges, 2 * writers.size());
}

TEST_F(OrderEffectsTest, AViewThatOutlivesAWriteIsCopied) {
  const Output v = variable(Shape{2});
  const Output before = b.op("Identity", {v});
  Node* write = b.node("AssignAdd", {v, floats({1, 1})});
  const ControlDependencies after(graph, {write});
  const Output w = variable(Shape{2}, "w");
  Node* keep = b.node("Assign", {w, before});
  const Ir ir = ordered({}, {keep});
  EXPECT_EQ(ir.instr(find(ir, before)).kind, InstrKind::kSnapshot);
  EXPECT_TRUE(waits_for(ir, find(ir, write), find(ir, before)));
}

TEST_F(OrderEffectsTest, AViewThatNobodyNeedsLaterIsNot) {
  const Output v = variable(Shape{2});
  const Output before = b.op("Identity", {v});
  const Output y = b.op("Neg", {before});
  Node* write = b.node("AssignAdd", {v, y});
  const Ir ir = ordered({}, {write});
  EXPECT_EQ(ir.instr(find(ir, before)).kind, InstrKind::kView);
}

TEST_F(OrderEffectsTest, WhatLeavesTheProgramSharesNothing) {
  const Output v = variable(Shape{2});
  const Output c = floats({1, 2});
  const Output x = placeholder(Shape{2});
  const Ir ir = ordered({v, c, b.op("Neg", {x}), x});
  EXPECT_EQ(of_kind(ir, InstrKind::kSnapshot).size(), 2U);
  EXPECT_EQ(ir.instr(ir.value(ir.fetches[0]).producer).kind, InstrKind::kSnapshot);
  EXPECT_EQ(ir.instr(ir.value(ir.fetches[1]).producer).kind, InstrKind::kSnapshot);
  EXPECT_EQ(ir.fetches[3], ir.feeds[0]);
}

TEST_F(OrderEffectsTest, PartsOfATensorAreViews) {
  const Output x = placeholder(Shape{4, 3});
  const Output rows = b.op("Slice", {b.op("Exp", {x}), b.ints({1, 0}), b.ints({2, 3})});
  const Output columns = b.op("Slice", {b.op("Neg", {x}), b.ints({0, 1}), b.ints({4, 2})});
  const Ir ir = ordered({b.op("Neg", {rows}), b.op("Neg", {columns})});
  const Instr& view = ir.instr(find(ir, rows));
  EXPECT_EQ(view.kind, InstrKind::kView);
  EXPECT_EQ(ir.value(view.outputs[0]).alias_offset, 3 * 4);
  EXPECT_EQ(ir.instr(find(ir, columns)).kind, InstrKind::kNode);
}

}  // namespace
}  // namespace assay::compiler
