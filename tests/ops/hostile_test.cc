// Whatever a graph says, running it ends in values or in an Error: every op meets inputs,
// attributes and shapes that nobody would write.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <unistd.h>

#include <fstream>
#include <limits>
#include <random>

#include "assay/graph/op_registry.h"
#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"

namespace assay::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(_GLIBCXX_TSAN)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// Enormous tensors are refused by the system instead of filling the machine. Sanitizers need more
// addresses than that for themselves.
class LimitedMemory {
 public:
  LimitedMemory() {
    getrlimit(RLIMIT_AS, &before_);
    rlimit limit = before_;
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    limit.rlim_cur = pages * static_cast<rlim_t>(getpagesize()) + (rlim_t{128} << 20);
    if (!kSanitized) setrlimit(RLIMIT_AS, &limit);
  }
  ~LimitedMemory() { setrlimit(RLIMIT_AS, &before_); }
  LimitedMemory(const LimitedMemory&) = delete;
  LimitedMemory& operator=(const LimitedMemory&) = delete;

 private:
  rlimit before_{};
};

class Hostile {
 public:
  Hostile(const OpDef& op, unsigned seed) : op_(op), random_(seed) {}

  void run() {
    OpGraph g;
    try {
      Node* node = make(g);
      std::vector<Output> outputs;
      for (int i = 0; i < node->num_outputs(); ++i) {
        if (!is_ref(node->output_dtype(i))) outputs.push_back(node->output(i));
      }
      g.session().run(feeds_, outputs, {node});
    } catch (const Error& e) {
      EXPECT_NE(e.code(), Code::kInternal) << e.what();
    }
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  template <typename T>
  T one_of(std::initializer_list<T> list) {
    return list.begin()[pick(static_cast<int>(list.size()))];
  }
  template <typename T>
  T one_of(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(pick(static_cast<int>(list.size())))];
  }

  std::int64_t integer() {
    using Limits = std::numeric_limits<std::int64_t>;
    if (pick(4) != 0) return pick(5) - 1;
    return one_of<std::int64_t>({Limits::max(), Limits::min(), Limits::max() - 1, 1LL << 31,
                                 (1LL << 31) - 1, -(1LL << 31), 1LL << 40, 1LL << 62,
                                 (1LL << 62) + 1, -7, 100});
  }
  double real() {
    if (pick(3) != 0) return pick(5) - 1.5;
    return one_of<double>({std::nan(""), HUGE_VAL, -HUGE_VAL, 1e38, -1e300, 0, -0.0, 3e9});
  }
  DType type(const std::vector<DType>& allowed) {
    if (!allowed.empty() && pick(3) != 0) {
      const DType t = one_of(allowed);
      return dtype_size(t) > 0 || t == string ? t : float32;
    }
    const DType t = one_of({float32, float64, int32, int64, boolean, string, uint8, int16});
    const bool fits =
        allowed.empty() || std::find(allowed.begin(), allowed.end(), t) != allowed.end();
    return fits ? t : one_of(allowed);
  }
  Shape shape() {
    return one_of<Shape>({Shape{}, Shape{}, Shape{0}, Shape{1}, Shape{2}, Shape{3}, Shape{2},
                          Shape{2, 3}, Shape{2, 2}, Shape{1, 2}, Shape{2, 0}, Shape{2, 1, 2},
                          Shape{1, 2, 2, 3}, Shape{1, 1, 1, 1, 1, 1, 1, 1}});
  }
  Tensor tensor(DType t) {
    if (dtype_size(t) == 0 && t != string) t = float32;
    Tensor value = Tensor::zeros(t, shape());
    for (std::int64_t i = 0; i < value.num_elements(); ++i) {
      switch (t) {
        case DType::kString:
          value.data<std::string>()[i] =
              one_of<const char*>({"", "a", "7", "-1.5", "\xff\n", "x:0"});
          break;
        case DType::kBool:
          value.data<bool>()[i] = pick(2) == 0;
          break;
        case DType::kFloat:
          value.data<float>()[i] = static_cast<float>(std::clamp(real(), -3e38, 3e38));
          break;
        case DType::kDouble:
          value.data<double>()[i] = real();
          break;
        case DType::kInt32:
          value.data<std::int32_t>()[i] = static_cast<std::int32_t>(
              std::clamp<std::int64_t>(integer(), std::numeric_limits<std::int32_t>::min(),
                                       std::numeric_limits<std::int32_t>::max()));
          break;
        case DType::kInt64:
          value.data<std::int64_t>()[i] = integer();
          break;
        case DType::kInt8:
        case DType::kUInt8:
          static_cast<std::uint8_t*>(value.raw())[i] = static_cast<std::uint8_t>(integer());
          break;
        case DType::kInt16:
        case DType::kUInt16:
          static_cast<std::uint16_t*>(value.raw())[i] = static_cast<std::uint16_t>(integer());
          break;
        default:
          break;  // zeros
      }
    }
    return value;
  }

