#include "assay/api/nn.h"

#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/place_error.h"

namespace assay::nn {

Output relu(const Operand& features, const NameOption& options, std::source_location where) {
  return apply_op(where, "Relu", options.name, {features});
}

Output relu6(const Operand& features, const NameOption& options, std::source_location where) {
  OpScope scope(where, options.name, "Relu6", {&features});
  const Output x = convert_to_tensor(features, "features");
  return apply_op("Relu6", scope.full(), {Operand(x)})->output();
}

Output elu(const Operand& features, const NameOption& options, std::source_location where) {
  return apply_op(where, "Elu", options.name, {features});
}

Output selu(const Operand& features, const NameOption& options, std::source_location where) {
  return apply_op(where, "Selu", options.name, {features});
}

Output softplus(const Operand& features, const NameOption& options, std::source_location where) {
  return apply_op(where, "Softplus", options.name, {features});
}

Output softsign(const Operand& features, const NameOption& options, std::source_location where) {
  return apply_op(where, "Softsign", options.name, {features});
}

Output leaky_relu(const Operand& features, const LeakyReluOptions& options,
                  std::source_location where) {
  OpScope scope(where, options.name, "LeakyRelu", {&features});
  Output x = convert_to_tensor(features, "features");
  if (is_integer(base_dtype(x.dtype()))) x = cast(x, DType::kFloat);
  AttrMap attrs;
  attrs["alpha"] = options.alpha;
  return apply_op("LeakyRelu", scope.full(), {Operand(x)}, std::move(attrs))->output();
}

namespace {

/// `x` with dimension `axis` and the last one changed round; the permutation is worked out in the
/// graph, as tf.nn.softmax does.
Output swap_with_last(const Output& x, const Operand& axis, const Output& last,
                      const std::string& name) {
  const Output before = range(axis);
  const Operand next = axis.is_constant()
                           ? Operand(static_cast<int>(axis.constant().data<std::int64_t>()[0]) + 1)
                           : Operand(axis + 1);
  const Output between = range(next, last);
  Output perm;
  {
    NameScope scope("concat");
    const Output last_part = convert_to_tensor(IntList{last}, "values_1", DType::kInt32);
    const Output axis_part = convert_to_tensor(IntList{axis}, "values_3", DType::kInt32);
    perm = apply_op("ConcatV2", scope.full(),
                    {std::vector<Operand>{before, last_part, between, axis_part}, Operand(0)})
               ->output();
  }
  return transpose(x, {.perm = perm, .name = name});
}

Output softmax_along(const std::source_location& where, const char* op, const Operand& input,
                     const SoftmaxOptions& options) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&input}));
  const Output logits = convert_to_tensor(input);
  const int known = logits.shape().rank();
  if (options.axis == -1 || options.axis == known - 1) {
    return apply_op(op, options.name, {Operand(logits)})->output();
  }
  if (known < 0 || options.axis < -known || options.axis >= known) {
    internal::invalid_here("{}: axis {} is outside of '{}' {}", op, options.axis, logits.name(),
                           logits.shape().str());
  }
  const Output ndims = rank(logits);
  Operand axis = options.axis;
  if (options.axis < 0) axis = axis + ndims;
  const Output input_rank = rank(logits);
  if (axis.is_tensor()) axis = axis % known;
  const Output last = subtract(input_rank, 1);
  const Output swapped = swap_with_last(logits, axis, last, "");
  const Output result = apply_op(op, "", {Operand(swapped)})->output();
  const Output back = swap_with_last(result, axis, subtract(input_rank, 1), options.name);
  back.node->merge_output_shape(0, logits.shape());
  return back;
}

}  // namespace

Output softmax(const Operand& logits, const SoftmaxOptions& options, std::source_location where) {
  return softmax_along(where, "Softmax", logits, options);
}

Output log_softmax(const Operand& logits, const SoftmaxOptions& options,
                   std::source_location where) {
  return softmax_along(where, "LogSoftmax", logits, options);
}

Output bias_add(const Operand& value, const Operand& bias, const BiasAddOptions& options,
                std::source_location where) {
  OpScope scope(where, options.name, "BiasAdd", {&value, &bias});
  const Output x = convert_to_tensor(value, "input");
  const Output b = convert_to_tensor(bias, "bias", base_dtype(x.dtype()));
  AttrMap attrs;
  attrs["data_format"] = options.data_format;
  return apply_op("BiasAdd", scope.full(), {Operand(x), Operand(b)}, std::move(attrs))->output();
}

Output xw_plus_b(const Operand& x, const Operand& weights, const Operand& biases,
                 const NameOption& options, std::source_location where) {
  OpScope scope(where, options.name, "xw_plus_b", {&x, &weights, &biases});
  const Output input = convert_to_tensor(x, "x");
  const Output w = convert_to_tensor(weights, "weights");
  const Output b = convert_to_tensor(biases, "biases");
  return bias_add(matmul(input, w), b, {.name = scope.full()});
}

