#include <gtest/gtest.h>

#include <fstream>

#include "assay/format/event_history.h"
#include "assay/format/event_reader.h"
#include "assay/format/event_writer.h"
#include "assay/format/histogram.h"
#include "assay/format/proto/graph.pb.h"
#include "assay/format/proto_io.h"
#include "assay/format/tensor_proto.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::format {
namespace {

using testing::TemporaryFolder;

TEST(Events, WritesAndReads) {
  const TemporaryFolder folder;
  EventWriter writer(folder / "logs/run",
                     {.filename_suffix = ".v2", .wall_time = 1500000000.25, .host = "host"});
  EXPECT_EQ(writer.path(), folder / "logs/run/events.out.tfevents.1500000000.host.v2");
  proto::Event event;
  event.set_step(3);
  auto& value = *event.mutable_summary()->add_value();
  value.set_tag("loss");
  value.set_simple_value(0.5F);
  writer.write(event);
  writer.flush();
  {
    EventReader reader(writer.path());
    proto::Event read;
    ASSERT_TRUE(reader.next(read));
    EXPECT_EQ(read.file_version(), "brain.Event:2");
    EXPECT_EQ(read.wall_time(), 1500000000.25);
    ASSERT_TRUE(reader.next(read));
    EXPECT_EQ(read.step(), 3);
    EXPECT_EQ(read.summary().value(0).simple_value(), 0.5F);
    EXPECT_GT(read.wall_time(), 1.6e9);
    EXPECT_FALSE(reader.next(read));
    EXPECT_FALSE(reader.truncated());
    writer.write(event);
    writer.flush();
    EXPECT_TRUE(reader.next(read));
  }
  // A second writer in the same second takes another name.
  EventWriter second(folder / "logs/run",
                     {.filename_suffix = ".v2", .wall_time = 1500000000.25, .host = "host"});
  EXPECT_EQ(second.path(), writer.path() + ".001");
  EXPECT_EQ(list_event_files(folder / "logs/run"),
            (std::vector<std::string>{writer.path(), second.path()}));
}

TEST(Events, RecordedFilesAreReadWhole) {
  ASSAY_SHARED_OR_SKIP(folder, "fixtures/tf1/events");
  int files = 0;
  int graphs = 0;
  int truncated = 0;
  std::int64_t histograms = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.path().filename().string().find("tfevents") == std::string::npos) continue;
    SCOPED_TRACE(file.path().string());
    EventReader reader(file.path().string());
    proto::Event event;
    int events = 0;
    while (reader.next(event)) {
      EXPECT_EQ(event.file_version(), events == 0 ? "brain.Event:2" : "");
      ++events;
      if (!event.graph_def().empty()) {
        const auto graph = parse_binary<proto::GraphDef>(event.graph_def(), "graph_def");
        // TensorFlow 2 also writes graphs that have nothing but a version.
        EXPECT_TRUE(graph.has_versions());
        if (graph.node_size() > 0) ++graphs;
      }
      for (const auto& value : event.summary().value()) {
        if (value.has_histo()) {
          ++histograms;
          EXPECT_EQ(value.histo().bucket_size(), value.histo().bucket_limit_size());
        }
        if (value.has_tensor()) tensor_from_proto(value.tensor(), value.tag());
      }
    }
    EXPECT_GT(events, 0);
    if (reader.truncated()) {
      EXPECT_NE(file.path().string().find("truncated"), std::string::npos);
      ++truncated;
    }
    ++files;
  }
  EXPECT_GE(files, 20);
  EXPECT_GE(graphs, 8);
  EXPECT_EQ(truncated, 1);
  EXPECT_GT(histograms, 100);
}

