// Philox on vectors: a block of the stream in each 64-bit lane. Included once for each instruction
// set, so no `#pragma once`: Highway's own guard.
#if defined(ASSAY_BASE_PHILOX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_BASE_PHILOX_INL_H_
#undef ASSAY_BASE_PHILOX_INL_H_
#else
#define ASSAY_BASE_PHILOX_INL_H_
#endif

#include <cstdint>

#include "assay/base/philox.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// A stream as the vector code reads it: where it begins, and its keys for the ten rounds.
struct Rounds {
  explicit Rounds(const Philox& base) {
    const Philox::Block& c = base.counter();
    low = c[0] | (std::uint64_t{c[1]} << 32);
    high = c[2] | (std::uint64_t{c[3]} << 32);
    // No block is 2^63 or more from the beginning.
    may_carry = (low >> 63) != 0;
    for (std::uint32_t i = 0; i < 10; ++i) {
      key0[i] = base.key()[0] + i * 0x9E3779B9U;
      key1[i] = base.key()[1] + i * 0xBB67AE85U;
    }
  }

  std::uint64_t low;
  std::uint64_t high;
  bool may_carry;
  std::uint64_t key0[10];
  std::uint64_t key1[10];
};

// The four words of as many blocks as V has lanes; what is in the upper half of a lane is garbage.
template <class V>
struct Words {
  V w0, w1, w2, w3;
};

template <class D, class V>
HWY_INLINE V MulLower(D d, V a, V b) {
  const hn::Repartition<std::uint32_t, D> d32;
  (void)d;
  return hn::MulEven(hn::BitCast(d32, a), hn::BitCast(d32, b));
}

// The blocks numbered `block` (one a lane), counted from the stream's beginning.
template <class D, class V = hn::Vec<D>>
HWY_INLINE Words<V> Blocks(D d, const Rounds& s, V block) {
  const V m0 = hn::Set(d, 0xD2511F53);
  const V m1 = hn::Set(d, 0xCD9E8D57);
  const V low = hn::Add(block, hn::Set(d, s.low));
  V high = hn::Set(d, s.high);
  if (HWY_UNLIKELY(s.may_carry)) {
    high = hn::Sub(high, hn::VecFromMask(d, hn::Lt(low, hn::Set(d, s.low))));
  }
  Words<V> c{low, hn::ShiftRight<32>(low), high, hn::ShiftRight<32>(high)};
  // The products' lower halves are the next words as they are: only a lane's lower half is read.
#pragma GCC unroll 10
  for (int i = 0; i < 10; ++i) {
    const V p0 = MulLower(d, m0, c.w0);
    const V p1 = MulLower(d, m1, c.w2);
    c.w0 = hn::Xor3(hn::ShiftRight<32>(p1), c.w1, hn::Set(d, s.key0[i]));
    c.w1 = p1;
    c.w2 = hn::Xor3(hn::ShiftRight<32>(p0), c.w3, hn::Set(d, s.key1[i]));
    c.w3 = p0;
  }
  return c;
}

// Numbers of consecutive blocks in the order that StoreInOrder puts right again: lane 2i holds
// block i, lane 2i + 1 block i + lanes / 2.
template <class D>
HWY_INLINE hn::Vec<D> ShuffledOrder(D d) {
  const auto i = hn::Iota(d, 0);
  const auto odd = hn::Ne(hn::And(i, hn::Set(d, 1)), hn::Zero(d));
  return hn::Add(hn::ShiftRight<1>(i), hn::IfThenElseZero(odd, hn::Set(d, hn::Lanes(d) / 2)));
}

// Writes a and b of each block side by side, block after block. REQUIRES: ShuffledOrder.
template <class D, class V, typename T>
HWY_INLINE void StoreInOrder(D d, V a, V b, T* out) {
  hn::StoreU(hn::InterleaveLower(d, a, b), d, out);
  hn::StoreU(hn::InterleaveUpper(d, a, b), d, out + hn::Lanes(d));
}

// The lower halves of two vectors' lanes, paired: that of `lower` is the lower one.
template <class D, class V>
HWY_INLINE V Pair(D d, V lower, V upper) {
  const hn::Repartition<std::uint32_t, D> d32;
  return hn::BitCast(
      d, hn::OddEven(hn::BitCast(d32, hn::ShiftLeft<32>(upper)), hn::BitCast(d32, lower)));
}

}  // namespace assay::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ASSAY_BASE_PHILOX_INL_H_
