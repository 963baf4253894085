#pragma once

#include <array>
#include <memory>
#include <span>

#include "assay/base/thread_pool.h"
#include "assay/device/elementwise.h"
#include "assay/device/kernel.h"
#include "assay/tensor/shape.h"

namespace assay::cpu {

/// Elements that one piece of parallel element-wise work has.
inline constexpr std::int64_t kElementwiseGrain = 32768;

/// How inputs of several shapes run through an element-wise loop, by numpy's rules: the
/// dimensions collapsed to as few as possible, an inner run with strides of 0 or 1 and, outside,
/// the offsets of each run.
class BroadcastPlan {
 public:
  BroadcastPlan() = default;
  /// Throws InvalidArgument when the shapes do not fit. REQUIRES: at most kMaxElementwiseInputs.
  explicit BroadcastPlan(std::span<const Shape> inputs);

  const Shape& shape() const { return shape_; }

  /// Runs `loop` over all elements; `sizes` are the inputs' element sizes in bytes, then the
  /// output's. The result does not depend on the pool's threads.
  void run(ElementwiseLoop loop, const void* const* in, void* out,
           std::span<const std::size_t> sizes, ThreadPool& pool) const;

 private:
  void run_piece(ElementwiseLoop loop, const void* const* in, void* out,
                 std::span<const std::size_t> sizes, std::int64_t first_row,
                 std::int64_t last_row) const;

  Shape shape_;
  int arity_ = 0;
  std::int64_t inner_ = 1;  // length of a run
  std::int64_t rows_ = 1;   // number of runs
  std::array<int, kMaxElementwiseInputs> inner_stride_{};
  int outer_rank_ = 0;
  std::array<std::int64_t, kMaxRank> outer_dims_{};  // innermost first
  // Elements to step in each input when an outer index grows.
  std::array<std::array<std::int64_t, kMaxElementwiseInputs>, kMaxRank> outer_stride_{};
};

/// The kernel of an op that has an ElementwiseDef: what OpSpec::kernels name for it. Its output
/// may be one of its inputs' memory.
extern const KernelFactory elementwise_kernel;

/// numpy's broadcast of two shapes; false when they do not fit.
bool broadcast(const Shape& a, const Shape& b, Shape& out);

}  // namespace assay::cpu
