// What each public function builds, node by node, as read from TensorFlow 1.15's Python sources:
// names, ops, order and number.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "assay/api/array_ops.h"
#include "assay/api/candidate_samplers.h"
#include "assay/api/clip_ops.h"
#include "assay/api/constant.h"
#include "assay/api/control_flow.h"
#include "assay/api/layers.h"
#include "assay/api/losses.h"
#include "assay/api/math_ops.h"
#include "assay/api/nn.h"
#include "assay/api/random_distributions.h"
#include "assay/api/random_ops.h"
#include "assay/api/stateless_random_ops.h"
#include "assay/api/variable_scope.h"

namespace assay {
namespace {

struct NodesCase {
  std::string label;
  /// Builds the nodes; `x` is a placeholder float32[?,4], `i` one of int32[3], `u` of unknown rank.
  std::function<void(Output x, Output i, Output u)> build;
  /// "name Op" of every node made, in order.
  std::vector<std::string> nodes;
};

class Nodes : public ::testing::TestWithParam<NodesCase> {};

TEST_P(Nodes, AsInTensorFlow) {
  Graph graph;
  GraphScope scope(graph);
  const Output x = placeholder(float32, {-1, 4}, {.name = "x"});
  const Output i = placeholder(int32, {3}, {.name = "i"});
  const Output u = placeholder(float32, {.name = "u"});
  GetParam().build(x, i, u);
  std::vector<std::string> made;
  for (std::size_t n = 3; n < graph.nodes().size(); ++n) {
    made.push_back(graph.nodes()[n]->name() + " " + graph.nodes()[n]->op());
  }
  EXPECT_EQ(made, GetParam().nodes);
}

const std::vector<NodesCase>& cases() {
  static const std::vector<NodesCase> all = {
      {"add_operator", [](Output x, Output, Output) { x + 1; }, {"add/y Const", "add AddV2"}},
      {"add_operator_reversed",
       [](Output x, Output, Output) { 1.5 + x; },
       {"add/x Const", "add AddV2"}},
      {"add_function", [](Output x, Output, Output) { add(x, 1); }, {"Add/y Const", "Add Add"}},
      {"two_tensors", [](Output x, Output, Output) { x - x; }, {"sub Sub"}},
      {"twice",
       [](Output x, Output, Output) {
         x * 2;
         2 * x;
       },
       {"mul/y Const", "mul Mul", "mul_1/x Const", "mul_1 Mul"}},
      {"truediv", [](Output x, Output, Output) { x / 2; }, {"truediv/y Const", "truediv RealDiv"}},
      {"truediv_int",
       [](Output, Output i, Output) { i / 2; },
       {"truediv/y Const", "truediv/Cast Cast", "truediv/Cast_1 Cast", "truediv RealDiv"}},
      {"div", [](Output, Output i, Output) { div(i, 2); }, {"div/y Const", "div FloorDiv"}},
      {"floordiv",
       [](Output x, Output, Output) { floordiv(x, 2); },
       {"floordiv/y Const", "floordiv FloorDiv"}},
      {"mod", [](Output x, Output, Output) { x % 2; }, {"mod/y Const", "mod FloorMod"}},
      {"neg", [](Output x, Output, Output) { -x; }, {"Neg Neg"}},
      {"pow", [](Output x, Output, Output) { pow(x, 2); }, {"Pow/y Const", "Pow Pow"}},
      {"square_named",
       [](Output x, Output, Output) { square(x, {.name = "loss"}); },
       {"loss Square"}},
      {"less", [](Output x, Output, Output) { less(x, 3); }, {"Less/y Const", "Less Less"}},
      {"logical_xor",
       [](Output x, Output, Output) {
         const Output a = less(x, x);
         logical_xor(a, a);
       },
       {"Less Less", "LogicalOr LogicalOr", "LogicalAnd LogicalAnd", "LogicalNot LogicalNot",
        "LogicalXor LogicalAnd"}},
      {"sigmoid", [](Output x, Output, Output) { sigmoid(x); }, {"Sigmoid Sigmoid"}},
      {"log_sigmoid",
       [](Output x, Output, Output) { log_sigmoid(x); },
       {"LogSigmoid/Neg Neg", "LogSigmoid/Softplus Softplus", "LogSigmoid Neg"}},
      {"cast_same", [](Output x, Output, Output) { cast(x, float32); }, {}},
      {"cast",
       [](Output x, Output, Output) {
         cast(x, int32);
         to_float(cast(x, int64));
       },
       {"Cast Cast", "Cast_1 Cast", "ToFloat Cast"}},
      {"mean",
       [](Output x, Output, Output) { reduce_mean(x, {.name = "loss"}); },
       {"Const Const", "loss Mean"}},
      {"sum_axis",
       [](Output x, Output, Output) { reduce_sum(x, {.axis = 1}); },
       {"Sum/reduction_indices Const", "Sum Sum"}},
      {"sum_unknown_rank",
       [](Output, Output, Output u) { reduce_sum(u); },
       {"Rank Rank", "range/start Const", "range/delta Const", "range Range", "Sum Sum"}},
      {"logsumexp",
       [](Output x, Output, Output) { reduce_logsumexp(x, {.axis = 1}); },
       {"ReduceLogSumExp/Max/reduction_indices Const", "ReduceLogSumExp/Max Max",
        "ReduceLogSumExp/IsFinite IsFinite", "ReduceLogSumExp/zeros_like ZerosLike",
        "ReduceLogSumExp/Select Select", "ReduceLogSumExp/StopGradient StopGradient",
        "ReduceLogSumExp/Sub Sub", "ReduceLogSumExp/Exp Exp",
        "ReduceLogSumExp/Sum/reduction_indices Const", "ReduceLogSumExp/Sum Sum",
        "ReduceLogSumExp/Log Log", "ReduceLogSumExp/Shape Shape", "ReduceLogSumExp/Reshape Reshape",
        "ReduceLogSumExp/Add Add"}},
      {"argmax",
       [](Output x, Output, Output) { argmax(x, {.axis = 1}); },
       {"ArgMax/dimension Const", "ArgMax ArgMax"}},
      {"matmul",
       [](Output x, Output, Output) { matmul(x, x, {.transpose_b = true}); },
       {"MatMul MatMul"}},
      {"add_n_of_one",
       [](Output x, Output, Output) {
         add_n({x});
         add_n({x}, {.name = "n"});
       },
       {"n Identity"}},
      {"range",
       [](Output, Output, Output) { range(5); },
       {"range/start Const", "range/limit Const", "range/delta Const", "range Range"}},
      {"range_mixed",
       [](Output, Output, Output) { range(0, 5, 0.5); },
       {"range/start Const", "range/limit Const", "range/delta Const", "range/Cast Cast",
        "range/Cast_1 Cast", "range Range"}},
      {"tensordot",
       [](Output, Output, Output) {
         tensordot(zeros({2, 3}), zeros({3, 5}), 1);
       },
       {"zeros Const", "zeros_1 Const", "Tensordot/transpose/perm Const",
        "Tensordot/transpose Transpose", "Tensordot/Reshape/shape Const",
        "Tensordot/Reshape Reshape", "Tensordot/transpose_1/perm Const",
        "Tensordot/transpose_1 Transpose", "Tensordot/Reshape_1/shape Const",
        "Tensordot/Reshape_1 Reshape", "Tensordot/MatMul MatMul", "Tensordot/shape Const",
        "Tensordot Reshape"}},
      {"zeros_small",
       [](Output, Output, Output) {
         zeros({9, 111});
       },
       {"zeros Const"}},
      {"zeros_large",
       [](Output, Output, Output) {
         zeros({10, 100});
       },
       {"zeros/shape_as_tensor Const", "zeros/Const Const", "zeros Fill"}},
      {"ones_dynamic",
       [](Output, Output i, Output) { ones(i); },
       {"ones/Const Const", "ones Fill"}},
      {"zeros_packed",
       [](Output, Output i, Output) {
         zeros({at(i, {0}), 2});
       },
       {"strided_slice/stack Const", "strided_slice/stack_1 Const", "strided_slice/stack_2 Const",
        "strided_slice StridedSlice", "zeros/packed/1 Const", "zeros/packed Pack",
        "zeros/Const Const", "zeros Fill"}},
      {"zeros_like",
       [](Output x, Output i, Output) {
         zeros_like(x);
         zeros_like(i);
       },
       {"zeros_like ZerosLike", "zeros_like_1 Const"}},
      {"ones_like",
       [](Output x, Output, Output) { ones_like(x); },
       {"ones_like/Shape Shape", "ones_like/Const Const", "ones_like Fill"}},
      {"fill",
       [](Output, Output, Output) {
         fill({2, 3}, 7);
       },
       {"Fill/dims Const", "Fill/value Const", "Fill Fill"}},
      {"shape",
       [](Output x, Output i, Output) {
         shape(x);
         shape(i);
         rank(x);
         size(i);
         size(x);
       },
       {"Shape Shape", "Shape_1 Const", "Rank Const", "Size Const", "Size_1 Size"}},
      {"reshape",
       [](Output x, Output, Output) { reshape(x, {-1}); },
       {"Reshape/shape Const", "Reshape Reshape"}},
      {"expand_dims",
       [](Output x, Output, Output) { expand_dims(x, 1); },
       {"ExpandDims/dim Const", "ExpandDims ExpandDims"}},
      {"transpose",
       [](Output x, Output, Output) { transpose(x); },
       {"transpose/perm Const", "transpose Transpose"}},
      {"transpose_perm",
       [](Output x, Output, Output) {
         transpose(x, {.perm = {1, 0}});
       },
       {"transpose/perm Const", "transpose Transpose"}},
      {"transpose_unknown",
       [](Output, Output, Output u) { transpose(u); },
       {"transpose/Rank Rank", "transpose/sub/y Const", "transpose/sub Sub",
        "transpose/Range/start Const", "transpose/Range/delta Const", "transpose/Range Range",
        "transpose/sub_1 Sub", "transpose Transpose"}},
      {"concat",
       [](Output x, Output, Output) {
         concat({x, x}, 1);
       },
       {"concat/axis Const", "concat ConcatV2"}},
      {"concat_one",
       [](Output x, Output, Output) { concat({x}, 1); },
       {"concat/concat_dim Const", "concat/concat Identity"}},
      {"stack",
       [](Output x, Output, Output) {
         stack({x, x});
       },
       {"stack Pack"}},
      {"stack_axis",
       [](Output x, Output, Output) {
         stack({x, x}, {.axis = 1});
       },
       {"stack Pack"}},
      {"stack_numbers",
       [](Output, Output, Output) {
         stack({1, 2});
       },
       {"stack Const"}},
      {"stack_floats", [](Output, Output, Output) { stack({1, 2.5}); }, {"stack Const"}},
      {"unstack", [](Output x, Output, Output) { unstack(x, {.axis = 1}); }, {"unstack Unpack"}},
      {"split",
       [](Output x, Output, Output) { split(x, 2, {.axis = 1}); },
       {"Const Const", "split/split_dim Const", "split Split"}},
      {"split_sizes",
       [](Output x, Output, Output) {
         split(x, {1, 3}, {.axis = 1});
       },
       {"Const Const", "split/split_dim Const", "split SplitV"}},
      {"slice",
       [](Output x, Output, Output) {
         slice(x, {0, 1}, {-1, 2});
       },
       {"Slice/begin Const", "Slice/size Const", "Slice Slice"}},
      {"at",
       [](Output x, Output, Output) {
         at(x, {Index::all(), 1});
       },
       {"strided_slice/stack Const", "strided_slice/stack_1 Const", "strided_slice/stack_2 Const",
        "strided_slice StridedSlice"}},
      {"gather",
       [](Output x, Output i, Output) { gather(x, i); },
       {"GatherV2/axis Const", "GatherV2 GatherV2"}},
      {"one_hot",
       [](Output, Output i, Output) { one_hot(i, 10); },
       {"one_hot/on_value Const", "one_hot/off_value Const", "one_hot/depth Const",
        "one_hot OneHot"}},
      {"where",
       [](Output x, Output, Output) { assay::where(less(x, 0), x, x); },
       {"Less/y Const", "Less Less", "Select Select"}},
      {"random_uniform",
       [](Output, Output, Output) { random_uniform({}, -10, 10, {.seed = 2}); },
       {"random_uniform/shape Const", "random_uniform/min Const", "random_uniform/max Const",
        "random_uniform/RandomUniform RandomUniform", "random_uniform/sub Sub",
        "random_uniform/mul Mul", "random_uniform Add"}},
      {"random_gamma",
       [](Output, Output, Output) {
         random_gamma({3}, std::vector<double>{0.5, 1.5});
       },
       {"random_gamma/shape Const", "random_gamma/alpha Const", "random_gamma/beta Const",
        "random_gamma/zeros_like Const", "random_gamma/add AddV2",
        "random_gamma/RandomGamma RandomGamma", "random_gamma/truediv RealDiv",
        "random_gamma/Maximum/x Const", "random_gamma/Maximum Maximum"}},
      {"random_poisson",
       [](Output, Output, Output) { random_poisson(0.5, {3}); },
       {"random_poisson/shape Const", "random_poisson/RandomPoissonV2/rate Const",
        "random_poisson/RandomPoissonV2 RandomPoissonV2"}},
      {"parameterized_truncated_normal",
       [](Output, Output, Output) { parameterized_truncated_normal({3}); },
       {"parameterized_truncated_normal/shape Const", "parameterized_truncated_normal/means Const",
        "parameterized_truncated_normal/stddevs Const",
        "parameterized_truncated_normal/minvals Const",
        "parameterized_truncated_normal/maxvals Const",
        "parameterized_truncated_normal/ParameterizedTruncatedNormal "
        "ParameterizedTruncatedNormal"}},
      {"categorical",
       [](Output x, Output, Output) { categorical(x, 5); },
       {"categorical/Multinomial/num_samples Const", "categorical/Multinomial Multinomial"}},
      {"random_crop",
       [](Output x, Output, Output) {
         random_crop(x, {2, 2});
       },
       {"random_crop/size Const", "random_crop/Shape Shape",
        "random_crop/GreaterEqual GreaterEqual", "random_crop/Const Const", "random_crop/All All",
        "random_crop/Assert/Const Const", "random_crop/Assert/Assert/data_0 Const",
        "random_crop/Assert/Assert Assert", "random_crop/control_dependency Identity",
        "random_crop/sub Sub", "random_crop/add/y Const", "random_crop/add AddV2",
        "random_crop/Shape_1 Const", "random_crop/random_uniform/min Const",
        "random_crop/random_uniform/max Const", "random_crop/random_uniform RandomUniformInt",
        "random_crop/mod FloorMod", "random_crop Slice"}},
      {"stateless_random_uniform",
       [](Output, Output, Output) {
         stateless_random_uniform({3}, std::vector<int>{1, 2});
       },
       {"stateless_random_uniform/shape Const", "stateless_random_uniform/min Const",
        "stateless_random_uniform/max Const",
        "stateless_random_uniform/StatelessRandomUniform/seed Const",
        "stateless_random_uniform/StatelessRandomUniform StatelessRandomUniform",
        "stateless_random_uniform/sub Sub", "stateless_random_uniform/mul Mul",
        "stateless_random_uniform Add"}},
      {"stateless_random_uniform_int",
       [](Output, Output, Output) {
         stateless_random_uniform({3}, std::vector<int>{1, 2}, 0, 9, {.dtype = int32});
       },
       {"stateless_random_uniform/shape Const", "stateless_random_uniform/min Const",
        "stateless_random_uniform/max Const", "stateless_random_uniform/seed Const",
        "stateless_random_uniform StatelessRandomUniformInt"}},
      {"stateless_random_normal",
       [](Output, Output, Output) {
         stateless_random_normal({3}, std::vector<int>{1, 2});
       },
       {"stateless_random_normal/shape Const", "stateless_random_normal/mean Const",
        "stateless_random_normal/stddev Const",
        "stateless_random_normal/StatelessRandomNormal/seed Const",
        "stateless_random_normal/StatelessRandomNormal StatelessRandomNormal",
        "stateless_random_normal/mul Mul", "stateless_random_normal Add"}},
      {"stateless_multinomial",
       [](Output x, Output, Output) {
         stateless_multinomial(x, 5, std::vector<int>{1, 2});
       },
       {"stateless_multinomial/StatelessMultinomial/num_samples Const",
        "stateless_multinomial/StatelessMultinomial/seed Const",
        "stateless_multinomial/StatelessMultinomial StatelessMultinomial"}},
      {"fixed_unigram_candidate_sampler",
       [](Output, Output i, Output) {
         const Output trues = reshape(cast(i, int64), {3, 1});
         fixed_unigram_candidate_sampler(trues, 1, 1, true, 2, {.unigrams = {1, 2}});
         all_candidate_sampler(trues, 1, 2, true, {.name = "all"});
       },
       {"Cast Cast", "Reshape/shape Const", "Reshape Reshape",
        "FixedUnigramCandidateSampler FixedUnigramCandidateSampler", "all AllCandidateSampler"}},
      {"random_uniform_int",
       [](Output, Output, Output) { random_uniform({2}, 0, 9, {.dtype = int32}); },
       {"random_uniform/shape Const", "random_uniform/min Const", "random_uniform/max Const",
        "random_uniform RandomUniformInt"}},
      {"truncated_normal",
       [](Output, Output, Output) { truncated_normal({2}); },
       {"truncated_normal/shape Const", "truncated_normal/mean Const",
        "truncated_normal/stddev Const", "truncated_normal/TruncatedNormal TruncatedNormal",
        "truncated_normal/mul Mul", "truncated_normal Add"}},
      {"variable",
       [](Output, Output, Output) { Variable(0.5, {.name = "w"}); },
       {"w/initial_value Const", "w VariableV2", "w/Assign Assign", "w/read Identity"}},
      {"variable_resource",
       [](Output, Output, Output) { Variable(0.5, {.use_resource = true, .name = "w"}); },
       {"w/Initializer/initial_value Const", "w VarHandleOp",
        "w/IsInitialized/VarIsInitializedOp VarIsInitializedOp", "w/Assign AssignVariableOp",
        "w/Read/ReadVariableOp ReadVariableOp"}},
      {"get_variable",
       [](Output, Output, Output) {
         get_variable("w", {2, 3});
       },
       {"w/Initializer/random_uniform/shape Const", "w/Initializer/random_uniform/min Const",
        "w/Initializer/random_uniform/max Const",
        "w/Initializer/random_uniform/RandomUniform RandomUniform",
        "w/Initializer/random_uniform/sub Sub", "w/Initializer/random_uniform/mul Mul",
        "w/Initializer/random_uniform Add", "w VariableV2", "w/Assign Assign", "w/read Identity"}},
      {"get_variable_value",
       [](Output, Output, Output) { get_variable("b", {.initial_value = zeros({3})}); },
       {"zeros Const", "b VariableV2", "b/Assign Assign", "b/read Identity"}},
      {"get_variable_scopes",
       [](Output, Output, Output) {
         NameScope outer("n");
         VariableScope scope("s");
         get_variable("w", {2}, {.initializer = zeros_initializer()});
         zeros({});
       },
       {"s/w/Initializer/zeros Const", "s/w VariableV2", "s/w/Assign Assign", "s/w/read Identity",
        "n/s/zeros Const"}},
      {"sum_of_variable",
       [](Output, Output, Output) {
         // A variable is no tensor to TensorFlow here, and so its known rank does not count.
         reduce_sum(Variable(0.5, {.name = "w"}));
       },
       {"w/initial_value Const", "w VariableV2", "w/Assign Assign", "w/read Identity", "Rank Const",
        "range/start Const", "range/delta Const", "range Range", "Sum Sum"}},
      {"initializers",
       [](Output, Output, Output) {
         Variable(0.5, {.name = "w"});
         global_variables_initializer();
         local_variables_initializer();
       },
       {"w/initial_value Const", "w VariableV2", "w/Assign Assign", "w/read Identity", "init NoOp",
        "init_1 NoOp"}},
      {"group",
       [](Output x, Output i, Output) {
         group({x.node, i.node});
       },
       {"group_deps NoOp"}},
      {"tuple",
       [](Output x, Output i, Output) {
         tuple({x, i});
       },
       {"tuple/group_deps NoOp", "tuple/control_dependency Identity",
        "tuple/control_dependency_1 Identity"}},
      {"l2_normalize",
       [](Output x, Output, Output) { nn::l2_normalize(x, {.axis = 1}); },
       {"l2_normalize/Square Square", "l2_normalize/Sum/reduction_indices Const",
        "l2_normalize/Sum Sum", "l2_normalize/Maximum/y Const", "l2_normalize/Maximum Maximum",
        "l2_normalize/Rsqrt Rsqrt", "l2_normalize Mul"}},
      {"moments",
       [](Output x, Output, Output) { nn::moments(x, {0}); },
       {"moments/mean/reduction_indices Const", "moments/mean Mean",
        "moments/StopGradient StopGradient", "moments/SquaredDifference SquaredDifference",
        "moments/variance/reduction_indices Const", "moments/variance Mean",
        "moments/Squeeze Squeeze", "moments/Squeeze_1 Squeeze"}},
      {"dropout",
       [](Output x, Output, Output) { nn::dropout(x, {.keep_prob = 0.8}); },
       {"dropout/rate Const", "dropout/Shape Shape", "dropout/random_uniform/min Const",
        "dropout/random_uniform/max Const", "dropout/random_uniform/RandomUniform RandomUniform",
        "dropout/random_uniform/sub Sub", "dropout/random_uniform/mul Mul",
        "dropout/random_uniform Add", "dropout/sub/x Const", "dropout/sub Sub",
        "dropout/truediv/x Const", "dropout/truediv RealDiv", "dropout/GreaterEqual GreaterEqual",
        "dropout/mul Mul", "dropout/Cast Cast", "dropout/mul_1 Mul"}},
      {"bias_add",
       [](Output x, Output, Output) { nn::bias_add(x, zeros({4})); },
       {"zeros Const", "BiasAdd BiasAdd"}},
      {"sigmoid_loss",
       [](Output x, Output, Output) {
         nn::sigmoid_cross_entropy_with_logits({.labels = x, .logits = x});
       },
       {"logistic_loss/zeros_like ZerosLike", "logistic_loss/GreaterEqual GreaterEqual",
        "logistic_loss/Select Select", "logistic_loss/Neg Neg", "logistic_loss/Select_1 Select",
        "logistic_loss/mul Mul", "logistic_loss/sub Sub", "logistic_loss/Exp Exp",
        "logistic_loss/Log1p Log1p", "logistic_loss Add"}},
      {"sparse_softmax",
       [](Output x, Output, Output) {
         const Output labels = placeholder(int32, {-1}, {.name = "labels"});
         nn::sparse_softmax_cross_entropy_with_logits({.labels = labels, .logits = x});
       },
       {"labels Placeholder", "SparseSoftmaxCrossEntropyWithLogits/Shape Shape",
        "SparseSoftmaxCrossEntropyWithLogits/SparseSoftmaxCrossEntropyWithLogits "
        "SparseSoftmaxCrossEntropyWithLogits"}},
      {"embedding_lookup",
       [](Output x, Output i, Output) { nn::embedding_lookup(x, i, {.name = "embed"}); },
       {"embed/axis Const", "embed GatherV2", "embed/Identity Identity"}},
      {"embedding_lookup_variable",
       [](Output, Output i, Output) {
         const Variable w =
             get_variable("w", {9, 2}, {.initializer = zeros_initializer(), .use_resource = true});
         nn::embedding_lookup(w, i);
       },
       {"w/Initializer/zeros Const", "w VarHandleOp",
        "w/IsInitialized/VarIsInitializedOp VarIsInitializedOp", "w/Assign AssignVariableOp",
        "w/Read/ReadVariableOp ReadVariableOp", "embedding_lookup ResourceGather",
        "embedding_lookup/Identity Identity", "embedding_lookup/Identity_1 Identity"}},
      {"clip_by_value",
       [](Output x, Output, Output) { clip_by_value(x, -1, 1); },
       {"clip_by_value/Minimum/y Const", "clip_by_value/Minimum Minimum", "clip_by_value/y Const",
        "clip_by_value Maximum"}},
      {"clip_by_global_norm",
       [](Output x, Output, Output) { clip_by_global_norm({x, {}, x}, 5.0); },
       {"global_norm/L2Loss L2Loss",
        "global_norm/L2Loss_1 L2Loss",
        "global_norm/stack Pack",
        "global_norm/Const Const",
        "global_norm/Sum Sum",
        "global_norm/Const_1 Const",
        "global_norm/mul Mul",
        "global_norm/global_norm Sqrt",
        "clip_by_global_norm/truediv/x Const",
        "clip_by_global_norm/truediv RealDiv",
        "clip_by_global_norm/Const Const",
        "clip_by_global_norm/truediv_1/y Const",
        "clip_by_global_norm/truediv_1 RealDiv",
        "clip_by_global_norm/Minimum Minimum",
        "clip_by_global_norm/mul/x Const",
        "clip_by_global_norm/mul Mul",
        "clip_by_global_norm/IsFinite IsFinite",
        "clip_by_global_norm/Const_1 Const",
        "clip_by_global_norm/Select Select",
        "clip_by_global_norm/mul_1 Mul",
        "clip_by_global_norm/clip_by_global_norm/_0 Identity",
        "clip_by_global_norm/mul_2 Mul",
        "clip_by_global_norm/clip_by_global_norm/_2 Identity"}},
      {"dense", [](Output x, Output, Output) { layers::dense(x, 3, {.activation = [](const Output& y) { return nn::relu(y); }}); },
       {"dense/kernel/Initializer/random_uniform/shape Const", "dense/kernel/Initializer/random_uniform/min Const",
        "dense/kernel/Initializer/random_uniform/max Const",
        "dense/kernel/Initializer/random_uniform/RandomUniform RandomUniform",
        "dense/kernel/Initializer/random_uniform/sub Sub", "dense/kernel/Initializer/random_uniform/mul Mul",
        "dense/kernel/Initializer/random_uniform Add", "dense/kernel VariableV2", "dense/kernel/Assign Assign",
        "dense/kernel/read Identity", "dense/bias/Initializer/zeros Const", "dense/bias VariableV2",
        "dense/bias/Assign Assign", "dense/bias/read Identity", "dense/MatMul MatMul", "dense/BiasAdd BiasAdd",
        "dense/Relu Relu"}},
      {"mean_squared_error", [](Output x, Output, Output) { losses::mean_squared_error(x, x); },
       {"mean_squared_error/SquaredDifference SquaredDifference", "mean_squared_error/assert_broadcastable/weights Const",
        "mean_squared_error/assert_broadcastable/weights/shape Const",
        "mean_squared_error/assert_broadcastable/weights/rank Const",
        "mean_squared_error/assert_broadcastable/values/shape Shape",
        "mean_squared_error/assert_broadcastable/values/rank Const",
        "mean_squared_error/assert_broadcastable/static_scalar_check_success NoOp", "mean_squared_error/Cast/x Const",
        "mean_squared_error/Mul Mul", "mean_squared_error/Const Const", "mean_squared_error/Sum Sum",
        "mean_squared_error/num_present/Equal/y Const", "mean_squared_error/num_present/Equal Equal",
        "mean_squared_error/num_present/zeros_like Const", "mean_squared_error/num_present/ones_like/Shape Const",
        "mean_squared_error/num_present/ones_like/Const Const", "mean_squared_error/num_present/ones_like Fill",
        "mean_squared_error/num_present/Select Select",
        "mean_squared_error/num_present/broadcast_weights/assert_broadcastable/weights/shape Const",
        "mean_squared_error/num_present/broadcast_weights/assert_broadcastable/weights/rank Const",
        "mean_squared_error/num_present/broadcast_weights/assert_broadcastable/values/shape Shape",
        "mean_squared_error/num_present/broadcast_weights/assert_broadcastable/values/rank Const",
        "mean_squared_error/num_present/broadcast_weights/assert_broadcastable/static_scalar_check_success NoOp",
        "mean_squared_error/num_present/broadcast_weights/ones_like/Shape Shape",
        "mean_squared_error/num_present/broadcast_weights/ones_like/Const Const",
        "mean_squared_error/num_present/broadcast_weights/ones_like Fill",
        "mean_squared_error/num_present/broadcast_weights Mul", "mean_squared_error/num_present/Const Const",
        "mean_squared_error/num_present Sum", "mean_squared_error/Const_1 Const", "mean_squared_error/Sum_1 Sum",
        "mean_squared_error/value DivNoNan"}},
  };
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, Nodes, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.label; });

}  // namespace
}  // namespace assay
