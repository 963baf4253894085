#include "assay/graph/graph_def.h"

#include "assay/format/proto_io.h"
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

proto::GraphDef text_graph(const std::string& text) {
  return format::parse_text<proto::GraphDef>(text, "test.pbtxt");
}

// node { name op input* } with T float where the op has one.
std::string text_node(const std::string& name, const std::string& op,
                      const std::vector<std::string>& inputs = {}, const std::string& more = "") {
  std::string text = fmt::format("node {{ name: '{}' op: '{}' ", name, op);
  for (const std::string& input : inputs) text += fmt::format("input: '{}' ", input);
  if (op == "Placeholder") text += "attr { key: 'dtype' value { type: DT_FLOAT } } ";
  if (op == "Add" || op == "Identity") text += "attr { key: 'T' value { type: DT_FLOAT } } ";
  return text + more + "}\n";
}

class GraphDefTest : public ::testing::Test {
 protected:
  ImportResult load(const std::string& text, ImportOptions options = {}) {
    options.source = "g.pb";
    return import_graph_def(text_graph(text), graph, options);
  }
  std::string refused(const std::string& text, Code code = Code::kInvalidArgument) {
    const int before = graph.num_nodes();
    const std::string message = error_of(code, [&] { load(text); });
    EXPECT_EQ(graph.num_nodes(), before);
    EXPECT_THAT(message, HasSubstr("g.pb: "));
    return message;
  }
  Graph graph{testing::test_ops()};
};

TEST_F(GraphDefTest, RoundTripKeepsEverything) {
  NodeBuilder b(graph);
  const Output x = placeholder(graph, {-1, 3}, "x");
  Node* v =
      make(graph, "VariableV2", {}, {{"shape", PartialShape{3}}, {"dtype", DType::kFloat}}, "v");
  {
    NameScope scope(graph, "layer");
    DeviceScope device(graph, "/cpu:0");
    ControlDependencies after(graph, {v, x.node});
    const Output c = b.constant(Tensor::of<float>({1, 2, 3}), "c");
    b.op("Add", {c, v->output()});
    ColocateWith with(graph, v);
    b.node("Split", {b.scalar(0, DType::kInt32), c}, {{"num_split", std::int64_t{3}}});
    b.op("Identity", {graph.output("layer/Split:2")});
  }
  const proto::GraphDef def = to_graph_def(graph, {.add_shapes = true});
  EXPECT_EQ(def.versions().producer(), 134);
  EXPECT_EQ(def.node(2).name(), "layer/c");
  EXPECT_THAT(def.node(2).input(), ElementsAre("^v", "^x"));
  EXPECT_EQ(def.node(2).device(), "/device:CPU:0");
  EXPECT_EQ(def.node(0).attr().at("_output_shapes").list().shape(0).dim(0).size(), -1);

  Graph copy(testing::test_ops());
  import_graph_def(def, copy);
  ASSERT_EQ(copy.num_nodes(), graph.num_nodes());
  const proto::GraphDef again = to_graph_def(copy, {.add_shapes = true});
  EXPECT_EQ(format::to_text(again), format::to_text(def));
  EXPECT_EQ(copy.find_node("layer/Identity")->input(0).index, 2);
}

TEST_F(GraphDefTest, DefaultsAreStrippedAndFilledIn) {
  const Output x = placeholder(graph, {2, 2}, "x");
  make(graph, "MatMul", {x, x}, {}, "m");
  const proto::GraphDef def = to_graph_def(graph, {.strip_default_attrs = true});
  EXPECT_EQ(def.node(1).attr().size(), 1u);  // T has no default
  Graph copy(testing::test_ops());
  import_graph_def(def, copy);
  EXPECT_FALSE(copy.find_node("m")->attr<bool>("transpose_a"));
  EXPECT_EQ(format::to_text(to_graph_def(copy)), format::to_text(to_graph_def(graph)));
}

