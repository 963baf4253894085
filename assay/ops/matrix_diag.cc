#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

std::int64_t smaller(std::int64_t a, std::int64_t b) {
  return a < 0 || b < 0 ? -1 : std::min(a, b);
}

void band_part_shape(ShapeContext& c) {
  c.set_output(0, c.with_rank_at_least(0, 2));
}

void band_part(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (x.rank() < 2) invalid_argument("a matrix is needed, got shape {}", x.shape().str());
  const std::int64_t lower = ops::int_at(ctx.input(1), 0);
  const std::int64_t upper = ops::int_at(ctx.input(2), 0);
  const std::int64_t rows = x.dim(x.rank() - 2);
  const std::int64_t columns = x.dim(x.rank() - 1);
  if (lower > rows || upper > columns) {
    invalid_argument("num_lower {} and num_upper {} do not fit a matrix of [{},{}]", lower, upper,
                     rows, columns);
  }
  const std::int64_t matrices = ops::product(x.shape(), 0, x.rank() - 2);
  Tensor& out = ctx.output(0, x.shape());
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = ops::raw_as<T>(x);
    T* to = ops::raw_as<T>(out);
    for (std::int64_t r = 0; r < matrices * rows; ++r, from += columns, to += columns) {
      const std::int64_t row = r % rows;
      const std::int64_t begin = lower < 0 ? 0 : std::clamp<std::int64_t>(row - lower, 0, columns);
      const std::int64_t end =
          upper < 0 ? columns : std::clamp<std::int64_t>(row + upper + 1, begin, columns);
      std::fill(to, to + begin, T{});
      ops::copy_run(to + begin, from + begin, end - begin);
      std::fill(to + end, to + columns, T{});
    }
  });
}

void band_part_gradient(GradientContext& g) {
  g.set(0, g.op("MatrixBandPart", {g.grad(), g.input(1), g.input(2)}));
}

void matrix_diag_shape(ShapeContext& c) {
  const PartialShape in = c.with_rank_at_least(0, 1);
  if (!in.has_rank()) return c.set_output(0, PartialShape::unknown());
  std::vector<std::int64_t> dims = in.dims();
  dims.push_back(dims.back());
  c.set_output(0, PartialShape(std::move(dims)));
}

void matrix_diag(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (x.rank() < 1) invalid_argument("a vector is needed, got a scalar");
  const std::int64_t n = x.dim(x.rank() - 1);
  Shape shape = x.shape();
  shape.add_dim(n);
  Tensor& out = ctx.output(0, shape);
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = ops::raw_as<T>(out);
    std::fill_n(to, out.num_elements(), T{});
    for (std::int64_t i = 0; i < x.num_elements(); ++i) {
      to[i * n + i % n] = ops::raw_as<T>(x)[i];
    }
  });
}

void matrix_diag_gradient(GradientContext& g) {
  g.set(0, g.op("MatrixDiagPart", {g.grad()}));
}

void matrix_diag_part_shape(ShapeContext& c) {
  const PartialShape in = c.with_rank_at_least(0, 2);
  if (!in.has_rank()) return c.set_output(0, PartialShape::unknown());
  std::vector<std::int64_t> dims(in.dims().begin(), in.dims().end() - 2);
  dims.push_back(smaller(in.dim(in.rank() - 2), in.dim(in.rank() - 1)));
  c.set_output(0, PartialShape(std::move(dims)));
}

void matrix_diag_part(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (x.rank() < 2) invalid_argument("a matrix is needed, got shape {}", x.shape().str());
  const std::int64_t rows = x.dim(x.rank() - 2);
  const std::int64_t columns = x.dim(x.rank() - 1);
  const std::int64_t n = std::min(rows, columns);
  const std::int64_t matrices = ops::product(x.shape(), 0, x.rank() - 2);
  Shape shape(x.shape().dims().first(static_cast<std::size_t>(x.rank() - 2)));
  shape.add_dim(n);
  Tensor& out = ctx.output(0, shape);
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t m = 0; m < matrices; ++m) {
      for (std::int64_t i = 0; i < n; ++i) {
        ops::raw_as<T>(out)[m * n + i] = ops::raw_as<T>(x)[(m * rows + i) * columns + i];
      }
    }
  });
}

