#include "tests/compiler/pass_test.h"

namespace assay::compiler {
namespace {

using ScheduleTest = PassTest;

TEST_F(ScheduleTest, InputsAndWhatIsWaitedForComeFirst) {
  const Output x = placeholder(Shape{2, 2});
  const Output v = variable(Shape{2, 2});
  Node* write = b.node("AssignAdd", {v, b.op("MatMul", {x, x})});
  Output later;
  {
    const ControlDependencies after(graph, {write});
    later = b.op("MatMul", {v, x});
  }
  const Output before = b.op("MatMul", {x, v});
  const Ir ir = scheduled({later, before});
  EXPECT_EQ(ir.order.size(), static_cast<std::size_t>(std::ranges::count_if(
                                 ir.instrs, [](const Instr& i) { return !i.dead; })));
  EXPECT_LT(position(ir, find(ir, before)), position(ir, find(ir, write)));
  EXPECT_LT(position(ir, find(ir, write)), position(ir, find(ir, later)));
}

TEST_F(ScheduleTest, TheGraphsOrderDecidesAmongWhatIsReady) {
  const Output x = placeholder(Shape{2, 2});
  const Output first = b.op("MatMul", {x, x});
  const Output second = b.op("MatMul", {x, first});
  const Output third = b.op("MatMul", {x, second});
  const Ir ir = scheduled({first, second, third});
  EXPECT_TRUE(std::ranges::is_sorted(ir.order));
}

}  // namespace
}  // namespace assay::compiler
