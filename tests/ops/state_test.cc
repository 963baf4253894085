#include <gtest/gtest.h>

#include <limits>

#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"

namespace assay {
namespace {

using testing::code_of;
using testing::error_of;
using testing::OpGraph;

const Tensor kRows = Tensor::of<float>({1, 2, 3, 4, 5, 6}, Shape{3, 2});

TEST(Assign, AVariableSharesNoMemory) {
  OpGraph g;
  const Output v = g.variable(kRows);
  Node* add = g.node("AssignAdd", {v, g.constant(kRows)});
  const Tensor before = g.run(v);
  g.session().run(add);
  g.session().run(add);
  g.session().run(g.node("AssignSub", {v, g.constant(kRows)}));
  g.session().run(add);
  EXPECT_EQ(before.data<float>()[5], 6.0F);
  EXPECT_EQ(g.run(v).data<float>()[5], 18.0F);
  // The constant it was made from is as it was.
  Session fresh({.graph = &g.graph(), .threads = 1});
  EXPECT_EQ(kRows.data<float>()[5], 6.0F);
}

TEST(Assign, ChecksTheShapeUnlessToldNotTo) {
  OpGraph g;
  const Output v = g.op("VariableV2", {}, {{"shape", PartialShape{2}}, {"dtype", float32}});
  const Output value = g.op("Placeholder", {}, {{"dtype", float32}, {"shape", PartialShape()}});
  Node* checked = g.node("Assign", {v, value});
  const Tensor three = Tensor::of<float>({1, 2, 3});
  EXPECT_EQ(code_of([&] {
              g.session().run({{value, three}}, {}, {checked});
            }),
            Code::kInvalidArgument);
  const Output w = g.op("VariableV2", {}, {{"shape", PartialShape()}, {"dtype", float32}});
  Node* free = g.node("Assign", {w, value}, {{"validate_shape", false}});
  Session session({.graph = &g.graph(), .threads = 1});
  session.run({{value, three}}, {}, {free});
  EXPECT_EQ(session.run(w).shape(), Shape{3});
  session.run({{value, Tensor::of<float>({7})}}, {}, {free});
  EXPECT_EQ(session.run(w).item<float>(), 7.0F);
}

TEST(Variable, UseBeforeInitialisationNamesIt) {
  OpGraph g;
  const Output v =
      g.builder().op("VariableV2", {}, {{"shape", PartialShape{2}}, {"dtype", float32}}, "weights");
  Node* add = g.node("AssignAdd", {v, g.constant(Tensor::of<float>({1, 2}))});
  const Error error = error_of([&] { g.session().run(add); });
  EXPECT_EQ(error.code(), Code::kFailedPrecondition);
  EXPECT_NE(error.message().find("weights"), std::string::npos) << error.message();
  const Output is = g.op("IsVariableInitialized", {v});
  EXPECT_FALSE(g.run(is).item<bool>());
}

TEST(Variable, TheFirstFormHasNoScalarShape) {
  OpGraph g;
  const AttrMap attrs = {{"shape", PartialShape::scalar()}, {"dtype", float32}};
  EXPECT_EQ(g.op("Variable", {}, attrs).shape().str(), "?");
  EXPECT_EQ(g.op("VariableV2", {}, attrs).shape().str(), "[]");
}

TEST(Resource, ReadsAndUpdates) {
  OpGraph g;
  const Output h = g.resource(kRows);
  Node* add = g.node("AssignAddVariableOp", {h, g.constant(kRows)}, {{"dtype", float32}});
  Node* sub = g.node("AssignSubVariableOp", {h, g.constant(kRows)}, {{"dtype", float32}});
  g.session().run(add);
  g.session().run(add);
  g.session().run(sub);
  EXPECT_EQ(g.run(g.read(h, float32)).data<float>()[2], 6.0F);
  EXPECT_EQ(g.run(g.op("VariableShape", {h})).to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{3, 2}));
  EXPECT_TRUE(g.run(g.op("VarIsInitializedOp", {h})).item<bool>());
}

TEST(Resource, UninitialisedIsNamed) {
  OpGraph g;
  const Output h = g.builder().op("VarHandleOp", {},
                                  {{"shape", PartialShape{2}}, {"dtype", float32}}, "weights");
  EXPECT_FALSE(g.run(g.op("VarIsInitializedOp", {h})).item<bool>());
  const Error error = error_of([&] { g.run(g.read(h, float32)); });
  EXPECT_EQ(error.code(), Code::kFailedPrecondition);
  EXPECT_NE(error.message().find("weights"), std::string::npos) << error.message();
}

TEST(Resource, GatherAndItsGradient) {
  OpGraph g;
  const Output h = g.resource(Tensor::of<double>({1, 2, 3, 4, 5, 6}, Shape{3, 2}));
  const Output rows = g.op("ResourceGather", {h, g.constant(Tensor::of<std::int64_t>({2, 0, 2}))},
                           {{"dtype", float64}});
  EXPECT_EQ(rows.shape().str(), "[3,2]");
  EXPECT_EQ(g.run(rows).to_vector<double>(), (std::vector<double>{5, 6, 1, 2, 5, 6}));
  const auto grads = gradients({rows}, {h});
  ASSERT_TRUE(grads[0].is_sparse());
  const auto out = g.session().run({grads[0].slices.values, grads[0].slices.indices});
  EXPECT_EQ(out[0].shape(), (Shape{3, 2}));
  EXPECT_EQ(out[1].to_vector<std::int64_t>(), (std::vector<std::int64_t>{2, 0, 2}));
}

struct ScatterCase {
  const char* by_reference;
  const char* by_handle;
  std::vector<float> expected;
};

TEST(Scatter, EachKindWithARepeatedRow) {
  const std::vector<ScatterCase> cases = {
      {"ScatterUpdate", "ResourceScatterUpdate", {1, 2, 3, 4, 30, 40}},
      {"ScatterAdd", "ResourceScatterAdd", {1, 2, 3, 4, 45, 66}},
      {"ScatterSub", "ResourceScatterSub", {1, 2, 3, 4, -35, -54}},
      {"ScatterMul", "ResourceScatterMul", {1, 2, 3, 4, 1500, 4800}},
      {"ScatterDiv", "ResourceScatterDiv", {1, 2, 3, 4, 5.0F / 10 / 30, 6.0F / 20 / 40}},
      {"ScatterMin", "ResourceScatterMin", {1, 2, 3, 4, 5, 6}},
      {"ScatterMax", "ResourceScatterMax", {1, 2, 3, 4, 30, 40}}};
  for (const ScatterCase& c : cases) {
    OpGraph g;
    const Output v = g.variable(kRows);
    const Output h = g.resource(kRows);
    const Output indices = g.constant(Tensor::of<std::int32_t>({2, 2}));
    const Output updates = g.constant(Tensor::of<float>({10, 20, 30, 40}, Shape{2, 2}));
    g.session().run({}, {},
                    {g.node(c.by_reference, {v, indices, updates}),
                     g.node(c.by_handle, {h, indices, updates}, {{"dtype", float32}})});
    const Tensor got = g.run(v);
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_FLOAT_EQ(got.data<float>()[i], c.expected[i]) << c.by_reference << " " << i;
    }
    EXPECT_TRUE(g.run(g.read(h, float32)).identical(got)) << c.by_handle;
  }
}

