#include "assay/device/cpu/broadcast.h"

#include <algorithm>
#include <optional>

#include "assay/graph/node.h"
#include "assay/graph/signature.h"

namespace assay::cpu {

bool broadcast(const Shape& a, const Shape& b, Shape& out) {
  const int rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, kMaxRank> dims{};
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank());
    const int ib = i - (rank - b.rank());
    const std::int64_t da = ia < 0 ? 1 : a[ia];
    const std::int64_t db = ib < 0 ? 1 : b[ib];
    if (da != db && da != 1 && db != 1) return false;
    dims[static_cast<std::size_t>(i)] = da == 1 ? db : da;
  }
  out = Shape(std::span<const std::int64_t>(dims.data(), static_cast<std::size_t>(rank)));
  return true;
}

BroadcastPlan::BroadcastPlan(std::span<const Shape> inputs)
    : shape_(inputs[0]), arity_(static_cast<int>(inputs.size())) {
  ASSAY_CHECK(inputs.size() <= kMaxElementwiseInputs);
  bool same = true;
  for (std::size_t k = 1; k < inputs.size(); ++k) {
    if (inputs[k] == shape_) continue;
    same = false;
    if (!broadcast(shape_, inputs[k], shape_)) {
      invalid_argument("shapes {} and {} do not broadcast", inputs[0].str(), inputs[k].str());
    }
  }
  const auto arity = inputs.size();
  inner_stride_.fill(1);
  if (same) {
    inner_ = shape_.num_elements();
    return;
  }
  // The output's dimensions, innermost first, merged where every input goes on as it was.
  std::array<std::array<std::int64_t, kMaxElementwiseInputs>, kMaxRank + 1> strides{};
  std::array<std::int64_t, kMaxRank + 1> dims{};
  std::array<std::int64_t, kMaxElementwiseInputs> dense;  // elements of each input so far
  dense.fill(1);
  std::size_t groups = 0;
  for (int i = shape_.rank() - 1; i >= 0; --i) {
    const std::int64_t size = shape_[i];
    if (size == 1) continue;
    std::array<std::int64_t, kMaxElementwiseInputs> stride{};
    bool merges = groups > 0;
    for (std::size_t k = 0; k < arity; ++k) {
      const int j = i - (shape_.rank() - inputs[k].rank());
      const bool spread = j < 0 || inputs[k][j] == 1;
      stride[k] = spread ? 0 : dense[k];
      if (!spread) dense[k] *= size;
      merges = merges && stride[k] == strides[groups - 1][k] * dims[groups - 1];
    }
    if (merges) {
      dims[groups - 1] *= size;
    } else {
      dims[groups] = size;
      strides[groups] = stride;
      ++groups;
    }
  }
  if (groups == 0) return;
  inner_ = dims[0];
  for (std::size_t k = 0; k < arity; ++k) inner_stride_[k] = static_cast<int>(strides[0][k]);
  outer_rank_ = static_cast<int>(groups) - 1;
  for (std::size_t g = 1; g < groups; ++g) {
    outer_dims_[g - 1] = dims[g];
    outer_stride_[g - 1] = strides[g];
    rows_ *= dims[g];
  }
}

void BroadcastPlan::run(ElementwiseLoop loop, const void* const* in, void* out,
                        std::span<const std::size_t> sizes, ThreadPool& pool) const {
  if (rows_ == 1) {
    if (inner_ <= kElementwiseGrain) {
      if (inner_ > 0) loop(in, inner_stride_.data(), out, inner_);
      return;
    }
    pool.parallel_for(inner_, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
      std::array<const void*, kMaxElementwiseInputs> at{};
      for (std::size_t k = 0; k < static_cast<std::size_t>(arity_); ++k) {
        const auto bytes = static_cast<std::size_t>(begin * inner_stride_[k]) * sizes[k];
        at[k] = static_cast<const char*>(in[k]) + bytes;
      }
      char* const to =
          static_cast<char*>(out) + static_cast<std::size_t>(begin) * sizes[sizes.size() - 1];
      loop(at.data(), inner_stride_.data(), to, end - begin);
    });
    return;
  }
  if (rows_ == 0 || inner_ == 0) return;
  const std::int64_t grain = std::max<std::int64_t>(1, kElementwiseGrain / inner_);
  pool.parallel_for(rows_, grain, [&](std::int64_t begin, std::int64_t end) {
    run_piece(loop, in, out, sizes, begin, end);
  });
}

