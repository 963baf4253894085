// Matrix products, single and in batches.
#include <algorithm>
#include <mutex>
#include <optional>
#include <type_traits>

#include "assay/device/cpu/broadcast.h"
#include "assay/device/cpu/gemm.h"
#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

constexpr const char* kTypes =
    "T: {bfloat16, half, float, double, int32, int64, complex64, complex128}";

// Products of one kernel: prepared for the shape known when it was made, or for those it meets.
template <typename T>
class Products {
 public:
  void prepare(const cpu::GemmShape& shape) {
    if constexpr (std::is_same_v<T, float>) fixed_.emplace(shape);
  }

  void run(const cpu::GemmShape& shape, const T* a, const T* b, T* c, ThreadPool& pool) {
    if constexpr (std::is_same_v<T, float>) {
      if (fixed_ && fixed_->shape() == shape) {
        fixed_->run(a, b, c, pool);
      } else {
        find(shape).run(a, b, c, pool);
      }
    } else {
      cpu::gemm(shape, a, b, c, pool);
    }
  }

 private:
  static constexpr std::size_t kMost = 16;

  cpu::Gemm find(const cpu::GemmShape& shape) {
    const std::lock_guard lock(mutex_);
    for (const cpu::Gemm& g : met_) {
      if (g.shape() == shape) return g;
    }
    if (met_.size() == kMost) met_.erase(met_.begin());
    return met_.emplace_back(shape);
  }

  std::optional<cpu::Gemm> fixed_;
  std::mutex mutex_;
  std::vector<cpu::Gemm> met_;
};

cpu::GemmShape product_shape(std::int64_t a_rows, std::int64_t a_columns, std::int64_t b_rows,
                             std::int64_t b_columns, bool transpose_a, bool transpose_b) {
  const std::int64_t k = transpose_a ? a_rows : a_columns;
  const std::int64_t inner = transpose_b ? b_columns : b_rows;
  if (k != inner) {
    invalid_argument("inner sizes differ: left [{},{}]{}, right [{},{}]{}", a_rows, a_columns,
                     transpose_a ? " transposed" : "", b_rows, b_columns,
                     transpose_b ? " transposed" : "");
  }
  return {transpose_a ? a_columns : a_rows, transpose_b ? b_rows : b_columns, k, transpose_a,
          transpose_b};
}

template <typename T>
class MatMul : public ParallelKernel {
 public:
  explicit MatMul(const KernelInit& init)
      : transpose_a_(init.attr<bool>("transpose_a")), transpose_b_(init.attr<bool>("transpose_b")) {
    if (init.input_shapes[0].is_fully_defined() && init.input_shapes[1].is_fully_defined()) {
      products_.prepare(shape_of(init.input_shapes[0].to_shape(), init.input_shapes[1].to_shape()));
    }
  }

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& a = ctx.input(0);
    const Tensor& b = ctx.input(1);
    const cpu::GemmShape shape = shape_of(a.shape(), b.shape());
    T* c = ctx.out<T>(0, Shape{shape.m, shape.n});
    if (shape.m == 0 || shape.n == 0) return;
    products_.run(shape, a.data<T>(), b.data<T>(), c, ctx.pool());
  }

 private:
  cpu::GemmShape shape_of(const Shape& a, const Shape& b) const {
    if (a.rank() != 2 || b.rank() != 2) {
      invalid_argument("both inputs must be matrices, got {} and {}", a.str(), b.str());
    }
    return product_shape(a[0], a[1], b[0], b[1], transpose_a_, transpose_b_);
  }

  bool transpose_a_;
  bool transpose_b_;
  Products<T> products_;
};

void matmul_shape(ShapeContext& c) {
  const PartialShape a = c.with_rank(0, 2);
  const PartialShape b = c.with_rank(1, 2);
  const bool ta = c.attr<bool>("transpose_a");
  const bool tb = c.attr<bool>("transpose_b");
  if (!merge_dims(a[ta ? 0 : 1], b[tb ? 1 : 0])) {
    c.mismatch("inner sizes differ: left {}{}, right {}{}", c.describe_input(0),
               ta ? " transposed" : "", c.describe_input(1), tb ? " transposed" : "");
  }
  c.set_output(0, PartialShape({a[ta ? 1 : 0], b[tb ? 0 : 1]}));
}

