// Savers and .meta files against those that TensorFlow wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "assay/format/proto/meta_graph.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/attr_proto.h"
#include "assay/train/checkpoint_utils.h"
#include "assay/train/saver.h"
#include "tests/support/fixtures.h"

namespace assay::train {
namespace {

using assay::testing::TemporaryFolder;

/// A node's inputs with `from` in place of the scope `to`.
std::vector<std::string> inputs_of(const Node& node, const std::string& from,
                                   const std::string& to) {
  std::vector<std::string> names;
  const auto renamed = [&](const std::string& name) {
    return name.starts_with(from) ? to + name.substr(from.size()) : name;
  };
  for (const Output& input : node.inputs()) names.push_back(renamed(input.input_name()));
  std::set<std::string> control;
  for (const Node* c : node.control_inputs()) control.insert("^" + renamed(c->name()));
  names.insert(names.end(), control.begin(), control.end());
  return names;
}

/// The constant strings among the nodes' values, but for the saver's own random digits.
std::string value_of(const Node& node) {
  const auto* attr = node.find_attr("value");
  if (attr == nullptr) return "";
  const std::string text = node.attr<Tensor>("value").str(100);
  const auto digits = text.find("_temp_");
  return digits == std::string::npos ? text : text.substr(0, digits);
}

/// Imports a .meta file, makes a Saver of our own for its variables and compares the two, node by
/// node: names but for the scope, ops, inputs, devices, constants.
void expect_same_saver(const std::filesystem::path& meta, bool sharded) {
  Graph graph;
  GraphScope scope(graph);
  const auto saver = import_meta_graph(meta.string());
  ASSERT_TRUE(saver);
  const int first = graph.num_nodes();
  const Saver ours({.sharded = sharded});
  const std::string our_scope =
      ours.nodes().restore_op_name.substr(0, ours.nodes().restore_op_name.find('/') + 1);
  int compared = 0;
  for (int i = first; i < graph.num_nodes(); ++i) {
    const Node& node = *graph.nodes()[static_cast<std::size_t>(i)];
    ASSERT_TRUE(node.name().starts_with(our_scope)) << node.name();
    const std::string name = "save/" + node.name().substr(our_scope.size());
    const Node* theirs = graph.find_node(name);
    ASSERT_NE(theirs, nullptr) << name;
    EXPECT_EQ(node.op(), theirs->op()) << name;
    EXPECT_EQ(inputs_of(node, our_scope, "save/"), inputs_of(*theirs, "save/", "save/")) << name;
    EXPECT_EQ(node.device(), theirs->device()) << name;
    EXPECT_EQ(value_of(node), value_of(*theirs)) << name;
    ++compared;
  }
  int recorded = 0;
  for (const auto& node : graph.nodes()) {
    if (node->id() < first && node->name().starts_with("save/")) ++recorded;
  }
  EXPECT_EQ(compared, recorded);
}

TEST(SaverFixtures, ShardedWithPartitionedVariablesNodeForNode) {
  ASSAY_SHARED_OR_SKIP(root, "fixtures/tf1/checkpoints/estimator-dnn-partitioned-adagrad-hiroki");
  expect_same_saver(root / "model.ckpt-2000.meta", true);
}

TEST(SaverFixtures, PlainNodeForNode) {
  ASSAY_SHARED_OR_SKIP(root, "fixtures/tf1/checkpoints");
  expect_same_saver(root / "word2vec-nce-graph-xiangshiyin/model.ckpt.meta", false);
}

/// Restores a recorded checkpoint by the saver of its .meta file, saves it, and compares the two
/// checkpoints tensor by tensor.
void expect_round_trip(const std::filesystem::path& prefix) {
  TemporaryFolder folder;
  Graph graph;
  GraphScope scope(graph);
  auto saver = import_meta_graph(prefix.string() + ".meta", {.clear_devices = true});
  ASSERT_TRUE(saver);
  Session session({.threads = 1});
  const RestoreReport report = saver->restore(session, prefix.string());
  EXPECT_TRUE(report.complete());
  EXPECT_TRUE(report.unused.empty()) << report.str();
  const std::string saved =
      saver->save(session, folder / "m", {.session_state = {{"x", Tensor::scalar(1)}}});
  const CheckpointReader recorded = load_checkpoint(prefix.string());
  const CheckpointReader ours = load_checkpoint(saved);
  const auto shapes = recorded.get_variable_to_shape_map();
  EXPECT_EQ(ours.get_variable_to_shape_map(), shapes);
  for (const auto& [name, shape] : shapes) {
    EXPECT_TRUE(ours.get_tensor(name).identical(recorded.get_tensor(name))) << name;
  }
}

TEST(SaverFixtures, RestoredAndSavedAgain) {
  ASSAY_SHARED_OR_SKIP(root, "fixtures/tf1/checkpoints");
  int tried = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".meta") continue;
    auto prefix = entry.path();
    prefix.replace_extension();
    // Some were recorded without their values.
    if (!std::filesystem::exists(prefix.string() + ".index") ||
        !std::filesystem::exists(prefix.string() + ".data-00000-of-00001")) {
      continue;
    }
    SCOPED_TRACE(prefix.string());
    expect_round_trip(prefix);
    ++tried;
  }
  EXPECT_GT(tried, 5);
}

