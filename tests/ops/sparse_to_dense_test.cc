#include <gtest/gtest.h>

#include "tests/ops/op_case.h"

namespace assay::testing {
namespace {

TEST(SparseToDense, Cases) {
  check_all({
      {.op = "SparseToDense",
       .inputs = {i32({0, 1, 1, 2}, {2, 2}), i32({2, 3}), f32({5, 7}), f32({-1}, {})},
       .expected = {f32({-1, 5, -1, -1, -1, 7}, {2, 3})},
       .shapes = {{"[2,2];=;[2];[]", "[2,3]"},
                  {"[?,2];[2];[?];[]", "[?,?]"},
                  {"[2,2];=;[2];[1]", "error: rank"}},
       .constant_inputs = {0, 1}},
      {.op = "SparseToDense",
       .inputs = {i32({0, 2}), i32({4}), f32({9}, {}), f32({0}, {})},
       .expected = {f32({9, 0, 9, 0})},
       .constant_inputs = {0, 1},
       .note = "one value for all, a vector of indices"},
      {.op = "SparseToDense",
       .inputs = {i32({1}, {}), i32({2}), f32({3}, {}), f32({0}, {})},
       .expected = {f32({0, 3})},
       .constant_inputs = {0, 1},
       .note = "one place"},
  });
}

TEST(SparseToDense, Mistakes) {
  const auto expect = [](const Tensor& indices, const std::string& words) {
    expect_error("SparseToDense", {indices, i32({2, 3}), f32({5, 7}), f32({0}, {})}, {}, words);
  };
  expect(i32({0, 1, 2, 0}, {2, 2}), "outside of output_shape [2,3]");
  expect(i32({0, 1, 0, -1}, {2, 2}), "outside of output_shape");
  expect(i32({1, 1, 0, 0}, {2, 2}), "out of order");
  expect(i32({1, 1, 1, 1}, {2, 2}), "there twice");
  expect(i32({0, 1}), "address 1 dimensions");
  expect_error("SparseToDense", {i32({0, 1}), i32({4}), f32({5}), f32({0}, {})}, {}, "2 values");
}

}  // namespace
}  // namespace assay::testing
