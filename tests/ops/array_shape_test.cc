// Ops that make, copy, reshape, join or repeat tensors.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "assay/runtime/session.h"
#include "tests/ops/op_case.h"

namespace assay::testing {

std::vector<OpCase> array_shape_cases() {
  const Tensor x23 = f32({1, 2, 3, 4, 5, 6}, {2, 3});
  return {
      {.op = "Const", .attrs = {{"value", x23}, {"dtype", float32}}, .expected = {x23}},
      {.op = "Identity",
       .inputs = {x23},
       .expected = {x23},
       .shapes = {{"[2,?]", "[2,?]"}, {"?", "?"}}},
      {.op = "Snapshot", .inputs = {x23}, .expected = {x23}},
      {.op = "DebugGradientIdentity", .inputs = {x23}, .expected = {x23}},
      {.op = "GuaranteeConst", .inputs = {x23}, .expected = {x23}},
      {.op = "StopGradient", .inputs = {x23}, .expected = {x23}},
      {.op = "PreventGradient", .inputs = {x23}, .expected = {x23}, .gradient = false},
      {.op = "DeepCopy", .inputs = {x23}, .expected = {x23}},
      {.op = "IdentityN",
       .inputs = {x23, i32({7})},
       .expected = {x23, i32({7})},
       .shapes = {{"[2,?];?", "[2,?];?"}}},
      {.op = "EnsureShape",
       .attrs = {{"shape", PartialShape{-1, 3}}},
       .inputs = {x23},
       .expected = {x23},
       .shapes = {{"?", "[?,3]"}, {"[2,?]", "[2,3]"}, {"[2,4]", "error: not of shape"}}},
      {.op = "PlaceholderWithDefault",
       .attrs = {{"shape", PartialShape{-1, 3}}},
       .inputs = {x23},
       .expected = {x23},
       .shapes = {{"[2,3]", "[?,3]"}, {"[2,4]", "error: does not fit"}}},
      {.op = "CheckNumerics",
       .attrs = {{"message", std::string("bad")}},
       .inputs = {x23},
       .expected = {x23}},

      {.op = "Reshape",
       .inputs = {x23, i32({3, 2})},
       .expected = {f32({1, 2, 3, 4, 5, 6}, {3, 2})},
       .shapes = {{"[2,3];=", "[3,2]"},
                  {"?;=", "[3,2]"},
                  {"[2,3];[3]", "[?,?,?]"},
                  {"?;?", "?"},
                  {"[2,4];=", "error: cannot take shape"}}},
      {.op = "Reshape",
       .inputs = {x23, i64({-1})},
       .expected = {f32({1, 2, 3, 4, 5, 6})},
       .shapes = {{"[2,3];=", "[6]"}, {"[2,?];=", "[?]"}},
       .note = "one size left open"},
      {.op = "Reshape",
       .inputs = {f32({7}), i32({})},
       .expected = {f32({7}, {})},
       .note = "to a scalar"},
      {.op = "Reshape",
       .inputs = {f32({}, {0, 3}), i32({-1, 3})},
       .expected = {f32({}, {0, 3})},
       .note = "empty"},
      {.op = "ExpandDims",
       .inputs = {x23, i32({1}, {})},
       .expected = {f32({1, 2, 3, 4, 5, 6}, {2, 1, 3})},
       .shapes = {{"[2,?];=", "[2,1,?]"}, {"[2,3];[]", "[?,?,?]"}, {"?;=", "?"}}},
      {.op = "ExpandDims",
       .inputs = {f32({5}, {}), i64({-1}, {})},
       .expected = {f32({5})},
       .shapes = {{"[4,5];=", "[4,5,1]"}},
       .note = "scalar"},
      {.op = "Squeeze",
       .inputs = {f32({1, 2}, {1, 2, 1})},
       .expected = {f32({1, 2})},
       .shapes = {{"[1,2,1]", "[2]"}, {"[1,?]", "?"}}},
      {.op = "Squeeze",
       .attrs = {{"squeeze_dims", std::vector<std::int64_t>{-1}}},
       .inputs = {f32({1, 2}, {1, 2, 1})},
       .expected = {f32({1, 2}, {1, 2})},
       .shapes = {{"[?,?,?]", "[?,?]"}, {"[1,2]", "error: not 1"}},
       .note = "one dimension"},
      {.op = "Bitcast",
       .attrs = {{"type", int32}},
       .inputs = {f32({1, -2})},
       .expected = {i32({1065353216, -1073741824})},
       .other_dtypes = false,
       .shapes = {{"[?,2]", "[?,2]"}}},
      {.op = "Bitcast",
       .attrs = {{"type", int64}},
       .inputs = {i32({1, 1, 5, 0}, {2, 2})},
       .expected = {i64({4294967297, 5})},
       .other_dtypes = false,
       .shapes = {{"[?,2]", "[?]"}, {"[4,3]", "error: last dimension"}},
       .note = "to a wider type"},
      {.op = "Bitcast",
       .attrs = {{"type", uint8}},
       .inputs = {i32({258})},
       .expected = {numbers(uint8, {2, 1, 0, 0}, {1, 4})},
       .other_dtypes = false,
       .note = "to a narrower type"},

      {.op = "Shape",
       .inputs = {x23},
       .expected = {i32({2, 3})},
       .shapes = {{"[?,3]", "[2]"}, {"?", "[?]"}}},
      {.op = "Shape",
       .attrs = {{"out_type", int64}},
       .inputs = {f32({4}, {})},
       .expected = {i64({})},
       .note = "scalar"},
      {.op = "ShapeN",
       .inputs = {x23, f32({1})},
       .expected = {i32({2, 3}), i32({1})},
       .shapes = {{"[?,3];?", "[2];[?]"}}},
      {.op = "Rank", .inputs = {x23}, .expected = {i32({2}, {})}, .shapes = {{"?", "[]"}}},
      {.op = "Size", .inputs = {x23}, .expected = {i32({6}, {})}, .shapes = {{"?", "[]"}}},

      {.op = "Pack",
       .inputs = {f32({1, 2}), f32({3, 4})},
       .expected = {f32({1, 2, 3, 4}, {2, 2})},
       .shapes = {{"[?];[3]", "[2,3]"}, {"?;?", "?"}, {"[2];[3]", "error: shapes differ"}}},
      {.op = "Pack",
       .attrs = {{"axis", std::int64_t{-1}}},
       .inputs = {f32({1, 2}), f32({3, 4})},
       .expected = {f32({1, 3, 2, 4}, {2, 2})},
       .shapes = {{"[5];?", "[5,2]"}},
       .note = "last axis"},
      {.op = "Pack", .inputs = {f32({1}, {})}, .expected = {f32({1})}, .note = "one scalar"},
      {.op = "Unpack",
       .attrs = {{"num", std::int64_t{2}}},
       .inputs = {x23},
       .expected = {f32({1, 2, 3}), f32({4, 5, 6})},
       .shapes = {{"[2,?]", "[?];[?]"}, {"[3,2]", "error: 2 outputs"}, {"?", "?;?"}}},
      {.op = "Unpack",
       .attrs = {{"num", std::int64_t{3}}, {"axis", std::int64_t{1}}},
       .inputs = {x23},
       .expected = {f32({1, 4}), f32({2, 5}), f32({3, 6})},
       .note = "axis 1"},
      {.op = "ParallelConcat",
       .attrs = {{"shape", PartialShape{2, 2}}},
       .inputs = {f32({1, 2}, {1, 2}), f32({3, 4}, {1, 2})},
       .expected = {f32({1, 2, 3, 4}, {2, 2})}},

      {.op = "ConcatV2",
       .inputs = {x23, f32({7, 8}, {2, 1}), i32({1}, {})},
       .expected = {f32({1, 2, 3, 7, 4, 5, 6, 8}, {2, 4})},
       .shapes = {{"[2,3];[?,1];=", "[2,4]"},
                  {"[2,3];[2,?];=", "[2,?]"},
                  {"?;?;=", "?"},
                  {"[2,3];[3,1];=", "error: dimension 0 differs"},
                  {"[2,3];?;[]", "[?,?]"}}},
      {.op = "ConcatV2",
       .inputs = {x23, f32({}, {0, 3}), f32({7, 8, 9}, {1, 3}), i64({-2}, {})},
       .expected = {f32({1, 2, 3, 4, 5, 6, 7, 8, 9}, {3, 3})},
       .note = "with an empty part"},
      {.op = "Concat",
       .inputs = {i32({0}, {}), f32({1}), f32({2, 3})},
       .expected = {f32({1, 2, 3})},
       .shapes = {{"=;[1];[?]", "[?]"}}},
      {.op = "ConcatOffset",
       .inputs = {i32({1}, {}), i32({2, 3}), i32({2, 5})},
       .expected = {i32({0, 0}), i32({0, 3})},
       .shapes = {{"=;[2];[?]", "[2];[?]"}}},
      {.op = "Split",
       .attrs = {{"num_split", std::int64_t{3}}},
       .inputs = {i32({1}, {}), x23},
       .expected = {f32({1, 4}, {2, 1}), f32({2, 5}, {2, 1}), f32({3, 6}, {2, 1})},
       .shapes = {{"=;[2,?]", "[2,?];[2,?];[2,?]"},
                  {"[];[2,3]", "[?,?];[?,?];[?,?]"},
                  {"=;[2,4]", "error: 3 equal parts"}}},
      {.op = "SplitV",
       .attrs = {{"num_split", std::int64_t{2}}},
       .inputs = {x23, i64({2, -1}), i32({-1}, {})},
       .expected = {f32({1, 2, 4, 5}, {2, 2}), f32({3, 6}, {2, 1})},
       .shapes = {{"[?,3];=;=", "[?,2];[?,1]"},
                  {"[?,?];=;=", "[?,2];[?,?]"},
                  {"[2,1];=;=", "error: the dimension has 1"}}},

      {.op = "Fill",
       .inputs = {i32({2, 2}), f32({3}, {})},
       .expected = {f32({3, 3, 3, 3}, {2, 2})},
       .shapes = {{"=;[]", "[2,2]"}, {"[2];[]", "[?,?]"}, {"=;[1]", "error: "}}},
      {.op = "Fill",
       .inputs = {i64({}), f32({3}, {})},
       .expected = {f32({3}, {})},
       .note = "scalar"},
      {.op = "ZerosLike",
       .inputs = {x23},
       .expected = {f32({0, 0, 0, 0, 0, 0}, {2, 3})},
       .shapes = {{"[?,3]", "[?,3]"}}},
      {.op = "OnesLike",
       .inputs = {x23},
       .expected = {f32({1, 1, 1, 1, 1, 1}, {2, 3})},
       .shapes = {{"[?,3]", "[?,3]"}}},
      {.op = "Range",
       .inputs = {i32({2}, {}), i32({9}, {}), i32({3}, {})},
       .expected = {i32({2, 5, 8})},
       .shapes = {{"=;=;=", "[3]"}, {"[];=;=", "[?]"}}},
      {.op = "Range",
       .inputs = {i32({3}, {}), i32({-3}, {}), i32({-2}, {})},
       .expected = {i32({3, 1, -1})},
       .note = "down"},
      {.op = "Range",
       .inputs = {i32({3}, {}), i32({3}, {}), i32({1}, {})},
       .expected = {i32({})},
       .note = "empty"},
      {.op = "LinSpace",
       .inputs = {f32({0}, {}), f32({1}, {}), i32({5}, {})},
       .expected = {f32({0, 0.25, 0.5, 0.75, 1})},
       .shapes = {{"[];[];=", "[5]"}, {"[];[];[]", "[?]"}}},
      {.op = "Empty",
       .attrs = {{"dtype", float32}},
       .inputs = {i32({2})},
       .expected = {f32({0, 0})},
       .shapes = {{"=", "[2]"}, {"[3]", "[?,?,?]"}}},
      {.op = "Tile",
       .inputs = {x23, i32({2, 1})},
       .expected = {f32({1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}, {4, 3})},
       .shapes = {{"[?,3];=", "[?,3]"}, {"[2,3];[2]", "[?,?]"}, {"[2];=", "error: 2 multiples"}},
       .constant_inputs = {1}},
      {.op = "Tile", .inputs = {f32({1, 2}), i64({0})}, .expected = {f32({})}, .note = "none"},
      {.op = "BroadcastTo",
       .inputs = {f32({1, 2}, {2, 1}), i32({2, 2, 3})},
       .expected = {f32({1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2}, {2, 2, 3})},
       .shapes = {{"[?,1];=", "[2,2,3]"}, {"[2,2];=", "error: does not broadcast"}},
       .constant_inputs = {1}},
      {.op = "BroadcastArgs",
       .inputs = {i32({2, 1, 4}), i32({3, 1})},
       .expected = {i32({2, 3, 4})},
       .shapes = {{"[3];[2]", "[3]"}}},
      {.op = "BroadcastGradientArgs",
       .inputs = {i32({2, 1, 4}), i32({3, 4})},
       .expected = {i32({1}), i32({0})},
       .shapes = {{"=;=", "[1];[1]"}, {"[3];[2]", "[?];[?]"}}},
      {.op = "BroadcastGradientArgs",
       .inputs = {i32({1, 4}), i32({1, 1})},
       .expected = {i32({0}), i32({0, 1})},
       .note = "both one"},
      {.op = "NoOp"},
  };
}

namespace {

TEST(ArrayShape, Cases) {
  check_all(array_shape_cases());
}

TEST(ArrayShape, PlaceholdersTakeWhatIsFed) {
  for (const char* op : {"Placeholder", "PlaceholderV2"}) {
    Graph graph;
    const Output x = graph
                         .add_node({.op = op,
                                    .name = "",
                                    .inputs = {},
                                    .attrs = {{"dtype", float32}, {"shape", PartialShape{-1, 2}}},
                                    .control_inputs = {}})
                         ->output();
    EXPECT_EQ(x.shape().str(), "[?,2]") << op;
    Session session({.graph = &graph, .threads = 1});
    const Tensor value = f32({1, 2}, {1, 2});
    EXPECT_TRUE(session.run(x, {{x, value}}).identical(value)) << op;
    EXPECT_THROW(session.run(x), Error) << op;
  }
}

TEST(ArrayShape, ErrorsSayWhatDoesNotFit) {
  const Tensor x = f32({1, 2, 3, 4, 5, 6}, {2, 3});
  expect_error("Reshape", {x, i32({4, 2})}, {}, "has 6 elements, the new shape [4,2] has 8");
  expect_error("Reshape", {x, i32({-1, -1})}, {}, "both -1");
  expect_error("Reshape", {x, i32({-1, 4})}, {}, "rows of 4 elements");
  expect_error("Reshape", {x, i32({-2, -3})}, {}, "size 0 of the new shape is -2");
  expect_error("ExpandDims", {x, i32({3}, {})}, {}, "axis 3");
  expect_error("Squeeze", {x}, {{"squeeze_dims", std::vector<std::int64_t>{0}}}, "has size 2");
  expect_error("Pack", {f32({1}), f32({1, 2})}, {}, "shapes differ");
  expect_error("ConcatV2", {x, f32({1}, {1, 1}), i32({1}, {})}, {}, "shapes differ");
  expect_error("ConcatV2", {x, x, i32({2}, {})}, {}, "axis 2");
  expect_error("Fill", {i32({-1}), f32({1}, {})}, {}, "dims[0] = -1 is negative");
  expect_error("Range", {i32({0}, {}), i32({5}, {}), i32({0}, {})}, {}, "delta must not be 0");
  expect_error("Range", {i32({0}, {}), i32({5}, {}), i32({-1}, {})}, {}, "cannot step");
  expect_error("Tile", {x, i32({1, -1})}, {}, "multiples[1] = -1");
  expect_error("BroadcastTo", {x, i32({2, 4})}, {}, "does not broadcast");
  expect_error("SplitV", {f32({1, 2}), i64({1, 2}), i32({0}, {})}, {{"num_split", std::int64_t{2}}},
               "3 entries together");
  const double inf = std::numeric_limits<double>::infinity();
  expect_error("CheckNumerics", {f32({1, inf})}, {{"message", std::string("loss")}},
               "loss : Tensor had Inf");
  expect_error("CheckNumerics", {f32({std::nan(""), inf})}, {{"message", std::string("loss")}},
               "Inf and NaN");
}

}  // namespace
}  // namespace assay::testing
