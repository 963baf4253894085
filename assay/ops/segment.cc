#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/segment_rows.h"

namespace assay {
namespace {

void segment_shape(ShapeContext& c) {
  const PartialShape data = c.with_rank_at_least(0, 1);
  const PartialShape ids = c.with_rank(1, 1);
  if (!data.has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  if (!merge_dims(data.dim(0), ids.dim(0))) {
    c.mismatch("{} rows but {} segment ids", data.dim(0), ids.dim(0));
  }
  PartialShape out = data;
  const Tensor* value = c.input_value(1);
  const std::int64_t n = value != nullptr ? value->num_elements() : -1;
  out.set_dim(0, n < 0 ? -1 : (n == 0 ? 0 : ops::add_sizes(ops::int_at(*value, n - 1), 1)));
  c.set_output(0, std::move(out));
}

/// Segments of sorted ids: one that no id names is zero, of a product one. Mean divides at the end.
template <typename T, typename Rows, bool kMean = false>
void segment(KernelContext& ctx) {
  const Tensor& data = ctx.input(0);
  const Tensor& ids = ctx.input(1);
  if (ids.rank() != 1 || data.rank() < 1 || data.dim(0) != ids.dim(0)) {
    invalid_argument("segment_ids of shape {} must be a vector as long as data {}",
                     ids.shape().str(), data.shape().str());
  }
  const std::int64_t n = ids.num_elements();
  const std::int64_t segments = n == 0 ? 0 : ops::add_sizes(ops::int_at(ids, n - 1), 1);
  std::int64_t previous = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t id = ops::int_at(ids, i);
    if (id < 0 || id < previous) {
      invalid_argument("segment_ids[{}] = {} after {}: ids must be sorted and not negative", i, id,
                       previous);
    }
    previous = id;
  }
  Shape shape = data.shape();
  shape.set_dim(0, segments);
  const std::int64_t inner = ops::product(data.shape(), 1, data.rank());
  T* out = ctx.out<T>(0, shape);
  std::fill_n(out, segments * inner, Rows::identity() == T{1} ? T{1} : T{0});
  const T* from = data.data<T>();
  std::int64_t begin = 0;
  while (begin < n) {
    const std::int64_t id = ops::int_at(ids, begin);
    T* to = out + id * inner;
    ops::copy_run(to, from + begin * inner, inner);
    std::int64_t end = begin + 1;
    for (; end < n && ops::int_at(ids, end) == id; ++end) Rows::step(to, from + end * inner, inner);
    if constexpr (kMean) {
      const T count = static_cast<T>(end - begin);
      for (std::int64_t i = 0; i < inner; ++i) to[i] = static_cast<T>(to[i] / count);
    }
    begin = end;
  }
}

void sum_gradient(GradientContext& g) {
  g.set(0, ops::gather(g, g.grad(), g.input(1)));
}

void mean_gradient(GradientContext& g) {
  const Output grad = g.grad();
  const Output rank = ops::rank_of(g, g.input(0));
  const Output rest = g.op("Sub", {rank, g.scalar(1, DType::kInt32, "sub/y")}, {}, "sub");
  const Output one = g.scalar(1, DType::kInt32, "Fill/value");
  const Output ones_rest = g.op("Fill", {ops::expand_dims(g, rest, 0), one});
  const Output shape = ops::concat(g, {g.shape_of(g.input(1)), ones_rest}, 0);
  const Output ones = g.op("Fill", {shape, g.scalar(1, base_dtype(grad.dtype()))});
  const Output counts = g.op("SegmentSum", {ones, g.input(1)});
  const Output scaled = g.op("RealDiv", {grad, counts}, {}, "truediv");
  g.set(0, ops::gather(g, scaled, g.input(1)));
}

void extreme_gradient(GradientContext& g) {
  const Output grad = g.grad();
  const Output zeros = ops::zeros_like(g, g.input(0));
  const Output at = ops::gather(g, g.output(0), g.input(1));
  const Output selected = g.op("Equal", {g.input(0), at});
  const Output counts =
      g.op("SegmentSum", {ops::cast(g, selected, base_dtype(grad.dtype())), g.input(1)});
  const Output shares = g.op("RealDiv", {grad, counts}, {}, "truediv");
  const Output gathered = ops::gather(g, shares, g.input(1));
  g.set(0, ops::select(g, selected, gathered, zeros));
}

template <template <typename> class Rows, bool kMean = false>
std::vector<KernelEntry> kernels() {
  return {{float32, function_kernel<segment<float, Rows<float>, kMean>>},
          {float64, function_kernel<segment<double, Rows<double>, kMean>>},
          {int32, function_kernel<segment<std::int32_t, Rows<std::int32_t>, kMean>>},
          {int64, function_kernel<segment<std::int64_t, Rows<std::int64_t>, kMean>>}};
}

OpSpec segment_spec(std::string name, std::string doc, const char* types, GradientFn gradient,
                    std::vector<KernelEntry> kernels) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"data: T", "segment_ids: Tindices"},
          .outputs = {"output: T"},
          .attrs = {std::string("T: ") + types, "Tindices: {int32, int64}"},
          .shape = segment_shape,
          .gradient = gradient,
          .not_differentiable = gradient == nullptr,
          .kernels = std::move(kernels)};
}

}  // namespace

void register_segment(OpRegistry& registry) {
  registry.add(segment_spec("SegmentSum", "Adds up the rows of each segment of sorted ids.",
                            ops::kNumberTypes, sum_gradient, kernels<ops::SumRows>()));
  registry.add(segment_spec("SegmentMean", "The mean of the rows of each segment of sorted ids.",
                            ops::kNumberTypes, mean_gradient, kernels<ops::SumRows, true>()));
  registry.add(segment_spec("SegmentProd", "Multiplies the rows of each segment of sorted ids.",
                            ops::kNumberTypes, nullptr, kernels<ops::ProdRows>()));
  registry.add(segment_spec("SegmentMax", "The largest of the rows of each segment of sorted ids.",
                            ops::kRealNumberTypes, extreme_gradient, kernels<ops::MaxRows>()));
  registry.add(segment_spec("SegmentMin", "The smallest of the rows of each segment of sorted ids.",
                            ops::kRealNumberTypes, extreme_gradient, kernels<ops::MinRows>()));
}

}  // namespace assay
