// Selection by a condition, conversion between dtypes.
#include "assay/device/cpu/broadcast.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/elementwise_op.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

constexpr ElementwiseDef kSelect{.arity = 3, .loop = &cpu::select_loop, .broadcasts = false};
constexpr ElementwiseDef kSelectV2{.arity = 3, .loop = &cpu::select_loop};

// Select's condition is a scalar, a vector over the first dimension, or as large as the rest.
void select_shape(ShapeContext& c) {
  const PartialShape data = c.merge_inputs(1, 2);
  const PartialShape& condition = c.input(0);
  c.set_output(0, data);
  if (!condition.has_rank() || condition.rank() == 0 || !data.has_rank()) return;
  if (condition.rank() == 1 && data.rank() > 1) {
    const auto rows = merge_dims(condition[0], data[0]);
    if (!rows) {
      c.mismatch("the condition has {} rows, the values {}: {}, {}", condition[0], data[0],
                 c.describe_input(0), c.describe_input(1));
    }
    PartialShape out = data;
    out.set_dim(0, *rows);
    c.set_output(0, std::move(out));
    return;
  }
  const auto merged = data.merge(condition);
  if (!merged) {
    c.mismatch("the condition must be a scalar, a vector of rows, or of the values' shape: {}, {}",
               c.describe_input(0), c.describe_input(1));
  }
  c.set_output(0, *merged);
}

void select_v2_shape(ShapeContext& c) {
  try {
    c.set_output(0, broadcast_shapes(c.input(0), broadcast_shapes(c.input(1), c.input(2))));
  } catch (const Error&) {
    c.mismatch("shapes do not broadcast: {}, {}, {}", c.describe_input(0), c.describe_input(1),
               c.describe_input(2));
  }
}

class Select : public ParallelKernel {
 public:
  explicit Select(const KernelInit& init)
      : loop_(cpu::select_loop(base_dtype(init.node.input(1).dtype()))) {
    if (loop_ == nullptr) {
      fail(Code::kUnimplemented, "no kernel for dtype {}", dtype_name(init.node.input(1).dtype()));
    }
  }

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& condition = ctx.input(0);
    const Tensor& x = ctx.input(1);
    const Tensor& y = ctx.input(2);
    if (!(x.shape() == y.shape())) {
      invalid_argument("the values must have one shape, got {} and {}", x.shape().str(),
                       y.shape().str());
    }
    const bool* c = condition.data<bool>();
    if (condition.rank() == 0) {
      ctx.set_output(0, *c ? x : y);
      return;
    }
    Shape by_row = x.shape();
    if (condition.rank() == 1 && x.rank() > 1) {
      for (int i = 1; i < by_row.rank(); ++i) by_row.set_dim(i, 1);
      if (condition.dim(0) != x.dim(0)) {
        invalid_argument("the condition has {} rows, the values {}", condition.dim(0), x.dim(0));
      }
    } else if (!(condition.shape() == x.shape())) {
      invalid_argument("the condition must have the values' shape {}, got {}", x.shape().str(),
                       condition.shape().str());
    }
    const std::array<Shape, 3> shapes = {by_row, x.shape(), x.shape()};
    const std::array<const void*, 3> in = {c, x.raw(), y.raw()};
    const std::size_t size = dtype_size(x.dtype());
    const std::array<std::size_t, 4> sizes = {sizeof(bool), size, size, size};
    Tensor& out = ctx.output(0, x.shape());
    cpu::BroadcastPlan(shapes).run(loop_, in.data(), out.raw(), sizes, ctx.pool());
  }

 private:
  ElementwiseLoop loop_;
};

void select_gradient(GradientContext& g) {
  const Output zeros = g.op("ZerosLike", {g.input(1)});
  g.set(1, g.op("Select", {g.input(0), g.grad(), zeros}));
  g.set(2, g.op("Select", {g.input(0), zeros, g.grad()}));
}

