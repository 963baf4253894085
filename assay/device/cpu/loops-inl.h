// The loops that vector bodies run in. Included once for each instruction set, so no `#pragma
// once`: Highway's own guard.
#if defined(ASSAY_DEVICE_CPU_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_DEVICE_CPU_LOOPS_INL_H_
#undef ASSAY_DEVICE_CPU_LOOPS_INL_H_
#else
#define ASSAY_DEVICE_CPU_LOOPS_INL_H_
#endif

#include <cstdint>

#include "assay/device/cpu/loops.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace assay::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// out[0..n) = v's first lane's value.
template <class D, class V>
HWY_INLINE void Fill(D d, V v, hn::TFromD<D>* out, std::int64_t n) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(v, d, out + i);
  if (i < n) hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(n - i)), d, out + i);
}

/// Body: V operator()(D, V). A lane's result depends on that lane alone.
template <typename T, class Body>
void UnaryLoop(const void* const* in, const int* stride, void* output, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const Body body;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const T* x = static_cast<const T*>(in[0]);
  T* out = static_cast<T*>(output);
  if (stride[0] == 0) {
    Fill(d, body(d, hn::Set(d, x[0])), out, n);
    return;
  }
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(body(d, hn::LoadU(d, x + i)), d, out + i);
  if (i < n) {
    const auto m = hn::FirstN(d, static_cast<std::size_t>(n - i));
    hn::BlendedStore(body(d, hn::MaskedLoad(m, d, x + i)), m, d, out + i);
  }
}

/// Body: V operator()(D, V, V).
template <typename T, class Body>
void BinaryLoop(const void* const* in, const int* stride, void* output, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const Body body;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const T* x = static_cast<const T*>(in[0]);
  const T* y = static_cast<const T*>(in[1]);
  T* out = static_cast<T*>(output);
  std::int64_t i = 0;
  if (stride[0] != 0 && stride[1] != 0) {
    for (; i + lanes <= n; i += lanes) {
      hn::StoreU(body(d, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, out + i);
    }
    if (i < n) {
      const auto m = hn::FirstN(d, static_cast<std::size_t>(n - i));
      const auto r = body(d, hn::MaskedLoad(m, d, x + i), hn::MaskedLoad(m, d, y + i));
      hn::BlendedStore(r, m, d, out + i);
    }
  } else if (stride[0] != 0) {
    const auto b = hn::Set(d, y[0]);
    for (; i + lanes <= n; i += lanes) hn::StoreU(body(d, hn::LoadU(d, x + i), b), d, out + i);
    if (i < n) {
      const auto m = hn::FirstN(d, static_cast<std::size_t>(n - i));
      hn::BlendedStore(body(d, hn::MaskedLoad(m, d, x + i), b), m, d, out + i);
    }
  } else if (stride[1] != 0) {
    const auto a = hn::Set(d, x[0]);
    for (; i + lanes <= n; i += lanes) hn::StoreU(body(d, a, hn::LoadU(d, y + i)), d, out + i);
    if (i < n) {
      const auto m = hn::FirstN(d, static_cast<std::size_t>(n - i));
      hn::BlendedStore(body(d, a, hn::MaskedLoad(m, d, y + i)), m, d, out + i);
    }
  } else {
    Fill(d, body(d, hn::Set(d, x[0]), hn::Set(d, y[0])), out, n);
  }
}

/// The loop of `Body` for float32, or else float64.
template <class Body>
ElementwiseLoop PickUnary(DType dtype) {
  return dtype == DType::kFloat ? &UnaryLoop<float, Body> : &UnaryLoop<double, Body>;
}

/// The same for two inputs.
template <class Body>
ElementwiseLoop PickBinary(DType dtype) {
  return dtype == DType::kFloat ? &BinaryLoop<float, Body> : &BinaryLoop<double, Body>;
}

}  // namespace assay::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ASSAY_DEVICE_CPU_LOOPS_INL_H_
