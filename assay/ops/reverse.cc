#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/strided_copy.h"

namespace assay {
namespace {

/// Copies `x` with the dimensions in the bit mask `reversed` back to front.
void run_reverse(ParallelContext& ctx, unsigned reversed) {
  const Tensor& x = ctx.input(0);
  Tensor& out = ctx.output(0, x.shape());
  std::int64_t stride = x.num_elements();
  if (stride == 0) return;
  ops::StridedCopy copy;
  std::int64_t offset = 0;
  for (int d = 0; d < x.rank(); ++d) {
    const std::int64_t size = x.dim(d);
    stride /= size;
    const bool back = (reversed >> d & 1U) != 0;
    if (back) offset += (size - 1) * stride;
    copy.add_dim(size, back ? -stride : stride, stride);
  }
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    copy.run(x.dtype(), ops::raw_as<T>(x) + offset, out.raw(), ctx.pool());
  });
}

void reverse(ParallelContext& ctx) {
  const Tensor& dims = ctx.input(1);
  if (dims.rank() != 1 || dims.num_elements() != ctx.input(0).rank()) {
    invalid_argument("{} flags for a tensor of shape {}", dims.num_elements(),
                     ctx.input(0).shape().str());
  }
  unsigned reversed = 0;
  for (int d = 0; d < ctx.input(0).rank(); ++d) {
    if (dims.data<bool>()[d]) reversed |= 1U << d;
  }
  run_reverse(ctx, reversed);
}

void reverse_v2(ParallelContext& ctx) {
  const Tensor& axes = ctx.input(1);
  unsigned reversed = 0;
  for (std::int64_t i = 0; i < axes.num_elements(); ++i) {
    const int axis = ops::checked_axis(ops::int_at(axes, i), ctx.input(0).rank());
    if ((reversed >> axis & 1U) != 0) invalid_argument("axis {} is given twice", axis);
    reversed |= 1U << axis;
  }
  run_reverse(ctx, reversed);
}

void reverse_v2_shape(ShapeContext& c) {
  const PartialShape& in = c.input(0);
  if (const Tensor* axes = c.input_value(1); axes != nullptr && in.has_rank()) {
    for (std::int64_t i = 0; i < axes->num_elements(); ++i) {
      ops::checked_axis(ops::int_at(*axes, i), in.rank());
    }
  }
  c.set_output(0, in);
}

void reverse_gradient(GradientContext& g) {
  g.set(0, g.op(g.node().op(), {g.grad(), g.input(1)}));
}

class ReverseSequence : public Kernel {
 public:
  explicit ReverseSequence(const KernelInit& init)
      : seq_(init.attr<std::int64_t>("seq_dim")),
        batch_(init.attr_or<std::int64_t>("batch_dim", 0)) {}
  void run(KernelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    const Tensor& lengths = ctx.input(1);
    const int seq = ops::checked_axis(seq_, x.rank(), "seq_dim");
    const int batch = ops::checked_axis(batch_, x.rank(), "batch_dim");
    if (seq == batch) invalid_argument("seq_dim and batch_dim are both {}", seq);
    if (lengths.rank() != 1 || lengths.num_elements() != x.dim(batch)) {
      invalid_argument("{} sequence lengths for a batch of {}", lengths.num_elements(),
                       x.dim(batch));
    }
    for (std::int64_t b = 0; b < x.dim(batch); ++b) {
      const std::int64_t n = ops::int_at(lengths, b);
      if (n < 0 || n > x.dim(seq)) {
        invalid_argument("seq_lengths[{}] = {} is not in [0, {}]", b, n, x.dim(seq));
      }
    }
    // [outer, first, middle, second, inner], where first and second are seq and batch.
    const int first = std::min(seq, batch);
    const int second = std::max(seq, batch);
    const std::int64_t outer = ops::product(x.shape(), 0, first);
    const std::int64_t middle = ops::product(x.shape(), first + 1, second);
    const std::int64_t inner = ops::product(x.shape(), second + 1, x.rank());
    Tensor& out = ctx.output(0, x.shape());
    ops::dispatch_storage(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* from = ops::raw_as<T>(x);
      T* to = ops::raw_as<T>(out);
      for (std::int64_t o = 0; o < outer; ++o) {
        for (std::int64_t f = 0; f < x.dim(first); ++f) {
          for (std::int64_t m = 0; m < middle; ++m) {
            for (std::int64_t s = 0; s < x.dim(second); ++s) {
              std::int64_t i = f;
              std::int64_t j = s;
              std::int64_t& step = seq == first ? i : j;
              const std::int64_t n = ops::int_at(lengths, seq == first ? s : f);
              if (step < n) step = n - 1 - step;
              ops::copy_run(
                  to, from + (((o * x.dim(first) + i) * middle + m) * x.dim(second) + j) * inner,
                  inner);
              to += inner;
            }
          }
        }
      }
    });
  }

 private:
  std::int64_t seq_;
  std::int64_t batch_;
};