void select_v2_gradient(GradientContext& g) {
  const Output zero = g.scalar(0, base_dtype(g.input(1).dtype()));
  const Output of_x = g.op("SelectV2", {g.input(0), g.grad(), zero});
  const Output of_y = g.op("SelectV2", {g.input(0), zero, g.grad()});
  g.set(1, g.unbroadcast(of_x, g.input(1), g.output(0), true));
  g.set(2, g.unbroadcast(of_y, g.input(2), g.output(0), true));
}

class Cast : public ParallelKernel {
 public:
  explicit Cast(const KernelInit& init)
      : from_(base_dtype(init.attr<DType>("SrcT"))),
        to_(base_dtype(init.attr<DType>("DstT"))),
        loop_(cpu::cast_loop(from_, to_)) {
    if (init.attr_or<bool>("Truncate", false)) {
      if (const auto truncating = cpu::truncating_cast_loop(from_, to_)) loop_ = truncating;
    }
    if (loop_ == nullptr && from_ != to_) {
      fail(Code::kUnimplemented, "{} cannot be cast to {}", dtype_name(from_), dtype_name(to_));
    }
  }

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    if (from_ == to_) {
      ctx.set_output(0, x);
      return;
    }
    Tensor& out = ctx.output(0, x.shape());
    const auto* from = static_cast<const char*>(x.raw());
    auto* to = static_cast<char*>(out.raw());
    const auto from_size = static_cast<std::int64_t>(dtype_size(from_));
    const auto to_size = static_cast<std::int64_t>(dtype_size(to_));
    ctx.pool().parallel_for(x.num_elements(), cpu::kElementwiseGrain,
                            [&](std::int64_t begin, std::int64_t end) {
                              const void* in = from + begin * from_size;
                              const int stride = 1;
                              loop_(&in, &stride, to + begin * to_size, end - begin);
                            });
  }

 private:
  DType from_;
  DType to_;
  ElementwiseLoop loop_;
};

void cast_gradient(GradientContext& g) {
  const DType from = base_dtype(g.input(0).dtype());
  const DType to = base_dtype(g.output(0).dtype());
  const auto differentiable = [](DType t) { return is_floating(t) || is_complex(t); };
  if (!differentiable(from) || !differentiable(to)) return;
  g.set(0, from == to ? g.grad() : g.op("Cast", {g.grad()}, {{"DstT", from}}));
}

}  // namespace

void register_select_cast(OpRegistry& r) {
  r.add({.name = "Select",
         .doc = "t where the condition holds, e elsewhere; a vector condition chooses rows.",
         .inputs = {"condition: bool", "t: T", "e: T"},
         .outputs = {"output: T"},
         .attrs = {"T: type"},
         .shape = select_shape,
         .gradient = select_gradient,
         .kernels = {{DType::kInvalid, make_kernel<Select>}},
         .elementwise = &kSelect});
  r.add({.name = "SelectV2",
         .doc = "t where the condition holds, e elsewhere; all three broadcast.",
         .inputs = {"condition: bool", "t: T", "e: T"},
         .outputs = {"output: T"},
         .attrs = {"T: type"},
         .shape = select_v2_shape,
         .gradient = select_v2_gradient,
         .kernels = {{DType::kInvalid, cpu::elementwise_kernel}},
         .elementwise = &kSelectV2});
  r.add({.name = "Cast",
         .doc = "The elements converted to another dtype; floats lose their fraction as integers.",
         .inputs = {"x: SrcT"},
         .outputs = {"y: DstT"},
         .attrs = {"SrcT: type", "DstT: type", "Truncate: bool = false"},
         .shape = shapes::unchanged,
         .gradient = cast_gradient,
         .kernel_attr = "SrcT",
         .kernels = {{DType::kInvalid, make_kernel<Cast>}},
         .threads = Threads::kPieces});
}

}  // namespace assay
