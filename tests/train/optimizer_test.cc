#include "assay/train/optimizers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/variable_scope.h"
#include "assay/runtime/session.h"
#include "assay/train/training_util.h"
#include "tests/support/errors.h"

namespace assay::train {
namespace {

using assay::testing::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kSteps = 5;

/// A variable w = [1, -2, 3] whose gradient is `coefficients` in every step.
struct DenseProblem {
  Graph graph;
  GraphScope scope{graph};
  Variable w = Variable(std::vector<float>{1, -2, 3}, {.name = "w"});
  Output loss = reduce_sum(w * Operand(std::vector<float>{0.5F, -1.5F, 2.0F}));

  std::vector<float> train(Optimizer& optimizer) {
    Node* step = optimizer.minimize(loss);
    Session session({.threads = 1});
    session.run(global_variables_initializer());
    for (int i = 0; i < kSteps; ++i) session.run(step);
    return session.run(w.value()).to_vector<float>();
  }
};

/// What an update rule makes of [1, -2, 3], in double precision: `rule(w, g, slots)` one step.
template <typename Rule>
std::vector<double> by_hand(Rule rule, double slot0 = 0, double slot1 = 0) {
  const double gradient[] = {0.5, -1.5, 2.0};
  std::vector<double> w = {1, -2, 3};
  for (std::size_t i = 0; i < w.size(); ++i) {
    double slots[] = {slot0, slot1};
    for (int step = 1; step <= kSteps; ++step) rule(w[i], gradient[i], slots, step);
  }
  return w;
}

void expect_near(const std::vector<float>& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 2e-6) << i;
}

TEST(Optimizer, GradientDescent) {
  DenseProblem p;
  GradientDescentOptimizer optimizer(0.1);
  expect_near(p.train(optimizer), by_hand([](double& w, double g, double*, int) { w -= 0.1 * g; }));
}

TEST(Optimizer, LearningRateFromATensor) {
  DenseProblem p;
  Output rate = placeholder(float32, {.shape = Dims(Shape{}), .name = "rate"});
  GradientDescentOptimizer optimizer(rate);
  Node* step = optimizer.minimize(p.loss);
  Session session;
  session.run(global_variables_initializer());
  session.run(step, {{rate, 1.0}});
  EXPECT_THAT(session.run(p.w.value()).to_vector<float>(), ElementsAre(0.5F, -0.5F, 1.0F));
}

TEST(Optimizer, Momentum) {
  DenseProblem p;
  MomentumOptimizer optimizer(0.1, 0.9);
  expect_near(p.train(optimizer), by_hand([](double& w, double g, double* slot, int) {
                slot[0] = 0.9 * slot[0] + g;
                w -= 0.1 * slot[0];
              }));
  EXPECT_THAT(optimizer.get_slot_names(), ElementsAre("momentum"));
  EXPECT_EQ(optimizer.get_slot(p.w, "momentum")->op_name(), "w/Momentum");
}

TEST(Optimizer, NesterovMomentum) {
  DenseProblem p;
  MomentumOptimizer optimizer(0.1, 0.9, {.use_nesterov = true});
  expect_near(p.train(optimizer), by_hand([](double& w, double g, double* slot, int) {
                slot[0] = 0.9 * slot[0] + g;
                w -= 0.1 * (g + 0.9 * slot[0]);
              }));
}

TEST(Optimizer, Adagrad) {
  DenseProblem p;
  AdagradOptimizer optimizer(0.1);
  expect_near(p.train(optimizer), by_hand(
                                      [](double& w, double g, double* slot, int) {
                                        slot[0] += g * g;
                                        w -= 0.1 * g / std::sqrt(slot[0]);
                                      },
                                      0.1));
}

TEST(Optimizer, Adam) {
  DenseProblem p;
  AdamOptimizer optimizer(0.1);
  expect_near(p.train(optimizer), by_hand([](double& w, double g, double* slot, int step) {
                slot[0] = 0.9 * slot[0] + 0.1 * g;
                slot[1] = 0.999 * slot[1] + 0.001 * g * g;
                const double rate =
                    0.1 * std::sqrt(1 - std::pow(0.999, step)) / (1 - std::pow(0.9, step));
                w -= rate * slot[0] / (std::sqrt(slot[1]) + 1e-8);
              }));
  EXPECT_THAT(optimizer.get_slot_names(), ElementsAre("m", "v"));
}

/// The same optimizer on slices (a gather with a repeated index) and on their dense form.
template <typename Make>
void expect_sparse_equals_dense(Make make, bool touches_all_rows) {
  const auto train = [&](bool sparse) {
    Graph graph;
    GraphScope scope(graph);
    const std::vector<float> start = {1, 2, 3, 4, 5, 6, 7, 8};
    Variable table(Tensor::of(start, Shape{4, 2}), {.name = "table"});
    const Operand ids(touches_all_rows ? std::vector<int>{2, 0, 2, 3, 1}
                                       : std::vector<int>{2, 0, 2});
    const int rows = touches_all_rows ? 5 : 3;
    Output taken;
    if (sparse) {
      taken = gather(table, ids);
    } else {
      taken = matmul(one_hot(ids, 4), table);
    }
    std::vector<float> weights;
    for (int i = 0; i < rows * 2; ++i) weights.push_back(0.25F * static_cast<float>(i + 1));
    Output loss = reduce_sum(taken * constant(Tensor::of(weights, Shape{rows, 2})));
    auto optimizer = make();
    Node* step = optimizer.minimize(loss);
    Session session({.threads = 1});
    session.run(global_variables_initializer());
    for (int i = 0; i < 3; ++i) session.run(step);
    return session.run(table.value()).template to_vector<float>();
  };
  const auto sparse = train(true);
  const auto dense = train(false);
  ASSERT_EQ(sparse.size(), dense.size());
  for (std::size_t i = 0; i < sparse.size(); ++i) EXPECT_NEAR(sparse[i], dense[i], 1e-5) << i;
}

TEST(Optimizer, SlicesGiveWhatDenseGradientsGive) {
  expect_sparse_equals_dense([] { return GradientDescentOptimizer(0.1); }, false);
  expect_sparse_equals_dense([] { return AdagradOptimizer(0.1); }, false);
  expect_sparse_equals_dense([] { return MomentumOptimizer(0.1, 0.9); }, true);
  // Adam's slices move every row, as its dense form does.
  expect_sparse_equals_dense([] { return AdamOptimizer(0.1); }, false);
}

TEST(Optimizer, GlobalStepCounts) {
  DenseProblem p;
  Variable global = get_or_create_global_step();
  EXPECT_EQ(global.dtype(), int64);
  EXPECT_EQ(get_or_create_global_step(), global);
  Node* step = GradientDescentOptimizer(0.1).minimize(p.loss, {.global_step = global});
  EXPECT_EQ(step->op(), "AssignAdd");
  EXPECT_EQ(step->name(), "GradientDescent");
  Session session;
  session.run(global_variables_initializer());
  session.run(step);
  session.run(step);
  EXPECT_EQ(global_step(session, global), 2);
  EXPECT_EQ(assay::testing::code_of([] { create_global_step(); }), Code::kAlreadyExists);
}

std::vector<std::string> names_outside_gradients(const Graph& graph, int first) {
  std::vector<std::string> names;
  for (const auto& node : graph.nodes()) {
    if (node->id() >= first && !node->name().starts_with("gradients/")) {
      names.push_back(node->name());
    }
  }
  return names;
}

// As recorded in the graphs of programs that TensorFlow 1.x wrote, with 1.15's initializers.
TEST(Optimizer, AdamMakesTensorFlowsNodes) {
  DenseProblem p;
  Variable global = create_global_step();
  const int first = p.graph.num_nodes();
  Node* step = AdamOptimizer(0.01).minimize(p.loss, {.global_step = global});
  EXPECT_THAT(names_outside_gradients(p.graph, first),
              ElementsAre("beta1_power/initial_value", "beta1_power", "beta1_power/Assign",
                          "beta1_power/read", "beta2_power/initial_value", "beta2_power",
                          "beta2_power/Assign", "beta2_power/read", "w/Adam/Initializer/zeros",
                          "w/Adam", "w/Adam/Assign", "w/Adam/read", "w/Adam_1/Initializer/zeros",
                          "w/Adam_1", "w/Adam_1/Assign", "w/Adam_1/read", "Adam/learning_rate",
                          "Adam/beta1", "Adam/beta2", "Adam/epsilon", "Adam/update_w/ApplyAdam",
                          "Adam/mul", "Adam/Assign", "Adam/mul_1", "Adam/Assign_1", "Adam/update",
                          "Adam/value", "Adam"));
  const Node* apply = p.graph.find_node("Adam/update_w/ApplyAdam");
  std::vector<std::string> inputs;
  for (const Output& in : apply->inputs()) inputs.push_back(in.input_name());
  EXPECT_THAT(std::vector(inputs.begin(), inputs.end() - 1),
              ElementsAre("w", "w/Adam", "w/Adam_1", "beta1_power/read", "beta2_power/read",
                          "Adam/learning_rate", "Adam/beta1", "Adam/beta2", "Adam/epsilon"));
  const std::vector<std::string> at_w = {"loc:@w"};
  for (const char* name : {"beta1_power/read", "w/Adam/Assign", "Adam/update_w/ApplyAdam",
                           "Adam/mul", "Adam/Assign_1"}) {
    EXPECT_EQ(p.graph.find_node(name)->attr<std::vector<std::string>>("_class"), at_w) << name;
  }
  const Node* value = p.graph.find_node("Adam/value");
  EXPECT_THAT(value->control_inputs(), ElementsAre(p.graph.find_node("Adam/update")));
  EXPECT_TRUE(step->control_inputs().empty());
  EXPECT_EQ(value->attr<std::vector<std::string>>("_class"),
            std::vector<std::string>{"loc:@global_step"});
  EXPECT_EQ(p.graph.collection(graph_keys::kTrainOp).size(), 1U);
}

TEST(Optimizer, SparseUpdatesMakeTensorFlowsNodes) {
  Graph graph;
  GraphScope scope(graph);
  Variable table(zeros({4, 2}), {.name = "table"});
  Output ids = placeholder(int32, {.shape = Dims({-1}), .name = "ids"});
  Output loss = reduce_sum(gather(table, ids));
  int first = graph.num_nodes();
  GradientDescentOptimizer(0.1).minimize(loss);
  EXPECT_THAT(names_outside_gradients(graph, first),
              ElementsAre("GradientDescent/learning_rate", "GradientDescent/update_table/mul",
                          "GradientDescent/update_table/ScatterSub", "GradientDescent"));
  first = graph.num_nodes();
  AdagradOptimizer(0.1).minimize(loss);
  EXPECT_THAT(
      names_outside_gradients(graph, first),
      ::testing::IsSupersetOf(
          {"table/Adagrad/Initializer/Const", "table/Adagrad", "Adagrad/learning_rate",
           "Adagrad/update_table/Unique", "Adagrad/update_table/Shape",
           "Adagrad/update_table/strided_slice/stack", "Adagrad/update_table/strided_slice/stack_1",
           "Adagrad/update_table/strided_slice/stack_2", "Adagrad/update_table/strided_slice",
           "Adagrad/update_table/UnsortedSegmentSum", "Adagrad/update_table/SparseApplyAdagrad",
           "Adagrad"}));
}

TEST(Optimizer, ErrorsSayWhatIsWrong) {
  DenseProblem p;
  GradientDescentOptimizer optimizer(0.1);
  Output unrelated = reduce_sum(constant({1.0F, 2.0F}));
  const Error no_gradient = error_of([&] { optimizer.minimize(unrelated); });
  EXPECT_EQ(no_gradient.code(), Code::kInvalidArgument);
  EXPECT_THAT(no_gradient.what(), HasSubstr("'w:0'"));
  EXPECT_THAT(no_gradient.where(), HasSubstr("optimizer_test.cc"));
  const Error integer = error_of([&] { optimizer.minimize(constant(1)); });
  EXPECT_THAT(integer.what(), HasSubstr("int32"));
  EXPECT_THAT(error_of([] { AdagradOptimizer(0.1, {.initial_accumulator_value = 0}); }).what(),
              HasSubstr("positive"));
  Graph empty;
  GraphScope scope(empty);
  EXPECT_THAT(error_of([&] { optimizer.minimize(constant(1.0F)); }).what(),
              HasSubstr("no trainable variables"));
}

TEST(Optimizer, ResourceVariables) {
  Graph graph;
  GraphScope scope(graph);
  Variable w(std::vector<float>{1, -2, 3}, {.use_resource = true, .name = "w"});
  Output loss = reduce_sum(w * Operand(std::vector<float>{0.5F, -1.5F, 2.0F}));
  AdamOptimizer optimizer(0.1);
  Node* step = optimizer.minimize(loss);
  EXPECT_NE(graph.find_node("Adam/update_w/ResourceApplyAdam"), nullptr);
  Session session;
  session.run(global_variables_initializer());
  session.run(step);
  const auto got = session.run(w.value()).to_vector<float>();
  EXPECT_NEAR(got[0], 0.9, 1e-5);
  EXPECT_NEAR(got[1], -1.9, 1e-5);
}

}  // namespace
}  // namespace assay::train