bool is_ones(const Tensor* t) {
  if (t == nullptr) return false;
  const auto all = [t](auto one) {
    using T = decltype(one);
    return std::ranges::all_of(t->span<T>(), [one](T x) { return x == one; });
  };
  if (t->dtype() == DType::kFloat) return all(1.0F);
  if (t->dtype() == DType::kDouble) return all(1.0);
  return false;
}

// A column times a row of ones, as gradients of row sums are: the column's elements, each repeated.
std::optional<int> matmul_repeats(const ViewQuery& q) {
  const PartialShape& a = q.input_shapes[0];
  const PartialShape& b = q.input_shapes[1];
  if (!a.is_fully_defined() || !b.is_fully_defined()) return std::nullopt;
  const std::int64_t inner = a[q.node.attr<bool>("transpose_a") ? 0 : 1];
  if (inner != 1 || !is_ones(q.input_values[1])) return std::nullopt;
  return 0;
}

// The gradients of op(A) op(B), for MatMul and, with other names, the batched ones.
struct ProductGradient {
  GradientContext& g;
  const char* op;
  const char* flag_a;
  const char* flag_b;

  Output product(Output a, Output b, bool ta, bool tb) const {
    return g.op(op, {a, b}, {{flag_a, ta}, {flag_b, tb}});
  }
  Output of_a() const {
    const bool ta = g.node().attr<bool>(flag_a);
    const bool tb = g.node().attr<bool>(flag_b);
    return ta ? product(g.input(1), g.grad(), tb, true) : product(g.grad(), g.input(1), false, !tb);
  }
  Output of_b() const {
    const bool ta = g.node().attr<bool>(flag_a);
    const bool tb = g.node().attr<bool>(flag_b);
    return tb ? product(g.grad(), g.input(0), true, ta) : product(g.input(0), g.grad(), !ta, false);
  }
};

void matmul_gradient(GradientContext& g) {
  const ProductGradient p{g, "MatMul", "transpose_a", "transpose_b"};
  g.set(0, p.of_a());
  g.set(1, p.of_b());
}

Shape batch_of(const Shape& s) {
  if (s.rank() < 2) invalid_argument("an input must have at least two dimensions: {}", s.str());
  return Shape(s.dims().subspan(0, static_cast<std::size_t>(s.rank() - 2)));
}

template <typename T>
class BatchMatMul : public ParallelKernel {
 public:
  explicit BatchMatMul(const KernelInit& init)
      : adj_x_(init.attr<bool>("adj_x")), adj_y_(init.attr<bool>("adj_y")) {
    if (init.input_shapes[0].is_fully_defined() && init.input_shapes[1].is_fully_defined()) {
      const Shape x = init.input_shapes[0].to_shape();
      const Shape y = init.input_shapes[1].to_shape();
      products_.prepare(one_product(x, y));
    }
  }

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    const Tensor& y = ctx.input(1);
    const cpu::GemmShape one = one_product(x.shape(), y.shape());
    const Shape batch_x = batch_of(x.shape());
    const Shape batch_y = batch_of(y.shape());
    Shape shape;
    if (!cpu::broadcast(batch_x, batch_y, shape)) {
      invalid_argument("batch shapes {} and {} do not broadcast", batch_x.str(), batch_y.str());
    }
    const Shape batch = shape;
    shape.add_dim(one.m);
    shape.add_dim(one.n);
    T* out = ctx.out<T>(0, shape);
    if (shape.num_elements() == 0) return;
    const T* a = x.data<T>();
    const T* b = y.data<T>();
    ctx.pool().parallel_for(
        batch.num_elements(), std::max<std::int64_t>(1, kPieceWork / (one.m * one.n * one.k + 1)),
        [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) {
            products_.run(one, a + matrix_index(i, batch, batch_x) * one.m * one.k,
                          b + matrix_index(i, batch, batch_y) * one.k * one.n,
                          out + i * one.m * one.n, ctx.pool());
          }
        });
  }

 private:
  static constexpr std::int64_t kPieceWork = std::int64_t{1} << 20;

  cpu::GemmShape one_product(const Shape& x, const Shape& y) const {
    if (x.rank() < 2 || y.rank() < 2) {
      invalid_argument("both inputs must have at least two dimensions, got {} and {}", x.str(),
                       y.str());
    }
    return product_shape(x[x.rank() - 2], x[x.rank() - 1], y[y.rank() - 2], y[y.rank() - 1], adj_x_,
                         adj_y_);
  }

  // The matrix of an input with batch shape `of` that product `i` of batch shape `out` takes.
  static std::int64_t matrix_index(std::int64_t i, const Shape& out, const Shape& of) {
    std::int64_t index = 0;
    std::int64_t stride = 1;
    for (int d = out.rank() - 1; d >= 0; --d) {
      const std::int64_t at = i % out[d];
      i /= out[d];
      const int k = d - (out.rank() - of.rank());
      if (k < 0) continue;
      if (of[k] != 1) index += at * stride;
      stride *= of[k];
    }
    return index;
  }

  bool adj_x_;
  bool adj_y_;
  Products<T> products_;
};

