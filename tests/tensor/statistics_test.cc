#include "assay/tensor/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/errors.h"

namespace assay {
namespace {

using testing::code_of;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(TensorStatistics, CountsWhatIsNoNumberApart) {
  const auto s = tensor_statistics(Tensor::of<float>({1, 2, kNan, 0, kInf, -0.0F, 5, -kInf}));
  EXPECT_EQ(s.count, 8);
  EXPECT_EQ(s.nan, 1);
  EXPECT_EQ(s.inf, 2);
  EXPECT_EQ(s.zeros, 2);
  EXPECT_EQ(s.finite, 5);
  EXPECT_EQ(s.min, 0);
  EXPECT_EQ(s.max, 5);
  EXPECT_DOUBLE_EQ(s.mean, 1.6);
  EXPECT_DOUBLE_EQ(s.stddev, std::sqrt(17.2 / 5));
}

TEST(TensorStatistics, EveryNumericType) {
  const auto big =
      tensor_statistics(Tensor::of<std::uint64_t>({std::numeric_limits<std::uint64_t>::max(), 0}));
  EXPECT_EQ(big.max, static_cast<long double>(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_EQ(tensor_statistics(Tensor::of<Half>({Half(0.5F), Half(1.5F)})).mean, 1);
  EXPECT_EQ(tensor_statistics(Tensor::of<BFloat16>({BFloat16(0.5F), BFloat16(1.5F)})).max, 1.5L);
  EXPECT_EQ(tensor_statistics(Tensor::of<bool>({true, false, true, true})).mean, 0.75);
  EXPECT_EQ(tensor_statistics(Tensor::of<std::complex<float>>({{3, 4}})).max, 5);
  Tensor quantized(DType::kQInt8, {1});
  *static_cast<std::int8_t*>(quantized.raw()) = -7;
  EXPECT_EQ(tensor_statistics(quantized).min, -7);
  const auto none = tensor_statistics(Tensor::zeros(float32, {0, 3}));
  EXPECT_EQ(none.count, 0);
  EXPECT_EQ(none.finite, 0);
  EXPECT_EQ(code_of([] { tensor_statistics(Tensor::scalar<std::string>("a")); }),
            Code::kUnimplemented);
}

TEST(CompareTensors, BitsAndValues) {
  const auto a = Tensor::of<float>({1, 0, kNan, 4});
  auto d = compare_tensors(a, a.copy());
  EXPECT_TRUE(d.identical);
  EXPECT_EQ(d.different, 0);
  EXPECT_EQ(d.largest, 0);
  // Another bit pattern, but nothing that a difference could be told of.
  d = compare_tensors(a, Tensor::of<float>({1, -0.0F, -kNan, 4}));
  EXPECT_FALSE(d.identical);
  EXPECT_EQ(d.different, 0);
  d = compare_tensors(a, Tensor::of<float>({1.5, 0, kNan, 2}));
  EXPECT_EQ(d.different, 2);
  EXPECT_EQ(d.largest, 2);
  d = compare_tensors(a, Tensor::of<float>({1, 0, 3, 4}));
  EXPECT_EQ(d.different, 1);
  EXPECT_EQ(d.largest, std::numeric_limits<double>::infinity());
  d = compare_tensors(Tensor::of<float>({kInf}), Tensor::of<float>({kInf}));
  EXPECT_EQ(d.largest, 0);
}

TEST(CompareTensors, OtherTypes) {
  auto d = compare_tensors(Tensor::of<std::int64_t>({INT64_MAX, 1}),
                           Tensor::of<std::int64_t>({INT64_MAX - 1, 1}));
  EXPECT_EQ(d.different, 1);
  EXPECT_EQ(d.largest, 1);
  d = compare_tensors(Tensor::of<std::string>({"a", "b"}), Tensor::of<std::string>({"a", "c"}));
  EXPECT_FALSE(d.identical);
  EXPECT_EQ(d.different, 1);
  EXPECT_FALSE(d.largest.has_value());
  d = compare_tensors(Tensor::of<std::complex<double>>({{1, 1}}),
                      Tensor::of<std::complex<double>>({{4, 5}}));
  EXPECT_EQ(d.largest, 5);
  EXPECT_EQ(code_of([] { compare_tensors(Tensor::scalar(1), Tensor::scalar(1.0F)); }),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of([] { compare_tensors(Tensor::scalar(1), Tensor::of<int>({1})); }),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace assay