TEST(Histogram, CountsInTensorFlowsBuckets) {
  const auto& limits = Histogram::bucket_limits();
  EXPECT_EQ(limits.size(), 1551U);
  EXPECT_EQ(limits.front(), std::numeric_limits<double>::lowest());
  EXPECT_EQ(limits.back(), std::numeric_limits<double>::max());
  EXPECT_TRUE(std::is_sorted(limits.begin(), limits.end()));
  Histogram histogram;
  for (const double v : {0.0, 0.5, 0.5, -2.0, 1e30, 3.0}) histogram.add(v);
  proto::HistogramProto message;
  histogram.to_proto(message);
  EXPECT_EQ(message.num(), 6);
  EXPECT_EQ(message.min(), -2);
  EXPECT_EQ(message.max(), 1e30);
  EXPECT_EQ(message.sum(), 0.0 + 0.5 + 0.5 - 2.0 + 1e30 + 3.0);
  EXPECT_EQ(message.sum_squares(), 0.25 + 0.25 + 4.0 + 1e30 * 1e30 + 9.0);
  double count = 0;
  for (int i = 0; i < message.bucket_size(); ++i) {
    count += message.bucket(i);
    const bool run = i > 0 && message.bucket(i) == 0 && message.bucket(i - 1) == 0;
    EXPECT_FALSE(run) << i;
    if (message.bucket(i) == 2) {
      EXPECT_GT(message.bucket_limit(i), 0.5);
      EXPECT_LE(message.bucket_limit(i), 0.55);
    }
  }
  EXPECT_EQ(count, 6);
}

TEST(Histogram, EmptyIsOneBucket) {
  proto::HistogramProto message;
  Histogram().to_proto(message);
  ASSERT_EQ(message.bucket_size(), 1);
  EXPECT_EQ(message.bucket(0), 0);
  EXPECT_EQ(message.bucket_limit(0), std::numeric_limits<double>::max());
}