TEST(Scatter, AScalarUpdateGoesToWholeRows) {
  OpGraph g;
  const Output v = g.variable(kRows);
  g.session().run(g.node("ScatterAdd", {v, g.constant(Tensor::scalar<std::int64_t>(1)),
                                        g.constant(Tensor::scalar(10.0F))}));
  EXPECT_EQ(g.run(v).to_vector<float>(), (std::vector<float>{1, 2, 13, 14, 5, 6}));
}

TEST(Scatter, ABadIndexChangesNothing) {
  OpGraph g;
  const Output v = g.variable(kRows);
  Node* sub = g.node("ScatterSub", {v, g.constant(Tensor::of<std::int32_t>({0, 3})),
                                    g.constant(Tensor::of<float>({1, 1, 1, 1}, Shape{2, 2}))});
  const Error error = error_of([&] { g.session().run(sub); });
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_NE(error.message().find("indices[1] = 3 is not in [0, 3)"), std::string::npos);
  EXPECT_TRUE(g.run(v).identical(kRows));
}

TEST(Scatter, IntegerDivisionIsSafe) {
  OpGraph g;
  const std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
  const Output v = g.variable(Tensor::of<std::int32_t>({lowest, 7}));
  const auto divide = [&](std::int32_t by) {
    g.session().run(g.node("ScatterDiv", {v, g.constant(Tensor::of<std::int32_t>({0})),
                                          g.constant(Tensor::of<std::int32_t>({by}))}));
  };
  divide(-1);
  EXPECT_EQ(g.run(v).data<std::int32_t>()[0], lowest);
  EXPECT_EQ(code_of([&] { divide(0); }), Code::kInvalidArgument);
}

TEST(Scatter, ManyWideRowsOnSeveralThreads) {
  Tensor updates(float32, Shape{600, 600});
  std::vector<std::int64_t> at;
  for (std::int64_t i = 0; i < updates.num_elements(); ++i) {
    updates.data<float>()[i] = 1.0F / static_cast<float>(i + 1);
  }
  for (std::int64_t i = 0; i < 600; ++i) at.push_back(i * i % 7);
  std::vector<Tensor> results;
  for (const int threads : {1, 3}) {
    OpGraph g;
    const Output h = g.resource(Tensor::zeros(float32, Shape{7, 600}));
    g.session(threads).run(g.node("ResourceScatterSub",
                                  {h, g.constant(Tensor::of(at)), g.constant(updates)},
                                  {{"dtype", float32}}));
    results.push_back(g.run(g.read(h, float32)));
  }
  EXPECT_TRUE(results[0].identical(results[1]));
}

