// What ops give must be the same bits on any number of threads, and wherever its inputs lie. The
// sizes are such that every kernel that shares its work out does so.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "assay/graph/op_registry.h"
#include "tests/ops/op_graph.h"

namespace assay {
namespace {

using testing::OpGraph;

constexpr int kThreads[] = {1, 2, 3, 8};

std::uint32_t next_word(std::uint32_t& state) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

/// Numbers of many magnitudes and both signs: their sum depends on its order.
Tensor mixed(const Shape& shape, DType dtype = float32, std::uint32_t seed = 1) {
  Tensor t(dtype, shape);
  for (std::int64_t i = 0; i < t.num_elements(); ++i) {
    const double unit = next_word(seed) / double(1 << 24);
    const double value = std::ldexp(unit - 0.5, static_cast<int>(next_word(seed) % 8));
    switch (dtype) {
      case DType::kDouble:
        t.data<double>()[i] = value;
        break;
      case DType::kHalf:
        t.data<Half>()[i] = Half(static_cast<float>(value));
        break;
      default:
        t.data<float>()[i] = static_cast<float>(value);
    }
  }
  return t;
}

/// Numbers in (0, 1).
Tensor positive(const Shape& shape, std::uint32_t seed = 1) {
  Tensor t(float32, shape);
  for (float& x : t.span<float>()) x = 0.01F + 0.98F * next_word(seed) / float(1 << 24);
  return t;
}

/// Integers in [0, range), repeated if there are more of them.
Tensor below(std::int32_t range, const Shape& shape, std::uint32_t seed = 9) {
  Tensor t(int32, shape);
  for (std::int32_t& x : t.span<std::int32_t>()) {
    x = static_cast<std::int32_t>(next_word(seed)) % range;
  }
  return t;
}

Output ints(OpGraph& g, const std::vector<std::int32_t>& values) {
  return g.constant(Tensor::of(values));
}

/// What a case runs, and what it looks at afterwards.
struct Asked {
  std::vector<Output> fetches;
  std::vector<Node*> targets = {};
  std::vector<Output> after = {};
};

using Build = std::function<Asked(OpGraph&)>;
/// What is done with each case.
using Visit = std::function<void(const std::string& name, const Build& build)>;

std::vector<Tensor> results(const Build& build, int threads) {
  OpGraph g;
  const Asked asked = build(g);
  std::vector<Tensor> all;
  // Twice: streams and variables go on.
  for (int run = 0; run < 2; ++run) {
    for (Tensor& t : g.session(threads).run({}, asked.fetches, asked.targets)) {
      all.push_back(std::move(t));
    }
  }
  if (!asked.after.empty()) {
    for (Tensor& t : g.session(threads).run(asked.after)) all.push_back(std::move(t));
  }
  return all;
}

void expect_same_bits(const std::string& name, const Build& build) {
  SCOPED_TRACE(name);
  const std::vector<Tensor> one = results(build, 1);
  ASSERT_FALSE(one.empty());
  for (const int threads : kThreads) {
    if (threads == 1) continue;
    const std::vector<Tensor> more = results(build, threads);
    ASSERT_EQ(more.size(), one.size());
    for (std::size_t i = 0; i < one.size(); ++i) {
      EXPECT_TRUE(more[i].identical(one[i])) << threads << " threads, value " << i;
    }
  }
}

/// One op on constants; every output is looked at.
Build op(std::string name, std::vector<Tensor> inputs, AttrMap attrs = {}) {
  return [=](OpGraph& g) {
    std::vector<Output> in;
    for (const Tensor& t : inputs) in.push_back(g.constant(t));
    Node* node = g.node(name, in, attrs);
    Asked asked;
    for (int i = 0; i < node->num_outputs(); ++i) asked.fetches.push_back(node->output(i));
    return asked;
  };
}

Tensor axis(std::int32_t value) {
  return Tensor::scalar(value);
}

void reductions(const Visit& visit) {
  for (const DType dtype : {float32, float64}) {
    for (const char* name : {"Sum", "Mean", "Max", "Min", "Prod"}) {
      const auto check = [&](const Shape& shape, const std::vector<std::int32_t>& axes) {
        visit(fmt::format("{} {} of {}", name, dtype_name(dtype), shape.str()),
              op(name, {mixed(shape, dtype), Tensor::of(axes)}));
      };
      check({300007}, {0});
      check({3001, 97}, {0});
      check({97, 3001}, {1});
      check({3001, 97}, {0, 1});
      check({37, 111, 53}, {1});
      check({37, 111, 53}, {0, 2});
    }
  }
  visit("L2Loss", op("L2Loss", {mixed({300007})}));
  for (const char* name : {"All", "Any"}) {
    Tensor flags(DType::kBool, Shape{3001, 97});
    for (bool& x : flags.span<bool>()) x = std::string(name) == "All";
    visit(name, op(name, {flags, Tensor::of<std::int32_t>({0})}));
    visit(name, op(name, {flags, Tensor::of<std::int32_t>({0, 1})}));
  }
  visit("ArgMin", op("ArgMin", {mixed({97, 3001}), axis(0)}));
  visit("ArgMax", op("ArgMax", {mixed({3001, 97}), axis(1)}));
  visit("Cumsum", op("Cumsum", {mixed({301, 997}), axis(1)}));
  visit("Cumprod", op("Cumprod", {mixed({997, 301}), axis(0)}));
}

void products(const Visit& visit) {
  for (const DType dtype : {float32, float64}) {
    for (const bool left : {false, true}) {
      for (const bool right : {false, true}) {
        const Shape a = left ? Shape{517, 301} : Shape{301, 517};
        const Shape b = right ? Shape{203, 517} : Shape{517, 203};
        visit(fmt::format("MatMul {} {} {}", dtype_name(dtype), left, right),
              op("MatMul", {mixed(a, dtype), mixed(b, dtype, 3)},
                 {{"transpose_a", left}, {"transpose_b", right}}));
      }
    }
    // Few rows, few columns, and a long inner side.
    visit("MatMul flat", op("MatMul", {mixed({3, 40001}, dtype), mixed({40001, 2}, dtype)}));
    visit("BatchMatMul",
          op("BatchMatMul", {mixed({7, 65, 129}, dtype), mixed({7, 129, 33}, dtype)}));
    visit("Qr", op("Qr", {mixed({9, 40, 31}, dtype)}));
    visit("MatrixTriangularSolve",
          op("MatrixTriangularSolve", {mixed({9, 40, 40}, dtype), mixed({9, 40, 31}, dtype, 3)}));
    visit("BatchMatMulV2",
          op("BatchMatMulV2", {mixed({2, 1, 65, 129}, dtype), mixed({9, 129, 33}, dtype)}));
  }
}

void losses_and_biases(const Visit& visit) {
  visit("BiasAdd", op("BiasAdd", {mixed({4001, 77}), mixed({77})}));
  visit("BiasAddV1", op("BiasAddV1", {mixed({4001, 77}), mixed({77})}));
  visit("BiasAddGrad", op("BiasAddGrad", {mixed({4001, 77})}));
  visit("BiasAddGrad narrow", op("BiasAddGrad", {mixed({100003, 2})}));
  visit("BiasAddGrad NCHW",
        op("BiasAddGrad", {mixed({9, 31, 40, 50})}, {{"data_format", std::string("NCHW")}}));
  for (const char* name : {"Softmax", "LogSoftmax"}) {
    visit(name, op(name, {mixed({3001, 101})}));
    visit(name, op(name, {mixed({3, 60001})}));
  }
  visit("SoftmaxCrossEntropyWithLogits",
        op("SoftmaxCrossEntropyWithLogits", {mixed({3001, 101}), positive({3001, 101})}));
  visit("SparseSoftmaxCrossEntropyWithLogits",
        op("SparseSoftmaxCrossEntropyWithLogits", {mixed({3001, 101}), below(101, {3001})}));
  visit("TopK", op("TopK", {mixed({501, 801})}, {{"k", std::int64_t{17}}}));
  visit("TopKV2", op("TopKV2", {mixed({501, 801}), axis(17)}));
  visit("TopKV2 of equal ones", op("TopKV2", {below(5, {501, 801}), axis(17)}));
  visit("InTopKV2", op("InTopKV2", {mixed({3001, 101}), below(101, {3001}), axis(7)}));
}

void rows_by_index(const Visit& visit) {
  const Tensor rows = mixed({5003, 33});
  const Tensor indices = below(5003, {20011});
  visit("Gather", op("Gather", {rows, indices}));
  visit("GatherV2", op("GatherV2", {rows, indices, axis(0)}));
  visit("GatherV2 axis 1", op("GatherV2", {mixed({803, 307}), below(307, {401}), axis(1)}));
  visit("GatherNd", op("GatherNd", {rows, below(33, {20011, 2})}));
  // Each row is named by dozens of indices: the order of the sum shows.
  const Tensor repeated = below(257, {20011}, 5);
  const Tensor updates = mixed({20011, 33}, float32, 4);
  visit("ScatterNd", op("ScatterNd", {repeated.reshaped({20011, 1}), updates,
                                      Tensor::of<std::int32_t>({257, 33})}));
  for (const char* name : {"TensorScatterAdd", "TensorScatterSub", "TensorScatterUpdate"}) {
    visit(name, op(name, {mixed({257, 33}), repeated.reshaped({20011, 1}), updates}));
  }
  for (const char* name :
       {"UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin"}) {
    visit(name, op(name, {updates, repeated, axis(257)}));
    visit(name, op(name, {mixed({300007}), below(7, {300007}), axis(7)}));
  }
  Tensor sorted = repeated.copy();
  std::sort(sorted.data<std::int32_t>(), sorted.data<std::int32_t>() + 20011);
  for (const char* name :
       {"SegmentSum", "SegmentMean", "SegmentProd", "SegmentMax", "SegmentMin"}) {
    visit(name, op(name, {updates, sorted}));
  }
  visit("Bincount", op("Bincount", {repeated, axis(257), mixed({20011})}));
  visit("Unique", op("Unique", {repeated}));
  visit("DynamicPartition", op("DynamicPartition", {updates, below(5, {20011})},
                               {{"num_partitions", std::int64_t{5}}}));
  for (const char* name : {"ScatterAdd", "ScatterSub", "ScatterMul", "ScatterDiv", "ScatterMin",
                           "ScatterMax", "ScatterUpdate"}) {
    visit(name, [&](OpGraph& g) {
      const Output v = g.variable(positive({257, 33}));
      const Output changed =
          g.op(name, {v, g.constant(repeated), g.constant(positive({20011, 33}, 4))});
      return Asked{{changed}};
    });
    visit(std::string("Resource") + name, [&](OpGraph& g) {
      const Output r = g.resource(positive({257, 33}));
      Node* change = g.node(std::string("Resource") + name,
                            {r, g.constant(repeated), g.constant(positive({20011, 33}, 4))});
      return Asked{{}, {change}, {g.read(r, float32)}};
    });
  }
  visit("ResourceGather", [&](OpGraph& g) {
    const Output r = g.resource(rows);
    return Asked{{g.op("ResourceGather", {r, g.constant(indices)}, {{"dtype", float32}})}};
  });
  for (const char* name : {"ScatterNdAdd", "ScatterNdSub", "ScatterNdUpdate"}) {
    visit(name, [&](OpGraph& g) {
      const Output v = g.variable(mixed({257, 33}));
      return Asked{
          {g.op(name, {v, g.constant(repeated.reshaped({20011, 1})), g.constant(updates)})}};
    });
  }
}

void gradient_of_gather(const Visit& visit) {
  visit("gradient", [](OpGraph& g) {
    const Output table = g.constant(mixed({257, 33}));
    const Output rows = g.op("GatherV2", {table, g.constant(below(257, {20011})),
                                          g.constant(Tensor::scalar<std::int32_t>(0))});
    const Output weighted = g.op("Mul", {rows, g.constant(mixed({20011, 33}, float32, 2))});
    const Output total = g.op("Sum", {weighted, ints(g, {0, 1})});
    return Asked{{dense_gradients({total}, {table}).at(0)}};
  });
}

void moves(const Visit& visit) {
  const Tensor x = mixed({301, 997});
  visit("Transpose", op("Transpose", {x, Tensor::of<std::int32_t>({1, 0})}));
  visit("Tile", op("Tile", {mixed({101, 97}), Tensor::of<std::int32_t>({5, 7})}));
  const Tensor margins = Tensor::of<std::int32_t>({3, 2, 1, 4}, Shape{2, 2});
  visit("Pad", op("Pad", {x, margins}));
  visit("MirrorPad", op("MirrorPad", {x, margins}, {{"mode", std::string("REFLECT")}}));
  visit("ReverseV2", op("ReverseV2", {x, Tensor::of<std::int32_t>({1})}));
  visit("Slice",
        op("Slice", {x, Tensor::of<std::int32_t>({1, 2}), Tensor::of<std::int32_t>({299, 900})}));
  visit("StridedSlice", op("StridedSlice", {x, Tensor::of<std::int32_t>({300, 1}),
                                            Tensor::of<std::int32_t>({0, 990}),
                                            Tensor::of<std::int32_t>({-1, 2})}));
  visit("ConcatV2", op("ConcatV2", {x, mixed({301, 55}), axis(1)}));
  visit("Pack", op("Pack", {x, mixed({301, 997}, float32, 7)}, {{"axis", std::int64_t{1}}}));
  visit("SpaceToDepth",
        op("SpaceToDepth", {mixed({5, 60, 60, 9})}, {{"block_size", std::int64_t{3}}}));
  visit("OneHot",
        op("OneHot", {below(97, {3001}), axis(97), Tensor::scalar(2.0F), Tensor::scalar(0.5F)}));
  visit("ConjugateTranspose", op("ConjugateTranspose", {x, Tensor::of<std::int32_t>({1, 0})}));
  visit("PadV2", op("PadV2", {x, margins, Tensor::scalar(0.5F)}));
  visit("Reverse", op("Reverse", {x, Tensor::of<bool>({true, false})}));
  visit("Concat", op("Concat", {axis(1), x, mixed({301, 55})}));
  visit("BroadcastTo", op("BroadcastTo", {mixed({1, 997}), Tensor::of<std::int32_t>({301, 997})}));
  visit("DepthToSpace",
        op("DepthToSpace", {mixed({5, 20, 20, 81})}, {{"block_size", std::int64_t{3}}}));
  const std::vector<Tensor> part = {Tensor::of<std::int32_t>({1, 2}),
                                    Tensor::of<std::int32_t>({301, 997}),
                                    Tensor::of<std::int32_t>({1, 1})};
  visit("StridedSliceGrad", op("StridedSliceGrad", {Tensor::of<std::int32_t>({301, 997}), part[0],
                                                    part[1], part[2], mixed({300, 995})}));
  visit("StridedSliceAssign", [&](OpGraph& g) {
    return Asked{{g.op("StridedSliceAssign",
                       {g.variable(x), g.constant(part[0]), g.constant(part[1]),
                        g.constant(part[2]), g.constant(mixed({300, 995}, float32, 8))})}};
  });
  visit("Where", op("Where", {x}));
  visit("Cast", op("Cast", {x}, {{"DstT", DType::kHalf}}));
  visit("AccumulateNV2", op("AccumulateNV2", {x, mixed({301, 997}, float32, 7)},
                            {{"shape", PartialShape{301, 997}}}));
  visit("AddN", op("AddN", {x, mixed({301, 997}, float32, 7), mixed({301, 997})}));
}

/// Element-wise ops of floats, by themselves and as a chain that ends in a sum.
void elementwise_ops(const Visit& visit) {
  int checked = 0;
  for (const auto& [name, def] : default_op_registry().ops()) {
    if (def.elementwise == nullptr || def.is_stateful()) continue;
    bool floats = !def.input_args.empty();
    for (const ArgDef& arg : def.input_args) floats = floats && arg.type_attr == "T";
    floats = floats && std::any_of(def.kernels.begin(), def.kernels.end(),
                                   [](const auto& kernel) { return kernel.dtype == float32; });
    if (!floats || def.input_args.front().number_attr != "") continue;
    ++checked;
    visit(name, [&](OpGraph& g) {
      std::vector<Output> in;
      for (std::size_t i = 0; i < def.input_args.size(); ++i) {
        // The second one is broadcast.
        in.push_back(g.constant(
            positive(i == 1 ? Shape{401} : Shape{503, 401}, static_cast<std::uint32_t>(i) + 1)));
      }
      bool broadcasts = in.size() == 2;
      Output y;
      try {
        y = g.op(name, in);
      } catch (const Error&) {
        // Gradients of activations take two of one shape.
        broadcasts = false;
      }
      if (!broadcasts && in.size() > 1) {
        in[1] = g.constant(positive({503, 401}, 2));
        y = g.op(name, in);
      }
      Asked asked{{y}};
      if (base_dtype(y.dtype()) == float32) {
        asked.fetches.push_back(g.op("Sum", {g.op("Mul", {y, in[0]}), ints(g, {0})}));
        asked.fetches.push_back(g.op("Mean", {g.op("Add", {y, in[0]}), ints(g, {0, 1})}));
      }
      return asked;
    });
  }
  EXPECT_GT(checked, 60);
  visit("LeakyRelu", op("LeakyRelu", {mixed({503, 401})}));
  visit("LeakyReluGrad", op("LeakyReluGrad", {mixed({503, 401}), mixed({503, 401}, float32, 2)}));
}

void random_fills(const Visit& visit) {
  const Tensor shape = Tensor::of<std::int32_t>({100, 1003});
  const AttrMap seeds = {{"seed", std::int64_t{3}}, {"seed2", std::int64_t{4}}};
  const auto with = [&](AttrMap more) {
    more.insert(seeds.begin(), seeds.end());
    return more;
  };
  for (const DType dtype : {float32, float64, DType::kHalf}) {
    for (const char* name : {"RandomUniform", "RandomStandardNormal", "TruncatedNormal"}) {
      visit(name, op(name, {shape}, with({{"dtype", dtype}})));
    }
    const Tensor pair = Tensor::of<std::int64_t>({3, 4});
    for (const char* name :
         {"StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal"}) {
      visit(name, op(name, {shape, pair}, {{"dtype", dtype}}));
    }
  }
  visit("StatelessRandomUniformInt",
        op("StatelessRandomUniformInt",
           {shape, Tensor::of<std::int64_t>({3, 4}), axis(-5), axis(1000)}, {{"dtype", int32}}));
  visit("RandomUniformInt", op("RandomUniformInt", {shape, axis(-5), axis(1000)}, seeds));
  const Tensor many = Tensor::of<std::int32_t>({501});
  const Tensor alpha = positive({101});
  visit("RandomGamma", op("RandomGamma", {many, alpha}, seeds));
  visit("RandomPoisson", op("RandomPoisson", {many, alpha}, seeds));
  visit("RandomPoissonV2", op("RandomPoissonV2", {many, alpha}, seeds));
  visit("Multinomial", op("Multinomial", {mixed({101, 53}), axis(301)}, seeds));
  visit("StatelessMultinomial", op("StatelessMultinomial", {mixed({101, 53}), axis(301),
                                                            Tensor::of<std::int64_t>({3, 4})}));
  visit("RandomShuffle", op("RandomShuffle", {mixed({20011, 5})}, seeds));
  const Tensor truths = Tensor::of<std::int64_t>({3, 5, 8}, Shape{3, 1});
  for (const char* name : {"LogUniformCandidateSampler", "UniformCandidateSampler",
                           "LearnedUnigramCandidateSampler"}) {
    visit(name, op(name, {truths},
                   with({{"num_true", std::int64_t{1}},
                         {"num_sampled", std::int64_t{64}},
                         {"unique", true},
                         {"range_max", std::int64_t{50000}}})));
  }
}

/// Every update op, dense and sparse with repeated rows, by whatever names its inputs have.
void updates_of_variables(const Visit& visit) {
  for (const char* name : {"AssignAdd", "AssignSub"}) {
    visit(name, [&](OpGraph& g) {
      return Asked{{g.op(name, {g.variable(mixed({301, 997})), g.constant(positive({301, 997}))})}};
    });
    visit(name, [&](OpGraph& g) {
      const Output r = g.resource(mixed({301, 997}));
      Node* change = g.node(std::string(name) + "VariableOp", {r, g.constant(positive({301, 997}))},
                            {{"dtype", float32}});
      return Asked{{}, {change}, {g.read(r, float32)}};
    });
  }
  int checked = 0;
  for (const auto& [name, def] : default_op_registry().ops()) {
    if (name.find("Apply") == std::string::npos) continue;
    ++checked;
    const bool sparse = name.find("Sparse") != std::string::npos;
    const Shape shape = sparse ? Shape{257, 129} : Shape{1001, 129};
    visit(name, [&](OpGraph& g) {
      Asked asked;
      std::vector<Output> in;
      std::uint32_t seed = 1;
      double hyper = 0.1;
      for (const ArgDef& arg : def.input_args) {
        if (arg.is_ref) {
          in.push_back(g.variable(positive(shape, seed++)));
          asked.after.push_back(in.back());
        } else if (arg.type == DType::kResource) {
          in.push_back(g.resource(positive(shape, seed++)));
          asked.after.push_back(g.read(in.back(), float32));
        } else if (arg.name == "grad" || arg.name == "delta") {
          in.push_back(g.constant(mixed(sparse ? Shape{5003, 129} : shape, float32, 11)));
        } else if (arg.name == "indices") {
          in.push_back(g.constant(below(257, {5003})));
        } else if (arg.type == int64) {
          in.push_back(g.constant(Tensor::scalar<std::int64_t>(3)));
        } else {
          in.push_back(g.constant(Tensor::scalar(static_cast<float>(hyper))));
          hyper += 0.07;
        }
      }
      asked.targets.push_back(g.node(name, in));
      return asked;
    });
  }
  EXPECT_GT(checked, 40);
}

using Family = void (*)(const Visit&);

const std::vector<std::pair<std::string, Family>> kFamilies = {
    {"Reductions", reductions},
    {"Products", products},
    {"LossesAndBiases", losses_and_biases},
    {"RowsByIndex", rows_by_index},
    {"GradientOfGather", gradient_of_gather},
    {"Moves", moves},
    {"ElementwiseOps", elementwise_ops},
    {"RandomFills", random_fills},
    {"UpdatesOfVariables", updates_of_variables}};

class ThreadsTest : public ::testing::TestWithParam<std::pair<std::string, Family>> {};

TEST_P(ThreadsTest, SameBits) {
  GetParam().second(expect_same_bits);
}

INSTANTIATE_TEST_SUITE_P(Ops, ThreadsTest, ::testing::ValuesIn(kFamilies),
                         [](const auto& info) { return info.param.first; });

/// The registry knows which ops share work among threads.
TEST(Threads, EveryOpThatSharesItsWorkIsHere) {
  std::set<std::string> seen;
  for (const auto& [name, family] : kFamilies) {
    family([&](const std::string&, const Build& build) {
      OpGraph g;
      build(g);
      for (const auto& node : g.graph().nodes()) seen.insert(node->op());
    });
  }
  for (const auto& [name, def] : default_op_registry().ops()) {
    EXPECT_TRUE(def.threads == Threads::kOne || seen.contains(name))
        << name << ": add a case of it here";
  }
}

/// The same numbers give the same results wherever they lie in memory: a vector loop that began at
/// an aligned address would add them up in another order.
TEST(Addresses, DoNotMatter) {
  constexpr std::int32_t kRows = 61;
  constexpr std::int32_t kInner = 83;
  const std::int64_t n = kRows * kInner;
  const Tensor values = mixed({n});
  const Tensor right = mixed({kInner, 47}, float32, 3);
  std::vector<Tensor> first;
  for (const std::int32_t offset : {0, 1, 3, 7, 16, 21}) {
    SCOPED_TRACE(offset);
    OpGraph g;
    Tensor longer(float32, Shape{n + offset});
    std::fill_n(longer.data<float>(), offset, 0.0F);
    std::copy_n(values.data<float>(), n, longer.data<float>() + offset);
    const Output fed =
        g.op("Placeholder", {}, {{"dtype", float32}, {"shape", PartialShape{n + offset}}});
    const Output part = g.op("Slice", {fed, ints(g, {offset}), ints(g, {kRows * kInner})});
    const Output x = g.op("Reshape", {part, ints(g, {kRows, kInner})});
    const std::vector<Output> asked = {g.op("MatMul", {x, g.constant(right)}),
                                       g.op("Sum", {x, ints(g, {0, 1})}),
                                       g.op("Sum", {x, ints(g, {0})}),
                                       g.op("Sum", {x, ints(g, {1})}),
                                       g.op("Softmax", {x}),
                                       g.op("BiasAddGrad", {x}),
                                       g.op("Tanh", {x}),
                                       g.op("Exp", {g.op("Mul", {x, x})}),
                                       g.op("L2Loss", {x})};
    std::vector<Tensor> got = g.session(2).run({{fed, longer}}, asked);
    if (first.empty()) {
      first = std::move(got);
      continue;
    }
    for (std::size_t i = 0; i < first.size(); ++i) {
      EXPECT_TRUE(got[i].identical(first[i])) << "value " << i;
    }
  }
}

}  // namespace
}  // namespace assay
