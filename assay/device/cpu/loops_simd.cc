// Arithmetic on floats, vectorised.
#include "assay/device/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "assay/device/cpu/loops_simd.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"
// After foreach_target.
#include "assay/device/cpu/loops-inl.h"
#include "assay/device/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace assay::cpu::HWY_NAMESPACE {

template <class D>
HWY_INLINE hn::Vec<D> Num(D d, double value) {
  return hn::Set(d, static_cast<hn::TFromD<D>>(value));
}

struct Neg {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Neg(x);
  }
};
struct Abs {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Abs(x);
  }
};
struct Sign {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V zero = hn::Zero(d);
    const V up = hn::IfThenElseZero(hn::Gt(x, zero), Num(d, 1));
    const V y = hn::IfThenElse(hn::Lt(x, zero), Num(d, -1), up);
    return hn::IfThenElse(hn::Eq(x, x), y, x);
  }
};
struct Square {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Mul(x, x);
  }
};
struct Sqrt {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Sqrt(x);
  }
};
struct Rsqrt {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(Num(d, 1), hn::Sqrt(x));
  }
};
struct Reciprocal {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(Num(d, 1), x);
  }
};
struct Floor {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Floor(x);
  }
};
struct Ceil {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Ceil(x);
  }
};
struct Rint {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x) const {
    return hn::Round(x);
  }
};
// x86's Min and Max give their second argument when either is NaN, hence the orders below.
struct Relu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Max(hn::Zero(d), x);
  }
};
struct Relu6 {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Min(Num(d, 6), hn::Max(hn::Zero(d), x));
  }
};
struct Softsign {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(x, hn::Add(Num(d, 1), hn::Abs(x)));
  }
};

struct Add {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y) const {
    return hn::Add(x, y);
  }
};
struct Sub {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y) const {
    return hn::Sub(x, y);
  }
};
struct Mul {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y) const {
    return hn::Mul(x, y);
  }
};
struct MulNoNan {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V y) const {
    return hn::IfThenZeroElse(hn::Eq(y, hn::Zero(d)), hn::Mul(x, y));
  }
};
struct Div {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y) const {
    return hn::Div(x, y);
  }
};
struct DivNoNan {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V y) const {
    return hn::IfThenZeroElse(hn::Eq(y, hn::Zero(d)), hn::Div(x, y));
  }
};
struct Xdivy {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V y) const {
    return hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), hn::Div(x, y));
  }
};
struct Xlogy {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V y) const {
    return hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), hn::Mul(x, LogV(d, y)));
  }
};
struct FloorDiv {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y) const {
    return hn::Floor(hn::Div(x, y));
  }
};
struct Maximum {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y) const {
    return hn::Max(y, x);
  }
};
struct Minimum {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y) const {
    return hn::Min(y, x);
  }
};
struct SquaredDifference {
  template <class D, class V>
  HWY_INLINE V operator()(D, V x, V y) const {
    const V difference = hn::Sub(x, y);
    return hn::Mul(difference, difference);
  }
};
struct LeakyRelu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x, V slope) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(x, slope));
  }
};
struct ReluGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V g, V x) const {
    return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), g);
  }
};
struct Relu6Grad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V g, V x) const {
    return hn::IfThenElseZero(hn::And(hn::Gt(x, hn::Zero(d)), hn::Lt(x, Num(d, 6))), g);
  }
};
struct EluGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V g, V y) const {
    return hn::IfThenElse(hn::Lt(y, hn::Zero(d)), hn::Mul(g, hn::Add(y, Num(d, 1))), g);
  }
};
struct SeluGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V g, V y) const {
    const V scale = Num(d, 1.0507009873554804934193349852946);
    const V scale_alpha = Num(d, 1.7580993408473768599402175208123);
    return hn::Mul(g, hn::IfThenElse(hn::Lt(y, hn::Zero(d)), hn::Add(y, scale_alpha), scale));
  }
};
struct SoftplusGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V g, V x) const {
    return hn::Div(g, hn::Add(ExpV(d, hn::Neg(x)), Num(d, 1)));
  }
};
struct SoftsignGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V g, V x) const {
    const V u = hn::Add(Num(d, 1), hn::Abs(x));
    return hn::Div(g, hn::Mul(u, u));
  }
};
struct TanhGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V y, V dy) const {
    return hn::Mul(dy, hn::Sub(Num(d, 1), hn::Mul(y, y)));
  }
};
struct SigmoidGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V y, V dy) const {
    return hn::Mul(hn::Mul(dy, y), hn::Sub(Num(d, 1), y));
  }
};
struct SqrtGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V y, V dy) const {
    return hn::Div(hn::Mul(Num(d, 0.5), dy), y);
  }
};
struct RsqrtGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V y, V dy) const {
    return hn::Mul(hn::Mul(hn::Mul(Num(d, -0.5), dy), y), hn::Mul(y, y));
  }
};
struct InvGrad {
  template <class D, class V>
  HWY_INLINE V operator()(D, V y, V dy) const {
    return hn::Mul(hn::Neg(dy), hn::Mul(y, y));
  }
};

