#include <algorithm>
#include <numeric>
#include <utility>

#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/math_ops.h"
#include "assay/api/place_error.h"

namespace assay {

namespace {

/// One side of a tensordot as a matrix, and the sizes that stay: numbers, or a tensor of them.
struct Flattened {
  Output matrix;
  std::vector<int> free;
  Output free_dims;  // absent when all sizes are known
};

std::vector<std::int64_t> picked(const PartialShape& shape, const std::vector<int>& axes) {
  std::vector<std::int64_t> sizes;
  for (const int a : axes) sizes.push_back(shape.dim(a));
  return sizes;
}

std::int64_t product(const std::vector<std::int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

Flattened flatten(const Output& a, std::vector<int> axes, bool flipped) {
  const PartialShape& known = a.shape();
  Flattened result;
  for (int& axis : axes) {
    if (axis < 0) axis += known.rank();
    if (axis < 0 || axis >= known.rank()) {
      internal::invalid_here("tensordot: axis {} is outside of '{}' {}", axis, a.name(),
                             known.str());
    }
  }
  for (int i = 0; i < known.rank(); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) result.free.push_back(i);
  }
  std::vector<int> perm = flipped ? axes : result.free;
  const std::vector<int>& rest = flipped ? result.free : axes;
  perm.insert(perm.end(), rest.begin(), rest.end());
  if (known.is_fully_defined()) {
    const std::int64_t free_size = product(picked(known, result.free));
    const std::int64_t axes_size = product(picked(known, axes));
    const Output turned = transpose(a, {.perm = IntList(perm)});
    result.matrix =
        flipped ? reshape(turned, {axes_size, free_size}) : reshape(turned, {free_size, axes_size});
    return result;
  }
  const Output summed = convert_to_tensor(IntList(axes), "axes", DType::kInt32);
  const Output free = convert_to_tensor(IntList(result.free), "free", DType::kInt32);
  const Output sizes = shape(a);
  result.free_dims = gather(sizes, free);
  const Output axes_dims = gather(sizes, summed);
  const Output prod_free = reduce_prod(result.free_dims);
  const Output prod_axes = reduce_prod(axes_dims);
  const Output order = flipped ? concat({summed, free}, 0) : concat({free, summed}, 0);
  const Output new_shape = flipped ? stack({prod_axes, prod_free}) : stack({prod_free, prod_axes});
  result.matrix = reshape(transpose(a, {.perm = IntList(order)}), new_shape);
  return result;
}

}  // namespace

Output internal::tensordot_last(const Operand& a, const Operand& b, int axes,
                                const NameOption& options, std::source_location where) {
  PlaceScope place(where);
  const int rank_a = a.shape().rank();
  if (axes < 0 || rank_a < 0 || axes > rank_a) {
    internal::invalid_here("tensordot: {} axes of a tensor of rank {}", axes, rank_a);
  }
  std::vector<int> last(static_cast<std::size_t>(axes));
  std::vector<int> first(static_cast<std::size_t>(axes));
  std::iota(last.begin(), last.end(), rank_a - axes);
  std::iota(first.begin(), first.end(), 0);
  return tensordot(a, b, last, first, options, where);
}

Output tensordot(const Operand& a, const Operand& b, const std::vector<int>& a_axes,
                 const std::vector<int>& b_axes, const NameOption& options,
                 std::source_location where) {
  PlaceScope place(where);
  if (a_axes.size() != b_axes.size()) {
    internal::invalid_here("tensordot: {} axes for the left, {} for the right", a_axes.size(),
                           b_axes.size());
  }
  OpScope scope(where, options.name, "Tensordot", {&a, &b});
  const Output left = convert_to_tensor(a, "a");
  const Output right = convert_to_tensor(b, "b");
  if (!left.shape().has_rank() || !right.shape().has_rank()) {
    internal::invalid_here("tensordot: the ranks of both tensors must be known");
  }
  const Flattened x = flatten(left, a_axes, false);
  const Flattened y = flatten(right, b_axes, true);
  const Output product = matmul(x.matrix, y.matrix);
  std::vector<std::int64_t> sizes = picked(left.shape(), x.free);
  const std::vector<std::int64_t> more = picked(right.shape(), y.free);
  sizes.insert(sizes.end(), more.begin(), more.end());
  if (!x.free_dims && !y.free_dims) return reshape(product, IntList(sizes), {.name = scope.full()});
  const auto as_tensor = [](const Flattened& f, const Output& of) {
    return f.free_dims ? f.free_dims
                       : convert_to_tensor(IntList(picked(of.shape(), f.free)), "", DType::kInt32);
  };
  const Output left_dims = as_tensor(x, left);
  const Output right_dims = as_tensor(y, right);
  const Output result =
      reshape(product, concat({left_dims, right_dims}, 0), {.name = scope.full()});
  result.node->merge_output_shape(0, PartialShape(sizes));
  return result;
}

}  // namespace assay
