#include "assay/graph/debug_info.h"

#include <gtest/gtest.h>

#include "assay/base/memory_file_system.h"
#include "assay/format/proto_io.h"
#include "assay/graph/random_nodes.h"
#include "assay/graph/scope.h"

namespace assay {
namespace {

TEST(DebugInfo, PlacesOfNodesAndOfTheFunctionsTheyRun) {
  Graph graph;
  {
    const PlaceScope place(std::source_location::current());
    graph.add_node({.op = "NoOp", .name = "a"});
  }
  const int line = __LINE__ - 3;
  graph.add_node({.op = "NoOp", .name = "of_nobody"});
  auto function = std::make_shared<Graph>();
  set_seed_scope(*function, "map/");
  {
    const PlaceScope place(std::source_location::current());
    function->add_node({.op = "NoOp", .name = "a"});
  }
  add_function_graph(graph, function);
  const auto info = to_debug_info(graph);
  EXPECT_EQ(info.files_size(), 1);
  EXPECT_EQ(info.traces_size(), 2);
  const auto places = places_of(info);
  EXPECT_EQ(places.at("a"), "debug_info_test.cc:" + std::to_string(line));
  EXPECT_EQ(places.at("map/a"), "debug_info_test.cc:" + std::to_string(line + 8));
}

// As TensorFlow 1.15 writes it: the innermost call first, some of them in its own files.
TEST(DebugInfo, TheUsersLineOfTensorFlowsTraces) {
  const auto info = format::parse_text<proto::GraphDebugInfo>(R"(
      files: "/usr/lib/python3/tensorflow_core/python/framework/ops.py"
      files: "/home/me/model.py"
      traces { key: "w" value {
        file_line_cols { file_index: 0 line: 5 }
        file_line_cols { file_index: 1 line: 12 }
        file_line_cols { file_index: 1 line: 80 } } }
      traces { key: "inner" value { file_line_cols { file_index: 0 line: 6 } } }
      traces { key: "none" value { } }
      traces { key: "hostile" value { file_line_cols { file_index: 9 line: 6 } } }
      traces { key: "negative" value { file_line_cols { file_index: -1 line: 6 } } })",
                                                              "test");
  const auto places = places_of(info);
  EXPECT_EQ(places.size(), 2U);
  EXPECT_EQ(places.at("w"), "model.py:12");
  EXPECT_EQ(places.at("inner"), "ops.py:6");
}

TEST(DebugInfo, FilesAreReadBinaryOrText) {
  EXPECT_EQ(debug_info_path("run/m-7.meta"), "run/m-7.debug");
  EXPECT_EQ(debug_info_path("graph"), "graph.debug");
  MemoryFileSystem disk;
  proto::GraphDebugInfo info;
  info.add_files("model.cc");
  auto* frame = (*info.mutable_traces())["w"].add_file_line_cols();
  frame->set_line(3);
  atomic_write_file(disk, "binary", format::to_binary(info));
  atomic_write_file(disk, "text", format::to_text(info));
  EXPECT_EQ(places_of(read_debug_info("binary", disk)).at("w"), "model.cc:3");
  EXPECT_EQ(places_of(read_debug_info("text", disk)).at("w"), "model.cc:3");
  atomic_write_file(disk, "damaged", "\xff\xff no such thing");
  for (const auto& [path, code] :
       {std::pair{"damaged", Code::kDataLoss}, {"none", Code::kNotFound}}) {
    try {
      read_debug_info(path, disk);
      FAIL() << path;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code) << e.what();
    }
  }
}

}  // namespace
}  // namespace assay
