#include "assay/graph/graph.h"

#include "assay/graph/scope.h"
#include "tests/graph/expect_error.h"
#include "tests/graph/test_ops.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::make;
using testing::placeholder;

class GraphTest : public ::testing::Test {
 protected:
  Graph graph{testing::test_ops()};
};

TEST_F(GraphTest, InfersTypesAndCountsAndFillsDefaults) {
  const Output a = placeholder(graph, {2, 3}, "a");
  const Output b = placeholder(graph, {3, -1}, "b");
  Node* m = make(graph, "MatMul", {a, b});
  EXPECT_EQ(m->name(), "MatMul");
  EXPECT_EQ(m->attr<DType>("T"), DType::kFloat);
  EXPECT_FALSE(m->attr<bool>("transpose_a"));
  EXPECT_EQ(m->output_dtype(0), DType::kFloat);
  EXPECT_EQ(m->output_shape(0).str(), "[2,?]");
  Node* p = make(graph, "Pack", {a, a, a});
  EXPECT_EQ(p->attr<std::int64_t>("N"), 3);
  EXPECT_EQ(p->output_shape(0).str(), "[3,2,3]");
}

TEST_F(GraphTest, VariadicArgumentsShareTheInputs) {
  NodeBuilder b(graph);
  const Output i = b.ints({0, 1});
  const Output x = placeholder(graph, {2});
  Node* stitch = make(graph, "DynamicStitch", {i, i, x, x});
  EXPECT_EQ(stitch->attr<std::int64_t>("N"), 2);
  EXPECT_EQ(stitch->attr<DType>("T"), DType::kFloat);
  Node* concat = make(graph, "ConcatV2", {x, x, x, b.scalar(0, DType::kInt32)});
  EXPECT_EQ(concat->attr<std::int64_t>("N"), 3);
  Node* split =
      make(graph, "Split", {b.scalar(0, DType::kInt32), x}, {{"num_split", std::int64_t{2}}});
  EXPECT_EQ(split->num_outputs(), 2);
  const Output s = b.constant(Tensor::scalar(std::string("p")));
  Node* save = make(graph, "SaveV2", {s, s, s, x, i});
  EXPECT_THAT(save->attr<std::vector<DType>>("dtypes"), ElementsAre(DType::kFloat, DType::kInt32));
  EXPECT_EQ(save->num_outputs(), 0);
}

TEST_F(GraphTest, WrongInputsSayWhatWasExpectedAndWhereTheyCameFrom) {
  const Output a = placeholder(graph, {2}, "a");
  const Output n = placeholder(graph, {2}, "n", DType::kInt32);
  EXPECT_THAT(
      error_of(Code::kInvalidArgument,
               [&] {
                 make(graph, "Add", {a, n}, {}, "sum");
               }),
      HasSubstr("Add 'sum': input 'y' must be float32 like input 'x', 'a', but 'n' is int32"));
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { make(graph, "Add", {a}); }),
              HasSubstr("takes inputs (x: T, y: T), but got 1: 'a'"));
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         make(graph, "DynamicStitch", {n, n, a});
                       }),
              HasSubstr("got 3"));
  const Output s = placeholder(graph, {2}, "s", DType::kString);
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         make(graph, "Add", {s, s});
                       }),
              HasSubstr("input 'x' must be one of"));
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         make(graph, "Assign", {a, a});
                       }),
              HasSubstr("input 'ref' must be a variable's reference, but 'a' is float32"));
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         make(graph, "Addd", {a, a});
                       }),
              HasSubstr("there is no op 'Addd'; did you mean 'Add'"));
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         make(graph, "Add", {a, {}});
                       }),
              HasSubstr("absent"));
  Graph other(testing::test_ops());
  const Output far = placeholder(other, {2}, "far");
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         make(graph, "Add", {a, far});
                       }),
              HasSubstr("another graph"));
}

