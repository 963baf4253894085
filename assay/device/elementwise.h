#pragma once

#include <cstdint>

#include "assay/tensor/dtype.h"

namespace assay {

/// How many inputs an element-wise op may have.
inline constexpr int kMaxElementwiseInputs = 4;

/// One pass over `n` contiguous elements: out[i] = f(in[0][i * stride[0]], ...). Strides count
/// elements and are 0 (one value for all) or 1. `out` may be one of the inputs of stride 1 and
/// the same element size, otherwise they do not overlap.
using ElementwiseLoop = void (*)(const void* const* in, const int* stride, void* out,
                                 std::int64_t n);

/// The element-wise body of an op, for each dtype: what the plain kernel and the fused loop run.
struct ElementwiseDef {
  int arity = 1;
  /// The loop for inputs of this dtype (for Select: of the second and third); null when there is
  /// none.
  ElementwiseLoop (*loop)(DType dtype) = nullptr;
  /// False: the inputs do not broadcast as numpy's do (Select's condition goes by rows).
  bool broadcasts = true;
};

}  // namespace assay