void matrix_diag_part_gradient(GradientContext& g) {
  const PartialShape& shape = g.input(0).shape();
  const int rank = shape.rank();
  if (rank >= 2 && shape.dim(rank - 1) >= 0 && shape.dim(rank - 1) == shape.dim(rank - 2)) {
    g.set(0, g.op("MatrixDiag", {g.grad()}));
  } else {
    g.set(0, g.op("MatrixSetDiag", {ops::zeros_like(g, g.input(0)), g.grad()}));
  }
}

void set_diag_shape(ShapeContext& c) {
  const PartialShape in = c.with_rank_at_least(0, 2);
  const PartialShape diagonal = c.with_rank_at_least(1, 1);
  if (in.has_rank() && diagonal.has_rank()) {
    std::vector<std::int64_t> dims(in.dims().begin(), in.dims().end() - 2);
    dims.push_back(smaller(in.dim(in.rank() - 2), in.dim(in.rank() - 1)));
    if (!diagonal.is_compatible_with(PartialShape(dims))) {
      c.mismatch("the diagonal of {} is {}, got {}", c.describe_input(0), PartialShape(dims).str(),
                 c.describe_input(1));
    }
  }
  c.set_output(0, in);
}

void set_diag(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& diagonal = ctx.input(1);
  if (x.rank() < 2) invalid_argument("a matrix is needed, got shape {}", x.shape().str());
  const std::int64_t rows = x.dim(x.rank() - 2);
  const std::int64_t columns = x.dim(x.rank() - 1);
  const std::int64_t n = std::min(rows, columns);
  const std::int64_t matrices = ops::product(x.shape(), 0, x.rank() - 2);
  Shape wanted(x.shape().dims().first(static_cast<std::size_t>(x.rank() - 2)));
  wanted.add_dim(n);
  if (diagonal.shape() != wanted) {
    invalid_argument("the diagonal of {} is {}, got {}", x.shape().str(), wanted.str(),
                     diagonal.shape().str());
  }
  Tensor& out = ctx.output(0, x.shape());
  copy_elements(x, out);
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t m = 0; m < matrices; ++m) {
      for (std::int64_t i = 0; i < n; ++i) {
        ops::raw_as<T>(out)[(m * rows + i) * columns + i] = ops::raw_as<T>(diagonal)[m * n + i];
      }
    }
  });
}

void set_diag_gradient(GradientContext& g) {
  const Output grad = g.grad();
  g.set(0, g.op("MatrixSetDiag", {grad, ops::zeros_like(g, g.input(1))}));
  g.set(1, g.op("MatrixDiagPart", {grad}));
}

/// Diag takes a tensor of rank k to rank 2k; its diagonal is that of a square matrix when both
/// halves are flattened.
void diag_shape(ShapeContext& c) {
  const PartialShape in = c.with_rank_at_least(0, 1);
  if (!in.has_rank()) return c.set_output(0, PartialShape::unknown());
  std::vector<std::int64_t> dims = in.dims();
  dims.insert(dims.end(), in.dims().begin(), in.dims().end());
  c.set_output(0, PartialShape(std::move(dims)));
}

void diag(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (2 * x.rank() > kMaxRank)
    invalid_argument("the result of {} has too many dimensions", x.shape().str());
  Shape shape = x.shape();
  for (int d = 0; d < x.rank(); ++d) shape.add_dim(x.dim(d));
  Tensor& out = ctx.output(0, shape);
  const std::int64_t n = x.num_elements();
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = ops::raw_as<T>(out);
    std::fill_n(to, out.num_elements(), T{});
    for (std::int64_t i = 0; i < n; ++i) to[i * n + i] = ops::raw_as<T>(x)[i];
  });
}

