#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/strided_copy.h"

namespace assay {
namespace {

/// Where the channels, the rows and the columns are in an image tensor.
struct Layout {
  int channel;
  int row;
  int column;
};

Layout layout_of(const std::string& format) {
  if (format == "NHWC") return {3, 1, 2};
  if (format == "NCHW") return {1, 2, 3};
  fail(Code::kUnimplemented, "data_format {} is not supported", format);
}

template <bool kToDepth>
void space_depth_shape(ShapeContext& c) {
  const Layout at = layout_of(c.attr<std::string>("data_format"));
  const auto block = c.attr<std::int64_t>("block_size");
  const std::int64_t area = ops::multiply_sizes(block, block);
  PartialShape shape = c.with_rank(0, 4);
  const auto divide = [&](int d, std::int64_t by) {
    if (shape.dim(d) < 0) return;
    if (shape.dim(d) % by != 0) {
      c.mismatch("dimension {} of {} does not divide by {}", d, c.describe_input(0), by);
    }
    shape.set_dim(d, shape.dim(d) / by);
  };
  const auto multiply = [&](int d, std::int64_t by) {
    if (shape.dim(d) >= 0) shape.set_dim(d, ops::multiply_sizes(shape.dim(d), by));
  };
  if (kToDepth) {
    divide(at.row, block);
    divide(at.column, block);
    multiply(at.channel, area);
  } else {
    divide(at.channel, area);
    multiply(at.row, block);
    multiply(at.column, block);
  }
  c.set_output(0, std::move(shape));
}

/// The deep image is [n, h, w, block, block, c] (or with the three channel dimensions before h),
/// the wide one [n, h, block, w, block, c]: the same elements in another order.
template <bool kToDepth>
class SpaceDepth : public ParallelKernel {
 public:
  explicit SpaceDepth(const KernelInit& init)
      : at_(layout_of(init.attr<std::string>("data_format"))),
        block_(init.attr<std::int64_t>("block_size")) {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    if (x.rank() != 4) invalid_argument("four dimensions are needed, got {}", x.shape().str());
    Shape wide = x.shape();
    Shape deep = x.shape();
    Shape& other = kToDepth ? deep : wide;
    const std::int64_t area = ops::multiply_sizes(block_, block_);
    const bool divides = kToDepth ? x.dim(at_.row) % block_ == 0 && x.dim(at_.column) % block_ == 0
                                  : x.dim(at_.channel) % area == 0;
    if (!divides) {
      invalid_argument("a tensor of shape {} does not divide into blocks of {}", x.shape().str(),
                       block_);
    }
    other.set_dim(at_.row,
                  kToDepth ? x.dim(at_.row) / block_ : ops::multiply_sizes(x.dim(at_.row), block_));
    other.set_dim(at_.column, kToDepth ? x.dim(at_.column) / block_
                                       : ops::multiply_sizes(x.dim(at_.column), block_));
    other.set_dim(at_.channel, kToDepth ? ops::multiply_sizes(x.dim(at_.channel), area)
                                        : x.dim(at_.channel) / area);
    Tensor& out = ctx.output(0, other);

    const auto stride = [](const Shape& s, int d) { return ops::product(s, d + 1, 4); };
    const std::int64_t channels = wide.dim(at_.channel);
    struct Axis {
      std::int64_t size;
      std::int64_t wide;
      std::int64_t deep;
    };
    const std::array<Axis, 6> axes{
        Axis{wide.dim(0), stride(wide, 0), stride(deep, 0)},
        Axis{deep.dim(at_.row), block_ * stride(wide, at_.row), stride(deep, at_.row)},
        Axis{block_, stride(wide, at_.row), block_ * channels * stride(deep, at_.channel)},
        Axis{deep.dim(at_.column), block_ * stride(wide, at_.column), stride(deep, at_.column)},
        Axis{block_, stride(wide, at_.column), channels * stride(deep, at_.channel)},
        Axis{channels, stride(wide, at_.channel), stride(deep, at_.channel)}};
    ops::StridedCopy copy;
    for (const Axis& a : axes) {
      copy.add_dim(a.size, kToDepth ? a.wide : a.deep, kToDepth ? a.deep : a.wide);
    }
    copy.run(x.dtype(), x.raw(), out.raw(), ctx.pool());
  }

 private:
  Layout at_;
  std::int64_t block_;
};

void space_depth_gradient(GradientContext& g) {
  const std::string back = g.node().op() == "SpaceToDepth" ? "DepthToSpace" : "SpaceToDepth";
  g.set(0, g.op(back, {g.grad()},
                {{"block_size", g.node().attr<std::int64_t>("block_size")},
                 {"data_format", g.node().attr<std::string>("data_format")}}));
}

template <bool kToDepth>
OpSpec space_depth_spec(std::string name, std::string doc) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"input: T"},
          .outputs = {"output: T"},
          .attrs = {"T: type", "block_size: int >= 2",
                    "data_format: {'NHWC', 'NCHW', 'NCHW_VECT_C'} = 'NHWC'"},
          .shape = space_depth_shape<kToDepth>,
          .gradient = space_depth_gradient,
          .kernels = ops::any_dtype(make_kernel<SpaceDepth<kToDepth>>),
          .threads = Threads::kPieces};
}

}  // namespace

void register_space_depth(OpRegistry& registry) {
  registry.add(
      space_depth_spec<true>("SpaceToDepth", "Moves square blocks of an image into its channels."));
  registry.add(
      space_depth_spec<false>("DepthToSpace", "Lays channels of an image out as square blocks."));
}

}  // namespace assay
