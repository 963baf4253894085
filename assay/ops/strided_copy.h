#pragma once

#include <array>
#include <cstdint>

#include "assay/base/thread_pool.h"
#include "assay/tensor/dtype.h"

namespace assay::ops {

/// A copy between two strided views: the common ground of slices, transposes, tiles, pads and
/// their kin. Filled dimension by dimension, outermost first; strides count elements and may be
/// zero (source) or negative.
class StridedCopy {
 public:
  /// More than kMaxRank, because reshapes on the way (tile, space to batch) split dimensions.
  static constexpr int kMaxDims = 24;

  /// Adds a dimension inside those before. REQUIRES: no more than kMaxDims.
  void add_dim(std::int64_t size, std::int64_t from_stride, std::int64_t to_stride);
  /// Moves the elements. REQUIRES: source and target do not overlap, and no element of the target
  /// is written twice.
  void run(DType dtype, const void* from, void* to, ThreadPool& pool) const;

 private:
  struct Dim {
    std::int64_t size;
    std::int64_t from;
    std::int64_t to;
  };
  std::array<Dim, kMaxDims> dims_;
  int rank_ = 0;
  bool empty_ = false;

  template <typename T>
  void run_typed(const T* from, T* to, ThreadPool& pool) const;
};

}  // namespace assay::ops
