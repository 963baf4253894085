// The fills of philox.h, vectorised. A vector computes as many blocks of the stream as it has
// lanes; a lane's numbers depend on its block alone, so that neither the vector's length nor the
// place where a stretch begins or ends shows in them.
#include "assay/base/philox_fill.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "assay/base/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "assay/base/philox_fill.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// After foreach_target.
#include "assay/base/box_muller-inl.h"
#include "assay/base/philox-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::HWY_NAMESPACE {

using D = hn::ScalableTag<double>;
using DU = hn::ScalableTag<std::uint64_t>;
using DW = hn::ScalableTag<std::uint32_t>;
using VU = hn::Vec<DU>;
using VW = hn::Vec<DW>;

HWY_INLINE std::int64_t Lanes() {
  return static_cast<std::int64_t>(hn::Lanes(DU()));
}

// Fills out from blocks `first_block`, ..., kSize values each. store(V block, T* to) makes those of
// a vector of blocks, whose numbers are `order` from the first one on.
template <int kSize, typename T, class Store>
HWY_INLINE void FillBlocks(std::uint64_t first_block, VU order, T* out, std::int64_t n,
                           Store&& store) {
  const DU du;
  const std::int64_t whole = Lanes() * kSize;
  const VU step = hn::Set(du, hn::Lanes(du));
  VU block = hn::Add(hn::Set(du, first_block), order);
  std::int64_t i = 0;
  for (; i + whole <= n; i += whole) {
    store(block, out + i);
    block = hn::Add(block, step);
  }
  if (i < n) {
    T rest[hn::MaxLanes(du) * kSize];
    store(block, rest);
    std::copy_n(rest, n - i, out + i);
  }
}

// Four values a block, each by `finish` (VW to a vector of T) from one word.
template <typename T, class Finish>
HWY_INLINE void FillFromWords(const Rounds& s, std::uint64_t first_block, T* out, std::int64_t n,
                              Finish&& finish) {
  const DU du;
  const DW dw;
  const hn::ScalableTag<T> dt;
  FillBlocks<4>(first_block, ShuffledOrder(du), out, n, [&](VU block, T* to) {
    const Words<VU> w = Blocks(du, s, block);
    const VU low = Pair(du, w.w0, w.w1);
    const VU high = Pair(du, w.w2, w.w3);
    const VW first = hn::BitCast(dw, hn::InterleaveLower(du, low, high));
    const VW second = hn::BitCast(dw, hn::InterleaveUpper(du, low, high));
    hn::StoreU(finish(first), dt, to);
    hn::StoreU(finish(second), dt, to + hn::Lanes(dt));
  });
}

void FillWords(const Philox& base, std::uint64_t first_block, std::uint32_t* out, std::int64_t n) {
  FillFromWords(Rounds(base), first_block, out, n, [](VW words) { return words; });
}

void FillUniformFloat(const Philox& base, std::uint64_t first_block, float* out, std::int64_t n) {
  FillFromWords(Rounds(base), first_block, out, n, [](VW words) {
    const DW dw;
    const hn::ScalableTag<float> df;
    const VW bits = hn::Or(hn::And(words, hn::Set(dw, 0x7FFFFF)), hn::Set(dw, 0x3F800000));
    return hn::Sub(hn::BitCast(df, bits), hn::Set(df, 1.0F));
  });
}

void FillUniformDouble(const Philox& base, std::uint64_t first_block, double* out, std::int64_t n) {
  const Rounds s(base);
  const D d;
  const DU du;
  const auto fraction = [=](VU upper, VU lower) {
    const VU bits = hn::OrAnd(hn::Set(du, 0x3FF0000000000000), Pair(du, lower, upper),
                              hn::Set(du, 0x000FFFFFFFFFFFFF));
    return hn::Sub(hn::BitCast(d, bits), hn::Set(d, 1.0));
  };
  FillBlocks<2>(first_block, ShuffledOrder(du), out, n, [&](VU block, double* to) {
    const Words<VU> w = Blocks(du, s, block);
    StoreInOrder(d, fraction(w.w0, w.w1), fraction(w.w2, w.w3), to);
  });
}

