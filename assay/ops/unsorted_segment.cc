#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gather_rows.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/segment_rows.h"

namespace assay {
namespace {

void unsorted_shape(ShapeContext& c) {
  const PartialShape& data = c.input(0);
  const PartialShape& ids = c.input(1);
  c.with_rank(2, 0);
  const auto num = c.input_as_int(2);
  if (num && *num < 0) c.mismatch("num_segments must not be negative, got {}", *num);
  if (!data.has_rank() || !ids.has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  bool fits = data.rank() >= ids.rank();
  for (int d = 0; fits && d < ids.rank(); ++d) {
    fits = merge_dims(data.dim(d), ids.dim(d)).has_value();
  }
  if (!fits) {
    c.mismatch("data {} does not start with the shape of segment_ids {}", c.describe_input(0),
               c.describe_input(1));
  }
  std::vector<std::int64_t> dims(data.dims().begin() + ids.rank(), data.dims().end());
  dims.insert(dims.begin(), num.value_or(-1));
  c.set_output(0, PartialShape(std::move(dims)));
}

/// Rows go to the segment that their id names, in order; rows of negative ids go nowhere.
template <typename T, typename Rows, typename Id>
void run_unsorted(ParallelContext& ctx, std::int64_t segments) {
  const Tensor& data = ctx.input(0);
  const Tensor& ids = ctx.input(1);
  Shape shape{segments};
  for (int d = ids.rank(); d < data.rank(); ++d) shape.add_dim(data.dim(d));
  T* out = ctx.out<T>(0, shape);
  const T* from = data.data<T>();
  const Id* id = ids.data<Id>();
  const std::int64_t n = ids.num_elements();
  const std::int64_t inner = ops::product(data.shape(), ids.rank(), data.rank());
  for (std::int64_t i = 0; i < n; ++i) {
    if (id[i] >= segments) {
      invalid_argument("{} = {} is not in [0, {})", ops::entry_name("segment_ids", ids.shape(), i),
                       id[i], segments);
    }
  }
  // Columns are shared out, so each element sees its rows in one order on any number of threads.
  constexpr std::int64_t kColumns = 256;
  const std::int64_t grain = (n + segments) * inner < (1 << 17) ? inner : kColumns;
  ctx.pool().parallel_for(inner, grain, [&](std::int64_t begin, std::int64_t end) {
    if (begin == 0 && end == inner) {
      std::fill_n(out, segments * inner, Rows::identity());
    } else {
      for (std::int64_t s = 0; s < segments; ++s) {
        std::fill_n(out + s * inner + begin, end - begin, Rows::identity());
      }
    }
    for (std::int64_t i = 0; i < n; ++i) {
      if (id[i] < 0) continue;
      Rows::step(out + static_cast<std::int64_t>(id[i]) * inner + begin, from + i * inner + begin,
                 end - begin);
    }
  });
}

template <typename T, typename Rows>
void unsorted(ParallelContext& ctx) {
  const Tensor& data = ctx.input(0);
  const Tensor& ids = ctx.input(1);
  if (ctx.input(2).num_elements() != 1) invalid_argument("num_segments must be one number");
  const std::int64_t segments = ops::int_at(ctx.input(2), 0);
  if (segments < 0) invalid_argument("num_segments must not be negative, got {}", segments);
  bool fits = data.rank() >= ids.rank();
  for (int d = 0; fits && d < ids.rank(); ++d) fits = data.dim(d) == ids.dim(d);
  if (!fits) {
    invalid_argument("data of shape {} does not start with the shape of segment_ids {}",
                     data.shape().str(), ids.shape().str());
  }
  if (ids.dtype() == DType::kInt32) {
    run_unsorted<T, Rows, std::int32_t>(ctx, segments);
  } else {
    run_unsorted<T, Rows, std::int64_t>(ctx, segments);
  }
}

/// Rows of `params` by id, zero where the id is negative; what it made on the way can be reused.
struct DropNegatives {
  Output gathered;
  Output clipped;
  Output is_positive;
};

DropNegatives gather_drop_negatives(GradientContext& g, Output params, Output ids, Output clipped,
                                    Output is_positive) {
  if (!clipped) {
    clipped = g.op("Maximum", {ids, ops::zeros_like(g, ids)});
  }
  const Output gathered = ops::gather(g, params, clipped);
  if (!is_positive) {
    const Output zero = g.scalar(0, base_dtype(ids.dtype()), "GreaterEqual/y");
    is_positive = g.op("GreaterEqual", {ids, zero});
    if (!gathered.shape().has_rank() || !ids.shape().has_rank()) {
      fail(Code::kUnimplemented, "{}: the gradient needs tensors of known rank", g.node().label());
    }
    for (int d = ids.shape().rank(); d < gathered.shape().rank(); ++d) {
      is_positive = ops::expand_dims(g, is_positive, -1);
    }
    // Select wants a condition of the full shape.
    const Output ones =
        g.op("OnesLike", {g.op("Cast", {gathered}, {{"DstT", DType::kBool}})}, {}, "ones_like");
    is_positive = g.op("LogicalAnd", {is_positive, ones}, {}, "and");
  }
  const Output zeros = ops::zeros_like(g, gathered);
  return {ops::select(g, is_positive, gathered, zeros), clipped, is_positive};
}

void sum_gradient(GradientContext& g) {
  g.set(0, gather_drop_negatives(g, g.grad(), g.input(1), {}, {}).gathered);
}

/// The gradient goes in equal parts to the entries that are their segment's extreme.
void extreme_gradient(GradientContext& g) {
  const Output grad = g.grad();
  const DropNegatives outputs = gather_drop_negatives(g, g.output(0), g.input(1), {}, {});
  const Output equal = g.op("Equal", {g.input(0), outputs.gathered});
  const Output selected = g.op("LogicalAnd", {equal, outputs.is_positive});
  const Output counts =
      g.op("UnsortedSegmentSum",
           {ops::cast(g, selected, base_dtype(grad.dtype())), g.input(1), g.input(2)});
  const Output shares = g.op("RealDiv", {grad, counts}, {}, "truediv");
  const Output gathered =
      gather_drop_negatives(g, shares, {}, outputs.clipped, outputs.is_positive).gathered;
  g.set(0, ops::select(g, selected, gathered, ops::zeros_like(g, gathered)));
}

/// The product without an entry: the segment's product over the entry, or, for a zero, the product
/// of the others; nothing when the segment has more zeros.
void prod_gradient(GradientContext& g) {
  const Output x = g.input(0);
  const Output ids = g.input(1);
  const DType dtype = base_dtype(x.dtype());
  const Output is_zero = g.op("Equal", {x, g.scalar(0, dtype, "Equal/y")});
  const Output zeros =
      g.op("UnsortedSegmentSum", {ops::cast(g, is_zero, DType::kInt32), ids, g.input(2)});
  const Output many = g.op("Greater", {zeros, g.scalar(1, DType::kInt32, "Greater/y")});
  Output grad = g.grad();
  grad = ops::select(g, many, ops::zeros_like(g, grad), grad);
  const Output others = ops::select(g, is_zero, g.op("OnesLike", {x}, {}, "ones_like"), x);
  const Output other_prod = g.op("UnsortedSegmentProd", {others, ids, g.input(2)});
  const Output clipped = g.op("Maximum", {ids, ops::zeros_like(g, ids)});
  const Output prod_at = ops::gather(g, g.output(0), clipped);
  const Output other_at = ops::gather(g, other_prod, clipped);
  const Output without = g.op("RealDiv", {prod_at, x}, {}, "truediv");
  const Output partial = ops::select(g, is_zero, other_at, without);
  const Output at = gather_drop_negatives(g, grad, ids, clipped, {}).gathered;
  g.set(0, g.op("Mul", {at, partial}, {}, "mul"));
}

template <template <typename> class Rows>
std::vector<KernelEntry> kernels() {
  return {{float32, function_kernel<unsorted<float, Rows<float>>>},
          {float64, function_kernel<unsorted<double, Rows<double>>>},
          {int32, function_kernel<unsorted<std::int32_t, Rows<std::int32_t>>>},
          {int64, function_kernel<unsorted<std::int64_t, Rows<std::int64_t>>>},
          {int8, function_kernel<unsorted<std::int8_t, Rows<std::int8_t>>>},
          {uint8, function_kernel<unsorted<std::uint8_t, Rows<std::uint8_t>>>},
          {int16, function_kernel<unsorted<std::int16_t, Rows<std::int16_t>>>},
          {uint16, function_kernel<unsorted<std::uint16_t, Rows<std::uint16_t>>>}};
}

OpSpec unsorted_spec(std::string name, std::string doc, const char* types, GradientFn gradient,
                     std::vector<KernelEntry> kernels) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"data: T", "segment_ids: Tindices", "num_segments: Tnumsegments"},
          .outputs = {"output: T"},
          .attrs = {std::string("T: ") + types, "Tindices: {int32, int64}",
                    "Tnumsegments: {int32, int64} = DT_INT32"},
          .shape = unsorted_shape,
          .gradient = gradient,
          .kernels = std::move(kernels),
          .threads = Threads::kPieces};
}

}  // namespace

void register_unsorted_segment(OpRegistry& registry) {
  registry.add(unsorted_spec("UnsortedSegmentSum",
                             "Adds up the rows of each segment; negative ids are left out.",
                             ops::kNumberTypes, sum_gradient, kernels<ops::SumRows>()));
  registry.add(unsorted_spec("UnsortedSegmentProd",
                             "Multiplies the rows of each segment; negative ids are left out.",
                             ops::kNumberTypes, prod_gradient, kernels<ops::ProdRows>()));
  registry.add(unsorted_spec("UnsortedSegmentMax",
                             "The largest of each segment's rows; negative ids are left out.",
                             ops::kRealNumberTypes, extreme_gradient, kernels<ops::MaxRows>()));
  registry.add(unsorted_spec("UnsortedSegmentMin",
                             "The smallest of each segment's rows; negative ids are left out.",
                             ops::kRealNumberTypes, extreme_gradient, kernels<ops::MinRows>()));
}

}  // namespace assay
