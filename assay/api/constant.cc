#include "assay/api/constant.h"

#include <cstring>

#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/place_error.h"

namespace assay {

namespace {

Output const_node(Tensor value, const std::string& name) {
  NodeSpec spec;
  spec.op = "Const";
  spec.name = name;
  spec.attrs["dtype"] = value.dtype();
  spec.attrs["value"] = std::move(value);
  return current_graph().add_node(std::move(spec))->output();
}

/// One element repeated over `shape`.
Tensor repeated(const Tensor& value, const Shape& shape) {
  Tensor result(value.dtype(), shape);
  const std::int64_t n = shape.num_elements();
  if (value.dtype() == DType::kString) {
    for (std::int64_t i = 0; i < n; ++i) {
      result.data<std::string>()[i] = value.data<std::string>()[0];
    }
    return result;
  }
  const std::size_t size = dtype_size(value.dtype());
  for (std::int64_t i = 0; i < n; ++i) {
    std::memcpy(static_cast<char*>(result.raw()) + static_cast<std::size_t>(i) * size, value.raw(),
                size);
  }
  return result;
}

Tensor scalar_of(DType dtype, int number) {
  if (dtype == DType::kBool) return Tensor::scalar(number != 0);
  if (dtype == DType::kString) return Tensor::scalar(std::string());
  return convert_constant(Tensor::scalar(number), dtype);
}

/// tf.zeros and tf.ones: both make a constant when it is small.
Output filled(const IntList& shape, int number, const char* default_name,
              const FilledOptions& options, const std::source_location& where) {
  OpScope scope(where, options.name, default_name, {&shape.tensor()});
  const DType dtype = base_dtype(options.dtype);
  const Tensor value = scalar_of(dtype, number);
  Output dims;
  if (shape.is_static()) {
    const std::vector<std::int64_t> sizes = shape.values();
    for (const std::int64_t d : sizes) {
      if (d < 0) internal::invalid_here("{}: the shape has a negative size, {}", default_name, d);
    }
    const Shape known(sizes);
    if (known.num_elements() < 1000) return const_node(repeated(value, known), scope.full());
    bool wide = false;
    for (const std::int64_t d : sizes) wide = wide || d >= (std::int64_t{1} << 31);
    dims = const_node(convert_constant(Tensor::of(sizes), wide ? DType::kInt64 : DType::kInt32),
                      "shape_as_tensor");
  } else if (shape.is_tensor()) {
    dims = convert_to_tensor(shape);
  } else {
    dims = convert_to_tensor(shape, "", DType::kInt32);
  }
  if (dims.shape().rank() <= 0) dims = reshape(dims, {-1});
  const Output element = const_node(value, "Const");
  return apply_op("Fill", scope.full(), {Operand(dims), Operand(element)})->output();
}

}  // namespace

Output constant(const Operand& value, const ConstantOptions& options, std::source_location where) {
  PlaceScope place(where);
  if (!value.is_constant())
    internal::invalid_here("constant: expected a value, got a tensor of the graph");
  Tensor tensor = convert_constant(
      value.constant(), options.dtype == DType::kInvalid ? value.dtype() : options.dtype);
  if (options.shape.shape().has_rank()) {
    const Shape shape = options.shape.shape().to_shape();
    if (tensor.num_elements() == shape.num_elements()) {
      tensor = tensor.reshaped(shape);
    } else if (tensor.num_elements() == 1) {
      tensor = repeated(tensor, shape);
    } else {
      internal::invalid_here("constant: {} values given for shape {}", tensor.num_elements(),
                             shape.str());
    }
  }
  return const_node(std::move(tensor), options.name);
}

Output zeros(const IntList& shape, const FilledOptions& options, std::source_location where) {
  return filled(shape, 0, "zeros", options, where);
}

Output ones(const IntList& shape, const FilledOptions& options, std::source_location where) {
  return filled(shape, 1, "ones", options, where);
}

Output zeros_like(const Operand& x, const LikeOptions& options, std::source_location where) {
  OpScope scope(where, options.name, "zeros_like", {&x});
  const Output tensor = convert_to_tensor(x, "tensor");
  const DType own = base_dtype(tensor.dtype());
  const DType dtype = options.dtype == DType::kInvalid ? own : options.dtype;
  if (options.optimize && tensor.shape().is_fully_defined()) {
    return zeros(tensor.shape(), {.dtype = dtype, .name = scope.full()});
  }
  if (dtype != own) {
    return zeros(shape(tensor, {.optimize = options.optimize}),
                 {.dtype = dtype, .name = scope.full()});
  }
  return apply_op("ZerosLike", scope.full(), {Operand(tensor)})->output();
}

Output ones_like(const Operand& x, const LikeOptions& options, std::source_location where) {
  OpScope scope(where, options.name, "ones_like", {&x});
  const Output tensor = convert_to_tensor(x, "tensor");
  const Output dims = shape(tensor, {.optimize = options.optimize});
  const DType dtype = options.dtype == DType::kInvalid ? base_dtype(tensor.dtype()) : options.dtype;
  const Output result = ones(dims, {.dtype = dtype, .name = scope.full()});
  result.node->merge_output_shape(0, tensor.shape());
  return result;
}

Output fill(const IntList& dims, const Operand& value, const NameOption& options,
            std::source_location where) {
  return apply_op(where, "Fill", options.name, {dims, value});
}

Output placeholder(DType dtype, const PlaceholderOptions& options, std::source_location where) {
  AttrMap attrs;
  attrs["dtype"] = dtype;
  attrs["shape"] = options.shape.shape();
  return apply_op(where, "Placeholder", options.name, {}, std::move(attrs));
}

Output placeholder_with_default(const Operand& input, const Dims& shape, const NameOption& options,
                                std::source_location where) {
  AttrMap attrs;
  attrs["shape"] = shape.shape();
  return apply_op(where, "PlaceholderWithDefault", options.name, {input}, std::move(attrs));
}

}  // namespace assay