void batch_matmul_shape(ShapeContext& c) {
  const PartialShape x = c.with_rank_at_least(0, 2);
  const PartialShape y = c.with_rank_at_least(1, 2);
  if (!x.has_rank() || !y.has_rank()) return;
  const bool ax = c.attr<bool>("adj_x");
  const bool ay = c.attr<bool>("adj_y");
  const auto tail = [](const PartialShape& s, bool first) { return s[s.rank() - (first ? 2 : 1)]; };
  if (!merge_dims(tail(x, ax), tail(y, !ay))) {
    c.mismatch("inner sizes differ: left {}{}, right {}{}", c.describe_input(0),
               ax ? " transposed" : "", c.describe_input(1), ay ? " transposed" : "");
  }
  const auto batch = [](const PartialShape& s) {
    return PartialShape(std::vector<std::int64_t>(s.dims().begin(), s.dims().end() - 2));
  };
  PartialShape both;
  try {
    both = broadcast_shapes(batch(x), batch(y));
  } catch (const Error&) {
    c.mismatch("batch shapes do not broadcast: {}, {}", c.describe_input(0), c.describe_input(1));
  }
  std::vector<std::int64_t> dims = both.dims();
  dims.push_back(tail(x, !ax));
  dims.push_back(tail(y, ay));
  c.set_output(0, PartialShape(std::move(dims)));
}

void batch_matmul_gradient(GradientContext& g) {
  const std::string op = g.node().op();
  const ProductGradient p{g, op.c_str(), "adj_x", "adj_y"};
  const Output x = g.input(0);
  const Output y = g.input(1);
  const Output of_x = p.of_a();
  const Output of_y = p.of_b();
  if (op == "BatchMatMul" || (x.shape().is_fully_defined() && x.shape() == y.shape())) {
    g.set(0, of_x);
    g.set(1, of_y);
    return;
  }
  // The leading dimensions may have been broadcast.
  const auto batch = [&](Output shape) {
    return g.op("StridedSlice", {shape, g.ints({0}), g.ints({-2}), g.ints({1})},
                {{"begin_mask", std::int64_t{1}}});
  };
  const Output sx = g.op("Shape", {x});
  const Output sy = g.op("Shape", {y});
  Node* over = g.node("BroadcastGradientArgs", {batch(sx), batch(sy)});
  g.set(0, g.op("Reshape", {g.op("Sum", {of_x, over->output(0)}), sx}));
  g.set(1, g.op("Reshape", {g.op("Sum", {of_y, over->output(1)}), sy}));
}

template <template <typename> class K>
std::vector<KernelEntry> product_kernels() {
  return {{float32, make_kernel<K<float>>},
          {float64, make_kernel<K<double>>},
          {int32, make_kernel<K<std::int32_t>>},
          {int64, make_kernel<K<std::int64_t>>}};
}

void add_batch_matmul(OpRegistry& r, std::string name, std::string doc) {
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"x: T", "y: T"},
         .outputs = {"output: T"},
         .attrs = {kTypes, "adj_x: bool = false", "adj_y: bool = false"},
         .shape = batch_matmul_shape,
         .gradient = batch_matmul_gradient,
         .kernels = product_kernels<BatchMatMul>(),
         .threads = Threads::kPieces});
}

}  // namespace

void register_matmul(OpRegistry& r) {
  r.add({.name = "MatMul",
         .doc = "The product of two matrices, either of which may be taken transposed.",
         .inputs = {"a: T", "b: T"},
         .outputs = {"product: T"},
         .attrs = {"transpose_a: bool = false", "transpose_b: bool = false", kTypes},
         .shape = matmul_shape,
         .gradient = matmul_gradient,
         .kernels = product_kernels<MatMul>(),
         .threads = Threads::kPieces,
         .repeats = matmul_repeats});
  add_batch_matmul(r, "BatchMatMul", "Products of matrices in the last two dimensions.");
  add_batch_matmul(r, "BatchMatMulV2",
                   "Products of matrices in the last two dimensions; the others broadcast.");
}

}  // namespace assay
