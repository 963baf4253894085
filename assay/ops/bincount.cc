#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void bincount_shape(ShapeContext& c) {
  c.with_rank(1, 0);
  const auto size = c.input_as_int(1);
  if (size && *size < 0) c.mismatch("size must not be negative, got {}", *size);
  c.set_output(0, {size.value_or(-1)});
}

template <typename T>
void bincount(KernelContext& ctx) {
  const Tensor& values = ctx.input(0);
  const Tensor& weights = ctx.input(2);
  const std::int64_t size = *ctx.in<std::int32_t>(1);
  if (size < 0) invalid_argument("size must not be negative, got {}", size);
  const bool weighted = weights.num_elements() > 0;
  if (weighted && weights.num_elements() != values.num_elements()) {
    invalid_argument("{} weights for {} values", weights.num_elements(), values.num_elements());
  }
  T* bins = ctx.out<T>(0, {size});
  std::fill_n(bins, size, T{0});
  for (std::int64_t i = 0; i < values.num_elements(); ++i) {
    const std::int32_t v = values.data<std::int32_t>()[i];
    if (v < 0) invalid_argument("arr must not be negative, entry {} is {}", i, v);
    if (v < size) bins[v] += weighted ? weights.data<T>()[i] : T{1};
  }
}

void histogram_shape(ShapeContext& c) {
  const PartialShape range = c.with_rank(1, 1);
  if (!merge_dims(range.dim(0), 2)) c.mismatch("value_range must have two entries");
  const auto bins = c.input_as_int(2);
  c.set_output(0, {bins.value_or(-1)});
}

template <typename T>
void histogram(KernelContext& ctx) {
  const Tensor& values = ctx.input(0);
  if (ctx.input(1).num_elements() != 2) invalid_argument("value_range must have two entries");
  const auto low = static_cast<double>(ctx.in<T>(1)[0]);
  const auto high = static_cast<double>(ctx.in<T>(1)[1]);
  const std::int64_t bins = *ctx.in<std::int32_t>(2);
  if (bins <= 0) invalid_argument("nbins must be positive, got {}", bins);
  if (!(low < high)) invalid_argument("value_range [{}, {}] is empty", low, high);
  Tensor& out = ctx.output(0, {bins});
  ops::dispatch_storage(out.dtype(), [&](auto zero) {
    std::fill_n(ops::raw_as<decltype(zero)>(out), bins, decltype(zero){});
  });
  const double width = (high - low) / static_cast<double>(bins);
  for (std::int64_t i = 0; i < values.num_elements(); ++i) {
    const double at = (static_cast<double>(values.data<T>()[i]) - low) / width;
    // Values outside the range count in the first and in the last bin; so does NaN, in the first.
    const std::int64_t bin = !(at > 0)                         ? 0
                             : at >= static_cast<double>(bins) ? bins - 1
                                                               : static_cast<std::int64_t>(at);
    if (out.dtype() == DType::kInt32) {
      ++out.data<std::int32_t>()[bin];
    } else {
      ++out.data<std::int64_t>()[bin];
    }
  }
}

}  // namespace

void register_bincount(OpRegistry& registry) {
  registry.add({.name = "Bincount",
                .doc = "How often each number below `size` occurs, or its summed weights.",
                .inputs = {"arr: int32", "size: int32", "weights: T"},
                .outputs = {"bins: T"},
                .attrs = {"T: {int32, int64, float32, float64}"},
                .shape = bincount_shape,
                .not_differentiable = true,
                .kernels = {{float32, function_kernel<bincount<float>>},
                            {float64, function_kernel<bincount<double>>},
                            {int32, function_kernel<bincount<std::int32_t>>},
                            {int64, function_kernel<bincount<std::int64_t>>}}});
  registry.add(
      {.name = "HistogramFixedWidth",
       .doc = "How many values fall into each of `nbins` equal parts of a range.",
       .inputs = {"values: T", "value_range: T", "nbins: int32"},
       .outputs = {"out: dtype"},
       .attrs = {"T: {int32, int64, float32, float64}", "dtype: {int32, int64} = DT_INT32"},
       .shape = histogram_shape,
       .not_differentiable = true,
       .kernels = {{float32, function_kernel<histogram<float>>},
                   {float64, function_kernel<histogram<double>>},
                   {int32, function_kernel<histogram<std::int32_t>>},
                   {int64, function_kernel<histogram<std::int64_t>>}}});
}

}  // namespace assay