// low + word % range. The remainder is Lemire, Kaser and Kurz's ("Faster remainder by direct
// computation"): the fraction word / range in 64 bits, times range.
void FillUniformInt32(const Philox& base, std::uint64_t first_block, std::uint32_t* out,
                      std::int64_t n, std::uint32_t low, std::uint32_t range) {
  const Rounds s(base);
  const DU du;
  const DW dw;
  const std::uint64_t inverse = ~std::uint64_t{0} / range + 1;
  const VU inverse_low = hn::Set(du, inverse & 0xFFFFFFFF);
  const VU inverse_high = hn::Set(du, inverse >> 32);
  const VU divisor = hn::Set(du, range);
  const VU start = hn::Set(du, low);
  const auto finish = [&](VU word) {
    const VU fraction = hn::Add(MulLower(du, word, inverse_low),
                                hn::ShiftLeft<32>(MulLower(du, word, inverse_high)));
    const VU lower = hn::ShiftRight<32>(MulLower(du, fraction, divisor));
    const VU upper = MulLower(du, hn::ShiftRight<32>(fraction), divisor);
    return hn::Add(hn::ShiftRight<32>(hn::Add(upper, lower)), start);
  };
  FillBlocks<4>(first_block, ShuffledOrder(du), out, n, [&](VU block, std::uint32_t* to) {
    const Words<VU> w = Blocks(du, s, block);
    const VU a = Pair(du, finish(w.w0), finish(w.w1));
    const VU b = Pair(du, finish(w.w2), finish(w.w3));
    hn::StoreU(hn::BitCast(dw, hn::InterleaveLower(du, a, b)), dw, to);
    hn::StoreU(hn::BitCast(dw, hn::InterleaveUpper(du, a, b)), dw, to + hn::Lanes(dw));
  });
}

// Computes vectors of blocks and gives each to consume(v, words); block_of(v) gives its blocks'
// numbers. A batch's words come first, then what is made of them: the processor overlaps many steps
// of one short loop, but not of one that does all.
template <class BlockOf, class Consume>
HWY_INLINE void InBatches(const Rounds& s, std::int64_t vectors, BlockOf&& block_of,
                          Consume&& consume) {
  constexpr std::int64_t kBatch = 16;
  const DU du;
  HWY_ALIGN std::uint64_t words[kBatch][4][hn::MaxLanes(du)];
  for (std::int64_t v = 0; v < vectors; v += kBatch) {
    const std::int64_t m = std::min(kBatch, vectors - v);
    for (std::int64_t k = 0; k < m; ++k) {
      const Words<VU> w = Blocks(du, s, block_of(v + k));
      hn::Store(w.w0, du, words[k][0]);
      hn::Store(w.w1, du, words[k][1]);
      hn::Store(w.w2, du, words[k][2]);
      hn::Store(w.w3, du, words[k][3]);
    }
    for (std::int64_t k = 0; k < m; ++k) {
      consume(v + k, Words<VU>{hn::Load(du, words[k][0]), hn::Load(du, words[k][1]),
                               hn::Load(du, words[k][2]), hn::Load(du, words[k][3])});
    }
  }
}

