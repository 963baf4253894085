#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/nn.h"
#include "assay/api/place_error.h"

namespace assay::nn {

namespace {

void check_given(const char* function, const CrossEntropyArgs& args) {
  if (!args.labels.defined() || !args.logits.defined()) {
    internal::invalid_here("{}: both labels and logits must be given", function);
  }
}

void check_same_shape(const char* function, const Output& labels, const Output& logits) {
  if (labels.shape().is_compatible_with(logits.shape())) return;
  throw Error(Code::kInvalidArgument,
              fmt::format("{}: labels and logits must have one shape, got {} from '{}' and {} from "
                          "'{}'",
                          function, labels.shape().str(), labels.name(), logits.shape().str(),
                          logits.name()),
              "", place_of(PlaceScope::current()));
}

}  // namespace

Output sigmoid_cross_entropy_with_logits(const CrossEntropyArgs& args, std::source_location where) {
  PlaceScope place(where);
  check_given("sigmoid_cross_entropy_with_logits", args);
  OpScope scope(where, args.name, "logistic_loss", {&args.logits, &args.labels});
  const Output logits = convert_to_tensor(args.logits, "logits");
  const Output labels = convert_to_tensor(args.labels, "labels");
  check_same_shape("sigmoid_cross_entropy_with_logits", labels, logits);
  // max(x, 0) - x * z + log(1 + exp(-|x|)), written so that gradients at 0 come out right.
  const Output zeros = zeros_like(logits);
  const Output cond = greater_equal(logits, zeros);
  const Output relu_logits = assay::where(cond, logits, zeros);
  const Output negated = -logits;
  const Output neg_abs = assay::where(cond, negated, logits);
  const Output product = logits * labels;
  const Output linear = relu_logits - product;
  return add(linear, log1p(exp(neg_abs)), {.name = scope.full()});
}

Output weighted_cross_entropy_with_logits(const CrossEntropyArgs& args, const Operand& pos_weight,
                                          std::source_location where) {
  PlaceScope place(where);
  check_given("weighted_cross_entropy_with_logits", args);
  OpScope scope(where, args.name, "logistic_loss", {&args.logits, &args.labels});
  const Output logits = convert_to_tensor(args.logits, "logits");
  const Output labels = convert_to_tensor(args.labels, "labels");
  check_same_shape("weighted_cross_entropy_with_logits", labels, logits);
  const Operand extra =
      pos_weight.is_constant()
          ? Operand(convert_constant(pos_weight.constant(), DType::kDouble).item<double>() - 1)
          : Operand(pos_weight - 1);
  const Output weighted = extra * labels;
  const Output log_weight = 1 + weighted;
  const Output negative = 1 - labels;
  const Output linear = negative * logits;
  const Output magnitude = -abs(logits);
  const Output soft = log1p(exp(magnitude));
  const Output tail = soft + relu(-logits);
  const Output scaled = log_weight * tail;
  return add(linear, scaled, {.name = scope.full()});
}

namespace {

/// `x` as a matrix: all dimensions but the last one joined.
Output flatten_outer_dims(const Output& x) {
  const Output dims = rank(x);
  const Output sizes = shape(x);
  const Output last = subtract(dims, 1);
  const Output last_size = slice(sizes, {last}, {1});
  const Output flat = concat({std::vector<int>{-1}, last_size}, 0);
  const Output result = reshape(x, flat);
  const PartialShape& known = x.shape();
  if (known.rank() > 0) {
    std::int64_t product = 1;
    for (int i = 0; i + 1 < known.rank(); ++i) {
      product = known.dim(i) < 0 || product < 0 ? -1 : product * known.dim(i);
    }
    if (product >= 0) {
      result.node->merge_output_shape(0, PartialShape{product, known.dim(known.rank() - 1)});
    }
  }
  return result;
}

}  // namespace

Output softmax_cross_entropy_with_logits_v2(const CrossEntropyArgs& args,
                                            std::source_location where) {
  PlaceScope place(where);
  check_given("softmax_cross_entropy_with_logits", args);
  OpScope scope(where, args.name, "softmax_cross_entropy_with_logits",
                {&args.logits, &args.labels});
  const Output logits = convert_to_tensor(args.logits, "logits");
  const Output given = convert_to_tensor(args.labels, "labels");
  const DType dtype = base_dtype(logits.dtype());
  const bool narrow = dtype == DType::kHalf || dtype == DType::kBFloat16;
  const Output precise = narrow ? cast(logits, DType::kFloat) : logits;
  const Output labels = cast(given, base_dtype(precise.dtype()));
  const Output input_rank = rank(precise);
  const Output input_shape = shape(precise);
  const Output logits_2d = flatten_outer_dims(precise);
  const Output labels_2d = flatten_outer_dims(labels);
  const Output cost = apply_op("SoftmaxCrossEntropyWithLogits", scope.full(),
                               {Operand(logits_2d), Operand(labels_2d)})
                          ->output();
  const Output outer = subtract(input_rank, 1);
  const Output output_shape = slice(input_shape, {0}, {outer});
  const Output result = reshape(cost, output_shape);
  const PartialShape& known = logits.shape();
  if (known.rank() > 0) {
    result.node->merge_output_shape(
        0, PartialShape(std::vector<std::int64_t>(known.dims().begin(), known.dims().end() - 1)));
  }
  return narrow ? cast(result, dtype) : result;
}

Output softmax_cross_entropy_with_logits(const CrossEntropyArgs& args, std::source_location where) {
  PlaceScope place(where);
  check_given("softmax_cross_entropy_with_logits", args);
  CrossEntropyArgs stopped = args;
  {
    OpScope scope(where, args.name, "softmax_cross_entropy_with_logits_sg",
                  {&args.logits, &args.labels});
    stopped.name = scope.full();
    stopped.labels = stop_gradient(args.labels, {.name = "labels_stop_gradient"});
  }
  return softmax_cross_entropy_with_logits_v2(stopped);
}

Output sparse_softmax_cross_entropy_with_logits(const CrossEntropyArgs& args,
                                                std::source_location where) {
  PlaceScope place(where);
  check_given("sparse_softmax_cross_entropy_with_logits", args);
  OpScope scope(where, args.name, "SparseSoftmaxCrossEntropyWithLogits",
                {&args.labels, &args.logits});
  Output labels = convert_to_tensor(args.labels);
  const Output logits = convert_to_tensor(args.logits);
  const bool half = base_dtype(logits.dtype()) == DType::kHalf;
  Output precise = half ? cast(logits, DType::kFloat) : logits;
  const PartialShape labels_static = labels.shape();
  const PartialShape& logits_static = logits.shape();
  const Output labels_shape = shape(labels);
  if (logits_static.rank() == 0) {
    internal::invalid_here("sparse_softmax_cross_entropy_with_logits: the logits '{}' are a scalar",
                           logits.name());
  }
  if (logits_static.has_rank()) {
    const PartialShape outer(
        std::vector<std::int64_t>(logits_static.dims().begin(), logits_static.dims().end() - 1));
    if (!labels_static.is_compatible_with(outer)) {
      throw Error(
          Code::kInvalidArgument,
          fmt::format("sparse_softmax_cross_entropy_with_logits: labels must have the "
                      "logits' shape without its last dimension, got {} from '{}' for {} "
                      "from '{}'",
                      labels_static.str(), labels.name(), logits_static.str(), logits.name()),
          "", place_of(PlaceScope::current()));
    }
  }
  const char* op = "SparseSoftmaxCrossEntropyWithLogits";
  if (logits_static.rank() == 2) {
    const Output cost = apply_op(op, args.name, {Operand(precise), Operand(labels)})->output();
    return half ? cast(cost, DType::kHalf) : cost;
  }
  // TensorFlow adds a run-time assertion here when the sizes are not all known; the op's own check
  // of its flattened inputs says the same.
  const Output sizes = shape(logits);
  const Output dims = rank(logits);
  const Output num_classes = at(sizes, {Index(dims - 1)});
  precise = reshape(precise, {-1, num_classes});
  labels = reshape(labels, {-1});
  Output cost = apply_op(op, args.name, {Operand(precise), Operand(labels)})->output();
  cost = reshape(cost, labels_shape);
  cost.node->merge_output_shape(0, labels_static);
  return half ? cast(cost, DType::kHalf) : cost;
}

}  // namespace assay::nn
