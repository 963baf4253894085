#include "assay/graph/scope.h"
#include "assay/graph/shape_context.h"
#include "tests/graph/expect_error.h"
#include "tests/graph/test_ops.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::make;
using testing::placeholder;

PartialShape shape(const char* text) {
  return PartialShape::parse(text);
}

TEST(BroadcastShapes, FollowsNumpy) {
  const auto both = [](const char* a, const char* b) {
    return broadcast_shapes(shape(a), shape(b)).str();
  };
  EXPECT_EQ(both("[2,3]", "[3]"), "[2,3]");
  EXPECT_EQ(both("[2,1]", "[1,3]"), "[2,3]");
  EXPECT_EQ(both("[]", "[4]"), "[4]");
  EXPECT_EQ(both("[?,3]", "[2,1]"), "[2,3]");
  EXPECT_EQ(both("[?]", "[1]"), "[?]");
  EXPECT_EQ(both("[?]", "[?]"), "[?]");
  EXPECT_EQ(both("[0]", "[1]"), "[0]");
  EXPECT_EQ(both("?", "[2]"), "?");
  EXPECT_THAT(error_of(Code::kInvalidArgument, [&] { both("[2]", "[3]"); }),
              HasSubstr("[2] and [3]"));
}

TEST(MergeDims, UnknownGivesWay) {
  EXPECT_EQ(merge_dims(-1, 3), 3);
  EXPECT_EQ(merge_dims(3, -1), 3);
  EXPECT_EQ(merge_dims(-1, -1), -1);
  EXPECT_EQ(merge_dims(3, 4), std::nullopt);
}

class ShapeTest : public ::testing::Test {
 protected:
  std::string sum_shape(const PartialShape& in, const std::vector<std::int32_t>& axes,
                        bool keep = false) {
    return make(graph, "Sum", {placeholder(graph, in), b.ints(axes)}, {{"keep_dims", keep}})
        ->output_shape(0)
        .str();
  }
  Graph graph{testing::test_ops()};
  NodeBuilder b{graph};
};

TEST_F(ShapeTest, MismatchNamesNodeInputsAndPlaces) {
  const auto at = [](std::uint_least32_t) { return std::source_location::current(); };
  const auto here = at(0);
  Output left, right;
  {
    PlaceScope place(here);
    left = placeholder(graph, {-1, 1108}, "flat");
    right = placeholder(graph, {1120, 256}, "fc1/W");
  }
  const std::string p = fmt::format("shape_test.cc:{}", here.line());
  PlaceScope place(here);
  EXPECT_EQ(
      error_of(Code::kInvalidArgument,
               [&] {
                 make(graph, "MatMul", {left, right}, {}, "fc1/MatMul");
               }),
      fmt::format("MatMul 'fc1/MatMul' ({0}): inner sizes differ: left [?,1108] from 'flat' ({0}), "
                  "right [1120,256] from 'fc1/W' ({0})",
                  p));
  try {
    make(graph, "Terse", {left}, {}, "t");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.message(),
              fmt::format("Terse 't' ({0}): never fits; inputs: [?,1108] from 'flat' ({0})", p));
    EXPECT_EQ(e.node(), "t");
    EXPECT_EQ(e.where(), p);
  }
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         make(graph, "MatMul", {placeholder(graph, {2}, "v"), right});
                       }),
              HasSubstr("input 0 must have rank 2, but has rank 1: [2] from 'v'"));
}

TEST_F(ShapeTest, Reductions) {
  EXPECT_EQ(sum_shape({2, 3, -1}, {1}), "[2,?]");
  EXPECT_EQ(sum_shape({2, 3, -1}, {1}, true), "[2,1,?]");
  EXPECT_EQ(sum_shape({2, 3}, {-1, 0}), "[]");
  EXPECT_EQ(sum_shape({2, 3}, {}), "[2,3]");
  EXPECT_EQ(sum_shape(PartialShape::unknown(), {0}), "?");
  const Output axes = placeholder(graph, {1}, "axes", DType::kInt32);
  const Output x = placeholder(graph, {2, 3}, "x");
  EXPECT_EQ(make(graph, "Sum", {x, axes})->output_shape(0).str(), "?");
  EXPECT_EQ(make(graph, "Sum", {x, axes}, {{"keep_dims", true}})->output_shape(0).str(), "[?,?]");
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         sum_shape({2, 3}, {2});
                       }),
              HasSubstr("axis 2 is outside [-2,2)"));
}

