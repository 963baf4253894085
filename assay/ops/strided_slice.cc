#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/contiguous_part.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/strided_copy.h"
#include "assay/ops/strided_slice_spec.h"

namespace assay {
namespace {

template <typename Source>
ops::StridedSliceMasks masks_of(const Source& source) {
  return {source.template attr<std::int64_t>("begin_mask"),
          source.template attr<std::int64_t>("end_mask"),
          source.template attr<std::int64_t>("ellipsis_mask"),
          source.template attr<std::int64_t>("new_axis_mask"),
          source.template attr<std::int64_t>("shrink_axis_mask")};
}

AttrMap mask_attrs(const Node& node) {
  AttrMap attrs;
  for (const char* name :
       {"begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"}) {
    attrs[name] = node.attr<std::int64_t>(name);
  }
  return attrs;
}

void strided_slice_shape(ShapeContext& c) {
  const PartialShape& in = c.input(0);
  std::int64_t entries = -1;
  for (int i = 1; i <= 3; ++i) {
    const PartialShape shape = c.with_rank(i, 1);
    const auto merged = merge_dims(entries, shape.dim(0));
    if (!merged) {
      c.mismatch("begin, end and strides differ in length: input {} has {}, not {}", i,
                 shape.dim(0), entries);
    }
    entries = *merged;
  }
  if (!in.has_rank() || entries < 0) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  const ops::StridedSliceSpec spec =
      ops::resolve_strided_slice(in, static_cast<int>(entries), c.input_value(1), c.input_value(2),
                                 c.input_value(3), masks_of(c));
  c.set_output(0, PartialShape(std::vector<std::int64_t>(spec.out.begin(),
                                                         spec.out.begin() + spec.out_rank)));
}

/// The elements that `spec` picks of a tensor of shape `whole`, as a copy of `rank` dimensions
/// from or to a dense block; returns the offset of the first one in the whole tensor.
std::int64_t plan(const ops::StridedSliceSpec& spec, const Shape& whole, bool whole_is_source,
                  ops::StridedCopy& copy) {
  std::int64_t dense = 1;
  std::int64_t stride = 1;
  for (int d = 0; d < spec.rank; ++d) {
    dense *= spec.size[static_cast<std::size_t>(d)];
    stride *= whole.dim(d);
  }
  std::int64_t offset = 0;
  if (dense == 0) {
    copy.add_dim(0, 1, 1);
    return 0;
  }
  for (int d = 0; d < spec.rank; ++d) {
    const auto at = static_cast<std::size_t>(d);
    dense /= spec.size[at];
    stride /= whole.dim(d);
    offset += spec.begin[at] * stride;
    const std::int64_t step = spec.stride[at] * stride;
    copy.add_dim(spec.size[at], whole_is_source ? step : dense, whole_is_source ? dense : step);
  }
  return offset;
}

void check_lengths(const Tensor& begin, const Tensor& end, const Tensor& strides) {
  if (begin.rank() != 1 || end.shape() != begin.shape() || strides.shape() != begin.shape()) {
    invalid_argument("begin {}, end {} and strides {} must be vectors of one length",
                     begin.shape().str(), end.shape().str(), strides.shape().str());
  }
}

Shape out_shape(const ops::StridedSliceSpec& spec) {
  return Shape(std::span(spec.out.data(), static_cast<std::size_t>(spec.out_rank)));
}

class StridedSlice : public ParallelKernel {
 public:
  explicit StridedSlice(const KernelInit& init) : masks_(masks_of(init)) {}
  void run_parallel(ParallelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    check_lengths(ctx.input(1), ctx.input(2), ctx.input(3));
    const ops::StridedSliceSpec spec =
        ops::resolve_strided_slice(x.shape(), static_cast<int>(ctx.input(1).num_elements()),
                                   &ctx.input(1), &ctx.input(2), &ctx.input(3), masks_);
    Tensor& out = ctx.output(0, out_shape(spec));
    ops::StridedCopy copy;
    const std::int64_t offset = plan(spec, x.shape(), true, copy);
    ops::dispatch_storage(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      copy.run(x.dtype(), ops::raw_as<T>(x) + offset, out.raw(), ctx.pool());
    });
  }

