#include <gtest/gtest.h>

#include "assay/device/dataset.h"
#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"

namespace assay {
namespace {

using testing::code_of;
using testing::error_of;
using testing::OpGraph;

struct Pipeline {
  AttrMap structure = {{"output_types", std::vector<DType>{int64}},
                       {"output_shapes", std::vector<PartialShape>{PartialShape::scalar()}}};
  OpGraph g;
  Output iterator;
  Output next;

  Pipeline() {
    AttrMap attrs = structure;
    attrs["shared_name"] = std::string();
    attrs["container"] = std::string();
    iterator = g.builder().op("IteratorV2", {}, attrs, "numbers");
    next = g.op("IteratorGetNext", {iterator}, structure);
  }
  Node* initializer(std::int64_t stop) {
    const auto scalar = [&](std::int64_t x) { return g.constant(Tensor::scalar(x)); };
    return g.node(
        "MakeIterator",
        {g.op("RangeDataset", {scalar(0), scalar(stop), scalar(1)}, structure), iterator});
  }
};

TEST(Iterator, EndsWithOutOfRangeAndIsInitialisedAgain) {
  Pipeline p;
  Node* initializer = p.initializer(2);
  const Error error = error_of([&] { p.g.run(p.next); });
  EXPECT_EQ(error.code(), Code::kFailedPrecondition);
  EXPECT_NE(error.message().find("numbers"), std::string::npos) << error.message();
  for (int pass = 0; pass < 2; ++pass) {
    p.g.session().run(initializer);
    EXPECT_EQ(p.g.run(p.next).item<std::int64_t>(), 0);
    EXPECT_EQ(p.g.run(p.next).item<std::int64_t>(), 1);
    EXPECT_EQ(code_of([&] { p.g.run(p.next); }), Code::kOutOfRange);
  }
}

TEST(Iterator, OneOfTwoDatasets) {
  Pipeline p;
  Node* shorter = p.initializer(1);
  Node* longer = p.initializer(3);
  p.g.session().run(shorter);
  p.g.run(p.next);
  EXPECT_EQ(code_of([&] { p.g.run(p.next); }), Code::kOutOfRange);
  p.g.session().run(longer);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(p.g.run(p.next).item<std::int64_t>(), i);
}

TEST(Iterator, ElementsThatWereFetchedStay) {
  Pipeline p;
  p.g.session().run(p.initializer(2));
  const Tensor first = p.g.run(p.next);
  const Tensor second = p.g.run(p.next);
  EXPECT_EQ(first.item<std::int64_t>(), 0);
  EXPECT_EQ(second.item<std::int64_t>(), 1);
}

TEST(Iterator, OtherNamesOfTheSameOps) {
  Pipeline p;
  AttrMap attrs = p.structure;
  attrs["shared_name"] = std::string("numbers");
  attrs["container"] = std::string();
  p.g.session().run(p.initializer(5));
  // The same shared name is the same iterator.
  const Output twin = p.g.op("Iterator", {}, attrs);
  EXPECT_EQ(p.g.run(p.next).item<std::int64_t>(), 0);
  EXPECT_EQ(p.g.run(p.g.op("IteratorGetNextSync", {twin}, p.structure)).item<std::int64_t>(), 1);
}

TEST(Iterator, StateIsTheSessions) {
  Pipeline p;
  p.g.session().run(p.initializer(5));
  p.g.run(p.next);
  const auto resource =
      p.g.session().resources().find<IteratorResource>(iterator_resource_name("numbers"));
  ASSERT_NE(resource, nullptr);
  const IteratorState state = resource->save();
  p.g.run(p.next);
  resource->restore(state);
  EXPECT_EQ(p.g.run(p.next).item<std::int64_t>(), 1);
}

}  // namespace
}  // namespace assay
