// Reductions over axes and their gradients.
#include <algorithm>
#include <numeric>
#include <optional>

#include "assay/device/cpu/reduce.h"
#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/contiguous_part.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

using cpu::ReduceOp;

// An int32 or int64 tensor's elements, as int64.
std::vector<std::int64_t> ints_of(const Tensor& t) {
  if (t.dtype() == DType::kInt64) return t.to_vector<std::int64_t>();
  const auto s = t.span<std::int32_t>();
  return {s.begin(), s.end()};
}

template <ReduceOp Op>
class Reduction : public ParallelKernel {
 public:
  explicit Reduction(const KernelInit& init)
      : keep_dims_(init.attr<bool>("keep_dims")), dtype_(base_dtype(init.node.input(0).dtype())) {
    if (init.input_values[1] != nullptr && init.input_shapes[0].is_fully_defined()) {
      plan_.emplace(init.input_shapes[0].to_shape(), ints_of(*init.input_values[1]), keep_dims_);
    }
  }

  void run_parallel(ParallelContext& ctx) override {
    if (plan_) {
      compute(ctx, *plan_);
    } else {
      compute(ctx, cpu::ReducePlan(ctx.input(0).shape(), ints_of(ctx.input(1)), keep_dims_));
    }
  }

 private:
  void compute(ParallelContext& ctx, const cpu::ReducePlan& plan) const {
    const Tensor& in = ctx.input(0);
    Tensor& out = ctx.output(0, plan.shape());
    plan.run(Op, dtype_, in.raw(), out.raw(), ctx.pool());
  }

  bool keep_dims_;
  DType dtype_;
  std::optional<cpu::ReducePlan> plan_;
};

// The axes that input 1 of `node` names, in [0, rank), when known.
std::optional<std::vector<std::int64_t>> static_axes(const GradientContext& g) {
  const Tensor axes = constant_value(g.input(1));
  const int rank = g.input(0).shape().rank();
  if (!axes.defined() || rank < 0) return std::nullopt;
  std::vector<std::int64_t> all = ints_of(axes);
  for (std::int64_t& a : all) a = a < 0 ? a + rank : a;
  return all;
}

Output int_vector(GradientContext& g, const std::vector<std::int64_t>& values) {
  return g.ints({values.begin(), values.end()});
}

// How a reduction's output spreads over its input again: its shape with the reduced dimensions
// kept as 1, and how often each dimension repeats.
struct Spread {
  Output kept_dims;
  Output multiples;
};

Spread spread_of(GradientContext& g) {
  const PartialShape& in = g.input(0).shape();
  const auto axes = static_axes(g);
  if (axes && in.is_fully_defined()) {
    std::vector<std::int64_t> kept = in.dims();
    for (const std::int64_t a : *axes) kept[static_cast<std::size_t>(a)] = 1;
    std::vector<std::int64_t> multiples(kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
      multiples[i] = in.dims()[i] / std::max<std::int64_t>(1, kept[i]);
    }
    return {int_vector(g, kept), int_vector(g, multiples)};
  }
  const Output shape = g.shape_of(g.input(0));
  if (axes && axes->size() == in.dims().size()) {
    return {g.ints(std::vector<std::int32_t>(axes->size(), 1)), shape};
  }
  Output over = g.input(1);
  if (base_dtype(over.dtype()) != DType::kInt32) {
    over = g.op("Cast", {over}, {{"DstT", DType::kInt32}});
  }
  over = g.op("Reshape", {over, g.ints({-1})});
  const Output rank = g.op("Size", {shape});
  const Output positive = g.op("FloorMod", {g.op("Add", {over, rank}), rank});
  const Output all = g.op("Range", {g.scalar(0, DType::kInt32), rank, g.scalar(1, DType::kInt32)});
  const Output ones = g.op("Fill", {g.op("Shape", {positive}), g.scalar(1, DType::kInt32)});
  const Output kept = g.op("DynamicStitch", {all, positive, shape, ones});
  const Output divisor = g.op("Maximum", {kept, g.scalar(1, DType::kInt32)});
  return {kept, g.op("FloorDiv", {shape, divisor})};
}

Output spread_gradient(GradientContext& g) {
  const Spread spread = spread_of(g);
  const Output kept = g.op("Reshape", {g.grad(), spread.kept_dims});
  return g.op("Tile", {kept, spread.multiples});
}

void sum_gradient(GradientContext& g) {
  g.set(0, spread_gradient(g));
}

void mean_gradient(GradientContext& g) {
  const Output sum = spread_gradient(g);
  const DType dtype = base_dtype(g.input(0).dtype());
  const std::int64_t in = g.input(0).shape().num_elements();
  const std::int64_t out = g.output(0).shape().num_elements();
  Output count;
  if (in >= 0 && out >= 0) {
    const std::int64_t of_each = in / std::max<std::int64_t>(1, out);
    count = g.scalar(static_cast<double>(of_each), dtype);
  } else {
    const Output first = g.ints({0});
    const Output elements = g.op("Prod", {g.op("Shape", {g.input(0)}), first});
    const Output results = g.op("Prod", {g.op("Shape", {g.output(0)}), first});
    const Output divisor = g.op("Maximum", {results, g.scalar(1, DType::kInt32)});
    count = g.op("Cast", {g.op("FloorDiv", {elements, divisor})}, {{"DstT", dtype}});
  }
  g.set(0, g.op("RealDiv", {sum, count}));
}

