#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "assay/api/math_ops.h"
#include "assay/api/operand.h"
#include "assay/api/random_ops.h"

/// Neural-network functions (tf.nn).
namespace assay::nn {

using assay::sigmoid;
using assay::tanh;

/// max(x, 0).
Output relu(const Operand& features, const NameOption& options = {},
            std::source_location where = std::source_location::current());
/// min(max(x, 0), 6).
Output relu6(const Operand& features, const NameOption& options = {},
             std::source_location where = std::source_location::current());
/// x, or exp(x) - 1 below 0.
Output elu(const Operand& features, const NameOption& options = {},
           std::source_location where = std::source_location::current());
/// Scaled elu (Klambauer et al. 2017).
Output selu(const Operand& features, const NameOption& options = {},
            std::source_location where = std::source_location::current());
/// log(exp(x) + 1).
Output softplus(const Operand& features, const NameOption& options = {},
                std::source_location where = std::source_location::current());
/// x / (abs(x) + 1).
Output softsign(const Operand& features, const NameOption& options = {},
                std::source_location where = std::source_location::current());

/// Options of leaky_relu: the slope below 0.
struct LeakyReluOptions {
  float alpha = 0.2F;
  std::string name;
};
/// x, or alpha * x below 0 (Maas et al. 2013; op LeakyRelu). Integers are cast to float32.
Output leaky_relu(const Operand& features, const LeakyReluOptions& options = {},
                  std::source_location where = std::source_location::current());

/// Options of softmax and log_softmax.
struct SoftmaxOptions {
  int axis = -1;
  std::string name;
};
/// exp(x) / sum(exp(x)) along the axis.
Output softmax(const Operand& logits, const SoftmaxOptions& options = {},
               std::source_location where = std::source_location::current());
/// log(softmax(x)), computed without loss of precision.
Output log_softmax(const Operand& logits, const SoftmaxOptions& options = {},
                   std::source_location where = std::source_location::current());

/// Options of bias_add: "NHWC" (the last dimension has the channels) or "NCHW".
struct BiasAddOptions {
  std::string data_format = "NHWC";
  std::string name;
};
/// `value` plus a vector for its last dimension.
Output bias_add(const Operand& value, const Operand& bias, const BiasAddOptions& options = {},
                std::source_location where = std::source_location::current());
/// matmul(x, weights) + biases.
Output xw_plus_b(const Operand& x, const Operand& weights, const Operand& biases,
                 const NameOption& options = {},
                 std::source_location where = std::source_location::current());
/// relu(matmul(x, weights) + biases).
Output relu_layer(const Operand& x, const Operand& weights, const Operand& biases,
                  const NameOption& options = {},
                  std::source_location where = std::source_location::current());

/// Half the sum of squares, a scalar.
Output l2_loss(const Operand& t, const NameOption& options = {},
               std::source_location where = std::source_location::current());

/// Options of l2_normalize: without `axis`, over all elements.
struct L2NormalizeOptions {
  Axes axis;
  double epsilon = 1e-12;
  std::string name;
};
/// x / sqrt(max(sum(x^2), epsilon)).
Output l2_normalize(const Operand& x, const L2NormalizeOptions& options = {},
                    std::source_location where = std::source_location::current());

/// Options of moments.
struct MomentsOptions {
  bool keepdims = false;
  std::string name;
};
/// Mean and variance over the axes.
std::pair<Output, Output> moments(const Operand& x, const std::vector<std::int64_t>& axes,
                                  const MomentsOptions& options = {},
                                  std::source_location where = std::source_location::current());

/// (x - mean) / sqrt(variance + epsilon) * scale + offset; `offset` and `scale` may be absent.
Output batch_normalization(const Operand& x, const Operand& mean, const Operand& variance,
                           const Operand& offset, const Operand& scale,
                           const Operand& variance_epsilon, const NameOption& options = {},
                           std::source_location where = std::source_location::current());

/// Options of dropout: exactly one of `keep_prob` and `rate`.
struct DropoutOptions {
  Operand keep_prob;
  std::optional<IntList> noise_shape;  ///< the shape of `x`
  std::optional<std::int64_t> seed;
  Operand rate;
  std::string name;
};
/// Each element set to 0 with probability `rate`, the others scaled by 1 / (1 - rate). Throws
/// InvalidArgument for a rate outside of [0, 1).
Output dropout(const Operand& x, const DropoutOptions& options,
               std::source_location where = std::source_location::current());

/// The arguments of the cross-entropy losses, which are easily mixed up and so have names.
struct CrossEntropyArgs {
  Operand labels;
  Operand logits;
  std::string name;
};
/// -labels * log(sigmoid(logits)) - (1 - labels) * log(1 - sigmoid(logits)), element by element;
/// both of one shape.
Output sigmoid_cross_entropy_with_logits(
    const CrossEntropyArgs& args, std::source_location where = std::source_location::current());
/// The same, the first term being multiplied by `pos_weight`.
Output weighted_cross_entropy_with_logits(
    const CrossEntropyArgs& args, const Operand& pos_weight,
    std::source_location where = std::source_location::current());
/// The cross entropy between each row of probabilities in `labels` and softmax of the same row of
/// `logits`; one number a row. Gradients flow into the labels too.
Output softmax_cross_entropy_with_logits_v2(
    const CrossEntropyArgs& args, std::source_location where = std::source_location::current());
/// The same without gradients into the labels.
Output softmax_cross_entropy_with_logits(
    const CrossEntropyArgs& args, std::source_location where = std::source_location::current());
/// The same for labels that are class numbers, one dimension less than the logits. Throws
/// InvalidArgument when ranks or known sizes do not fit.
Output sparse_softmax_cross_entropy_with_logits(
    const CrossEntropyArgs& args, std::source_location where = std::source_location::current());

/// Options of top_k.
struct TopKOptions {
  bool sorted = true;
  std::string name;
};
/// The `k` largest elements along the last dimension, and their places.
struct TopK {
  Output values;
  Output indices;
};
/// For `input` [..., n], both results are [..., k]; `indices` int32. With `sorted` (the default)
/// they fall, equal ones in the order of their places; without, the order is not specified (op
/// TopKV2). Throws InvalidArgument unless 0 <= k <= n.
TopK top_k(const Operand& input, const Operand& k = 1, const TopKOptions& options = {},
           std::source_location where = std::source_location::current());
/// For each row of `predictions`, whether the class in `targets` is among the `k` best.
Output in_top_k(const Operand& predictions, const Operand& targets, const Operand& k,
                const NameOption& options = {},
                std::source_location where = std::source_location::current());

/// Options of embedding_lookup. Among several parameters, ids are dealt out in turn ("mod") or in
/// contiguous ranges ("div"). With `max_norm`, vectors longer than it are scaled down.
struct EmbeddingOptions {
  std::string partition_strategy = "mod";
  std::string name;
  Operand max_norm;
};
/// Rows `ids` of `params`, in the shape of the ids. Its gradient touches these rows only.
Output embedding_lookup(const Operand& params, const Operand& ids,
                        const EmbeddingOptions& options = {},
                        std::source_location where = std::source_location::current());
/// The same with the rows spread over several tensors of equal row shape.
Output embedding_lookup(const std::vector<Operand>& params, const Operand& ids,
                        const EmbeddingOptions& options = {},
                        std::source_location where = std::source_location::current());

/// Options of nce_loss.
struct NceOptions {
  std::int64_t num_true = 1;
  /// Drawn by log_uniform_candidate_sampler when not given.
  std::optional<SampledCandidates> sampled_values;
  bool remove_accidental_hits = false;
  std::string partition_strategy = "mod";
  std::string name = "nce_loss";
};
/// Noise-contrastive estimation (Gutmann and Hyvarinen 2010), one loss an example: for `weights`
/// [classes, dim], `biases` [classes], `labels` [batch, num_true] and `inputs` [batch, dim], told
/// from `num_sampled` random classes. Classes must be ordered by falling frequency.
Output nce_loss(const Operand& weights, const Operand& biases, const Operand& labels,
                const Operand& inputs, std::int64_t num_sampled, std::int64_t num_classes,
                const NceOptions& options = {},
                std::source_location where = std::source_location::current());

/// Options of sampled_softmax_loss.
struct SampledSoftmaxOptions {
  std::int64_t num_true = 1;
  std::optional<SampledCandidates> sampled_values;
  bool remove_accidental_hits = true;
  std::string partition_strategy = "mod";
  std::string name = "sampled_softmax_loss";
  std::optional<std::int64_t> seed;
};
/// The softmax cross entropy over the true and `num_sampled` random classes (Jean et al. 2014);
/// arguments as of nce_loss.
Output sampled_softmax_loss(const Operand& weights, const Operand& biases, const Operand& labels,
                            const Operand& inputs, std::int64_t num_sampled,
                            std::int64_t num_classes, const SampledSoftmaxOptions& options = {},
                            std::source_location where = std::source_location::current());

}  // namespace assay::nn