Output relu_layer(const Operand& x, const Operand& weights, const Operand& biases,
                  const NameOption& options, std::source_location where) {
  OpScope scope(where, options.name, "relu_layer", {&x, &weights, &biases});
  const Output input = convert_to_tensor(x, "x");
  const Output w = convert_to_tensor(weights, "weights");
  const Output b = convert_to_tensor(biases, "biases");
  return relu(bias_add(matmul(input, w), b), {.name = scope.full()});
}

Output l2_loss(const Operand& t, const NameOption& options, std::source_location where) {
  return apply_op(where, "L2Loss", options.name, {t});
}

Output l2_normalize(const Operand& x, const L2NormalizeOptions& options,
                    std::source_location where) {
  OpScope scope(where, options.name, "l2_normalize", {&x});
  const Output input = convert_to_tensor(x, "x");
  const Output square_sum = reduce_sum(square(input), {.axis = options.axis, .keepdims = true});
  const Output inverse = rsqrt(maximum(square_sum, options.epsilon));
  return multiply(input, inverse, {.name = scope.full()});
}

std::pair<Output, Output> moments(const Operand& x, const std::vector<std::int64_t>& axes,
                                  const MomentsOptions& options, std::source_location where) {
  OpScope scope(where, options.name, "moments", {&x});
  const bool half = x.dtype() == DType::kHalf;
  const Operand y = half ? Operand(cast(x, DType::kFloat)) : x;
  Output mean = reduce_mean(y, {.axis = axes, .keepdims = true, .name = "mean"});
  const Output deviation = squared_difference(y, stop_gradient(mean));
  Output variance = reduce_mean(deviation, {.axis = axes, .keepdims = true, .name = "variance"});
  if (!options.keepdims) {
    mean = squeeze(mean, {.axis = axes});
    variance = squeeze(variance, {.axis = axes});
  }
  if (half) {
    mean = cast(mean, DType::kHalf);
    variance = cast(variance, DType::kHalf);
  }
  return {mean, variance};
}

Output batch_normalization(const Operand& x, const Operand& mean, const Operand& variance,
                           const Operand& offset, const Operand& scale,
                           const Operand& variance_epsilon, const NameOption& options,
                           std::source_location where) {
  OpScope scope(where, options.name, "batchnorm", {&x, &mean, &variance, &scale, &offset});
  Output inverse = rsqrt(variance + variance_epsilon);
  if (scale.defined()) inverse = inverse * scale;
  const DType dtype = x.dtype();
  const Output scaled = x * cast(inverse, dtype);
  Output shift;
  if (offset.defined()) {
    shift = offset - mean * inverse;
  } else {
    shift = -mean * inverse;
  }
  return scaled + cast(shift, dtype);
}

Output dropout(const Operand& x, const DropoutOptions& options, std::source_location where) {
  PlaceScope place(where);
  if (options.keep_prob.defined() == options.rate.defined()) {
    internal::invalid_here("dropout: exactly one of keep_prob and rate must be given");
  }
  GraphScope graph(graph_of({&x, &options.keep_prob, &options.rate}));
  const auto number = [](const Operand& value) {
    return convert_constant(value.constant(), DType::kDouble).item<double>();
  };
  Operand rate = options.rate;
  if (options.keep_prob.is_constant()) {
    rate = Operand(1.0 - number(options.keep_prob));
  } else if (options.keep_prob.defined()) {
    rate = Operand(1.0 - options.keep_prob);
  }
  NameScope scope(options.name.empty() ? "dropout" : options.name);
  const Output input = convert_to_tensor(x, "x");
  const DType dtype = base_dtype(input.dtype());
  if (!is_floating(dtype)) {
    internal::invalid_here("dropout: expected a floating-point tensor, got {} from '{}'",
                           dtype_name(dtype), input.name());
  }
  if (rate.is_constant()) {
    const double r = number(rate);
    if (!(r >= 0 && r < 1)) internal::invalid_here("dropout: rate must be in [0, 1), got {}", r);
    if (r == 0) return input;
  }
  const Output drop = convert_to_tensor(rate, "rate", dtype);
  const IntList noise = options.noise_shape ? *options.noise_shape : IntList(shape(input));
  const Output random = random_uniform(noise, {.dtype = dtype, .seed = options.seed});
  const Output keep = 1 - drop;
  const Output factor = 1 / keep;
  const Output mask = greater_equal(random, drop);
  const Output scaled = input * factor;
  const Output result = scaled * cast(mask, dtype);
  result.node->merge_output_shape(0, input.shape());
  return result;
}

TopK top_k(const Operand& input, const Operand& k, const TopKOptions& options,
           std::source_location where) {
  PlaceScope place(where);
  AttrMap attrs;
  attrs["sorted"] = options.sorted;
  Node* node = apply_op("TopKV2", options.name, {input, k}, std::move(attrs));
  return {node->output(0), node->output(1)};
}

Output in_top_k(const Operand& predictions, const Operand& targets, const Operand& k,
                const NameOption& options, std::source_location where) {
  OpScope scope(where, options.name, "in_top_k", {&predictions, &targets, &k});
  return apply_op("InTopKV2", options.name, {predictions, targets, k})->output();
}

}  // namespace assay::nn
