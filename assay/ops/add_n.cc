// Sums of several tensors of one shape.
#include <algorithm>
#include <optional>

#include "assay/device/cpu/broadcast.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/elementwise_op.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

// Added up a block at a time aside, so that the output may lie over any of the inputs.
class AddN : public ParallelKernel {
 public:
  explicit AddN(const KernelInit& init)
      : add_(cpu::binary_loop(cpu::BinaryOp::kAdd, base_dtype(init.node.output_dtype(0)))),
        size_(dtype_size(base_dtype(init.node.output_dtype(0)))) {}

  void run_parallel(ParallelContext& ctx) override {
    const Shape& shape = ctx.input(0).shape();
    for (int k = 1; k < ctx.num_inputs(); ++k) {
      if (!(ctx.input(k).shape() == shape)) {
        invalid_argument("all inputs must have one shape, input 0 has {}, input {} has {}",
                         shape.str(), k, ctx.input(k).shape().str());
      }
    }
    if (ctx.num_inputs() == 1) {
      ctx.set_output(0, ctx.input(0));
      return;
    }
    Tensor& out = ctx.output(0, shape);
    ctx.pool().parallel_for(shape.num_elements(), cpu::kElementwiseGrain,
                            [&](std::int64_t begin, std::int64_t end) {
                              const auto block = static_cast<std::int64_t>(kBlockBytes / size_);
                              for (std::int64_t i = begin; i < end; i += block) {
                                add_block(ctx, out, i, std::min(block, end - i));
                              }
                            });
  }

 private:
  static constexpr std::size_t kBlockBytes = 4096;

  const void* at(const Tensor& t, std::int64_t i) const {
    return static_cast<const char*>(t.raw()) + static_cast<std::size_t>(i) * size_;
  }

  void add_block(const KernelContext& ctx, Tensor& out, std::int64_t i, std::int64_t n) const {
    alignas(64) char sum[kBlockBytes];
    constexpr std::array<int, 2> kStrides = {1, 1};
    std::array<const void*, 2> in = {at(ctx.input(0), i), at(ctx.input(1), i)};
    void* const to = static_cast<char*>(out.raw()) + static_cast<std::size_t>(i) * size_;
    const int count = ctx.num_inputs();
    for (int k = 1; k < count; ++k) {
      in[1] = at(ctx.input(k), i);
      add_(in.data(), kStrides.data(), k + 1 == count ? to : sum, n);
      in[0] = sum;
    }
  }

  ElementwiseLoop add_;
  std::size_t size_;
};

void add_n_shape(ShapeContext& c) {
  PartialShape shape = c.input(0);
  for (int k = 1; k < c.num_inputs(); ++k) {
    const auto merged = shape.merge(c.input(k));
    if (!merged) {
      c.mismatch("all inputs must have one shape: {}, {}", c.describe_input(0),
                 c.describe_input(k));
    }
    shape = *merged;
  }
  c.set_output(0, std::move(shape));
}

void accumulate_shape(ShapeContext& c) {
  add_n_shape(c);
  const auto merged = c.outputs()[0].merge(c.attr<PartialShape>("shape"));
  if (!merged) c.mismatch("the attribute 'shape' contradicts {}", c.describe_input(0));
  c.set_output(0, *merged);
}

void add_n_gradient(GradientContext& g) {
  for (int k = 0; k < g.num_inputs(); ++k) g.set(k, g.grad());
}

std::vector<KernelEntry> add_n_kernels() {
  std::vector<KernelEntry> kernels =
      elementwise_kernels(kBinary<cpu::BinaryOp::kAdd>, "T: numbertype");
  for (KernelEntry& entry : kernels) entry.make = make_kernel<AddN>;
  return kernels;
}

}  // namespace

void register_add_n(OpRegistry& r) {
  r.add({.name = "AddN",
         .doc = "The sum of all inputs, added up in order.",
         .inputs = {"inputs: N * T"},
         .outputs = {"sum: T"},
         .attrs = {"N: int >= 1", "T: {numbertype, variant}"},
         .shape = add_n_shape,
         .gradient = add_n_gradient,
         .kernels = add_n_kernels(),
         .threads = Threads::kPieces,
         .sums = true,
         .in_place = true,
         .elementwise = &kBinary<cpu::BinaryOp::kAdd>});
  r.add({.name = "AccumulateNV2",
         .doc = "The sum of all inputs, added up in order; its shape is given.",
         .inputs = {"inputs: N * T"},
         .outputs = {"sum: T"},
         .attrs = {"N: int >= 1", "T: numbertype", "shape: shape"},
         .shape = accumulate_shape,
         .gradient = add_n_gradient,
         .kernels = add_n_kernels(),
         .threads = Threads::kPieces,
         .in_place = true});
}

}  // namespace assay
