#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// Blocks and margins (paddings or crops) read from the inputs; `blocks` dimensions after the
/// first one are cut.
struct Blocks {
  int count = 0;
  std::array<std::int64_t, kMaxRank> size{};
  std::array<std::int64_t, kMaxRank> before{};
  std::array<std::int64_t, kMaxRank> after{};
  std::int64_t volume = 1;
};

Blocks read_blocks(const Tensor& sizes, const Tensor& margins, int rank) {
  Blocks blocks;
  const std::int64_t n = sizes.num_elements();
  if (sizes.rank() != 1 || margins.rank() != 2 || margins.dim(0) != n || margins.dim(1) != 2) {
    invalid_argument("block_shape {} and margins {} must be [m] and [m,2]", sizes.shape().str(),
                     margins.shape().str());
  }
  if (rank >= 0 && n + 1 > rank) invalid_argument("{} block sizes for {} dimensions", n, rank);
  if (n > kMaxRank - 1) invalid_argument("{} block sizes are too many", n);
  blocks.count = static_cast<int>(n);
  for (int d = 0; d < blocks.count; ++d) {
    const auto at = static_cast<std::size_t>(d);
    blocks.size[at] = ops::int_at(sizes, d);
    blocks.before[at] = ops::int_at(margins, 2 * d);
    blocks.after[at] = ops::int_at(margins, 2 * d + 1);
    if (blocks.size[at] < 1 || blocks.before[at] < 0 || blocks.after[at] < 0) {
      invalid_argument("block size {} or margins {}, {} of dimension {} are out of range",
                       blocks.size[at], blocks.before[at], blocks.after[at], d + 1);
    }
    blocks.volume = ops::multiply_sizes(blocks.volume, blocks.size[at]);
  }
  return blocks;
}

/// The shape on the other side; -1 stays unknown. Throws InvalidArgument when sizes do not divide.
template <bool kToBatch>
std::vector<std::int64_t> other_shape(std::vector<std::int64_t> dims, const Blocks& b) {
  if (kToBatch) {
    if (dims[0] >= 0) dims[0] = ops::multiply_sizes(dims[0], b.volume);
  } else if (dims[0] >= 0) {
    if (dims[0] % b.volume != 0) {
      invalid_argument("a batch of {} does not divide by {} blocks", dims[0], b.volume);
    }
    dims[0] /= b.volume;
  }
  for (int d = 0; d < b.count; ++d) {
    const auto at = static_cast<std::size_t>(d);
    std::int64_t& size = dims[at + 1];
    if (size < 0) continue;
    const std::int64_t margin = ops::add_sizes(b.before[at], b.after[at]);
    if (kToBatch) {
      const std::int64_t padded = ops::add_sizes(size, margin);
      if (padded % b.size[at] != 0) {
        invalid_argument("dimension {} of padded size {} does not divide by {}", d + 1, padded,
                         b.size[at]);
      }
      size = padded / b.size[at];
    } else {
      size = ops::multiply_sizes(size, b.size[at]) - margin;
      if (size < 0) invalid_argument("the crops of dimension {} leave nothing of it", d + 1);
    }
  }
  return dims;
}

template <bool kToBatch>
void space_batch_shape(ShapeContext& c) {
  const PartialShape in = c.with_rank_at_least(0, 1);
  const Tensor* sizes = c.input_value(1);
  const Tensor* margins = c.input_value(2);
  if (!in.has_rank() || sizes == nullptr || margins == nullptr) {
    c.set_output(
        0, in.has_rank() ? PartialShape::unknown_of_rank(in.rank()) : PartialShape::unknown());
    return;
  }
  c.set_output(
      0, PartialShape(other_shape<kToBatch>(in.dims(), read_blocks(*sizes, *margins, in.rank()))));
}

/// Goes over the rows of the spatial side; each has its place on the batch side.
template <bool kToBatch>
void space_batch(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Blocks b = read_blocks(ctx.input(1), ctx.input(2), x.rank());
  const auto dims = x.shape().dims();
  Tensor& out = ctx.output(0, Shape(other_shape<kToBatch>({dims.begin(), dims.end()}, b)));
  const Shape& space = kToBatch ? x.shape() : out.shape();
  const Shape& batch = kToBatch ? out.shape() : x.shape();
  const std::int64_t inner = ops::product(space, b.count + 1, space.rank());
  const std::int64_t rows = ops::product(space, 0, b.count + 1);
  ops::dispatch_storage(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = ops::raw_as<T>(x);
    T* to = ops::raw_as<T>(out);
    if (kToBatch) std::fill_n(to, out.num_elements(), T{});
    for (std::int64_t row = 0; row < rows; ++row) {
      std::int64_t rest = row;
      std::int64_t at = 0;  // the row on the batch side, without its batch number
      std::int64_t stride = 1;
      std::int64_t offset = 0;  // which place in the block
      std::int64_t place = 1;
      for (int d = b.count - 1; d >= 0; --d) {
        const auto i = static_cast<std::size_t>(d);
        const std::int64_t padded = rest % space.dim(d + 1) + b.before[i];
        rest /= space.dim(d + 1);
        at += padded / b.size[i] * stride;
        stride *= batch.dim(d + 1);
        offset += padded % b.size[i] * place;
        place *= b.size[i];
      }
      const std::int64_t number = offset * space.dim(0) + rest;
      const std::int64_t there = (number * stride + at) * inner;
      if (kToBatch) {
        ops::copy_run(to + there, from + row * inner, inner);
      } else {
        ops::copy_run(to + row * inner, from + there, inner);
      }
    }
  });
}

void space_batch_gradient(GradientContext& g) {
  const bool to_batch = g.node().op() == "SpaceToBatchND";
  g.set(0,
        g.op(to_batch ? "BatchToSpaceND" : "SpaceToBatchND", {g.grad(), g.input(1), g.input(2)}));
}

}  // namespace

void register_space_batch(OpRegistry& registry) {
  registry.add({.name = "SpaceToBatchND",
                .doc = "Pads the dimensions after the first and moves their blocks into the batch.",
                .inputs = {"input: T", "block_shape: Tblock_shape", "paddings: Tpaddings"},
                .outputs = {"output: T"},
                .attrs = {"T: type", "Tblock_shape: {int32, int64} = DT_INT32",
                          "Tpaddings: {int32, int64} = DT_INT32"},
                .shape = space_batch_shape<true>,
                .gradient = space_batch_gradient,
                .kernels = ops::any_dtype(function_kernel<space_batch<true>>)});
  registry.add(
      {.name = "BatchToSpaceND",
       .doc = "Lays parts of the batch out as blocks of the dimensions after it and crops.",
       .inputs = {"input: T", "block_shape: Tblock_shape", "crops: Tcrops"},
       .outputs = {"output: T"},
       .attrs = {"T: type", "Tblock_shape: {int32, int64} = DT_INT32",
                 "Tcrops: {int32, int64} = DT_INT32"},
       .shape = space_batch_shape<false>,
       .gradient = space_batch_gradient,
       .kernels = ops::any_dtype(function_kernel<space_batch<false>>)});
}

}  // namespace assay