TEST_F(GraphTest, WrongAttributes) {
  const Output a = placeholder(graph, {2}, "a");
  const std::vector<std::int64_t> four(4, 1);
  const auto pool = [&](AttrMap attrs) {
    return error_of(Code::kInvalidArgument, [&] { make(graph, "MaxPool", {a}, std::move(attrs)); });
  };
  EXPECT_THAT(pool({{"ksize", four}, {"strides", four}}),
              HasSubstr("needs the attribute 'padding'"));
  EXPECT_THAT(pool({{"ksize", four}, {"strides", four}, {"padding", "FULL"}}),
              HasSubstr("SAME, VALID"));
  EXPECT_THAT(
      pool({{"ksize", four}, {"strides", std::vector<std::int64_t>{1}}, {"padding", "SAME"}}),
      HasSubstr("at least 4 items"));
  EXPECT_THAT(pool({{"ksize", std::int64_t{1}}}), HasSubstr("kind list(int)"));
  EXPECT_THAT(pool({{"paddng", "SAME"}}),
              HasSubstr("no attribute 'paddng'; did you mean 'padding'"));
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         make(graph, "Split", {a, a}, {{"num_split", std::int64_t{1}}});
                       }),
              HasSubstr("'split_dim' must be int32"));
  NodeBuilder b(graph);
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         make(graph, "Split", {b.scalar(0, DType::kInt32), a},
                              {{"num_split", std::int64_t{1} << 40}});
                       }),
              HasSubstr("outputs"));
}

TEST_F(GraphTest, ReferencesMayGoWhereValuesAreWanted) {
  Node* v =
      make(graph, "VariableV2", {}, {{"shape", PartialShape{2}}, {"dtype", DType::kFloat}}, "v");
  EXPECT_EQ(v->output_dtype(0), ref_dtype(DType::kFloat));
  Node* sum = make(graph, "Add", {v->output(), v->output()});
  EXPECT_EQ(sum->output_dtype(0), DType::kFloat);
  Node* assign = make(graph, "Assign", {v->output(), sum->output()});
  EXPECT_EQ(assign->output_dtype(0), ref_dtype(DType::kFloat));
  EXPECT_EQ(make(graph, "Identity", {v->output()})->output_dtype(0), DType::kFloat);
}

TEST_F(GraphTest, FailureLeavesNoTrace) {
  const Output a = placeholder(graph, {2}, "a");
  EXPECT_THROW(make(graph, "Add", {a}), Error);
  EXPECT_EQ(graph.num_nodes(), 1);
  EXPECT_EQ(make(graph, "Add", {a, a})->name(), "Add");
}

TEST_F(GraphTest, UniqueNamesByTensorFlowsRules) {
  EXPECT_EQ(graph.unique_name("foo"), "foo");
  EXPECT_EQ(graph.unique_name("foo"), "foo_1");
  EXPECT_EQ(graph.unique_name("foo"), "foo_2");
  EXPECT_EQ(graph.unique_name("foo_1"), "foo_1_1");
  EXPECT_EQ(graph.unique_name("foo_1"), "foo_1_2");
  EXPECT_EQ(graph.unique_name("bar_1"), "bar_1");
  EXPECT_EQ(graph.unique_name("bar"), "bar");
  EXPECT_EQ(graph.unique_name("bar"), "bar_2");
  EXPECT_EQ(graph.unique_name("Foo"), "Foo_3");
  EXPECT_EQ(graph.unique_name("told", false), "told");
  EXPECT_EQ(graph.unique_name("told"), "told");
}

TEST_F(GraphTest, NameScopes) {
  EXPECT_EQ(placeholder(graph, {}, "x").name(), "x:0");
  {
    NameScope outer(graph, "layer");
    EXPECT_EQ(outer.full(), "layer/");
    EXPECT_EQ(placeholder(graph, {}, "x").node->name(), "layer/x");
    {
      NameScope inner(graph, "layer");
      EXPECT_EQ(inner.full(), "layer/layer/");
      NameScope top(graph, "");
      EXPECT_EQ(top.full(), "");
      EXPECT_EQ(placeholder(graph, {}, "x").node->name(), "x_1");
    }
    EXPECT_EQ(graph.name_scope(), "layer");
  }
  {
    NameScope again(graph, "layer");
    EXPECT_EQ(again.full(), "layer_1/");
    NameScope enter(graph, "layer/");
    EXPECT_EQ(placeholder(graph, {}, "x").node->name(), "layer/x_1");
  }
  {
    NameScope scope(graph, "sum");
    EXPECT_EQ(placeholder(graph, {}, scope.full()).node->name(), "sum");
  }
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { placeholder(graph, {}, "sum/"); }),
              HasSubstr("taken by Placeholder 'sum'"));
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { NameScope bad(graph, "_a"); }),
              HasSubstr("_a"));
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { placeholder(graph, {}, "a b"); }),
              HasSubstr("a b"));
  NameScope scope(graph, "outer");
  NameScope allowed(graph, "_inner");
  EXPECT_EQ(allowed.full(), "outer/_inner/");
}

