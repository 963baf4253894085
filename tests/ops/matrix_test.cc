// Decompositions of matrices and systems of equations.

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ops/op_case.h"
#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"

namespace assay::testing {

std::vector<OpCase> matrix_cases() {
  const double root = std::sqrt(29.0) / 3;
  const std::vector<ShapeCase> qr_shapes = {{"[5,3]", "[5,3];[3,3]"},
                                            {"[3,5]", "[3,3];[3,5]"},
                                            {"[2,?,4]", "[2,?,?];[2,?,4]"},
                                            {"?", "?;?"},
                                            {"[3]", "error: rank"}};
  return {
      {.op = "Qr",
       .inputs = {f32({3, 0, 4, 5}, Shape{2, 2})},
       .expected = {f32({-.6, -.8, -.8, .6}, Shape{2, 2}), f32({-5, -4, 0, 3}, Shape{2, 2})},
       .tolerance = 1e-6,
       .shapes = qr_shapes,
       .gradient_tolerance = 1e-5},
      {.op = "Qr",
       .inputs = {f32({1, 2, 2, 0, 2, 1}, Shape{3, 2})},
       .expected = {f32({-1 / 3., 14 / 9. / root, -2 / 3., -8 / 9. / root, -2 / 3., 1 / 9. / root},
                        Shape{3, 2}),
                    f32({-3, -4 / 3., 0, root}, Shape{2, 2})},
       .tolerance = 1e-6,
       .gradient_tolerance = 1e-5,
       .note = "tall"},
      {.op = "Qr",
       .inputs = {f32({3, 0, 4, 5, 4, 1, 3, 2}, Shape{2, 2, 2})},
       .expected = {f32({-.6, -.8, -.8, .6, -.8, -.6, -.6, .8}, Shape{2, 2, 2}),
                    f32({-5, -4, 0, 3, -5, -2, 0, 1}, Shape{2, 2, 2})},
       .tolerance = 1e-6,
       .gradient_tolerance = 1e-5,
       .note = "a batch"},
      {.op = "Qr",
       .attrs = {{"full_matrices", true}},
       .inputs = {f32({3, 4}, Shape{2, 1})},
       .expected = {f32({-.6, -.8, -.8, .6}, Shape{2, 2}), f32({-5, 0}, Shape{2, 1})},
       .tolerance = 1e-6,
       .shapes = {{"[5,3]", "[5,5];[5,3]"}, {"[3,5]", "[3,3];[3,5]"}},
       .gradient = false,
       .note = "full"},
      {.op = "Qr",
       .inputs = {f32({3, 0, 1, 4, 5, 2}, Shape{2, 3})},
       .expected = {f32({-.6, -.8, -.8, .6}, Shape{2, 2}),
                    f32({-5, -4, -2.2, 0, 3, .4}, Shape{2, 3})},
       .tolerance = 1e-6,
       .gradient = false,
       .note = "wide"},
      {.op = "MatrixTriangularSolve",
       .inputs = {f32({2, 9, 1, 4}, Shape{2, 2}), f32({2, 4, 9, 10}, Shape{2, 2})},
       .expected = {f32({1, 2, 2, 2}, Shape{2, 2})},
       .tolerance = 1e-6,
       .shapes = {{"[3,3];[3,2]", "[3,2]"},
                  {"[?,?];[?,5]", "[?,5]"},
                  {"[7,3,?];[?,?,2]", "[7,3,2]"},
                  {"?;[3,2]", "[3,2]"},
                  {"[3,2];[3,2]", "error: differ"},
                  {"[3,3];[2,2]", "error: differ"},
                  {"[2,3,3];[3,2]", "error: ranks"}}},
      {.op = "MatrixTriangularSolve",
       .attrs = {{"adjoint", true}},
       .inputs = {f32({2, 9, 1, 4}, Shape{2, 2}), f32({2, 4, 9, 10}, Shape{2, 2})},
       .expected = {f32({-.125, .75, 2.25, 2.5}, Shape{2, 2})},
       .tolerance = 1e-6,
       .note = "adjoint"},
      {.op = "MatrixTriangularSolve",
       .attrs = {{"lower", false}},
       .inputs = {f32({2, 9, 1, 4}, Shape{2, 2}), f32({2, 4, 9, 10}, Shape{2, 2})},
       .expected = {f32({-9.125, -9.25, 2.25, 2.5}, Shape{2, 2})},
       .tolerance = 1e-6,
       .note = "upper"},
      {.op = "MatrixTriangularSolve",
       .attrs = {{"lower", false}, {"adjoint", true}},
       .inputs = {f32({2, 8, 1, 4, 1, 0, 0, 2}, Shape{2, 2, 2}),
                  f32({2, 12, 3, 4}, Shape{2, 2, 1})},
       .expected = {f32({1, 1, 3, 2}, Shape{2, 2, 1})},
       .tolerance = 1e-6,
       .note = "a batch"},
  };
}

namespace {

TEST(Matrix, Cases) {
  check_all(matrix_cases());
}

// A = QR, Q's columns orthogonal, R a triangle, whatever the sizes.
TEST(Qr, PutsTheMatrixTogetherAgain) {
  for (const auto& [m, n] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {1, 1}, {7, 7}, {60, 9}, {9, 60}, {130, 130}}) {
    for (const bool full : {false, true}) {
      Tensor a(float64, Shape{m, n});
      for (std::int64_t i = 0; i < m * n; ++i) {
        a.data<double>()[i] = std::sin(static_cast<double>(i * i + 1));
      }
      std::vector<Tensor> before;
      for (const int threads : {1, 3}) {
        OpGraph g;
        Node* qr = g.node("Qr", {g.constant(a)}, {{"full_matrices", full}});
        const auto out = g.session(threads).run({qr->output(0), qr->output(1)});
        const std::int64_t p = full ? m : std::min(m, n);
        const double* q = out[0].data<double>();
        const double* r = out[1].data<double>();
        for (std::int64_t i = 0; i < m; ++i) {
          for (std::int64_t j = 0; j < n; ++j) {
            double sum = 0;
            for (std::int64_t k = 0; k < p; ++k) sum += q[i * p + k] * r[k * n + j];
            ASSERT_NEAR(sum, a.data<double>()[i * n + j], 1e-12);
          }
        }
        for (std::int64_t i = 0; i < p; ++i) {
          for (std::int64_t j = 0; j < p; ++j) {
            double sum = 0;
            for (std::int64_t k = 0; k < m; ++k) sum += q[k * p + i] * q[k * p + j];
            ASSERT_NEAR(sum, i == j ? 1 : 0, 1e-12);
          }
          for (std::int64_t j = 0; j < std::min(i, n); ++j) ASSERT_EQ(r[i * n + j], 0);
        }
        for (std::size_t k = 0; k < before.size(); ++k) {
          EXPECT_TRUE(out[k].identical(before[k])) << m << "x" << n;
        }
        before = out;
      }
    }
  }
}

TEST(Qr, OddMatrices) {
  OpGraph g;
  const auto shapes_of = [&](const Tensor& a, bool full) {
    Node* qr = g.node("Qr", {g.constant(a)}, {{"full_matrices", full}});
    const auto out = g.session().run({qr->output(0), qr->output(1)});
    return out[0].shape().str() + out[1].shape().str();
  };
  EXPECT_EQ(shapes_of(Tensor::zeros(float32, Shape{3, 0}), false), "[3,0][0,0]");
  EXPECT_EQ(shapes_of(Tensor::zeros(float32, Shape{3, 0}), true), "[3,3][3,0]");
  EXPECT_EQ(shapes_of(Tensor::zeros(float32, Shape{0, 3}), true), "[0,0][0,3]");
  EXPECT_EQ(shapes_of(Tensor::zeros(float32, Shape{0, 2, 2}), false), "[0,2,2][0,2,2]");
  EXPECT_EQ(shapes_of(Tensor::zeros(float32, Shape{2, 2}), false), "[2,2][2,2]");
  EXPECT_EQ(shapes_of(f32({std::nan(""), HUGE_VAL, -HUGE_VAL, 1}, Shape{2, 2}), false),
            "[2,2][2,2]");
}

TEST(Qr, GradientsThatTensorFlowHasNot) {
  OpGraph g;
  const Output wide = g.constant(f32({1, 2, 3, 4, 5, 6}, Shape{2, 3}));
  EXPECT_EQ(code_of([&] { dense_gradients({g.op("Qr", {wide})}, {wide}); }), Code::kUnimplemented);
  const Output tall = g.constant(f32({1, 2, 3, 4, 5, 6}, Shape{3, 2}));
  const Output full = g.op("Qr", {tall}, {{"full_matrices", true}});
  EXPECT_EQ(code_of([&] { dense_gradients({full}, {tall}); }), Code::kUnimplemented);
}

TEST(MatrixTriangularSolve, RefusesASingularMatrix) {
  expect_error("MatrixTriangularSolve", {f32({1, 0, 2, 0}, Shape{2, 2}), f32({1, 2}, Shape{2, 1})},
               {}, "not invertible");
}

}  // namespace
}  // namespace assay::testing