TEST_F(ShapeTest, MergingNarrowsOrRefuses) {
  Node* x = placeholder(graph, {-1, 3}, "x").node;
  x->merge_output_shape(0, {2, -1});
  EXPECT_EQ(x->output_shape(0).str(), "[2,3]");
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         x->merge_output_shape(0, {4, 3});
                       }),
              HasSubstr("'x': output 0 has shape [2,3], which [4,3] contradicts"));
}

TEST_F(ShapeTest, ShapesComputedFromShapesAreKnown) {
  const Output x = placeholder(graph, {-1, 28, 28}, "x");
  const Output s = b.op("Shape", {x});
  const Output first = b.op("StridedSlice", {s, b.ints({0}), b.ints({1}), b.ints({1})},
                            {{"shrink_axis_mask", std::int64_t{1}}});
  const Output last = b.op("StridedSlice", {s, b.ints({-1}), b.ints({0}), b.ints({1})},
                           {{"shrink_axis_mask", std::int64_t{1}}});
  EXPECT_FALSE(constant_value(first).defined());
  EXPECT_EQ(constant_value(last).item<std::int32_t>(), 28);
  const Output flat = b.op("Mul", {last, b.scalar(28, DType::kInt32)});
  EXPECT_EQ(constant_value(flat).item<std::int32_t>(), 784);
  const Output packed = b.op("Pack", {first, flat});
  EXPECT_EQ(constant_value_as_shape(packed).str(), "[?,784]");
  EXPECT_EQ(b.op("Reshape", {x, packed}).shape().str(), "[?,784]");
  const Output rest = b.op("StridedSlice", {s, b.ints({1}), b.ints({0}), b.ints({1})},
                           {{"end_mask", std::int64_t{1}}});
  EXPECT_EQ(constant_value(rest).to_vector<std::int32_t>(), (std::vector<std::int32_t>{28, 28}));
  const Output joined = b.op("ConcatV2", {packed, rest, b.scalar(0, DType::kInt32)});
  EXPECT_EQ(constant_value_as_shape(joined).str(), "[?,784,28,28]");
  const Output back = b.op("StridedSlice", {s, b.ints({0}), b.ints({0}), b.ints({-1})},
                           {{"begin_mask", std::int64_t{1}}, {"end_mask", std::int64_t{1}}});
  EXPECT_EQ(constant_value_as_shape(back).str(), "[28,28,?]");
}

TEST_F(ShapeTest, ShapeInputsAreChecked) {
  const Output x = placeholder(graph, {4}, "x");
  EXPECT_EQ(b.op("Reshape", {x, b.scalar(-1, DType::kInt32)}).shape().str(), "?");
  EXPECT_EQ(b.op("Reshape", {x, placeholder(graph, {2}, "s", DType::kInt64)}).shape().str(),
            "[?,?]");
  EXPECT_EQ(b.op("Reshape", {x, placeholder(graph, {-1}, "u", DType::kInt64)}).shape().str(), "?");
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         b.op("Reshape", {x, b.ints({-2, 2}, "dims")});
                       }),
              HasSubstr("the size -2, which is below -1"));
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         b.op("Reshape", {x, b.ints({1, 1, 1, 1, 1, 1, 1, 1, 4})});
                       }),
              HasSubstr("rank 9"));
}

TEST_F(ShapeTest, CompilationGivesExactShapesAndValues) {
  const Output x = placeholder(graph, {-1, 3}, "x");
  const Output axes = placeholder(graph, {1}, "axes", DType::kInt32);
  Node* sum = make(graph, "Sum", {x, axes});
  const Tensor value = Tensor::of<std::int32_t>({0});
  ShapeContext c(*sum, {PartialShape{5, 3}, PartialShape{1}},
                 [&](int i) { return i == 1 ? &value : nullptr; });
  EXPECT_EQ(run_shape_function(*sum, c).at(0).str(), "[3]");
  EXPECT_EQ(c.input_as_int(1), 0);
  EXPECT_EQ(c.input_as_int(0), std::nullopt);
}

