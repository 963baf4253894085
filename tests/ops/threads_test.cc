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

TEST(Threads, Reductions) {
  for (const DType dtype : {float32, float64}) {
    for (const char* name : {"Sum", "Mean", "Max", "Min", "Prod"}) {
      const auto check = [&](const Shape& shape, const std::vector<std::int32_t>& axes) {
        expect_same_bits(fmt::format("{} {} of {}", name, dtype_name(dtype), shape.str()),
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
  expect_same_bits("L2Loss", op("L2Loss", {mixed({300007})}));
  expect_same_bits("ArgMax", op("ArgMax", {mixed({3001, 97}), axis(1)}));
  expect_same_bits("Cumsum", op("Cumsum", {mixed({301, 997}), axis(1)}));
  expect_same_bits("Cumprod", op("Cumprod", {mixed({997, 301}), axis(0)}));
}

TEST(Threads, Products) {
  for (const DType dtype : {float32, float64}) {
    for (const bool left : {false, true}) {
      for (const bool right : {false, true}) {
        const Shape a = left ? Shape{517, 301} : Shape{301, 517};
        const Shape b = right ? Shape{203, 517} : Shape{517, 203};
        expect_same_bits(fmt::format("MatMul {} {} {}", dtype_name(dtype), left, right),
                         op("MatMul", {mixed(a, dtype), mixed(b, dtype, 3)},
                            {{"transpose_a", left}, {"transpose_b", right}}));
      }
    }
    // Few rows, few columns, and a long inner side.
    expect_same_bits("MatMul flat",
                     op("MatMul", {mixed({3, 40001}, dtype), mixed({40001, 2}, dtype)}));
    expect_same_bits("BatchMatMul",
                     op("BatchMatMul", {mixed({7, 65, 129}, dtype), mixed({7, 129, 33}, dtype)}));
    expect_same_bits("BatchMatMulV2", op("BatchMatMulV2", {mixed({2, 1, 65, 129}, dtype),
                                                           mixed({9, 129, 33}, dtype)}));
  }
}

TEST(Threads, LossesAndBiases) {
  expect_same_bits("BiasAdd", op("BiasAdd", {mixed({4001, 77}), mixed({77})}));
  expect_same_bits("BiasAddGrad", op("BiasAddGrad", {mixed({4001, 77})}));
  expect_same_bits("BiasAddGrad narrow", op("BiasAddGrad", {mixed({100003, 2})}));
  expect_same_bits("BiasAddGrad NCHW", op("BiasAddGrad", {mixed({9, 31, 40, 50})},
                                          {{"data_format", std::string("NCHW")}}));
  for (const char* name : {"Softmax", "LogSoftmax"}) {
    expect_same_bits(name, op(name, {mixed({3001, 101})}));
    expect_same_bits(name, op(name, {mixed({3, 60001})}));
  }
  expect_same_bits(
      "SoftmaxCrossEntropyWithLogits",
      op("SoftmaxCrossEntropyWithLogits", {mixed({3001, 101}), positive({3001, 101})}));
  expect_same_bits(
      "SparseSoftmaxCrossEntropyWithLogits",
      op("SparseSoftmaxCrossEntropyWithLogits", {mixed({3001, 101}), below(101, {3001})}));
  expect_same_bits("TopKV2", op("TopKV2", {mixed({501, 801}), axis(17)}));
  expect_same_bits("TopKV2 of equal ones", op("TopKV2", {below(5, {501, 801}), axis(17)}));
  expect_same_bits("InTopKV2", op("InTopKV2", {mixed({3001, 101}), below(101, {3001}), axis(7)}));
}

TEST(Threads, RowsByIndex) {
  const Tensor rows = mixed({5003, 33});
  const Tensor indices = below(5003, {20011});
  expect_same_bits("Gather", op("Gather", {rows, indices}));
  expect_same_bits("GatherV2", op("GatherV2", {rows, indices, axis(0)}));
  expect_same_bits("GatherV2 axis 1",
                   op("GatherV2", {mixed({803, 307}), below(307, {401}), axis(1)}));
  expect_same_bits("GatherNd", op("GatherNd", {rows, below(33, {20011, 2})}));
  // Each row is named by dozens of indices: the order of the sum shows.
  const Tensor repeated = below(257, {20011}, 5);
  const Tensor updates = mixed({20011, 33}, float32, 4);
  expect_same_bits("ScatterNd", op("ScatterNd", {repeated.reshaped({20011, 1}), updates,
                                                 Tensor::of<std::int32_t>({257, 33})}));
  for (const char* name : {"TensorScatterAdd", "TensorScatterSub", "TensorScatterUpdate"}) {
    expect_same_bits(name, op(name, {mixed({257, 33}), repeated.reshaped({20011, 1}), updates}));
  }
  for (const char* name :
       {"UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin"}) {
    expect_same_bits(name, op(name, {updates, repeated, axis(257)}));
    expect_same_bits(name, op(name, {mixed({300007}), below(7, {300007}), axis(7)}));
  }
  Tensor sorted = repeated.copy();
  std::sort(sorted.data<std::int32_t>(), sorted.data<std::int32_t>() + 20011);
  for (const char* name :
       {"SegmentSum", "SegmentMean", "SegmentProd", "SegmentMax", "SegmentMin"}) {
    expect_same_bits(name, op(name, {updates, sorted}));
  }
  expect_same_bits("Bincount", op("Bincount", {repeated, axis(257), mixed({20011})}));
  expect_same_bits("Unique", op("Unique", {repeated}));
  expect_same_bits("DynamicPartition", op("DynamicPartition", {updates, below(5, {20011})},
                                          {{"num_partitions", std::int64_t{5}}}));
  for (const char* name : {"ScatterAdd", "ScatterSub", "ScatterMul", "ScatterDiv", "ScatterMin",
                           "ScatterMax", "ScatterUpdate"}) {
    expect_same_bits(name, [&](OpGraph& g) {
      const Output v = g.variable(positive({257, 33}));
      const Output changed =
          g.op(name, {v, g.constant(repeated), g.constant(positive({20011, 33}, 4))});
      return Asked{{changed}};
    });
    expect_same_bits(std::string("Resource") + name, [&](OpGraph& g) {
      const Output r = g.resource(positive({257, 33}));
      Node* change = g.node(std::string("Resource") + name,
                            {r, g.constant(repeated), g.constant(positive({20011, 33}, 4))});
      return Asked{{}, {change}, {g.read(r, float32)}};
    });
  }
  for (const char* name : {"ScatterNdAdd", "ScatterNdSub", "ScatterNdUpdate"}) {
    expect_same_bits(name, [&](OpGraph& g) {
      const Output v = g.variable(mixed({257, 33}));
      return Asked{
          {g.op(name, {v, g.constant(repeated.reshaped({20011, 1})), g.constant(updates)})}};
    });
  }
}

TEST(Threads, GradientOfGather) {
  expect_same_bits("gradient", [](OpGraph& g) {
    const Output table = g.constant(mixed({257, 33}));
    const Output rows = g.op("GatherV2", {table, g.constant(below(257, {20011})),
                                          g.constant(Tensor::scalar<std::int32_t>(0))});
    const Output weighted = g.op("Mul", {rows, g.constant(mixed({20011, 33}, float32, 2))});
    const Output total = g.op("Sum", {weighted, ints(g, {0, 1})});
    return Asked{{dense_gradients({total}, {table}).at(0)}};
  });
}

TEST(Threads, Moves) {
  const Tensor x = mixed({301, 997});
  expect_same_bits("Transpose", op("Transpose", {x, Tensor::of<std::int32_t>({1, 0})}));
  expect_same_bits("Tile", op("Tile", {mixed({101, 97}), Tensor::of<std::int32_t>({5, 7})}));
  const Tensor margins = Tensor::of<std::int32_t>({3, 2, 1, 4}, Shape{2, 2});
  expect_same_bits("Pad", op("Pad", {x, margins}));
  expect_same_bits("MirrorPad", op("MirrorPad", {x, margins}, {{"mode", std::string("REFLECT")}}));
  expect_same_bits("ReverseV2", op("ReverseV2", {x, Tensor::of<std::int32_t>({1})}));
  expect_same_bits("Slice", op("Slice", {x, Tensor::of<std::int32_t>({1, 2}),
                                         Tensor::of<std::int32_t>({299, 900})}));
  expect_same_bits("StridedSlice", op("StridedSlice", {x, Tensor::of<std::int32_t>({300, 1}),
                                                       Tensor::of<std::int32_t>({0, 990}),
                                                       Tensor::of<std::int32_t>({-1, 2})}));
  expect_same_bits("ConcatV2", op("ConcatV2", {x, mixed({301, 55}), axis(1)}));
  expect_same_bits("Pack",
                   op("Pack", {x, mixed({301, 997}, float32, 7)}, {{"axis", std::int64_t{1}}}));
  expect_same_bits("SpaceToDepth",
                   op("SpaceToDepth", {mixed({5, 60, 60, 9})}, {{"block_size", std::int64_t{3}}}));
  expect_same_bits("OneHot", op("OneHot", {below(97, {3001}), axis(97), Tensor::scalar(2.0F),
                                           Tensor::scalar(0.5F)}));
  expect_same_bits("Where", op("Where", {x}));
  expect_same_bits("Cast", op("Cast", {x}, {{"DstT", DType::kHalf}}));
  expect_same_bits("AddN", op("AddN", {x, mixed({301, 997}, float32, 7), mixed({301, 997})}));
}

/// Element-wise ops of floats, by themselves and as a chain that ends in a sum.
TEST(Threads, ElementwiseOps) {
  int checked = 0;
  for (const auto& [name, def] : default_op_registry().ops()) {
    if (def.elementwise == nullptr || def.is_stateful()) continue;
    bool floats = !def.input_args.empty();
    for (const ArgDef& arg : def.input_args) floats = floats && arg.type_attr == "T";
    floats = floats && std::any_of(def.kernels.begin(), def.kernels.end(),
                                   [](const auto& kernel) { return kernel.dtype == float32; });
    if (!floats || def.input_args.front().number_attr != "") continue;
    ++checked;
    expect_same_bits(name, [&](OpGraph& g) {
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
}

TEST(Threads, RandomFills) {
  const Tensor shape = Tensor::of<std::int32_t>({100, 1003});
  const AttrMap seeds = {{"seed", std::int64_t{3}}, {"seed2", std::int64_t{4}}};
  const auto with = [&](AttrMap more) {
    more.insert(seeds.begin(), seeds.end());
    return more;
  };
  for (const DType dtype : {float32, float64, DType::kHalf}) {
    for (const char* name : {"RandomUniform", "RandomStandardNormal", "TruncatedNormal"}) {
      expect_same_bits(name, op(name, {shape}, with({{"dtype", dtype}})));
    }
    const Tensor pair = Tensor::of<std::int64_t>({3, 4});
    for (const char* name :
         {"StatelessRandomUniform", "StatelessRandomNormal", "StatelessTruncatedNormal"}) {
      expect_same_bits(name, op(name, {shape, pair}, {{"dtype", dtype}}));
    }
  }
  expect_same_bits("RandomUniformInt",
                   op("RandomUniformInt", {shape, axis(-5), axis(1000)}, seeds));
  expect_same_bits("RandomShuffle", op("RandomShuffle", {mixed({20011, 5})}, seeds));
  const Tensor truths = Tensor::of<std::int64_t>({3, 5, 8}, Shape{3, 1});
  for (const char* name : {"LogUniformCandidateSampler", "UniformCandidateSampler",
                           "LearnedUnigramCandidateSampler"}) {
    expect_same_bits(name, op(name, {truths},
                              with({{"num_true", std::int64_t{1}},
                                    {"num_sampled", std::int64_t{64}},
                                    {"unique", true},
                                    {"range_max", std::int64_t{50000}}})));
  }
}

/// Every update op, dense and sparse with repeated rows, by whatever names its inputs have.
TEST(Threads, UpdatesOfVariables) {
  int checked = 0;
  for (const auto& [name, def] : default_op_registry().ops()) {
    if (name.find("Apply") == std::string::npos) continue;
    ++checked;
    const bool sparse = name.find("Sparse") != std::string::npos;
    const Shape shape = sparse ? Shape{257, 129} : Shape{1001, 129};
    expect_same_bits(name, [&](OpGraph& g) {
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
