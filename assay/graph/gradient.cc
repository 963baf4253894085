#include "assay/graph/gradient.h"

#include <complex>
#include <limits>

#include "assay/graph/scope.h"
#include "assay/graph/shape_context.h"
#include "assay/graph/signature.h"

namespace assay {

Node* NodeBuilder::node(std::string op, std::vector<Output> inputs, AttrMap attrs,
                        std::string name) {
  return graph_.add_node({.op = std::move(op),
                          .name = std::move(name),
                          .inputs = std::move(inputs),
                          .attrs = std::move(attrs),
                          .control_inputs = {}});
}

Output NodeBuilder::op(std::string op, std::vector<Output> inputs, AttrMap attrs,
                       std::string name) {
  return node(std::move(op), std::move(inputs), std::move(attrs), std::move(name))->output(0);
}

Output NodeBuilder::constant(Tensor value, std::string name) {
  const DType dtype = value.dtype();
  return op("Const", {}, {{"value", std::move(value)}, {"dtype", dtype}}, std::move(name));
}

namespace {

Tensor scalar_tensor(double value, DType dtype) {
  switch (base_dtype(dtype)) {
    case DType::kHalf:
      return Tensor::scalar(Half(static_cast<float>(value)));
    case DType::kBFloat16:
      return Tensor::scalar(BFloat16(static_cast<float>(value)));
    case DType::kBool:
      return Tensor::scalar(value != 0);
    case DType::kComplex64:
      return Tensor::scalar(std::complex<float>(static_cast<float>(value)));
    case DType::kComplex128:
      return Tensor::scalar(std::complex<double>(value));
    default:
      break;
  }
  return dispatch_numeric(base_dtype(dtype),
                          [&]<typename T>(T) { return Tensor::scalar(static_cast<T>(value)); });
}

bool all_equal_and_known(const PartialShape& a, const PartialShape& b, const PartialShape& c) {
  return a.is_fully_defined() && a == b && b == c;
}

}  // namespace

Output NodeBuilder::scalar(double value, DType dtype, std::string name) {
  return constant(scalar_tensor(value, dtype), std::move(name));
}

Output NodeBuilder::ints(const std::vector<std::int32_t>& values, std::string name) {
  return constant(Tensor::of(values), std::move(name));
}

Output NodeBuilder::shape_of(Output x, DType out_type) {
  const PartialShape& shape = x.shape();
  if (!shape.is_fully_defined()) return op("Shape", {x}, {{"out_type", out_type}});
  if (out_type == DType::kInt64) return constant(Tensor::of(shape.dims()), "Shape");
  std::vector<std::int32_t> sizes;
  for (std::int64_t d : shape.dims()) {
    if (d > std::numeric_limits<std::int32_t>::max()) {
      return op("Shape", {x}, {{"out_type", out_type}});
    }
    sizes.push_back(static_cast<std::int32_t>(d));
  }
  return constant(Tensor::of(sizes), "Shape");
}

void NodeBuilder::prepare_unbroadcast(Output x, Output y) {
  if (broadcast_args_ != nullptr && broadcast_x_ == x && broadcast_y_ == y) return;
  shape_x_ = shape_of(x);
  shape_y_ = shape_of(y);
  broadcast_args_ = node("BroadcastGradientArgs", {shape_x_, shape_y_});
  broadcast_x_ = x;
  broadcast_y_ = y;
}

Output NodeBuilder::unbroadcast(Output grad, Output x, Output y, bool of_x) {
  if (all_equal_and_known(x.shape(), y.shape(), grad.shape())) return grad;
  prepare_unbroadcast(x, y);
  const Output axes = broadcast_args_->output(of_x ? 0 : 1);
  const Output sum = op("Sum", {grad, axes}, {{"keep_dims", false}});
  return op("Reshape", {sum, of_x ? shape_x_ : shape_y_});
}

GradientContext::GradientContext(Node& node, std::vector<Gradient> grad_outputs)
    : NodeBuilder(node.graph()),
      node_(node),
      grad_outputs_(std::move(grad_outputs)),
      grad_inputs_(static_cast<std::size_t>(node.num_inputs())) {
  ASSAY_CHECK(static_cast<int>(grad_outputs_.size()) == node.num_outputs());
}

Output GradientContext::grad(int i) {
  Gradient& g = grad_outputs_.at(static_cast<std::size_t>(i));
  if (g.dense) return g.dense;
  g = g.is_sparse() ? densify(*this, g.slices) : op("ZerosLike", {output(i)}, {}, "zeros_like");
  return g.dense;
}

Output densify(NodeBuilder& b, const IndexedSlices& slices) {
  if (!slices.dense_shape) {
    throw Error(Code::kInvalidArgument,
                fmt::format("the slices {} cannot be made dense: their dense shape is not known",
                            describe_output(slices.values)),
                slices.values.node->name(), slices.values.node->place());
  }
  Output rows;
  {
    // dense_shape[0], as TF's slicing writes it.
    NameScope scope(b.graph(), "strided_slice");
    const Output begin = b.ints({0}, "stack");
    const Output end = b.ints({1}, "stack_1");
    const Output strides = b.ints({1}, "stack_2");
    rows = b.op("StridedSlice", {slices.dense_shape, begin, end, strides},
                {{"shrink_axis_mask", std::int64_t{1}}}, scope.full());
  }
  const Output dense = b.op("UnsortedSegmentSum", {slices.values, slices.indices, rows});
  const PartialShape shape = constant_value_as_shape(slices.dense_shape);
  if (shape.has_rank()) dense.node->merge_output_shape(0, shape);
  return dense;
}

}  // namespace assay
