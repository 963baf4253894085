#pragma once

#include <optional>
#include <vector>

#include "assay/graph/op_def.h"

namespace assay::ops {

/// The part of `input` that a block is, when its elements lie together: `begin` and `size` have an
/// entry for each dimension. Only the first dimension that is cut may have more than one index
/// before it.
std::optional<ViewPart> contiguous_block(int input, const Shape& shape,
                                         std::span<const std::int64_t> begin,
                                         std::span<const std::int64_t> size);

/// The view functions of Slice, StridedSlice, Split and Unpack.
std::optional<ViewPart> slice_view(const ViewQuery& query);
/// For StridedSlice.
std::optional<ViewPart> strided_slice_view(const ViewQuery& query);
/// For Split.
std::optional<ViewPart> split_view(const ViewQuery& query);
/// For Unpack.
std::optional<ViewPart> unpack_view(const ViewQuery& query);

/// The join functions of ConcatV2 and Pack.
std::optional<std::vector<std::int64_t>> concat_v2_join(const ViewQuery& query);
/// For Pack.
std::optional<std::vector<std::int64_t>> pack_join(const ViewQuery& query);

/// The view function of reductions: with no axes, the input itself.
std::optional<ViewPart> reduction_view(const ViewQuery& query);

/// The embed function of Pad.
std::optional<std::int64_t> pad_embed(const ViewQuery& query);

}  // namespace assay::ops
