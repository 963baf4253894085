#include "tests/compiler/pass_test.h"

namespace assay::compiler {
namespace {

using ShareCommonTest = PassTest;

TEST_F(ShareCommonTest, MergesWhatIsComputedTwice) {
  const Output x = placeholder(Shape{2});
  const Output sum =
      b.op("Add", {b.op("Exp", {b.op("Neg", {x})}), b.op("Exp", {b.op("Neg", {x})})});
  const Ir ir = shared({sum});
  EXPECT_EQ(count(ir, "Neg"), 1);
  EXPECT_EQ(count(ir, "Exp"), 1);
  const Instr& add = ir.instr(find(ir, sum));
  EXPECT_EQ(add.inputs[0], add.inputs[1]);
}

TEST_F(ShareCommonTest, TellsAttributesApart) {
  const Output x = placeholder(Shape{2});
  const Output to_int = b.op("Cast", {x}, {{"DstT", int32}});
  const Output to_long = b.op("Cast", {x}, {{"DstT", int64}});
  const Ir ir = shared({b.op("Neg", {to_int}), b.op("Neg", {to_long})});
  EXPECT_EQ(count(ir, "Cast"), 2);
}

TEST_F(ShareCommonTest, NeverMergesRandomNumbersOrWrites) {
  const auto random = [&] {
    return b.op("RandomUniform", {b.ints({2})}, {{"dtype", float32}, {"seed", std::int64_t{1}}});
  };
  const Output sum = b.op("Add", {random(), random()});
  const Output v = variable(Shape{2});
  const Output one = floats({1, 1});
  Node* first = b.node("AssignAdd", {v, one});
  Node* second = b.node("AssignAdd", {v, one});
  const Ir ir = shared({sum}, {first, second});
  EXPECT_EQ(count(ir, "RandomUniform"), 2);
  EXPECT_EQ(count(ir, "AssignAdd"), 2);
}

// One read is before the write and one behind it.
TEST_F(ShareCommonTest, NeverMergesReadsThatWaitForDifferentThings) {
  const Output v = variable(Shape{2});
  const Output before = b.op("Neg", {v});
  Node* add = b.node("AssignAdd", {v, floats({1, 1})});
  const ControlDependencies after(graph, {add});
  const Output later = b.op("Neg", {v});
  const Ir ir = shared({b.op("Square", {before}), b.op("Square", {later})});
  EXPECT_EQ(count(ir, "Neg"), 2);
}

TEST_F(ShareCommonTest, AFetchedValueKeepsItsOwnInstruction) {
  const Output x = placeholder(Shape{2});
  const Ir ir = shared({b.op("Neg", {x}), b.op("Neg", {x})});
  EXPECT_EQ(count(ir, "Neg"), 2);
}

}  // namespace
}  // namespace assay::compiler
