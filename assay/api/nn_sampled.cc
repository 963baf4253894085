#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/nn.h"

namespace assay::nn {

namespace {

/// What both sampled losses compute first.
struct SampledArgs {
  const Operand& weights;
  const Operand& biases;
  const Operand& labels;
  const Operand& inputs;
  std::int64_t num_sampled;
  std::int64_t num_classes;
  std::int64_t num_true;
  const std::optional<SampledCandidates>& sampled_values;
  bool remove_accidental_hits;
  const std::string& partition_strategy;
  const std::string& name;
  std::optional<std::int64_t> seed;
};

/// The sum of each row of a matrix, by a product with ones.
Output sum_rows(const Output& x) {
  const Output columns = at(shape(x), {1});
  const Output ones_shape = stack({columns, 1});
  const Output column = ones(ones_shape, {.dtype = base_dtype(x.dtype())});
  return reshape(matmul(x, column), {-1});
}

/// Adds a large negative number where a sampled class is a true one.
Output mask_accidental_hits(const Output& logits, const Output& labels, const Output& sampled,
                            const SampledArgs& args) {
  const AccidentalHits hits = compute_accidental_hits(labels, sampled, args.num_true);
  const Output rows = reshape(hits.indices, {-1, 1});
  const Output columns = reshape(cast(hits.ids, DType::kInt32), {-1, 1});
  const Output indices = concat({rows, columns}, 1, {.name = "sparse_indices"});
  const Output batch = at(shape(labels), {Index::range({}, 1)});
  const Output width = expand_dims(static_cast<int>(args.num_sampled), 0);
  const Output dense_shape = concat({batch, width}, 0);
  Output weights = hits.weights;
  if (logits.dtype() != weights.dtype()) weights = cast(weights, base_dtype(logits.dtype()));
  AttrMap attrs;
  attrs["validate_indices"] = false;
  const Output mask =
      apply_op("SparseToDense", "", {Operand(indices), Operand(dense_shape), Operand(weights), 0.0},
               std::move(attrs))
          ->output();
  return logits + mask;
}

/// Logits [batch, num_true + num_sampled] and their labels.
std::pair<Output, Output> sampled_logits_of(const SampledArgs& args) {
  OpScope scope({}, args.name, "compute_sampled_logits",
                {&args.weights, &args.biases, &args.inputs, &args.labels});
  const Operand given_labels =
      args.labels.is_constant() ? Operand(convert_to_tensor(args.labels, "Cast/x")) : args.labels;
  const Output labels = given_labels.dtype() == DType::kInt64 && given_labels.is_output()
                            ? given_labels.output()
                            : cast(given_labels, DType::kInt64);
  const Output flat = reshape(labels, {-1});
  const SampledCandidates drawn =
      args.sampled_values
          ? *args.sampled_values
          : log_uniform_candidate_sampler(labels, args.num_true, args.num_sampled, true,
                                          args.num_classes, {.seed = args.seed});
  Output sampled = stop_gradient(drawn.sampled);
  const Output true_count = stop_gradient(drawn.true_expected_count);
  const Output sampled_count = stop_gradient(drawn.sampled_expected_count);
  sampled = cast(sampled, DType::kInt64);
  const Output all_ids = concat({flat, sampled}, 0);
  const DType dtype = args.inputs.dtype();

  const EmbeddingOptions lookup{.partition_strategy = args.partition_strategy};
  Output all_w = embedding_lookup(args.weights, all_ids, lookup);
  if (base_dtype(all_w.dtype()) != dtype) all_w = cast(all_w, dtype);
  const Output num_true_rows = at(shape(flat), {0});
  const Output true_w = slice(all_w, {0, 0}, stack({num_true_rows, -1}));
  const Output first_sampled = at(shape(flat), {0});
  const Output sampled_w = slice(all_w, stack({first_sampled, 0}), {-1, -1});
  Output sampled_logits = matmul(args.inputs, sampled_w, {.transpose_b = true});

  Output all_b = embedding_lookup(args.biases, all_ids, lookup);
  if (base_dtype(all_b.dtype()) != dtype) all_b = cast(all_b, dtype);
  Output true_b = slice(all_b, {0}, shape(flat));
  const Output sampled_b = slice(all_b, shape(flat), {-1});

  const Output dim = at(shape(true_w), {Index::range(1, 2)});
  const Output split_shape = concat({std::vector<std::int64_t>{-1, args.num_true}, dim}, 0);
  const Output inputs_3d = expand_dims(args.inputs, 1);
  const Output row_wise_dots = multiply(inputs_3d, reshape(true_w, split_shape));
  const Output dots = reshape(row_wise_dots, concat({std::vector<int>{-1}, dim}, 0));
  Output true_logits = reshape(sum_rows(dots), {-1, args.num_true});
  true_b = reshape(true_b, {-1, args.num_true});
  true_logits = true_logits + true_b;
  sampled_logits = sampled_logits + sampled_b;
  if (args.remove_accidental_hits) {
    sampled_logits = mask_accidental_hits(sampled_logits, labels, sampled, args);
  }
  true_logits = true_logits - log(true_count);
  sampled_logits = sampled_logits - log(sampled_count);
  const Output logits = concat({true_logits, sampled_logits}, 1);
  const Output share = ones_like(true_logits) / args.num_true;
  const Output out_labels = concat({share, zeros_like(sampled_logits)}, 1);
  return {logits, out_labels};
}

}  // namespace

Output nce_loss(const Operand& weights, const Operand& biases, const Operand& labels,
                const Operand& inputs, std::int64_t num_sampled, std::int64_t num_classes,
                const NceOptions& options, std::source_location where) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&weights, &biases, &labels, &inputs}));
  const auto [logits, out_labels] =
      sampled_logits_of({weights, biases, labels, inputs, num_sampled, num_classes,
                         options.num_true, options.sampled_values, options.remove_accidental_hits,
                         options.partition_strategy, options.name, std::nullopt});
  return sum_rows(sigmoid_cross_entropy_with_logits(
      {.labels = out_labels, .logits = logits, .name = "sampled_losses"}));
}

Output sampled_softmax_loss(const Operand& weights, const Operand& biases, const Operand& labels,
                            const Operand& inputs, std::int64_t num_sampled,
                            std::int64_t num_classes, const SampledSoftmaxOptions& options,
                            std::source_location where) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&weights, &biases, &labels, &inputs}));
  const auto [logits, out_labels] =
      sampled_logits_of({weights, biases, labels, inputs, num_sampled, num_classes,
                         options.num_true, options.sampled_values, options.remove_accidental_hits,
                         options.partition_strategy, options.name, options.seed});
  const Output fixed = stop_gradient(out_labels, {.name = "labels_stop_gradient"});
  return softmax_cross_entropy_with_logits_v2({.labels = fixed, .logits = logits});
}

}  // namespace assay::nn