// Normal numbers from a vector of blocks, stored block after block; returns, as bits, of which
// blocks all have a magnitude below 2.
struct FloatBlocks {
  using T = float;
  static constexpr int kSize = 4;
  static HWY_INLINE std::uint32_t Store(const Words<VU>& w, float* to) {
    const D d;
    const hn::Rebind<float, D> df;
    const auto a = FloatNormals(d, w.w0, w.w1);
    const auto b = FloatNormals(d, w.w2, w.w3);
    hn::StoreInterleaved4(a.first, a.second, b.first, b.second, df, to);
    const auto largest = hn::Max(hn::Max(hn::Abs(a.first), hn::Abs(a.second)),
                                 hn::Max(hn::Abs(b.first), hn::Abs(b.second)));
    std::uint8_t bits[8] = {};
    hn::StoreMaskBits(df, hn::Lt(largest, hn::Set(df, 2.0F)), bits);
    return bits[0];
  }
};
// The logarithm, sine and cosine are libm's, as TensorFlow's are: what is vectorised is the stream.
struct DoubleBlocks {
  using T = double;
  static constexpr int kSize = 2;
  static HWY_INLINE std::uint32_t Store(const Words<VU>& w, double* to) {
    const DU du;
    std::uint64_t words[2 * hn::MaxLanes(du)];
    hn::StoreInterleaved2(Pair(du, w.w0, w.w1), Pair(du, w.w2, w.w3), du, words);
    std::uint32_t good = 0;
    for (std::size_t i = 0; i < hn::Lanes(du); ++i) {
      const std::uint64_t a = words[2 * i];
      const std::uint64_t b = words[2 * i + 1];
      const auto pair =
          box_muller(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(a >> 32),
                     static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(b >> 32));
      std::copy_n(pair.data(), 2, to + 2 * i);
      good |= static_cast<std::uint32_t>(std::abs(pair[0]) < 2 && std::abs(pair[1]) < 2) << i;
    }
    return good;
  }
};

template <class Source>
HWY_INLINE void FillNormal(const Rounds& s, std::uint64_t first_block, typename Source::T* out,
                           std::int64_t n) {
  const DU du;
  const std::int64_t lanes = Lanes();
  const std::int64_t whole = lanes * Source::kSize;
  const VU order = hn::Add(hn::Set(du, first_block), hn::Iota(du, 0));
  InBatches(
      s, (n + whole - 1) / whole,
      [&](std::int64_t v) {
        return hn::Add(order, hn::Set(du, static_cast<std::uint64_t>(v * lanes)));
      },
      [&](std::int64_t v, const Words<VU>& words) {
        typename Source::T* to = out + v * whole;
        const std::int64_t room = n - v * whole;
        if (room >= whole) {
          Source::Store(words, to);
        } else {
          typename Source::T rest[hn::MaxLanes(du) * Source::kSize];
          Source::Store(words, rest);
          std::copy_n(rest, room, to);
        }
      });
}

void FillNormalFloat(const Philox& base, std::uint64_t first_block, float* out, std::int64_t n) {
  FillNormal<FloatBlocks>(Rounds(base), first_block, out, n);
}
void FillNormalDouble(const Philox& base, std::uint64_t first_block, double* out, std::int64_t n) {
  FillNormal<DoubleBlocks>(Rounds(base), first_block, out, n);
}

// TensorFlow gives every value of a rejecting distribution 256 words, group by group.
constexpr std::uint64_t kWordsPerValue = 256;

// Truncated normal numbers of some groups, each of kSize values and with a stretch of the stream of
// its own. First one block for all groups; then another one for those that refused a number; and
// so on.
template <class Source>
class Truncated {
 public:
  using T = typename Source::T;
  static constexpr int kSize = Source::kSize;
  static constexpr std::int64_t kGroups = 512;

  // Fills `groups` groups of `values`, at most kGroups.
  HWY_INLINE void Fill(const Rounds& s, std::uint64_t first_group, std::int64_t groups) {
    const DU du;
    const std::int64_t lanes = Lanes();
    const VU order = hn::Add(hn::Set(du, first_group * kStretch),
                             hn::ShiftLeft<std::countr_zero(kStretch)>(hn::Iota(du, 0)));
    std::int64_t left = 0;
    InBatches(
        s, (groups + lanes - 1) / lanes,
        [&](std::int64_t v) {
          return hn::Add(order, hn::Set(du, static_cast<std::uint64_t>(v * lanes) * kStretch));
        },
        [&](std::int64_t v, const Words<VU>& words) {
          const std::uint32_t good = Source::Store(words, values + v * lanes * kSize);
          for (std::int64_t lane = 0; lane < lanes; ++lane) {
            open_[left].group = v * lanes + lane;
            left += (good >> lane & 1) == 0;
          }
        });
    while (left > 0 && open_[left - 1].group >= groups) --left;  // lanes beyond the last group
    for (std::int64_t i = 0; i < left; ++i) {
      const std::int64_t group = open_[i].group;
      open_[i].have = Accept(values + group * kSize, group, 0);
    }
    for (std::uint64_t round = 1; left > 0; ++round) left = Refill(s, first_group, round, left);
  }

