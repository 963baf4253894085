// Segments, counts and the largest entries.

#include <gtest/gtest.h>

#include <limits>

#include "tests/ops/op_case.h"

namespace assay::testing {

std::vector<OpCase> array_segment_cases() {
  const Tensor rows = f32({1, 2, 3, 4, 5, 6, 7, 8}, {4, 2});
  const double low = std::numeric_limits<float>::lowest();
  const double high = std::numeric_limits<float>::max();
  return {
      {.op = "UnsortedSegmentSum",
       .inputs = {rows, i32({2, 0, 2, -1}), i32({3}, {})},
       .expected = {f32({3, 4, 0, 0, 6, 8}, {3, 2})},
       .shapes = {{"[4,2];[4];=", "[3,2]"},
                  {"[?,2];[?];[]", "[?,2]"},
                  {"[4,2];[3];=", "error: does not start"}}},
      {.op = "UnsortedSegmentSum",
       .inputs = {rows, i64({1, 0, 1, 1, 0, 0, 0, 1}, {4, 2}), i64({2}, {})},
       .expected = {f32({2 + 5 + 6 + 7, 1 + 3 + 4 + 8})},
       .note = "ids of the data's shape"},
      {.op = "UnsortedSegmentProd",
       .inputs = {rows, i32({1, 0, 1, -1}), i32({2}, {})},
       .expected = {f32({3, 4, 5, 12}, {2, 2})},
       .gradient_tolerance = 1e-5},
      {.op = "UnsortedSegmentProd",
       .inputs = {f32({0, 2, 0, 0, 3}), i32({0, 0, 1, 1, 1}), i32({2}, {})},
       .expected = {f32({0, 0})},
       .second_gradient = false,
       .note = "with zeros"},
      {.op = "UnsortedSegmentMax",
       .inputs = {rows, i32({2, 0, 2, -1}), i32({3}, {})},
       .expected = {f32({3, 4, low, low, 5, 6}, {3, 2})},
       .dtypes = {float32},
       .gradient = false},
      {.op = "UnsortedSegmentMin",
       .inputs = {rows, i32({2, 0, 2, -1}), i32({3}, {})},
       .expected = {f32({3, 4, high, high, 1, 2}, {3, 2})},
       .dtypes = {float32},
       .gradient = false},
      {.op = "UnsortedSegmentMax",
       .inputs = {rows, i32({1, 0, 1, -1}), i32({2}, {})},
       .expected = {f32({3, 4, 5, 6}, {2, 2})},
       .second_gradient = false,
       .note = "none empty"},
      {.op = "UnsortedSegmentMin",
       .inputs = {rows, i32({1, 0, 1, -1}), i32({2}, {})},
       .expected = {f32({3, 4, 1, 2}, {2, 2})},
       .second_gradient = false,
       .note = "none empty"},
      {.op = "SegmentSum",
       .inputs = {rows, i32({0, 0, 2, 2})},
       .expected = {f32({4, 6, 0, 0, 12, 14}, {3, 2})},
       .shapes = {{"[?,2];=", "[3,2]"},
                  {"[4,2];[4]", "[?,2]"},
                  {"[4,2];[3]", "error: 3 segment ids"}}},
      {.op = "SegmentMean",
       .inputs = {rows, i64({0, 0, 0, 1})},
       .expected = {f32({3, 4, 7, 8}, {2, 2})},
       .tolerance = 1e-6},
      {.op = "SegmentProd",
       .inputs = {rows, i32({0, 0, 1, 1})},
       .expected = {f32({3, 8, 35, 48}, {2, 2})}},
      {.op = "SegmentMax",
       .inputs = {rows, i32({0, 0, 1, 1})},
       .expected = {f32({3, 4, 7, 8}, {2, 2})},
       .second_gradient = false},
      {.op = "SegmentMin",
       .inputs = {rows, i32({0, 0, 1, 1})},
       .expected = {f32({1, 2, 5, 6}, {2, 2})},
       .second_gradient = false},
      {.op = "SegmentSum",
       .inputs = {f32({}, {0, 2}), i32({})},
       .expected = {f32({}, {0, 2})},
       .gradient = false,
       .note = "empty"},

      {.op = "TopKV2",
       .inputs = {f32({3, 9, 1, 9, 5, 2, 8, 7}, {2, 4}), i32({2}, {})},
       .expected = {f32({9, 9, 8, 7}, {2, 2}), i32({1, 3, 2, 3}, {2, 2})},
       .shapes = {{"[?,4];=", "[?,2];[?,2]"},
                  {"[?,4];[]", "[?,?];[?,?]"},
                  {"[1];=", "error: k = 2"}},
       .gradient = false},
      {.op = "TopKV2",
       .inputs = {f32({3, 9, 1, 4, 5, 2, 8, 7}, {2, 4}), i32({2}, {})},
       .expected = {f32({9, 4, 8, 7}, {2, 2}), i32({1, 3, 2, 3}, {2, 2})},
       .note = "no equal ones"},
      {.op = "TopK",
       .attrs = {{"k", std::int64_t{1}}},
       .inputs = {f32({3, 9, 1})},
       .expected = {f32({9}), i32({1})},
       .shapes = {{"[3]", "[1];[1]"}}},
      {.op = "InTopKV2",
       .inputs = {f32({1, 3, 2, 3, 1, 2}, {2, 3}), i32({2, 1}), i32({2}, {})},
       .expected = {bools({1, 0})},
       .other_dtypes = false,
       .shapes = {{"[?,3];[2];[]", "[2]"}}},
      {.op = "InTopK",
       .attrs = {{"k", std::int64_t{1}}},
       .inputs = {f32({1, 3, 3, 1}, {2, 2}), i32({1, 7})},
       .expected = {bools({1, 0})},
       .other_dtypes = false},
      {.op = "Bincount",
       .inputs = {i32({1, 1, 4, 9}), i32({5}, {}), f32({})},
       .expected = {f32({0, 2, 0, 0, 1})},
       .shapes = {{"[?];=;?", "[5]"}}},
      {.op = "Bincount",
       .inputs = {i32({1, 1, 4}), i32({5}, {}), f32({2, 3, 4})},
       .expected = {f32({0, 5, 0, 0, 4})},
       .note = "weights"},
      {.op = "HistogramFixedWidth",
       .inputs = {f32({-1, 0, 1.5, 2, 5, 15}), f32({0, 5}), i32({5}, {})},
       .expected = {i32({2, 1, 1, 0, 2})},
       .shapes = {{"?;[2];=", "[5]"}}},

      {.op = "BitwiseAnd",
       .inputs = {i32({12, 10}), i32({10, 3})},
       .expected = {i32({8, 2})},
       .shapes = {{"[2,1];[?,3]", "[2,3]"}}},
      {.op = "BitwiseOr", .inputs = {i32({12, 10}), i32({3}, {})}, .expected = {i32({15, 11})}},
      {.op = "BitwiseXor",
       .inputs = {i32({12, 10}, {2, 1}), i32({10, 3})},
       .expected = {i32({6, 15, 0, 9}, {2, 2})}},
      {.op = "LeftShift",
       .inputs = {i32({1, 3, 5}), i32({3, 0, -2})},
       .expected = {i32({8, 3, 5})}},
      {.op = "RightShift", .inputs = {i32({-8, 9}), i32({1, 2})}, .expected = {i32({-4, 2})}},
      {.op = "Invert", .inputs = {i32({0, -1, 5})}, .expected = {i32({-1, 0, -6})}},
      {.op = "PopulationCount",
       .inputs = {i32({0, 7, 64})},
       .expected = {numbers(uint8, {0, 3, 1}, {3})}},
  };
}

namespace {

TEST(ArraySegment, Cases) {
  check_all(array_segment_cases());
}

TEST(ArraySegment, ErrorsSayWhatDoesNotFit) {
  const Tensor x = f32({1, 2, 3});
  expect_error("UnsortedSegmentSum", {x, i32({0, 3, 1}), i32({3}, {})}, {},
               "segment_ids[1] = 3 is not in [0, 3)");
  expect_error("SegmentSum", {x, i32({0, 2, 1})}, {}, "ids must be sorted");
  expect_error("SegmentSum", {x, i32({0, 1})}, {}, "3 rows but 2 segment ids");
  expect_error("TopKV2", {x, i32({4}, {})}, {}, "k = 4 is not in [0, 3]");
  expect_error("Bincount", {i32({-1}), i32({5}, {}), f32({})}, {}, "must not be negative");
}

}  // namespace
}  // namespace assay::testing