void BroadcastPlan::run_piece(ElementwiseLoop loop, const void* const* in, void* out,
                              std::span<const std::size_t> sizes, std::int64_t first_row,
                              std::int64_t last_row) const {
  const auto arity = static_cast<std::size_t>(arity_);
  const auto rank = static_cast<std::size_t>(outer_rank_);
  std::array<std::int64_t, kMaxRank> index{};
  std::array<const void*, kMaxElementwiseInputs> at{};
  for (std::size_t k = 0; k < arity; ++k) at[k] = in[k];
  const auto step = [&](std::size_t d, std::int64_t count) {
    for (std::size_t k = 0; k < arity; ++k) {
      at[k] = static_cast<const char*>(at[k]) +
              count * outer_stride_[d][k] * static_cast<std::int64_t>(sizes[k]);
    }
  };
  std::int64_t rest = first_row;
  for (std::size_t d = 0; d < rank; ++d) {
    index[d] = rest % outer_dims_[d];
    rest /= outer_dims_[d];
    step(d, index[d]);
  }
  const std::size_t run_bytes = static_cast<std::size_t>(inner_) * sizes[sizes.size() - 1];
  char* to = static_cast<char*>(out) + static_cast<std::size_t>(first_row) * run_bytes;
  for (std::int64_t row = first_row; row < last_row; ++row, to += run_bytes) {
    loop(at.data(), inner_stride_.data(), to, inner_);
    for (std::size_t d = 0; d < rank; ++d) {
      step(d, 1);
      if (++index[d] < outer_dims_[d]) break;
      step(d, -index[d]);
      index[d] = 0;
    }
  }
}

namespace {

class ElementwiseKernel : public ParallelKernel {
 public:
  explicit ElementwiseKernel(const KernelInit& init) {
    const ElementwiseDef* def = init.node.def()->elementwise;
    ASSAY_CHECK(def != nullptr && init.node.num_inputs() == def->arity);
    arity_ = static_cast<std::size_t>(def->arity);
    const DType dtype = declared_input_dtype(init.node, def->arity - 1);
    loop_ = def->loop(dtype);
    if (loop_ == nullptr) {
      fail(Code::kUnimplemented, "no kernel for dtype {}", dtype_name(dtype));
    }
    for (std::size_t k = 0; k < arity_; ++k) {
      sizes_[k] = dtype_size(declared_input_dtype(init.node, static_cast<int>(k)));
    }
    sizes_[arity_] = dtype_size(base_dtype(init.node.output_dtype(0)));
    std::array<Shape, kMaxElementwiseInputs> shapes;
    for (std::size_t k = 0; k < arity_; ++k) {
      if (!init.input_shapes[k].is_fully_defined()) return;
      shapes[k] = init.input_shapes[k].to_shape();
    }
    plan_.emplace(std::span<const Shape>(shapes.data(), arity_));
  }

  void run_parallel(ParallelContext& ctx) override {
    if (plan_) {
      compute(ctx, *plan_);
      return;
    }
    std::array<Shape, kMaxElementwiseInputs> shapes;
    for (std::size_t k = 0; k < arity_; ++k) shapes[k] = ctx.input(static_cast<int>(k)).shape();
    compute(ctx, BroadcastPlan(std::span<const Shape>(shapes.data(), arity_)));
  }

 private:
  void compute(ParallelContext& ctx, const BroadcastPlan& plan) const {
    Tensor& out = ctx.output(0, plan.shape());
    std::array<const void*, kMaxElementwiseInputs> in{};
    for (std::size_t k = 0; k < arity_; ++k) in[k] = ctx.input(static_cast<int>(k)).raw();
    plan.run(loop_, in.data(), out.raw(), {sizes_.data(), arity_ + 1}, ctx.pool());
  }

  ElementwiseLoop loop_ = nullptr;
  std::size_t arity_ = 0;
  std::array<std::size_t, kMaxElementwiseInputs + 1> sizes_{};
  std::optional<BroadcastPlan> plan_;
};

}  // namespace

const KernelFactory elementwise_kernel = make_kernel<ElementwiseKernel>;

}  // namespace assay::cpu
