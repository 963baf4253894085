#include <gtest/gtest.h>

#include <cmath>

#include "assay/format/proto/event.pb.h"
#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"

namespace assay {
namespace {

using testing::error_of;
using testing::OpGraph;

proto::Summary parsed(const Tensor& t) {
  proto::Summary summary;
  EXPECT_TRUE(summary.ParseFromString(t.item<std::string>()));
  return summary;
}

Output tag(OpGraph& g, const std::string& name) {
  return g.constant(Tensor::scalar(name));
}

TEST(ScalarSummary, OneOrSeveralTags) {
  OpGraph g;
  const proto::Summary one = parsed(
      g.run(g.op("ScalarSummary", {tag(g, "loss"), g.constant(Tensor::scalar<std::int64_t>(3))})));
  ASSERT_EQ(one.value_size(), 1);
  EXPECT_EQ(one.value(0).tag(), "loss");
  EXPECT_EQ(one.value(0).simple_value(), 3.0F);
  const proto::Summary two =
      parsed(g.run(g.op("ScalarSummary", {g.constant(Tensor::of<std::string>({"a", "b"})),
                                          g.constant(Tensor::of<double>({0.5, 1.5}))})));
  ASSERT_EQ(two.value_size(), 2);
  EXPECT_EQ(two.value(1).tag(), "b");
  EXPECT_EQ(two.value(1).simple_value(), 1.5F);
}

TEST(ScalarSummary, NamesTheTagOfAWrongShape) {
  OpGraph g;
  const Error error = error_of([&] {
    g.run(g.op("ScalarSummary", {tag(g, "loss"), g.constant(Tensor::of<float>({1, 2}))}));
  });
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_NE(error.message().find("tag 'loss'"), std::string::npos) << error.message();
}

TEST(HistogramSummary, CountsEveryValue) {
  OpGraph g;
  const proto::Summary summary = parsed(g.run(
      g.op("HistogramSummary", {tag(g, "weights"), g.constant(Tensor::of<float>({-1, 0, 2, 2}))})));
  const auto& histogram = summary.value(0).histo();
  EXPECT_EQ(histogram.num(), 4);
  EXPECT_EQ(histogram.min(), -1);
  EXPECT_EQ(histogram.sum_squares(), 9);
  double counted = 0;
  for (const double n : histogram.bucket()) counted += n;
  EXPECT_EQ(counted, 4);
}

TEST(HistogramSummary, RefusesWhatIsNotFinite) {
  for (const float bad : {std::nanf(""), INFINITY}) {
    OpGraph g;
    const Error error = error_of([&] {
      g.run(g.op("HistogramSummary", {tag(g, "weights"), g.constant(Tensor::of<float>({1, bad}))}));
    });
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_NE(error.message().find("'weights'"), std::string::npos) << error.message();
  }
}

TEST(MergeSummary, KeepsTheOrderAndRefusesTwins) {
  OpGraph g;
  const auto scalar = [&](const std::string& name, float x) {
    return g.op("ScalarSummary", {tag(g, name), g.constant(Tensor::scalar(x))});
  };
  const proto::Summary merged =
      parsed(g.run(g.op("MergeSummary", {scalar("a", 1), scalar("b", 2)})));
  ASSERT_EQ(merged.value_size(), 2);
  EXPECT_EQ(merged.value(0).tag(), "a");
  EXPECT_EQ(merged.value(1).simple_value(), 2.0F);
  const Error twins = error_of([&] {
    g.run(g.op("MergeSummary", {scalar("a", 1), scalar("a", 2)}));
  });
  EXPECT_NE(twins.message().find("'a'"), std::string::npos) << twins.message();
  const Error broken = error_of([&] { g.run(g.op("MergeSummary", {tag(g, "\x0a\x7f")})); });
  EXPECT_EQ(broken.code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace assay
