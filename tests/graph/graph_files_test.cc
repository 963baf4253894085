#include "assay/graph/graph_files.h"

#include "assay/format/proto_io.h"
#include "tests/graph/expect_error.h"
#include "tests/graph/test_ops.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::make;
using testing::placeholder;
using testing::TemporaryFolder;

class GraphFilesTest : public ::testing::Test {
 protected:
  GraphFilesTest() {
    const Output x = placeholder(graph, {2}, "x");
    make(graph, "Add", {x, x}, {}, "y");
  }
  std::string write(const std::string& name, std::string_view bytes) {
    atomic_write_file(posix_file_system(), folder / name, bytes);
    return folder / name;
  }
  Graph graph{testing::test_ops()};
  TemporaryFolder folder;
};

TEST_F(GraphFilesTest, EveryKindIsRecognised) {
  const proto::GraphDef def = to_graph_def(graph);
  const proto::MetaGraphDef meta = to_meta_graph_def(graph);
  proto::SavedModel model;
  model.set_saved_model_schema_version(1);
  *model.add_meta_graphs() = meta;
  const struct {
    std::string name, bytes;
    GraphFileKind kind;
    bool text;
  } cases[] = {
      {"a.pb", format::to_binary(def), GraphFileKind::kGraphDef, false},
      {"a.pbtxt", format::to_text(def), GraphFileKind::kGraphDef, true},
      {"text.pb", format::to_text(def), GraphFileKind::kGraphDef, true},
      {"a.meta", format::to_binary(meta), GraphFileKind::kMetaGraphDef, false},
      {"meta.pb", format::to_binary(meta), GraphFileKind::kMetaGraphDef, false},
      {"meta.pbtxt", format::to_text(meta), GraphFileKind::kMetaGraphDef, true},
      {"saved_model.pb", format::to_binary(model), GraphFileKind::kSavedModel, false},
      {"saved_model.pbtxt", format::to_text(model), GraphFileKind::kSavedModel, true},
  };
  for (const auto& c : cases) {
    const std::string path = write(c.name, c.bytes);
    const GraphFile file = read_graph_file(path);
    EXPECT_EQ(file.kind, c.kind) << c.name;
    EXPECT_EQ(file.is_text, c.text) << c.name;
    EXPECT_EQ(load_graph_def(path).node_size(), 2) << c.name;
  }
  write_graph_file(def, folder / "b.pbtxt");
  EXPECT_TRUE(read_graph_file(folder / "b.pbtxt").is_text);
  write_graph_file(meta, folder / "b.meta");
  EXPECT_EQ(read_graph_file(folder / "b.meta").kind, GraphFileKind::kMetaGraphDef);
}

TEST_F(GraphFilesTest, OtherFilesAreRefusedByTheirPath) {
  const std::string whole = format::to_binary(to_graph_def(graph));
  for (std::size_t n = 1; n < whole.size(); ++n) {
    // A cut at a node's end leaves a shorter graph; any other is found.
    try {
      const proto::GraphDef def =
          load_graph_def(write("cut.pb", std::string_view(whole).substr(0, n)));
      EXPECT_GE(def.node_size(), 1) << n;
    } catch (const Error& e) {
      EXPECT_THAT(e.message(), HasSubstr("cut.pb")) << n;
    }
  }
  const auto read = [&](Code code, const std::string& path) {
    const std::string message = error_of(code, [&] { read_graph_file(path); });
    EXPECT_THAT(message, HasSubstr(path));
    return message;
  };
  read(Code::kNotFound, folder / "none.pb");
  EXPECT_THAT(read(Code::kDataLoss, write("empty.pb", "")), HasSubstr("empty"));
  read(Code::kDataLoss, write("noise.pb", std::string_view("\x7f"
                                                           "ELF\x02\x01\x01\x00\x00",
                                                           9)));
  EXPECT_THAT(read(Code::kInvalidArgument, write("bad.pbtxt", "node { name: 'a' opp: 'b' }")),
              HasSubstr("bad.pbtxt:1"));
  read(Code::kDataLoss, write("bad.meta", whole));
  read(Code::kDataLoss, write("saved_model.pb", std::string_view("\x08\x01", 2)));
}