TEST_F(GraphDefTest, AnyOrderIsSorted) {
  const ImportResult result =
      load(text_node("c", "Add", {"b", "a:0", "^d"}) + text_node("b", "Identity", {"a"}) +
           text_node("a", "Placeholder") + text_node("d", "NoOp"));
  std::vector<std::string> names;
  for (const auto& node : graph.nodes()) names.push_back(node->name());
  EXPECT_THAT(names, ElementsAre("a", "b", "d", "c"));
  EXPECT_EQ(result.nodes.at("c")->control_inputs().at(0)->name(), "d");
}

TEST_F(GraphDefTest, PrefixesAreUniqueScopes) {
  const std::string text = text_node("a", "Placeholder") +
                           text_node("b", "Identity", {"a", "^a"},
                                     "attr { key: '_class' value { list { s: 'loc:@a' } } }");
  EXPECT_EQ(load(text, {.prefix = "import"}).scope, "import/");
  EXPECT_EQ(load(text, {.prefix = "import"}).scope, "import_1/");
  const Node* b = graph.find_node("import_1/b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->input(0).name(), "import_1/a:0");
  EXPECT_THAT(b->attr<std::vector<std::string>>("_class"), ElementsAre("loc:@import_1/a"));
  // Without a prefix, names that are taken get a number.
  load(text);
  const ImportResult second = load(text);
  EXPECT_EQ(second.nodes.at("b")->name(), "b_1");
  EXPECT_EQ(second.nodes.at("b")->input(0).name(), "a_1:0");
  EXPECT_THAT(second.nodes.at("b")->attr<std::vector<std::string>>("_class"),
              ElementsAre("loc:@a_1"));
  // Names made afterwards do not collide.
  EXPECT_EQ(placeholder(graph, {}, "a").node->name(), "a_2");
}

TEST_F(GraphDefTest, InputsCanBeReplaced) {
  const Output mine = placeholder(graph, {7}, "mine");
  const std::string text = text_node("x", "Placeholder") + text_node("y", "Identity", {"x"});
  const ImportResult result =
      load(text, {.prefix = "p", .input_map = {{"x", mine}}, .return_names = {"y:0", "x"}});
  EXPECT_EQ(result.returned.at(0).shape().str(), "[7]");
  EXPECT_EQ(result.returned.at(0).node->input(0), mine);
  EXPECT_EQ(result.returned.at(1), mine);
  EXPECT_THAT(
      error_of(Code::kNotFound, [&] { load(text, {.prefix = "q", .return_names = {"z"}}); }),
      HasSubstr("'z'"));
}

TEST_F(GraphDefTest, UnknownOpsAreCarried) {
  const std::string text = text_node("a", "Placeholder") +
                           text_node("u", "Mystery", {"a"}, "attr { key: 'deep' value { i: 3 } }") +
                           text_node("b", "Add", {"u:2", "a"}) + text_node("w", "Mystery");
  load(text);
  const Node* u = graph.find_node("u");
  EXPECT_EQ(u->def(), nullptr);
  EXPECT_EQ(u->num_outputs(), 3);
  EXPECT_EQ(u->output_dtype(2), DType::kInvalid);
  EXPECT_EQ(graph.find_node("b")->output_dtype(0), DType::kFloat);
  EXPECT_EQ(graph.find_node("b")->output_shape(0).str(), "?");
  const proto::GraphDef def = to_graph_def(graph);
  EXPECT_EQ(def.node(1).attr().at("deep").i(), 3);
  EXPECT_EQ(def.node(2).input(0), "u:2");
}

TEST_F(GraphDefTest, AttributesOfOtherVersions) {
  // Missing ones get defaults, unknown ones are kept.
  load(text_node("a", "Placeholder") +
       "node { name: 'm' op: 'MaxPool' input: 'a' attr { key: 'T' value { type: DT_FLOAT } } "
       "attr { key: 'ksize' value { list { i: 1 i: 2 i: 2 i: 1 } } } "
       "attr { key: 'strides' value { list { i: 1 i: 2 i: 2 i: 1 } } } "
       "attr { key: 'padding' value { s: 'SAME' } } "
       "attr { key: 'explicit_paddings' value { list { } } } }");
  const Node* m = graph.find_node("m");
  EXPECT_EQ(m->attr<std::string>("data_format"), "NHWC");
  EXPECT_NE(m->find_attr("explicit_paddings"), nullptr);
}

TEST_F(GraphDefTest, LoopsAreLetInAndOtherCyclesAreNot) {
  const std::string loop =
      text_node("start", "Enter", {"x"}) + text_node("merge", "Merge", {"start", "next"}) +
      text_node("next", "NextIteration", {"merge"}) + text_node("x", "Placeholder");
  load(loop);
  EXPECT_EQ(graph.find_node("merge")->input(1).node, graph.find_node("next"));
  EXPECT_EQ(graph.find_node("merge")->input(0).node, graph.find_node("start"));
  const std::string def = format::to_text(to_graph_def(graph));
  EXPECT_THAT(def, HasSubstr("input: \"next\""));

  const std::string cycle =
      refused(text_node("q", "Add", {"r", "r"}) + text_node("r", "Identity", {"s"}) +
              text_node("s", "Identity", {"t"}) + text_node("t", "Identity", {"r"}));
  EXPECT_THAT(cycle, HasSubstr("cycle: "));
  EXPECT_THAT(cycle, HasSubstr("'r' -> "));
  EXPECT_THAT(cycle, ::testing::Not(HasSubstr("'q'")));
  EXPECT_THAT(refused(text_node("a2", "NoOp", {"^a2"})), HasSubstr("'a2' -> 'a2'"));
}

TEST_F(GraphDefTest, BrokenGraphsAreRefusedWithTheNodesName) {
  EXPECT_THAT(refused(text_node("a", "Identity", {"inptu"}) + text_node("input", "Placeholder")),
              HasSubstr("Identity 'a': its input 'inptu' does not exist; did you mean 'input'?"));
  EXPECT_THAT(refused(text_node("a", "NoOp", {"^b"})), HasSubstr("'^b' does not exist"));
  EXPECT_THAT(refused(text_node("a", "NoOp") + text_node("a", "NoOp")),
              HasSubstr("NoOp 'a': its name occurs twice"));
  EXPECT_THAT(
      refused(text_node("a", "Placeholder") + text_node("b", "Identity", {"a:1"})),
      HasSubstr("Identity 'b': its input 'a:1' does not exist: Placeholder 'a' has 1 outputs"));
  EXPECT_THAT(refused(text_node("a", "Mystery") + text_node("b", "Identity", {"a:2000000000"})),
              HasSubstr("'b'"));
  EXPECT_THAT(refused(text_node("a", "Mystery") + text_node("b", "Identity", {"a:x"})),
              HasSubstr("'a:x'"));
  EXPECT_THAT(refused(text_node("c", "NoOp") + text_node("a", "Placeholder") +
                      text_node("b", "Identity", {"^c", "a"})),
              HasSubstr("stands after a control input"));
  EXPECT_THAT(refused("node { op: 'NoOp' }"), HasSubstr("no name"));
  EXPECT_THAT(refused("node { name: 'a' }"), HasSubstr("'a': has no op"));
  EXPECT_THAT(refused("node { name: 'a:b' op: 'NoOp' }"), HasSubstr("a:b"));
  EXPECT_THAT(refused("node { name: 'a' op: 'Placeholder' }"),
              HasSubstr("Placeholder 'a': needs the attribute 'dtype'"));
  EXPECT_THAT(refused(text_node("a", "Placeholder") + text_node("b", "Add", {"a"})),
              HasSubstr("Add 'b': takes inputs"));
  EXPECT_THAT(refused("node { name: 'a' op: 'Placeholder' attr { key: 'dtype' value { i: 1 } } }"),
              HasSubstr("attribute 'dtype' should be of kind type, but is int 1"));
  EXPECT_THAT(refused(text_node("i", "Placeholder") +
                      "node { name: 's' op: 'Split' input: 'u' input: 'i' attr { key: 'T' value { "
                      "type: DT_FLOAT } } "
                      "attr { key: 'num_split' value { i: 99999999999 } } }" +
                      text_node("u", "Mystery")),
              HasSubstr("at most 65536"));
}

TEST_F(GraphDefTest, ShapesThatContradictAreRefused) {
  const std::string shaped =
      "attr { key: 'shape' value { shape { dim { size: 2 } } } } "
      "attr { key: '_output_shapes' value { list { shape { dim { size: 3 } } } } }";
  EXPECT_THAT(refused(text_node("a", "Placeholder", {}, shaped) + "versions { producer: 134 }"),
              HasSubstr("Placeholder 'a': output 0 has shape [2], but the file says [3]"));
  load(text_node("a", "Placeholder", {}, shaped) + "versions { producer: 20 }");
  EXPECT_EQ(graph.find_node("a")->output_shape(0).str(), "[2]");
  EXPECT_EQ(to_graph_def(graph).versions().producer(), 20);
  // Writers of that time could not tell an unknown shape from a scalar.
  const std::string scalar =
      text_node("c", "Placeholder", {}, "attr { key: 'shape' value { shape { } } }");
  load(scalar + "versions { producer: 21 }");
  EXPECT_EQ(graph.find_node("c")->output_shape(0).str(), "?");
  load(scalar + "versions { producer: 22 }", {.prefix = "new"});
  EXPECT_EQ(graph.find_node("new/c")->output_shape(0).str(), "[]");
  // What is known otherwise narrows.
  load(text_node("b", "Placeholder", {},
                 "attr { key: '_output_shapes' value { list { shape { dim { size: 3 } } } } }") +
       "versions { producer: 134 }");
  EXPECT_EQ(graph.find_node("b")->output_shape(0).str(), "[3]");
  EXPECT_EQ(graph.find_node("b")->find_attr("_output_shapes"), nullptr);
}

TEST_F(GraphDefTest, FunctionsAreKept) {
  proto::GraphDef def = text_graph(text_node("a", "Placeholder"));
  def.mutable_library()->add_function()->mutable_signature()->set_name("f");
  def.mutable_versions()->set_producer(100);
  def.mutable_versions()->set_min_consumer(12);
  import_graph_def(def, graph);
  import_graph_def(def, graph);
  EXPECT_EQ(function_library(graph).function_size(), 1);
  const proto::GraphDef out = to_graph_def(graph);
  EXPECT_EQ(out.library().function(0).signature().name(), "f");
  EXPECT_EQ(out.versions().min_consumer(), 12);
}

TEST_F(GraphDefTest, DevicesOfScopesFillInWhatTheFileLeavesOpen) {
  DeviceScope device(graph, "/job:w/cpu:0");
  load(text_node("a", "Placeholder", {}, "device: '/gpu:1'"));
  EXPECT_EQ(graph.find_node("a")->device(), "/job:w/device:GPU:1");
}

TEST_F(GraphDefTest, ALongChainInReverseOrder) {
  constexpr int kLength = 20000;
  proto::GraphDef def;
  for (int i = kLength; i > 0; --i) {
    proto::NodeDef* node = def.add_node();
    node->set_name(fmt::format("n{}", i));
    node->set_op("Identity");
    node->add_input(fmt::format("n{}", i - 1));
    (*node->mutable_attr())["T"].set_type(proto::DT_FLOAT);
  }
  *def.add_node() = text_graph(text_node("n0", "Placeholder")).node(0);
  import_graph_def(def, graph);
  EXPECT_EQ(graph.num_nodes(), kLength + 1);
  EXPECT_EQ(graph.nodes().back()->name(), "n20000");
}

}  // namespace
}  // namespace assay
