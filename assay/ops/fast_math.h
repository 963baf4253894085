#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace assay {

/// e^x within 2 units in the last place, written so that the compiler turns loops over it into
/// vector code: no branches, no calls. 0 below -87.3, infinity above 88.7, NaN for NaN.
inline float fast_exp(float x) {
  // Adding and taking away 1.5 * 2^23 rounds to the nearest integer.
  constexpr float kRound = 12582912.0F;
  const float clamped = x > 89.0F ? 89.0F : (x > -88.0F ? x : (x <= -88.0F ? -88.0F : x));
  const float shifted = clamped * 1.44269504F + kRound;
  const float n = shifted - kRound;
  // ln 2 in two parts, the first with few bits, so that the product is exact.
  const float r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  // 2^n in two halves: n reaches 128, one step beyond the largest exponent.
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) - 0x4B400000;
  const std::int32_t half = exponent >> 1;
  const float a = std::bit_cast<float>((half + 127) << 23);
  const float b = std::bit_cast<float>((exponent - half + 127) << 23);
  const float result = p * a * b;
  return x < -87.33655F ? 0.0F : result;
}

inline double fast_exp(double x) {
  return std::exp(x);
}

}  // namespace assay
