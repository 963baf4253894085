// Slices, transposes, pads, reversals and the moves between space, depth and batch.

#include <gtest/gtest.h>

#include "tests/ops/op_case.h"

namespace assay::testing {
namespace {

std::int64_t num(int x) {
  return x;
}

}  // namespace

std::vector<OpCase> array_slice_cases() {
  const Tensor x23 = f32({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor x234 =
      f32({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24},
          {2, 3, 4});
  return {
      {.op = "Slice",
       .inputs = {x23, i32({0, 1}), i32({2, -1})},
       .expected = {f32({2, 3, 5, 6}, {2, 2})},
       .shapes = {{"[2,3];=;=", "[2,2]"},
                  {"[?,?];=;=", "[2,?]"},
                  {"?;=;=", "[2,?]"},
                  {"[2,3];[2];[2]", "[?,?]"},
                  {"[1,3];=;=", "error: reach beyond"}}},
      {.op = "Slice",
       .inputs = {x23, i64({1, 0}), i64({0, 3})},
       .expected = {f32({}, {0, 3})},
       .note = "empty"},
      {.op = "StridedSlice",
       .inputs = {x23, i32({0, 1}), i32({2, 3}), i32({1, 1})},
       .expected = {f32({2, 3, 5, 6}, {2, 2})},
       .shapes = {{"[2,3];=;=;=", "[2,2]"},
                  {"[?,3];=;=;=", "[?,2]"},
                  {"?;=;=;=", "?"},
                  {"[2,3];[2];[2];[2]", "[?,?]"}}},
      {.op = "StridedSlice",
       .inputs = {x23, i32({-1, 2}), i32({-3, 0}), i32({-1, -2})},
       .expected = {f32({6, 3}, {2, 1})},
       .note = "backwards"},
      {.op = "StridedSlice",
       .attrs = {{"begin_mask", num(1)}, {"end_mask", num(3)}},
       .inputs = {x23, i32({9, -2}), i32({9, 9}), i32({-1, 1})},
       .expected = {f32({5, 6, 2, 3}, {2, 2})},
       .note = "open ends"},
      {.op = "StridedSlice",
       .attrs = {{"shrink_axis_mask", num(1)}},
       .inputs = {x23, i32({-1}), i32({0}), i32({1})},
       .expected = {f32({4, 5, 6})},
       .shapes = {{"[2,?];=;=;=", "[?]"}, {"[0,3];=;=;=", "error: out of bounds"}},
       .note = "one index"},
      {.op = "StridedSlice",
       .attrs = {{"ellipsis_mask", num(1)},
                 {"new_axis_mask", num(2)},
                 {"shrink_axis_mask", num(4)}},
       .inputs = {x234, i32({0, 0, 1}), i32({0, 0, 2}), i32({1, 1, 1})},
       .expected = {f32({2, 6, 10, 14, 18, 22}, {2, 3, 1})},
       .shapes = {{"[?,?,4];=;=;=", "[?,?,1]"}},
       .note = "[..., newaxis, 1]"},
      {.op = "StridedSlice",
       .attrs = {{"ellipsis_mask", num(2)}},
       .inputs = {x234, i64({1, 0, 3}), i64({2, 0, 4}), i64({1, 1, 1})},
       .expected = {f32({16, 20, 24}, {1, 3, 1})},
       .note = "[1:2, ..., 3:4]"},
      {.op = "StridedSlice",
       .inputs = {x23, i32({1, 0}), i32({1, 3}), i32({1, 1})},
       .expected = {f32({}, {0, 3})},
       .note = "empty"},
      {.op = "StridedSliceGrad",
       .inputs = {i32({2, 3}), i32({0, 2}), i32({2, 0}), i32({1, -1}), f32({1, 2, 3, 4}, {2, 2})},
       .expected = {f32({0, 2, 1, 0, 4, 3}, {2, 3})},
       .shapes = {{"=;=;=;=;?", "[2,3]"}, {"[2];=;=;=;?", "[?,?]"}}},
      {.op = "StridedSliceAssign",
       .inputs = {x23, i32({0, 1}), i32({1, 3}), i32({1, 1}), f32({8, 9}, {1, 2})},
       .expected = {f32({1, 8, 9, 4, 5, 6}, {2, 3})}},

      {.op = "Transpose",
       .inputs = {x23, i32({1, 0})},
       .expected = {f32({1, 4, 2, 5, 3, 6}, {3, 2})},
       .shapes = {{"[?,3];=", "[3,?]"},
                  {"?;=", "[?,?]"},
                  {"[2,3];[2]", "[?,?]"},
                  {"[2,3,4];=", "error: 2 entries"}}},
      {.op = "Transpose",
       .inputs = {x234, i64({0, 2, 1})},
       .expected = {f32(
           {1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12, 13, 17, 21, 14, 18, 22, 15, 19, 23, 16, 20, 24},
           {2, 4, 3})},
       .note = "batch of planes"},
      {.op = "Transpose",
       .inputs = {f32({3}, {}), i32({})},
       .expected = {f32({3}, {})},
       .note = "scalar"},
      {.op = "ConjugateTranspose",
       .inputs = {x23, i32({1, 0})},
       .expected = {f32({1, 4, 2, 5, 3, 6}, {3, 2})}},
      {.op = "InvertPermutation",
       .inputs = {i32({2, 0, 1})},
       .expected = {i32({1, 2, 0})},
       .shapes = {{"[?]", "[?]"}}},

      {.op = "Pad",
       .inputs = {x23, i32({1, 0, 0, 2}, {2, 2})},
       .expected = {f32({0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 4, 5, 6, 0, 0}, {3, 5})},
       .shapes = {{"[?,3];=", "[?,5]"}, {"?;=", "[?,?]"}, {"[2];=", "error: 2 rows"}}},
      {.op = "PadV2",
       .inputs = {f32({1, 2}), i64({1, 1}, {1, 2}), f32({9}, {})},
       .expected = {f32({9, 1, 2, 9})},
       .gradient = false},
      {.op = "MirrorPad",
       .attrs = {{"mode", std::string("REFLECT")}},
       .inputs = {x23, i32({1, 1, 2, 0}, {2, 2})},
       .expected = {f32({6, 5, 4, 5, 6, 3, 2, 1, 2, 3, 6, 5, 4, 5, 6, 3, 2, 1, 2, 3}, {4, 5})},
       .shapes = {{"[?,3];=", "[?,5]"}, {"[2,2];=", "error: can be mirrored"}}},
      {.op = "MirrorPad",
       .attrs = {{"mode", std::string("SYMMETRIC")}},
       .inputs = {f32({1, 2, 3}), i32({2, 3}, {1, 2})},
       .expected = {f32({2, 1, 1, 2, 3, 3, 2, 1})},
       .note = "symmetric"},
      {.op = "MirrorPadGrad",
       .attrs = {{"mode", std::string("REFLECT")}},
       .inputs = {f32({1, 2, 3, 4, 5}), i32({1, 1}, {1, 2})},
       .expected = {f32({2, 3 + 1 + 5, 4})},
       .shapes = {{"[5];=", "[3]"}}},

      {.op = "Reverse",
       .inputs = {x23, bools({0, 1})},
       .expected = {f32({3, 2, 1, 6, 5, 4}, {2, 3})}},
      {.op = "ReverseV2",
       .inputs = {x23, i32({0, -1})},
       .expected = {f32({6, 5, 4, 3, 2, 1}, {2, 3})},
       .shapes = {{"[?,3];=", "[?,3]"}}},
      {.op = "ReverseSequence",
       .attrs = {{"seq_dim", num(1)}},
       .inputs = {x23, i64({2, 3})},
       .expected = {f32({2, 1, 3, 6, 5, 4}, {2, 3})}},
      {.op = "ReverseSequence",
       .attrs = {{"seq_dim", num(0)}, {"batch_dim", num(1)}},
       .inputs = {x23, i32({2, 1, 0})},
       .expected = {f32({4, 2, 3, 1, 5, 6}, {2, 3})},
       .note = "along the first dimension"},
      {.op = "Roll",
       .inputs = {x23, i32({1, -1}), i32({0, 1})},
       .expected = {f32({5, 6, 4, 2, 3, 1}, {2, 3})},
       .shapes = {{"[?,3];[2];[2]", "[?,3]"}}},

      {.op = "SpaceToDepth",
       .attrs = {{"block_size", num(2)}},
       .inputs = {f32({1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 4, 1})},
       .expected = {f32({1, 2, 5, 6, 3, 4, 7, 8}, {1, 1, 2, 4})},
       .shapes = {{"[?,4,?,3]", "[?,2,?,12]"}, {"[1,3,2,1]", "error: does not divide by 2"}}},
      {.op = "DepthToSpace",
       .attrs = {{"block_size", num(2)}},
       .inputs = {f32({1, 2, 5, 6, 3, 4, 7, 8}, {1, 1, 2, 4})},
       .expected = {f32({1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 4, 1})},
       .shapes = {{"[1,?,2,8]", "[1,?,4,2]"}}},
      {.op = "DepthToSpace",
       .attrs = {{"block_size", num(2)}, {"data_format", std::string("NCHW")}},
       .inputs = {f32({1, 5, 2, 6, 3, 7, 4, 8}, {1, 4, 1, 2})},
       .expected = {f32({1, 2, 5, 6, 3, 4, 7, 8}, {1, 1, 2, 4})},
       .note = "channels first"},
      {.op = "SpaceToBatchND",
       .inputs = {f32({1, 2, 3, 4, 5}, {1, 5}), i32({2}), i32({1, 0}, {1, 2})},
       .expected = {f32({0, 2, 4, 1, 3, 5}, {2, 3})},
       .shapes = {{"[?,5];=;=", "[?,3]"},
                  {"[1,?];[1];=", "[?,?]"},
                  {"[1,4];=;=", "error: does not divide"}}},
      {.op = "SpaceToBatchND",
       .inputs = {f32({1, 2, 3, 4}, {1, 2, 2, 1}), i32({2, 2}), i32({0, 0, 0, 0}, {2, 2})},
       .expected = {f32({1, 2, 3, 4}, {4, 1, 1, 1})},
       .note = "two dimensions"},
      {.op = "BatchToSpaceND",
       .inputs = {f32({0, 2, 4, 1, 3, 5}, {2, 3}), i32({2}), i32({1, 0}, {1, 2})},
       .expected = {f32({1, 2, 3, 4, 5}, {1, 5})},
       .shapes = {{"[?,3];=;=", "[?,5]"}}},

      {.op = "MatrixBandPart",
       .inputs = {x23, i64({0}, {}), i64({1}, {})},
       .expected = {f32({1, 2, 0, 0, 5, 6}, {2, 3})}},
      {.op = "MatrixBandPart",
       .inputs = {x23, i64({-1}, {}), i64({0}, {})},
       .expected = {f32({1, 0, 0, 4, 5, 0}, {2, 3})},
       .note = "lower half"},
      {.op = "MatrixDiag",
       .inputs = {f32({1, 2, 3, 4}, {2, 2})},
       .expected = {f32({1, 0, 0, 2, 3, 0, 0, 4}, {2, 2, 2})},
       .shapes = {{"[?,3]", "[?,3,3]"}}},
      {.op = "MatrixDiagPart",
       .inputs = {x23},
       .expected = {f32({1, 5})},
       .shapes = {{"[4,2,3]", "[4,2]"}, {"[2,?]", "[?]"}}},
      {.op = "MatrixSetDiag",
       .inputs = {x23, f32({8, 9})},
       .expected = {f32({8, 2, 3, 4, 9, 6}, {2, 3})},
       .shapes = {{"[2,3];[3]", "error: the diagonal of"}}},
      {.op = "Diag",
       .inputs = {f32({1, 2})},
       .expected = {f32({1, 0, 0, 2}, {2, 2})},
       .shapes = {{"[2,?]", "[2,?,2,?]"}}},
      {.op = "DiagPart",
       .inputs = {f32({1, 2, 3, 4}, {2, 2})},
       .expected = {f32({1, 4})},
       .shapes = {{"[2,?,?,3]", "[2,3]"}, {"[2,3]", "error: both halves"}}},
  };
}

namespace {

TEST(ArraySlice, Cases) {
  check_all(array_slice_cases());
}

TEST(ArraySlice, ErrorsSayWhatDoesNotFit) {
  const Tensor x = f32({1, 2, 3, 4, 5, 6}, {2, 3});
  expect_error("Slice", {x, i32({0, 2}), i32({2, 2})}, {}, "begin[1] = 2 and size[1] = 2");
  expect_error("Slice", {x, i32({0}), i32({2})}, {}, "needs as many begins");
  expect_error("StridedSlice", {x, i32({0}), i32({1}), i32({0})}, {}, "strides[0]");
  expect_error("StridedSlice", {x, i32({0, 0, 0}), i32({1, 1, 1}), i32({1, 1, 1})}, {},
               "the input has only 2");
  expect_error("StridedSlice", {x, i32({2}), i32({3}), i32({1})},
               {{"shrink_axis_mask", std::int64_t{1}}}, "slice index 2 of dimension 0");
  expect_error("Transpose", {x, i32({0, 0})}, {}, "occurs twice");
  expect_error("Transpose", {x, i32({0, 2})}, {}, "perm entry 2");
  expect_error("InvertPermutation", {i32({0, 2})}, {}, "outside [0, 2)");
  expect_error("Pad", {x, i32({1, 1}, {1, 2})}, {}, "1 rows of paddings");
  expect_error("Pad", {x, i32({1, -1, 0, 0}, {2, 2})}, {}, "must not be negative");
  expect_error("ReverseSequence", {x, i64({4, 0})}, {{"seq_dim", std::int64_t{1}}},
               "seq_lengths[0] = 4 is not in [0, 3]");
}

}  // namespace
}  // namespace assay::testing
