#include "assay/device/cpu/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace assay::cpu {
namespace {

template <typename T>
Tensor reduce(ReduceOp op, const Tensor& in, const std::vector<std::int64_t>& axes,
              bool keep = false, int threads = 1) {
  ThreadPool pool(threads);
  const ReducePlan plan(in.shape(), axes, keep);
  Tensor out(dtype_of<T>, plan.shape());
  plan.run(op, dtype_of<T>, in.raw(), out.raw(), pool);
  return out;
}

template <typename T>
Tensor numbers(const Shape& shape) {
  Tensor t(dtype_of<T>, shape);
  std::uint32_t state = 17;
  for (T& x : t.span<T>()) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<T>(static_cast<int>(state >> 25) % 19 - 9);
    if constexpr (std::is_floating_point_v<T>) x /= 8;
  }
  return t;
}

// Every subset of axes, one by one in double.
template <typename T>
void check_all_axes(const Shape& shape) {
  const Tensor in = numbers<T>(shape);
  for (unsigned mask = 0; mask < (1u << shape.rank()); ++mask) {
    std::vector<std::int64_t> axes;
    for (int d = 0; d < shape.rank(); ++d) {
      if ((mask >> d & 1) != 0) axes.push_back(d % 2 == 0 ? d : d - shape.rank());
    }
    const Tensor sum = reduce<T>(ReduceOp::kSum, in, axes);
    const Tensor max = reduce<T>(ReduceOp::kMax, in, axes, true);
    const Tensor min = reduce<T>(ReduceOp::kMin, in, axes);
    const Tensor three = reduce<T>(ReduceOp::kSum, in, axes, false, 3);
    ASSERT_TRUE(sum.identical(three)) << "the bits depend on the threads";
    ASSERT_EQ(max.rank(), shape.rank());
    const auto n = static_cast<std::size_t>(sum.num_elements());
    std::vector<double> sums(n, 0);
    std::vector<double> tops(n, -1e9);
    std::vector<double> lows(n, 1e9);
    for (std::int64_t i = 0; i < in.num_elements(); ++i) {
      std::int64_t rest = i;
      std::int64_t at = 0;
      std::int64_t stride = 1;
      for (int d = shape.rank() - 1; d >= 0; --d) {
        const std::int64_t index = rest % shape[d];
        rest /= shape[d];
        if ((mask >> d & 1) != 0) continue;
        at += index * stride;
        stride *= shape[d];
      }
      const auto k = static_cast<std::size_t>(at);
      const auto x = static_cast<double>(in.data<T>()[i]);
      sums[k] += x;
      tops[k] = std::max(tops[k], x);
      lows[k] = std::min(lows[k], x);
    }
    for (std::size_t k = 0; k < n; ++k) {
      ASSERT_NEAR(static_cast<double>(sum.data<T>()[k]), sums[k], 1e-3) << shape.str() << mask;
      ASSERT_EQ(static_cast<double>(max.data<T>()[k]), tops[k]) << shape.str() << " " << mask;
      ASSERT_EQ(static_cast<double>(min.data<T>()[k]), lows[k]) << shape.str() << " " << mask;
    }
  }
}

TEST(Reduce, AllSubsetsOfAxes) {
  check_all_axes<float>({});
  check_all_axes<float>({1});
  check_all_axes<float>({7});
  check_all_axes<float>({3, 5});
  check_all_axes<float>({33, 70});
  check_all_axes<float>({2, 3, 4, 5});
  check_all_axes<float>({5, 1, 9, 1, 40});
  check_all_axes<double>({3, 17, 19});
  check_all_axes<std::int32_t>({6, 7, 11});
  check_all_axes<std::int64_t>({300, 3});
}

TEST(Reduce, LargeOnes) {
  check_all_axes<float>({100000});
  check_all_axes<float>({300, 1000});
  check_all_axes<float>({20, 5000});
  check_all_axes<float>({4, 200, 300});
  check_all_axes<std::int32_t>({50, 40, 60});
}