// Bytes widened to lanes of T.
template <class D>
HWY_INLINE hn::Vec<D> LoadBytes(D d, const std::uint8_t* from) {
  const hn::Rebind<std::uint8_t, D> d8;
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    const hn::Rebind<std::uint32_t, D> d32;
    return hn::PromoteTo(d, hn::PromoteTo(d32, hn::LoadU(d8, from)));
  } else {
    return hn::PromoteTo(d, hn::LoadU(d8, from));
  }
}

// out = condition ? x : y, by size alone: T is an unsigned type.
template <typename T>
void SelectLoop(const void* const* in, const int* stride, void* output, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::uint8_t* c = static_cast<const std::uint8_t*>(in[0]);
  const T* x = static_cast<const T*>(in[1]);
  const T* y = static_cast<const T*>(in[2]);
  T* out = static_cast<T*>(output);
  // An input of stride 0 stays where it is: read from a vector filled once.
  alignas(64) std::uint8_t same_c[64 / sizeof(T)];
  alignas(64) T same_x[64 / sizeof(T)];
  alignas(64) T same_y[64 / sizeof(T)];
  const std::int64_t c_step = stride[0] != 0 ? lanes : 0;
  const std::int64_t x_step = stride[1] != 0 ? lanes : 0;
  const std::int64_t y_step = stride[2] != 0 ? lanes : 0;
  if (c_step == 0) {
    for (std::uint8_t& v : same_c) v = *c;
    c = same_c;
  }
  if (x_step == 0) {
    hn::Store(hn::Set(d, *x), d, same_x);
    x = same_x;
  }
  if (y_step == 0) {
    hn::Store(hn::Set(d, *y), d, same_y);
    y = same_y;
  }
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto test = hn::Ne(LoadBytes(d, c), hn::Zero(d));
    hn::StoreU(hn::IfThenElse(test, hn::LoadU(d, x), hn::LoadU(d, y)), d, out + i);
    c += c_step;
    x += x_step;
    y += y_step;
  }
  for (std::int64_t k = 0; i < n; ++i, ++k) {
    const T a = x[x_step != 0 ? k : 0];
    const T b = y[y_step != 0 ? k : 0];
    out[i] = c[c_step != 0 ? k : 0] != 0 ? a : b;
  }
}

ElementwiseLoop SelectFor(std::size_t size) {
  if (size == 4) return &SelectLoop<std::uint32_t>;
  return size == 8 ? &SelectLoop<std::uint64_t> : nullptr;
}