 private:
  ops::StridedSliceMasks masks_;
};

void strided_slice_gradient(GradientContext& g) {
  const Output begin = g.input(1);
  const Output shape = g.shape_of(g.input(0), base_dtype(begin.dtype()));
  g.set(0, g.op("StridedSliceGrad", {shape, begin, g.input(2), g.input(3), g.grad()},
                mask_attrs(g.node())));
}

void strided_slice_grad_shape(ShapeContext& c) {
  c.set_output(0, c.input_as_shape(0));
}

class StridedSliceGrad : public ParallelKernel {
 public:
  explicit StridedSliceGrad(const KernelInit& init) : masks_(masks_of(init)) {}
  void run_parallel(ParallelContext& ctx) override {
    const Shape shape = ops::shape_value(ctx.input(0), "shape");
    const Tensor& dy = ctx.input(4);
    check_lengths(ctx.input(1), ctx.input(2), ctx.input(3));
    const ops::StridedSliceSpec spec =
        ops::resolve_strided_slice(shape, static_cast<int>(ctx.input(1).num_elements()),
                                   &ctx.input(1), &ctx.input(2), &ctx.input(3), masks_);
    if (out_shape(spec) != dy.shape()) {
      invalid_argument("dy has shape {}, the slice has {}", dy.shape().str(),
                       out_shape(spec).str());
    }
    Tensor& out = ctx.output(0, shape);
    ops::StridedCopy copy;
    const std::int64_t offset = plan(spec, shape, false, copy);
    ops::dispatch_storage(out.dtype(), [&](auto zero) {
      using T = decltype(zero);
      std::fill_n(ops::raw_as<T>(out), out.num_elements(), T{});
      copy.run(out.dtype(), dy.raw(), ops::raw_as<T>(out) + offset, ctx.pool());
    });
  }

 private:
  ops::StridedSliceMasks masks_;
};

void strided_slice_grad_gradient(GradientContext& g) {
  g.set(4,
        g.op("StridedSlice", {g.grad(), g.input(1), g.input(2), g.input(3)}, mask_attrs(g.node())));
}

/// Writes `value` into the slice of a variable.
class StridedSliceAssign : public ParallelKernel {
 public:
  explicit StridedSliceAssign(const KernelInit& init) : masks_(masks_of(init)) {}
  void run_parallel(ParallelContext& ctx) override {
    Tensor& x = ctx.ref_input(0);
    const Tensor& value = ctx.input(4);
    check_lengths(ctx.input(1), ctx.input(2), ctx.input(3));
    const ops::StridedSliceSpec spec =
        ops::resolve_strided_slice(x.shape(), static_cast<int>(ctx.input(1).num_elements()),
                                   &ctx.input(1), &ctx.input(2), &ctx.input(3), masks_);
    if (out_shape(spec) != value.shape()) {
      invalid_argument("the value has shape {}, the slice has {}", value.shape().str(),
                       out_shape(spec).str());
    }
    ops::StridedCopy copy;
    const std::int64_t offset = plan(spec, x.shape(), false, copy);
    ops::dispatch_storage(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      copy.run(x.dtype(), value.raw(), ops::raw_as<T>(x) + offset, ctx.pool());
    });
  }

 private:
  ops::StridedSliceMasks masks_;
};

std::vector<std::string> slice_attrs() {
  return {"T: type",
          "Index: {int32, int64}",
          "begin_mask: int = 0",
          "end_mask: int = 0",
          "ellipsis_mask: int = 0",
          "new_axis_mask: int = 0",
          "shrink_axis_mask: int = 0"};
}

}  // namespace

void register_strided_slice(OpRegistry& registry) {
  registry.add(
      {.name = "StridedSlice",
       .doc = "The elements that a slice expression such as x[1:, ::-1, tf.newaxis] picks.",
       .inputs = {"input: T", "begin: Index", "end: Index", "strides: Index"},
       .outputs = {"output: T"},
       .attrs = slice_attrs(),
       .shape = strided_slice_shape,
       .gradient = strided_slice_gradient,
       .kernels = ops::any_dtype(make_kernel<StridedSlice>),
       .threads = Threads::kPieces,
       .view = ops::strided_slice_view});
  registry.add({.name = "StridedSliceGrad",
                .doc = "Zeros of the given shape with `dy` in the place of a StridedSlice.",
                .inputs = {"shape: Index", "begin: Index", "end: Index", "strides: Index", "dy: T"},
                .outputs = {"output: T"},
                .attrs = slice_attrs(),
                .shape = strided_slice_grad_shape,
                .gradient = strided_slice_grad_gradient,
                .kernels = ops::any_dtype(make_kernel<StridedSliceGrad>),
                .threads = Threads::kPieces});
  registry.add(
      {.name = "StridedSliceAssign",
       .doc = "Writes a value into the elements that a slice of a variable picks.",
       .inputs = {"ref: Ref(T)", "begin: Index", "end: Index", "strides: Index", "value: T"},
       .outputs = {"output_ref: Ref(T)"},
       .attrs = slice_attrs(),
       .effect = Effect::kWrites,
       .shape = shapes::unchanged,
       .not_differentiable = true,
       .kernels = ops::any_dtype(make_kernel<StridedSliceAssign>),
       .threads = Threads::kPieces});
}

}  // namespace assay
