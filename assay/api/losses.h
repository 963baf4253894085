#pragma once

#include <source_location>
#include <string>
#include <vector>

#include "assay/api/operand.h"

/// Losses of a whole batch, weighted and collected (tf.losses).
namespace assay::losses {

/// How the weighted losses of a batch become one number.
enum class Reduction {
  kNone,                ///< they stay as they are
  kSum,                 ///< their sum
  kMean,                ///< the sum divided by the sum of the weights
  kSumOverBatchSize,    ///< the sum divided by the number of losses
  kSumByNonzeroWeights  ///< the sum divided by the number of losses with a weight that is not 0
};

/// Options of every loss. `weights` is a scalar, or has the rank of the losses with sizes that are
/// 1 or the losses'. The result joins `loss_collection` unless it is "".
struct LossOptions {
  Operand weights = 1.0;
  std::string scope;
  std::string loss_collection = graph_keys::kLosses;
  Reduction reduction = Reduction::kSumByNonzeroWeights;
};

/// The weighted losses, reduced. Throws InvalidArgument for weights that do not fit, and
/// Unimplemented for weights whose shape is not known enough to tell.
Output compute_weighted_loss(const Operand& losses, const LossOptions& options = {},
                             std::source_location where = std::source_location::current());

/// (predictions - labels)^2.
Output mean_squared_error(const Operand& labels, const Operand& predictions,
                          const LossOptions& options = {},
                          std::source_location where = std::source_location::current());
/// |predictions - labels|.
Output absolute_difference(const Operand& labels, const Operand& predictions,
                           const LossOptions& options = {},
                           std::source_location where = std::source_location::current());
/// Quadratic up to an error of `delta`, linear beyond (Huber 1964).
Output huber_loss(const Operand& labels, const Operand& predictions, const Operand& delta = 1.0,
                  const LossOptions& options = {},
                  std::source_location where = std::source_location::current());
/// max(0, 1 - label * logit) for labels 0 and 1, taken as -1 and 1.
Output hinge_loss(const Operand& labels, const Operand& logits, const LossOptions& options = {},
                  std::source_location where = std::source_location::current());
/// The cross entropy of probabilities; `epsilon` keeps the logarithm finite.
Output log_loss(const Operand& labels, const Operand& predictions, double epsilon = 1e-7,
                const LossOptions& options = {},
                std::source_location where = std::source_location::current());
/// The losses of nn's functions of the same names, reduced. With `label_smoothing`, labels move
/// that far towards being equally likely.
Output sigmoid_cross_entropy(const Operand& multi_class_labels, const Operand& logits,
                             const LossOptions& options = {}, double label_smoothing = 0,
                             std::source_location where = std::source_location::current());
/// For one-hot labels [batch, classes].
Output softmax_cross_entropy(const Operand& onehot_labels, const Operand& logits,
                             const LossOptions& options = {}, double label_smoothing = 0,
                             std::source_location where = std::source_location::current());
/// For labels that are class numbers [batch].
Output sparse_softmax_cross_entropy(const Operand& labels, const Operand& logits,
                                    const LossOptions& options = {},
                                    std::source_location where = std::source_location::current());

/// Adds a loss to the collection that get_losses() reads.
void add_loss(const Output& loss, const std::string& loss_collection = graph_keys::kLosses);
/// The losses collected in the current graph, those whose name begins with `scope`.
std::vector<Output> get_losses(const std::string& scope = {},
                               const std::string& loss_collection = graph_keys::kLosses);
/// The penalties that regularizers of variables made, those whose name begins with `scope`.
std::vector<Output> get_regularization_losses(const std::string& scope = {});
/// The sum of all losses collected, regularization included unless told otherwise. Throws
/// InvalidArgument when there are none.
Output get_total_loss(bool add_regularization_losses = true,
                      const NameOption& options = {.name = "total_loss"},
                      std::source_location where = std::source_location::current());

}  // namespace assay::losses
