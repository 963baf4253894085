// Programs whose graphs TensorFlow recorded, written with our functions: they must build the same
// nodes. Where an older TensorFlow recorded something else than 1.15 builds, the test says so.

#include "tests/support/parity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "assay/assay.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

using ::assay::testing::ParityCheck;
using ::assay::testing::ParityRules;
using ::assay::testing::read_recorded_graph;

bool in_scope(const std::string& name, const std::string& scope) {
  return name.starts_with(scope + "/");
}

/// The gradients' own nodes depend on the version in every op; the Saver's too.
std::function<bool(const std::string&)> outside(std::vector<std::string> scopes) {
  return [scopes](const std::string& name) {
    for (const std::string& s : scopes) {
      if (in_scope(name, s)) return true;
    }
    return false;
  };
}

/// Attributes that these ops got after TensorFlow 1.0.
const std::set<std::string> kLaterAttrs = {
    "ArgMax.output_type",  "Cast.Truncate", "Fill.index_type", "Equal.incompatible_shape_error",
    "GatherV2.batch_dims",
};

void expect_parity(const Graph& graph, const proto::GraphDef& recorded, const ParityRules& rules,
                   std::size_t at_least) {
  const ParityCheck check(graph, recorded, rules);
  EXPECT_THAT(check.differences(), ::testing::IsEmpty());
  EXPECT_GE(check.compared(), at_least);
}

/// The value of a recorded Const.
Tensor recorded_value(const proto::GraphDef& recorded, const std::string& name) {
  for (const proto::NodeDef& node : recorded.node()) {
    if (node.name() == name) {
      return std::get<Tensor>(*attr_from_proto(node.attr().at("value"), name));
    }
  }
  return {};
}

/// In TensorFlow before 1.5, softmax_cross_entropy_with_logits had no scope of its own. Our nodes
/// then have one more part in their names.
std::string without_loss_scope(std::string name) {
  const std::string scope = "softmax_cross_entropy_with_logits_sg";
  const std::size_t at = name.find(scope);
  if (at == std::string::npos) return name;
  if (at + scope.size() == name.size())
    return name.replace(at, scope.size(), "SoftmaxCrossEntropyWithLogits");
  return name.erase(at, scope.size() + 1);
}

TEST(Parity, LinearRegressionCs20) {
  ASSAY_SHARED_OR_SKIP(
      path, "fixtures/tf1/events/graph-linreg-cs20/events.out.tfevents.1499786822.MacBook-Pro");
  Graph graph;
  GraphScope scope(graph);
  const Output x = placeholder(float32, {.name = "X"});
  const Output y = placeholder(float32, {.name = "Y"});
  const Variable w(0.0, {.name = "weights"});
  const Variable b(0.0, {.name = "bias"});
  const Output predicted = x * w + b;
  const Output loss = square(y - predicted, {.name = "loss"});
  train::GradientDescentOptimizer(0.001).minimize(loss);
  global_variables_initializer();
  // Recorded by TensorFlow 1.2: `+` made Add.
  expect_parity(graph, read_recorded_graph(path),
                {.outside = outside({"gradients"}), .other_op = {{"add", "AddV2"}}}, 19);
}

TEST(Parity, AddInALoopCs20) {
  ASSAY_SHARED_OR_SKIP(
      path, "fixtures/tf1/events/graph-l2-cs20/events.out.tfevents.1499786503.MacBook-Pro");
  Graph graph;
  GraphScope scope(graph);
  Variable x(10, {.name = "x"});
  Variable y(20, {.name = "y"});
  add(x, y);
  global_variables_initializer();
  x = Variable(10, {.name = "x"});
  y = Variable(20, {.name = "y"});
  global_variables_initializer();
  expect_parity(graph, read_recorded_graph(path), {}, 19);
}

TEST(Parity, LinearRegressionOnnx) {
  ASSAY_SHARED_OR_SKIP(path, "fixtures/tf1/checkpoints/linreg-sgd-onnx/model.meta");
  const proto::GraphDef recorded = read_recorded_graph(path);
  Graph graph;
  GraphScope scope(graph);
  const Output x = placeholder(float32, {.name = "X"});
  const Output y = placeholder(float32, {.name = "Y"});
  const Variable w(recorded_value(recorded, "W/initial_value"), {.name = "W"});
  const Variable b(recorded_value(recorded, "b/initial_value"), {.name = "b"});
  const Output predicted = identity(add(multiply(x, w), b), {.name = "pred"});
  const Output cost = reduce_sum(pow(predicted - y, 2)) / 34;
  train::GradientDescentOptimizer(0.02).minimize(cost);
  train::Saver saver;
  global_variables_initializer();
  expect_parity(graph, recorded, {.outside = outside({"gradients", "save"})}, 27);
}

