#include <cmath>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void fill_shape(ShapeContext& c) {
  c.with_rank(1, 0);
  c.set_output(0, c.input_as_shape(0));
}

void fill(KernelContext& ctx) {
  const Tensor& value = ctx.input(1);
  if (value.rank() != 0)
    invalid_argument("the value must be a scalar, got {}", value.shape().str());
  Tensor& out = ctx.output(0, ops::shape_value(ctx.input(0), "dims"));
  ops::dispatch_storage(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    std::fill_n(ops::raw_as<T>(out), out.num_elements(), *ops::raw_as<T>(value));
  });
}

void fill_gradient(GradientContext& g) {
  const Output grad = g.grad();
  const Output start = g.scalar(0, DType::kInt32, "range/start");
  const Output axes = g.op("Range", {start, ops::rank_of(g, grad), g.scalar(1, DType::kInt32)});
  g.set(1, g.op("Sum", {grad, axes}, {{"keep_dims", false}}));
}

void zeros_like(KernelContext& ctx) {
  Tensor& out = ctx.output(0, ctx.input(0).shape());
  ops::dispatch_storage(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    std::fill_n(ops::raw_as<T>(out), out.num_elements(), T{});
  });
}

template <typename T>
void fill_ones(Tensor& out) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    std::fill_n(out.data<T>(), out.num_elements(), T(1.0F));
  } else {
    std::fill_n(out.data<T>(), out.num_elements(), T(1));
  }
}

void ones_like(KernelContext& ctx) {
  Tensor& out = ctx.output(0, ctx.input(0).shape());
  switch (out.dtype()) {
    case DType::kBFloat16:
      return fill_ones<BFloat16>(out);
    case DType::kHalf:
      return fill_ones<Half>(out);
    case DType::kFloat:
      return fill_ones<float>(out);
    case DType::kDouble:
      return fill_ones<double>(out);
    case DType::kInt8:
      return fill_ones<std::int8_t>(out);
    case DType::kUInt8:
      return fill_ones<std::uint8_t>(out);
    case DType::kInt16:
      return fill_ones<std::int16_t>(out);
    case DType::kUInt16:
      return fill_ones<std::uint16_t>(out);
    case DType::kInt32:
      return fill_ones<std::int32_t>(out);
    case DType::kInt64:
      return fill_ones<std::int64_t>(out);
    case DType::kComplex64:
      return fill_ones<std::complex<float>>(out);
    case DType::kComplex128:
      return fill_ones<std::complex<double>>(out);
    default:
      return fill_ones<bool>(out);
  }
}

/// How many numbers a range has: ceil((limit - start) / delta), never less than none.
template <typename T>
std::int64_t range_size(T start, T limit, T delta) {
  if (delta == T{0}) invalid_argument("delta must not be 0");
  if (delta > T{0} ? start > limit : start < limit) {
    invalid_argument("a range from {} to {} cannot step by {}", start, limit, delta);
  }
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    const U span = delta > 0 ? U(limit) - U(start) : U(start) - U(limit);
    const U step = delta > 0 ? U(delta) : U(0) - U(delta);
    return static_cast<std::int64_t>(span / step + (span % step != 0 ? 1 : 0));
  } else {
    const double size = std::ceil(std::abs((double(limit) - double(start)) / double(delta)));
    if (!(size < 4e18))
      invalid_argument("a range from {} to {} by {} is endless", start, limit, delta);
    return static_cast<std::int64_t>(size);
  }
}

void range_shape(ShapeContext& c) {
  for (int i = 0; i < 3; ++i) c.with_rank(i, 0);
  std::array<const Tensor*, 3> v{c.input_value(0), c.input_value(1), c.input_value(2)};
  std::int64_t n = -1;
  if (v[0] != nullptr && v[1] != nullptr && v[2] != nullptr) {
    const auto size = [&]<typename T>(T) {
      return range_size<T>(*v[0]->data<T>(), *v[1]->data<T>(), *v[2]->data<T>());
    };
    switch (c.input_dtype(0)) {
      case DType::kInt32:
        n = size(std::int32_t{});
        break;
      case DType::kInt64:
        n = size(std::int64_t{});
        break;
      case DType::kFloat:
        n = size(float{});
        break;
      case DType::kDouble:
        n = size(double{});
        break;
      default:
        break;
    }
  }
  c.set_output(0, {n});
}

