#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// Checks one dimension's paddings: no more than the entries there are to mirror.
void check_padding(int d, std::int64_t before, std::int64_t after, std::int64_t size,
                   bool reflect) {
  const std::int64_t most = reflect ? size - 1 : size;
  if (before < 0 || after < 0 || before > most || after > most) {
    invalid_argument("paddings of dimension {} are {} and {}, {} entries can be mirrored {} times",
                     d, before, after, size, std::max<std::int64_t>(0, most));
  }
}

/// `sign` 1 for MirrorPad, -1 for its gradient, which takes the paddings off.
template <int kSign>
void mirror_pad_shape(ShapeContext& c) {
  const PartialShape& in = c.input(0);
  const PartialShape paddings = c.with_rank(1, 2);
  int rank = in.rank();
  if (rank < 0 && paddings.dim(0) >= 0) rank = static_cast<int>(paddings.dim(0));
  if (rank < 0) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  if (paddings.dim(0) >= 0 && paddings.dim(0) != rank) {
    c.mismatch("{} rows of paddings for {}", paddings.dim(0), c.describe_input(0));
  }
  PartialShape out = PartialShape::unknown_of_rank(rank);
  const Tensor* values = c.input_value(1);
  const bool reflect = c.attr<std::string>("mode") == "REFLECT";
  for (int d = 0; values != nullptr && d < rank; ++d) {
    if (!in.has_rank() || in.dim(d) < 0) continue;
    const std::int64_t before = ops::int_at(*values, 2 * d);
    const std::int64_t after = ops::int_at(*values, 2 * d + 1);
    const std::int64_t size = in.dim(d) + kSign * ops::add_sizes(before, after);
    check_padding(d, before, after, kSign > 0 ? in.dim(d) : size, reflect);
    out.set_dim(d, size);
  }
  c.set_output(0, std::move(out));
}

class MirrorPadBase : public Kernel {
 public:
  explicit MirrorPadBase(const KernelInit& init)
      : reflect_(init.attr<std::string>("mode") == "REFLECT") {}

 protected:
  /// Reads the paddings and gives the shape of the padded or of the inner tensor.
  Shape other_shape(KernelContext& ctx, int sign) {
    const Tensor& x = ctx.input(0);
    const Tensor& paddings = ctx.input(1);
    if (paddings.rank() != 2 || paddings.dim(0) != x.rank() || paddings.dim(1) != 2) {
      invalid_argument("paddings have shape {}, a tensor of shape {} needs [{},2]",
                       paddings.shape().str(), x.shape().str(), x.rank());
    }
    Shape shape = x.shape();
    for (int d = 0; d < x.rank(); ++d) {
      const std::int64_t before = ops::int_at(paddings, 2 * d);
      const std::int64_t after = ops::int_at(paddings, 2 * d + 1);
      const std::int64_t size = x.dim(d) + sign * ops::add_sizes(before, after);
      check_padding(d, before, after, sign > 0 ? x.dim(d) : size, reflect_);
      shape.set_dim(d, size);
    }
    return shape;
  }
  /// The inner entry that padded entry `i` mirrors.
  std::int64_t mirrored(std::int64_t i, std::int64_t before, std::int64_t size) const {
    const std::int64_t at = i - before;
    if (at < 0) return reflect_ ? -at : -at - 1;
    if (at >= size) return reflect_ ? 2 * size - 2 - at : 2 * size - 1 - at;
    return at;
  }
  /// Calls `body(padded, inner)` with the offsets of each pair of elements, in padded order.
  template <typename Body>
  void for_each_pair(const Shape& padded, const Shape& inner, const Tensor& paddings, Body&& body) {
    const std::int64_t n = padded.num_elements();
    for (std::int64_t flat = 0; flat < n; ++flat) {
      std::int64_t rest = flat;
      std::int64_t at = 0;
      std::int64_t stride = 1;
      for (int d = padded.rank() - 1; d >= 0; --d) {
        const std::int64_t i = rest % padded.dim(d);
        rest /= padded.dim(d);
        at += mirrored(i, ops::int_at(paddings, 2 * d), inner.dim(d)) * stride;
        stride *= inner.dim(d);
      }
      body(flat, at);
    }
  }

  bool reflect_;
};

class MirrorPad : public MirrorPadBase {
 public:
  using MirrorPadBase::MirrorPadBase;
  void run(KernelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    const Shape shape = other_shape(ctx, 1);
    Tensor& out = ctx.output(0, shape);
    ops::dispatch_storage(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* from = ops::raw_as<T>(x);
      T* to = ops::raw_as<T>(out);
      for_each_pair(shape, x.shape(), ctx.input(1),
                    [&](std::int64_t padded, std::int64_t inner) { to[padded] = from[inner]; });
    });
  }
};

template <typename T>
class MirrorPadGrad : public MirrorPadBase {
 public:
  using MirrorPadBase::MirrorPadBase;
  void run(KernelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    const Shape shape = other_shape(ctx, -1);
    T* to = ctx.out<T>(0, shape);
    const T* from = x.data<T>();
    std::fill_n(to, shape.num_elements(), T{});
    for_each_pair(x.shape(), shape, ctx.input(1),
                  [&](std::int64_t padded, std::int64_t inner) { to[inner] += from[padded]; });
  }
};

void mirror_pad_gradient(GradientContext& g) {
  g.set(0, g.op("MirrorPadGrad", {g.grad(), g.input(1)},
                {{"mode", g.node().attr<std::string>("mode")}}));
}
void mirror_pad_grad_gradient(GradientContext& g) {
  g.set(0,
        g.op("MirrorPad", {g.grad(), g.input(1)}, {{"mode", g.node().attr<std::string>("mode")}}));
}

}  // namespace

void register_mirror_pad(OpRegistry& registry) {
  const std::vector<std::string> attrs = {"T: type", "Tpaddings: {int32, int64} = DT_INT32",
                                          "mode: {'REFLECT', 'SYMMETRIC'}"};
  registry.add({.name = "MirrorPad",
                .doc = "Pads each dimension with its own entries mirrored at the border.",
                .inputs = {"input: T", "paddings: Tpaddings"},
                .outputs = {"output: T"},
                .attrs = attrs,
                .shape = mirror_pad_shape<1>,
                .gradient = mirror_pad_gradient,
                .kernels = ops::any_dtype(make_kernel<MirrorPad>)});
  registry.add({.name = "MirrorPadGrad",
                .doc = "Adds what a mirror padding repeated back onto the entries it came from.",
                .inputs = {"input: T", "paddings: Tpaddings"},
                .outputs = {"output: T"},
                .attrs = attrs,
                .shape = mirror_pad_shape<-1>,
                .gradient = mirror_pad_grad_gradient,
                .kernels = {{float32, make_kernel<MirrorPadGrad<float>>},
                            {float64, make_kernel<MirrorPadGrad<double>>},
                            {int32, make_kernel<MirrorPadGrad<std::int32_t>>},
                            {int64, make_kernel<MirrorPadGrad<std::int64_t>>}}});
}

}  // namespace assay
