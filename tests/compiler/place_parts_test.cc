#include "tests/compiler/pass_test.h"

namespace assay::compiler {
namespace {

class PlacePartsTest : public PassTest {
 protected:
  Output join(std::vector<Output> parts, int axis = 0) {
    parts.push_back(b.constant(Tensor::scalar<std::int32_t>(axis)));
    return b.op("ConcatV2", std::move(parts));
  }
  // Of the parts of a join's instruction, those that are computed inside it.
  static int placed_parts(const Ir& ir, Output output) {
    int n = 0;
    const Instr& instr = ir.instr(find(ir, output));
    for (const ValueId v : instr.inputs) {
      n += ir.value(v).placed && ir.value(v).alias_of == instr.outputs[0] ? 1 : 0;
    }
    return n;
  }
};

TEST_F(PlacePartsTest, RowsAreComputedWhereTheyEndUp) {
  const Output x = placeholder(Shape{2, 3});
  const Output whole = join({b.op("Exp", {x}), b.op("Neg", {x})});
  const Output y = b.op("Sum", {whole, b.ints({0})});
  const Ir ir = placed({y});
  const Instr& instr = ir.instr(find(ir, whole));
  EXPECT_EQ(instr.kind, InstrKind::kJoin);
  EXPECT_EQ(placed_parts(ir, whole), 2);
  EXPECT_EQ(ir.value(instr.inputs[1]).alias_offset, 6 * 4);
}

TEST_F(PlacePartsTest, ColumnsFedAndKnownPartsAreCopied) {
  const Output x = placeholder(Shape{2, 3});
  const Output columns = join({b.op("Exp", {x}), b.op("Neg", {x})}, 1);
  const Output given = join({x, b.constant(Tensor::zeros(float32, Shape{1, 3}))});
  const Ir ir = placed({b.op("Neg", {columns}), b.op("Neg", {given})});
  EXPECT_EQ(ir.instr(find(ir, columns)).kind, InstrKind::kNode);
  EXPECT_EQ(ir.instr(find(ir, given)).kind, InstrKind::kJoin);
  EXPECT_EQ(placed_parts(ir, given), 0);
}

// A tensor has one place: the second time it is a part, it is copied.
TEST_F(PlacePartsTest, APartOfTwoJoinsLiesInOne) {
  const Output x = placeholder(Shape{2, 3});
  const Output part = b.op("Exp", {x});
  const Output first = join({part, x});
  const Output second = join({x, part});
  const Ir ir = placed({b.op("Sum", {first, b.ints({0})}), b.op("Sum", {second, b.ints({0})})});
  EXPECT_EQ(placed_parts(ir, first) + placed_parts(ir, second), 1);
}

TEST_F(PlacePartsTest, AFetchedJoinIsTheCallersOwn) {
  const Output x = placeholder(Shape{2, 3});
  const Output whole = join({b.op("Exp", {x}), b.op("Neg", {x})});
  EXPECT_EQ(placed_parts(placed({whole}), whole), 0);
}

}  // namespace
}  // namespace assay::compiler
