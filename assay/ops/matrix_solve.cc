// Systems of equations whose matrix is a triangle.
#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/matrix_util.h"

namespace assay {
namespace {

template <typename T>
class MatrixTriangularSolve : public ParallelKernel {
 public:
  explicit MatrixTriangularSolve(const KernelInit& init)
      : lower_(init.attr<bool>("lower")), adjoint_(init.attr<bool>("adjoint")) {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& matrix = ctx.input(0);
    const Tensor& rhs = ctx.input(1);
    const ops::MatrixSizes a = ops::matrix_sizes(matrix);
    const ops::MatrixSizes b = ops::matrix_sizes(rhs);
    if (matrix.rank() != rhs.rank() || a.rows != a.columns || a.rows != b.rows ||
        ops::with_matrix(matrix.shape(), 0, 0) != ops::with_matrix(rhs.shape(), 0, 0)) {
      invalid_argument(
          "square matrices and as many right sides of as many rows are needed, got {} "
          "and {}",
          matrix.shape().str(), rhs.shape().str());
    }
    T* x = ctx.out<T>(0, rhs.shape());
    if (rhs.num_elements() == 0) return;
    for (std::int64_t k = 0; k < a.count; ++k) {
      const std::int64_t at = k * b.rows * b.columns;
      solve(matrix.data<T>() + k * a.rows * a.rows, rhs.data<T>() + at, x + at, b, ctx.pool());
    }
  }

 private:
  // Row by row, those that the row depends on first; columns do not depend on each other.
  void solve(const T* a, const T* b, T* x, const ops::MatrixSizes& sizes, ThreadPool& pool) const {
    const std::int64_t n = sizes.rows;
    const std::int64_t columns = sizes.columns;
    for (std::int64_t i = 0; i < n; ++i) {
      if (a[i * n + i] == T{}) {
        invalid_argument("the matrix is not invertible: its diagonal is 0 in row {}", i);
      }
    }
    const bool forward = lower_ != adjoint_;
    constexpr std::int64_t kPieceCost = 1 << 15;
    const std::int64_t grain = std::max<std::int64_t>(16, kPieceCost / n / n);
    pool.parallel_for(columns, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t step = 0; step < n; ++step) {
        const std::int64_t i = forward ? step : n - 1 - step;
        T* row = x + i * columns;
        std::copy(b + i * columns + begin, b + i * columns + end, row + begin);
        for (std::int64_t before = 0; before < step; ++before) {
          const std::int64_t j = forward ? before : n - 1 - before;
          const T factor = adjoint_ ? a[j * n + i] : a[i * n + j];
          const T* known = x + j * columns;
          for (std::int64_t c = begin; c < end; ++c) row[c] -= factor * known[c];
        }
        for (std::int64_t c = begin; c < end; ++c) row[c] /= a[i * n + i];
      }
    });
  }

  bool lower_;
  bool adjoint_;
};

void solve_shape(ShapeContext& c) {
  const PartialShape a = c.with_rank_at_least(0, 2);
  const PartialShape b = c.with_rank_at_least(1, 2);
  if (!a.has_rank() || !b.has_rank()) return c.set_output(0, b);
  if (a.rank() != b.rank()) {
    c.mismatch("ranks differ: {}, {}", c.describe_input(0), c.describe_input(1));
  }
  std::vector<std::int64_t> dims = b.dims();
  const int rank = a.rank();
  const auto merge = [&](int i, std::int64_t x, std::int64_t y) {
    const auto both = merge_dims(x, y);
    if (!both) {
      c.mismatch("sizes {} and {} differ: {}, {}", x, y, c.describe_input(0), c.describe_input(1));
    }
    dims[static_cast<std::size_t>(i)] = *both;
    return *both;
  };
  for (int i = 0; i < rank - 2; ++i) merge(i, a[i], b[i]);
  merge(rank - 2, b[rank - 2], merge(rank - 2, a[rank - 2], a[rank - 1]));
  c.set_output(0, PartialShape(std::move(dims)));
}

// With X = A^-1 B: dB = A^-T dX and dA = the triangle of -dB X^T, or of -X dB^T for A^T.
void solve_gradient(GradientContext& g) {
  const bool lower = g.node().attr<bool>("lower");
  const bool adjoint = g.node().attr<bool>("adjoint");
  const Output a = g.input(0);
  const Output x = g.output(0);
  if (!x.shape().has_rank()) {
    fail(Code::kUnimplemented, "the gradient of MatrixTriangularSolve needs a known rank");
  }
  const Output db =
      g.op("MatrixTriangularSolve", {a, g.grad()}, {{"lower", lower}, {"adjoint", !adjoint}});
  const Output product = adjoint ? ops::matrix_product(g, x, db, false, true)
                                 : ops::matrix_product(g, db, x, false, true);
  g.set(0, ops::triangle(g, g.op("Neg", {product}), lower));
  g.set(1, db);
}

}  // namespace

void register_matrix_solve(OpRegistry& registry) {
  registry.add({.name = "MatrixTriangularSolve",
                .doc = "What triangular matrices, or their transposes, take to the right sides.",
                .inputs = {"matrix: T", "rhs: T"},
                .outputs = {"output: T"},
                .attrs = {"lower: bool = true", "adjoint: bool = false",
                          "T: {double, float, half, complex64, complex128}"},
                .shape = solve_shape,
                .gradient = solve_gradient,
                .kernels = {{float32, make_kernel<MatrixTriangularSolve<float>>},
                            {float64, make_kernel<MatrixTriangularSolve<double>>}},
                .threads = Threads::kPieces});
}

}  // namespace assay