/// TensorFlow's own histograms: each filled bucket's limit is one of ours, and a limit told for an
/// empty run is the one right below the next filled bucket.
TEST(Histogram, RecordedOnesUseTheSameLimits) {
  ASSAY_SHARED_OR_SKIP(folder, "fixtures/tf1/events/histograms-golbin");
  const auto& limits = Histogram::bucket_limits();
  int checked = 0;
  for (const std::string& path : list_event_files(folder.string())) {
    EventReader reader(path);
    proto::Event event;
    while (reader.next(event)) {
      for (const auto& value : event.summary().value()) {
        if (!value.has_histo()) continue;
        // Rebuilt from one value a bucket, the encoding has the same limits.
        Histogram again;
        const auto& histo = value.histo();
        for (int i = 0; i < histo.bucket_size(); ++i) {
          const auto at = std::lower_bound(limits.begin(), limits.end(), histo.bucket_limit(i));
          ASSERT_TRUE(at != limits.end() && *at == histo.bucket_limit(i));
          if (histo.bucket(i) == 0) continue;
          ASSERT_NE(at, limits.begin());
          for (double n = 0; n < histo.bucket(i); ++n) again.add(*(at - 1));
        }
        proto::HistogramProto message;
        again.to_proto(message);
        ASSERT_EQ(std::vector<double>(message.bucket_limit().begin(), message.bucket_limit().end()),
                  std::vector<double>(histo.bucket_limit().begin(), histo.bucket_limit().end()));
        ASSERT_EQ(std::vector<double>(message.bucket().begin(), message.bucket().end()),
                  std::vector<double>(histo.bucket().begin(), histo.bucket().end()));
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 10);
}

proto::Event scalar_event(std::int64_t step, float value, const std::string& tag = "loss") {
  proto::Event event;
  event.set_step(step);
  auto& v = *event.mutable_summary()->add_value();
  v.set_tag(tag);
  v.set_simple_value(value);
  return event;
}

proto::Event start_event(std::int64_t step) {
  proto::Event event;
  event.set_step(step);
  event.mutable_session_log()->set_status(proto::SessionLog::START);
  return event;
}

std::string steps_of(const EventHistory& history, const std::string& tag = "loss") {
  std::string text;
  const auto found = history.series().find(tag);
  if (found == history.series().end()) return "none";
  for (const auto& p : found->second.points) text += fmt::format("{}={} ", p.step, *p.scalar);
  return text;
}

TEST(EventHistory, StepsThatAreDoneAgainCountOnce) {
  const TemporaryFolder folder;
  {
    EventWriter writer(folder / "run");
    writer.write(start_event(0));
    for (int step = 1; step <= 5; ++step) writer.write(scalar_event(step, 0.5F));
    writer.write(scalar_event(5, 1, "late"));
    writer.close();
  }
  {
    EventWriter writer(folder / "run");
    writer.write(start_event(4));
    for (int step = 4; step <= 6; ++step) writer.write(scalar_event(step, 0.25F));
    writer.close();
  }
  const EventHistory history = read_event_folder(folder / "run");
  EXPECT_EQ(steps_of(history), "1=0.5 2=0.5 3=0.5 4=0.25 5=0.25 6=0.25 ");
  EXPECT_EQ(steps_of(history, "late"), "none");
  EXPECT_EQ(history.dropped(), 3);
  EXPECT_EQ(history.files(), 2);
  EXPECT_EQ(history.starts(), 2);
  EXPECT_EQ(history.series().at("loss").type, "scalar");
}

TEST(EventHistory, TornAndDamagedEndsAreLeftOut) {
  const TemporaryFolder folder;
  std::string first;
  {
    EventWriter writer(folder / "run");
    first = writer.path();
    for (int step = 1; step <= 3; ++step) writer.write(scalar_event(step, 0.5F));
    writer.close();
  }
  const auto whole = std::filesystem::file_size(first);
  {
    EventWriter writer(folder / "run");
    writer.write(start_event(4));
    writer.write(scalar_event(4, 1));
    writer.close();
  }
  // Cut inside the last record, then ending in zeros, as after a power cut.
  for (auto size = whole - 1; size > whole - 20; --size) {
    std::filesystem::resize_file(first, size);
    const EventHistory history = read_event_folder(folder / "run");
    EXPECT_EQ(steps_of(history), "1=0.5 2=0.5 4=1 ") << size;
    EXPECT_TRUE(history.problems().empty());
  }
  std::filesystem::resize_file(first, whole + 100);
  const EventHistory history = read_event_folder(folder / "run");
  EXPECT_EQ(steps_of(history), "1=0.5 2=0.5 4=1 ");
  EXPECT_EQ(history.problems().size(), 1u);
}

TEST(Events, ANewFileIsTheLastByName) {
  const TemporaryFolder folder;
  std::string last;
  for (int i = 0; i < 12; ++i) {
    EventWriter writer(folder / "run", {.wall_time = 1500000000, .host = "host"});
    EXPECT_GT(writer.path(), last);
    last = writer.path();
  }
  EXPECT_TRUE(last.ends_with(".1500000000.host.011")) << last;
  // The clock has gone back; another machine.
  for (const char* host : {"alpha", "zebra", "host"}) {
    EventWriter writer(folder / "run", {.wall_time = 1400000000, .host = host});
    EXPECT_GT(writer.path(), last);
    last = writer.path();
  }
  EXPECT_EQ(list_event_files(folder / "run").back(), last);
}

TEST(Events, NamesThatOthersMadeStopNobody) {
  const TemporaryFolder folder;
  const auto touch = [&](const std::string& name) { std::ofstream(folder / name) << ""; };
  const EventWriterOptions options{.wall_time = 1500000000, .host = "host"};
  // Not seconds as we write them: they have no say.
  for (const char* name :
       {"events.out.tfevents.9223372036854775807.a", "zz.tfevents.1", "events.out.tfevents.5.host",
        "events.out.tfevents.today", "events.out.tfevents.99999999999999999999999999.a"}) {
    touch(name);
    EXPECT_GE(EventWriter(folder.path().string(), options).path(),
              folder / "events.out.tfevents.1500000000.host");
  }
  // Nothing comes after the last second but what is appended to its name.
  touch("events.out.tfevents.9999999999.zzz");
  for (const char* suffix : {".001", ".002", ".003"}) {
    EXPECT_EQ(EventWriter(folder.path().string(), options).path(),
              folder / "events.out.tfevents.9999999999.zzz" + suffix);
  }
  EXPECT_EQ(EventWriter(folder / "far", {.wall_time = 1e15, .host = "host"}).path(),
            folder / "far/events.out.tfevents.9999999999.host");
}

}  // namespace
}  // namespace assay::format
