#include <gmock/gmock.h>

#include "tests/compiler/pass_test.h"
#include "tests/support/errors.h"

namespace assay::compiler {
namespace {

using ::testing::HasSubstr;

class VerifyTest : public PassTest {
 protected:
  VerifyTest() {
    x = placeholder(Shape{4});
    y = b.op("Exp", {x});
    z = b.op("Sum", {y, b.ints({0})});
    ir = scheduled({z});
  }
  void refused(const char* words) {
    const Error error = assay::testing::error_of([&] { verify(ir, "a_pass"); });
    EXPECT_EQ(error.code(), Code::kInternal);
    EXPECT_THAT(error.message(), HasSubstr("a_pass"));
    EXPECT_THAT(error.message(), HasSubstr(words));
  }

  Output x, y, z;
  Ir ir;
};

TEST_F(VerifyTest, TakesWhatIsSound) {
  EXPECT_NO_THROW(verify(ir, "schedule"));
}

TEST_F(VerifyTest, RefusesInputsThatAreNotThere) {
  ir.instr(find(ir, z)).inputs[0] = 1000;
  refused("an input does not exist");
}

TEST_F(VerifyTest, RefusesInputsOfWhatWasRemoved) {
  ir.instr(find(ir, y)).dead = true;
  refused("an input's producer was removed");
}

TEST_F(VerifyTest, RefusesOutputsOfOthers) {
  ir.instr(find(ir, z)).outputs = ir.instr(find(ir, y)).outputs;
  refused("an output has another producer");
}

TEST_F(VerifyTest, RefusesOrderEdgesThatLeadNowhere) {
  ir.instr(find(ir, z)).after = {find(ir, z)};
  refused("an order edge leads nowhere");
}

TEST_F(VerifyTest, RefusesALoopWithoutItsChain) {
  ir.instr(find(ir, y)).kind = InstrKind::kFused;
  refused("a fused instruction without its chain");
}

TEST_F(VerifyTest, RefusesConstantsOfAnotherDtype) {
  ir.value(ir.instr(find(ir, y)).outputs[0]).constant = Tensor::of<std::int32_t>({1, 2, 3, 4});
  refused("a constant has another dtype");
}

TEST_F(VerifyTest, RefusesFetchesThatAreNotThere) {
  ir.fetches[0] = -1;
  refused("a fetch does not exist");
}

TEST_F(VerifyTest, RefusesAnOrderAgainstTheData) {
  std::ranges::reverse(ir.order);
  refused("an instruction comes before its input");
}

TEST_F(VerifyTest, RefusesAnOrderAgainstAnEdge) {
  ir.instr(find(ir, y)).after = {find(ir, z)};
  refused("an instruction comes before what it waits for");
}

TEST_F(VerifyTest, RefusesAnOrderThatLeavesSomethingOut) {
  ir.order.pop_back();
  refused("the order leaves out an instruction");
}

TEST_F(VerifyTest, RefusesAliasesThatGoRoundInCircles) {
  const ValueId v = ir.instr(find(ir, y)).outputs[0];
  ir.value(v).alias_of = v;
  refused("a value shares memory with itself");
}

}  // namespace
}  // namespace assay::compiler