void diag_gradient(GradientContext& g) {
  g.set(0, g.op("DiagPart", {g.grad()}));
}

void diag_part_shape(ShapeContext& c) {
  const PartialShape& in = c.input(0);
  if (!in.has_rank()) return c.set_output(0, PartialShape::unknown());
  const int half = in.rank() / 2;
  PartialShape out = PartialShape::unknown_of_rank(half);
  bool fits = in.rank() % 2 == 0 && half > 0;
  for (int d = 0; fits && d < half; ++d) {
    const auto merged = merge_dims(in.dim(d), in.dim(d + half));
    fits = merged.has_value();
    if (fits) out.set_dim(d, *merged);
  }
  if (!fits) c.mismatch("both halves of the shape must be equal, got {}", c.describe_input(0));
  c.set_output(0, std::move(out));
}

void diag_part(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const int half = x.rank() / 2;
  bool fits = x.rank() % 2 == 0 && half > 0;
  for (int d = 0; fits && d < half; ++d) fits = x.dim(d) == x.dim(d + half);
  if (!fits) invalid_argument("both halves of the shape must be equal, got {}", x.shape().str());
  const Shape shape(x.shape().dims().first(static_cast<std::size_t>(half)));
  Tensor& out = ctx.output(0, shape);
  const std::int64_t n = shape.num_elements();
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < n; ++i) ops::raw_as<T>(out)[i] = ops::raw_as<T>(x)[i * n + i];
  });
}

void diag_part_gradient(GradientContext& g) {
  g.set(0, g.op("Diag", {g.grad()}));
}

OpSpec matrix_spec(std::string name, std::string doc, std::string input, std::string output,
                   ShapeFn shape, GradientFn gradient, KernelFactory kernel) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {std::move(input)},
          .outputs = {std::move(output)},
          .attrs = {"T: type"},
          .shape = shape,
          .gradient = gradient,
          .kernels = ops::any_dtype(kernel)};
}

}  // namespace

void register_matrix_diag(OpRegistry& registry) {
  registry.add({.name = "MatrixBandPart",
                .doc = "Matrices with zeros outside a band about the diagonal; -1 keeps a side.",
                .inputs = {"input: T", "num_lower: Tindex", "num_upper: Tindex"},
                .outputs = {"band: T"},
                .attrs = {"T: type", "Tindex: {int32, int64} = DT_INT64"},
                .shape = band_part_shape,
                .gradient = band_part_gradient,
                .kernels = ops::any_dtype(function_kernel<band_part>)});
  registry.add(matrix_spec("MatrixDiag", "Square matrices with the given diagonals.", "diagonal: T",
                           "output: T", matrix_diag_shape, matrix_diag_gradient,
                           function_kernel<matrix_diag>));
  registry.add(matrix_spec("MatrixDiagPart", "The diagonals of matrices.", "input: T",
                           "diagonal: T", matrix_diag_part_shape, matrix_diag_part_gradient,
                           function_kernel<matrix_diag_part>));
  OpSpec set =
      matrix_spec("MatrixSetDiag", "Matrices with their diagonals replaced.", "input: T",
                  "output: T", set_diag_shape, set_diag_gradient, function_kernel<set_diag>);
  set.inputs.push_back("diagonal: T");
  registry.add(set);
  const std::string types =
      "T: {bfloat16, half, float, double, int32, int64, complex64, complex128}";
  OpSpec to =
      matrix_spec("Diag", "A tensor of twice the rank with its input on the diagonal.",
                  "diagonal: T", "output: T", diag_shape, diag_gradient, function_kernel<diag>);
  to.attrs = {types};
  registry.add(to);
  OpSpec from =
      matrix_spec("DiagPart", "The diagonal of a tensor whose shape repeats itself.", "input: T",
                  "diagonal: T", diag_part_shape, diag_part_gradient, function_kernel<diag_part>);
  from.attrs = {types};
  registry.add(from);
}

}  // namespace assay
