#include "assay/ops/contiguous_part.h"

#include <array>

#include "assay/graph/node.h"
#include "assay/ops/array_util.h"
#include "assay/ops/strided_slice_spec.h"

namespace assay::ops {
namespace {

using Sizes = std::array<std::int64_t, kMaxRank>;

std::span<const std::int64_t> first(const Sizes& sizes, int rank) {
  return {sizes.data(), static_cast<std::size_t>(rank)};
}

}  // namespace

std::optional<ViewPart> contiguous_block(int input, const Shape& shape,
                                         std::span<const std::int64_t> begin,
                                         std::span<const std::int64_t> size) {
  std::int64_t offset = 0;
  bool cut = false;
  for (int d = 0; d < shape.rank(); ++d) {
    const auto i = static_cast<std::size_t>(d);
    if (begin[i] < 0 || size[i] <= 0 || begin[i] > shape[d] - size[i]) return std::nullopt;
    // Once more than one index of a dimension is taken, everything below must be whole.
    if (cut && size[i] != shape[d]) return std::nullopt;
    cut = cut || size[i] > 1;
    offset = offset * shape[d] + begin[i];
  }
  return ViewPart{input, offset};
}

std::optional<ViewPart> slice_view(const ViewQuery& query) {
  const Tensor* begin = query.input_values[1];
  const Tensor* size = query.input_values[2];
  if (begin == nullptr || size == nullptr || !query.input_shapes[0].is_fully_defined()) {
    return std::nullopt;
  }
  const Shape shape = query.input_shapes[0].to_shape();
  if (begin->num_elements() != shape.rank() || size->num_elements() != shape.rank()) {
    return std::nullopt;
  }
  Sizes from{};
  Sizes count{};
  for (int d = 0; d < shape.rank(); ++d) {
    const auto i = static_cast<std::size_t>(d);
    from[i] = int_at(*begin, d);
    count[i] = int_at(*size, d) == -1 ? shape[d] - from[i] : int_at(*size, d);
  }
  return contiguous_block(0, shape, first(from, shape.rank()), first(count, shape.rank()));
}

std::optional<ViewPart> strided_slice_view(const ViewQuery& query) {
  for (int i = 1; i < 4; ++i) {
    if (query.input_values[static_cast<std::size_t>(i)] == nullptr) return std::nullopt;
  }
  if (!query.input_shapes[0].is_fully_defined()) return std::nullopt;
  const Node& node = query.node;
  const StridedSliceMasks masks{
      node.attr<std::int64_t>("begin_mask"), node.attr<std::int64_t>("end_mask"),
      node.attr<std::int64_t>("ellipsis_mask"), node.attr<std::int64_t>("new_axis_mask"),
      node.attr<std::int64_t>("shrink_axis_mask")};
  const Shape shape = query.input_shapes[0].to_shape();
  const auto spec = resolve_strided_slice(
      query.input_shapes[0], static_cast<int>(query.input_values[1]->num_elements()),
      query.input_values[1], query.input_values[2], query.input_values[3], masks);
  for (int d = 0; d < spec.rank; ++d) {
    const auto i = static_cast<std::size_t>(d);
    if (spec.stride[i] != 1 && spec.size[i] != 1) return std::nullopt;
  }
  return contiguous_block(0, shape,
                          std::span(spec.begin).first(static_cast<std::size_t>(spec.rank)),
                          std::span(spec.size).first(static_cast<std::size_t>(spec.rank)));
}

namespace {

// Part `index` of `input` cut into equal pieces of `size` along `axis`.
std::optional<ViewPart> piece(int input, const Shape& shape, std::int64_t axis, std::int64_t index,
                              std::int64_t size) {
  if (axis < 0) axis += shape.rank();
  if (axis < 0 || axis >= shape.rank()) return std::nullopt;
  Sizes from{};
  Sizes count{};
  for (int d = 0; d < shape.rank(); ++d) count[static_cast<std::size_t>(d)] = shape[d];
  from[static_cast<std::size_t>(axis)] = index * size;
  count[static_cast<std::size_t>(axis)] = size;
  return contiguous_block(input, shape, first(from, shape.rank()), first(count, shape.rank()));
}

}  // namespace

std::optional<ViewPart> split_view(const ViewQuery& query) {
  const Tensor* axis = query.input_values[0];
  if (axis == nullptr || !query.input_shapes[1].is_fully_defined()) return std::nullopt;
  const Shape shape = query.input_shapes[1].to_shape();
  std::int64_t at = int_at(*axis, 0);
  if (at < 0) at += shape.rank();
  if (at < 0 || at >= shape.rank()) return std::nullopt;
  const std::int64_t size =
      shape[static_cast<int>(at)] / query.node.attr<std::int64_t>("num_split");
  return piece(1, shape, at, query.output, size);
}

std::optional<ViewPart> unpack_view(const ViewQuery& query) {
  if (!query.input_shapes[0].is_fully_defined()) return std::nullopt;
  return piece(0, query.input_shapes[0].to_shape(), query.node.attr<std::int64_t>("axis"),
               query.output, 1);
}

std::optional<std::vector<std::int64_t>> concat_v2_join(const ViewQuery& query) {
  const Tensor* axis = query.input_values.back();
  if (axis == nullptr) return std::nullopt;
  std::vector<std::int64_t> firsts;
  std::int64_t at = 0;
  for (const PartialShape& partial : query.input_shapes.first(query.input_shapes.size() - 1)) {
    if (!partial.is_fully_defined()) return std::nullopt;
    const Shape shape = partial.to_shape();
    const std::int64_t d =
        int_at(*axis, 0) < 0 ? int_at(*axis, 0) + shape.rank() : int_at(*axis, 0);
    for (int outer = 0; outer < d; ++outer) {
      if (shape[outer] != 1) return std::nullopt;
    }
    firsts.push_back(at);
    at += shape.num_elements();
  }
  firsts.push_back(-1);
  return firsts;
}

std::optional<std::vector<std::int64_t>> pack_join(const ViewQuery& query) {
  const PartialShape& partial = query.input_shapes.front();
  if (!partial.is_fully_defined()) return std::nullopt;
  const Shape shape = partial.to_shape();
  std::int64_t axis = query.node.attr<std::int64_t>("axis");
  if (axis < 0) axis += shape.rank() + 1;
  for (int outer = 0; outer < axis; ++outer) {
    if (shape[outer] != 1) return std::nullopt;
  }
  std::vector<std::int64_t> firsts;
  for (std::size_t k = 0; k < query.input_shapes.size(); ++k) {
    firsts.push_back(static_cast<std::int64_t>(k) * shape.num_elements());
  }
  return firsts;
}

std::optional<ViewPart> reduction_view(const ViewQuery& query) {
  const Tensor* axes = query.input_values[1];
  if (axes == nullptr || axes->num_elements() != 0) return std::nullopt;
  return ViewPart{0, 0};
}

std::optional<std::int64_t> pad_embed(const ViewQuery& query) {
  const Tensor* paddings = query.input_values[1];
  if (paddings == nullptr || !query.input_shapes[0].is_fully_defined()) return std::nullopt;
  const Shape shape = query.input_shapes[0].to_shape();
  Sizes begin{};
  Shape out = shape;
  for (int d = 0; d < shape.rank(); ++d) {
    const std::int64_t before = int_at(*paddings, 2 * d);
    begin[static_cast<std::size_t>(d)] = before;
    out.set_dim(d, add_sizes(add_sizes(shape[d], before), int_at(*paddings, 2 * d + 1)));
  }
  Sizes size{};
  for (int d = 0; d < shape.rank(); ++d) size[static_cast<std::size_t>(d)] = shape[d];
  const auto part = contiguous_block(0, out, first(begin, shape.rank()), first(size, shape.rank()));
  if (!part) return std::nullopt;
  return part->first_element;
}

}  // namespace assay::ops
