// What initializers give: TensorFlow's numbers for the same seeds, and the nodes it builds.

#include "assay/api/initializers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "assay/api/partitioned_variable.h"
#include "assay/api/variable_scope.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"
#include "tests/ops/npy_file.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

using testing::code_of;

/// The value in a graph of seed 1, of shape [10, 100].
std::vector<float> made_by(const Initializer& initializer) {
  Graph graph;
  GraphScope scope(graph);
  graph.set_seed(1);
  const Output value = initializer(Shape{10, 100}, float32);
  Session session({.graph = &graph, .threads = 1});
  return session.run(value).to_vector<float>();
}

// TensorFlow's recorded streams of the seeds 1 and 2, scaled as each initializer says.
TEST(Initializers, ScaleTensorFlowsStreams) {
  ASSAY_SHARED_OR_SKIP(folder, "fixtures/tf1_goldens/data");
  const auto stream = [&](const std::string& id) {
    return testing::read_npy_file(folder / (id + ".r0.out0.npy"));
  };
  const Tensor uniform = stream("RandomUniform.f32.s1_2.n1000");
  const Tensor normal = stream("RandomStandardNormal.f32.s1_2.n100003");
  const Tensor truncated = stream("TruncatedNormal.f32.s1_2.n1000");
  const auto between = [&](const Initializer& initializer, double low, double high) {
    const std::vector<float> got = made_by(initializer);
    const float from = static_cast<float>(low);
    const float width = static_cast<float>(high) - from;
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i], uniform.data<float>()[i] * width + from) << i;
    }
  };
  const auto around = [&](const Initializer& initializer, const Tensor& numbers, double mean,
                          double stddev) {
    const std::vector<float> got = made_by(initializer);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const float z = numbers.data<float>()[i];
      const float want = z * static_cast<float>(stddev) + static_cast<float>(mean);
      const double size = std::abs(static_cast<double>(z) * stddev) + std::abs(mean);
      ASSERT_NEAR(got[i], want, 3 * 0x1p-23 * size) << i;
    }
  };
  between(random_uniform_initializer({.minval = -3, .maxval = 0.5, .seed = 2}), -3, 0.5);
  const double glorot = std::sqrt(3 * (1 / 55.0));
  between(glorot_uniform_initializer({.seed = 2}), -glorot, glorot);
  const double he = std::sqrt(3 * (2 / 10.0));
  between(he_uniform({.seed = 2}), -he, he);
  const double lecun = std::sqrt(3 * (1 / 10.0));
  between(lecun_uniform({.seed = 2}), -lecun, lecun);
  between(uniform_unit_scaling_initializer({.factor = 1.43, .seed = 2}),
          -std::sqrt(3 / 10.0) * 1.43, std::sqrt(3 / 10.0) * 1.43);
  around(random_normal_initializer({.mean = 2, .stddev = 0.7, .seed = 2}), normal, 2, 0.7);
  around(variance_scaling_initializer({.scale = 3,
                                       .mode = FanMode::kFanOut,
                                       .distribution = ScalingDistribution::kUntruncatedNormal,
                                       .seed = 2}),
         normal, 0, std::sqrt(3 / 100.0));
  around(truncated_normal_initializer({.mean = -1, .stddev = 0.3, .seed = 2}), truncated, -1, 0.3);
  constexpr double kCut = 0.87962566103423978;
  around(glorot_normal_initializer({.seed = 2}), truncated, 0, std::sqrt(1 / 55.0) / kCut);
  around(he_normal({.seed = 2}), truncated, 0, std::sqrt(2 / 10.0) / kCut);
  around(lecun_normal({.seed = 2}), truncated, 0, std::sqrt(1 / 10.0) / kCut);
}

std::vector<std::string> nodes_of(const Initializer& initializer, const Shape& shape) {
  Graph graph;
  GraphScope scope(graph);
  initializer(shape, float32);
  std::vector<std::string> made;
  for (const auto& node : graph.nodes()) made.push_back(node->name() + " " + node->op());
  return made;
}

TEST(OrthogonalInitializer, NodesOfTensorFlow) {
  std::vector<std::string> want = {"random_normal/shape Const",
                                   "random_normal/mean Const",
                                   "random_normal/stddev Const",
                                   "random_normal/RandomStandardNormal RandomStandardNormal",
                                   "random_normal/mul Mul",
                                   "random_normal Add",
                                   "Qr Qr",
                                   "DiagPart DiagPart",
                                   "Sign Sign",
                                   "mul Mul",
                                   "Reshape/shape Const",
                                   "Reshape Reshape",
                                   "mul_1/x Const",
                                   "mul_1 Mul"};
  EXPECT_EQ(nodes_of(orthogonal_initializer(), Shape{2, 2, 3}), want);
  want.insert(want.begin() + 10,
              {"matrix_transpose/transpose/perm Const", "matrix_transpose/transpose Transpose"});
  EXPECT_EQ(nodes_of(orthogonal_initializer(), Shape{2, 3}), want);
}

