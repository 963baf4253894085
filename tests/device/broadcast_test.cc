#include "assay/device/cpu/broadcast.h"

#include <gtest/gtest.h>

#include <vector>

#include "assay/device/cpu/loops.h"

namespace assay::cpu {
namespace {

// The flat index in a tensor of shape `of` that element `flat` of shape `out` takes.
std::int64_t source(std::int64_t flat, const Shape& out, const Shape& of) {
  std::int64_t index = 0;
  std::int64_t stride = 1;
  for (int d = out.rank() - 1; d >= 0; --d) {
    const std::int64_t at = flat % out[d];
    flat /= out[d];
    const int k = d - (out.rank() - of.rank());
    if (k < 0) continue;
    if (of[k] != 1) index += at * stride;
    stride *= of[k];
  }
  return index;
}

void check(const Shape& a, const Shape& b, const Shape& want, int threads) {
  ThreadPool pool(threads);
  const std::vector<Shape> shapes = {a, b};
  const BroadcastPlan plan(shapes);
  ASSERT_EQ(plan.shape(), want) << a.str() << " " << b.str();
  std::vector<double> x(static_cast<std::size_t>(a.num_elements()));
  std::vector<double> y(static_cast<std::size_t>(b.num_elements()));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = 0.25 * static_cast<double>(i * i % 1001);
  std::vector<double> out(static_cast<std::size_t>(want.num_elements()), -1);
  const void* in[] = {x.data(), y.data()};
  const std::size_t sizes[] = {8, 8, 8};
  plan.run(binary_loop(BinaryOp::kSub, float64), in, out.data(), sizes, pool);
  for (std::int64_t i = 0; i < want.num_elements(); ++i) {
    const double expected = x[static_cast<std::size_t>(source(i, want, a))] -
                            y[static_cast<std::size_t>(source(i, want, b))];
    ASSERT_EQ(out[static_cast<std::size_t>(i)], expected) << a.str() << " " << b.str() << " " << i;
  }
}

class Broadcast : public testing::TestWithParam<int> {};

TEST_P(Broadcast, AllKinds) {
  const int threads = GetParam();
  check({}, {}, {}, threads);
  check({5}, {}, {5}, threads);
  check({}, {2, 3}, {2, 3}, threads);
  check({2, 3}, {3}, {2, 3}, threads);
  check({2, 1}, {1, 3}, {2, 3}, threads);
  check({4, 1, 3}, {5, 1}, {4, 5, 3}, threads);
  check({2, 3, 4}, {2, 1, 4}, {2, 3, 4}, threads);
  check({2, 3, 4, 5}, {3, 1, 5}, {2, 3, 4, 5}, threads);
  check({1, 1}, {1}, {1, 1}, threads);
  check({0, 3}, {3}, {0, 3}, threads);
  check({1}, {0}, {0}, threads);
  check({3, 0}, {3, 1}, {3, 0}, threads);
  check({100, 1000}, {1000}, {100, 1000}, threads);
  check({100, 1000}, {100, 1}, {100, 1000}, threads);
  check({70000}, {70000}, {70000}, threads);
  check({3, 1, 50000}, {2, 1}, {3, 2, 50000}, threads);
  check({2, 1, 2, 1, 2, 1, 2, 1}, {1, 3, 1, 3, 1, 3, 1, 3}, {2, 3, 2, 3, 2, 3, 2, 3}, threads);
}

INSTANTIATE_TEST_SUITE_P(Threads, Broadcast, testing::Values(1, 3));

TEST(BroadcastPlan, RefusesWhatDoesNotFit) {
  const std::vector<Shape> shapes = {Shape{2, 3}, Shape{4}};
  EXPECT_THROW(BroadcastPlan{shapes}, Error);
}

}  // namespace
}  // namespace assay::cpu
