#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void reshape_to_input(GradientContext& g) {
  g.set(0, ops::reshape_like(g, g.grad(), g.input(0)));
}

void reshape_shape(ShapeContext& c) {
  PartialShape target = c.input_as_shape(1);
  if (!target.has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  if (target.rank() > kMaxRank) {
    c.mismatch("the new shape has {} dimensions, at most {} are supported", target.rank(),
               kMaxRank);
  }
  const Tensor* value = c.input_value(1);
  int unknown = -1;
  int unknowns = 0;
  std::int64_t known = 1;
  for (int i = 0; i < target.rank(); ++i) {
    if (target.dim(i) < 0) {
      unknown = i;
      ++unknowns;
    } else {
      known = ops::multiply_sizes(known, target.dim(i));
    }
  }
  if (value != nullptr && unknowns > 1) {
    c.mismatch("the new shape {} leaves more than one size open", target.str());
  }
  const std::int64_t elements = c.input(0).num_elements();
  if (elements >= 0 && unknowns == 0 && elements != known) {
    c.mismatch("{} elements of {} cannot take shape {}", elements, c.describe_input(0),
               target.str());
  }
  if (elements >= 0 && unknowns == 1) {
    if (known > 0 && elements % known == 0) {
      target.set_dim(unknown, elements / known);
    } else if (value != nullptr) {
      c.mismatch("{} elements of {} cannot take shape {}", elements, c.describe_input(0),
                 target.str());
    }
  }
  c.set_output(0, target);
}

/// The shape that `wanted` gives a tensor of `elements` elements, its one -1 filled in.
Shape resolve_shape(const Tensor& wanted, std::int64_t elements, const Shape& from) {
  if (wanted.rank() > 1) {
    invalid_argument("the new shape must be a vector, got shape {}", wanted.shape().str());
  }
  const std::int64_t rank = wanted.num_elements();
  if (rank > kMaxRank) {
    invalid_argument("the new shape has {} dimensions, at most {} are supported", rank, kMaxRank);
  }
  Shape shape;
  int open = -1;
  std::int64_t known = 1;
  for (std::int64_t i = 0; i < rank; ++i) {
    const std::int64_t size = ops::int_at(wanted, i);
    if (size < -1) invalid_argument("size {} of the new shape is {}", i, size);
    if (size == -1) {
      if (open >= 0) invalid_argument("sizes {} and {} of the new shape are both -1", open, i);
      open = static_cast<int>(i);
      shape.add_dim(1);
    } else {
      shape.add_dim(size);
      known *= size;
    }
  }
  if (open >= 0) {
    if (known == 0 && elements == 0) {
      shape.set_dim(open, 0);
    } else if (known != 0 && elements % known == 0) {
      shape.set_dim(open, elements / known);
    } else {
      invalid_argument("a tensor of shape {} cannot be cut into rows of {} elements", from.str(),
                       known);
    }
  } else if (known != elements) {
    invalid_argument("a tensor of shape {} has {} elements, the new shape {} has {}", from.str(),
                     elements, shape.str(), known);
  }
  return shape;
}

void reshape(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  ctx.set_output(0, x.reshaped(resolve_shape(ctx.input(1), x.num_elements(), x.shape())));
}

void expand_dims_shape(ShapeContext& c) {
  const auto axis = c.input_as_int(1);
  if (!axis || !c.input(0).has_rank()) {
    c.set_output(0, c.input(0).has_rank() ? PartialShape::unknown_of_rank(c.input(0).rank() + 1)
                                          : PartialShape::unknown());
    return;
  }
  const int rank = c.input(0).rank();
  if (*axis < -rank - 1 || *axis > rank) {
    c.mismatch("axis {} is outside [{}, {}] of {}", *axis, -rank - 1, rank, c.describe_input(0));
  }
  std::vector<std::int64_t> dims = c.input(0).dims();
  dims.insert(dims.begin() + (*axis < 0 ? *axis + rank + 1 : *axis), 1);
  c.set_output(0, PartialShape(std::move(dims)));
}

void expand_dims(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (ctx.input(1).num_elements() != 1) invalid_argument("the axis must be one number");
  const int axis = ops::checked_axis(ops::int_at(ctx.input(1), 0), x.rank() + 1);
  Shape shape;
  for (int i = 0; i <= x.rank(); ++i) {
    if (i == axis) shape.add_dim(1);
    if (i < x.rank()) shape.add_dim(x.dim(i));
  }
  ctx.set_output(0, x.reshaped(shape));
}

void squeeze_shape(ShapeContext& c) {
  const PartialShape& in = c.input(0);
  if (!in.has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  const auto axes = c.attr<std::vector<std::int64_t>>("squeeze_dims");
  std::vector<bool> drop(static_cast<std::size_t>(in.rank()), false);
  for (const std::int64_t axis : axes) {
    const int a = ops::checked_axis(axis, in.rank());
    if (in.dim(a) > 1) {
      c.mismatch("dimension {} of {} has size {}, not 1", a, c.describe_input(0), in.dim(a));
    }
    drop[static_cast<std::size_t>(a)] = true;
  }
  std::vector<std::int64_t> dims;
  for (int i = 0; i < in.rank(); ++i) {
    if (axes.empty()) {
      if (in.dim(i) < 0) {  // whether it stays is not known
        c.set_output(0, PartialShape::unknown());
        return;
      }
      if (in.dim(i) == 1) continue;
    } else if (drop[static_cast<std::size_t>(i)]) {
      continue;
    }
    dims.push_back(in.dim(i));
  }
  c.set_output(0, PartialShape(std::move(dims)));
}

class Squeeze : public Kernel {
 public:
  explicit Squeeze(const KernelInit& init)
      : axes_(init.attr<std::vector<std::int64_t>>("squeeze_dims")) {}
  void run(KernelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    unsigned drop = 0;
    for (const std::int64_t axis : axes_) {
      const int a = ops::checked_axis(axis, x.rank());
      if (x.dim(a) != 1) invalid_argument("dimension {} has size {}, not 1", a, x.dim(a));
      drop |= 1U << a;
    }
    Shape shape;
    for (int i = 0; i < x.rank(); ++i) {
      if (axes_.empty() ? x.dim(i) == 1 : (drop >> i & 1U) != 0) continue;
      shape.add_dim(x.dim(i));
    }
    ctx.set_output(0, x.reshaped(shape));
  }

 private:
  std::vector<std::int64_t> axes_;
};

void bitcast_shape(ShapeContext& c) {
  const std::size_t from = dtype_size(c.attr<DType>("T"));
  const std::size_t to = dtype_size(c.attr<DType>("type"));
  const PartialShape& in = c.input(0);
  if (!in.has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  std::vector<std::int64_t> dims = in.dims();
  if (from > to) {
    dims.push_back(static_cast<std::int64_t>(from / to));
  } else if (from < to) {
    const auto ratio = static_cast<std::int64_t>(to / from);
    if (dims.empty() || (dims.back() >= 0 && dims.back() != ratio)) {
      c.mismatch("the last dimension of {} must be {}", c.describe_input(0), ratio);
    }
    dims.pop_back();
  }
  c.set_output(0, PartialShape(std::move(dims)));
}

class Bitcast : public Kernel {
 public:
  explicit Bitcast(const KernelInit& init)
      : from_(dtype_size(init.attr<DType>("T"))), to_(dtype_size(init.attr<DType>("type"))) {}
  void run(KernelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    Shape shape = x.shape();
    if (from_ > to_) {
      shape.add_dim(static_cast<std::int64_t>(from_ / to_));
    } else if (from_ < to_) {
      const auto ratio = static_cast<std::int64_t>(to_ / from_);
      if (x.rank() == 0 || x.dim(x.rank() - 1) != ratio) {
        invalid_argument("the last dimension of {} must be {}", x.shape().str(), ratio);
      }
      shape = Shape(x.shape().dims().first(static_cast<std::size_t>(x.rank() - 1)));
    }
    Tensor& out = ctx.output(0, shape);
    ops::copy_run(static_cast<char*>(out.raw()), static_cast<const char*>(x.raw()),
                  static_cast<std::int64_t>(x.num_bytes()));
  }

 private:
  std::size_t from_;
  std::size_t to_;
};

}  // namespace

void register_reshape(OpRegistry& registry) {
  registry.add({.name = "Reshape",
                .doc = "The same elements under another shape; one size may be -1.",
                .inputs = {"tensor: T", "shape: Tshape"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "Tshape: {int32, int64} = DT_INT32"},
                .shape = reshape_shape,
                .gradient = reshape_to_input,
                .kernels = ops::any_dtype(function_kernel<reshape>),
                .reshapes_input = true});
  registry.add({.name = "ExpandDims",
                .doc = "The same elements with a dimension of size 1 put in.",
                .inputs = {"input: T", "dim: Tdim"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "Tdim: {int32, int64} = DT_INT32"},
                .shape = expand_dims_shape,
                .gradient = reshape_to_input,
                .kernels = ops::any_dtype(function_kernel<expand_dims>),
                .reshapes_input = true});
  registry.add({.name = "Squeeze",
                .doc = "The same elements without dimensions of size 1: those named, or all.",
                .inputs = {"input: T"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "squeeze_dims: list(int) >= 0 = []"},
                .shape = squeeze_shape,
                .gradient = reshape_to_input,
                .kernels = ops::any_dtype(make_kernel<Squeeze>),
                .reshapes_input = true});
  const std::string types =
      "{bfloat16, half, float, double, int64, int32, uint8, uint16, uint32, uint64, int8, int16, "
      "complex64, complex128, qint8, quint8, qint16, quint16, qint32}";
  registry.add({.name = "Bitcast",
                .doc = "The same bytes read as another type.",
                .inputs = {"input: T"},
                .outputs = {"output: type"},
                .attrs = {"T: " + types, "type: " + types},
                .shape = bitcast_shape,
                .not_differentiable = true,
                .kernels = ops::any_dtype(make_kernel<Bitcast>)});
}

}  // namespace assay
