#pragma once

#include <algorithm>
#include <vector>

#include "assay/base/philox.h"
#include "assay/tensor/tensor.h"

namespace assay::random {

/// A multiple of kPhiloxGroup: pieces filled apart give the values of one filled at once.
inline constexpr std::int64_t kGrain = 16384;

/// The shape that an int32 or int64 vector holds.
inline Shape shape_of(const Tensor& t) {
  if (t.rank() != 1) invalid_argument("the shape must be a vector, got {}", t.shape().str());
  std::vector<std::int64_t> dims;
  for (std::int64_t i = 0; i < t.num_elements(); ++i) {
    dims.push_back(t.dtype() == DType::kInt32 ? t.data<std::int32_t>()[i]
                                              : t.data<std::int64_t>()[i]);
  }
  return Shape(dims);
}

/// Uniform in [0, 1), as each dtype takes it from the words of the stream.
struct Uniform {
  template <typename T>
  static void fill(const Philox& base, std::int64_t first, T* out, std::int64_t n) {
    fill_uniform(base, first, out, n);
  }
  // Both short types take the low bits of a word as the fraction of a number in [1, 2).
  static void fill(const Philox& base, std::int64_t first, Half* out, std::int64_t n) {
    short_fractions(base, first, out, n, 10);
  }
  static void fill(const Philox& base, std::int64_t first, BFloat16* out, std::int64_t n) {
    short_fractions(base, first, out, n, 7);
  }

 private:
  template <typename T>
  static void short_fractions(Philox base, std::int64_t first, T* out, std::int64_t n, int bits) {
    base.skip(static_cast<std::uint64_t>(first / 4));
    const std::uint32_t mask = (1U << bits) - 1;
    const float unit = 1.0F / static_cast<float>(1U << bits);
    for (std::int64_t i = 0; i < n; i += 4) {
      const Philox::Block block = base();
      for (std::int64_t k = 0; k < 4 && i + k < n; ++k) {
        out[i + k] = T(static_cast<float>(block[static_cast<std::size_t>(k)] & mask) * unit);
      }
    }
  }
};

/// Fills a short type with what `fill` gives in float.
template <typename Fill, typename T>
void fill_as_float(Fill fill, std::int64_t first, T* out, std::int64_t n) {
  constexpr std::int64_t kBlock = 256;
  float block[kBlock];
  for (std::int64_t i = 0; i < n; i += kBlock) {
    const std::int64_t m = std::min(kBlock, n - i);
    fill(first + i, block, m);
    for (std::int64_t k = 0; k < m; ++k) out[i + k] = T(block[k]);
  }
}

/// Standard normal.
struct Normal {
  template <typename T>
  static void fill(const Philox& base, std::int64_t first, T* out, std::int64_t n) {
    if constexpr (sizeof(T) == 2) {
      fill_as_float(
          [&](std::int64_t at, float* to, std::int64_t m) { fill_normal(base, at, to, m); }, first,
          out, n);
    } else {
      fill_normal(base, first, out, n);
    }
  }
};

/// Standard normal, drawn again from magnitude 2 on.
struct Truncated {
  template <typename T>
  static void fill(const Philox& base, std::int64_t first, T* out, std::int64_t n) {
    if constexpr (sizeof(T) == 2) {
      fill_as_float([&](std::int64_t at, float* to,
                        std::int64_t m) { fill_truncated_normal(base, at, to, m); },
                    first, out, n);
    } else {
      fill_truncated_normal(base, first, out, n);
    }
  }
};

}  // namespace assay::random