TEST(OrthogonalInitializer, ColumnsOrRowsAreOrthogonal) {
  for (const Shape& shape :
       {Shape{5, 5}, Shape{9, 4}, Shape{4, 9}, Shape{2, 3, 4}, Shape{70, 50}}) {
    Graph graph;
    GraphScope scope(graph);
    const Output w = orthogonal_initializer({.gain = 2, .seed = 3})(shape, float64);
    Session session({.graph = &graph, .threads = 2});
    const auto out = session.run({w, graph.find_node("random_normal")->output()});
    ASSERT_EQ(out[0].shape(), shape);
    const std::int64_t columns = shape[shape.rank() - 1];
    const std::int64_t rows = shape.num_elements() / columns;
    // Q with the long side down, its columns orthogonal.
    const std::int64_t n = std::max(rows, columns);
    const std::int64_t p = std::min(rows, columns);
    const auto q = [&](std::int64_t i, std::int64_t j) {
      return out[0].data<double>()[rows >= columns ? i * columns + j : j * columns + i];
    };
    for (std::int64_t i = 0; i < p; ++i) {
      for (std::int64_t j = 0; j < p; ++j) {
        double product = 0;
        double r = 0;  // Q^T A
        for (std::int64_t k = 0; k < n; ++k) {
          product += q(k, i) * q(k, j);
          r += q(k, i) * out[1].data<double>()[k * p + j];
        }
        EXPECT_NEAR(product, i == j ? 4 : 0, 1e-12);
        if (i == j) {
          EXPECT_GT(r, 0);
        } else if (j < i) {
          EXPECT_NEAR(r, 0, 1e-12);
        }
      }
    }
  }
}

TEST(IdentityInitializer, NodesAndValues) {
  EXPECT_EQ(nodes_of(identity_initializer(), Shape{3, 3}),
            (std::vector<std::string>{"eye/ones Const", "eye/diag MatrixDiag", "mul/x Const",
                                      "mul Mul"}));
  EXPECT_EQ(nodes_of(identity_initializer(), Shape{2, 3}),
            (std::vector<std::string>{"eye/ones Const", "eye/zeros Const",
                                      "eye/set_diag MatrixSetDiag", "mul/x Const", "mul Mul"}));
  Graph graph;
  GraphScope scope(graph);
  const Output square = identity_initializer({.gain = 3})(Shape{2, 2}, float32);
  const Output wide = identity_initializer({.gain = 3})(Shape{2, 3}, float32);
  Session session({.graph = &graph, .threads = 1});
  EXPECT_EQ(session.run(square).to_vector<float>(), (std::vector<float>{3, 0, 0, 3}));
  EXPECT_EQ(session.run(wide).to_vector<float>(), (std::vector<float>{3, 0, 0, 0, 3, 0}));
}

TEST(IdentityInitializer, PartsOfAVariable) {
  Graph graph;
  GraphScope scope(graph);
  const auto v = get_partitioned_variable("v", {3, 3}, fixed_size_partitioner(2),
                                          {.initializer = identity_initializer({.gain = 2})});
  Session session({.graph = &graph, .threads = 1});
  EXPECT_EQ(session.run(v.parts()[0].initial_value()).to_vector<float>(),
            (std::vector<float>{2, 0, 0, 0, 2, 0}));
  EXPECT_EQ(session.run(v.parts()[1].initial_value()).to_vector<float>(),
            (std::vector<float>{0, 0, 2}));
  std::vector<std::string> made;
  for (const auto& node : graph.nodes()) {
    if (node->name().starts_with("v/part_1/Init")) made.push_back(node->name() + " " + node->op());
  }
  const std::string in = "v/part_1/Initializer/";
  EXPECT_EQ(made,
            (std::vector<std::string>{in + "eye/ones Const", in + "eye/diag MatrixDiag",
                                      in + "Slice/begin Const", in + "Slice/size Const",
                                      in + "Slice Slice", in + "mul/x Const", in + "mul Mul"}));
}

TEST(Initializers, RefuseOtherShapes) {
  Graph graph;
  GraphScope scope(graph);
  const auto code = [](const Initializer& initializer, const Shape& shape) {
    return code_of([&] { initializer(shape, float32); });
  };
  EXPECT_EQ(code(orthogonal_initializer(), Shape{3}), Code::kInvalidArgument);
  EXPECT_EQ(code(identity_initializer(), Shape{3}), Code::kInvalidArgument);
  EXPECT_EQ(code(identity_initializer(), Shape{3, 3, 3}), Code::kInvalidArgument);
}

}  // namespace
}  // namespace assay
