#include <gtest/gtest.h>

#include "tests/ops/op_case.h"

namespace assay::testing {
namespace {

Tensor f64(const std::vector<double>& values, const Shape& shape) {
  return numbers(DType::kDouble, values, shape);
}

}  // namespace

/// Values are checked in nn_test.cc and against TensorFlow's own; here derivatives count.
std::vector<OpCase> nn_cases() {
  const Tensor logits = f64({0.1, -1.3, 2.0, 0.7, 0.5, 0.25, -3.0, 1.5}, Shape{2, 4});
  const Tensor labels = f64({0.1, 0.2, 0.3, 0.4, 0, 1, 0, 0}, Shape{2, 4});
  const Tensor image = f64({1, 2, 3, 4, 5, 6, 7, 8}, Shape{1, 2, 2, 2});
  const Tensor bias = f64({0.5, -1}, Shape{2});
  const AttrMap channels_first = {{"data_format", std::string("NCHW")}};
  const Tensor any;
  return {
      {.op = "Softmax", .inputs = {logits}, .expected = {any}},
      {.op = "LogSoftmax", .inputs = {logits}, .expected = {any}},
      {.op = "SoftmaxCrossEntropyWithLogits",
       .inputs = {logits, labels},
       .expected = {any, any},
       .constant_inputs = {1}},
      {.op = "SparseSoftmaxCrossEntropyWithLogits",
       .inputs = {logits, i64({3, 0})},
       .expected = {any, any},
       .second_gradient = false,
       .gradient_outputs = {0}},
      {.op = "BiasAdd", .inputs = {image, bias}, .expected = {any}},
      {.op = "BiasAdd", .attrs = channels_first, .inputs = {image, bias}, .expected = {any}},
      {.op = "BiasAddV1", .inputs = {logits, f64({1, 2, 3, 4}, Shape{4})}, .expected = {any}},
      {.op = "BiasAddGrad", .inputs = {image}, .expected = {any}},
      {.op = "BiasAddGrad", .attrs = channels_first, .inputs = {image}, .expected = {any}},
      {.op = "L2Loss", .inputs = {logits}, .expected = {any}},
  };
}

namespace {

TEST(Nn, Cases) {
  check_all(nn_cases());
}

}  // namespace
}  // namespace assay::testing
