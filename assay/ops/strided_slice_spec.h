#pragma once

#include <array>
#include <cstdint>

#include "assay/tensor/shape.h"
#include "assay/tensor/tensor.h"

namespace assay::ops {

/// The five bit masks of StridedSlice.
struct StridedSliceMasks {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t ellipsis = 0;
  std::int64_t new_axis = 0;
  std::int64_t shrink_axis = 0;
};

/// A StridedSlice worked out for an input shape: for each dimension of the input where it starts,
/// how it steps and how many entries it takes; and the shape of the result.
struct StridedSliceSpec {
  /// The most entries of begin, end and strides: a mask has a bit for each.
  static constexpr int kMaxEntries = 32;

  int rank = 0;
  std::array<std::int64_t, kMaxEntries> begin{};
  std::array<std::int64_t, kMaxEntries> stride{};
  std::array<std::int64_t, kMaxEntries> size{};  ///< -1: not known yet
  /// Sizes of the result, -1 where not known yet.
  std::array<std::int64_t, kMaxEntries> out{};
  int out_rank = 0;
};

/// `begin`, `end` and `strides` may be null when not known yet (strides then count as unknown too);
/// `entries` is their length. Throws InvalidArgument for a slice that does not fit.
StridedSliceSpec resolve_strided_slice(const PartialShape& input, int entries, const Tensor* begin,
                                       const Tensor* end, const Tensor* strides,
                                       const StridedSliceMasks& masks);

}  // namespace assay::ops
