// Every update op exists in several forms; all of them must do the same to the same numbers.

#include <gtest/gtest.h>

#include <array>

#include "assay/graph/op_registry.h"
#include "tests/ops/op_graph.h"

namespace assay {
namespace {

using testing::OpGraph;

/// Dense and sparse, by reference and by handle; "" where TensorFlow has no such form.
using Forms = std::array<const char*, 4>;

const std::vector<Forms> kForms = {
    {"ApplyGradientDescent", "ResourceApplyGradientDescent", "", ""},
    {"ApplyMomentum", "ResourceApplyMomentum", "SparseApplyMomentum",
     "ResourceSparseApplyMomentum"},
    {"", "ResourceApplyKerasMomentum", "", "ResourceSparseApplyKerasMomentum"},
    {"ApplyAdagrad", "ResourceApplyAdagrad", "SparseApplyAdagrad", "ResourceSparseApplyAdagrad"},
    {"ApplyAdagradV2", "ResourceApplyAdagradV2", "SparseApplyAdagradV2",
     "ResourceSparseApplyAdagradV2"},
    {"ApplyAdam", "ResourceApplyAdam", "", ""},
    {"", "ResourceApplyAdamWithAmsgrad", "", ""},
    {"ApplyAdaMax", "ResourceApplyAdaMax", "", ""},
    {"ApplyRMSProp", "ResourceApplyRMSProp", "SparseApplyRMSProp", "ResourceSparseApplyRMSProp"},
    {"ApplyCenteredRMSProp", "ResourceApplyCenteredRMSProp", "SparseApplyCenteredRMSProp",
     "ResourceSparseApplyCenteredRMSProp"},
    {"ApplyAdadelta", "ResourceApplyAdadelta", "SparseApplyAdadelta",
     "ResourceSparseApplyAdadelta"},
    {"ApplyFtrl", "ResourceApplyFtrl", "SparseApplyFtrl", "ResourceSparseApplyFtrl"},
    {"ApplyFtrlV2", "ResourceApplyFtrlV2", "SparseApplyFtrlV2", "ResourceSparseApplyFtrlV2"},
    {"ApplyProximalGradientDescent", "ResourceApplyProximalGradientDescent",
     "SparseApplyProximalGradientDescent", "ResourceSparseApplyProximalGradientDescent"},
    {"ApplyProximalAdagrad", "ResourceApplyProximalAdagrad", "SparseApplyProximalAdagrad",
     "ResourceSparseApplyProximalAdagrad"},
    {"ApplyAdagradDA", "ResourceApplyAdagradDA", "SparseApplyAdagradDA",
     "ResourceSparseApplyAdagradDA"},
    {"ApplyAddSign", "ResourceApplyAddSign", "", ""},
    {"ApplyPowerSign", "ResourceApplyPowerSign", "", ""}};

Tensor rows(double first) {
  std::vector<double> values;
  for (int i = 0; i < 6; ++i) values.push_back(first + 0.25 * i);
  return Tensor::of(values, Shape{3, 2});
}

/// The variables after two steps, by whatever names the inputs of the op have.
std::vector<Tensor> after_two_steps(const std::string& op) {
  OpGraph g;
  std::vector<Output> inputs;
  std::vector<Output> variables;
  double hyper = 0.1;
  for (const ArgDef& arg : default_op_registry().find(op)->input_args) {
    const Tensor start = rows(0.5 + static_cast<double>(variables.size()));
    if (arg.is_ref) {
      inputs.push_back(g.variable(start));
      variables.push_back(inputs.back());
    } else if (arg.type == DType::kResource) {
      inputs.push_back(g.resource(start));
      variables.push_back(g.read(inputs.back(), float64));
    } else if (arg.name == "grad" || arg.name == "delta") {
      inputs.push_back(g.constant(rows(-0.6)));
    } else if (arg.name == "indices") {
      inputs.push_back(g.constant(Tensor::of<std::int32_t>({0, 1, 2})));
    } else if (arg.type == int64) {
      inputs.push_back(g.constant(Tensor::scalar<std::int64_t>(3)));
    } else {
      inputs.push_back(g.constant(Tensor::scalar(hyper)));
      hyper += 0.07;
    }
  }
  Node* step = g.node(op, inputs);
  g.session().run(step);
  g.session().run(step);
  return g.session().run(variables);
}

TEST(TrainingForms, AllFormsAgree) {
  for (const Forms& forms : kForms) {
    std::vector<Tensor> first;
    for (const std::string form : forms) {
      if (form.empty()) continue;
      ASSERT_NE(default_op_registry().find(form), nullptr) << form;
      const std::vector<Tensor> got = after_two_steps(form);
      if (first.empty()) {
        first = got;
        // Something happened, and nothing went wrong.
        EXPECT_FALSE(got[0].identical(rows(0.5))) << form;
        for (const Tensor& t : got) {
          for (const double x : t.span<double>()) EXPECT_TRUE(std::isfinite(x)) << form;
        }
        continue;
      }
      for (std::size_t i = 0; i < first.size(); ++i) {
        EXPECT_TRUE(got[i].identical(first[i])) << form << " variable " << i;
      }
    }
  }
}

TEST(TrainingForms, EveryUpdateOpIsHere) {
  for (const auto& [name, op] : default_op_registry().ops()) {
    if (name.find("Apply") == std::string::npos) continue;
    bool found = false;
    for (const Forms& forms : kForms) {
      for (const std::string form : forms) found = found || form == name;
    }
    EXPECT_TRUE(found) << name;
  }
}

TEST(TrainingForms, ARepeatedRowIsUpdatedTwice) {
  OpGraph g;
  const Output v = g.variable(Tensor::of<double>({1, 2}, Shape{2, 1}));
  const Output accum = g.variable(Tensor::of<double>({0, 0}, Shape{2, 1}));
  const auto scalar = [&](double x) { return g.constant(Tensor::scalar(x)); };
  g.session().run(g.node("SparseApplyMomentum",
                         {v, accum, scalar(1), g.constant(Tensor::of<double>({1, 1}, Shape{2, 1})),
                          g.constant(Tensor::of<std::int64_t>({1, 1})), scalar(0.5)}));
  EXPECT_EQ(g.run(v).to_vector<double>(), (std::vector<double>{1, 2 - 1 - 1.5}));
}

}  // namespace
}  // namespace assay
