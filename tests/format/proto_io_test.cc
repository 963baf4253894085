#include "assay/format/proto_io.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "assay/base/error.h"
#include "assay/format/proto/graph.pb.h"
#include "assay/format/proto/meta_graph.pb.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::format {
namespace {

using testing::error_of;

std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(ProtoIo, TextGoesBothWays) {
  const auto node = parse_text<proto::NodeDef>(
      "name: 'a' op: 'Const' attr { key: 'dtype' value { type: DT_FLOAT } }", "x");
  EXPECT_EQ(node.attr().at("dtype").type(), proto::DT_FLOAT);
  EXPECT_EQ(to_binary(parse_text<proto::NodeDef>(to_text(node), "x")), to_binary(node));
  EXPECT_EQ(to_binary(parse_binary<proto::NodeDef>(to_binary(node), "x")), to_binary(node));
}

TEST(ProtoIo, TextErrorsSayWhere) {
  const Error e = error_of(
      [] { parse_text<proto::GraphDef>("node {\n  name: \"a\"\n  bad: 3\n}", "g.pbtxt"); });
  EXPECT_EQ(e.code(), Code::kInvalidArgument);
  EXPECT_TRUE(e.message().starts_with("g.pbtxt:3:")) << e.message();
  EXPECT_NE(e.message().find("bad"), std::string::npos) << e.message();
}

TEST(ProtoIo, RefusesDamage) {
  proto::GraphDef graph;
  graph.add_node()->set_name("a node with some name");
  const std::string bytes = to_binary(graph);
  for (std::size_t n = 1; n < bytes.size(); ++n) {
    EXPECT_EQ(error_of([&] { parse_binary<proto::GraphDef>(bytes.substr(0, n), "g.pb"); }).code(),
              Code::kDataLoss)
        << n;
  }
  EXPECT_EQ(error_of([] { parse_binary<proto::GraphDef>("hello world", "g.pb"); }).message(),
            "g.pb is cut short, damaged, or no GraphDef");
  EXPECT_EQ(error_of([&] { parse_binary<proto::GraphDef>(bytes, "g", {.max_bytes = 3}); }).code(),
            Code::kResourceExhausted);
}

TEST(ProtoIo, DepthIsBounded) {
  // A chain of AttrValue.func.attr, built from the inside out.
  proto::AttrValue deep;
  for (int i = 0; i < 200; ++i) {
    proto::AttrValue outer;
    (*outer.mutable_func()->mutable_attr())["f"].Swap(&deep);
    deep.Swap(&outer);
  }
  const std::string bytes = to_binary(deep);
  EXPECT_EQ(error_of([&] { parse_binary<proto::AttrValue>(bytes, "x"); }).code(), Code::kDataLoss);
  EXPECT_NO_THROW(parse_binary<proto::AttrValue>(bytes, "x", {.max_depth = 1000}));
  const std::string text = to_text(deep);
  EXPECT_EQ(error_of([&] { parse_text<proto::AttrValue>(text, "x"); }).code(),
            Code::kInvalidArgument);
}

TEST(ProtoIo, RecordedGraphsHaveNoUnknownFields) {
  ASSAY_SHARED_OR_SKIP(folder, "fixtures/tf1/checkpoints");
  int read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".meta") continue;
    const std::string bytes = slurp(entry.path());
    const auto meta = parse_binary<proto::MetaGraphDef>(bytes, entry.path().string());
    EXPECT_EQ(meta.ByteSizeLong(), bytes.size()) << entry.path();
    // Text cannot express a field that the schema lacks, so nothing was lost on the way.
    const auto again = parse_text<proto::MetaGraphDef>(to_text(meta), entry.path().string());
    EXPECT_EQ(to_binary(again), to_binary(meta)) << entry.path();
    EXPECT_EQ(again.ByteSizeLong(), bytes.size()) << entry.path();
    ++read;
  }
  EXPECT_GT(read, 15);
}

}  // namespace
}  // namespace assay::format