// Elements that equal the extremum share its gradient.
void extremum_gradient(GradientContext& g) {
  const Output kept_dims = spread_of(g).kept_dims;
  const Output y = g.op("Reshape", {g.output(0), kept_dims});
  const Output grad = g.op("Reshape", {g.grad(), kept_dims});
  const Output hits =
      g.op("Cast", {g.op("Equal", {y, g.input(0)})}, {{"DstT", base_dtype(g.input(0).dtype())}});
  const Output count = g.op("Reshape", {g.op("Sum", {hits, g.input(1)}), kept_dims});
  g.set(0, g.op("Mul", {g.op("RealDiv", {hits, count}), grad}));
}

// The product of the others: exclusive products from both ends, right also where there are zeros.
void prod_gradient(GradientContext& g) {
  const Output x = g.input(0);
  const auto axes = static_axes(g);
  if (!axes) {
    fail(Code::kUnimplemented,
         "the gradient of Prod needs the rank of its input and its axes to be known");
  }
  std::vector<std::int64_t> order = *axes;
  const auto rank = static_cast<std::int64_t>(x.shape().rank());
  for (std::int64_t i = 0; i < rank; ++i) {
    if (std::ranges::find(*axes, i) == axes->end()) order.push_back(i);
  }
  std::vector<std::int64_t> inverse(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    inverse[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  }
  const Output permuted = g.op("Transpose", {x, int_vector(g, order)});
  const Output permuted_shape = g.shape_of(permuted);
  // The reduced dimensions lead and become one.
  const Output sizes = g.op("Shape", {permuted});
  std::vector<std::int64_t> leading(axes->size());
  std::iota(leading.begin(), leading.end(), std::int64_t{0});
  const Output head = g.op("GatherV2", {sizes, int_vector(g, leading), g.scalar(0, int32)});
  const Output rows = g.op("Prod", {head, g.ints({0})}, {{"keep_dims", true}});
  const Output flat_shape = g.op("ConcatV2", {rows, g.ints({-1}), g.scalar(0, int32)});
  const Output flat = g.op("Reshape", {permuted, flat_shape});
  const Output axis = g.scalar(0, int32);
  const Output before = g.op("Cumprod", {flat, axis}, {{"exclusive", true}});
  const Output after = g.op("Cumprod", {flat, axis}, {{"exclusive", true}, {"reverse", true}});
  const Output others = g.op("Reshape", {g.op("Mul", {before, after}), permuted_shape});
  const Output factors = g.op("Transpose", {others, int_vector(g, inverse)});
  g.set(0, g.op("Mul", {spread_gradient(g), factors}));
}

template <ReduceOp Op>
std::vector<KernelEntry> number_kernels(bool complex) {
  std::vector<KernelEntry> kernels;
  for (const DType t : {float32, float64, int32, int64, int8, int16, uint8, uint16, DType::kUInt32,
                        DType::kUInt64}) {
    kernels.push_back({t, make_kernel<Reduction<Op>>});
  }
  if (complex) {
    kernels.push_back({DType::kComplex64, make_kernel<Reduction<Op>>});
    kernels.push_back({DType::kComplex128, make_kernel<Reduction<Op>>});
  }
  return kernels;
}

template <ReduceOp Op>
void add_reduction(OpRegistry& r, std::string name, std::string doc, GradientFn gradient,
                   bool complex) {
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"input: T", "reduction_indices: Tidx"},
         .outputs = {"output: T"},
         .attrs = {"keep_dims: bool = false", "T: numbertype", "Tidx: {int32, int64} = DT_INT32"},
         .shape = shapes::reduction,
         .gradient = gradient,
         .kernels = number_kernels<Op>(complex),
         .threads = Threads::kFixedOrder,
         .view = ops::reduction_view});
}

template <ReduceOp Op>
void add_logical_reduction(OpRegistry& r, std::string name, std::string doc) {
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"input: bool", "reduction_indices: Tidx"},
         .outputs = {"output: bool"},
         .attrs = {"keep_dims: bool = false", "Tidx: {int32, int64} = DT_INT32"},
         .shape = shapes::reduction,
         .not_differentiable = true,
         .kernels = {{DType::kInvalid, make_kernel<Reduction<Op>>}},
         .threads = Threads::kFixedOrder});
}

}  // namespace

void register_reduction(OpRegistry& r) {
  add_reduction<ReduceOp::kSum>(r, "Sum", "The sum over axes; of nothing 0.", sum_gradient, true);
  add_reduction<ReduceOp::kMean>(r, "Mean", "The mean over axes; of no floats NaN.", mean_gradient,
                                 true);
  add_reduction<ReduceOp::kProd>(r, "Prod", "The product over axes; of nothing 1.", prod_gradient,
                                 true);
  add_reduction<ReduceOp::kMax>(r, "Max", "The largest over axes; of no floats -infinity.",
                                extremum_gradient, false);
  add_reduction<ReduceOp::kMin>(r, "Min", "The smallest over axes; of no floats infinity.",
                                extremum_gradient, false);
  add_logical_reduction<ReduceOp::kAll>(r, "All", "Whether all over axes are true.");
  add_logical_reduction<ReduceOp::kAny>(r, "Any", "Whether any over axes is true.");
}

}  // namespace assay
