// The QR decomposition of matrices, by Householder's reflections.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/matrix_util.h"

namespace assay {
namespace {

/// Sum of x[i] y[i], in eight interleaved parts: vector code, and one order for all threads.
double dot(const double* x, const double* y, std::int64_t n) {
  constexpr std::int64_t kParts = 8;
  double parts[kParts] = {};
  std::int64_t i = 0;
  for (; i + kParts <= n; i += kParts) {
    for (std::int64_t k = 0; k < kParts; ++k) parts[k] += x[i + k] * y[i + k];
  }
  for (std::int64_t k = 0; i + k < n; ++k) parts[k] += x[i + k] * y[i + k];
  return ((parts[0] + parts[1]) + (parts[2] + parts[3])) +
         ((parts[4] + parts[5]) + (parts[6] + parts[7]));
}

/// One matrix at a time, its columns one after another, in double precision whatever its dtype.
class Reflections {
 public:
  Reflections(std::int64_t rows, std::int64_t columns, std::int64_t q_columns)
      : rows_(rows),
        columns_(columns),
        q_columns_(q_columns),
        steps_(std::min(rows, columns)),
        memory_(float64, Shape{ops::add_sizes(columns, q_columns), rows}),
        scales_(float64, Shape{steps_}) {}

  double* column(std::int64_t j) { return memory_.data<double>() + j * rows_; }
  double* q_column(std::int64_t j) { return column(columns_ + j); }

  /// Turns the columns into R, above and on the diagonal, and the reflections' vectors below it.
  void decompose(ThreadPool& pool) {
    auto* scales = scales_.data<double>();
    for (std::int64_t k = 0; k < steps_; ++k) {
      double* x = column(k) + k;
      const std::int64_t n = rows_ - k;
      scales[k] = reflect_to_axis(x, n);
      if (scales[k] == 0) continue;
      const double on_diagonal = x[0];
      x[0] = 1;
      apply(x, scales[k], n, column(k + 1) + k, columns_ - k - 1, pool);
      x[0] = on_diagonal;
    }
  }

  /// Fills Q's columns. REQUIRES: decompose() was called.
  void form_q(ThreadPool& pool) {
    const auto* scales = scales_.data<double>();
    std::fill_n(q_column(0), q_columns_ * rows_, 0.0);
    for (std::int64_t j = 0; j < std::min(q_columns_, rows_); ++j) q_column(j)[j] = 1;
    for (std::int64_t k = steps_; k-- > 0;) {
      if (scales[k] == 0) continue;
      double* x = column(k) + k;
      const double on_diagonal = x[0];
      x[0] = 1;
      // The columns before are still those of the identity, zero from row k on.
      apply(x, scales[k], rows_ - k, q_column(k) + k, q_columns_ - k, pool);
      x[0] = on_diagonal;
    }
  }

 private:
  // Makes I - scale v v^T the reflection of x to the first axis, v[0] being 1: leaves the image's
  // length (with the sign that LAPACK gives it) and the rest of v in x, and returns the scale.
  static double reflect_to_axis(double* x, std::int64_t n) {
    const double rest = dot(x + 1, x + 1, n - 1);
    if (!(rest > 0)) return 0;
    const double head = x[0];
    const double length = std::sqrt(head * head + rest);
    const double image = head >= 0 ? -length : length;
    for (std::int64_t i = 1; i < n; ++i) x[i] /= head - image;
    x[0] = image;
    return (image - head) / image;
  }

  // Reflects `count` columns, `rows_` apart, of which `first` is the first one.
  void apply(const double* v, double scale, std::int64_t n, double* first, std::int64_t count,
             ThreadPool& pool) const {
    constexpr std::int64_t kPieceCost = 1 << 15;
    const std::int64_t grain = std::max<std::int64_t>(1, kPieceCost / n);
    pool.parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = begin; j < end; ++j) {
        double* y = first + j * rows_;
        const double by = scale * dot(v, y, n);
        for (std::int64_t i = 0; i < n; ++i) y[i] -= by * v[i];
      }
    });
  }

  std::int64_t rows_;
  std::int64_t columns_;
  std::int64_t q_columns_;
  std::int64_t steps_;
  Tensor memory_;
  Tensor scales_;
};

