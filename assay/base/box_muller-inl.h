// Box and Muller's normal numbers on vectors, with TensorFlow's bits: logarithm, sine and cosine
// are the float functions of glibc since 2.28 (Arm's Optimized Routines by Szabolcs Nagy and Wilco
// Dijkstra), operation for operation. They compute in double and round once, at the end. A lane's
// operations are the same on every vector, so all instruction sets give the same bits.
// Included once for each instruction set, so no `#pragma once`: Highway's own guard.
#if defined(ASSAY_BASE_BOX_MULLER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_BASE_BOX_MULLER_INL_H_
#undef ASSAY_BASE_BOX_MULLER_INL_H_
#else
#define ASSAY_BASE_BOX_MULLER_INL_H_
#endif

#include <cstdint>
#include <numbers>

#include "assay/base/philox-inl.h"
#include "hwy/highway.h"

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
#error "MulAdd must be one operation, rounded once, on every target"
#endif

HWY_BEFORE_NAMESPACE();
namespace assay::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class V>
struct PairOf {
  V first, second;
};

// table[i % 16].
template <class D, class VU>
HWY_INLINE hn::Vec<D> LookUp16(D d, const double* table, VU i) {
  if constexpr (hn::MaxLanes(D()) == 8) {
    const hn::RebindToUnsigned<D> du;
    const auto at = hn::IndicesFromVec(d, hn::And(i, hn::Set(du, 7)));
    const auto upper = hn::RebindMask(d, hn::TestBit(i, hn::Set(du, 8)));
    return hn::IfThenElse(upper, hn::TableLookupLanes(hn::LoadU(d, table + 8), at),
                          hn::TableLookupLanes(hn::LoadU(d, table), at));
  } else {
    const auto at = hn::And(i, hn::Set(hn::RebindToUnsigned<D>(), 15));
    return hn::GatherIndex(d, table, hn::BitCast(hn::RebindToSigned<D>(), at));
  }
}

// log(x) for x of a float's precision and range: right within 0.82 units in the last place when
// rounded to a float.
template <class D, class V>
HWY_INLINE V FloatLog(D d, V x) {
  // 1 / c and log(c) for points c in 16 equal parts of [0.7, 1.4).
  static constexpr double kInverse[] = {0x1.661ec79f8f3bep+0, 0x1.571ed4aaf883dp+0,
                                        0x1.49539f0f010bp+0,  0x1.3c995b0b80385p+0,
                                        0x1.30d190c8864a5p+0, 0x1.25e227b0b8eap+0,
                                        0x1.1bb4a4a1a343fp+0, 0x1.12358f08ae5bap+0,
                                        0x1.0953f419900a7p+0, 0x1p+0,
                                        0x1.e608cfd9a47acp-1, 0x1.ca4b31f026aap-1,
                                        0x1.b2036576afce6p-1, 0x1.9c2d163a1aa2dp-1,
                                        0x1.886e6037841edp-1, 0x1.767dcf5534862p-1};
  static constexpr double kLog[] = {-0x1.57bf7808caadep-2, -0x1.2bef0a7c06ddbp-2,
                                    -0x1.01eae7f513a67p-2, -0x1.b31d8a68224e9p-3,
                                    -0x1.6574f0ac07758p-3, -0x1.1aa2bc79c81p-3,
                                    -0x1.a4e76ce8c0e5ep-4, -0x1.1973c5a611cccp-4,
                                    -0x1.252f438e10c1ep-5, 0x0p+0,
                                    0x1.aa5aa5df25984p-5,  0x1.c5e53aa362eb4p-4,
                                    0x1.526e57720db08p-3,  0x1.bc2860d22477p-3,
                                    0x1.1058bc8a07ee1p-2,  0x1.4043057b6ee09p-2};
  const hn::RebindToUnsigned<D> du;
  // x = 2^e z, z from `begin` to its double.
  constexpr std::uint64_t kBegin = 0x3FE6600000000000;
  const auto moved = hn::Add(hn::BitCast(du, x), hn::Set(du, 0x3FF0000000000000 - kBegin));
  const V z =
      hn::BitCast(d, hn::Add(hn::And(moved, hn::Set(du, 0x000FFFFFFFFFFFFF)), hn::Set(du, kBegin)));
  // e + 1023 as the last bits of 2^52.
  const V e =
      hn::Sub(hn::BitCast(d, hn::Or(hn::ShiftRight<52>(moved), hn::Set(du, 0x4330000000000000))),
              hn::Set(d, 0x1p52 + 1023));
  const auto part = hn::ShiftRight<48>(moved);
  const V r = hn::MulSub(z, LookUp16(d, kInverse, part), hn::Set(d, 1.0));
  const V base = hn::MulAdd(e, hn::Set(d, 0x1.62e42fefa39efp-1), LookUp16(d, kLog, part));
  const V r2 = hn::Mul(r, r);
  V y = hn::MulAdd(hn::Set(d, 0x1.5575b0be00b6ap-2), r, hn::Set(d, -0x1.ffffef20a4123p-2));
  y = hn::MulAdd(hn::Set(d, -0x1.00ea348b88334p-2), r2, y);
  return hn::MulAdd(y, r2, hn::Add(base, r));
}

