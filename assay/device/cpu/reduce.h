#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "assay/base/thread_pool.h"
#include "assay/tensor/tensor.h"

namespace assay::cpu {

/// kAll and kAny take and give bool, the others numbers. Of nothing: 0, 0/0, 1, the lowest
/// number, the highest, true, false. kMax and kMin give NaN when there is a NaN.
enum class ReduceOp { kSum, kMean, kProd, kMax, kMin, kAll, kAny };

/// How a tensor of one shape is reduced over some axes: the dimensions collapsed to alternating
/// kept and reduced ones. The order of association follows from the shape alone.
class ReducePlan {
 public:
  ReducePlan() = default;
  /// `axes` in [-rank, rank), without repeats; throws InvalidArgument otherwise.
  ReducePlan(const Shape& input, std::span<const std::int64_t> axes, bool keep_dims);

  /// The output's shape.
  const Shape& shape() const { return shape_; }
  bool reduces_nothing() const { return reduced_ == 1; }

  /// REQUIRES: both of one dtype, numeric (bool for kAll and kAny); throws Unimplemented else.
  void run(ReduceOp op, DType dtype, const void* in, void* out, ThreadPool& pool) const;

 private:
  template <typename T, typename Op>
  void reduce(const T* in, T* out, ThreadPool& pool) const;

  Shape shape_;
  std::int64_t kept_ = 1;     // elements of the output
  std::int64_t reduced_ = 1;  // inputs to each
  // Collapsed dimensions, outermost first; of size 1 none.
  int rank_ = 0;
  std::array<std::int64_t, kMaxRank> dims_{};
  std::array<bool, kMaxRank> is_reduced_{};
};

/// The sum of `n` contiguous numbers, in the order that ReducePlan has for a row.
float sum_row(const float* x, std::int64_t n);

}  // namespace assay::cpu
