#include "assay/compiler/kernel_choice.h"

#include <gmock/gmock.h>

#include "tests/compiler/pass_test.h"
#include "tests/support/errors.h"

namespace assay::compiler {
namespace {

using ::testing::HasSubstr;

using KernelChoiceTest = PassTest;

TEST_F(KernelChoiceTest, TheDtypeChooses) {
  const auto kernel = [&](DType t) {
    const Output x = b.op("Placeholder", {}, {{"dtype", t}, {"shape", PartialShape{2, 2}}});
    return choose_kernel(*b.op("MatMul", {x, x}).node).make;
  };
  EXPECT_NE(kernel(float32), nullptr);
  EXPECT_NE(kernel(float64), nullptr);
  EXPECT_NE(kernel(float32), kernel(float64));
}

TEST_F(KernelChoiceTest, AnyDtypeWillDoForSomeOps) {
  EXPECT_EQ(choose_kernel(*b.op("Identity", {number(1)}).node).make,
            choose_kernel(*b.op("Identity", {b.ints({1})}).node).make);
}

TEST_F(KernelChoiceTest, NamesTheDtypesThereAre) {
  const Output x =
      b.op("Placeholder", {}, {{"dtype", DType::kComplex64}, {"shape", PartialShape{2, 2}}});
  const Output y = b.op("MatMul", {x, x}, {}, "product");
  EXPECT_EQ(choose_kernel(*y.node).make, nullptr);
  const Error error = assay::testing::error_of([&] { require_kernel(*y.node); });
  EXPECT_EQ(error.code(), Code::kUnimplemented);
  EXPECT_EQ(error.node(), "product");
  EXPECT_THAT(error.message(), HasSubstr("complex64"));
  EXPECT_THAT(error.message(), HasSubstr("float32"));
}

}  // namespace
}  // namespace assay::compiler