  T values[kGroups * kSize + 1];  // the last one takes what is refused for want of room

 private:
  static constexpr std::uint64_t kStretch = kSize * kWordsPerValue / 4;  // blocks

  struct Open {
    std::int64_t group;
    int have;  // how many of its values are there
  };

  // Puts those of from[0 .. kSize) that are below 2 in magnitude after the group's first `have`
  // values, while there is room. No branches: chance decides.
  HWY_INLINE int Accept(const T* from, std::int64_t group, int have) {
    for (int k = 0; k < kSize; ++k) {
      const T value = from[k];
      const bool room = have < kSize;
      values[room ? group * kSize + have : kGroups * kSize] = value;
      have += static_cast<int>(room) & static_cast<int>(std::abs(value) < T(2));
    }
    return have;
  }

  // Gives each open group the block `round` of its stretch; returns how many are still open.
  HWY_INLINE std::int64_t Refill(const Rounds& s, std::uint64_t first_group, std::uint64_t round,
                                 std::int64_t count) {
    const DU du;
    const std::int64_t lanes = Lanes();
    std::int64_t left = 0;
    InBatches(
        s, (count + lanes - 1) / lanes,
        [&](std::int64_t v) {
          std::uint64_t blocks[hn::MaxLanes(du)];
          for (std::int64_t k = 0; k < lanes; ++k) {
            const auto group = static_cast<std::uint64_t>(open_[v * lanes + k].group);
            blocks[k] = (first_group + group) * kStretch + round;
          }
          return hn::LoadU(du, blocks);
        },
        [&](std::int64_t v, const Words<VU>& words) {
          T drawn[hn::MaxLanes(du) * kSize];
          Source::Store(words, drawn);
          const std::int64_t m = std::min(lanes, count - v * lanes);
          for (std::int64_t k = 0; k < m; ++k) {
            Open open = open_[v * lanes + k];
            open.have = Accept(drawn + k * kSize, open.group, open.have);
            open_[left] = open;
            left += open.have < kSize;
          }
        });
    return left;
  }

  Open open_[kGroups + hn::MaxLanes(DU())] = {};
};

template <class Source>
HWY_INLINE void FillTruncated(const Rounds& s, std::uint64_t first_group, typename Source::T* out,
                              std::int64_t n) {
  constexpr std::int64_t kSize = Source::kSize;
  constexpr std::int64_t kPiece = Truncated<Source>::kGroups * kSize;
  Truncated<Source> work;
  for (std::int64_t i = 0; i < n; i += kPiece) {
    const std::int64_t m = std::min(kPiece, n - i);
    work.Fill(s, first_group + static_cast<std::uint64_t>(i / kSize), (m + kSize - 1) / kSize);
    std::copy_n(work.values, m, out + i);
  }
}

void FillTruncatedFloat(const Philox& base, std::uint64_t first_group, float* out, std::int64_t n) {
  FillTruncated<FloatBlocks>(Rounds(base), first_group, out, n);
}
void FillTruncatedDouble(const Philox& base, std::uint64_t first_group, double* out,
                         std::int64_t n) {
  FillTruncated<DoubleBlocks>(Rounds(base), first_group, out, n);
}