/// Restores a checkpoint of the V1 format by the saver of its .meta file.
void expect_v1_restored(const std::filesystem::path& meta, const std::string& prefix) {
  Graph graph;
  GraphScope scope(graph);
  auto saver = import_meta_graph(meta.string(), {.clear_devices = true});
  ASSERT_TRUE(saver);
  Session session({.threads = 1});
  const RestoreReport report = saver->restore(session, prefix);
  EXPECT_TRUE(report.complete());
  const CheckpointReader recorded = load_checkpoint(prefix);
  ASSERT_FALSE(report.matched.empty());
  for (const auto& m : report.matched) {
    EXPECT_TRUE(
        session.run(graph.output(m.variable + ":0")).identical(recorded.get_tensor(m.stored)))
        << m.variable;
  }
}

TEST(SaverFixtures, V1CheckpointsAreRestored) {
  ASSAY_SHARED_OR_SKIP(root, "fixtures/tf1/checkpoints");
  const auto bnconv = root / "v1-bnconv-adam-hardmaru";
  expect_v1_restored(bnconv / "model.ckpt-0.meta", (bnconv / "model.ckpt-0").string());
  const auto half = root / "v1-half-plus-two-nvidia";
  expect_v1_restored(half / "export.meta", (half / "export").string());
}

TEST(SaverFixtures, TheMetaFileHoldsWhatTensorFlowsHolds) {
  ASSAY_SHARED_OR_SKIP(root, "fixtures/tf1/checkpoints/mlp-adam-golbin");
  const std::string path = (root / "dnn.ckpt-100.meta").string();
  const auto theirs =
      format::parse_binary<proto::MetaGraphDef>(read_file(posix_file_system(), path), path);
  Graph graph;
  GraphScope scope(graph);
  const auto saver = import_meta_graph(path);
  ASSERT_TRUE(saver);
  const auto ours =
      format::parse_binary<proto::MetaGraphDef>(export_meta_graph(graph, &*saver), "ours");
  EXPECT_EQ(ours.graph_def().node_size(), theirs.graph_def().node_size());
  EXPECT_EQ(ours.saver_def().SerializeAsString(), theirs.saver_def().SerializeAsString());
  EXPECT_FALSE(ours.meta_info_def().tensorflow_version().empty());
  std::set<std::string> keys;
  std::set<std::string> their_keys;
  for (const auto& [key, unused] : ours.collection_def()) keys.insert(key);
  for (const auto& [key, unused] : theirs.collection_def()) their_keys.insert(key);
  EXPECT_EQ(keys, their_keys);
  for (const auto& [key, collection] : theirs.collection_def()) {
    const auto& mine = ours.collection_def().at(key);
    EXPECT_EQ(mine.kind_case(), collection.kind_case()) << key;
    EXPECT_EQ(mine.bytes_list().value_size(), collection.bytes_list().value_size()) << key;
    EXPECT_EQ(mine.node_list().SerializeAsString(), collection.node_list().SerializeAsString());
  }
  // Signatures of the same ops.
  std::set<std::string> ops;
  std::set<std::string> their_ops;
  for (const auto& op : ours.meta_info_def().stripped_op_list().op()) ops.insert(op.name());
  for (const auto& op : theirs.meta_info_def().stripped_op_list().op()) their_ops.insert(op.name());
  EXPECT_EQ(ops, their_ops);
}

}  // namespace
}  // namespace assay::train
