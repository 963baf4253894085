// The whole pipeline against the slow way: random graphs run as one program, and node by node with
// every input fed, give the same bits; effects happen in the order that control edges say.

#include "assay/compiler/compile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "assay/graph/gradient.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"

namespace assay {
namespace {

// Makes random nodes over a pool of float32 tensors whose shapes are known.
class RandomGraph {
 public:
  RandomGraph(unsigned seed, bool known_shapes) : b(graph), random_(seed), known_(known_shapes) {}

  void grow(int nodes) {
    const std::vector<Shape> shapes = {Shape{4, 16}, Shape{4, 1},  Shape{16},      Shape{1, 16},
                                       Shape{},      Shape{4, 16}, Shape{2, 2, 16}};
    for (int k = 0; k < 4; ++k) input(shapes[static_cast<std::size_t>(pick(7))], pick(4) == 0);
    while (static_cast<int>(graph.nodes().size()) < nodes) {
      try {
        add();
      } catch (const Error& e) {
        // Shapes that do not fit: another try.
        ASSERT_EQ(e.code(), Code::kInvalidArgument) << e.what();
      }
    }
  }

  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  Graph graph;
  NodeBuilder b;
  std::vector<Feed> feeds;
  std::vector<Output> all;  // float32 tensors

 private:
  Tensor values(const Shape& shape) {
    Tensor t(float32, shape);
    for (float& x : t.span<float>()) {
      // Small numbers, some of them special to arithmetic.
      x = pick(6) == 0 ? static_cast<float>(pick(2)) : static_cast<float>(pick(2000) - 1000) / 256;
    }
    return t;
  }

  void input(const Shape& shape, bool constant) {
    Tensor value = values(shape);
    if (constant) {
      all.push_back(b.constant(value));
      return;
    }
    all.push_back(b.op(
        "Placeholder", {},
        {{"dtype", float32}, {"shape", known_ ? PartialShape(shape) : PartialShape::unknown()}}));
    feeds.emplace_back(all.back(), value);
  }

  Output any() {
    // Rather a late one, so that chains grow.
    const int n = static_cast<int>(all.size());
    return all[static_cast<std::size_t>(pick(2) == 0 ? pick(n) : n - 1 - pick(std::min(n, 5)))];
  }
  // With constant shapes even where the tensors' own are not: what the placeholder was fed.
  void keep(Output o) { all.push_back(o); }