  AttrValue attribute(const AttrDef& def) {
    if (def.kind == "int") return integer();
    if (def.kind == "float") return static_cast<float>(std::clamp(real(), -3e38, 3e38));
    if (def.kind == "bool") return pick(2) == 0;
    if (def.kind == "type") return type(def.allowed_types);
    if (def.kind == "tensor") return tensor(type({}));
    if (def.kind == "shape") return partial_shape();
    if (def.kind == "string") {
      if (!def.allowed_strings.empty()) return one_of(def.allowed_strings);
      return std::string(one_of<const char*>({"", "a", "SAME", "%s", "loc:@x"}));
    }
    const int n = pick(4);
    if (n == 0) return EmptyList{};
    if (def.kind == "list(int)") {
      std::vector<std::int64_t> list;
      for (int i = 0; i < n; ++i) list.push_back(integer());
      return list;
    }
    if (def.kind == "list(float)") return std::vector<float>(static_cast<std::size_t>(n), 0.5F);
    if (def.kind == "list(string)") {
      return std::vector<std::string>(static_cast<std::size_t>(n), "a");
    }
    if (def.kind == "list(shape)") {
      std::vector<PartialShape> list;
      for (int i = 0; i < n; ++i) list.push_back(partial_shape());
      return list;
    }
    if (def.kind == "list(type)") {
      std::vector<DType> list;
      for (int i = 0; i < n; ++i) list.push_back(type(def.allowed_types));
      return list;
    }
    return EmptyList{};
  }
  PartialShape partial_shape() {
    if (pick(4) == 0) return {};
    if (pick(2) == 0) return shape();
    std::vector<std::int64_t> dims;
    for (int i = pick(4); i > 0; --i) dims.push_back(std::max<std::int64_t>(integer(), -1));
    return PartialShape(dims);
  }

  Output input(OpGraph& g, DType t, bool ref) {
    if (ref) return g.variable(tensor(t));
    if (t == DType::kResource) return g.resource(tensor(pick(3) == 0 ? int64 : float32));
    if (t == DType::kVariant || pick(2) == 0) {
      const Output x = g.op("Placeholder", {}, {{"dtype", t}, {"shape", PartialShape()}});
      feeds_.emplace_back(x, t == DType::kVariant ? Tensor::zeros(t, Shape{}) : tensor(t));
      return x;
    }
    return g.constant(tensor(t));
  }

  Node* make(OpGraph& g) {
    AttrMap attrs;
    for (const AttrDef& def : op_.attr_defs) {
      if (def.default_value && pick(2) == 0) continue;
      attrs[def.name] = attribute(def);
    }
    // What counts or types the inputs fits them.
    std::vector<Output> inputs;
    for (const ArgDef& arg : op_.input_args) {
      std::vector<DType> types;
      if (!arg.type_list_attr.empty()) {
        const AttrDef* def = op_.find_attr(arg.type_list_attr);
        const auto list = attribute(*def);
        if (const auto* held = std::get_if<std::vector<DType>>(&list)) types = *held;
        attrs[arg.type_list_attr] = list;
      } else {
        DType t = arg.type;
        if (!arg.type_attr.empty()) {
          auto& attr = attrs[arg.type_attr];
          if (!std::holds_alternative<DType>(attr)) {
            attr = type(op_.find_attr(arg.type_attr)->allowed_types);
          }
          t = std::get<DType>(attr);
        }
        int n = 1;
        if (!arg.number_attr.empty()) {
          auto& attr = attrs[arg.number_attr];
          const auto* held = std::get_if<std::int64_t>(&attr);
          if (held == nullptr || *held < 0 || *held > 3) attr = std::int64_t{pick(4)};
          n = static_cast<int>(std::get<std::int64_t>(attr));
        }
        types.assign(static_cast<std::size_t>(n), t);
      }
      for (const DType t : types) inputs.push_back(input(g, t, arg.is_ref));
    }
    return g.node(op_.name, inputs, attrs);
  }

  const OpDef& op_;
  std::mt19937 random_;
  std::vector<Feed> feeds_;
};

// Ops that touch the world outside have tests of their own.
bool leaves_the_session(const OpDef& op) {
  if (op.effect != Effect::kWrites) return false;
  for (const ArgDef& arg : op.input_args) {
    if (arg.is_ref || arg.type == DType::kResource) return false;
  }
  return true;
}

class HostileOps : public ::testing::TestWithParam<char> {};

TEST_P(HostileOps, EndInValuesOrAnError) {
  const LimitedMemory limited;
  for (const auto& [name, op] : default_op_registry().ops()) {
    if (name[0] != GetParam() || leaves_the_session(op)) continue;
    SCOPED_TRACE(name);
    for (unsigned seed = 0; seed < 200; ++seed) {
      SCOPED_TRACE(seed);
      Hostile(op, seed).run();
      if (HasFailure()) return;
    }
  }
}

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

