#include "assay/tensor/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace assay {
namespace {

TEST(DType, NamesGoBothWays) {
  for (int i = 1; i <= 23; ++i) {
    const auto t = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(dtype_name(t)), t) << i;
    EXPECT_EQ(dtype_from_name(dtype_enum_name(t)), t) << i;
    EXPECT_EQ(dtype_from_name(dtype_name(ref_dtype(t))), ref_dtype(t)) << i;
    EXPECT_EQ(dtype_from_name(dtype_enum_name(ref_dtype(t))), ref_dtype(t)) << i;
  }
  EXPECT_EQ(dtype_name(DType::kFloat), "float32");
  EXPECT_EQ(dtype_name(ref_dtype(DType::kFloat)), "float32_ref");
  EXPECT_EQ(dtype_enum_name(ref_dtype(DType::kInt64)), "DT_INT64_REF");
  EXPECT_EQ(dtype_from_name("float31"), DType::kInvalid);
  EXPECT_EQ(dtype_from_name(""), DType::kInvalid);
  EXPECT_EQ(dtype_from_name("half"), DType::kHalf);
}

TEST(DType, Sizes) {
  EXPECT_EQ(dtype_size(DType::kFloat), 4U);
  EXPECT_EQ(dtype_size(DType::kComplex128), 16U);
  EXPECT_EQ(dtype_size(DType::kString), sizeof(std::string));
  EXPECT_EQ(dtype_size(DType::kInvalid), 0U);
  EXPECT_EQ(dtype_size(ref_dtype(DType::kFloat)), 0U);
  EXPECT_EQ(dtype_size(static_cast<DType>(77)), 0U);
}

TEST(Half, EveryValueGoesToFloatAndBack) {
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    Half h;
    h.bits = static_cast<std::uint16_t>(i);
    const auto f = static_cast<float>(h);
    const bool nan = (i & 0x7c00U) == 0x7c00U && (i & 0x3ffU) != 0;
    ASSERT_EQ(std::isnan(f), nan) << i;
    if (nan) continue;
    ASSERT_EQ(Half(f).bits, h.bits) << i;
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(Half(1.0F).bits, 0x3c00);
  EXPECT_EQ(Half(65504.0F).bits, 0x7bff);
  EXPECT_EQ(Half(65519.99F).bits, 0x7bff);
  EXPECT_EQ(Half(65520.0F).bits, 0x7c00);
  EXPECT_EQ(Half(-1e9F).bits, 0xfc00);
  EXPECT_EQ(Half(0x1p-24F).bits, 1);
  EXPECT_EQ(Half(0x1p-25F).bits, 0);              // half way between 0 and 2^-24: to even
  EXPECT_EQ(Half(0x1.8p-24F).bits, 2);            // half way between 1 and 2
  EXPECT_EQ(Half(1.0F + 0x1p-11F).bits, 0x3c00);  // half way, even below
  EXPECT_EQ(Half(1.0F + 3 * 0x1p-11F).bits, 0x3c02);
  EXPECT_EQ(Half(-0.0F).bits, 0x8000);
  // Each float near a border between two halves goes to the nearer one.
  for (std::uint32_t i = 0; i < 0x7bff; ++i) {
    Half low;
    Half high;
    low.bits = static_cast<std::uint16_t>(i);
    high.bits = static_cast<std::uint16_t>(i + 1);
    const float middle = (static_cast<float>(low) + static_cast<float>(high)) / 2;
    ASSERT_EQ(Half(middle).bits, i % 2 == 0 ? i : i + 1);
    ASSERT_EQ(Half(std::nextafter(middle, 0.0F)).bits, i);
    ASSERT_EQ(Half(std::nextafter(middle, 1e9F)).bits, i + 1);
  }
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(BFloat16(1.0F).bits, 0x3f80);
  EXPECT_EQ(BFloat16(1.0F + 0x1p-8F).bits, 0x3f80);
  EXPECT_EQ(BFloat16(1.0F + 3 * 0x1p-8F).bits, 0x3f82);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::bit_cast<float>(0x7f800001U)))));
  EXPECT_EQ(BFloat16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_EQ(static_cast<float>(BFloat16(-2.5F)), -2.5F);
}

}  // namespace
}  // namespace assay
