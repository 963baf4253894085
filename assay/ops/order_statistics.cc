#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void nth_element_shape(ShapeContext& c) {
  const PartialShape in = c.with_rank_at_least(0, 1);
  c.with_rank(1, 0);
  if (!in.has_rank()) return c.set_output(0, PartialShape::unknown());
  const auto n = c.input_as_int(1);
  const std::int64_t last = in.dim(in.rank() - 1);
  if (n && (*n < 0 || (last >= 0 && *n >= last))) {
    c.mismatch("n = {} of {}", *n, c.describe_input(0));
  }
  c.set_output(0, PartialShape(std::vector<std::int64_t>(in.dims().begin(), in.dims().end() - 1)));
}

template <typename T>
class NthElement : public Kernel {
 public:
  explicit NthElement(const KernelInit& init) : reverse_(init.attr<bool>("reverse")) {}
  void run(KernelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    if (x.rank() < 1) invalid_argument("a vector is needed, got a scalar");
    const std::int64_t size = x.dim(x.rank() - 1);
    std::int64_t n = *ctx.in<std::int32_t>(1);
    if (n < 0 || n >= size) invalid_argument("n = {} is not in [0, {})", n, size);
    if (reverse_) n = size - 1 - n;
    const Shape shape(x.shape().dims().first(static_cast<std::size_t>(x.rank() - 1)));
    T* out = ctx.out<T>(0, shape);
    std::vector<T> row;
    for (std::int64_t r = 0; r < shape.num_elements(); ++r) {
      row.assign(x.data<T>() + r * size, x.data<T>() + (r + 1) * size);
      std::nth_element(row.begin(), row.begin() + n, row.end());
      out[r] = row[static_cast<std::size_t>(n)];
    }
  }

 private:
  bool reverse_;
};

/// The gradient goes in equal parts to the entries that equal the result.
void nth_element_gradient(GradientContext& g) {
  const Output grad = ops::expand_dims(g, g.grad(), -1);
  const Output chosen = g.op("Equal", {ops::expand_dims(g, g.output(0), -1), g.input(0)});
  const Output indicators = ops::cast(g, chosen, base_dtype(grad.dtype()));
  const Output last = g.scalar(-1, DType::kInt32, "Sum/reduction_indices");
  const Output count =
      ops::expand_dims(g, g.op("Sum", {indicators, last}, {{"keep_dims", false}}), -1);
  const Output shares = g.op("RealDiv", {indicators, count}, {}, "truediv");
  g.set(0, g.op("Mul", {shares, grad}, {}, "mul"));
}

void cross_shape(ShapeContext& c) {
  const PartialShape shape = c.merge_inputs(0, 1);
  if (shape.has_rank() && (shape.rank() < 1 || !merge_dims(shape.dim(shape.rank() - 1), 3))) {
    c.mismatch("the last dimension of {} must be 3", c.describe_input(0));
  }
  c.set_output(0, shape);
}

template <typename T>
void cross(KernelContext& ctx) {
  const Tensor& a = ctx.input(0);
  const Tensor& b = ctx.input(1);
  if (a.shape() != b.shape() || a.rank() < 1 || a.dim(a.rank() - 1) != 3) {
    invalid_argument("vectors of three are needed, got {} and {}", a.shape().str(),
                     b.shape().str());
  }
  T* out = ctx.out<T>(0, a.shape());
  for (std::int64_t i = 0; i < a.num_elements(); i += 3) {
    const T* u = a.data<T>() + i;
    const T* v = b.data<T>() + i;
    out[i] = static_cast<T>(u[1] * v[2] - u[2] * v[1]);
    out[i + 1] = static_cast<T>(u[2] * v[0] - u[0] * v[2]);
    out[i + 2] = static_cast<T>(u[0] * v[1] - u[1] * v[0]);
  }
}

void cross_gradient(GradientContext& g) {
  const Output grad = g.grad();
  g.set(0, g.op("Cross", {g.input(1), grad}));
  g.set(1, g.op("Cross", {grad, g.input(0)}));
}