  void add() {
    const auto ints = [&](std::vector<std::int32_t> v) { return b.ints(v); };
    const auto scalar = [&](int v) { return b.constant(Tensor::scalar<std::int32_t>(v)); };
    switch (pick(26)) {
      case 0:
        return keep(b.op("Add", {any(), any()}));
      case 1:
        return keep(b.op("Sub", {any(), any()}));
      case 2:
        return keep(b.op("Mul", {any(), any()}));
      case 3:
        return keep(b.op("Maximum", {any(), any()}));
      case 4: {
        const char* ops[] = {"Neg", "Abs", "Square", "Relu", "Sigmoid", "Tanh", "Floor", "Sign"};
        return keep(b.op(ops[pick(8)], {any()}));
      }
      case 5:
        return keep(b.op("Identity", {any()}));
      case 6:
        return keep(b.op("Mul", {any(), b.scalar(1, float32)}));
      case 7:
        return keep(b.op("AddN", {all.back(), b.op("Neg", {all.back()}), all.back()}));
      case 8: {
        const Output x = any();
        const Output second = pick(2) == 0 ? x : any();
        return keep(b.op("ConcatV2", {x, second, scalar(0)}));
      }
      case 9: {
        const Output x = any();
        return keep(b.op("ConcatV2", {x, any(), x, scalar(pick(2))}));
      }
      case 10: {
        const Output x = any();
        return keep(b.op("Pack", {x, pick(2) == 0 ? x : any()}, {{"axis", std::int64_t{pick(2)}}}));
      }
      case 11:
        return keep(b.op("Slice", {any(), ints({1, 0}), ints({2, -1})}));
      case 12:
        return keep(b.op("StridedSlice", {any(), ints({pick(3)}), ints({4}), ints({1})}));
      case 13: {
        Node* split = b.node("Split", {scalar(pick(2)), any()}, {{"num_split", std::int64_t{2}}});
        keep(split->output(0));
        return keep(split->output(1));
      }
      case 14:
        return keep(b.op("Reshape", {any(), ints({-1, 16})}));
      case 15:
        return keep(b.op("Reshape", {any(), ints({-1})}));
      case 16:
        return keep(b.op("ExpandDims", {any(), scalar(0)}));
      case 17:
        return keep(b.op("Transpose", {any(), ints({1, 0})}));
      case 18:
        return keep(b.op("Sum", {any(), ints({pick(2)})}, {{"keep_dims", pick(2) == 0}}));
      case 19:
        return keep(
            b.op("Pad", {any(), b.constant(Tensor::of<std::int32_t>({1, 2, 0, 0}, Shape{2, 2}))}));
      case 20: {
        // The gradient of two slices: parts of one tensor, with zeros around, summed.
        const Output x = b.op("Slice", {any(), ints({0, 0}), ints({1, -1})});
        const Output y = b.op("Slice", {any(), ints({1, 0}), ints({3, -1})});
        const auto pad = [&](Output o, int before, int behind) {
          return b.op(
              "Pad",
              {o, b.constant(Tensor::of<std::int32_t>({before, behind, 0, 0}, Shape{2, 2}))});
        };
        return keep(b.op("AddN", {pad(y, 1, 0), pad(x, 0, 3)}));
      }
      case 21: {
        const Output x = any();
        return keep(
            b.op("Select", {b.op("Less", {x, b.op("ZerosLike", {x})}), x, b.op("Square", {x})}));
      }
      case 22: {
        const Output x = any();
        return keep(b.op("Fill", {b.op("Shape", {x}), b.scalar(2.5, float32)}));
      }
      case 23:
        return keep(b.op("MatMul", {any(), any()}, {{"transpose_b", true}}));
      case 24:
        return keep(b.op("GatherV2", {any(), ints({1, 0, 1}), scalar(0)}));
      default:
        return keep(b.op("Cast", {b.op("Cast", {any()}, {{"DstT", int32}})}, {{"DstT", float32}}));
    }
  }

