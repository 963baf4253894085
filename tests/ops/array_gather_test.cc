// Picking and placing by index: gathers, scatters, stitches, one-hot, unique, where.

#include <gtest/gtest.h>

#include "assay/autodiff/gradients.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"
#include "tests/ops/op_case.h"

namespace assay::testing {

std::vector<OpCase> array_gather_cases() {
  const Tensor x32 = f32({1, 2, 3, 4, 5, 6}, {3, 2});
  return {
      {.op = "Gather",
       .inputs = {x32, i32({2, 0, 2})},
       .expected = {f32({5, 6, 1, 2, 5, 6}, {3, 2})},
       .shapes = {{"[?,2];[4,?]", "[4,?,2]"}, {"?;[1]", "?"}, {"[];[1]", "error: "}}},
      {.op = "GatherV2",
       .inputs = {x32, i32({2, 0}), i32({0}, {})},
       .expected = {f32({5, 6, 1, 2}, {2, 2})},
       .shapes = {{"[?,2];[4,?];=", "[4,?,2]"}, {"[3,2];[5];[]", "[?,?]"}},
       .constant_inputs = {2}},
      {.op = "GatherV2",
       .inputs = {x32, i64({1}, {}), i32({-1}, {})},
       .expected = {f32({2, 4, 6})},
       .shapes = {{"[3,2];?;=", "?"}},
       .constant_inputs = {2},
       .note = "a scalar index, last axis"},
      {.op = "GatherV2",
       .inputs = {x32, i32({1, 0, 1, 1}, {2, 2}), i32({1}, {})},
       .expected = {f32({2, 1, 2, 2, 4, 3, 4, 4, 6, 5, 6, 6}, {3, 2, 2})},
       .constant_inputs = {2},
       .note = "axis 1"},
      {.op = "GatherV2",
       .attrs = {{"batch_dims", std::int64_t{1}}},
       .inputs = {f32({1, 2, 3, 4, 5, 6}, {2, 3}), i32({0, 2, 1, 1}, {2, 2}), i32({1}, {})},
       .expected = {f32({1, 3, 5, 5}, {2, 2})},
       .shapes = {{"[2,3];[?,7];=", "[2,7]"}, {"[2,3];[3,7];=", "error: batch dimension 0"}},
       .constant_inputs = {2},
       .note = "batch"},
      {.op = "GatherV2",
       .inputs = {f32({}, {0, 2}), i32({}), i32({0}, {})},
       .expected = {f32({}, {0, 2})},
       .gradient = false,
       .constant_inputs = {2},
       .note = "empty"},
      {.op = "GatherNd",
       .inputs = {x32, i32({2, 1, 0, 0}, {2, 2})},
       .expected = {f32({6, 1})},
       .shapes = {{"[3,2];[?,2]", "[?]"},
                  {"[3,2];[5,1]", "[5,2]"},
                  {"[3];[5,2]", "error: 2 coordinates"}}},
      {.op = "GatherNd",
       .inputs = {x32, i64({2, 0}, {2, 1})},
       .expected = {f32({5, 6, 1, 2}, {2, 2})},
       .note = "rows"},
      {.op = "ScatterNd",
       .inputs = {i32({2, 0, 2}, {3, 1}), f32({1, 2, 3}), i32({4})},
       .expected = {f32({2, 0, 4, 0})},
       .dtypes = {float64, int32, int64, uint8},
       .shapes = {{"[3,1];[3];=", "[4]"}, {"[3,1];[3];[2]", "[?,?]"}}},
      {.op = "TensorScatterUpdate",
       .inputs = {x32, i32({1}, {1, 1}), f32({8, 9}, {1, 2})},
       .expected = {f32({1, 2, 8, 9, 5, 6}, {3, 2})}},
      {.op = "TensorScatterAdd",
       .inputs = {x32, i32({1, 1}, {2, 1}), f32({1, 1, 2, 2}, {2, 2})},
       .expected = {f32({1, 2, 6, 7, 5, 6}, {3, 2})},
       .dtypes = {float64, int32}},
      {.op = "TensorScatterSub",
       .inputs = {x32, i32({1}, {1, 1}), f32({1, 1}, {1, 2})},
       .expected = {f32({1, 2, 2, 3, 5, 6}, {3, 2})},
       .dtypes = {float64, int32}},

      {.op = "OneHot",
       .attrs = {{"axis", std::int64_t{-1}}},
       .inputs = {i64({1, -1, 5, 0}), i32({2}, {}), f32({1}, {}), f32({0}, {})},
       .expected = {f32({0, 1, 0, 0, 0, 0, 1, 0}, {4, 2})},
       .shapes = {{"[?,3];=;[];[]", "[?,3,2]"}, {"[3];[];[];[]", "[3,?]"}}},
      {.op = "OneHot",
       .attrs = {{"axis", std::int64_t{0}}},
       .inputs = {numbers(uint8, {1, 0}, {2}), i32({3}, {}), f32({5}, {}), f32({-1}, {})},
       .expected = {f32({-1, 5, 5, -1, -1, -1}, {3, 2})},
       .dtypes = {float64, int32},
       .note = "first axis"},

      {.op = "DynamicStitch",
       .inputs = {i32({2, 0}), i32({1}, {}), f32({1, 2, 3, 4}, {2, 2}), f32({5, 6})},
       .expected = {f32({3, 4, 5, 6, 1, 2}, {3, 2})},
       .shapes = {{"=;=;[2,?];[2]", "[3,2]"},
                  {"[2];[];[2,7];[?]", "[?,7]"},
                  {"[2];[];[3,7];[?]", "error: does not start"}}},
      {.op = "DynamicStitch",
       .inputs = {i32({0, 0}), f32({1, 2})},
       .expected = {f32({2})},
       .gradient = false,
       .note = "the later one stays"},
      {.op = "ParallelDynamicStitch",
       .inputs = {i32({2, 0}), i32({1}), f32({1, 2}), f32({3})},
       .expected = {f32({2, 3, 1})}},
      {.op = "DynamicPartition",
       .attrs = {{"num_partitions", std::int64_t{3}}},
       .inputs = {x32, i32({2, 0, 2})},
       .expected = {f32({3, 4}, {1, 2}), f32({}, {0, 2}), f32({1, 2, 5, 6}, {2, 2})},
       .shapes = {{"[3,2];[3]", "[?,2];[?,2];[?,2]"}, {"[3,2];[4]", "error: does not start"}}},

      {.op = "Unique",
       .inputs = {f32({3, 1, 3, 7, 1})},
       .expected = {f32({3, 1, 7}), i32({0, 1, 0, 2, 1})},
       .dtypes = {float64, int32, int64, uint8, string},
       .shapes = {{"[5]", "[?];[5]"}}},
      {.op = "Unique",
       .attrs = {{"out_idx", int64}},
       .inputs = {i64({})},
       .expected = {i64({}), i64({})},
       .other_dtypes = false,
       .note = "empty"},
      {.op = "UniqueWithCounts",
       .inputs = {i32({3, 1, 3, 7, 3})},
       .expected = {i32({3, 1, 7}), i32({0, 1, 0, 2, 0}), i32({3, 1, 1})},
       .dtypes = {float64, int64, string},
       .shapes = {{"[?]", "[?];[?];[?]"}}},
      {.op = "UniqueV2",
       .inputs = {i32({1, 2, 1, 2, 3, 4}, {3, 2}), i64({0})},
       .expected = {i32({1, 2, 3, 4}, {2, 2}), i32({0, 0, 1})},
       .dtypes = {float64},
       .shapes = {{"[3,2];=", "[?,2];[3]"}}},
      {.op = "UniqueWithCountsV2",
       .inputs = {i32({1, 2, 1, 5, 6, 5}, {2, 3}), i32({1})},
       .expected = {i32({1, 2, 5, 6}, {2, 2}), i32({0, 1, 0}), i32({2, 1})},
       .dtypes = {float64}},
      {.op = "ListDiff",
       .inputs = {i32({1, 2, 2, 3, 5}), i32({2, 5})},
       .expected = {i32({1, 3}), i32({0, 3})},
       .dtypes = {float32, int64, string},
       .shapes = {{"[5];[2]", "[?];[?]"}}},
      {.op = "Where",
       .inputs = {bools({0, 1, 1, 0, 0, 1}, {3, 2})},
       .expected = {i64({0, 1, 1, 0, 2, 1}, {3, 2})},
       .dtypes = {float32, int32},
       .shapes = {{"[?,2]", "[?,2]"}, {"?", "[?,?]"}}},
  };
}

namespace {

TEST(ArrayGather, Cases) {
  check_all(array_gather_cases());
}

TEST(ArrayGather, AnIndexOutsideIsNamed) {
  const Tensor x = f32({1, 2, 3, 4, 5, 6}, {3, 2});
  expect_error("Gather", {x, i32({0, 1, 2, 3})}, {}, "indices[3] = 3 is not in [0, 3)");
  expect_error("GatherV2", {x, i64({0, 1, -1, 2}, {2, 2}), i32({0}, {})}, {},
               "indices[1,0] = -1 is not in [0, 3)");
  expect_error("GatherNd", {x, i32({0, 2}, {1, 2})}, {}, "indices[0,1] = 2 is not in [0, 2)");
  expect_error("ScatterNd", {i32({4}, {1, 1}), f32({1}), i32({4})}, {}, "is not in [0, 4)");
  expect_error("ScatterNd", {i32({1}, {1, 1}), f32({1, 2}), i32({4})}, {},
               "updates have shape [2]");
  expect_error("DynamicPartition", {f32({1}), i32({2})}, {{"num_partitions", std::int64_t{2}}},
               "partitions[0] = 2 is not in [0, 2)");
  expect_error("DynamicStitch", {i32({-1}), f32({1})}, {}, "indices[0] = -1 is negative");
  expect_error("Unique", {f32({1}, {1, 1})}, {}, "must have rank 1");
}

/// The rows of a long gather, in parts on several threads, are those of a short one.
TEST(ArrayGather, ManyRows) {
  constexpr int kRows = 1000;
  constexpr int kColumns = 130;
  Tensor table(float32, {kRows, kColumns});
  for (std::int64_t i = 0; i < table.num_elements(); ++i)
    table.data<float>()[i] = static_cast<float>(i);
  Tensor indices(int64, {5000});
  for (std::int64_t i = 0; i < 5000; ++i) indices.data<std::int64_t>()[i] = i * 7919 % kRows;
  Graph graph;
  const auto constant = [&](const Tensor& t) {
    return graph
        .add_node({.op = "Const",
                   .name = "",
                   .inputs = {},
                   .attrs = {{"value", t}, {"dtype", t.dtype()}},
                   .control_inputs = {}})
        ->output();
  };
  const Output rows =
      graph
          .add_node({.op = "GatherV2",
                     .name = "",
                     .inputs = {constant(table), constant(indices), constant(i32({0}, {}))},
                     .attrs = {},
                     .control_inputs = {}})
          ->output();
  Session session({.graph = &graph, .threads = 2});
  const Tensor got = session.run(rows);
  for (std::int64_t i = 0; i < 5000; ++i) {
    for (std::int64_t d = 0; d < kColumns; ++d) {
      ASSERT_EQ(got.data<float>()[i * kColumns + d],
                static_cast<float>(indices.data<std::int64_t>()[i] * kColumns + d));
    }
  }
}

/// The gradient of a gather along axis 0 stays sparse: a row for each index, in TensorFlow's shape.
TEST(ArrayGather, GradientIsIndexedSlices) {
  Graph graph;
  const auto add = [&](const char* op, std::vector<Output> inputs, AttrMap attrs = {}) {
    return graph
        .add_node({.op = op,
                   .name = "",
                   .inputs = std::move(inputs),
                   .attrs = std::move(attrs),
                   .control_inputs = {}})
        ->output();
  };
  const Output params =
      add("Placeholder", {}, {{"dtype", float32}, {"shape", PartialShape{-1, 2}}});
  const Output ids = add("Const", {}, {{"value", i32({2, 0, 2, 1}, {2, 2})}, {"dtype", int32}});
  const Output axis = add("Const", {}, {{"value", i32({0}, {})}, {"dtype", int32}});
  const Output rows = add("GatherV2", {params, ids, axis});
  const std::vector<Gradient> g = gradients({rows}, {params});
  ASSERT_TRUE(g[0].is_sparse());
  Session session({.graph = &graph, .threads = 1});
  const std::vector<Tensor> got =
      session.run({{params, f32({1, 2, 3, 4, 5, 6}, {3, 2})}},
                  {g[0].slices.values, g[0].slices.indices, g[0].slices.dense_shape});
  EXPECT_TRUE(got[0].identical(f32({1, 1, 1, 1, 1, 1, 1, 1}, {4, 2}))) << got[0].str();
  EXPECT_TRUE(got[1].identical(i32({2, 0, 2, 1}))) << got[1].str();
  EXPECT_TRUE(got[2].identical(i32({3, 2}))) << got[2].str();
}

}  // namespace
}  // namespace assay::testing