TEST(Parity, SoftmaxRegressionLeander) {
  ASSAY_SHARED_OR_SKIP(path, "fixtures/tf1/checkpoints/softmax-sgd-leander/train_model.ckpt.meta");
  Graph graph;
  GraphScope scope(graph);
  const Output features = placeholder(float32, {-1, 784});
  const Output labels = placeholder(float32, {-1, 10});
  const Variable weights(random_normal({784, 10}));
  const Variable bias(random_normal({10}));
  const Output logits = add(matmul(features, weights), bias);
  const Output cost =
      reduce_mean(nn::softmax_cross_entropy_with_logits({.labels = labels, .logits = logits}));
  train::GradientDescentOptimizer(0.001).minimize(cost);
  const Output best = argmax(logits, {.axis = 1});
  const Output right = equal(best, argmax(labels, {.axis = 1}));
  reduce_mean(cast(right, float32));
  train::Saver saver;
  global_variables_initializer();
  ParityRules rules;
  rules.outside = outside({"gradients", "save"});
  // TensorFlow 1.1 used up the name "Cast" for a cast of the labels that was none.
  rules.recorded_name = [](const std::string& name) {
    return name == "Cast" ? "Cast_1" : without_loss_scope(name);
  };
  rules.only_ours = {"softmax_cross_entropy_with_logits_sg/labels_stop_gradient"};
  rules.later_attrs = kLaterAttrs;
  // The labels pass the stop_gradient that was not there; TensorFlow 1.1 wrote the shape of every
  // placeholder as unknown.
  rules.other_attrs = {"Placeholder.shape"};
  proto::GraphDef recorded = read_recorded_graph(path);
  for (proto::NodeDef& node : *recorded.mutable_node()) {
    for (std::string& input : *node.mutable_input()) {
      const bool of_loss = node.name() == "Shape_2" || node.name() == "Reshape_1";
      if (of_loss && input == "Placeholder_1") input = "labels_stop_gradient";
    }
  }
  expect_parity(graph, recorded, rules, 63);
}

TEST(Parity, MultilayerPerceptronGolbin) {
  ASSAY_SHARED_OR_SKIP(path, "fixtures/tf1/checkpoints/mlp-adam-golbin/dnn.ckpt-100.meta");
  Graph graph;
  GraphScope scope(graph);
  const Variable global_step(0, {.trainable = false, .name = "global_step"});
  // Recorded of any shape; TensorFlow 1.15 would then multiply batches of matrices.
  const Output x = placeholder(float32, {-1, 2});
  const Output y = placeholder(float32);
  Output layer1;
  Output layer2;
  Output model;
  Output cost;
  {
    NameScope layer("layer1");
    const Variable w(random_uniform({2, 10}, -1., 1.), {.name = "W1"});
    layer1 = nn::relu(matmul(x, w));
    summary::histogram("X", x);
    summary::histogram("Weights", w);
  }
  {
    NameScope layer("layer2");
    const Variable w(random_uniform({10, 20}, -1., 1.), {.name = "W2"});
    layer2 = nn::relu(matmul(layer1, w));
    summary::histogram("Weights", w);
  }
  {
    NameScope layer("output");
    const Variable w(random_uniform({20, 3}, -1., 1.), {.name = "W3"});
    model = matmul(layer2, w);
    summary::histogram("Weights", w);
    summary::histogram("Model", model);
  }
  {
    NameScope optimizer("optimizer");
    cost = reduce_mean(nn::softmax_cross_entropy_with_logits({.labels = y, .logits = model}));
    train::AdamOptimizer(0.01).minimize(cost, {.global_step = global_step});
    summary::scalar("cost", cost);
  }
  train::Saver saver({.var_list = global_variables()});
  global_variables_initializer();
  summary::merge_all();
  ParityRules rules;
  rules.outside = outside({"optimizer/gradients", "save"});
  // TensorFlow 1.0 made the slots' zeros in the optimizer's scope.
  const std::map<std::string, std::string> zeros_of_slots = {
      {"layer1/W1/Adam/Initializer/zeros", "optimizer/zeros"},
      {"layer1/W1/Adam_1/Initializer/zeros", "optimizer/zeros_1"},
      {"layer2/W2/Adam/Initializer/zeros", "optimizer/zeros_2"},
      {"layer2/W2/Adam_1/Initializer/zeros", "optimizer/zeros_3"},
      {"output/W3/Adam/Initializer/zeros", "optimizer/zeros_4"},
      {"output/W3/Adam_1/Initializer/zeros", "optimizer/zeros_5"}};
  rules.recorded_name = [zeros_of_slots](const std::string& name) {
    const auto zeros = zeros_of_slots.find(name);
    return zeros == zeros_of_slots.end() ? without_loss_scope(name) : zeros->second;
  };
  rules.only_ours = {"optimizer/softmax_cross_entropy_with_logits_sg/labels_stop_gradient"};
  rules.later_attrs = kLaterAttrs;
  rules.later_attrs.insert("Const._class");
  rules.later_attrs.insert("ApplyAdam.use_nesterov");
  rules.other_attrs = {"Placeholder.shape"};
  proto::GraphDef recorded = read_recorded_graph(path);
  for (proto::NodeDef& node : *recorded.mutable_node()) {
    for (std::string& input : *node.mutable_input()) {
      const bool of_loss = node.name() == "optimizer/Shape_2" ||
                           node.name() == "optimizer/Rank_2" ||
                           node.name() == "optimizer/Reshape_1";
      if (of_loss && input == "Placeholder_1") input = "optimizer/labels_stop_gradient";
    }
  }
  expect_parity(graph, recorded, rules, 120);
}

