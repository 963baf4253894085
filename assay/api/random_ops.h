#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include "assay/api/operand.h"
#include "assay/graph/seed_policy.h"

namespace assay {

/// Sets the current graph's seed, from which unseeded random ops made afterwards take theirs
/// (tf.set_random_seed). Their op seed is then the number of nodes made so far. Random ops that
/// are there already keep what they have; the first call that changes the seed in spite of them
/// warns and names their places.
void set_random_seed(std::int64_t seed,
                     std::source_location where = std::source_location::current());
/// The same with the way in which ops without a seed get theirs. With SeedPolicy::by_name a node
/// added elsewhere in the model changes nobody's seed.
void set_random_seed(std::int64_t seed, SeedPolicy policy,
                     std::source_location where = std::source_location::current());

/// The attributes `seed` and `seed2` of a random op made now in `graph` with this op seed, by
/// TensorFlow's rules: without either seed (0, 0), which draws from the session's entropy. The
/// graph's SeedPolicy says what becomes of a missing op seed; by_name needs the node's full name
/// to be and throws InvalidArgument without.
std::pair<std::int64_t, std::int64_t> get_seed(const Graph& graph,
                                               std::optional<std::int64_t> op_seed,
                                               std::string_view node_name = {});

/// Options of random_uniform.
struct RandomOptions {
  DType dtype = DType::kFloat;
  std::optional<std::int64_t> seed;
  std::string name;
};

/// Random numbers from [minval, maxval); integers too, for which maxval must be given. Seven
/// nodes for floating types.
Output random_uniform(const IntList& shape, const RandomOptions& options = {},
                      std::source_location where = std::source_location::current());
Output random_uniform(const IntList& shape, const Operand& minval, const Operand& maxval,
                      const RandomOptions& options = {},
                      std::source_location where = std::source_location::current());

/// Options of the normal distributions.
struct RandomNormalOptions {
  Operand mean = 0.0;
  Operand stddev = 1.0;
  DType dtype = DType::kFloat;
  std::optional<std::int64_t> seed;
  std::string name;
};

/// Normally distributed numbers.
Output random_normal(const IntList& shape, const RandomNormalOptions& options = {},
                     std::source_location where = std::source_location::current());
/// The same, numbers further than two standard deviations from the mean being drawn again.
Output truncated_normal(const IntList& shape, const RandomNormalOptions& options = {},
                        std::source_location where = std::source_location::current());

/// Options of a random op that only takes a seed.
struct RandomSeedOptions {
  std::optional<std::int64_t> seed;
  std::string name;
};

/// `value` with its rows in random order (op RandomShuffle).
Output random_shuffle(const Operand& value, const RandomSeedOptions& options = {},
                      std::source_location where = std::source_location::current());

/// `num_samples` class numbers for each row of `logits` [batch, classes], drawn with replacement
/// (op Multinomial); int64 [batch, num_samples].
Output multinomial(const Operand& logits, const Operand& num_samples,
                   const RandomSeedOptions& options = {},
                   std::source_location where = std::source_location::current());

/// What a candidate sampler yields: the sampled classes [num_sampled], and how often each true
/// class [batch, num_true] and each sampled class is expected among them.
struct SampledCandidates {
  Output sampled;
  Output true_expected_count;
  Output sampled_expected_count;
};

/// Samples classes below `range_max`, each at most once if `unique`, with log-uniform (Zipf's)
/// probability: for classes ordered by falling frequency.
SampledCandidates log_uniform_candidate_sampler(
    const Operand& true_classes, std::int64_t num_true, std::int64_t num_sampled, bool unique,
    std::int64_t range_max, const RandomSeedOptions& options = {},
    std::source_location where = std::source_location::current());
/// The same with equal probabilities.
SampledCandidates uniform_candidate_sampler(
    const Operand& true_classes, std::int64_t num_true, std::int64_t num_sampled, bool unique,
    std::int64_t range_max, const RandomSeedOptions& options = {},
    std::source_location where = std::source_location::current());

/// Where sampled classes equal true classes: row of the batch, place in the sample, and a weight
/// of -FLT_MAX for each.
struct AccidentalHits {
  Output indices;
  Output ids;
  Output weights;
};
/// For `true_classes` int64 [batch, num_true] and `sampled_candidates` int64 [num_sampled], three
/// vectors with one entry for each hit: `indices` int32, `ids` int64, `weights` float32 (op
/// ComputeAccidentalHits). nce_loss and sampled_softmax_loss add the weights to the logits when
/// told to remove accidental hits.
AccidentalHits compute_accidental_hits(
    const Operand& true_classes, const Operand& sampled_candidates, std::int64_t num_true,
    const RandomSeedOptions& options = {},
    std::source_location where = std::source_location::current());

}  // namespace assay
