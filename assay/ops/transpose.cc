#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/strided_copy.h"

namespace assay {
namespace {

void transpose_shape(ShapeContext& c) {
  const PartialShape perm_shape = c.with_rank(1, 1);
  int rank = c.input(0).rank();
  const Tensor* perm = c.input_value(1);
  if (rank < 0 && perm_shape.dim(0) >= 0) rank = static_cast<int>(perm_shape.dim(0));
  if (rank < 0) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  if (perm_shape.dim(0) >= 0 && perm_shape.dim(0) != rank) {
    c.mismatch("the permutation has {} entries for {}", perm_shape.dim(0), c.describe_input(0));
  }
  PartialShape out = PartialShape::unknown_of_rank(rank);
  if (perm != nullptr) {
    std::vector<bool> seen(static_cast<std::size_t>(rank), false);
    for (int i = 0; i < rank; ++i) {
      const int from = ops::checked_axis(ops::int_at(*perm, i), rank, "perm entry");
      if (seen[static_cast<std::size_t>(from)])
        c.mismatch("dimension {} occurs twice in perm", from);
      seen[static_cast<std::size_t>(from)] = true;
      if (c.input(0).has_rank()) out.set_dim(i, c.input(0).dim(from));
    }
  }
  c.set_output(0, std::move(out));
}

void transpose(ParallelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& perm = ctx.input(1);
  const int rank = x.rank();
  if (perm.rank() != 1 || perm.num_elements() != rank) {
    invalid_argument("the permutation has {} entries for a tensor of shape {}", perm.num_elements(),
                     x.shape().str());
  }
  std::array<std::int64_t, kMaxRank> stride{};
  std::int64_t n = 1;
  for (int d = rank - 1; d >= 0; --d) {
    stride[static_cast<std::size_t>(d)] = n;
    n *= x.dim(d);
  }
  Shape shape = x.shape();
  std::array<std::int64_t, kMaxRank> from_stride{};
  unsigned seen = 0;
  for (int i = 0; i < rank; ++i) {
    const int from = ops::checked_axis(ops::int_at(perm, i), rank, "perm entry");
    if ((seen >> from & 1U) != 0) invalid_argument("dimension {} occurs twice in perm", from);
    seen |= 1U << from;
    shape.set_dim(i, x.dim(from));
    from_stride[static_cast<std::size_t>(i)] = stride[static_cast<std::size_t>(from)];
  }
  Tensor& out = ctx.output(0, shape);
  if (n == 0) return;
  ops::StridedCopy copy;
  for (int i = 0; i < rank; ++i) {
    n /= shape.dim(i);
    copy.add_dim(shape.dim(i), from_stride[static_cast<std::size_t>(i)], n);
  }
  copy.run(x.dtype(), x.raw(), out.raw(), ctx.pool());
}

void transpose_gradient(GradientContext& g) {
  const Output back = g.op("InvertPermutation", {g.input(1)});
  g.set(0, g.op(g.node().op(), {g.grad(), back}, {}, "transpose"));
}

/// Real numbers are their own conjugates.
class ConjugateTranspose : public ParallelKernel {
 public:
  explicit ConjugateTranspose(const KernelInit& init) {
    if (is_complex(init.attr<DType>("T"))) {
      fail(Code::kUnimplemented, "complex numbers are not supported here");
    }
  }
  void run_parallel(ParallelContext& ctx) override { transpose(ctx); }
};

void vector_shape(ShapeContext& c) {
  c.set_output(0, c.with_rank(0, 1));
}

template <typename T>
void invert_permutation(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (x.rank() != 1) invalid_argument("a permutation is a vector, got shape {}", x.shape().str());
  const std::int64_t n = x.num_elements();
  const T* from = x.data<T>();
  T* to = ctx.out<T>(0, x.shape());
  std::fill_n(to, n, T{-1});
  for (std::int64_t i = 0; i < n; ++i) {
    if (from[i] < 0 || from[i] >= n) {
      invalid_argument("entry {} of the permutation is {}, outside [0, {})", i, from[i], n);
    }
    if (to[from[i]] != -1) invalid_argument("{} occurs twice in the permutation", from[i]);
    to[from[i]] = static_cast<T>(i);
  }
}

}  // namespace

void register_transpose(OpRegistry& registry) {
  registry.add({.name = "Transpose",
                .doc = "The dimensions of a tensor in the order that `perm` gives.",
                .inputs = {"x: T", "perm: Tperm"},
                .outputs = {"y: T"},
                .attrs = {"T: type", "Tperm: {int32, int64} = DT_INT32"},
                .shape = transpose_shape,
                .gradient = transpose_gradient,
                .kernels = ops::any_dtype(function_kernel<transpose>),
                .threads = Threads::kPieces});
  registry.add({.name = "ConjugateTranspose",
                .doc = "The complex conjugate with the dimensions in the order that `perm` gives.",
                .inputs = {"x: T", "perm: Tperm"},
                .outputs = {"y: T"},
                .attrs = {"T: type", "Tperm: {int32, int64} = DT_INT32"},
                .shape = transpose_shape,
                .gradient = transpose_gradient,
                .kernels = ops::any_dtype(make_kernel<ConjugateTranspose>),
                .threads = Threads::kPieces});
  registry.add({.name = "InvertPermutation",
                .doc = "The permutation that undoes its input.",
                .inputs = {"x: T"},
                .outputs = {"y: T"},
                .attrs = {"T: {int32, int64} = DT_INT32"},
                .shape = vector_shape,
                .not_differentiable = true,
                .kernels = {{int32, function_kernel<invert_permutation<std::int32_t>>},
                            {int64, function_kernel<invert_permutation<std::int64_t>>}}});
}

}  // namespace assay
