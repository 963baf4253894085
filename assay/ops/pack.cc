#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/contiguous_part.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void pack_shape(ShapeContext& c) {
  PartialShape each = c.input(0);
  for (int i = 1; i < c.num_inputs(); ++i) {
    const auto merged = each.merge(c.input(i));
    if (!merged) {
      c.mismatch("shapes differ: input 0 is {}, input {} is {}", c.describe_input(0), i,
                 c.describe_input(i));
    }
    each = *merged;
  }
  if (!each.has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  const int axis = ops::checked_axis(c.attr<std::int64_t>("axis"), each.rank() + 1);
  std::vector<std::int64_t> dims = each.dims();
  dims.insert(dims.begin() + axis, c.num_inputs());
  c.set_output(0, PartialShape(std::move(dims)));
}

class Pack : public Kernel {
 public:
  explicit Pack(const KernelInit& init) : axis_(init.attr_or<std::int64_t>("axis", 0)) {}
  void run(KernelContext& ctx) override {
    const Shape& each = ctx.input(0).shape();
    const int n = ctx.num_inputs();
    const int axis = ops::checked_axis(axis_, each.rank() + 1);
    Shape shape;
    for (int d = 0; d <= each.rank(); ++d) {
      if (d == axis) shape.add_dim(n);
      if (d < each.rank()) shape.add_dim(each.dim(d));
    }
    for (int i = 1; i < n; ++i) {
      if (ctx.input(i).shape() != each) {
        invalid_argument("shapes differ: input 0 is {}, input {} is {}", each.str(), i,
                         ctx.input(i).shape().str());
      }
    }
    const std::int64_t outer = ops::product(each, 0, axis);
    const std::int64_t inner = ops::product(each, axis, each.rank());
    Tensor& out = ctx.output(0, shape);
    ops::dispatch_storage(out.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* to = ops::raw_as<T>(out);
      for (int i = 0; i < n; ++i) {
        const T* from = ops::raw_as<T>(ctx.input(i));
        for (std::int64_t o = 0; o < outer; ++o) {
          ops::copy_run(to + (o * n + i) * inner, from + o * inner, inner);
        }
      }
    });
  }

 private:
  std::int64_t axis_;
};

void pack_gradient(GradientContext& g) {
  Node* parts =
      g.node("Unpack", {g.grad()},
             {{"num", std::int64_t{g.num_inputs()}}, {"axis", g.node().attr<std::int64_t>("axis")}},
             "unstack");
  for (int i = 0; i < g.num_inputs(); ++i) g.set(i, parts->output(i));
}

void unpack_shape(ShapeContext& c) {
  if (!c.input(0).has_rank()) {
    c.set_all_outputs(PartialShape::unknown());
    return;
  }
  const auto num = c.attr<std::int64_t>("num");
  const PartialShape in = c.with_rank_at_least(0, 1);
  const int axis = ops::checked_axis(c.attr<std::int64_t>("axis"), in.rank());
  if (in.dim(axis) >= 0 && in.dim(axis) != num) {
    c.mismatch("dimension {} of {} has size {}, {} outputs are wanted", axis, c.describe_input(0),
               in.dim(axis), num);
  }
  std::vector<std::int64_t> dims = in.dims();
  dims.erase(dims.begin() + axis);
  c.set_all_outputs(PartialShape(std::move(dims)));
}

class Unpack : public Kernel {
 public:
  explicit Unpack(const KernelInit& init) : axis_(init.attr_or<std::int64_t>("axis", 0)) {}
  void run(KernelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    const int n = ctx.num_outputs();
    const int axis = ops::checked_axis(axis_, x.rank());
    if (x.dim(axis) != n) {
      invalid_argument("dimension {} has size {}, {} outputs are wanted", axis, x.dim(axis), n);
    }
    Shape shape;
    for (int d = 0; d < x.rank(); ++d) {
      if (d != axis) shape.add_dim(x.dim(d));
    }
    const std::int64_t outer = ops::product(x.shape(), 0, axis);
    const std::int64_t inner = ops::product(x.shape(), axis + 1, x.rank());
    ops::dispatch_storage(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* from = ops::raw_as<T>(x);
      for (int i = 0; i < n; ++i) {
        T* to = ops::raw_as<T>(ctx.output(i, shape));
        for (std::int64_t o = 0; o < outer; ++o) {
          ops::copy_run(to + o * inner, from + (o * n + i) * inner, inner);
        }
      }
    });
  }

 private:
  std::int64_t axis_;
};

void unpack_gradient(GradientContext& g) {
  std::vector<Output> grads;
  for (int i = 0; i < g.node().num_outputs(); ++i) grads.push_back(g.grad(i));
  g.set(0,
        g.op("Pack", std::move(grads), {{"axis", g.node().attr<std::int64_t>("axis")}}, "stack"));
}

void parallel_concat_shape(ShapeContext& c) {
  c.set_output(0, c.attr<PartialShape>("shape"));
}

class ParallelConcat : public Kernel {
 public:
  explicit ParallelConcat(const KernelInit& init) {
    const auto shape = init.attr<PartialShape>("shape");
    if (!shape.is_fully_defined()) {
      invalid_argument("attribute 'shape' must be fully known, but is {}", shape.str());
    }
    shape_ = shape.to_shape();
  }
  void run(KernelContext& ctx) override {
    Tensor& out = ctx.output(0, shape_);
    const std::int64_t rows = out.num_elements() / std::max(1, ctx.num_inputs());
    ops::dispatch_storage(out.dtype(), [&](auto zero) {
      using T = decltype(zero);
      for (int i = 0; i < ctx.num_inputs(); ++i) {
        if (ctx.input(i).num_elements() != rows) {
          invalid_argument("input {} has {} elements, {} are wanted", i,
                           ctx.input(i).num_elements(), rows);
        }
        ops::copy_run(ops::raw_as<T>(out) + i * rows, ops::raw_as<T>(ctx.input(i)), rows);
      }
    });
  }

 private:
  Shape shape_;
};

}  // namespace

void register_pack(OpRegistry& registry) {
  registry.add({.name = "Pack",
                .doc = "Joins tensors of one shape along a new dimension (tf.stack).",
                .inputs = {"values: N * T"},
                .outputs = {"output: T"},
                .attrs = {"N: int >= 1", "T: type", "axis: int = 0"},
                .shape = pack_shape,
                .gradient = pack_gradient,
                .kernels = ops::any_dtype(make_kernel<Pack>),
                .join = ops::pack_join});
  registry.add({.name = "Unpack",
                .doc = "Takes a tensor apart along a dimension, which goes (tf.unstack).",
                .inputs = {"value: T"},
                .outputs = {"output: num * T"},
                .attrs = {"num: int >= 0", "T: type", "axis: int = 0"},
                .shape = unpack_shape,
                .gradient = unpack_gradient,
                .kernels = ops::any_dtype(make_kernel<Unpack>),
                .view = ops::unpack_view});
  registry.add({.name = "ParallelConcat",
                .doc = "Joins tensors whose first size is 1 along that dimension.",
                .inputs = {"values: N * T"},
                .outputs = {"output: T"},
                .attrs = {"N: int >= 1", "T: type", "shape: shape"},
                .shape = parallel_concat_shape,
                .not_differentiable = true,
                .kernels = ops::any_dtype(make_kernel<ParallelConcat>)});
}

}  // namespace assay