class Counter : public CollectionObject {
 public:
  explicit Counter(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string to_bytes() const override { return bytes_; }
  std::string name() const override { return "counter"; }

 private:
  std::string bytes_;
};

TEST_F(GraphFilesTest, CollectionsGoThroughMetaGraphs) {
  graph.add_to_collection("losses", graph.output("y"));
  graph.add_to_collection("train_op", graph.find_node("y"));
  graph.add_to_collection("numbers", std::int64_t{7});
  graph.add_to_collection("rates", 0.5f);
  graph.add_to_collection("notes", std::string("text"));
  graph.add_to_collection("variables", std::make_shared<Counter>("proto"));
  graph.add_to_collection("mixed", std::string("text"));
  graph.add_to_collection("mixed", std::int64_t{1});
  proto::SaverDef saver;
  saver.set_restore_op_name("save/restore_all");
  const proto::MetaGraphDef meta = to_meta_graph_def(graph, &saver);
  EXPECT_EQ(meta.collection_def().count("mixed"), 0u);
  EXPECT_EQ(meta.collection_def().at("losses").node_list().value(0), "y:0");
  EXPECT_EQ(meta.collection_def().at("train_op").node_list().value(0), "y");
  EXPECT_EQ(meta.meta_info_def().stripped_op_list().op(0).name(), "Add");
  EXPECT_EQ(meta.graph_def().node(1).attr().at("_output_shapes").list().shape(0).dim(0).size(), 2);

  Graph copy(testing::test_ops());
  const MetaGraphImport result =
      import_meta_graph_def(meta, copy, {.prefix = "p"},
                            [](Graph&, const std::string& collection, const std::string& bytes,
                               const std::string& scope) -> std::optional<CollectionItem> {
                              EXPECT_EQ(scope, "p/");
                              if (collection != "variables") return std::nullopt;
                              return std::make_shared<Counter>("read " + bytes);
                            });
  EXPECT_EQ(result.saver->restore_op_name(), "save/restore_all");
  EXPECT_EQ(std::get<Output>(copy.collection("losses").at(0)).name(), "p/y:0");
  EXPECT_EQ(std::get<Node*>(copy.collection("train_op").at(0))->name(), "p/y");
  EXPECT_EQ(std::get<std::int64_t>(copy.collection("numbers").at(0)), 7);
  EXPECT_EQ(std::get<float>(copy.collection("rates").at(0)), 0.5f);
  EXPECT_EQ(std::get<std::string>(copy.collection("notes").at(0)), "text");
  EXPECT_EQ(
      std::get<std::shared_ptr<CollectionObject>>(copy.collection("variables").at(0))->to_bytes(),
      "read proto");

  const proto::MetaGraphDef some =
      to_meta_graph_def(graph, nullptr, {.add_shapes = false, .collections = {{"losses"}}});
  EXPECT_EQ(some.collection_def().size(), 1u);
  EXPECT_EQ(some.graph_def().node(1).attr().count("_output_shapes"), 0u);

  proto::MetaGraphDef broken = some;
  (*broken.mutable_collection_def())["losses"].mutable_node_list()->add_value("z:0");
  Graph other(testing::test_ops());
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] { import_meta_graph_def(broken, other, {.source = "m.meta"}); }),
              HasSubstr("m.meta: collection 'losses' names 'z:0'"));
}

// Every graph that TensorFlow wrote among the recorded files: it is read, imported (with few known
// ops: most nodes are carried) and written out as the same graph.
TEST(RecordedGraphs, AreImportedAndWrittenBack) {
  ASSAY_SHARED_OR_SKIP(fixtures, "fixtures/tf1");
  // The test ops' shape functions are too simple for real graphs; these are exact.
  OpRegistry few;
  for (const char* op : {"Const", "Identity", "NoOp", "Placeholder", "VariableV2"}) {
    few.add(*testing::test_ops().find(op));
  }
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(fixtures)) {
    const std::string path = entry.path().string();
    const bool graph_file =
        path.ends_with(".pb") || path.ends_with(".meta") || path.ends_with(".pbtxt");
    const bool projector = path.ends_with("projector_config.pbtxt");
    if (!entry.is_regular_file() || !graph_file || projector) continue;
    SCOPED_TRACE(path);
    GraphFile file;
    try {
      file = read_graph_file(path);
    } catch (const Error& e) {
      ADD_FAILURE() << e.what();
      continue;
    }
    Graph graph(few);
    try {
      import_meta_graph_def(file.meta, graph, {.source = path});
    } catch (const Error& e) {
      ADD_FAILURE() << e.what();
      continue;
    }
    const proto::GraphDef& before = file.meta.graph_def();
    ASSERT_EQ(graph.num_nodes(), before.node_size());
    const proto::GraphDef after = to_graph_def(graph);
    std::map<std::string, const proto::NodeDef*> by_name;
    for (const auto& node : after.node()) by_name[node.name()] = &node;
    for (const auto& node : before.node()) {
      const proto::NodeDef& copy = *by_name.at(node.name());
      EXPECT_EQ(copy.op(), node.op());
      EXPECT_EQ(copy.input_size(), node.input_size());
      EXPECT_EQ(copy.device(), node.device());
      for (const auto& [name, value] : node.attr()) {
        EXPECT_TRUE(name == "_output_shapes" || copy.attr().count(name) == 1)
            << node.name() << " " << name;
      }
    }
    ++files;
  }
  EXPECT_GT(files, 20);
  RecordProperty("graphs", files);
}

}  // namespace
}  // namespace assay