TEST_F(ShapeTest, EvaluationIsBounded) {
  // Doubling a vector 60 times, and a chain of 100,000 additions: neither time nor stack run out.
  Output v = b.op("Shape", {placeholder(graph, {1})});
  for (int i = 0; i < 60; ++i) v = b.op("ConcatV2", {v, v, b.scalar(0, DType::kInt32)});
  EXPECT_FALSE(constant_value(v).defined());
  Output n = b.scalar(1, DType::kInt32);
  const Output one = n;
  for (int i = 0; i < 100000; ++i) n = b.op("Add", {n, one});
  EXPECT_FALSE(constant_value(n).defined());
  const Output big = b.scalar(2147483647, DType::kInt32);
  EXPECT_FALSE(constant_value(b.op("Add", {big, one})).defined());
  EXPECT_FALSE(constant_value(b.op("FloorDiv", {big, b.scalar(0, DType::kInt32)})).defined());
}

TEST_F(ShapeTest, BigConstantsAreShared) {
  const Tensor big = Tensor::zeros(DType::kFloat, {1000, 1000});
  const Output c = b.constant(big);
  EXPECT_TRUE(constant_value(b.op("Identity", {c})).shares_memory_with(big));
}

TEST_F(ShapeTest, UnbroadcastBuildsOnlyWhatIsNeeded) {
  const Output x = placeholder(graph, {2, 3}, "x");
  const Output y = placeholder(graph, {3}, "y");
  const Output g = placeholder(graph, {2, 3}, "g");
  EXPECT_EQ(b.unbroadcast(g, x, x, true), g);
  const int before = graph.num_nodes();
  const Output gy = b.unbroadcast(g, x, y, false);
  EXPECT_EQ(gy.shape().str(), "[3]");
  EXPECT_EQ(gy.node->op(), "Reshape");
  EXPECT_EQ(graph.num_nodes() - before, 5);  // two shapes, BroadcastGradientArgs, Sum, Reshape
  b.unbroadcast(g, x, y, true);
  EXPECT_EQ(graph.num_nodes() - before, 7);
}

TEST_F(ShapeTest, GradientContext) {
  const Output x = placeholder(graph, {2, 3}, "x");
  Node* split =
      make(graph, "Split", {b.scalar(0, DType::kInt32), x}, {{"num_split", std::int64_t{2}}});
  const Output g = placeholder(graph, {1, 3}, "g");
  GradientContext c(*split, {Gradient(g), Gradient()});
  EXPECT_TRUE(c.has_grad(0));
  EXPECT_FALSE(c.has_grad(1));
  EXPECT_EQ(c.grad(0), g);
  EXPECT_EQ(c.grad(1).node->op(), "ZerosLike");
  c.set(1, g);
  EXPECT_FALSE(c.grad_inputs()[0].defined());
  EXPECT_EQ(c.grad_inputs()[1].dense, g);
}

TEST_F(ShapeTest, SlicesBecomeDense) {
  const Output values = placeholder(graph, {4, 3}, "values");
  const Output indices = placeholder(graph, {4}, "indices", DType::kInt32);
  const Output dense = densify(b, {values, indices, b.ints({10, 3})});
  EXPECT_EQ(dense.node->op(), "UnsortedSegmentSum");
  EXPECT_EQ(dense.shape().str(), "[10,3]");
  EXPECT_NE(graph.find_node("strided_slice/stack_2"), nullptr);
  EXPECT_EQ(graph.find_node("strided_slice")->op(), "StridedSlice");
  EXPECT_THAT(error_of(Code::kInvalidArgument,
                       [&] {
                         densify(b, {values, indices, {}});
                       }),
              HasSubstr("'values'"));
}

}  // namespace
}  // namespace assay
