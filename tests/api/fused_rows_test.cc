// Chains over matrices with short rows, and what they read in place of what ops would repeat.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/variable.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class FusedRowsTest : public ::testing::Test {
 protected:
  FusedRowsTest() : scope_(graph_) {}

  static Tensor random(const Shape& shape, unsigned seed) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> uniform(-2, 2);
    Tensor t(float32, shape);
    for (float& x : t.span<float>()) x = uniform(generator);
    return t;
  }

  Graph graph_;
  GraphScope scope_;
};

// The sum may not be written over the matrix while later rows still need its first one.
TEST_F(FusedRowsTest, AMatrixIsNotOverwrittenWhileARowOfItIsRead) {
  for (const std::int64_t columns : {16, 600}) {
    const auto x = placeholder(float32, {8, columns});
    const auto matrix = x * 2.0F;
    const auto row = slice(matrix, {0, 0}, {1, columns});
    // What is fetched is never written over; the sum is only passed on.
    const auto sum = transpose(matrix + row);
    const Tensor value = random({8, columns}, 1);
    Session s({.graph = &graph_, .threads = 1});
    const Tensor got = s.run(sum, {{x, value}});
    for (std::int64_t r = 0; r < 8; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        ASSERT_EQ(got.data<float>()[c * 8 + r],
                  2 * value.data<float>()[r * columns + c] + 2 * value.data<float>()[c])
            << r << "," << c;
      }
    }
  }
}

// Several short rows are run at a time; the values are those of every op by itself.
TEST_F(FusedRowsTest, ShortRowsGiveTheBitsOfSingleOps) {
  for (const std::int64_t rows : {1, 2, 3, 31, 64, 700}) {
    for (const std::int64_t columns : {16, 17, 64, 65, 255, 256, 257, 513}) {
      const auto x = placeholder(float32, {rows, columns});
      const auto row = placeholder(float32, {columns});
      const auto column = placeholder(float32, {rows, 1});
      const auto added = x + row;
      const auto scaled = added * column;
      const auto bent = tanh(scaled);
      const auto y = bent - row * 0.5F;
      const std::vector<Feed> feeds = {{x, random({rows, columns}, 2)},
                                       {row, random({columns}, 3)},
                                       {column, random({rows, 1}, 4)}};
      Session s({.graph = &graph_, .threads = 3});
      const Tensor fused = s.run(y, feeds);
      std::vector<Feed> steps = feeds;
      for (const Output& step : {added, scaled, bent}) {
        const Tensor value = s.run(step, steps);
        steps.emplace_back(step, value);
      }
      ASSERT_TRUE(fused.identical(s.run(y, steps))) << rows << " x " << columns;
    }
  }
}

TEST_F(FusedRowsTest, AColumnTimesOnesIsReadAsTheColumn) {
  const auto column = placeholder(float32, {40, 1});
  const auto x = placeholder(float32, {40, 32});
  const auto repeated = matmul(column, ones({1, 32}));
  const auto y = repeated * x;
  const std::vector<Feed> feeds = {{column, random({40, 1}, 5)}, {x, random({40, 32}, 6)}};
  Session s({.graph = &graph_, .threads = 1});
  const std::string program = s.describe_program(feeds, {y});
  EXPECT_THAT(program, HasSubstr("fused    Mul"));
  EXPECT_THAT(program, Not(HasSubstr("MatMul")));
  const Tensor got = s.run(y, feeds);
  const Tensor& c = feeds[0].value;
  for (std::int64_t i = 0; i < got.num_elements(); ++i) {
    ASSERT_EQ(got.data<float>()[i], c.data<float>()[i / 32] * feeds[1].value.data<float>()[i]);
  }
  // Asked for itself, it is computed as well.
  const auto both = s.run(feeds, {y, repeated});
  EXPECT_TRUE(both[0].identical(got));
  EXPECT_EQ(both[1].data<float>()[33], c.data<float>()[1]);
}

TEST_F(FusedRowsTest, AColumnOfAVariableTimesOnesIsReadBeforeTheVariableChanges) {
  const auto w = Variable(constant(random({24, 1}, 7)), {.name = "w"});
  const auto x = placeholder(float32, {24, 16});
  const auto y = matmul(w, ones({1, 16})) * x;
  Session s({.graph = &graph_, .threads = 1});
  s.run(global_variables_initializer());
  const Tensor before = s.run(w);
  const std::vector<Feed> feeds = {{x, random({24, 16}, 8)}};
  const auto values =
      s.run(feeds, {y}, {w.assign_sub(reduce_mean(y, {.axis = {1}, .keepdims = true})).node});
  for (std::int64_t i = 0; i < 24 * 16; ++i) {
    ASSERT_EQ(values[0].data<float>()[i],
              before.data<float>()[i / 16] * feeds[0].value.data<float>()[i]);
  }
}

// A sum of many is no chain's member, so it may not become a chain by itself either.
TEST_F(FusedRowsTest, ASumOfManyWithARepeatedColumnIsStillASum) {
  const auto column = placeholder(float32, {20, 1});
  const auto x = placeholder(float32, {20, 16});
  std::vector<Operand> terms = {matmul(column, ones({1, 16}))};
  for (int i = 0; i < 40; ++i) terms.emplace_back(x);
  const auto y = add_n(terms);
  const std::vector<Feed> feeds = {{column, random({20, 1}, 10)}, {x, random({20, 16}, 11)}};
  Session s({.graph = &graph_, .threads = 1});
  const Tensor got = s.run(y, feeds);
  for (std::int64_t i = 0; i < 320; ++i) {
    EXPECT_NEAR(got.data<float>()[i],
                feeds[0].value.data<float>()[i / 16] + 40 * feeds[1].value.data<float>()[i], 1e-3);
  }
}

TEST_F(FusedRowsTest, AConstantOfOneValueIsReadAsANumber) {
  const auto x = placeholder(float32, {20, 30});
  const auto y = where(greater(x, zeros({20, 30})), x, fill({20, 30}, -1.0F)) + 0.25F;
  const Tensor value = random({20, 30}, 9);
  Session s({.graph = &graph_, .threads = 1});
  const Tensor got = s.run(y, {{x, value}});
  for (std::int64_t i = 0; i < 600; ++i) {
    const float v = value.data<float>()[i];
    ASSERT_EQ(got.data<float>()[i], (v > 0 ? v : -1.0F) + 0.25F);
  }
}

}  // namespace
}  // namespace assay
