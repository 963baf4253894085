#include "assay/base/philox.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <type_traits>

namespace assay {
namespace {

template <typename Word, typename Next>
Word exact_uniform(Word n, Next&& next) {
  if ((n & (n - 1)) == 0) return next() & (n - 1);
  // Refuse the lowest words, so that n divides the number of those left.
  const Word refused = std::numeric_limits<Word>::max() % n + 1;
  Word x;
  do {
    x = next();
  } while (x < refused);
  return x % n;
}

// Fills [first, first + n) from groups of as many values as `group(generator, values)` makes from
// one block each.
template <int Size, typename T, typename Group>
void fill_blocks(Philox base, std::int64_t first, T* out, std::int64_t n, Group&& group) {
  base.skip(static_cast<std::uint64_t>(first / Size));
  std::array<T, Size> values;
  std::int64_t i = 0;
  for (; i + Size <= n; i += Size) {
    group(base(), values);
    std::copy_n(values.data(), Size, out + i);
  }
  if (i < n) {
    group(base(), values);
    std::copy_n(values.data(), n - i, out + i);
  }
}

// TensorFlow gives every value of a rejecting distribution 256 words, group by group.
constexpr std::uint64_t kWordsPerValue = 256;

template <int Size, typename T>
void fill_truncated(const Philox& base, std::int64_t first, T* out, std::int64_t n) {
  constexpr std::uint64_t kBlocksPerGroup = Size * kWordsPerValue / 4;
  for (std::int64_t i = 0; i < n; i += Size) {
    Philox generator = base;
    generator.skip(static_cast<std::uint64_t>((first + i) / Size) * kBlocksPerGroup);
    PhiloxStream words(generator);
    const std::int64_t wanted = std::min<std::int64_t>(Size, n - i);
    for (std::int64_t k = 0; k < wanted;) {
      const std::uint32_t x0 = words.next32();
      const std::uint32_t x1 = words.next32();
      std::array<T, 2> pair;
      if constexpr (std::is_same_v<T, float>) {
        pair = box_muller(x0, x1);
      } else {
        const std::uint32_t x2 = words.next32();
        pair = box_muller(x0, x1, x2, words.next32());
      }
      for (const T value : pair) {
        if (std::abs(value) < T(2) && k < wanted) out[i + k++] = value;
      }
    }
  }
}

std::uint64_t entropy64() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

std::array<float, 2> box_muller(std::uint32_t x0, std::uint32_t x1) {
  const float u1 = std::max(philox_float(x0), 1.0e-7f);
  // The angle is computed in double and rounded once.
  const auto angle = static_cast<float>(2.0 * std::numbers::pi * philox_float(x1));
  const float radius = std::sqrt(-2.0f * std::log(u1));
  return {std::sin(angle) * radius, std::cos(angle) * radius};
}

std::array<double, 2> box_muller(std::uint32_t x0, std::uint32_t x1, std::uint32_t x2,
                                 std::uint32_t x3) {
  const double u1 = std::max(philox_double(x0, x1), 1.0e-7);
  const double angle = 2.0 * std::numbers::pi * philox_double(x2, x3);
  const double radius = std::sqrt(-2.0 * std::log(u1));
  return {std::sin(angle) * radius, std::cos(angle) * radius};
}

std::uint32_t PhiloxStream::uniform(std::uint32_t n) {
  return exact_uniform<std::uint32_t>(n, [this] { return next32(); });
}

std::uint64_t PhiloxStream::uniform64(std::uint64_t n) {
  return exact_uniform<std::uint64_t>(n, [this] { return next64(); });
}

GuardedPhilox::GuardedPhilox(std::int64_t seed, std::int64_t seed2) {
  const bool unseeded = seed == 0 && seed2 == 0;
  generator_ = unseeded
                   ? Philox(entropy64(), entropy64())
                   : Philox(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(seed2));
}

Philox GuardedPhilox::reserve_blocks(std::int64_t blocks) {
  std::lock_guard lock(mutex_);
  Philox reserved = generator_;
  generator_.skip(static_cast<std::uint64_t>(blocks));
  return reserved;
}

Philox GuardedPhilox::state() const {
  std::lock_guard lock(mutex_);
  return generator_;
}

void GuardedPhilox::set_state(const Philox& state) {
  std::lock_guard lock(mutex_);
  generator_ = state;
}

void fill_uniform(Philox base, std::int64_t first, float* out, std::int64_t n) {
  fill_blocks<4>(base, first, out, n, [](const Philox::Block& b, std::array<float, 4>& v) {
    for (std::size_t i = 0; i < 4; ++i) v[i] = philox_float(b[i]);
  });
}

void fill_uniform(Philox base, std::int64_t first, double* out, std::int64_t n) {
  fill_blocks<2>(base, first, out, n, [](const Philox::Block& b, std::array<double, 2>& v) {
    v = {philox_double(b[0], b[1]), philox_double(b[2], b[3])};
  });
}

void fill_uniform(Philox base, std::int64_t first, std::int32_t* out, std::int64_t n,
                  std::int32_t low, std::int32_t high) {
  const auto start = static_cast<std::uint32_t>(low);
  const std::uint32_t range = static_cast<std::uint32_t>(high) - start;
  fill_blocks<4>(base, first, out, n, [=](const Philox::Block& b, std::array<std::int32_t, 4>& v) {
    for (std::size_t i = 0; i < 4; ++i) v[i] = static_cast<std::int32_t>(start + b[i] % range);
  });
}

void fill_uniform(Philox base, std::int64_t first, std::int64_t* out, std::int64_t n,
                  std::int64_t low, std::int64_t high) {
  const auto start = static_cast<std::uint64_t>(low);
  const std::uint64_t range = static_cast<std::uint64_t>(high) - start;
  fill_blocks<2>(base, first, out, n, [=](const Philox::Block& b, std::array<std::int64_t, 2>& v) {
    for (std::size_t i = 0; i < 2; ++i) {
      const std::uint64_t bits = b[2 * i] | (std::uint64_t{b[2 * i + 1]} << 32);
      v[i] = static_cast<std::int64_t>(start + bits % range);
    }
  });
}

void fill_normal(Philox base, std::int64_t first, float* out, std::int64_t n) {
  fill_blocks<4>(base, first, out, n, [](const Philox::Block& b, std::array<float, 4>& v) {
    const auto low = box_muller(b[0], b[1]);
    const auto high = box_muller(b[2], b[3]);
    v = {low[0], low[1], high[0], high[1]};
  });
}

void fill_normal(Philox base, std::int64_t first, double* out, std::int64_t n) {
  fill_blocks<2>(base, first, out, n, [](const Philox::Block& b, std::array<double, 2>& v) {
    v = box_muller(b[0], b[1], b[2], b[3]);
  });
}

void fill_truncated_normal(Philox base, std::int64_t first, float* out, std::int64_t n) {
  fill_truncated<4>(base, first, out, n);
}

void fill_truncated_normal(Philox base, std::int64_t first, double* out, std::int64_t n) {
  fill_truncated<2>(base, first, out, n);
}

}  // namespace assay
