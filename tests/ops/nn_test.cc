#include <gtest/gtest.h>

#include <cmath>

#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"

namespace assay {
namespace {

using testing::code_of;
using testing::error_of;
using testing::gradient_error;
using testing::OpGraph;

Tensor matrix64(const std::vector<double>& values, std::int64_t rows) {
  return Tensor::of<double>(values, Shape{rows, static_cast<std::int64_t>(values.size()) / rows});
}

const Tensor kLogits = matrix64({0.1, -1.3, 2.0, 0.7, 0.5, 0.25, -3.0, 1.5}, 2);

TEST(Softmax, SumsToOneWithoutOverflow) {
  OpGraph g;
  const Tensor logits = Tensor::of<float>({1000, 1000, -1000, 0, 1, 2}, Shape{2, 3});
  const Tensor p = g.run(g.op("Softmax", {g.constant(logits)}));
  EXPECT_FLOAT_EQ(p.data<float>()[0], 0.5F);
  EXPECT_FLOAT_EQ(p.data<float>()[1], 0.5F);
  EXPECT_EQ(p.data<float>()[2], 0.0F);
  const double sum = 1 + std::exp(1.0) + std::exp(2.0);
  EXPECT_NEAR(p.data<float>()[5], std::exp(2.0) / sum, 1e-7);
}

TEST(Softmax, ExponentialIsGoodToTwoUnits) {
  OpGraph g;
  // One class of 0 beside x: the ratio of the two results is e^x.
  std::vector<float> values;
  for (int i = 0; i < 500; ++i) values.insert(values.end(), {0.0F, -0.17F * static_cast<float>(i)});
  const Tensor p = g.run(g.op("Softmax", {g.constant(Tensor::of(values, Shape{500, 2}))}));
  for (int i = 0; i < 500; ++i) {
    const double x = values[static_cast<std::size_t>(2 * i + 1)];
    if (x < -80) break;
    const double want = std::exp(x) / (1 + std::exp(x));
    EXPECT_NEAR(p.data<float>()[2 * i + 1] / want, 1.0, 5e-7) << x;
  }
}

TEST(Softmax, Gradients) {
  EXPECT_LT(gradient_error([](NodeBuilder& b, Output x) { return b.op("Softmax", {x}); }, kLogits),
            1e-8);
  EXPECT_LT(
      gradient_error([](NodeBuilder& b, Output x) { return b.op("LogSoftmax", {x}); }, kLogits),
      1e-8);
}

TEST(SoftmaxCrossEntropy, LossAndBackprop) {
  OpGraph g;
  const Tensor labels = matrix64({1, 0, 0, 0, 0, 0, 0.5, 0.5}, 2);
  Node* node = g.node("SoftmaxCrossEntropyWithLogits", {g.constant(kLogits), g.constant(labels)});
  const auto out = g.session().run({node->output(0), node->output(1)});
  double sum = 0;
  for (int j = 0; j < 4; ++j) sum += std::exp(kLogits.data<double>()[j]);
  EXPECT_NEAR(out[0].data<double>()[0], std::log(sum) - 0.1, 1e-12);
  EXPECT_NEAR(out[1].data<double>()[1], std::exp(-1.3) / sum, 1e-12);
}

TEST(SoftmaxCrossEntropy, LabelsMayBroadcast) {
  OpGraph g;
  const Tensor row = matrix64({0.25, 0.25, 0.25, 0.25}, 1);
  Node* node = g.node("SoftmaxCrossEntropyWithLogits", {g.constant(kLogits), g.constant(row)});
  EXPECT_EQ(node->output_shape(1).str(), "[2,4]");
  const Tensor loss = g.run(node->output());
  double sum = 0;
  for (int j = 4; j < 8; ++j) sum += std::exp(kLogits.data<double>()[j]);
  EXPECT_NEAR(loss.data<double>()[1], std::log(sum) - (0.5 + 0.25 - 3.0 + 1.5) / 4, 1e-12);
}

Output dense_loss(NodeBuilder& b, Output x) {
  const Output labels = b.constant(matrix64({0.1, 0.2, 0.3, 0.4, 0, 1, 0, 0}, 2));
  return b.op("SoftmaxCrossEntropyWithLogits", {x, labels});
}

TEST(SoftmaxCrossEntropy, FirstAndSecondDerivative) {
  EXPECT_LT(gradient_error(dense_loss, kLogits), 1e-8);
  EXPECT_LT(gradient_error([](NodeBuilder& b,
                              Output x) { return dense_gradients({dense_loss(b, x)}, {x}).at(0); },
                           kLogits),
            1e-8);
}

TEST(SparseSoftmaxCrossEntropy, GradientIsThatOfOneHotLabels) {
  EXPECT_LT(gradient_error(
                [](NodeBuilder& b, Output x) {
                  return b.op("SparseSoftmaxCrossEntropyWithLogits",
                              {x, b.constant(Tensor::of<std::int64_t>({3, 0}))});
                },
                kLogits),
            1e-8);
}

TEST(SparseSoftmaxCrossEntropy, RefusesSecondDerivative) {
  OpGraph g;
  const Output x = g.constant(kLogits);
  const Output loss = g.op("SparseSoftmaxCrossEntropyWithLogits",
                           {x, g.constant(Tensor::of<std::int32_t>({3, 0}))});
  const Output first = dense_gradients({loss}, {x}).at(0);
  EXPECT_NE(code_of([&] { dense_gradients({first}, {x}); }), Code::kOk);
}

TEST(SparseSoftmaxCrossEntropy, NamesABadLabel) {
  OpGraph g;
  const Output labels = g.op("Placeholder", {}, {{"dtype", int64}, {"shape", PartialShape{2}}});
  const Output loss = g.op("SparseSoftmaxCrossEntropyWithLogits", {g.constant(kLogits), labels});
  const Error error = error_of([&] {
    g.session().run({{labels, Tensor::of<std::int64_t>({1, 4})}}, {loss});
  });
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_NE(error.message().find("label 4 of row 1"), std::string::npos) << error.message();
}

TEST(SparseSoftmaxCrossEntropy, StaticShapesMustFit) {
  OpGraph g;
  EXPECT_EQ(code_of([&] {
              g.op("SparseSoftmaxCrossEntropyWithLogits",
                   {g.constant(kLogits), g.constant(Tensor::of<std::int64_t>({1, 2, 3}))});
            }),
            Code::kInvalidArgument);
}

TEST(BiasAdd, BothLayouts) {
  OpGraph g;
  const Tensor value = Tensor::of<std::int32_t>({1, 2, 3, 4, 5, 6, 7, 8}, Shape{1, 2, 2, 2});
  const Output bias = g.constant(Tensor::of<std::int32_t>({10, 20}));
  EXPECT_EQ(g.run(g.op("BiasAdd", {g.constant(value), bias})).to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{11, 22, 13, 24, 15, 26, 17, 28}));
  OpGraph h;
  EXPECT_EQ(
      h.run(h.op("BiasAdd", {h.constant(value), h.constant(Tensor::of<std::int32_t>({10, 20}))},
                 {{"data_format", std::string("NCHW")}}))
          .to_vector<std::int32_t>(),
      (std::vector<std::int32_t>{11, 12, 13, 14, 25, 26, 27, 28}));
}

TEST(BiasAdd, TheFirstFormIsTheSame) {
  OpGraph g;
  const Output value = g.constant(kLogits);
  const Output bias = g.constant(Tensor::of<double>({1, 2, 3, 4}));
  const auto out =
      g.session().run({g.op("BiasAdd", {value, bias}), g.op("BiasAddV1", {value, bias})});
  EXPECT_TRUE(out[0].identical(out[1]));
}

TEST(BiasAdd, Gradients) {
  const Tensor bias = Tensor::of<double>({0.5, -1});
  for (const char* format : {"NHWC", "NCHW"}) {
    const AttrMap attrs = {{"data_format", std::string(format)}};
    const auto add = [&](NodeBuilder& b, Output x) {
      Tensor value = Tensor::zeros(float64, Shape{2, 2, 3, 2});
      return b.op("BiasAdd", {b.constant(value), x}, attrs);
    };
    EXPECT_LT(gradient_error(add, bias), 1e-8) << format;
    // The gradient of the gradient: a product makes it depend on the bias.
    const auto second = [&](NodeBuilder& b, Output x) {
      const Output y = add(b, x);
      return dense_gradients({b.op("Mul", {y, y})}, {x}).at(0);
    };
    EXPECT_LT(gradient_error(second, bias), 1e-6) << format;
  }
}

TEST(BiasAdd, LargeSumsDoNotDependOnThreads) {
  Tensor value(float32, Shape{3000, 40});
  for (std::int64_t i = 0; i < value.num_elements(); ++i) {
    value.data<float>()[i] = std::sin(static_cast<float>(i));
  }
  std::vector<Tensor> results;
  for (const int threads : {1, 2, 3}) {
    OpGraph g;
    const Output sum = g.op("BiasAddGrad", {g.constant(value)});
    const Output loss = g.op("L2Loss", {g.constant(value)});
    const auto out = g.session(threads).run({sum, loss});
    if (results.empty()) results = out;
    EXPECT_TRUE(out[0].identical(results[0]));
    EXPECT_TRUE(out[1].identical(results[1]));
  }
}

TEST(BiasAdd, RefusesAnotherLength) {
  OpGraph g;
  EXPECT_EQ(code_of([&] {
              g.op("BiasAdd", {g.constant(kLogits), g.constant(Tensor::of<double>({1, 2, 3}))});
            }),
            Code::kInvalidArgument);
}

TEST(L2Loss, ValueAndGradient) {
  OpGraph g;
  EXPECT_EQ(g.run(g.op("L2Loss", {g.constant(Tensor::of<float>({3, 4}))})).item<float>(), 12.5F);
  EXPECT_LT(gradient_error([](NodeBuilder& b, Output x) { return b.op("L2Loss", {x}); }, kLogits),
            1e-8);
}

}  // namespace
}  // namespace assay
