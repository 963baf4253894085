// Transcendental functions, vectorised.
#include <math.h>

#include "assay/device/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "assay/device/cpu/loops_math.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// After foreach_target.
#include "assay/device/cpu/loops-inl.h"
#include "assay/device/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::cpu::HWY_NAMESPACE {

struct ExpBody {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return ExpV(d, x);
  }
};
struct Expm1Body {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return Expm1V(d, x);
  }
};
struct LogBody {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return LogV(d, x);
  }
};
struct Log1pBody {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return Log1pV(d, x);
  }
};
struct TanhBody {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return TanhV(d, x);
  }
};
struct SigmoidBody {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return SigmoidV(d, x);
  }
};
struct SoftplusBody {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return SoftplusV(d, x);
  }
};
struct EluBody {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), Expm1V(d, x), x);
  }
};
struct SeluBody {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    using T = hn::TFromD<D>;
    const V scale = hn::Set(d, static_cast<T>(1.0507009873554804934193349852946));
    const V scale_alpha = hn::Set(d, static_cast<T>(1.7580993408473768599402175208123));
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(scale_alpha, Expm1V(d, x)),
                          hn::Mul(scale, x));
  }
};

float CallSin(float x) {
  return ::sinf(x);
}
double CallSin(double x) {
  return ::sin(x);
}
float CallCos(float x) {
  return ::cosf(x);
}
double CallCos(double x) {
  return ::cos(x);
}

// Highway's argument reduction is good up to here.
constexpr double kTrigonometricBound = 30000;

// `y` where |x| is in bounds, the C library's answer in the other lanes.
template <class D, class V, class Call>
HWY_INLINE V PatchLarge(D d, V x, V y, Call call) {
  using T = hn::TFromD<D>;
  const auto good = hn::Le(hn::Abs(x), hn::Set(d, static_cast<T>(kTrigonometricBound)));
  if (HWY_LIKELY(hn::AllTrue(d, good))) return y;
  alignas(64) T xs[hn::MaxLanes(hn::ScalableTag<T>())];
  alignas(64) T ys[hn::MaxLanes(hn::ScalableTag<T>())];
  hn::Store(x, d, xs);
  hn::Store(y, d, ys);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
    if (!(xs[i] >= -kTrigonometricBound && xs[i] <= kTrigonometricBound)) ys[i] = call(xs[i]);
  }
  return hn::Load(d, ys);
}

struct SinBody {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return PatchLarge(d, x, hn::Sin(d, x), [](auto v) { return CallSin(v); });
  }
};
struct CosBody {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return PatchLarge(d, x, hn::Cos(d, x), [](auto v) { return CallCos(v); });
  }
};

ElementwiseLoop MathFor(UnaryOp op, DType dtype) {
  switch (op) {
    case UnaryOp::kExp:
      return PickUnary<ExpBody>(dtype);
    case UnaryOp::kExpm1:
      return PickUnary<Expm1Body>(dtype);
    case UnaryOp::kLog:
      return PickUnary<LogBody>(dtype);
    case UnaryOp::kLog1p:
      return PickUnary<Log1pBody>(dtype);
    case UnaryOp::kTanh:
      return PickUnary<TanhBody>(dtype);
    case UnaryOp::kSigmoid:
      return PickUnary<SigmoidBody>(dtype);
    case UnaryOp::kSoftplus:
      return PickUnary<SoftplusBody>(dtype);
    case UnaryOp::kElu:
      return PickUnary<EluBody>(dtype);
    case UnaryOp::kSelu:
      return PickUnary<SeluBody>(dtype);
    case UnaryOp::kSin:
      return PickUnary<SinBody>(dtype);
    case UnaryOp::kCos:
      return PickUnary<CosBody>(dtype);
    default:
      return nullptr;
  }
}

}  // namespace assay::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::cpu {

HWY_EXPORT(MathFor);

ElementwiseLoop simd_math_loop(UnaryOp op, DType dtype) {
  if (dtype != DType::kFloat && dtype != DType::kDouble) return nullptr;
  return HWY_DYNAMIC_DISPATCH(MathFor)(op, dtype);
}

}  // namespace assay::cpu
#endif  // HWY_ONCE