TEST(Reduce, OfNothing) {
  const Tensor none(float32, Shape{2, 0});
  EXPECT_EQ(reduce<float>(ReduceOp::kSum, none, {1}).to_vector<float>(),
            (std::vector<float>{0, 0}));
  EXPECT_EQ(reduce<float>(ReduceOp::kProd, none, {1}).to_vector<float>(),
            (std::vector<float>{1, 1}));
  EXPECT_EQ(reduce<float>(ReduceOp::kMax, none, {1}).data<float>()[0],
            -std::numeric_limits<float>::infinity());
  EXPECT_EQ(reduce<float>(ReduceOp::kMin, none, {1}).data<float>()[0],
            std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(reduce<float>(ReduceOp::kMean, none, {1}).data<float>()[0]));
  EXPECT_EQ(reduce<float>(ReduceOp::kSum, none, {0}).num_elements(), 0);
  const Tensor ints(int32, Shape{0});
  EXPECT_EQ(reduce<std::int32_t>(ReduceOp::kMax, ints, {0}).item<std::int32_t>(),
            std::numeric_limits<std::int32_t>::lowest());
}

TEST(Reduce, NanWins) {
  for (const std::int64_t n : {1, 5, 64, 1000, 70000}) {
    for (const std::int64_t at : {std::int64_t{0}, n / 2, n - 1}) {
      Tensor t = numbers<float>({n});
      t.data<float>()[at] = std::numeric_limits<float>::quiet_NaN();
      EXPECT_TRUE(std::isnan(reduce<float>(ReduceOp::kMax, t, {0}).item<float>()))
          << n << " " << at;
      EXPECT_TRUE(std::isnan(reduce<float>(ReduceOp::kMin, t, {0}).item<float>()))
          << n << " " << at;
    }
  }
}

TEST(Reduce, LogicMeanProduct) {
  Tensor t(boolean, Shape{100});
  for (bool& b : t.span<bool>()) b = true;
  EXPECT_TRUE(reduce<bool>(ReduceOp::kAll, t, {0}).item<bool>());
  t.data<bool>()[77] = false;
  EXPECT_FALSE(reduce<bool>(ReduceOp::kAll, t, {0}).item<bool>());
  EXPECT_TRUE(reduce<bool>(ReduceOp::kAny, t, {0}).item<bool>());
  EXPECT_EQ(reduce<float>(ReduceOp::kMean, Tensor::of<float>({1, 2, 6}), {0}).item<float>(), 3);
  EXPECT_EQ(reduce<std::int32_t>(ReduceOp::kMean, Tensor::of<std::int32_t>({-1, -2, -5}), {0})
                .item<std::int32_t>(),
            -2);
  EXPECT_EQ(reduce<double>(ReduceOp::kProd, Tensor::of<double>({2, 3, 7}), {0}).item<double>(), 42);
}

// A plain running sum of these floats is off by percents.
TEST(Reduce, LongSumsRoundLittle) {
  const std::int64_t n = 1 << 22;
  Tensor t(float32, Shape{n});
  for (float& x : t.span<float>()) x = 0.1f;
  const double want = static_cast<double>(n) * static_cast<double>(0.1f);
  EXPECT_NEAR(reduce<float>(ReduceOp::kSum, t, {0}).item<float>(), want, want * 2e-5);
  const Tensor columns = t.reshaped(Shape{n / 4, 4});
  EXPECT_NEAR(reduce<float>(ReduceOp::kSum, columns, {0}).data<float>()[2], want / 4, want * 1e-6);
}

TEST(Reduce, RefusesWrongAxes) {
  const std::vector<std::int64_t> out_of_range = {2};
  const std::vector<std::int64_t> twice = {0, -2};
  EXPECT_THROW(ReducePlan(Shape{2, 3}, out_of_range, false), Error);
  EXPECT_THROW(ReducePlan(Shape{2, 3}, twice, false), Error);
}

}  // namespace
}  // namespace assay::cpu
