#include <algorithm>
#include <type_traits>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/variable_util.h"
#include "assay/ops/wrapped.h"

namespace assay {
namespace {

struct Put {
  template <typename T>
  static void apply(T& x, const T& y) {
    x = y;
  }
};
struct Plus {
  template <typename T>
  static void apply(T& x, T y) {
    x = wrapped_sum(x, y);
  }
};
struct Minus {
  template <typename T>
  static void apply(T& x, T y) {
    x = wrapped_difference(x, y);
  }
};
struct Times {
  template <typename T>
  static void apply(T& x, T y) {
    x = wrapped(x, y, [](auto a, auto b) { return a * b; });
  }
};
struct Over {
  template <typename T>
  static void apply(T& x, T y) {
    if constexpr (std::is_integral_v<T>) {
      if (y == 0) invalid_argument("integer division by zero");
      // The one quotient that does not fit wraps around instead of trapping.
      x = y == static_cast<T>(-1) ? wrapped_difference(T(0), x) : static_cast<T>(x / y);
    } else {
      x = x / y;
    }
  }
};
struct Smaller {
  template <typename T>
  static void apply(T& x, T y) {
    x = y < x ? y : x;
  }
};
struct Larger {
  template <typename T>
  static void apply(T& x, T y) {
    x = y > x ? y : x;
  }
};

/// From this many elements on, wide rows are cut into column ranges for several threads: rows may
/// repeat, so only columns are independent.
constexpr std::int64_t kParallelElements = 1 << 18;
constexpr std::int64_t kColumnGrain = 64;

Shape updates_shape(const Shape& indices, const Shape& variable) {
  Shape s = indices;
  for (int i = 1; i < variable.rank(); ++i) s.add_dim(variable[i]);
  return s;
}

/// Applies Op to the rows that the indices name, in order; updates is one value for all when
/// `update_step` is 0.
template <typename T, typename Op, typename Index>
void scatter_rows(ParallelContext& ctx, T* variable, const Index* indices, std::int64_t n,
                  std::int64_t width, const T* updates, bool one_value) {
  if (one_value) {
    for (std::int64_t i = 0; i < n; ++i) {
      T* row = variable + static_cast<std::int64_t>(indices[i]) * width;
      for (std::int64_t j = 0; j < width; ++j) Op::apply(row[j], *updates);
    }
    return;
  }
  const auto columns = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = 0; i < n; ++i) {
      T* __restrict row = variable + static_cast<std::int64_t>(indices[i]) * width;
      const T* __restrict update = updates + i * width;
      for (std::int64_t j = begin; j < end; ++j) Op::apply(row[j], update[j]);
    }
  };
  if (n * width < kParallelElements) {
    columns(0, width);
  } else {
    ctx.pool().parallel_for(width, kColumnGrain, columns);
  }
}

template <typename T, typename Op>
void scatter(ParallelContext& ctx) {
  Tensor& variable = variable_of(ctx, 0);
  const Tensor& indices = ctx.input(1);
  const Tensor& updates = ctx.input(2);
  if (variable.rank() < 1) invalid_argument("the variable must have rows, got a scalar");
  const bool one_value = updates.rank() == 0;
  if (!one_value && updates.shape() != updates_shape(indices.shape(), variable.shape())) {
    invalid_argument("updates must have the shape of indices {} and of a row of {}, got {}",
                     indices.shape().str(), variable.shape().str(), updates.shape().str());
  }
  const std::int64_t rows = variable.dim(0);
  const std::int64_t n = indices.num_elements();
  if (n == 0) return;
  dispatch_index(indices.dtype(), [&](auto index) {
    using Index = decltype(index);
    const Index* at = indices.data<Index>();
    check_indices(at, n, rows);
    const std::int64_t width = variable.num_elements() / rows;
    scatter_rows<T, Op>(ctx, variable.data<T>(), at, n, width, updates.data<T>(), one_value);
  });
}