  std::mt19937 random_;
  bool known_;
};

using Values = std::map<Output, Tensor>;

// Each node by itself, its inputs fed. False when one of the nodes fails.
bool run_node_by_node(RandomGraph& g, Values& values) {
  Session session({.graph = &g.graph, .threads = 1});
  for (const Feed& feed : g.feeds) values[feed.target] = feed.value;
  for (const auto& node : g.graph.nodes()) {
    if (node->op() == "Placeholder") continue;
    std::vector<Feed> feeds;
    for (const Output& input : node->inputs()) {
      if (!values.contains(input)) return false;
      const auto same = [&](const Feed& f) { return f.target == input; };
      if (std::ranges::none_of(feeds, same)) feeds.emplace_back(input, values.at(input));
    }
    std::vector<Output> outputs;
    for (int i = 0; i < node->num_outputs(); ++i) outputs.push_back(node->output(i));
    try {
      const auto results = session.run(feeds, outputs);
      for (std::size_t i = 0; i < outputs.size(); ++i) values[outputs[i]] = results[i];
    } catch (const Error&) {
      // Wrong only once shapes are known; what needs it is left out as well.
    }
  }
  return true;
}

void compare(unsigned seed, bool known_shapes) {
  SCOPED_TRACE(fmt::format("seed {}, shapes {}", seed, known_shapes ? "known" : "unknown"));
  RandomGraph g(seed, known_shapes);
  g.grow(40);
  Values expected;
  run_node_by_node(g, expected);
  std::vector<Output> good;
  for (const Output& o : g.all) {
    if (expected.contains(o)) good.push_back(o);
  }
  Session session({.graph = &g.graph, .threads = 2});
  for (int round = 0; round < 4; ++round) {
    std::vector<Output> fetches{good.back()};
    for (int k = g.pick(4); k > 0; --k) {
      fetches.push_back(good[static_cast<std::size_t>(g.pick(static_cast<int>(good.size())))]);
    }
    // Twice: the second run finds the memory as the first one left it.
    for (int again = 0; again < 2; ++again) {
      const auto got = session.run(g.feeds, fetches);
      for (std::size_t k = 0; k < fetches.size(); ++k) {
        ASSERT_TRUE(got[k].identical(expected.at(fetches[k])))
            << fetches[k].name() << ": " << got[k].str(80) << "\ninstead of "
            << expected.at(fetches[k]).str(80) << "\n"
            << session.describe_program(g.feeds, fetches);
      }
    }
  }
}

TEST(Compile, RandomGraphsGiveTheBitsOfSingleOps) {
  for (unsigned seed = 0; seed < 150; ++seed) {
    compare(seed, true);
    compare(seed, false);
    if (HasFatalFailure()) return;
  }
}

// A tensor has one place only, so the second time it is a part it has to be copied.
TEST(Compile, PartsThatOccurTwice) {
  Graph graph;
  NodeBuilder b(graph);
  const Output x = b.op("Placeholder", {}, {{"dtype", float32}, {"shape", PartialShape{2}}});
  const Output y = b.op("Exp", {b.op("Log", {x})});
  const Output axis = b.constant(Tensor::scalar<std::int32_t>(0));
  const Output twice = b.op("Neg", {b.op("ConcatV2", {y, y, axis})});
  const Output other = b.op("Neg", {b.op("ConcatV2", {x, y, axis})});
  Session session({.graph = &graph, .threads = 1});
  const auto got = session.run({{x, Tensor::of<float>({1, 1})}}, {twice, other});
  EXPECT_EQ(got[0].to_vector<float>(), (std::vector<float>{-1, -1, -1, -1}));
  EXPECT_EQ(got[1].to_vector<float>(), (std::vector<float>{-1, -1, -1, -1}));
}

// What a reference yields is the variable, whatever shape it was declared with.
TEST(Compile, AVariableWhoseShapeIsNotKnown) {
  Graph graph;
  NodeBuilder b(graph);
  const Output v = b.op("VariableV2", {}, {{"dtype", float32}, {"shape", PartialShape()}});
  Node* assign =
      b.node("Assign", {v, b.constant(Tensor::of<float>({1, 2, 3}))}, {{"validate_shape", false}});
  const Output y = b.op("Neg", {b.op("Square", {assign->output()})});
  const ControlDependencies after(graph, {assign});
  const Output read = b.op("Neg", {v});
  Session session({.graph = &graph, .threads = 1});
  const auto got = session.run({}, {y, read, assign->output()});
  EXPECT_EQ(got[0].to_vector<float>(), (std::vector<float>{-1, -4, -9}));
  EXPECT_EQ(got[1].to_vector<float>(), (std::vector<float>{-1, -2, -3}));
  EXPECT_EQ(got[2].to_vector<float>(), (std::vector<float>{1, 2, 3}));
}

// Reads and writes of variables in an order that control edges fix, against plain numbers.
class RandomEffects {
 public:
  explicit RandomEffects(unsigned seed) : b_(graph_), random_(seed) {
    for (int v = 0; v < 2; ++v) {
      const AttrMap attrs = {{"dtype", float32}, {"shape", PartialShape{16}}};
      refs_.push_back(b_.op("VariableV2", {}, attrs, "ref"));
      handles_.push_back(b_.op("VarHandleOp", {}, attrs, "handle"));
      initial_.push_back(b_.node("Assign", {refs_.back(), row(static_cast<float>(v + 1))}));
      initial_.push_back(b_.node("AssignVariableOp", {handles_.back(), row(float(v + 3))}));
      ref_values_.push_back(static_cast<float>(v + 1));
      handle_values_.push_back(static_cast<float>(v + 3));
    }
    x_ = b_.op("Placeholder", {}, {{"dtype", float32}, {"shape", PartialShape{16}}});
    tensors_.emplace_back(x_, 0.5F);
  }