void bitpack_shape(ShapeContext& c) {
  PartialShape shape = c.with_rank_at_least(0, 1);
  c.with_rank(1, 0);
  if (shape.has_rank() && shape.dim(shape.rank() - 1) >= 0) {
    const std::int64_t last = shape.dim(shape.rank() - 1);
    if (last % 8 != 0) c.mismatch("the last dimension of {} must divide by 8", c.describe_input(0));
    shape.set_dim(shape.rank() - 1, last / 8);
  }
  c.set_output(0, std::move(shape));
}

/// Eight comparisons a byte, the first in the highest bit.
template <typename T>
void compare_and_bitpack(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& threshold = ctx.input(1);
  if (x.rank() < 1 || x.dim(x.rank() - 1) % 8 != 0 || threshold.rank() != 0) {
    invalid_argument("rows of eight and a scalar are needed, got {} and {}", x.shape().str(),
                     threshold.shape().str());
  }
  Shape shape = x.shape();
  shape.set_dim(x.rank() - 1, x.dim(x.rank() - 1) / 8);
  auto* out = ctx.out<std::uint8_t>(0, shape);
  const T* values = x.data<T>();
  const auto above = [limit = *threshold.data<T>()](T value) {
    if constexpr (std::is_same_v<T, bool>) {
      return value;  // true, whatever the threshold
    } else if constexpr (std::is_same_v<T, Half>) {
      return static_cast<float>(value) > static_cast<float>(limit);
    } else {
      return value > limit;
    }
  };
  for (std::int64_t i = 0; i < shape.num_elements(); ++i) {
    unsigned bits = 0;
    for (int k = 0; k < 8; ++k) bits = bits << 1U | (above(values[i * 8 + k]) ? 1U : 0U);
    out[i] = static_cast<std::uint8_t>(bits);
  }
}

void ragged_range_shape(ShapeContext& c) {
  std::int64_t rows = -1;
  for (int i = 0; i < 3; ++i) {
    const PartialShape in = c.with_rank_at_most(i, 1);
    if (in.has_rank() && in.rank() == 1 && in.dim(0) >= 0) rows = std::max(rows, in.dim(0));
  }
  bool scalars = true;
  for (int i = 0; i < 3; ++i) scalars = scalars && c.input(i).rank() == 0;
  if (scalars) rows = 1;
  c.set_output(0, {rows < 0 ? -1 : rows + 1});
  c.set_output(1, {-1});
}

// More than any memory holds.
constexpr std::int64_t kMaxValues = std::int64_t{1} << 40;

/// How many values a row of RaggedRange has. Throws InvalidArgument for more than memory can hold.
template <typename T>
std::int64_t range_size(T start, T limit, T delta, std::int64_t row) {
  if (delta > T{0} ? !(start < limit) : !(start > limit)) return 0;
  std::int64_t size = kMaxValues + 1;
  if constexpr (std::is_integral_v<T>) {
    // As unsigned numbers, which the difference of any two fits.
    const auto distance =
        delta > T{0} ? static_cast<std::uint64_t>(limit) - static_cast<std::uint64_t>(start)
                     : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(limit);
    const std::uint64_t step =
        delta > T{0} ? static_cast<std::uint64_t>(delta) : -static_cast<std::uint64_t>(delta);
    size = static_cast<std::int64_t>(
        std::min<std::uint64_t>((distance - 1) / step + 1, kMaxValues + 1));
  } else {
    const double exact = std::ceil(std::abs(
        (static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta)));
    if (exact <= static_cast<double>(kMaxValues)) size = static_cast<std::int64_t>(exact);
  }
  if (size > kMaxValues) {
    invalid_argument("row {}, from {} to {} by {}, has too many values", row, start, limit, delta);
  }
  return size;
}

