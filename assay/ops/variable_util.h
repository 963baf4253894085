#pragma once

#include <cstdint>

#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"

namespace assay {

/// The variable that input `i` names, be it a reference or a resource handle; throws
/// FailedPrecondition when it is not initialised.
inline Tensor& variable_of(KernelContext& ctx, int i) {
  Tensor& t = ctx.ref_input(i);
  if (t.dtype() != DType::kResource) {
    if (!t.defined()) fail(Code::kFailedPrecondition, "the variable is not initialised");
    return t;
  }
  Tensor& value = ctx.resource<VariableResource>(i).value;
  if (!value.defined()) {
    fail(Code::kFailedPrecondition, "variable '{}' is not initialised",
         t.data<ResourceHandle>()->name);
  }
  return value;
}

/// The static shape of the variable that resource input `i` names; unknown when the handle does
/// not come straight from a VarHandleOp.
PartialShape variable_shape(const ShapeContext& c, int i);

/// Calls body(Index{}) with the C++ type of an int32 or int64 tensor's elements.
template <typename Body>
decltype(auto) dispatch_index(DType dtype, Body&& body) {
  if (dtype == DType::kInt32) return body(std::int32_t{});
  if (dtype == DType::kInt64) return body(std::int64_t{});
  invalid_argument("indices must be int32 or int64, got {}", dtype_name(dtype));
}

/// Throws InvalidArgument for the first of `n` indices outside [0, limit).
template <typename Index>
void check_indices(const Index* indices, std::int64_t n, std::int64_t limit) {
  // One pass without branches: the compiler makes vectors of it, and nearly always all is well.
  bool bad = false;
  for (std::int64_t i = 0; i < n; ++i) {
    bad |= static_cast<std::uint64_t>(static_cast<std::int64_t>(indices[i])) >=
           static_cast<std::uint64_t>(limit);
  }
  if (!bad) [[likely]]
    return;
  for (std::int64_t i = 0; i < n; ++i) {
    if (indices[i] < 0 || indices[i] >= limit) {
      invalid_argument("indices[{}] = {} is not in [0, {})", i, indices[i], limit);
    }
  }
}

/// Splits element-wise work on a variable: the size alone decides.
inline constexpr std::int64_t kVariableGrain = 65536;

}  // namespace assay
