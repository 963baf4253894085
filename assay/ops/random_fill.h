#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "assay/base/philox.h"
#include "assay/base/philox_fill.h"
#include "assay/tensor/tensor.h"

namespace assay {
class ShapeContext;
}

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

/// The samples' shape before the parameters': of an output that has samples for each parameter.
inline Shape with_trailing(Shape samples, const Shape& parameters) {
  for (const std::int64_t dim : parameters.dims()) samples.add_dim(dim);
  return samples;
}

/// The shape function that says the same: input 0 is the samples' shape, input 1 the parameters.
void samples_shape(ShapeContext& c);

/// Uniform in [0, 1), as each dtype takes it from the words of the stream.
struct Uniform {
  template <typename T>
  static void fill(const Philox& base, std::int64_t first, T* out, std::int64_t n) {
    fill_uniform(base, first, out, n);
  }
  // Both short types take the low bits of a word as the fraction of a number in [1, 2).
  static void fill(const Philox& base, std::int64_t first, Half* out, std::int64_t n) {
    short_fractions<Half, 10>(base, first, out, n);
  }
  static void fill(const Philox& base, std::int64_t first, BFloat16* out, std::int64_t n) {
    short_fractions<BFloat16, 7>(base, first, out, n);
  }

 private:
  template <typename T, int kBits>
  static void short_fractions(const Philox& base, std::int64_t first, T* out, std::int64_t n) {
    constexpr std::size_t kValues = std::size_t{1} << kBits;
    static const std::array<T, kValues> fractions = [] {
      std::array<T, kValues> all;
      for (std::size_t i = 0; i < kValues; ++i) {
        all[i] = T(static_cast<float>(i) / static_cast<float>(kValues));
      }
      return all;
    }();
    constexpr std::int64_t kBlock = 1024;
    std::uint32_t words[kBlock];
    for (std::int64_t i = 0; i < n; i += kBlock) {
      const std::int64_t m = std::min(kBlock, n - i);
      fill_words(base, first + i, words, m);
      for (std::int64_t k = 0; k < m; ++k) out[i + k] = fractions[words[k] % kValues];
    }
  }
};

/// Fills a short type with what `fill` gives in float.
template <typename Fill, typename T>
void fill_as_float(Fill fill, std::int64_t first, T* out, std::int64_t n) {
  constexpr std::int64_t kBlock = 1024;
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