template <typename T>
class Qr : public ParallelKernel {
 public:
  explicit Qr(const KernelInit& init) : full_(init.attr<bool>("full_matrices")) {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& input = ctx.input(0);
    const ops::MatrixSizes sizes = ops::matrix_sizes(input);
    const std::int64_t m = sizes.rows;
    const std::int64_t n = sizes.columns;
    const std::int64_t p = full_ ? m : std::min(m, n);
    T* q = ctx.out<T>(0, ops::with_matrix(input.shape(), m, p));
    T* r = ctx.out<T>(1, ops::with_matrix(input.shape(), p, n));
    if (sizes.count == 0 || m == 0) return;
    Reflections work(m, n, p);
    const T* a = input.data<T>();
    for (std::int64_t k = 0; k < sizes.count; ++k, a += m * n, q += m * p, r += p * n) {
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          work.column(j)[i] = static_cast<double>(a[i * n + j]);
        }
      }
      work.decompose(ctx.pool());
      for (std::int64_t i = 0; i < p; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          r[i * n + j] = i <= j ? static_cast<T>(work.column(j)[i]) : T{};
        }
      }
      work.form_q(ctx.pool());
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < p; ++j) q[i * p + j] = static_cast<T>(work.q_column(j)[i]);
      }
    }
  }

 private:
  bool full_;
};

void qr_shape(ShapeContext& c) {
  const PartialShape in = c.with_rank_at_least(0, 2);
  if (!in.has_rank()) return c.set_all_outputs(PartialShape::unknown());
  std::vector<std::int64_t> q = in.dims();
  std::vector<std::int64_t> r = in.dims();
  const std::size_t rank = q.size();
  const std::int64_t m = q[rank - 2];
  const std::int64_t n = q[rank - 1];
  std::int64_t p = m;
  if (!c.attr<bool>("full_matrices")) p = m < 0 || n < 0 ? -1 : std::min(m, n);
  q[rank - 1] = p;
  r[rank - 2] = p;
  c.set_output(0, PartialShape(std::move(q)));
  c.set_output(1, PartialShape(std::move(r)));
}

// Of a square or tall matrix: with M = the lower triangle of (Q^T dQ - dQ^T Q) + (R dR^T - dR R^T),
// Q (dR + M R^-T) + (dQ - Q Q^T dQ) R^-T.
void qr_gradient(GradientContext& g) {
  const Output q = g.output(0);
  const Output r = g.output(1);
  const PartialShape& shape = r.shape();
  if (!shape.has_rank() || shape[shape.rank() - 1] < 0 ||
      shape[shape.rank() - 2] != shape[shape.rank() - 1]) {
    fail(Code::kUnimplemented,
         "the gradient of Qr needs an R that is known to be square, which it is not for more "
         "columns than rows, nor for full_matrices of other than square ones; R is {}",
         shape.str());
  }
  const Output dq = g.grad(0);
  const Output dr = g.grad(1);
  const auto minus_transpose = [&](Output x) {
    return g.op("Sub", {x, ops::matrix_transpose(g, x)});
  };
  const auto times_inverse_transposed = [&](Output x) {
    const Output solved = g.op("MatrixTriangularSolve", {r, ops::matrix_transpose(g, x)},
                               {{"lower", false}, {"adjoint", false}});
    return ops::matrix_transpose(g, solved);
  };
  const Output qdq = ops::matrix_product(g, q, dq, true, false);
  const Output rdr = ops::matrix_product(g, r, dr, false, true);
  const Output both = g.op("AddV2", {minus_transpose(qdq), minus_transpose(rdr)});
  const Output lower = ops::triangle(g, both, true);
  const Output inner = g.op("AddV2", {dr, times_inverse_transposed(lower)});
  const Output along = ops::matrix_product(g, q, inner);
  const Output across = times_inverse_transposed(g.op("Sub", {dq, ops::matrix_product(g, q, qdq)}));
  g.set(0, g.op("AddV2", {along, across}));
}

}  // namespace

void register_matrix_qr(OpRegistry& registry) {
  registry.add(
      {.name = "Qr",
       .doc = "Orthogonal q and upper triangular r whose product is each matrix.",
       .inputs = {"input: T"},
       .outputs = {"q: T", "r: T"},
       .attrs = {"full_matrices: bool = false", "T: {double, float, half, complex64, complex128}"},
       .shape = qr_shape,
       .gradient = qr_gradient,
       .kernels = {{float32, make_kernel<Qr<float>>}, {float64, make_kernel<Qr<double>>}},
       .threads = Threads::kPieces});
}

}  // namespace assay