/// The same with index tuples: each row of indices names a slice of the variable.
template <typename T, typename Op>
void scatter_nd(KernelContext& ctx) {
  Tensor& variable = variable_of(ctx, 0);
  const Tensor& indices = ctx.input(1);
  const Tensor& updates = ctx.input(2);
  if (indices.rank() < 1) invalid_argument("indices must have at least one dimension");
  const int depth = static_cast<int>(indices.dim(indices.rank() - 1));
  if (depth > variable.rank()) {
    invalid_argument("indices name {} dimensions of a variable of shape {}", depth,
                     variable.shape().str());
  }
  Shape wanted;
  for (int i = 0; i + 1 < indices.rank(); ++i) wanted.add_dim(indices.dim(i));
  const std::int64_t n = wanted.num_elements();
  std::int64_t width = 1;
  for (int i = depth; i < variable.rank(); ++i) {
    wanted.add_dim(variable.dim(i));
    width *= variable.dim(i);
  }
  if (updates.shape() != wanted) {
    invalid_argument("updates must have shape {}, got {}", wanted.str(), updates.shape().str());
  }
  T* to = variable.data<T>();
  const T* from = updates.data<T>();
  dispatch_index(indices.dtype(), [&](auto index) {
    using Index = decltype(index);
    const Index* at = indices.data<Index>();
    const auto offset = [&](std::int64_t i) {
      std::int64_t flat = 0;
      for (int k = 0; k < depth; ++k) {
        const std::int64_t x = at[i * depth + k];
        if (x < 0 || x >= variable.dim(k)) {
          invalid_argument("indices[{},{}] = {} is not in [0, {})", i, k, x, variable.dim(k));
        }
        flat = flat * variable.dim(k) + x;
      }
      return flat * width;
    };
    for (std::int64_t i = 0; i < n; ++i) offset(i);  // nothing is changed unless all are valid
    for (std::int64_t i = 0; i < n; ++i) {
      T* row = to + offset(i);
      for (std::int64_t j = 0; j < width; ++j) Op::apply(row[j], from[i * width + j]);
    }
  });
}

template <typename T>
void resource_gather(ParallelContext& ctx) {
  const Tensor& variable = variable_of(ctx, 0);
  const Tensor& indices = ctx.input(1);
  if (variable.rank() < 1) invalid_argument("the variable must have rows, got a scalar");
  const T* from = variable.data<T>();
  T* to = ctx.out<T>(0, updates_shape(indices.shape(), variable.shape()));
  const std::int64_t n = indices.num_elements();
  if (n == 0) return;
  dispatch_index(indices.dtype(), [&](auto index) {
    using Index = decltype(index);
    const Index* at = indices.data<Index>();
    check_indices(at, n, variable.dim(0));
    const std::int64_t width = variable.num_elements() / variable.dim(0);
    const std::int64_t grain = std::max<std::int64_t>(1, 32768 / std::max<std::int64_t>(1, width));
    ctx.pool().parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const T* row = from + static_cast<std::int64_t>(at[i]) * width;
        std::copy(row, row + width, to + i * width);
      }
    });
  });
}

template <template <typename, typename> class Function, typename Op>
std::vector<KernelEntry> number_kernels() {
  return {{float32, Function<float, Op>::make},
          {float64, Function<double, Op>::make},
          {int32, Function<std::int32_t, Op>::make},
          {int64, Function<std::int64_t, Op>::make}};
}
template <typename T, typename Op>
struct Scatter {
  static constexpr KernelFactory make = function_kernel<scatter<T, Op>>;
};
template <typename T, typename Op>
struct ScatterNd {
  static constexpr KernelFactory make = function_kernel<scatter_nd<T, Op>>;
};
template <template <typename, typename> class Function>
std::vector<KernelEntry> put_kernels() {
  auto kernels = number_kernels<Function, Put>();
  kernels.push_back({boolean, Function<bool, Put>::make});
  kernels.push_back({uint8, Function<std::uint8_t, Put>::make});
  kernels.push_back({int8, Function<std::int8_t, Put>::make});
  kernels.push_back({int16, Function<std::int16_t, Put>::make});
  kernels.push_back({DType::kHalf, Function<Half, Put>::make});
  kernels.push_back({string, Function<std::string, Put>::make});
  return kernels;
}