std::vector<std::string> controls(const Node* node) {
  std::vector<std::string> names;
  for (const Node* c : node->control_inputs()) names.push_back(c->name());
  return names;
}

TEST_F(GraphTest, ControlDependenciesNestAndSkipWhatWaitsAlready) {
  const Output a = placeholder(graph, {}, "a");
  const Output b = placeholder(graph, {}, "b");
  const Output c = placeholder(graph, {}, "c");
  ControlDependencies outer(graph, {a.node});
  Node* d = make(graph, "Identity", {c}, {}, "d");
  EXPECT_THAT(controls(d), ElementsAre("a"));
  // An input made inside the scope waits for it already, so its user need not.
  EXPECT_THAT(controls(make(graph, "Identity", {d->output()})), ElementsAre());
  // A data input is no control input as well.
  EXPECT_THAT(controls(make(graph, "Identity", {a})), ElementsAre());
  {
    ControlDependencies inner(graph, {b.node, a.node, b.node});
    EXPECT_THAT(controls(make(graph, "Identity", {c})), ElementsAre("a", "b"));
    // `d` was made in the outer scope only.
    EXPECT_THAT(controls(make(graph, "Identity", {d->output()}, {}, "e")), ElementsAre("b"));
    {
      const ControlDependencies none = ControlDependencies::none(graph);
      Node* free = make(graph, "Identity", {c}, {}, "free");
      EXPECT_THAT(controls(free), ElementsAre());
      ControlDependencies fresh(graph, {c.node});
      EXPECT_THAT(controls(make(graph, "NoOp", {})), ElementsAre("c"));
    }
    // Made while the scopes were cleared: it does not wait for them.
    EXPECT_THAT(controls(make(graph, "Identity", {graph.output("free")})), ElementsAre("a", "b"));
  }
}

TEST_F(GraphTest, DevicesMergeAndPrintAsTensorFlowsDo) {
  {
    DeviceScope job(graph, "/job:worker");
    DeviceScope cpu(graph, "/cpu:0");
    EXPECT_EQ(placeholder(graph, {}).node->device(), "/job:worker/device:CPU:0");
    DeviceScope inner(graph, "/gpu:1");
    EXPECT_EQ(placeholder(graph, {}).node->device(), "/job:worker/device:GPU:1");
    DeviceScope nothing(graph, "");
    EXPECT_EQ(placeholder(graph, {}).node->device(), "/job:worker/device:GPU:1");
  }
  EXPECT_EQ(placeholder(graph, {}).node->device(), "");
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { DeviceScope bad(graph, "/tpuu:0"); }),
              HasSubstr("tpuu"));
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { DeviceScope bad(graph, "/cpu:x"); }),
              HasSubstr("'x'"));
}

TEST_F(GraphTest, ColocationTakesGroupsAndDevices) {
  Node* v = nullptr;
  {
    DeviceScope device(graph, "/cpu:0");
    v = placeholder(graph, {}, "v").node;
  }
  DeviceScope device(graph, "/gpu:0");
  ColocateWith with(graph, v);
  Node* w = placeholder(graph, {}, "w").node;
  EXPECT_THAT(w->attr<std::vector<std::string>>("_class"), ElementsAre("loc:@v"));
  EXPECT_EQ(w->device(), "/device:CPU:0");
  {
    // A colocated node stands for its group.
    ColocateWith again(graph, w);
    EXPECT_THAT(placeholder(graph, {}).node->attr<std::vector<std::string>>("_class"),
                ElementsAre("loc:@v"));
    ColocateWith other(graph, placeholder(graph, {}, "a").node);
  }
  ColocateWith none(graph, nullptr);
  Node* free = placeholder(graph, {}, "free").node;
  EXPECT_EQ(free->find_attr("_class"), nullptr);
  EXPECT_EQ(free->device(), "");
}

