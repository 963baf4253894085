#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/format/proto/meta_graph.pb.h"
#include "assay/format/proto/variable.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/scope.h"
#include "assay/train/saver.h"
#include "tests/support/errors.h"

namespace assay::train {
namespace {

using assay::testing::error_of;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

proto::MetaGraphDef parse(const std::string& bytes) {
  return format::parse_binary<proto::MetaGraphDef>(bytes, "test");
}

std::vector<std::string> names_of(const proto::MetaGraphDef& meta) {
  std::vector<std::string> names;
  for (const auto& node : meta.graph_def().node()) names.push_back(node.name());
  return names;
}

TEST(ExportMetaGraph, OneScopeAlone) {
  Graph graph;
  GraphScope scope(graph);
  const Output x = placeholder(float32, {2}, {.name = "x"});
  Output y;
  {
    const NameScope inner("part");
    const DeviceScope device("/cpu:0");
    const Variable w(std::vector<float>{1, 2}, {.name = "w"});
    y = multiply(x, w, {.name = "y"});
    graph.add_to_collection("results", y);
  }
  add(y, y, {.name = "outside"});
  const auto meta =
      parse(export_meta_graph(graph, {.export_scope = "part", .clear_devices = true}));
  EXPECT_THAT(names_of(meta), ElementsAre("w/initial_value", "w", "w/Assign", "w/read", "y"));
  for (const auto& node : meta.graph_def().node()) EXPECT_EQ(node.device(), "");
  EXPECT_EQ(meta.graph_def().node(4).input(0), "$unbound_inputs_x");
  EXPECT_EQ(meta.graph_def().node(4).input(1), "w/read");
  EXPECT_EQ(meta.graph_def().node(3).attr().at("_class").list().s(0), "loc:@w");
  const auto& collections = meta.collection_def();
  EXPECT_THAT(collections.at("unbound_inputs").bytes_list().value(),
              ElementsAre("$unbound_inputs_x"));
  EXPECT_THAT(collections.at("results").node_list().value(), ElementsAre("y:0"));
  proto::VariableDef w;
  ASSERT_TRUE(w.ParseFromString(collections.at("variables").bytes_list().value(0)));
  EXPECT_EQ(w.variable_name(), "w:0");
  EXPECT_EQ(w.initializer_name(), "w/Assign");
  EXPECT_EQ(w.snapshot_name(), "w/read:0");
  EXPECT_THAT(error_of([&] { import_meta_graph_bytes(meta.SerializeAsString()); }).what(),
              HasSubstr("$unbound_inputs_x"));
}

TEST(ExportMetaGraph, WithoutOtherSavers) {
  Graph graph;
  GraphScope scope(graph);
  const Variable w(1.0F, {.name = "w"});
  const Saver first;
  const Saver second;
  const auto all = parse(export_meta_graph(graph, &second));
  EXPECT_THAT(names_of(all), Contains("save/SaveV2"));
  const auto one =
      parse(export_meta_graph(graph, {.saver = &second, .clear_extraneous_savers = true}));
  EXPECT_THAT(names_of(one), Not(Contains("save/SaveV2")));
  EXPECT_THAT(names_of(one), Contains("save_1/SaveV2"));
  EXPECT_EQ(one.saver_def().restore_op_name(), "save_1/restore_all");
  EXPECT_EQ(one.collection_def().at("savers").bytes_list().value_size(), 1);
}

TEST(ExportMetaGraph, ChosenCollectionsAndText) {
  Graph graph;
  GraphScope scope(graph);
  const Variable w(1.0F, {.name = "w"});
  const Saver saver;
  const std::string text =
      export_meta_graph(graph, {.saver = &saver,
                                .collection_list = std::vector<std::string>{"variables"},
                                .strip_default_attrs = true,
                                .as_text = true});
  EXPECT_THAT(text, HasSubstr("saver_def {"));
  EXPECT_THAT(text, HasSubstr("stripped_default_attrs: true"));
  EXPECT_THAT(text, Not(HasSubstr("trainable_variables")));
  // What is text is read too.
  Graph other;
  GraphScope other_scope(other);
  const auto imported = import_meta_graph_bytes(text, {.import_scope = "again"});
  ASSERT_TRUE(imported);
  EXPECT_EQ(imported->nodes().restore_op_name, "again/save/restore_all");
  EXPECT_EQ(global_variables().front().name(), "again/w:0");
  EXPECT_EQ(error_of([] { import_meta_graph_bytes("neither this nor that"); }).code(),
            Code::kDataLoss);
}

TEST(ImportMetaGraph, OldFilesDoNotSayWhatIsTrainable) {
  Graph graph;
  GraphScope scope(graph);
  const Variable w(1.0F, {.name = "w"});
  const Variable n(1.0F, {.trainable = false, .name = "n"});
  auto meta = parse(export_meta_graph(graph));
  meta.mutable_meta_info_def()->set_tensorflow_version("1.8.0-rc1");
  for (auto& [key, collection] : *meta.mutable_collection_def()) {
    for (std::string& bytes : *collection.mutable_bytes_list()->mutable_value()) {
      proto::VariableDef def;
      ASSERT_TRUE(def.ParseFromString(bytes));
      def.clear_trainable();
      bytes = def.SerializeAsString();
    }
  }
  Graph other;
  GraphScope other_scope(other);
  import_meta_graph_bytes(meta.SerializeAsString());
  ASSERT_EQ(global_variables().size(), 2U);
  EXPECT_TRUE(global_variables()[0].trainable());
  EXPECT_FALSE(global_variables()[1].trainable());
  EXPECT_EQ(trainable_variables().front(), global_variables().front());
}

}  // namespace
}  // namespace assay::train