// sin(x) and cos(x) for x of a float's precision from 0 to 2 pi: right within 0.56 units in the
// last place when rounded to a float.
template <class D, class V>
HWY_INLINE PairOf<V> FloatSinCos(D d, V x) {
  const hn::RebindToUnsigned<D> du;
  // x = q pi/2 + y. Adding 1.5 2^52 rounds to an integer and leaves it in the last bits.
  const V magic = hn::Set(d, 0x1.8p52);
  const V shifted = hn::MulAdd(x, hn::Set(d, 0x1.45F306DC9C883p-1), magic);
  const auto quadrant = hn::BitCast(du, shifted);
  const V y = hn::NegMulAdd(hn::Sub(shifted, magic), hn::Set(d, 0x1.921FB54442D18p0), x);
  const V y2 = hn::Mul(y, y);
  const V y3 = hn::Mul(y2, y);
  const V y4 = hn::Mul(y2, y2);
  const V sin_end =
      hn::MulAdd(y2, hn::Set(d, -0x1.994eb3774cf24p-13), hn::Set(d, 0x1.1107605230bc4p-7));
  const V sin =
      hn::MulAdd(hn::Mul(y3, y2), sin_end, hn::MulAdd(y3, hn::Set(d, -0x1.555545995a603p-3), y));
  const V cos_end =
      hn::MulAdd(y2, hn::Set(d, 0x1.99343027bf8c3p-16), hn::Set(d, -0x1.6c087e89a359dp-10));
  const V cos_begin = hn::MulAdd(y2, hn::Set(d, -0x1.ffffffd0c621cp-2), hn::Set(d, 1.0));
  const V cos = hn::MulAdd(hn::Mul(y4, y2), cos_end,
                           hn::MulAdd(y4, hn::Set(d, 0x1.55553e1068f19p-5), cos_begin));

  const auto odd = hn::RebindMask(d, hn::TestBit(quadrant, hn::Set(du, 1)));
  const auto sign = hn::Set(du, std::uint64_t{1} << 63);
  const auto flip_sin = hn::And(hn::ShiftLeft<62>(quadrant), sign);
  const auto flip_cos = hn::And(hn::ShiftLeft<62>(hn::Add(quadrant, hn::Set(du, 1))), sign);
  return {hn::Xor(hn::IfThenElse(odd, cos, sin), hn::BitCast(d, flip_sin)),
          hn::Xor(hn::IfThenElse(odd, sin, cos), hn::BitCast(d, flip_cos))};
}

// A number of [1, 2) by the low 23 bits of each lane's word, as its fraction.
template <class D, class VU>
HWY_INLINE hn::Vec<D> OneAndFraction(D d, VU word) {
  const hn::RebindToUnsigned<D> du;
  return hn::BitCast(d, hn::OrAnd(hn::Set(du, 0x3FF0000000000000), hn::ShiftLeft<29>(word),
                                  hn::Set(du, 0x000FFFFFE0000000)));
}

// Two normal floats from the lower halves of a's and b's lanes, rounded to float where TensorFlow
// rounds.
template <class D, class VU, class DF = hn::Rebind<float, D>>
HWY_INLINE PairOf<hn::Vec<DF>> FloatNormals(D d, VU a, VU b) {
  const DF df;
  const auto u =
      hn::Max(hn::Sub(OneAndFraction(d, a), hn::Set(d, 1.0)), hn::Set(d, double{1.0e-7F}));
  const auto log = hn::DemoteTo(df, FloatLog(d, u));
  const auto radius = hn::Sqrt(hn::Mul(log, hn::Set(df, -2.0F)));
  // 2 pi (x - 1), rounded once.
  const auto full = hn::Set(d, 2 * std::numbers::pi);
  const auto turn = hn::MulSub(OneAndFraction(d, b), full, full);
  const auto at = FloatSinCos(d, hn::PromoteTo(d, hn::DemoteTo(df, turn)));
  return {hn::Mul(hn::DemoteTo(df, at.first), radius),
          hn::Mul(hn::DemoteTo(df, at.second), radius)};
}

}  // namespace assay::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ASSAY_BASE_BOX_MULLER_INL_H_
