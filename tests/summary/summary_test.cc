#include "assay/summary/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "assay/api/constant.h"
#include "assay/format/event_reader.h"
#include "assay/format/proto/graph.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"
#include "assay/summary/file_writer.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::summary {
namespace {

using assay::testing::code_of;
using assay::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Summary, CleanTag) {
  EXPECT_EQ(clean_tag("histogram loss"), "histogram_loss");
  EXPECT_EQ(clean_tag("//a/b-c.d_e"), "a/b-c.d_e");
  EXPECT_EQ(clean_tag("a:b\xC3\xA9"), "a_b_");
  EXPECT_EQ(clean_tag("///"), "");
}

TEST(Summary, MakesTensorFlowsNodes) {
  Graph graph;
  GraphScope scope(graph);
  Output x = constant(1.5F, {.name = "x"});
  Output in_scope;
  {
    NameScope s("summaries");
    scalar("loss", x);
    in_scope = histogram("histogram loss", x, {.family = "losses"});
  }
  scalar("loss", x);
  scalar("loss", x);
  Output merged = merge_all();
  std::vector<std::string> names;
  for (const auto& node : graph.nodes()) names.push_back(node->name() + " " + node->op());
  EXPECT_THAT(names,
              ElementsAre("x Const", "summaries/loss/tags Const", "summaries/loss ScalarSummary",
                          "summaries/losses/histogram_loss/tag Const",
                          "summaries/losses/histogram_loss HistogramSummary", "loss/tags Const",
                          "loss ScalarSummary", "loss_1/tags Const", "loss_1 ScalarSummary",
                          "Merge/MergeSummary MergeSummary"));
  EXPECT_EQ(in_scope.node->input(0).node->attr<Tensor>("value").item<std::string>(),
            "losses/summaries/losses/histogram_loss");
  EXPECT_EQ(merged.node->num_inputs(), 4);
  EXPECT_EQ(graph.collection(graph_keys::kSummaries).size(), 4U);
  EXPECT_EQ(merge_all(graph_keys::kSummaries, "summaries/").node->num_inputs(), 2);
  EXPECT_FALSE(merge_all("none"));
  EXPECT_EQ(merge({merged}, {.name = "all of it"}).name(), "all_of_it/all_of_it:0");
}

TEST(Summary, NeedsANameAndATensor) {
  Graph graph;
  GraphScope scope(graph);
  EXPECT_EQ(code_of([] { scalar("", constant(1.0F)); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([] { scalar("a", Output()); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([] { merge({}); }), Code::kInvalidArgument);
}

std::vector<proto::Event> read_events(const std::string& path) {
  std::vector<proto::Event> events;
  format::EventReader reader(path);
  proto::Event event;
  while (reader.next(event)) events.push_back(event);
  EXPECT_FALSE(reader.truncated());
  return events;
}

TEST(FileWriter, WritesWhatSummariesGive) {
  TemporaryFolder folder;
  Graph graph;
  GraphScope scope(graph);
  scalar("loss", constant(2.5F, {.name = "x"}));
  Output merged = merge_all();
  Session session;
  FileWriter writer(folder / "logs", {.graph = &graph, .filename_suffix = ".test"});
  EXPECT_THAT(writer.path(), HasSubstr("events.out.tfevents."));
  EXPECT_TRUE(writer.path().ends_with(".test"));
  writer.add_summary(session.run(merged), 7);
  writer.add_session_log(SessionStatus::kStart, 7);
  writer.flush();
  const auto events = read_events(writer.path());
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  proto::GraphDef def;
  ASSERT_TRUE(def.ParseFromString(events[1].graph_def()));
  EXPECT_EQ(def.node_size(), graph.num_nodes());
  EXPECT_TRUE(def.node(0).attr().contains("_output_shapes"));
  EXPECT_EQ(events[2].step(), 7);
  EXPECT_EQ(events[2].summary().value(0).tag(), "loss");
  EXPECT_EQ(events[2].summary().value(0).simple_value(), 2.5F);
  EXPECT_GT(events[2].wall_time(), 1.6e9);
  EXPECT_EQ(events[3].session_log().status(), proto::SessionLog::START);
  writer.close();
  writer.close();
  EXPECT_EQ(code_of([&] { writer.add_summary("", 8); }), Code::kFailedPrecondition);
}

TEST(FileWriter, ReopensIntoANewFile) {
  TemporaryFolder folder;
  FileWriter writer(folder / "logs");
  const std::string first = writer.path();
  writer.close();
  writer.reopen();
  EXPECT_NE(writer.path(), first);
  writer.add_session_log(SessionStatus::kStop, 1);
  writer.close();
  EXPECT_EQ(read_events(writer.path()).size(), 2U);
  EXPECT_EQ(read_events(first).size(), 1U);
}

TEST(FileWriter, ErrorsComeWithTheNextCall) {
  TemporaryFolder folder;
  FileWriter writer(folder / "logs");
  writer.add_summary("no summary at all", 1);
  EXPECT_EQ(code_of([&] { writer.flush(); }), Code::kDataLoss);
  EXPECT_EQ(code_of([&] { writer.add_summary("", 2); }), Code::kFailedPrecondition);
  EXPECT_EQ(code_of([&] { writer.add_summary(Tensor::scalar(1.0F), 2); }), Code::kInvalidArgument);
}

TEST(FileWriter, FolderThatCannotBeMade) {
  TemporaryFolder folder;
  { FileWriter writer(folder / "logs"); }
  EXPECT_NE(code_of([&] { FileWriter writer("/proc/none/logs"); }), Code::kOk);
}

}  // namespace
}  // namespace assay::summary
