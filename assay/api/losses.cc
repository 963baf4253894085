#include "assay/api/losses.h"

#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/control_flow.h"
#include "assay/api/math_ops.h"
#include "assay/api/nn.h"
#include "assay/graph/scope.h"

namespace assay::losses {

namespace {

/// Checks that weights fit the losses; the node is what the losses then wait for, as TensorFlow's
/// do even when everything is known already.
Node* assert_broadcastable(const Operand& weights, const Operand& values) {
  NameScope scope("assert_broadcastable");
  Output w;
  {
    NameScope inner("weights");
    w = convert_to_tensor(weights, inner.full());
    shape(w, {.name = "shape"});
    rank(w, {.name = "rank"});
  }
  Output v;
  {
    NameScope inner("values");
    v = convert_to_tensor(values, inner.full());
    shape(v, {.name = "shape"});
    rank(v, {.name = "rank"});
  }
  const PartialShape& of_weights = w.shape();
  const PartialShape& of_values = v.shape();
  if (of_weights.rank() == 0) return no_op({.name = "static_scalar_check_success"});
  const auto misfit = [&](const std::string& why) {
    throw Error(Code::kInvalidArgument,
                fmt::format("losses: weights '{}' {} cannot be broadcast to losses '{}' {}: {}",
                            w.name(), of_weights.str(), v.name(), of_values.str(), why),
                "", place_of(PlaceScope::current()));
  };
  if (of_weights.has_rank() && of_values.has_rank() && of_weights.rank() != of_values.rank()) {
    misfit("their ranks differ");
  }
  if (!of_weights.is_fully_defined() || !of_values.is_fully_defined()) {
    fail(Code::kUnimplemented,
         "losses: weights '{}' {} for losses '{}' {}: both shapes must be known, or the weights a "
         "scalar",
         w.name(), of_weights.str(), v.name(), of_values.str());
  }
  for (int i = 0; i < of_values.rank(); ++i) {
    if (of_weights.dim(i) != 1 && of_weights.dim(i) != of_values.dim(i)) {
      misfit(fmt::format("dimension {} differs", i));
    }
  }
  return no_op({.name = "static_dims_check_success"});
}

/// The weights in the shape of the losses.
Output broadcast_weights(const Output& weights, const Output& values) {
  NameScope scope("broadcast_weights");
  if (weights.shape().is_fully_defined() && values.shape().is_fully_defined() &&
      weights.shape() == values.shape()) {
    return weights;
  }
  ControlDependencies wait({assert_broadcastable(weights, values)});
  return multiply(weights, ones_like(values), {.name = scope.full()});
}

/// How many losses have a weight other than 0.
Output num_present(const Output& losses, const Output& weights) {
  NameScope scope("num_present");
  const Output as_float = cast(weights, DType::kFloat);
  const Output absent = equal(as_float, 0.0);
  const Output none = zeros_like(as_float);
  const Output one = ones_like(as_float);
  const Output present = broadcast_weights(assay::where(absent, none, one), losses);
  return reduce_sum(present, {.name = scope.full()});
}

Output num_elements(const Output& losses) {
  NameScope scope("num_elements");
  return cast(size(losses, {.name = scope.full()}), base_dtype(losses.dtype()));
}

Output safe_mean(const Output& losses, const Output& count) {
  const Output total = reduce_sum(losses);
  return div_no_nan(total, count, {.name = "value"});
}

/// Opens the scope of a loss and casts both sides to float32.
struct LossScope {
  LossScope(const std::source_location& where, const LossOptions& options, const char* name,
            const Operand& labels_given, const Operand& predictions_given)
      : scope(where, options.scope, name, {&predictions_given, &labels_given, &options.weights}),
        inner(options) {
    predictions = cast(predictions_given, DType::kFloat);
    labels = cast(labels_given, DType::kFloat);
    if (!predictions.shape().is_compatible_with(labels.shape())) {
      throw Error(Code::kInvalidArgument,
                  fmt::format("{}: predictions '{}' {} and labels '{}' {} must have one shape",
                              name, predictions.name(), predictions.shape().str(), labels.name(),
                              labels.shape().str()),
                  "", place_of(PlaceScope::current()));
    }
    inner.scope = scope.full();
  }
  OpScope scope;
  LossOptions inner;
  Output predictions;
  Output labels;
};

}  // namespace

Output compute_weighted_loss(const Operand& losses, const LossOptions& options,
                             std::source_location where) {
  OpScope scope(where, options.scope, "weighted_loss", {&losses, &options.weights});
  ControlDependencies wait(scope.graph(), {assert_broadcastable(options.weights, losses)});
  const Output given = convert_to_tensor(losses);
  const DType dtype = base_dtype(given.dtype());
  const Output values = cast(given, DType::kFloat);
  const Output weights = cast(options.weights, DType::kFloat);
  const Output weighted = multiply(values, weights);
  Output loss = weighted;
  if (options.reduction != Reduction::kNone) {
    loss = reduce_sum(weighted);
    switch (options.reduction) {
      case Reduction::kMean:
        loss = safe_mean(loss, reduce_sum(ones_like(values) * weights));
        break;
      case Reduction::kSumByNonzeroWeights:
        loss = safe_mean(loss, num_present(values, weights));
        break;
      case Reduction::kSumOverBatchSize:
        loss = safe_mean(loss, num_elements(values));
        break;
      case Reduction::kNone:
      case Reduction::kSum:
        break;
    }
  }
  loss = cast(loss, dtype);
  add_loss(loss, options.loss_collection);
  return loss;
}

Output mean_squared_error(const Operand& labels, const Operand& predictions,
                          const LossOptions& options, std::source_location where) {
  const LossScope s(where, options, "mean_squared_error", labels, predictions);
  return compute_weighted_loss(squared_difference(s.predictions, s.labels), s.inner);
}

Output absolute_difference(const Operand& labels, const Operand& predictions,
                           const LossOptions& options, std::source_location where) {
  const LossScope s(where, options, "absolute_difference", labels, predictions);
  return compute_weighted_loss(abs(subtract(s.predictions, s.labels)), s.inner);
}

Output huber_loss(const Operand& labels, const Operand& predictions, const Operand& delta,
                  const LossOptions& options, std::source_location where) {
  const LossScope s(where, options, "huber_loss", labels, predictions);
  const Output error = abs(subtract(s.predictions, s.labels));
  const Output quadratic = minimum(error, delta);
  const Output linear = subtract(error, quadratic);
  const Output half = convert_to_tensor(0.5, "", base_dtype(quadratic.dtype()));
  const Output inner = multiply(half, multiply(quadratic, quadratic));
  const Output outer = multiply(delta, linear);
  return compute_weighted_loss(add(inner, outer), s.inner);
}

Output hinge_loss(const Operand& labels, const Operand& logits, const LossOptions& options,
                  std::source_location where) {
  const LossScope s(where, options, "hinge_loss", labels, logits);
  const Output all_ones = ones_like(s.labels);
  const Output sides = subtract(2 * s.labels, all_ones);
  const Output margins = multiply(sides, s.predictions);
  return compute_weighted_loss(nn::relu(subtract(all_ones, margins)), s.inner);
}

Output log_loss(const Operand& labels, const Operand& predictions, double epsilon,
                const LossOptions& options, std::source_location where) {
  const LossScope s(where, options, "log_loss", labels, predictions);
  const Output of_ones = -multiply(s.labels, log(s.predictions + epsilon));
  const Output zeros_left = 1 - s.labels;
  const Output rest = 1 - s.predictions;
  const Output of_zeros = multiply(zeros_left, log(rest + epsilon));
  return compute_weighted_loss(of_ones - of_zeros, s.inner);
}

Output sigmoid_cross_entropy(const Operand& multi_class_labels, const Operand& logits,
                             const LossOptions& options, double label_smoothing,
                             std::source_location where) {
  OpScope scope(where, options.scope, "sigmoid_cross_entropy_loss",
                {&logits, &multi_class_labels, &options.weights});
  const Output x = convert_to_tensor(logits);
  Output labels = cast(multi_class_labels, base_dtype(x.dtype()));
  if (label_smoothing > 0) labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing;
  LossOptions inner = options;
  inner.scope = scope.full();
  return compute_weighted_loss(
      nn::sigmoid_cross_entropy_with_logits({.labels = labels, .logits = x, .name = "xentropy"}),
      inner);
}

Output softmax_cross_entropy(const Operand& onehot_labels, const Operand& logits,
                             const LossOptions& options, double label_smoothing,
                             std::source_location where) {
  OpScope scope(where, options.scope, "softmax_cross_entropy_loss",
                {&logits, &onehot_labels, &options.weights});
  const Output x = convert_to_tensor(logits);
  Output labels = cast(onehot_labels, base_dtype(x.dtype()));
  if (label_smoothing > 0) {
    const Output classes = cast(at(shape(labels), {-1}), base_dtype(x.dtype()));
    const Output negatives = label_smoothing / classes;
    labels = labels * (1.0 - label_smoothing) + negatives;
  }
  labels = stop_gradient(labels, {.name = "labels_stop_gradient"});
  LossOptions inner = options;
  inner.scope = scope.full();
  return compute_weighted_loss(
      nn::softmax_cross_entropy_with_logits_v2({.labels = labels, .logits = x, .name = "xentropy"}),
      inner);
}

Output sparse_softmax_cross_entropy(const Operand& labels, const Operand& logits,
                                    const LossOptions& options, std::source_location where) {
  OpScope scope(where, options.scope, "sparse_softmax_cross_entropy_loss",
                {&logits, &labels, &options.weights});
  Output classes;
  Output x;
  {
    // The labels may have a last dimension of size 1 too many.
    NameScope inner("remove_squeezable_dimensions");
    x = convert_to_tensor(logits);
    classes = convert_to_tensor(labels);
    const int classes_rank = classes.shape().rank();
    if (classes_rank > 0 && classes_rank == x.shape().rank() &&
        (classes.shape().dim(classes_rank - 1) == 1 ||
         classes.shape().dim(classes_rank - 1) == -1)) {
      classes = squeeze(classes, {.axis = {-1}});
    }
  }
  LossOptions inner = options;
  inner.scope = scope.full();
  // TensorFlow converts the weights here, before it uses them.
  inner.weights = convert_to_tensor(options.weights);
  return compute_weighted_loss(nn::sparse_softmax_cross_entropy_with_logits(
                                   {.labels = classes, .logits = x, .name = "xentropy"}),
                               inner);
}

void add_loss(const Output& loss, const std::string& loss_collection) {
  if (!loss_collection.empty()) loss.graph().add_to_collection(loss_collection, loss);
}

std::vector<Output> get_losses(const std::string& scope, const std::string& loss_collection) {
  std::vector<Output> all;
  for (const CollectionItem& item : current_graph().collection(loss_collection)) {
    const Output* loss = std::get_if<Output>(&item);
    if (loss != nullptr && loss->name().starts_with(scope)) all.push_back(*loss);
  }
  return all;
}

std::vector<Output> get_regularization_losses(const std::string& scope) {
  return get_losses(scope, graph_keys::kRegularizationLosses);
}

Output get_total_loss(bool add_regularization_losses, const NameOption& options,
                      std::source_location where) {
  PlaceScope place(where);
  std::vector<Operand> all;
  for (const Output& loss : get_losses()) all.emplace_back(loss);
  if (add_regularization_losses) {
    for (const Output& loss : get_regularization_losses()) all.emplace_back(loss);
  }
  return add_n(all, options);
}

}  // namespace assay::losses
