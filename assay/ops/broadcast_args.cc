#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// Which axes of a broadcast each side was stretched along, and so which its gradient sums over.
struct ReductionAxes {
  std::array<std::vector<std::int64_t>, 2> of;
};

/// Two shapes under numpy's rules. Where both sizes are 1 both sides get the axis, as in
/// TensorFlow: the sums over one entry change nothing, but the axes are visible to users.
ReductionAxes reduction_axes(const Tensor& s0, const Tensor& s1) {
  const std::int64_t rank = std::max(s0.num_elements(), s1.num_elements());
  const auto size = [rank](const Tensor& s, std::int64_t d) {
    const std::int64_t at = d - (rank - s.num_elements());
    return at < 0 ? std::int64_t{1} : ops::int_at(s, at);
  };
  bool same = s0.num_elements() == s1.num_elements();
  for (std::int64_t d = 0; same && d < rank; ++d) same = size(s0, d) == size(s1, d);
  ReductionAxes axes;
  if (same) return axes;
  for (std::int64_t d = 0; d < rank; ++d) {
    const std::int64_t a = size(s0, d);
    const std::int64_t b = size(s1, d);
    if (a == b) {
      if (a == 1) {
        axes.of[0].push_back(d);
        axes.of[1].push_back(d);
      }
    } else if (a == 1) {
      axes.of[0].push_back(d);
    } else if (b == 1) {
      axes.of[1].push_back(d);
    } else {
      invalid_argument("sizes {} and {} of dimension {} do not broadcast", a, b, d);
    }
  }
  return axes;
}

void gradient_args_shape(ShapeContext& c) {
  c.with_rank(0, 1);
  c.with_rank(1, 1);
  const Tensor* s0 = c.input_value(0);
  const Tensor* s1 = c.input_value(1);
  if (s0 == nullptr || s1 == nullptr) {
    c.set_all_outputs({-1});
    return;
  }
  const ReductionAxes axes = reduction_axes(*s0, *s1);
  for (int i = 0; i < 2; ++i) {
    c.set_output(i, {static_cast<std::int64_t>(axes.of[static_cast<std::size_t>(i)].size())});
  }
}

template <typename T>
void gradient_args(KernelContext& ctx) {
  const ReductionAxes axes = reduction_axes(ctx.input(0), ctx.input(1));
  for (int i = 0; i < 2; ++i) {
    const auto& list = axes.of[static_cast<std::size_t>(i)];
    T* out = ctx.out<T>(i, {static_cast<std::int64_t>(list.size())});
    for (std::size_t k = 0; k < list.size(); ++k) out[k] = static_cast<T>(list[k]);
  }
}

void broadcast_args_shape(ShapeContext& c) {
  const PartialShape a = c.with_rank(0, 1);
  const PartialShape b = c.with_rank(1, 1);
  c.set_output(0, {a.dim(0) < 0 || b.dim(0) < 0 ? -1 : std::max(a.dim(0), b.dim(0))});
}

template <typename T>
void broadcast_args(KernelContext& ctx) {
  const Tensor& s0 = ctx.input(0);
  const Tensor& s1 = ctx.input(1);
  const std::int64_t rank = std::max(s0.num_elements(), s1.num_elements());
  T* out = ctx.out<T>(0, {rank});
  for (std::int64_t d = 0; d < rank; ++d) {
    const std::int64_t i = d - (rank - s0.num_elements());
    const std::int64_t j = d - (rank - s1.num_elements());
    const T a = i < 0 ? T{1} : s0.data<T>()[i];
    const T b = j < 0 ? T{1} : s1.data<T>()[j];
    if (a != b && a != 1 && b != 1) {
      invalid_argument("sizes {} and {} of dimension {} do not broadcast", a, b, d);
    }
    out[d] = a == 1 ? b : a;
  }
}

}  // namespace

void register_broadcast_args(OpRegistry& registry) {
  registry.add({.name = "BroadcastGradientArgs",
                .doc = "The axes that the gradients of a broadcast's two sides sum over.",
                .inputs = {"s0: T", "s1: T"},
                .outputs = {"r0: T", "r1: T"},
                .attrs = {"T: {int32, int64} = DT_INT32"},
                .shape = gradient_args_shape,
                .not_differentiable = true,
                .kernels = {{int32, function_kernel<gradient_args<std::int32_t>>},
                            {int64, function_kernel<gradient_args<std::int64_t>>}}});
  registry.add({.name = "BroadcastArgs",
                .doc = "The shape that two shapes broadcast to.",
                .inputs = {"s0: T", "s1: T"},
                .outputs = {"r0: T"},
                .attrs = {"T: {int32, int64} = DT_INT32"},
                .shape = broadcast_args_shape,
                .not_differentiable = true,
                .kernels = {{int32, function_kernel<broadcast_args<std::int32_t>>},
                            {int64, function_kernel<broadcast_args<std::int64_t>>}}});
}

}  // namespace assay
