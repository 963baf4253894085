#include "assay/ops/gradient_util.h"

#include "assay/graph/scope.h"

namespace assay::ops {

Output element(NodeBuilder& b, Output x, int i) {
  const NameScope scope(b.graph(), "strided_slice");
  const Output begin = b.ints({i}, "stack");
  const Output end = b.ints({i + 1}, "stack_1");
  const Output strides = b.ints({1}, "stack_2");
  return b.op("StridedSlice", {x, begin, end, strides}, {{"shrink_axis_mask", std::int64_t{1}}},
              scope.full());
}

Output tail(NodeBuilder& b, Output x, int begin) {
  const NameScope scope(b.graph(), "strided_slice");
  const Output from = b.ints({begin}, "stack");
  const Output end = b.ints({0}, "stack_1");
  const Output strides = b.ints({1}, "stack_2");
  return b.op("StridedSlice", {x, from, end, strides}, {{"end_mask", std::int64_t{1}}},
              scope.full());
}

Output head(NodeBuilder& b, Output x, Output end) {
  const NameScope scope(b.graph(), "strided_slice");
  const Output begin = b.ints({0}, "stack");
  const Output to = b.op("Pack", {end}, {}, "stack_1");
  const Output strides = b.ints({1}, "stack_2");
  return b.op("StridedSlice", {x, begin, to, strides}, {{"begin_mask", std::int64_t{1}}},
              scope.full());
}

Output concat(NodeBuilder& b, std::vector<Output> values, int axis) {
  const NameScope scope(b.graph(), "concat");
  values.push_back(b.scalar(axis, DType::kInt32, "axis"));
  return b.op("ConcatV2", std::move(values), {}, scope.full());
}

Output stack(NodeBuilder& b, std::vector<Output> values, int axis) {
  return b.op("Pack", std::move(values), {{"axis", std::int64_t{axis}}}, "stack");
}

Output reshape(NodeBuilder& b, Output x, Output shape) {
  return b.op("Reshape", {x, shape});
}

Output reshape_like(NodeBuilder& b, Output x, Output like) {
  const Output shape = b.shape_of(like);
  return reshape(b, x, shape);
}

Output flatten(NodeBuilder& b, Output x) {
  const NameScope scope(b.graph(), "Reshape");
  const Output shape = b.ints({-1}, "shape");
  return b.op("Reshape", {x, shape}, {}, scope.full());
}

Output expand_dims(NodeBuilder& b, Output x, int axis) {
  const NameScope scope(b.graph(), "ExpandDims");
  const Output dim = b.scalar(axis, DType::kInt32, "dim");
  return b.op("ExpandDims", {x, dim}, {}, scope.full());
}

Output cast(NodeBuilder& b, Output x, DType dtype) {
  if (base_dtype(x.dtype()) == dtype) return x;
  return b.op("Cast", {x}, {{"DstT", dtype}});
}

Output gather(NodeBuilder& b, Output x, Output indices) {
  const NameScope scope(b.graph(), "GatherV2");
  const Output axis = b.scalar(0, DType::kInt32, "axis");
  return b.op("GatherV2", {x, indices, axis}, {}, scope.full());
}

Output size_of(NodeBuilder& b, Output x, DType out_type) {
  const std::int64_t n = x.shape().num_elements();
  if (n >= 0) return b.scalar(static_cast<double>(n), out_type, "Size");
  return b.op("Size", {x}, {{"out_type", out_type}});
}

Output rank_of(NodeBuilder& b, Output x) {
  if (x.shape().has_rank()) return b.scalar(x.shape().rank(), DType::kInt32, "Rank");
  return b.op("Rank", {x});
}

Output zeros_like(NodeBuilder& b, Output x) {
  // Small zeros are kept in the graph, as TensorFlow does; large ones would bloat it.
  const std::int64_t n = x.shape().num_elements();
  if (n >= 0 && n < 1000) {
    return b.constant(Tensor::zeros(base_dtype(x.dtype()), x.shape().to_shape()), "zeros_like");
  }
  return b.op("ZerosLike", {x}, {}, "zeros_like");
}

Output select(NodeBuilder& b, Output condition, Output x, Output y) {
  return b.op("Select", {condition, x, y});
}

}  // namespace assay::ops
