#include "tests/compiler/pass_test.h"

namespace assay::compiler {
namespace {

using SimplifyTest = PassTest;

TEST_F(SimplifyTest, DropsMultiplicationAndDivisionByOne) {
  const Output x = placeholder(Shape{2});
  const Output y =
      b.op("RealDiv", {b.op("Mul", {number(1), b.op("Mul", {x, number(1)})}), floats({1, 1})});
  const Output z = b.op("Neg", {y});
  const Ir ir = simplified({z});
  EXPECT_EQ(of_kind(ir, InstrKind::kNode), std::vector<InstrId>{find(ir, z)});
  EXPECT_EQ(ir.instr(find(ir, z)).inputs, ir.feeds);
}

TEST_F(SimplifyTest, KeepsWhatChangesTheShapeOrTheValue) {
  const Output x = placeholder(Shape{2});
  const Output wider = b.op("Mul", {x, b.constant(Tensor::of<float>({1, 1}, Shape{2, 1}))});
  const Output other = b.op("RealDiv", {number(1), x});
  const Output sum = b.op("Neg", {b.op("Mul", {wider, other})});
  const Ir ir = simplified({sum});
  EXPECT_EQ(count(ir, "Mul"), 2);
  EXPECT_EQ(count(ir, "RealDiv"), 1);
}

TEST_F(SimplifyTest, AFetchedProductStays) {
  const Output x = placeholder(Shape{2});
  EXPECT_EQ(count(simplified({b.op("Mul", {x, number(1)})}), "Mul"), 1);
}

// The product is a copy of the variable before the write; the variable itself is not.
TEST_F(SimplifyTest, AProductOfAReferenceStays) {
  const Output v = variable(Shape{2});
  const Output product = b.op("Mul", {v, number(1)});
  Node* add = b.node("AssignAdd", {v, floats({1, 1})});
  const ControlDependencies after(graph, {add});
  const Output w = variable(Shape{2}, "w");
  Node* assign = b.node("Assign", {w, product});
  EXPECT_EQ(count(simplified({}, {assign}), "Mul"), 1);
}

TEST_F(SimplifyTest, PadsThatFillOneTensorBecomeAJoin) {
  const Output x = placeholder(Shape{1, 3});
  const Output y = placeholder(Shape{2, 3});
  const auto pad = [&](Output o, int before, int behind) {
    return b.op("Pad",
                {o, b.constant(Tensor::of<std::int32_t>({before, behind, 0, 0}, Shape{2, 2}))});
  };
  const Output whole = b.op("AddN", {pad(y, 1, 0), pad(x, 0, 2)});
  const Output gap = b.op("AddN", {pad(x, 0, 2), pad(x, 2, 0)});
  const Ir ir = simplified({whole, gap});
  const Instr& join = ir.instr(find(ir, whole));
  EXPECT_EQ(join.kind, InstrKind::kJoin);
  EXPECT_EQ(join.parts, (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(join.inputs, ir.feeds);
  EXPECT_EQ(ir.instr(find(ir, gap)).kind, InstrKind::kNode);
}

}  // namespace
}  // namespace assay::compiler