TEST(Parity, ClassifierLzcaisg) {
  ASSAY_SHARED_OR_SKIP(path, "fixtures/tf1/checkpoints/mlp-sgd-lzcaisg/5000-32-sigmoid.meta");
  const proto::GraphDef recorded = read_recorded_graph(path);
  Graph graph;
  GraphScope scope(graph);
  const Output x = placeholder(float32, {-1, 36}, {.name = "x"});
  const Output d = placeholder(float32, {-1, 6}, {.name = "d"});
  const auto layer = [&](const std::string& name, const std::string& i, const Output& in,
                         Variable& w) {
    NameScope layer_scope(name);
    w = Variable(recorded_value(recorded, fmt::format("{}/Weight_{}/initial_value", name, i)),
                 {.name = "Weight_" + i});
    const Variable b(recorded_value(recorded, fmt::format("{}/Bias_{}/initial_value", name, i)),
                     {.name = "Bias_" + i});
    return sigmoid(matmul(in, w) + b);
  };
  Variable w1;
  Variable w2;
  const Output hidden = layer("Hidden_layer", "1", x, w1);
  const Output out = layer("Output_layer", "2", hidden, w2);
  const Output entropy = nn::softmax_cross_entropy_with_logits_v2({.labels = d, .logits = out});
  const Output second = nn::l2_loss(w2);
  const Output weights = second + nn::l2_loss(w1);
  const Output loss = reduce_mean(entropy + 1e-6 * weights);
  const Output best = argmax(out, {.axis = 1});
  const Output right = equal(best, argmax(d, {.axis = 1}));
  reduce_mean(cast(right, float32));
  train::GradientDescentOptimizer(0.01).minimize(loss);
  train::Saver saver;
  global_variables_initializer();
  global_variables_initializer();
  global_variables_initializer();
  // Recorded by TensorFlow 1.9: `+` made Add.
  ParityRules rules;
  rules.outside = outside({"gradients", "save"});
  rules.other_op = {{"Hidden_layer/add", "AddV2"},
                    {"Output_layer/add", "AddV2"},
                    {"add", "AddV2"},
                    {"add_1", "AddV2"}};
  rules.later_attrs = kLaterAttrs;
  expect_parity(graph, recorded, rules, 80);
}

TEST(Parity, Word2vecNceXiangshiyin) {
  ASSAY_SHARED_OR_SKIP(path,
                       "fixtures/tf1/checkpoints/word2vec-nce-graph-xiangshiyin/model.ckpt.meta");
  const proto::GraphDef recorded = read_recorded_graph(path);
  const int vocabulary = 5000;
  const int dim = 128;
  Graph graph;
  GraphScope scope(graph);
  Output center;
  Output target;
  Output valid;
  {
    NameScope inputs("inputs");
    center = placeholder(int32, {128});
    target = placeholder(int32, {128, 1});
    valid = constant(recorded_value(recorded, "inputs/Const"));
  }
  Variable embeddings;
  Output embed;
  {
    NameScope s("embeddings");
    embeddings = Variable(random_uniform({vocabulary, dim}, -1.0, 1.0));
    embed = nn::embedding_lookup(embeddings, center);
  }
  Variable weights;
  {
    NameScope s("weights");
    weights = Variable(truncated_normal({vocabulary, dim}, {.stddev = 1.0 / std::sqrt(dim)}));
  }
  Variable biases;
  {
    NameScope s("biases");
    biases = Variable(zeros({vocabulary}));
  }
  Output loss;
  {
    NameScope s("loss");
    loss = reduce_mean(nn::nce_loss(weights, biases, target, embed, 64, vocabulary));
  }
  summary::scalar("loss", loss);
  {
    NameScope s("optimizer");
    train::GradientDescentOptimizer(1.0).minimize(loss);
  }
  const Output norm = sqrt(reduce_sum(square(embeddings), {.axis = 1, .keepdims = true}));
  const Output normalized = embeddings / norm;
  const Output valid_embeddings = nn::embedding_lookup(normalized, valid);
  matmul(valid_embeddings, normalized, {.transpose_b = true});
  summary::merge_all();
  global_variables_initializer();
  train::Saver saver;
  // Recorded by TensorFlow 1.14, which knows all that 1.15 does, but `+` made Add.
  ParityRules rules;
  rules.outside = outside({"optimizer/gradients"});
  rules.other_op = {{"loss/nce_loss/add", "AddV2"}, {"loss/nce_loss/add_1", "AddV2"}};
  expect_parity(graph, recorded, rules, 182);
}

}  // namespace
}  // namespace assay