PartialShape concatenate_row(const PartialShape& indices, const PartialShape& variable) {
  if (!indices.has_rank() || !variable.has_rank()) return {};
  std::vector<std::int64_t> dims = indices.dims();
  dims.insert(dims.end(), variable.dims().begin() + 1, variable.dims().end());
  return PartialShape(std::move(dims));
}

void check_scatter(const ShapeContext& c, const PartialShape& variable) {
  if (variable.has_rank() && variable.rank() < 1) c.mismatch("the variable must have rows");
  const PartialShape& updates = c.input(2);
  if (updates.rank() == 0) return;
  const PartialShape wanted = concatenate_row(c.input(1), variable);
  if (!wanted.is_compatible_with(updates)) {
    c.mismatch("updates must have shape {}: indices {}, updates {}", wanted.str(),
               c.describe_input(1), c.describe_input(2));
  }
}

void scatter_shape(ShapeContext& c) {
  check_scatter(c, c.input(0));
  c.set_output(0, c.input(0));
}
void resource_scatter_shape(ShapeContext& c) {
  check_scatter(c, variable_shape(c, 0));
}

void check_scatter_nd(const ShapeContext& c, const PartialShape& variable) {
  const PartialShape indices = c.with_rank_at_least(1, 1);
  if (!indices.has_rank() || !variable.has_rank()) return;
  const std::int64_t depth = indices[indices.rank() - 1];
  if (depth < 0) return;
  if (depth > variable.rank()) {
    c.mismatch("indices name {} dimensions of a variable of shape {}", depth, variable.str());
  }
  std::vector<std::int64_t> dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), variable.dims().begin() + depth, variable.dims().end());
  const PartialShape wanted(std::move(dims));
  if (!wanted.is_compatible_with(c.input(2))) {
    c.mismatch("updates must have shape {}: indices {}, updates {}", wanted.str(),
               c.describe_input(1), c.describe_input(2));
  }
}

void scatter_nd_shape(ShapeContext& c) {
  check_scatter_nd(c, c.input(0));
  c.set_output(0, c.input(0));
}
void resource_scatter_nd_shape(ShapeContext& c) {
  check_scatter_nd(c, variable_shape(c, 0));
}

void resource_gather_shape(ShapeContext& c) {
  const PartialShape variable = variable_shape(c, 0);
  if (variable.has_rank() && variable.rank() < 1) c.mismatch("the variable must have rows");
  if (c.attr<std::int64_t>("batch_dims") != 0) c.mismatch("batch_dims must be 0");
  c.set_output(0, concatenate_row(c.input(1), variable));
}

/// Slices: the gradient of each gathered row goes to the row of the variable.
void resource_gather_gradient(GradientContext& g) {
  const Output handle = g.input(0);
  const Output indices = g.input(1);
  const Output shape = g.op("VariableShape", {handle}, {{"out_type", DType::kInt32}});
  const Output size = g.op("ExpandDims", {g.op("Size", {indices}, {{"out_type", DType::kInt32}}),
                                          g.scalar(0, DType::kInt32)});
  const Output row = g.op("StridedSlice", {shape, g.ints({1}), g.ints({0}), g.ints({1})},
                          {{"end_mask", std::int64_t{1}}});
  const Output values_shape = g.op("ConcatV2", {size, row, g.scalar(0, DType::kInt32)});
  g.set(0, IndexedSlices{g.op("Reshape", {g.grad(), values_shape}),
                         g.op("Reshape", {indices, size}), shape});
}

struct Family {
  const char* name;
  const char* doc;
  const char* types;
  bool locks;
  std::vector<KernelEntry> rows;
};

void add_rows(OpRegistry& registry, const Family& f) {
  const std::string locking = fmt::format("use_locking: bool = {}", f.locks);
  const std::string indices = "Tindices: {int32, int64}";
  registry.add({.name = fmt::format("Scatter{}", f.name),
                .doc = f.doc,
                .inputs = {"ref: Ref(T)", "indices: Tindices", "updates: T"},
                .outputs = {"output_ref: Ref(T)"},
                .attrs = {fmt::format("T: {}", f.types), indices, locking},
                .effect = Effect::kWrites,
                .shape = scatter_shape,
                .not_differentiable = true,
                .kernels = f.rows,
                .threads = Threads::kPieces});
  const bool any = std::string_view(f.types) == "type";
  registry.add({.name = fmt::format("ResourceScatter{}", f.name),
                .doc = f.doc,
                .inputs = {"resource: resource", "indices: Tindices", "updates: dtype"},
                .attrs = {any ? "dtype: type" : "dtype: numbertype", indices},
                .effect = Effect::kWrites,
                .shape = resource_scatter_shape,
                .not_differentiable = true,
                .kernel_attr = "dtype",
                .kernels = f.rows,
                .threads = Threads::kPieces});
}

