#include <gmock/gmock.h>

#include "tests/compiler/pass_test.h"
#include "tests/support/errors.h"

namespace assay::compiler {
namespace {

using assay::testing::error_of;
using ::testing::HasSubstr;

using BuildTest = PassTest;

TEST_F(BuildTest, TakesWhatTheRequestNeedsInTopologicalOrder) {
  const Output x = placeholder(Shape{2});
  const Output y = b.op("Square", {x});
  const Output unused = b.op("Exp", {x});
  const Output z = b.op("Add", {y, floats({1, 2})});
  const Ir ir = built({z});
  EXPECT_EQ(find(ir, unused), -1);
  EXPECT_LT(find(ir, y), find(ir, z));
  EXPECT_TRUE(ir.value(ir.fetches.at(0)).fetched);
  EXPECT_EQ(ir.value(ir.feeds.at(0)).storage, Storage::kFeed);
  EXPECT_EQ(ir.instr(find(ir, y)).inputs, ir.feeds);
  verify(ir, "build");
}

TEST_F(BuildTest, AFedTensorHidesWhatItIsMadeFrom) {
  const Output x = placeholder(Shape{2});
  const Output y = b.op("Square", {x});
  const Output z = b.op("Neg", {y});
  const Ir ir = build({{y}, {float32}, {Shape{2}}, {z}, {}}, resources);
  EXPECT_EQ(find(ir, y), -1);
  EXPECT_EQ(ir.instr(find(ir, z)).inputs, ir.feeds);
}

TEST_F(BuildTest, ConstantsAreKnownAndRunNothing) {
  const Output c = floats({1, 2});
  const Ir ir = built({b.op("Neg", {c})});
  const Instr& instr = ir.instr(find(ir, c));
  EXPECT_EQ(instr.kind, InstrKind::kView);
  EXPECT_TRUE(ir.value(instr.outputs[0]).is_constant());
}

TEST_F(BuildTest, ARefSharesItsVariable) {
  const Output v = variable(Shape{2});
  Node* assign = b.node("Assign", {v, floats({1, 2})});
  const Ir ir = built({assign->output()});
  const Value& variable = ir.value(ir.instr(find(ir, v)).outputs[0]);
  EXPECT_EQ(variable.storage, Storage::kVariable);
  EXPECT_EQ(variable.variable_name, "v");
  const Value& assigned = ir.value(ir.instr(find(ir, assign)).outputs[0]);
  EXPECT_EQ(ir.value(assigned.alias_of).variable, variable.variable);
}

TEST_F(BuildTest, AControlEdgeNeverMakesArithmeticRun) {
  const Output v = variable(Shape{2});
  Node* assign = b.node("Assign", {v, floats({1, 2})});
  Output pure;
  {
    const ControlDependencies after(graph, {assign});
    pure = b.op("Neg", {floats({1})});
  }
  Node* target = nullptr;
  {
    const ControlDependencies after(graph, {pure.node});
    target = b.node("NoOp", {});
  }
  const Ir ir = built({}, {target});
  EXPECT_EQ(find(ir, pure), -1);
  EXPECT_TRUE(waits_for(ir, find(ir, target), find(ir, assign)));
}

// In TensorFlow a node runs after all that its inputs waited for, and so it does here.
TEST_F(BuildTest, AReaderWaitsForWhatItsInputsWaitedFor) {
  const Output v = variable(Shape{2});
  Node* assign = b.node("Assign", {v, floats({1, 2})});
  const Output x = placeholder(Shape{});
  Output index;
  {
    const ControlDependencies after(graph, {assign});
    index = b.op("Neg", {x});
  }
  const Output sum = b.op("Add", {b.op("Abs", {index}), v});
  const Ir ir = built({sum});
  EXPECT_TRUE(waits_for(ir, find(ir, sum), find(ir, assign))) << to_string(ir);
}

TEST_F(BuildTest, NamesWhatIsWrong) {
  const Output x = b.op("Placeholder", {}, {{"dtype", float32}}, "lonely");
  EXPECT_THAT(error_of([&] { built({b.op("Neg", {x})}); }).message(), HasSubstr("'lonely'"));
  const Output y = placeholder(Shape{});
  EXPECT_THAT(error_of([&] {
                build({{y, y}, {float32, float32}, {Shape{}, Shape{}}, {y}, {}}, resources);
              }).message(),
              HasSubstr("fed twice"));
}

}  // namespace
}  // namespace assay::compiler
