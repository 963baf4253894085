#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "assay/format/bundle_writer.h"
#include "assay/format/event_writer.h"
#include "assay/format/histogram.h"
#include "assay/format/proto/graph.pb.h"
#include "assay/format/proto_io.h"
#include "tests/support/fixtures.h"

namespace assay::format {
namespace {

using testing::TemporaryFolder;

bool have_python() {
  return std::system("python3 -c pass >/dev/null 2>&1") == 0;
}

/// What the reader that shares no code with ours prints of a file.
std::string read_with_python(const std::string& kind, const std::string& path) {
  const std::string command = "python3 '" + testing::source_dir() +
                              "/tests/format/independent_reader.py' " + kind + " '" + path +
                              "' 2>&1";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return "cannot run " + command;
  std::string out;
  char buffer[4096];
  while (std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
  EXPECT_EQ(::pclose(pipe), 0) << out;
  return out;
}

#define NEEDS_PYTHON() \
  if (!have_python()) GTEST_SKIP() << "no python3: the independent reader cannot run"

TEST(IndependentReader, ReadsOurEvents) {
  NEEDS_PYTHON();
  const TemporaryFolder folder;
  EventWriter writer(folder / "run");
  proto::Event event;
  proto::GraphDef graph;
  graph.add_node()->set_name("a");
  graph.add_node()->set_name("b");
  event.set_graph_def(to_binary(graph));
  writer.write(event);
  event.Clear();
  event.set_step(1000);
  auto* value = event.mutable_summary()->add_value();
  value->set_tag("loss");
  value->set_simple_value(0.1F);
  value = event.mutable_summary()->add_value();
  value->set_tag("weights");
  Histogram histogram;
  for (int i = -50; i < 50; ++i) histogram.add(i * 0.37);
  histogram.to_proto(*value->mutable_histo());
  writer.write(event);
  event.Clear();
  event.set_step(7);
  event.mutable_session_log()->set_status(proto::SessionLog::CHECKPOINT);
  writer.write(event);
  writer.close();
  EXPECT_EQ(read_with_python("events", writer.path()),
            "0 version brain.Event:2\n"
            "0 graph 2\n"
            "1000 summary loss=0.100000001 weights=histogram of 100, buckets 100\n"
            "7 session 3\n");
}

TEST(IndependentReader, ReadsOurBundles) {
  NEEDS_PYTHON();
  const TemporaryFolder folder;
  BundleWriter writer(folder / "p");
  writer.add("w", Tensor::of<float>({1, -2}, {2, 1}));
  writer.add("a/s", Tensor::of<std::string>({"hi", "", "yo"}));
  writer.add("step", Tensor::scalar(std::int64_t{258}));
  writer.finish();
  EXPECT_EQ(read_with_python("bundle", folder / "p"),
            "a/s 7 [3] 6869796f\n"
            "step 9 [] 0201000000000000\n"
            "w 1 [2, 1] 0000803f000000c0\n");
  // Many tensors: several restarts in a block, and several blocks.
  BundleWriter many(folder / "many");
  std::string expected;
  for (int i = 0; i < 6000; ++i) {
    const std::string name = fmt::format("layer_{:05}/{}", i, std::string(60, 'n'));
    many.add(name, Tensor::scalar(static_cast<std::uint8_t>(i % 256)));
    expected += fmt::format("{} 4 [] {:02x}\n", name, i % 256);
  }
  many.finish();
  EXPECT_TRUE(read_with_python("bundle", folder / "many") == expected);
}

}  // namespace
}  // namespace assay::format
