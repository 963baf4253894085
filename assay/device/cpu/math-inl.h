// Vector exp, log and their kin, with the special cases that Highway's versions leave out. A
// lane's result depends on that lane alone.
#if defined(ASSAY_DEVICE_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_DEVICE_CPU_MATH_INL_H_
#undef ASSAY_DEVICE_CPU_MATH_INL_H_
#else
#define ASSAY_DEVICE_CPU_MATH_INL_H_
#endif

#include <math.h>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// A plain function, not std::numeric_limits: inline templates of the standard library must not
/// be instantiated with this instruction set.
template <typename T>
HWY_INLINE T Infinity() {
  return static_cast<T>(HUGE_VAL);
}

/// Above this exp overflows; Highway's stays right a little further.
template <typename T>
HWY_INLINE T ExpCeiling() {
  return sizeof(T) == 4 ? static_cast<T>(104) : static_cast<T>(710);
}

/// exp(x): infinity above ExpCeiling, NaN for NaN.
template <class D, class V>
HWY_INLINE V ExpV(D d, V x) {
  using T = hn::TFromD<D>;
  const V top = hn::Set(d, ExpCeiling<T>());
  V y = hn::Exp(d, hn::Min(top, x));
  y = hn::IfThenElse(hn::Ge(x, top), hn::Set(d, Infinity<T>()), y);
  return hn::IfThenElse(hn::Eq(x, x), y, x);
}

/// exp(x) - 1 without cancellation near 0.
template <class D, class V>
HWY_INLINE V Expm1V(D d, V x) {
  using T = hn::TFromD<D>;
  const V top = hn::Set(d, ExpCeiling<T>());
  V y = hn::Expm1(d, hn::Min(top, x));
  y = hn::IfThenElse(hn::Ge(x, top), hn::Set(d, Infinity<T>()), y);
  // Tiny arguments, minus zero and NaN: the function is the identity there.
  const V tiny = hn::Set(d, sizeof(T) == 4 ? static_cast<T>(1e-8) : static_cast<T>(1e-17));
  return hn::IfThenElse(hn::Ge(hn::Abs(x), tiny), y, x);
}

/// `y` = log(x) with the special cases put right: -infinity of 0, NaN below, infinity, NaN.
template <class D, class V>
HWY_INLINE V LogSpecial(D d, V x, V y) {
  using T = hn::TFromD<D>;
  const V inf = hn::Set(d, Infinity<T>());
  const V zero = hn::Zero(d);
  y = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(inf), y);
  y = hn::IfThenElse(hn::Lt(x, zero), hn::Set(d, static_cast<T>(NAN)), y);
  y = hn::IfThenElse(hn::Eq(x, inf), inf, y);
  return hn::IfThenElse(hn::Eq(x, x), y, x);
}

/// log(x), special cases included.
template <class D, class V>
HWY_INLINE V LogV(D d, V x) {
  return LogSpecial(d, x, hn::Log(d, x));
}

/// log(1 + x) without cancellation near 0.
template <class D, class V>
HWY_INLINE V Log1pV(D d, V x) {
  using T = hn::TFromD<D>;
  const V one = hn::Set(d, static_cast<T>(1));
  const V inf = hn::Set(d, Infinity<T>());
  // log(1 + x) x / ((1 + x) - 1): the rounding of 1 + x cancels (Kahan).
  const V u = hn::Add(one, x);
  V y = hn::Mul(LogSpecial(d, u, hn::Log(d, u)), hn::Div(x, hn::Sub(u, one)));
  y = hn::IfThenElse(hn::Eq(x, inf), inf, y);
  // Tiny arguments, and NaN.
  y = hn::IfThenElse(hn::Eq(u, one), x, y);
  return hn::IfThenElse(hn::Eq(x, x), y, x);
}

/// tanh(x); exactly +-1 far out, x itself near 0.
template <class D, class V>
HWY_INLINE V TanhV(D d, V x) {
  using T = hn::TFromD<D>;
  // tanh|x| = m / (m + 2), m = expm1(2|x|); beyond the bound the result rounds to 1.
  const V one = hn::Set(d, static_cast<T>(1));
  const V two = hn::Set(d, static_cast<T>(2));
  const V bound = hn::Set(d, sizeof(T) == 4 ? static_cast<T>(10) : static_cast<T>(20));
  const V a = hn::Abs(x);
  const V m = hn::Expm1(d, hn::Mul(two, hn::Min(a, bound)));
  V y = hn::Div(m, hn::Add(m, two));
  y = hn::IfThenElse(hn::Ge(a, bound), one, y);
  const V tiny = hn::Set(d, sizeof(T) == 4 ? static_cast<T>(1e-4) : static_cast<T>(1e-8));
  // Also NaN: not greater than the bound.
  return hn::IfThenElse(hn::Gt(a, tiny), hn::CopySign(y, x), x);
}

/// 1 / (1 + exp(-x)), without overflow.
template <class D, class V>
HWY_INLINE V SigmoidV(D d, V x) {
  // By exp(-|x|), which does not overflow: 1 / (1 + e) or e / (1 + e).
  const V one = hn::Set(d, static_cast<hn::TFromD<D>>(1));
  const V e = ExpV(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

/// log(exp(x) + 1), without overflow.
template <class D, class V>
HWY_INLINE V SoftplusV(D d, V x) {
  // max(x, 0) + log1p(exp(-|x|)): no overflow, no cancellation.
  const V y = hn::Add(hn::Max(x, hn::Zero(d)), Log1pV(d, ExpV(d, hn::Neg(hn::Abs(x)))));
  return hn::IfThenElse(hn::Eq(x, x), y, x);
}

}  // namespace assay::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ASSAY_DEVICE_CPU_MATH_INL_H_