void reverse_sequence_gradient(GradientContext& g) {
  g.set(0, g.op("ReverseSequence", {g.grad(), g.input(1)},
                {{"seq_dim", g.node().attr<std::int64_t>("seq_dim")},
                 {"batch_dim", g.node().attr<std::int64_t>("batch_dim")}}));
}

void roll_shape(ShapeContext& c) {
  const PartialShape in = c.with_rank_at_least(0, 1);
  c.with_rank_at_most(1, 1);
  c.with_rank_at_most(2, 1);
  c.set_output(0, in);
}

void roll(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& shift = ctx.input(1);
  const Tensor& axis = ctx.input(2);
  if (x.rank() == 0) invalid_argument("a scalar cannot be rolled");
  if (shift.num_elements() != axis.num_elements()) {
    invalid_argument("{} shifts for {} axes", shift.num_elements(), axis.num_elements());
  }
  std::array<std::int64_t, kMaxRank> by{};
  for (std::int64_t i = 0; i < axis.num_elements(); ++i) {
    const int d = ops::checked_axis(ops::int_at(axis, i), x.rank());
    const std::int64_t size = std::max<std::int64_t>(1, x.dim(d));
    std::int64_t& total = by[static_cast<std::size_t>(d)];
    total = (total + ops::int_at(shift, i) % size + size) % size;
  }
  Tensor& out = ctx.output(0, x.shape());
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = ops::raw_as<T>(x);
    T* to = ops::raw_as<T>(out);
    const std::int64_t n = x.num_elements();
    for (std::int64_t i = 0; i < n; ++i) {
      std::int64_t rest = i;
      std::int64_t at = 0;
      std::int64_t stride = 1;
      for (int d = x.rank() - 1; d >= 0; --d) {
        const std::int64_t size = x.dim(d);
        at += (rest % size + by[static_cast<std::size_t>(d)]) % size * stride;
        stride *= size;
        rest /= size;
      }
      to[at] = from[i];
    }
  });
}

void roll_gradient(GradientContext& g) {
  const Output back = g.op("Neg", {g.input(1)});
  g.set(0, g.op("Roll", {g.grad(), back, g.input(2)}));
}

}  // namespace

void register_reverse(OpRegistry& registry) {
  registry.add({.name = "Reverse",
                .doc = "A tensor with the dimensions that are flagged back to front.",
                .inputs = {"tensor: T", "dims: bool"},
                .outputs = {"output: T"},
                .attrs = {"T: {uint8, int8, uint16, int16, int32, int64, bool, half, float, "
                          "double, complex64, complex128, string}"},
                .shape = shapes::unchanged,
                .gradient = reverse_gradient,
                .kernels = ops::any_dtype(function_kernel<reverse>),
                .threads = Threads::kPieces});
  registry.add({.name = "ReverseV2",
                .doc = "A tensor with the dimensions named back to front.",
                .inputs = {"tensor: T", "axis: Tidx"},
                .outputs = {"output: T"},
                .attrs = {"Tidx: {int32, int64} = DT_INT32",
                          "T: {uint8, int8, uint16, int16, int32, int64, bool, bfloat16, half, "
                          "float, double, complex64, complex128, string}"},
                .shape = reverse_v2_shape,
                .gradient = reverse_gradient,
                .kernels = ops::any_dtype(function_kernel<reverse_v2>),
                .threads = Threads::kPieces});
  registry.add({.name = "ReverseSequence",
                .doc = "Each sequence of a batch with its first entries, by its length, reversed.",
                .inputs = {"input: T", "seq_lengths: Tlen"},
                .outputs = {"output: T"},
                .attrs = {"seq_dim: int", "batch_dim: int = 0", "T: type",
                          "Tlen: {int32, int64} = DT_INT64"},
                .shape = shapes::unchanged,
                .gradient = reverse_sequence_gradient,
                .kernels = ops::any_dtype(make_kernel<ReverseSequence>)});
  registry.add({.name = "Roll",
                .doc = "Moves the entries of the dimensions named round by a shift each.",
                .inputs = {"input: T", "shift: Tshift", "axis: Taxis"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "Tshift: {int32, int64}", "Taxis: {int32, int64}"},
                .shape = roll_shape,
                .gradient = roll_gradient,
                .kernels = ops::any_dtype(function_kernel<roll>)});
}

}  // namespace assay
