#pragma once

#include <string>

#include "assay/tensor/tensor.h"
#include "models/word2vec/corpus.h"

namespace assay::word2vec {

/// What run.json calls this model.
inline constexpr const char* kModelName = "word2vec";

/// The scalar in the event files that is the loss of a step, and what checkpoints are called.
inline constexpr const char* kLossTag = "summaries/loss";
inline constexpr const char* kCheckpointName = "skip-gram";

/// Throws FailedPrecondition when the run folder holds another vocabulary: the run was made with
/// another text. False when it holds none.
bool check_vocabulary(const std::string& run_dir, const Vocabulary& vocabulary);

/// Keeps the vocabulary in the run folder as vocab.tsv. Throws FailedPrecondition when the folder
/// holds another one: the run was made with another text.
void keep_vocabulary(const std::string& run_dir, const Vocabulary& vocabulary);

/// A finished or running word2vec experiment, as its folder has it.
struct TrainedVectors {
  Vocabulary vocabulary;
  Tensor vectors;          ///< float32 [vocab, dim]
  std::string checkpoint;  ///< the prefix they were read from
};

/// Reads words and vectors from a run folder's newest checkpoint that is whole; a damaged one is
/// reported on standard error. Throws NotFound when the folder is no run or has no checkpoint,
/// FailedPrecondition when it is of another model, DataLoss when nothing whole is left.
TrainedVectors read_vectors(const std::string& run_dir);

}  // namespace assay::word2vec