// Runs an op on fed values of which nothing is known before; the error's code.
Code code_when_fed(const std::string& op, const std::vector<Tensor>& values, AttrMap attrs = {}) {
  OpGraph g;
  return code_of([&] {
    std::vector<Output> inputs;
    std::vector<Feed> feeds;
    for (const Tensor& value : values) {
      inputs.push_back(
          g.op("Placeholder", {}, {{"dtype", value.dtype()}, {"shape", PartialShape()}}));
      feeds.emplace_back(inputs.back(), value);
    }
    g.session().run(feeds, {g.op(op, inputs, std::move(attrs))});
  });
}

Tensor longs(const std::vector<std::int64_t>& values) {
  return Tensor::of(values);
}
Tensor pairs(const std::vector<std::int64_t>& values) {
  return Tensor::of(values, Shape{static_cast<std::int64_t>(values.size()) / 2, 2});
}

// Sums and products of sizes wrap around to small ones that look harmless.
TEST(Hostile, SizesThatOverflow) {
  const Tensor x = Tensor::of<float>({1, 2});
  const Tensor image = Tensor::zeros(float32, Shape{1, 1, 1, 4});
  const std::int64_t half = std::int64_t{1} << 32;
  EXPECT_EQ(code_when_fed("Pad", {x, pairs({kMax, kMax})}), Code::kInvalidArgument);
  EXPECT_EQ(
      code_when_fed("MirrorPad", {x, pairs({kMax, kMax})}, {{"mode", std::string("SYMMETRIC")}}),
      Code::kInvalidArgument);
  EXPECT_EQ(code_when_fed("Tile", {Tensor::of<float>({1, 2, 3, 4}), longs({1LL << 62})}),
            Code::kInvalidArgument);
  EXPECT_EQ(code_when_fed("SpaceToBatchND",
                          {image, longs({half, half}), pairs({0, half - 1, 0, half - 1})}),
            Code::kInvalidArgument);
  EXPECT_EQ(code_when_fed("SpaceToBatchND", {image, longs({1}), pairs({kMax, kMax})}),
            Code::kInvalidArgument);
  EXPECT_EQ(code_when_fed("BatchToSpaceND", {image, longs({half, half}), pairs({0, 0, 0, 0})}),
            Code::kInvalidArgument);
  for (const char* op : {"SpaceToDepth", "DepthToSpace"}) {
    EXPECT_EQ(code_when_fed(op, {image}, {{"block_size", half}}), Code::kInvalidArgument);
  }
  EXPECT_EQ(code_when_fed("Slice", {x, longs({1}), longs({kMax})}), Code::kInvalidArgument);
}

TEST(Hostile, EnormousResultsAreRefused) {
  const LimitedMemory limited;
  const Tensor x = Tensor::of<float>({1, 2});
  const Tensor one = Tensor::scalar<float>(1);
  EXPECT_EQ(code_when_fed("Fill", {longs({1LL << 31, 1LL << 30}), one}, {{"index_type", int64}}),
            Code::kResourceExhausted);
  EXPECT_EQ(code_when_fed("Tile", {x, longs({1LL << 40})}), Code::kResourceExhausted);
  EXPECT_EQ(code_when_fed("Pad", {x, pairs({0, 1LL << 50})}), Code::kResourceExhausted);
  EXPECT_EQ(code_when_fed("Range", {Tensor::scalar<std::int64_t>(0), Tensor::scalar(kMax),
                                    Tensor::scalar<std::int64_t>(1)}),
            Code::kInvalidArgument);
  EXPECT_EQ(code_when_fed("BroadcastTo", {one, longs({1LL << 60})}), Code::kResourceExhausted);
}

// What a sampler keeps beside its outputs is bounded as well.
TEST(Hostile, SamplersOfEnormousSamplesAndRanges) {
  const LimitedMemory limited;
  const Tensor trues = Tensor::of<std::int64_t>({0}, Shape{1, 1});
  const auto code = [&](const char* op, std::int64_t sampled, std::int64_t range) {
    return code_when_fed(op, {trues},
                         {{"num_true", std::int64_t{1}},
                          {"num_sampled", sampled},
                          {"unique", true},
                          {"range_max", range}});
  };
  for (const char* op : {"UniformCandidateSampler", "LogUniformCandidateSampler"}) {
    EXPECT_NE(code(op, 1LL << 40, kMax), Code::kOk) << op;
    EXPECT_EQ(code(op, (1LL << 31) - 1, kMax), Code::kResourceExhausted) << op;
  }
  EXPECT_EQ(code("LearnedUnigramCandidateSampler", 1, (1LL << 31) - 2), Code::kResourceExhausted);
}

