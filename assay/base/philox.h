#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <mutex>

namespace assay {

/// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3"):
/// a counter-based generator of blocks of four 32-bit numbers. Streams and seeding are those of
/// TensorFlow's PhiloxRandom, so equal seeds give equal numbers. A small value, freely copied.
class Philox {
 public:
  using Block = std::array<std::uint32_t, 4>;
  using Key = std::array<std::uint32_t, 2>;

  Philox() = default;
  explicit Philox(std::uint64_t seed) : Philox(seed, 0) {}
  /// `seed` is the key, `seed2` the upper half of the counter.
  Philox(std::uint64_t seed, std::uint64_t seed2)
      : counter_{0, 0, static_cast<std::uint32_t>(seed2), static_cast<std::uint32_t>(seed2 >> 32)},
        key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)} {}
  Philox(const Block& counter, const Key& key) : counter_(counter), key_(key) {}

  const Block& counter() const { return counter_; }
  const Key& key() const { return key_; }

  /// Passes over `blocks` blocks.
  void skip(std::uint64_t blocks) {
    const auto low = static_cast<std::uint32_t>(blocks);
    auto high = static_cast<std::uint32_t>(blocks >> 32);
    counter_[0] += low;
    if (counter_[0] < low) ++high;
    counter_[1] += high;
    if (counter_[1] < high && ++counter_[2] == 0) ++counter_[3];
  }

  /// The next block.
  Block operator()() {
    Block c = counter_;
    Key k = key_;
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c[0];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c[2];
      c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
           static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
      k[0] += 0x9E3779B9;
      k[1] += 0xBB67AE85;
    }
    if (++counter_[0] == 0 && ++counter_[1] == 0 && ++counter_[2] == 0) ++counter_[3];
    return c;
  }

  friend bool operator==(const Philox&, const Philox&) = default;

 private:
  Block counter_{};
  Key key_{};
};

/// A float in [0, 1) from the low 23 bits of `x`.
inline float philox_float(std::uint32_t x) {
  const std::uint32_t bits = (x & 0x7fffffu) | (127u << 23);
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f - 1.0f;
}

/// A double in [0, 1) from the low 20 bits of `x0` (the upper ones of the fraction) and `x1`.
inline double philox_double(std::uint32_t x0, std::uint32_t x1) {
  const std::uint64_t bits =
      (std::uint64_t{x0 & 0xfffffu} << 32) | x1 | (std::uint64_t{1023} << 52);
  double d;
  std::memcpy(&d, &bits, sizeof d);
  return d - 1.0;
}

/// Two independent standard normal numbers from two words (Box and Muller).
std::array<float, 2> box_muller(std::uint32_t x0, std::uint32_t x1);
/// The same in double precision, from four words.
std::array<double, 2> box_muller(std::uint32_t x0, std::uint32_t x1, std::uint32_t x2,
                                 std::uint32_t x3);

/// Numbers one at a time from a Philox stream (TensorFlow's SimplePhilox).
class PhiloxStream {
 public:
  explicit PhiloxStream(const Philox& generator) : generator_(generator) {}

  std::uint32_t next32() {
    if (used_ == 4) {
      block_ = generator_();
      used_ = 0;
    }
    return block_[used_++];
  }
  /// The first word is the lower one.
  std::uint64_t next64() {
    const std::uint64_t low = next32();
    return low | (std::uint64_t{next32()} << 32);
  }
  float next_float() { return philox_float(next32()); }
  double next_double() {
    const std::uint32_t x0 = next32();
    return philox_double(x0, next32());
  }
  /// Uniform in [0, n), exactly, by rejection. REQUIRES: n > 0.
  std::uint32_t uniform(std::uint32_t n);
  /// Uniform in [0, n) from 64-bit words, exactly, by rejection. REQUIRES: n > 0.
  std::uint64_t uniform64(std::uint64_t n);

 private:
  Philox generator_;
  Philox::Block block_{};
  std::size_t used_ = 4;
};

/// The generator of one random op: hands out stretches of its stream. Thread-safe.
class GuardedPhilox {
 public:
  GuardedPhilox(std::int64_t seed, std::int64_t seed2)
      : generator_(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(seed2)) {}
  explicit GuardedPhilox(const Philox& state) : generator_(state) {}

  /// A generator good for `blocks` blocks; the next caller's begins after them.
  Philox reserve_blocks(std::int64_t blocks);
  /// Enough for `words` 32-bit words.
  Philox reserve_words(std::int64_t words) { return reserve_blocks((words + 3) / 4); }
  /// Enough for `outputs` random values at `multiplier` blocks each; TensorFlow's random ops
  /// reserve 256 for each value, whatever the distribution.
  Philox reserve_outputs(std::int64_t outputs, int multiplier = 256) {
    return reserve_blocks(outputs * multiplier);
  }

  /// Where the stream stands, to be saved.
  Philox state() const;
  void set_state(const Philox& state);

 private:
  mutable std::mutex mutex_;
  Philox generator_;
};

/// How many values one group of these distributions has: a stretch of work may begin at any
/// multiple of it.
inline constexpr std::int64_t kPhiloxGroup = 4;

/// Values [first, first + n) of the stream that `base` begins, as TensorFlow's random ops lay
/// them out; filling in stretches gives the same values as filling at once. REQUIRES: `first` is
/// a multiple of kPhiloxGroup.
void fill_uniform(Philox base, std::int64_t first, float* out, std::int64_t n);
void fill_uniform(Philox base, std::int64_t first, double* out, std::int64_t n);
/// Integers in [low, high). REQUIRES: low < high.
void fill_uniform(Philox base, std::int64_t first, std::int32_t* out, std::int64_t n,
                  std::int32_t low, std::int32_t high);
void fill_uniform(Philox base, std::int64_t first, std::int64_t* out, std::int64_t n,
                  std::int64_t low, std::int64_t high);
/// Standard normal.
void fill_normal(Philox base, std::int64_t first, float* out, std::int64_t n);
void fill_normal(Philox base, std::int64_t first, double* out, std::int64_t n);
/// Standard normal, values of magnitude 2 and more drawn again.
void fill_truncated_normal(Philox base, std::int64_t first, float* out, std::int64_t n);
void fill_truncated_normal(Philox base, std::int64_t first, double* out, std::int64_t n);

}  // namespace assay
