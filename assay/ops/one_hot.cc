#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

void one_hot_shape(ShapeContext& c) {
  const auto depth = c.input_as_int(1);
  if (depth && *depth < 0) c.mismatch("depth must not be negative, got {}", *depth);
  c.with_rank(2, 0);
  c.with_rank(3, 0);
  if (!c.input(0).has_rank()) {
    c.set_output(0, PartialShape::unknown());
    return;
  }
  std::vector<std::int64_t> dims = c.input(0).dims();
  const auto axis = c.attr<std::int64_t>("axis");
  if (axis < -1 || axis > static_cast<std::int64_t>(dims.size())) {
    c.mismatch("axis {} is outside [-1, {}]", axis, dims.size());
  }
  dims.insert(axis < 0 ? dims.end() : dims.begin() + axis, depth.value_or(-1));
  c.set_output(0, PartialShape(std::move(dims)));
}

class OneHot : public Kernel {
 public:
  explicit OneHot(const KernelInit& init) : axis_(init.attr_or<std::int64_t>("axis", -1)) {}
  void run(KernelContext& ctx) override {
    const Tensor& indices = ctx.input(0);
    const Tensor& on = ctx.input(2);
    const Tensor& off = ctx.input(3);
    if (ctx.input(1).num_elements() != 1 || on.num_elements() != 1 || off.num_elements() != 1) {
      invalid_argument("depth, on_value and off_value must be scalars");
    }
    const std::int64_t depth = *ctx.in<std::int32_t>(1);
    if (depth < 0) invalid_argument("depth must not be negative, got {}", depth);
    const int axis = axis_ < 0 ? indices.rank() : static_cast<int>(axis_);
    if (axis > indices.rank())
      invalid_argument("axis {} is outside [-1, {}]", axis, indices.rank());
    Shape shape;
    for (int d = 0; d <= indices.rank(); ++d) {
      if (d == axis) shape.add_dim(depth);
      if (d < indices.rank()) shape.add_dim(indices.dim(d));
    }
    const std::int64_t inner = ops::product(indices.shape(), axis, indices.rank());
    Tensor& out = ctx.output(0, shape);
    const std::int64_t n = indices.num_elements();
    ops::dispatch_storage(out.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* to = ops::raw_as<T>(out);
      std::fill_n(to, out.num_elements(), *ops::raw_as<T>(off));
      const T& value = *ops::raw_as<T>(on);
      for (std::int64_t i = 0; i < n; ++i) {
        // An index outside the depth leaves its row off everywhere.
        const std::int64_t index = indices.dtype() == DType::kUInt8
                                       ? indices.data<std::uint8_t>()[i]
                                       : ops::int_at(indices, i);
        if (index < 0 || index >= depth) continue;
        to[(i / inner * depth + index) * inner + i % inner] = value;
      }
    });
  }

 private:
  std::int64_t axis_;
};

}  // namespace

void register_one_hot(OpRegistry& registry) {
  registry.add({.name = "OneHot",
                .doc = "A new dimension of size `depth` that is on where the index says, else off.",
                .inputs = {"indices: TI", "depth: int32", "on_value: T", "off_value: T"},
                .outputs = {"output: T"},
                .attrs = {"axis: int = -1", "T: type", "TI: {uint8, int32, int64} = DT_INT64"},
                .shape = one_hot_shape,
                .not_differentiable = true,
                .kernels = ops::any_dtype(make_kernel<OneHot>)});
}

}  // namespace assay