void add_nd(OpRegistry& registry, const Family& f) {
  const std::string indices = "Tindices: {int32, int64}";
  registry.add({.name = fmt::format("ScatterNd{}", f.name),
                .doc = f.doc,
                .inputs = {"ref: Ref(T)", "indices: Tindices", "updates: T"},
                .outputs = {"output_ref: Ref(T)"},
                .attrs = {fmt::format("T: {}", f.types), indices,
                          fmt::format("use_locking: bool = {}", f.locks)},
                .effect = Effect::kWrites,
                .shape = scatter_nd_shape,
                .not_differentiable = true,
                .kernels = f.rows});
  registry.add({.name = fmt::format("ResourceScatterNd{}", f.name),
                .doc = f.doc,
                .inputs = {"ref: resource", "indices: Tindices", "updates: T"},
                .attrs = {"T: type", indices, "use_locking: bool = true"},
                .effect = Effect::kWrites,
                .shape = resource_scatter_nd_shape,
                .not_differentiable = true,
                .kernels = f.rows});
}

}  // namespace

void register_state_scatter(OpRegistry& registry) {
  const char* numbers = "numbertype";
  const char* ordered = "{half, bfloat16, float, double, int32, int64}";
  const auto rows = [&](const Family& f) { add_rows(registry, f); };
  rows({"Update", "Replaces rows of a variable.", "type", true, put_kernels<Scatter>()});
  rows({"Add", "Adds to rows of a variable.", numbers, false, number_kernels<Scatter, Plus>()});
  rows({"Sub", "Subtracts from rows of a variable.", numbers, false,
        number_kernels<Scatter, Minus>()});
  rows({"Mul", "Multiplies rows of a variable.", numbers, false, number_kernels<Scatter, Times>()});
  rows({"Div", "Divides rows of a variable.", numbers, false, number_kernels<Scatter, Over>()});
  rows({"Min", "Rows of a variable become the smaller of themselves and the updates.", ordered,
        false, number_kernels<Scatter, Smaller>()});
  rows({"Max", "Rows of a variable become the larger of themselves and the updates.", ordered,
        false, number_kernels<Scatter, Larger>()});
  const auto nd = [&](const Family& f) { add_nd(registry, f); };
  nd({"Update", "Replaces slices of a variable that index tuples name.", "type", true,
      put_kernels<ScatterNd>()});
  nd({"Add", "Adds to slices of a variable that index tuples name.", numbers, false,
      number_kernels<ScatterNd, Plus>()});
  nd({"Sub", "Subtracts from slices of a variable that index tuples name.", numbers, false,
      number_kernels<ScatterNd, Minus>()});
  registry.add({.name = "ResourceGather",
                .doc = "Rows of the variable that a handle names.",
                .inputs = {"resource: resource", "indices: Tindices"},
                .outputs = {"output: dtype"},
                .attrs = {"batch_dims: int = 0", "validate_indices: bool = true", "dtype: type",
                          "Tindices: {int32,int64}"},
                .effect = Effect::kReads,
                .shape = resource_gather_shape,
                .gradient = resource_gather_gradient,
                .kernel_attr = "dtype",
                .kernels = {{float32, function_kernel<resource_gather<float>>},
                            {float64, function_kernel<resource_gather<double>>},
                            {int32, function_kernel<resource_gather<std::int32_t>>},
                            {int64, function_kernel<resource_gather<std::int64_t>>},
                            {boolean, function_kernel<resource_gather<bool>>},
                            {string, function_kernel<resource_gather<std::string>>}},
                .threads = Threads::kPieces});
}

}  // namespace assay