ElementwiseLoop UnaryFor(UnaryOp op, DType dtype) {
  switch (op) {
    case UnaryOp::kNeg:
      return PickUnary<Neg>(dtype);
    case UnaryOp::kAbs:
      return PickUnary<Abs>(dtype);
    case UnaryOp::kSign:
      return PickUnary<Sign>(dtype);
    case UnaryOp::kSquare:
      return PickUnary<Square>(dtype);
    case UnaryOp::kSqrt:
      return PickUnary<Sqrt>(dtype);
    case UnaryOp::kRsqrt:
      return PickUnary<Rsqrt>(dtype);
    case UnaryOp::kReciprocal:
      return PickUnary<Reciprocal>(dtype);
    case UnaryOp::kFloor:
      return PickUnary<Floor>(dtype);
    case UnaryOp::kCeil:
      return PickUnary<Ceil>(dtype);
    case UnaryOp::kRint:
      return PickUnary<Rint>(dtype);
    case UnaryOp::kRelu:
      return PickUnary<Relu>(dtype);
    case UnaryOp::kRelu6:
      return PickUnary<Relu6>(dtype);
    case UnaryOp::kSoftsign:
      return PickUnary<Softsign>(dtype);
    default:
      return nullptr;
  }
}

ElementwiseLoop BinaryFor(BinaryOp op, DType dtype) {
  switch (op) {
    case BinaryOp::kAdd:
      return PickBinary<Add>(dtype);
    case BinaryOp::kSub:
      return PickBinary<Sub>(dtype);
    case BinaryOp::kMul:
      return PickBinary<Mul>(dtype);
    case BinaryOp::kMulNoNan:
      return PickBinary<MulNoNan>(dtype);
    case BinaryOp::kDiv:
      return PickBinary<Div>(dtype);
    case BinaryOp::kDivNoNan:
      return PickBinary<DivNoNan>(dtype);
    case BinaryOp::kXdivy:
      return PickBinary<Xdivy>(dtype);
    case BinaryOp::kXlogy:
      return PickBinary<Xlogy>(dtype);
    case BinaryOp::kFloorDiv:
      return PickBinary<FloorDiv>(dtype);
    case BinaryOp::kMaximum:
      return PickBinary<Maximum>(dtype);
    case BinaryOp::kMinimum:
      return PickBinary<Minimum>(dtype);
    case BinaryOp::kSquaredDifference:
      return PickBinary<SquaredDifference>(dtype);
    case BinaryOp::kLeakyRelu:
      return PickBinary<LeakyRelu>(dtype);
    case BinaryOp::kReluGrad:
      return PickBinary<ReluGrad>(dtype);
    case BinaryOp::kRelu6Grad:
      return PickBinary<Relu6Grad>(dtype);
    case BinaryOp::kEluGrad:
      return PickBinary<EluGrad>(dtype);
    case BinaryOp::kSeluGrad:
      return PickBinary<SeluGrad>(dtype);
    case BinaryOp::kSoftplusGrad:
      return PickBinary<SoftplusGrad>(dtype);
    case BinaryOp::kSoftsignGrad:
      return PickBinary<SoftsignGrad>(dtype);
    case BinaryOp::kTanhGrad:
      return PickBinary<TanhGrad>(dtype);
    case BinaryOp::kSigmoidGrad:
      return PickBinary<SigmoidGrad>(dtype);
    case BinaryOp::kSqrtGrad:
      return PickBinary<SqrtGrad>(dtype);
    case BinaryOp::kRsqrtGrad:
      return PickBinary<RsqrtGrad>(dtype);
    case BinaryOp::kInvGrad:
      return PickBinary<InvGrad>(dtype);
    default:
      return nullptr;
  }
}

}  // namespace assay::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::cpu {

HWY_EXPORT(UnaryFor);
HWY_EXPORT(BinaryFor);
HWY_EXPORT(SelectFor);

ElementwiseLoop simd_unary_loop(UnaryOp op, DType dtype) {
  if (dtype != DType::kFloat && dtype != DType::kDouble) return nullptr;
  return HWY_DYNAMIC_DISPATCH(UnaryFor)(op, dtype);
}

ElementwiseLoop simd_binary_loop(BinaryOp op, DType dtype) {
  if (dtype != DType::kFloat && dtype != DType::kDouble) return nullptr;
  return HWY_DYNAMIC_DISPATCH(BinaryFor)(op, dtype);
}

ElementwiseLoop simd_select_loop(std::size_t size) {
  return HWY_DYNAMIC_DISPATCH(SelectFor)(size);
}

}  // namespace assay::cpu
#endif  // HWY_ONCE
