#include "assay/api/candidate_samplers.h"

#include "assay/api/apply_op.h"
#include "assay/api/seed_attrs.h"

namespace assay {

namespace {

SampledCandidates sample(const char* op, const Operand& true_classes, std::int64_t num_true,
                         std::int64_t num_sampled, bool unique, AttrMap more,
                         const RandomSeedOptions& options, const std::source_location& where) {
  PlaceScope place(where);
  AttrMap attrs = internal::seed_attrs(graph_of({&true_classes}), options.seed, op, options.name);
  attrs["num_true"] = num_true;
  attrs["num_sampled"] = num_sampled;
  attrs["unique"] = unique;
  attrs.merge(more);
  Node* node = apply_op(op, options.name, {true_classes}, std::move(attrs));
  return {node->output(0), node->output(1), node->output(2)};
}

}  // namespace

SampledCandidates log_uniform_candidate_sampler(const Operand& true_classes, std::int64_t num_true,
                                                std::int64_t num_sampled, bool unique,
                                                std::int64_t range_max,
                                                const RandomSeedOptions& options,
                                                std::source_location where) {
  return sample("LogUniformCandidateSampler", true_classes, num_true, num_sampled, unique,
                {{"range_max", range_max}}, options, where);
}

SampledCandidates uniform_candidate_sampler(const Operand& true_classes, std::int64_t num_true,
                                            std::int64_t num_sampled, bool unique,
                                            std::int64_t range_max,
                                            const RandomSeedOptions& options,
                                            std::source_location where) {
  return sample("UniformCandidateSampler", true_classes, num_true, num_sampled, unique,
                {{"range_max", range_max}}, options, where);
}

AccidentalHits compute_accidental_hits(const Operand& true_classes,
                                       const Operand& sampled_candidates, std::int64_t num_true,
                                       const RandomSeedOptions& options,
                                       std::source_location where) {
  PlaceScope place(where);
  AttrMap attrs = internal::seed_attrs(graph_of({&true_classes, &sampled_candidates}), options.seed,
                                       "ComputeAccidentalHits", options.name);
  attrs["num_true"] = num_true;
  Node* node = apply_op("ComputeAccidentalHits", options.name, {true_classes, sampled_candidates},
                        std::move(attrs));
  return {node->output(0), node->output(1), node->output(2)};
}

SampledCandidates learned_unigram_candidate_sampler(const Operand& true_classes,
                                                    std::int64_t num_true, std::int64_t num_sampled,
                                                    bool unique, std::int64_t range_max,
                                                    const RandomSeedOptions& options,
                                                    std::source_location where) {
  return sample("LearnedUnigramCandidateSampler", true_classes, num_true, num_sampled, unique,
                {{"range_max", range_max}}, options, where);
}

SampledCandidates fixed_unigram_candidate_sampler(const Operand& true_classes,
                                                  std::int64_t num_true, std::int64_t num_sampled,
                                                  bool unique, std::int64_t range_max,
                                                  const FixedUnigramOptions& options,
                                                  std::source_location where) {
  AttrMap more;
  more["range_max"] = range_max;
  more["vocab_file"] = options.vocab_file;
  more["distortion"] = static_cast<float>(options.distortion);
  more["num_reserved_ids"] = options.num_reserved_ids;
  more["num_shards"] = options.num_shards;
  more["shard"] = options.shard;
  more["unigrams"] = options.unigrams;
  return sample("FixedUnigramCandidateSampler", true_classes, num_true, num_sampled, unique,
                std::move(more), {.seed = options.seed, .name = options.name}, where);
}

SampledCandidates all_candidate_sampler(const Operand& true_classes, std::int64_t num_true,
                                        std::int64_t num_sampled, bool unique,
                                        const RandomSeedOptions& options,
                                        std::source_location where) {
  return sample("AllCandidateSampler", true_classes, num_true, num_sampled, unique, {}, options,
                where);
}

}  // namespace assay
