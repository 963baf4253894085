#include "assay/ops/strided_slice_spec.h"

#include <algorithm>

#include "assay/ops/array_util.h"

namespace assay::ops {
namespace {

constexpr int kNewAxis = -1;
constexpr int kShrinkAxis = -2;

bool bit(std::int64_t mask, int i) {
  return (mask >> i & 1) != 0;
}

/// What the entries say about one dimension of the input.
struct DenseEntry {
  int source = -1;  ///< the entry it comes from; -1: taken whole
  bool whole_begin = true;
  bool whole_end = true;
  bool shrink = false;
};

std::int64_t interval_count(std::int64_t begin, std::int64_t end, std::int64_t stride) {
  const std::int64_t interval = end - begin;
  if (interval == 0 || (interval < 0) != (stride < 0)) return 0;
  return interval / stride + (interval % stride != 0 ? 1 : 0);
}

}  // namespace

StridedSliceSpec resolve_strided_slice(const PartialShape& input, int entries, const Tensor* begin,
                                       const Tensor* end, const Tensor* strides,
                                       const StridedSliceMasks& masks) {
  constexpr int kMax = StridedSliceSpec::kMaxEntries;
  if (entries > kMax)
    invalid_argument("a slice of {} entries, at most {} are supported", entries, kMax);
  StridedSliceSpec spec;
  spec.rank = input.rank();

  // Lay the entries over the input's dimensions: the ellipsis (there is always one, at the end
  // when none is written) takes those that no entry names.
  int ellipsis = -1;
  int new_axes_after = 0;
  for (int i = 0; i < entries; ++i) {
    if (bit(masks.ellipsis, i)) {
      if (ellipsis >= 0)
        invalid_argument("a slice may have one ellipsis, entries {} and {} are", ellipsis, i);
      ellipsis = i;
    } else if (ellipsis >= 0 && bit(masks.new_axis, i)) {
      ++new_axes_after;
    }
  }
  const int total = ellipsis >= 0 ? entries : entries + 1;
  if (ellipsis < 0) ellipsis = entries;
  std::array<DenseEntry, kMax> dense{};
  std::array<int, 2 * kMax> layout{};  // of the result: a dimension of the input, or a marker
  int layout_size = 0;
  int d = 0;
  for (int i = 0; i < total; ++i) {
    if (i == ellipsis) {
      const int next = std::min(spec.rank - (total - i) + 1 + new_axes_after, spec.rank);
      for (; d < next; ++d) layout[static_cast<std::size_t>(layout_size++)] = d;
    } else if (bit(masks.new_axis, i)) {
      layout[static_cast<std::size_t>(layout_size++)] = kNewAxis;
    } else {
      if (d >= spec.rank) {
        invalid_argument("slice entry {} names dimension {}, the input has only {}", i, d,
                         spec.rank);
      }
      DenseEntry& entry = dense[static_cast<std::size_t>(d)];
      entry = {i, bit(masks.begin, i), bit(masks.end, i), bit(masks.shrink_axis, i)};
      layout[static_cast<std::size_t>(layout_size++)] = entry.shrink ? kShrinkAxis : d;
      ++d;
    }
  }

  for (int i = 0; i < spec.rank; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const DenseEntry& entry = dense[at];
    const std::int64_t dim = input.dim(i);
    const bool from_entry = entry.source >= 0;
    const std::int64_t stride =
        from_entry ? (strides != nullptr ? int_at(*strides, entry.source) : 0) : 1;
    if (strides != nullptr && stride == 0)
      invalid_argument("strides[{}] must not be zero", entry.source);
    spec.stride[at] = stride;
    spec.size[at] = -1;
    if (entry.shrink) {
      if (strides != nullptr && stride <= 0) {
        invalid_argument("only stride 1 is allowed where one entry is taken, dimension {}", i);
      }
      spec.size[at] = 1;
      spec.stride[at] = 1;
      if (begin == nullptr || dim < 0) continue;
      // A masked begin of a dimension that goes means its first entry.
      std::int64_t b = entry.whole_begin ? 0 : int_at(*begin, entry.source);
      const std::int64_t written = b;
      if (b < 0) b += dim;
      if (b < 0 || b >= dim) {
        invalid_argument("slice index {} of dimension {} is out of bounds, it has {} entries",
                         written, i, dim);
      }
      spec.begin[at] = b;
      continue;
    }
    if (dim < 0 || (from_entry && strides == nullptr)) continue;
    const std::int64_t lowest = stride > 0 ? 0 : -1;
    const std::int64_t highest = stride > 0 ? dim : dim - 1;
    const auto place = [&](const Tensor* values, bool whole, bool is_begin) {
      if (whole) return (stride > 0) == is_begin ? lowest : highest;
      std::int64_t x = int_at(*values, entry.source);
      if (x < 0) x += dim;
      return std::clamp(x, lowest, highest);
    };
    if ((!entry.whole_begin && begin == nullptr) || (!entry.whole_end && end == nullptr)) continue;
    spec.begin[at] = place(begin, entry.whole_begin, true);
    spec.size[at] = interval_count(spec.begin[at], place(end, entry.whole_end, false), stride);
  }

  for (int i = 0; i < layout_size; ++i) {
    const int from = layout[static_cast<std::size_t>(i)];
    if (from == kShrinkAxis) continue;
    if (spec.out_rank >= kMaxRank) {
      invalid_argument("the slice has more than {} dimensions", kMaxRank);
    }
    spec.out[static_cast<std::size_t>(spec.out_rank++)] =
        from == kNewAxis ? 1 : spec.size[static_cast<std::size_t>(from)];
  }
  return spec;
}

}  // namespace assay::ops