// The size is known before running, the value is not.
TEST(Hostile, AnEnormousPlanNamesTheNode) {
  OpGraph g;
  const Output value = g.op("Placeholder", {}, {{"dtype", float32}, {"shape", PartialShape{}}});
  const Output dims = g.constant(longs({1LL << 31, 1LL << 31}));
  const Output big = g.builder().op("Fill", {dims, value}, {{"index_type", int64}}, "big");
  const Error error = error_of([&] {
    g.session().run({{value, Tensor::scalar<float>(1)}}, {g.op("Neg", {big})});
  });
  EXPECT_EQ(error.code(), Code::kResourceExhausted);
  EXPECT_EQ(error.node(), "big");
}

TEST(Hostile, ShapesOfMoreDimensionsThanTensorsHave) {
  OpGraph g;
  const PartialShape wide(std::vector<std::int64_t>(100, 2));
  const Output x = g.op("Placeholder", {}, {{"dtype", float32}, {"shape", wide}});
  const Output zeros = g.constant(Tensor::zeros(int32, Shape{1}));
  const Output ones = g.constant(Tensor::of<std::int32_t>({1}));
  const Output y = g.op("StridedSlice", {x, zeros, ones, ones});
  EXPECT_EQ(code_of([&] {
              g.session().run({{x, Tensor::of<float>({1})}}, {y});
            }),
            Code::kInvalidArgument);
  // Nor may a count of paddings be taken for a rank.
  const Output paddings =
      g.op("Placeholder", {}, {{"dtype", int32}, {"shape", PartialShape{1 << 30, 2}}});
  const Output any = g.op("Placeholder", {}, {{"dtype", float32}, {"shape", PartialShape()}});
  EXPECT_EQ(code_of([&] { g.op("Pad", {any, paddings}); }), Code::kInvalidArgument);
}

// A graph from outside may name one variable twice, as different things.
TEST(Hostile, OneVariableUnderTwoDeclarations) {
  OpGraph g;
  const auto declare = [&](DType dtype, PartialShape shape) {
    return g.op("VariableV2", {},
                {{"dtype", dtype}, {"shape", shape}, {"shared_name", std::string("v")}});
  };
  const Output small = declare(float32, PartialShape{2});
  const Output large = declare(float32, PartialShape{1000, 1000});
  const Output other = declare(int64, PartialShape{2});
  g.session().run(g.node("Assign", {small, g.constant(Tensor::of<float>({1, 2}))}));
  EXPECT_EQ(g.run(g.op("Neg", {g.op("Square", {small})})).to_vector<float>(),
            (std::vector<float>{-1, -4}));
  EXPECT_EQ(code_of([&] { g.run(g.op("Neg", {g.op("Square", {large})})); }),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] { g.run(g.op("Neg", {g.op("Square", {other})})); }),
            Code::kInvalidArgument);
  const Error error = error_of([&] { g.run(other); });
  EXPECT_NE(error.message().find("int64"), std::string::npos) << error.message();
  const auto handle = [&](DType dtype, PartialShape shape) {
    return g.op("VarHandleOp", {},
                {{"dtype", dtype}, {"shape", shape}, {"shared_name", std::string("r")}});
  };
  g.session().run(g.node("AssignVariableOp", {handle(float32, PartialShape{2}),
                                              g.constant(Tensor::of<float>({1, 2}))}));
  for (const DType dtype : {float32, int64}) {
    const Output read = g.read(handle(dtype, PartialShape{1000}), dtype);
    EXPECT_EQ(code_of([&] { g.run(g.op("Neg", {g.op("Square", {read})})); }),
              Code::kInvalidArgument);
  }
}

// What an unknown op would yield may be fed; its readers hold the value to their own dtype.
TEST(Hostile, UnknownOpsFedAsTheWrongThing) {
  Graph graph;
  Node* unknown = graph.add_imported_node({.op = "Mystery", .name = "m"}, "", {DType::kInvalid});
  Node* neg = graph.add_imported_node(
      {.op = "Neg", .name = "neg", .inputs = {unknown->output()}, .attrs = {{"T", float32}}}, "");
  Session session({.graph = &graph, .threads = 1});
  EXPECT_EQ(session.run(neg->output(), {{unknown->output(), Tensor::of<float>({1, 2})}})
                .to_vector<float>(),
            (std::vector<float>{-1, -2}));
  const Error error = error_of([&] {
    session.run(neg->output(), {{unknown->output(), Tensor::of<std::string>({"a", "b"})}});
  });
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_EQ(error.node(), "neg");
}

INSTANTIATE_TEST_SUITE_P(ByLetter, HostileOps, ::testing::Range('A', static_cast<char>('Z' + 1)),
                         [](const auto& info) { return std::string(1, info.param); });

}  // namespace
}  // namespace assay::testing
