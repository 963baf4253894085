#include "assay/device/cpu/loops.h"

#include <algorithm>
#include <array>
#include <utility>

namespace assay::cpu {
namespace {

constexpr std::size_t kUnaryOps = static_cast<std::size_t>(UnaryOp::kTanh) + 1;
constexpr std::size_t kBinaryOps = static_cast<std::size_t>(BinaryOp::kZeta) + 1;

constexpr std::int64_t kHalfBlock = 256;

// Halves are computed as floats, a block at a time, and rounded once.
template <typename H, int Arity>
void run_as_float(ElementwiseLoop loop, bool to_bool, const void* const* in, const int* stride,
                  void* out, std::int64_t n) {
  float x[Arity][kHalfBlock];
  float y[kHalfBlock];
  const void* inputs[Arity];
  for (int k = 0; k < Arity; ++k) inputs[k] = x[k];
  for (std::int64_t begin = 0; begin < n; begin += kHalfBlock) {
    const std::int64_t count = std::min(kHalfBlock, n - begin);
    for (int k = 0; k < Arity; ++k) {
      const H* from = static_cast<const H*>(in[k]) + begin * stride[k];
      const std::int64_t wanted = stride[k] == 0 ? 1 : count;
      for (std::int64_t i = 0; i < wanted; ++i) x[k][i] = static_cast<float>(from[i]);
    }
    if (to_bool) {
      loop(inputs, stride, static_cast<bool*>(out) + begin, count);
    } else {
      loop(inputs, stride, y, count);
      H* to = static_cast<H*>(out) + begin;
      for (std::int64_t i = 0; i < count; ++i) to[i] = H(y[i]);
    }
  }
}

constexpr bool gives_bool(UnaryOp op) {
  return op == UnaryOp::kIsNan || op == UnaryOp::kIsInf || op == UnaryOp::kIsFinite;
}

template <typename H, UnaryOp Op>
void half_unary(const void* const* in, const int* stride, void* out, std::int64_t n) {
  run_as_float<H, 1>(unary_loop(Op, DType::kFloat), gives_bool(Op), in, stride, out, n);
}

template <typename H, BinaryOp Op>
void half_binary(const void* const* in, const int* stride, void* out, std::int64_t n) {
  run_as_float<H, 2>(binary_loop(Op, DType::kFloat), false, in, stride, out, n);
}

template <typename H, std::size_t... I>
ElementwiseLoop half_unary_loop(UnaryOp op, std::index_sequence<I...>) {
  static constexpr std::array<ElementwiseLoop, sizeof...(I)> kLoops = {
      &half_unary<H, static_cast<UnaryOp>(I)>...};
  return kLoops[static_cast<std::size_t>(op)];
}

template <typename H, std::size_t... I>
ElementwiseLoop half_binary_loop(BinaryOp op, std::index_sequence<I...>) {
  static constexpr std::array<ElementwiseLoop, sizeof...(I)> kLoops = {
      &half_binary<H, static_cast<BinaryOp>(I)>...};
  return kLoops[static_cast<std::size_t>(op)];
}

}  // namespace

ElementwiseLoop unary_loop(UnaryOp op, DType dtype) {
  if (dtype == DType::kHalf || dtype == DType::kBFloat16) {
    if (unary_loop(op, DType::kFloat) == nullptr) return nullptr;
    constexpr auto ops = std::make_index_sequence<kUnaryOps>();
    return dtype == DType::kHalf ? half_unary_loop<Half>(op, ops)
                                 : half_unary_loop<BFloat16>(op, ops);
  }
  if (const auto loop = simd_unary_loop(op, dtype)) return loop;
  if (const auto loop = simd_math_loop(op, dtype)) return loop;
  return scalar_unary_loop(op, dtype);
}

ElementwiseLoop binary_loop(BinaryOp op, DType dtype) {
  if (dtype == DType::kHalf || dtype == DType::kBFloat16) {
    if (binary_loop(op, DType::kFloat) == nullptr) return nullptr;
    constexpr auto ops = std::make_index_sequence<kBinaryOps>();
    return dtype == DType::kHalf ? half_binary_loop<Half>(op, ops)
                                 : half_binary_loop<BFloat16>(op, ops);
  }
  if (const auto loop = simd_binary_loop(op, dtype)) return loop;
  return scalar_binary_loop(op, dtype);
}

}  // namespace assay::cpu