template <typename T>
void ragged_range(KernelContext& ctx) {
  std::int64_t rows = 1;
  for (int i = 0; i < 3; ++i) {
    if (ctx.input(i).rank() == 0) continue;
    if (rows != 1 && ctx.input(i).num_elements() != rows) {
      invalid_argument("starts, limits and deltas differ in length: {} and {}", rows,
                       ctx.input(i).num_elements());
    }
    rows = ctx.input(i).num_elements();
  }
  const auto at = [&](int i, std::int64_t row) {
    return ctx.in<T>(i)[ctx.input(i).rank() == 0 ? 0 : row];
  };
  Tensor& splits = ctx.output(0, {rows + 1});
  const auto set_split = [&](std::int64_t i, std::int64_t value) {
    if (splits.dtype() == DType::kInt32) {
      splits.data<std::int32_t>()[i] = static_cast<std::int32_t>(value);
    } else {
      splits.data<std::int64_t>()[i] = value;
    }
  };
  std::int64_t total = 0;
  set_split(0, 0);
  for (std::int64_t r = 0; r < rows; ++r) {
    if (at(2, r) == T{0}) invalid_argument("deltas[{}] must not be 0", r);
    total += range_size(at(0, r), at(1, r), at(2, r), r);
    if (total > kMaxValues) invalid_argument("the rows up to {} have too many values", r);
    set_split(r + 1, total);
  }
  T* out = ctx.out<T>(1, {total});
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t size = range_size(at(0, r), at(1, r), at(2, r), r);
    T value = at(0, r);
    for (std::int64_t k = 0; k < size; ++k) {
      *out++ = value;
      // The step after a row's last value may leave an integer's range.
      if (k + 1 < size) value = static_cast<T>(value + at(2, r));
    }
  }
}

}  // namespace

void register_order_statistics(OpRegistry& registry) {
  const std::string types = std::string("T: ") + ops::kRealNumberTypes;
  registry.add({.name = "NthElement",
                .doc = "The n-th smallest entry of each row, or the n-th largest.",
                .inputs = {"input: T", "n: int32"},
                .outputs = {"values: T"},
                .attrs = {"reverse: bool = false", types},
                .shape = nth_element_shape,
                .gradient = nth_element_gradient,
                .kernels = {{float32, make_kernel<NthElement<float>>},
                            {float64, make_kernel<NthElement<double>>},
                            {int32, make_kernel<NthElement<std::int32_t>>},
                            {int64, make_kernel<NthElement<std::int64_t>>}}});
  registry.add({.name = "Cross",
                .doc = "The cross products of vectors of three.",
                .inputs = {"a: T", "b: T"},
                .outputs = {"product: T"},
                .attrs = {types},
                .shape = cross_shape,
                .gradient = cross_gradient,
                .kernels = {{float32, function_kernel<cross<float>>},
                            {float64, function_kernel<cross<double>>},
                            {int32, function_kernel<cross<std::int32_t>>},
                            {int64, function_kernel<cross<std::int64_t>>}}});
  registry.add({.name = "CompareAndBitpack",
                .doc = "Whether each entry is above a threshold, eight answers to a byte.",
                .inputs = {"input: T", "threshold: T"},
                .outputs = {"output: uint8"},
                .attrs = {"T: {bool, float16, float32, float64, int8, int16, int32, int64}"},
                .shape = bitpack_shape,
                .not_differentiable = true,
                .kernels = {{boolean, function_kernel<compare_and_bitpack<bool>>},
                            {DType::kHalf, function_kernel<compare_and_bitpack<Half>>},
                            {float32, function_kernel<compare_and_bitpack<float>>},
                            {float64, function_kernel<compare_and_bitpack<double>>},
                            {int8, function_kernel<compare_and_bitpack<std::int8_t>>},
                            {int16, function_kernel<compare_and_bitpack<std::int16_t>>},
                            {int32, function_kernel<compare_and_bitpack<std::int32_t>>},
                            {int64, function_kernel<compare_and_bitpack<std::int64_t>>}}});
  registry.add({.name = "RaggedRange",
                .doc = "A range for each start, limit and delta, one after the other, with splits.",
                .inputs = {"starts: T", "limits: T", "deltas: T"},
                .outputs = {"rt_nested_splits: Tsplits", "rt_dense_values: T"},
                .attrs = {"T: {bfloat16, float, double, int32, int64} = DT_INT32",
                          "Tsplits: {int32, int64} = DT_INT64"},
                .shape = ragged_range_shape,
                .not_differentiable = true,
                .kernels = {{float32, function_kernel<ragged_range<float>>},
                            {float64, function_kernel<ragged_range<double>>},
                            {int32, function_kernel<ragged_range<std::int32_t>>},
                            {int64, function_kernel<ragged_range<std::int64_t>>}}});
}

}  // namespace assay