TEST(ScatterNd, SlicesByTuples) {
  const std::vector<ScatterCase> cases = {
      {"ScatterNdUpdate", "ResourceScatterNdUpdate", {1, 10, 3, 4, 20, 6}},
      {"ScatterNdAdd", "ResourceScatterNdAdd", {1, 12, 3, 4, 25, 6}},
      {"ScatterNdSub", "ResourceScatterNdSub", {1, -8, 3, 4, -15, 6}}};
  for (const ScatterCase& c : cases) {
    OpGraph g;
    const Output v = g.variable(kRows);
    const Output h = g.resource(kRows);
    const Output tuples = g.constant(Tensor::of<std::int32_t>({0, 1, 2, 0}, Shape{2, 2}));
    const Output updates = g.constant(Tensor::of<float>({10, 20}));
    g.session().run(
        {}, {},
        {g.node(c.by_reference, {v, tuples, updates}), g.node(c.by_handle, {h, tuples, updates})});
    EXPECT_EQ(g.run(v).to_vector<float>(), c.expected) << c.by_reference;
    EXPECT_EQ(g.run(g.read(h, float32)).to_vector<float>(), c.expected) << c.by_handle;
  }
}

TEST(ScatterNd, ABadTupleChangesNothing) {
  OpGraph g;
  const Output v = g.variable(kRows);
  Node* bad =
      g.node("ScatterNdUpdate", {v, g.constant(Tensor::of<std::int32_t>({0, 0, 0, 2}, Shape{2, 2})),
                                 g.constant(Tensor::of<float>({7, 8}))});
  EXPECT_EQ(code_of([&] { g.session().run(bad); }), Code::kInvalidArgument);
  EXPECT_TRUE(g.run(v).identical(kRows));
}

TEST(CountUpTo, EndsWithOutOfRange) {
  OpGraph g;
  const Output v = g.variable(Tensor::scalar<std::int64_t>(0));
  const Output next = g.op("CountUpTo", {v}, {{"limit", std::int64_t{2}}});
  EXPECT_EQ(g.run(next).item<std::int64_t>(), 0);
  EXPECT_EQ(g.run(next).item<std::int64_t>(), 1);
  EXPECT_EQ(code_of([&] { g.run(next); }), Code::kOutOfRange);
}

TEST(Training, ResourceFormsDoWhatTheOthersDo) {
  OpGraph g;
  const Tensor grad = Tensor::of<float>({1, -1, 0.5F, 2, -2, 0.25F}, Shape{3, 2});
  const Tensor zeros = Tensor::zeros(float32, Shape{3, 2});
  const auto scalar = [&](float x) { return g.constant(Tensor::scalar(x)); };
  const Output v = g.variable(kRows);
  const Output m = g.variable(zeros);
  const Output h = g.resource(kRows);
  const Output hm = g.resource(zeros);
  Node* by_ref = g.node("ApplyMomentum", {v, m, scalar(0.1F), g.constant(grad), scalar(0.9F)});
  Node* by_handle =
      g.node("ResourceApplyMomentum", {h, hm, scalar(0.1F), g.constant(grad), scalar(0.9F)});
  for (int i = 0; i < 3; ++i) g.session().run({}, {}, {by_ref, by_handle});
  EXPECT_TRUE(g.run(v).identical(g.run(g.read(h, float32))));
  EXPECT_NEAR(g.run(v).data<float>()[0], 1 - 0.1 * (1 + 1.9 + 2.71), 1e-6);
}

TEST(Training, ShapesMustFit) {
  OpGraph g;
  const Output v = g.variable(kRows);
  EXPECT_EQ(code_of([&] {
              g.node("ApplyGradientDescent",
                     {v, g.constant(Tensor::scalar(1.0F)), g.constant(Tensor::of<float>({1, 2}))});
            }),
            Code::kInvalidArgument);
  const Output grad = g.op("Placeholder", {}, {{"dtype", float32}, {"shape", PartialShape()}});
  Node* step = g.node("ApplyGradientDescent", {v, g.constant(Tensor::scalar(1.0F)), grad});
  EXPECT_EQ(code_of([&] {
              g.session().run({{grad, Tensor::of<float>({1, 2})}}, {}, {step});
            }),
            Code::kInvalidArgument);
}

TEST(Training, SparseUpdatesCheckTheirIndices) {
  OpGraph g;
  const Output v = g.variable(kRows);
  const Output accum = g.variable(kRows);
  Node* step = g.node("SparseApplyAdagrad", {v, accum, g.constant(Tensor::scalar(1.0F)),
                                             g.constant(Tensor::of<float>({1, 1}, Shape{1, 2})),
                                             g.constant(Tensor::of<std::int64_t>({-1}))});
  EXPECT_EQ(code_of([&] { g.session().run(step); }), Code::kInvalidArgument);
  EXPECT_TRUE(g.run(v).identical(kRows));
}

}  // namespace
}  // namespace assay
