#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void where_shape(ShapeContext& c) {
  c.set_output(0, {-1, c.input(0).has_rank() ? c.input(0).rank() : -1});
}

template <typename T>
void where(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const T* values = x.data<T>();
  const std::int64_t n = x.num_elements();
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < n; ++i) count += values[i] != T{} ? 1 : 0;
  const int rank = x.rank();
  auto* out = ctx.out<std::int64_t>(0, {count, rank});
  for (std::int64_t i = 0; i < n; ++i) {
    if (!(values[i] != T{})) continue;
    std::int64_t rest = i;
    for (int d = rank - 1; d >= 0; --d) {
      out[d] = rest % x.dim(d);
      rest /= x.dim(d);
    }
    out += rank;
  }
}

}  // namespace

void register_where(OpRegistry& registry) {
  registry.add({.name = "Where",
                .doc = "The coordinates of the elements that are true or not zero, in order.",
                .inputs = {"input: T"},
                .outputs = {"index: int64"},
                .attrs = {"T: {float, double, int32, uint8, int16, int8, complex64, int64, qint8, "
                          "quint8, qint32, bfloat16, uint16, complex128, half, uint32, uint64, "
                          "bool} = DT_BOOL"},
                .shape = where_shape,
                .not_differentiable = true,
                .kernels = {{boolean, function_kernel<where<bool>>},
                            {float32, function_kernel<where<float>>},
                            {float64, function_kernel<where<double>>},
                            {int8, function_kernel<where<std::int8_t>>},
                            {uint8, function_kernel<where<std::uint8_t>>},
                            {int16, function_kernel<where<std::int16_t>>},
                            {uint16, function_kernel<where<std::uint16_t>>},
                            {int32, function_kernel<where<std::int32_t>>},
                            {int64, function_kernel<where<std::int64_t>>}}});
}

}  // namespace assay