template <typename T>
void range(KernelContext& ctx) {
  for (int i = 0; i < 3; ++i) {
    if (ctx.input(i).num_elements() != 1) invalid_argument("input {} must be a scalar", i);
  }
  T value = *ctx.in<T>(0);
  const T delta = *ctx.in<T>(2);
  const std::int64_t n = range_size<T>(value, *ctx.in<T>(1), delta);
  T* out = ctx.out<T>(0, {n});
  // Adding up, as TensorFlow does: floats then carry the same rounding.
  for (std::int64_t i = 0; i < n; ++i) {
    out[i] = value;
    if constexpr (std::is_integral_v<T>) {
      using U = std::make_unsigned_t<T>;
      value = static_cast<T>(U(value) + U(delta));
    } else {
      value += delta;
    }
  }
}

void lin_space_shape(ShapeContext& c) {
  for (int i = 0; i < 3; ++i) c.with_rank(i, 0);
  const auto n = c.input_as_int(2);
  if (n && *n <= 0) c.mismatch("num must be positive, got {}", *n);
  c.set_output(0, {n.value_or(-1)});
}

template <typename T>
void lin_space(KernelContext& ctx) {
  const T start = *ctx.in<T>(0);
  const T stop = *ctx.in<T>(1);
  const std::int64_t n = ops::int_at(ctx.input(2), 0);
  if (n <= 0) invalid_argument("num must be positive, got {}", n);
  T* out = ctx.out<T>(0, {n});
  const T step = n > 1 ? (stop - start) / static_cast<T>(n - 1) : T{0};
  for (std::int64_t i = 0; i < n; ++i) out[i] = start + step * static_cast<T>(i);
  if (n > 1) out[n - 1] = stop;
}

void empty_shape(ShapeContext& c) {
  c.set_output(0, c.input_as_shape(0));
}

/// Zeros rather than whatever memory holds: the same program gives the same bits.
void empty(KernelContext& ctx) {
  Tensor& out = ctx.output(0, ops::shape_value(ctx.input(0), "shape"));
  ops::dispatch_storage(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    std::fill_n(ops::raw_as<T>(out), out.num_elements(), T{});
  });
}

}  // namespace

void register_fill(OpRegistry& registry) {
  registry.add({.name = "Fill",
                .doc = "A tensor of the given shape with one value everywhere.",
                .inputs = {"dims: index_type", "value: T"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "index_type: {int32, int64} = DT_INT32"},
                .shape = fill_shape,
                .gradient = fill_gradient,
                .kernels = ops::any_dtype(function_kernel<fill>)});
  registry.add({.name = "ZerosLike",
                .doc = "Zeros of its input's shape and type.",
                .inputs = {"x: T"},
                .outputs = {"y: T"},
                .attrs = {"T: type"},
                .shape = shapes::unchanged,
                .not_differentiable = true,
                .kernels = ops::any_dtype(function_kernel<zeros_like>),
                .shape_only = true});
  registry.add({.name = "OnesLike",
                .doc = "Ones of its input's shape and type.",
                .inputs = {"x: T"},
                .outputs = {"y: T"},
                .attrs = {"T: {bfloat16, half, float, double, int8, uint8, int16, uint16, int32, "
                          "int64, complex64, complex128, bool}"},
                .shape = shapes::unchanged,
                .not_differentiable = true,
                .kernels = ops::any_dtype(function_kernel<ones_like>),
                .shape_only = true});
  registry.add({.name = "Range",
                .doc = "The numbers from start up to, but without, limit in steps of delta.",
                .inputs = {"start: Tidx", "limit: Tidx", "delta: Tidx"},
                .outputs = {"output: Tidx"},
                .attrs = {"Tidx: {bfloat16, float, double, int32, int64} = DT_INT32"},
                .shape = range_shape,
                .not_differentiable = true,
                .kernel_attr = "Tidx",
                .kernels = {{float32, function_kernel<range<float>>},
                            {float64, function_kernel<range<double>>},
                            {int32, function_kernel<range<std::int32_t>>},
                            {int64, function_kernel<range<std::int64_t>>}}});
  registry.add({.name = "LinSpace",
                .doc = "`num` numbers at equal distances from start to stop, both included.",
                .inputs = {"start: T", "stop: T", "num: Tidx"},
                .outputs = {"output: T"},
                .attrs = {"T: {bfloat16, float, double}", "Tidx: {int32, int64} = DT_INT32"},
                .shape = lin_space_shape,
                .not_differentiable = true,
                .kernels = {{float32, function_kernel<lin_space<float>>},
                            {float64, function_kernel<lin_space<double>>}}});
  registry.add({.name = "Empty",
                .doc = "A tensor of the given shape whose values do not matter; zeros here.",
                .inputs = {"shape: int32"},
                .outputs = {"output: dtype"},
                .attrs = {"dtype: type", "init: bool = false"},
                .effect = Effect::kState,
                .shape = empty_shape,
                .not_differentiable = true,
                .kernel_attr = "dtype",
                .kernels = ops::any_dtype(function_kernel<empty>)});
}

}  // namespace assay