TEST_F(GraphTest, PlacesNameTheOutermostCaller) {
  EXPECT_EQ(PlaceScope::current().line(), 0u);
  const std::source_location here = std::source_location::current();
  Node* node = nullptr;
  {
    PlaceScope outer(here);
    PlaceScope inner(std::source_location::current());
    node = placeholder(graph, {2, 3}, "x").node;
  }
  EXPECT_EQ(node->where().line(), here.line());
  EXPECT_EQ(node->label(), fmt::format("Placeholder 'x' (graph_test.cc:{})", here.line()));
  EXPECT_EQ(placeholder(graph, {}, "y").node->label(), "Placeholder 'y'");
}

TEST_F(GraphTest, FindsTensorsByName) {
  const Output a = placeholder(graph, {}, "scope/alpha");
  EXPECT_EQ(graph.output("scope/alpha"), a);
  EXPECT_EQ(graph.output("scope/alpha:0"), a);
  EXPECT_EQ(graph.find_node("alpha"), nullptr);
  EXPECT_THAT(error_of(Code::kNotFound, [&] { graph.output("scope/alpah"); }),
              HasSubstr("did you mean 'scope/alpha'?"));
  EXPECT_THAT(error_of(Code::kNotFound, [&] { graph.output("alpha"); }),
              HasSubstr("'scope/alpha'"));
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { graph.output("scope/alpha:1"); }),
              HasSubstr("has 1"));
  for (const char* bad : {"", "^a", "a:", "a:x", "a:-1", ":0", "a:99999999999999"}) {
    EXPECT_EQ(error_of(Code::kInvalidArgument, [&] { graph.output(bad); }).empty(), false) << bad;
  }
}

TEST_F(GraphTest, CollectionsSeedsAndFinalize) {
  EXPECT_TRUE(graph.collection("losses").empty());
  const Output a = placeholder(graph, {}, "a");
  graph.add_to_collection(graph_keys::kLosses, a);
  EXPECT_EQ(std::get<Output>(graph.collection("losses").at(0)), a);
  graph.clear_collection("losses");
  EXPECT_TRUE(graph.collection("losses").empty());
  EXPECT_FALSE(graph.seed().has_value());
  graph.set_seed(87654321);
  EXPECT_EQ(graph.seed(), 87654321);
  graph.finalize();
  EXPECT_THAT(error_of(Code::kFailedPrecondition, [&] { placeholder(graph, {}); }),
              HasSubstr("finalized"));
}

TEST_F(GraphTest, TypedAttributes) {
  Node* a = placeholder(graph, {}, "a").node;
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { (void)a->attr<bool>("shape"); }),
              HasSubstr("attribute 'shape' should be bool, but is shape ?"));
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { (void)a->attr<bool>("x"); }),
              HasSubstr("no attribute 'x'"));
  EXPECT_EQ(a->attr_or<std::int64_t>("x", 3), 3);
  a->set_attr("l", EmptyList{});
  EXPECT_TRUE(a->attr<std::vector<float>>("l").empty());
}

TEST_F(GraphTest, ReplacingAnInputKeepsItsType) {
  const Output a = placeholder(graph, {}, "a");
  const Output b = placeholder(graph, {}, "b");
  const Output n = placeholder(graph, {}, "n", DType::kInt32);
  Node* sum = make(graph, "Add", {a, a});
  sum->replace_input(1, b);
  EXPECT_EQ(sum->input(1), b);
  // A value may stand for a variable where it is only read.
  Node* v = make(graph, "VariableV2", {}, {{"shape", PartialShape{}}, {"dtype", DType::kFloat}});
  Node* assign = make(graph, "Assign", {v->output(), v->output()});
  assign->replace_input(1, b);
  EXPECT_EQ(assign->input(1), b);
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { assign->replace_input(0, b); }),
              HasSubstr("cannot replace"));
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { sum->replace_input(0, n); }),
              HasSubstr("int32"));
}

TEST(CurrentGraph, DefaultAndScoped) {
  reset_default_graph();
  Graph& first = current_graph();
  EXPECT_EQ(&first, &current_graph());
  placeholder(first, {}, "a");
  {
    Graph own(testing::test_ops());
    GraphScope scope(own);
    EXPECT_EQ(&current_graph(), &own);
    NameScope name("s");
    EXPECT_EQ(own.name_scope(), "s");
  }
  EXPECT_EQ(current_graph().num_nodes(), 1);
  reset_default_graph();
  EXPECT_EQ(current_graph().num_nodes(), 0);
}

}  // namespace
}  // namespace assay
