#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "assay/api/random_ops.h"

/// The candidate samplers besides random_ops.h's log_uniform_candidate_sampler and
/// uniform_candidate_sampler. `true_classes` is int64 [batch, num_true].
namespace assay {

/// Samples classes with probabilities that it learns: each class begins with weight 1 and gains 1
/// each time it is a true class. `range_max` must be below 2^31 - 1.
SampledCandidates learned_unigram_candidate_sampler(
    const Operand& true_classes, std::int64_t num_true, std::int64_t num_sampled, bool unique,
    std::int64_t range_max, const RandomSeedOptions& options = {},
    std::source_location where = std::source_location::current());

/// Options of fixed_unigram_candidate_sampler: exactly one of `vocab_file` and `unigrams` is given.
struct FixedUnigramOptions {
  /// A text file with a line for each class; its weight is what follows the last comma. Read when
  /// a session first runs the sampler.
  std::string vocab_file;
  /// The power that each weight is raised to: 1 takes the weights, 0 makes all equal.
  double distortion = 1;
  /// That many classes before the listed ones are never sampled.
  std::int64_t num_reserved_ids = 0;
  /// The sampler knows only the classes whose number leaves the remainder `shard`.
  std::int64_t num_shards = 1;
  std::int64_t shard = 0;
  /// The weights, one for each class.
  std::vector<float> unigrams;
  std::optional<std::int64_t> seed;
  std::string name;
};
/// Samples classes with given weights.
SampledCandidates fixed_unigram_candidate_sampler(
    const Operand& true_classes, std::int64_t num_true, std::int64_t num_sampled, bool unique,
    std::int64_t range_max, const FixedUnigramOptions& options,
    std::source_location where = std::source_location::current());

/// All classes from 0 to num_sampled - 1, each expected once: the full softmax in the place of a
/// sampled one, for tests.
SampledCandidates all_candidate_sampler(
    const Operand& true_classes, std::int64_t num_true, std::int64_t num_sampled, bool unique,
    const RandomSeedOptions& options = {},
    std::source_location where = std::source_location::current());

}  // namespace assay