  void run() {
    for (int k = 0; k < 14; ++k) step();
    Session session({.graph = &graph_, .threads = 1});
    session.run({}, {}, initial_);
    std::vector<Output> fetches;
    std::vector<float> expected;
    for (const auto& [tensor, value] : tensors_) {
      if (pick(3) == 0) continue;
      fetches.push_back(tensor);
      expected.push_back(value);
    }
    const std::vector<Feed> feeds = {{x_, Tensor::of(std::vector<float>(16, 0.5F))}};
    const std::string program = session.describe_program(feeds, fetches, {last_});
    const auto got = session.run(feeds, fetches, {last_});
    for (std::size_t k = 0; k < fetches.size(); ++k) {
      ASSERT_EQ(got[k].to_vector<float>(), std::vector<float>(16, expected[k]))
          << fetches[k].name() << "\n"
          << program;
    }
    for (std::size_t v = 0; v < refs_.size(); ++v) {
      EXPECT_EQ(session.run(refs_[v]).data<float>()[3], ref_values_[v]) << program;
      EXPECT_EQ(session.run(b_.op("ReadVariableOp", {handles_[v]}, {{"dtype", float32}}))
                    .data<float>()[3],
                handle_values_[v])
          << program;
    }
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  Output row(float value) { return b_.constant(Tensor::of(std::vector<float>(16, value))); }

  void step() {
    const auto v = static_cast<std::size_t>(pick(2));
    const auto [tensor, value] =
        tensors_[static_cast<std::size_t>(pick(static_cast<int>(tensors_.size())))];
    const int what = pick(9);
    // What takes the last step's value comes after it without a control edge too.
    const bool by_data = what >= 3 && tensor.node == last_ && pick(2) == 0;
    std::vector<Node*> first;
    if (last_ != nullptr && !by_data) first.push_back(last_);
    const ControlDependencies after(graph_, first);
    switch (what) {
      case 0:
        add(b_.op("Identity", {refs_[v]}), ref_values_[v]);
        break;
      case 1:
        add(b_.op("ReadVariableOp", {handles_[v]}, {{"dtype", float32}}), handle_values_[v]);
        break;
      case 2:
        add(b_.op("Mul", {refs_[v], b_.scalar(1, float32)}), ref_values_[v]);
        break;
      case 3:
        add(b_.op("Add", {tensor, refs_[v]}), value + ref_values_[v]);
        break;
      case 4:
        // Arithmetic alone: the control edge matters to what reads a variable behind it.
        add(b_.op("Neg", {tensor}), -value);
        break;
      case 5:
        last_ = b_.node("Assign", {refs_[v], tensor});
        ref_values_[v] = value;
        break;
      case 6:
        last_ = b_.node("AssignAdd", {refs_[v], tensor});
        ref_values_[v] += value;
        break;
      case 7:
        last_ = b_.node("AssignVariableOp", {handles_[v], tensor});
        handle_values_[v] = value;
        break;
      default:
        last_ = b_.node("AssignSubVariableOp", {handles_[v], tensor});
        handle_values_[v] -= value;
        break;
    }
  }

  void add(Output tensor, float value) {
    tensors_.emplace_back(tensor, value);
    last_ = tensor.node;
  }

  Graph graph_;
  NodeBuilder b_;
  std::mt19937 random_;
  Output x_;
  std::vector<Output> refs_, handles_;
  std::vector<float> ref_values_, handle_values_;
  std::vector<std::pair<Output, float>> tensors_;
  std::vector<Node*> initial_;
  Node* last_ = nullptr;
};

TEST(Compile, RandomEffectsHappenInOrder) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    RandomEffects(seed).run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace assay