// The same, one pair at a time.
std::array<float, 2> FloatPair(std::uint32_t x0, std::uint32_t x1) {
  const hn::CappedTag<double, 2> d;
  const hn::CappedTag<std::uint64_t, 2> du;
  const auto pair = FloatNormals(d, hn::Set(du, x0), hn::Set(du, x1));
  return {hn::GetLane(pair.first), hn::GetLane(pair.second)};
}

}  // namespace assay::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay {
namespace {

HWY_EXPORT(FillWords);
HWY_EXPORT(FillUniformFloat);
HWY_EXPORT(FillUniformDouble);
HWY_EXPORT(FillUniformInt32);
HWY_EXPORT(FillNormalFloat);
HWY_EXPORT(FillNormalDouble);
HWY_EXPORT(FillTruncatedFloat);
HWY_EXPORT(FillTruncatedDouble);

std::uint64_t group_of(std::int64_t first, std::int64_t size) {
  return static_cast<std::uint64_t>(first / size);
}

// Remainders by a divisor that stays: Granlund and Montgomery, "Division by invariant integers
// using multiplication", figure 4.1.
class Divisor {
 public:
  explicit Divisor(std::uint64_t d) : divisor_(d), width_(static_cast<int>(std::bit_width(d - 1))) {
    const Wide numerator = ((Wide{1} << width_) - d) << 64;
    factor_ = static_cast<std::uint64_t>(numerator / d) + 1;
  }
  std::uint64_t remainder(std::uint64_t n) const {
    const auto upper = static_cast<std::uint64_t>((Wide{factor_} * n) >> 64);
    const std::uint64_t quotient = width_ == 0 ? n : (upper + ((n - upper) >> 1)) >> (width_ - 1);
    return n - quotient * divisor_;
  }

 private:
  __extension__ using Wide = unsigned __int128;
  std::uint64_t divisor_;
  int width_;  // the least one with divisor <= 2^width
  std::uint64_t factor_;
};

}  // namespace

std::array<float, 2> box_muller(std::uint32_t x0, std::uint32_t x1) {
  return HWY_STATIC_DISPATCH(FloatPair)(x0, x1);
}

void fill_words(Philox base, std::int64_t first, std::uint32_t* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(FillWords)(base, group_of(first, 4), out, n);
}

void fill_uniform(Philox base, std::int64_t first, float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(FillUniformFloat)(base, group_of(first, 4), out, n);
}

void fill_uniform(Philox base, std::int64_t first, double* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(FillUniformDouble)(base, group_of(first, 2), out, n);
}

void fill_uniform(Philox base, std::int64_t first, std::int32_t* out, std::int64_t n,
                  std::int32_t low, std::int32_t high) {
  const auto start = static_cast<std::uint32_t>(low);
  HWY_DYNAMIC_DISPATCH(FillUniformInt32)
  (base, group_of(first, 4), reinterpret_cast<std::uint32_t*>(out), n, start,
   static_cast<std::uint32_t>(high) - start);
}

void fill_uniform(Philox base, std::int64_t first, std::int64_t* out, std::int64_t n,
                  std::int64_t low, std::int64_t high) {
  const auto start = static_cast<std::uint64_t>(low);
  const Divisor range(static_cast<std::uint64_t>(high) - start);
  constexpr std::int64_t kPiece = 512;
  std::uint32_t words[2 * kPiece];
  for (std::int64_t i = 0; i < n; i += kPiece) {
    const std::int64_t m = std::min(kPiece, n - i);
    fill_words(base, 2 * (first + i), words, 2 * m);
    for (std::int64_t k = 0; k < m; ++k) {
      const std::uint64_t bits = words[2 * k] | (std::uint64_t{words[2 * k + 1]} << 32);
      out[i + k] = static_cast<std::int64_t>(start + range.remainder(bits));
    }
  }
}

void fill_normal(Philox base, std::int64_t first, float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(FillNormalFloat)(base, group_of(first, 4), out, n);
}

void fill_normal(Philox base, std::int64_t first, double* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(FillNormalDouble)(base, group_of(first, 2), out, n);
}

void fill_truncated_normal(Philox base, std::int64_t first, float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(FillTruncatedFloat)(base, group_of(first, 4), out, n);
}

void fill_truncated_normal(Philox base, std::int64_t first, double* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(FillTruncatedDouble)(base, group_of(first, 2), out, n);
}

}  // namespace assay
#endif  // HWY_ONCE
