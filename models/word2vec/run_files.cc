#include "models/word2vec/run_files.h"

#include <numeric>

#include "assay/base/file_system.h"
#include "assay/base/log.h"
#include "assay/format/bundle_reader.h"
#include "assay/train/checkpoint_listing.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/run_dir.h"

namespace assay::word2vec {
namespace {

constexpr const char* kVectors = "embed_matrix";

std::string vocabulary_path(const std::string& run_dir) {
  return join_path(run_dir, "vocab.tsv");
}

/// Throws when the folder holds checkpoints that training set aside: the run has been trained, and
/// training once more does not begin.
void check_none_damaged(const std::string& folder) {
  train::CheckpointFacts newest;
  for (const auto& checkpoint : train::list_checkpoints(folder)) {
    if (checkpoint.set_aside && checkpoint.facts.step >= newest.step) newest = checkpoint.facts;
  }
  if (newest.prefix.empty()) return;
  fail(Code::kDataLoss,
       "all checkpoints under '{}' are damaged and were set aside, the newest as '{}'; restore one "
       "from a copy, or move the run folder away and train anew (assay checkpoints verify names "
       "what is damaged)",
       folder, newest.prefix);
}

}  // namespace

bool check_vocabulary(const std::string& run_dir, const Vocabulary& vocabulary) {
  const std::string path = vocabulary_path(run_dir);
  if (!posix_file_system().exists(path)) return false;
  const Vocabulary there = read_vocabulary(path);
  if (there.checksum() != vocabulary.checksum()) {
    const auto words = [](const Vocabulary& v) {
      return std::accumulate(v.counts.begin(), v.counts.end(), std::int64_t{0});
    };
    fail(Code::kFailedPrecondition,
         "the text is not the one that '{}' was made with: then {} words (checksum of their counts "
         "{:08x}), now {} ({:08x}); give the same text to go on, or use another run folder",
         run_dir, words(there), there.checksum(), words(vocabulary), vocabulary.checksum());
  }
  return true;
}

void keep_vocabulary(const std::string& run_dir, const Vocabulary& vocabulary) {
  if (check_vocabulary(run_dir, vocabulary)) return;
  write_vocabulary(vocabulary, vocabulary_path(run_dir));
}

TrainedVectors read_vectors(const std::string& run_dir) {
  const train::RunInfo info = train::read_run_info(run_dir);
  if (info.model != kModelName) {
    fail(Code::kFailedPrecondition, "'{}' is a run of '{}', not of '{}': it has no word vectors",
         run_dir, info.model, kModelName);
  }
  TrainedVectors found;
  if (!posix_file_system().exists(vocabulary_path(run_dir))) {
    fail(Code::kNotFound, "'{}' holds no vocabulary (vocab.tsv) yet; train first", run_dir);
  }
  found.vocabulary = read_vocabulary(vocabulary_path(run_dir));
  const std::string folder = train::checkpoint_dir(run_dir);
  const auto checkpoints = posix_file_system().is_directory(folder)
                               ? train::find_checkpoints(folder)
                               : std::vector<std::string>();
  if (checkpoints.empty() && posix_file_system().is_directory(folder)) check_none_damaged(folder);
  if (checkpoints.empty()) {
    fail(Code::kNotFound, "there is no checkpoint under '{}' yet; train first", folder);
  }
  for (const std::string& prefix : checkpoints) {
    try {
      found.vectors = format::BundleReader(prefix).read(kVectors);
      found.checkpoint = prefix;
      break;
    } catch (const Error& e) {
      if (e.code() != Code::kDataLoss && e.code() != Code::kNotFound) throw;
      log_warning("'{}' cannot be read, taking an older checkpoint: {}", prefix, e.message());
    }
  }
  if (!found.vectors.defined()) {
    fail(Code::kDataLoss, "none of the {} checkpoints under '{}' can be read", checkpoints.size(),
         folder);
  }
  if (found.vectors.dtype() != DType::kFloat || found.vectors.rank() != 2 ||
      found.vectors.dim(0) != found.vocabulary.size()) {
    fail(Code::kDataLoss, "the vectors {}{} in '{}' do not go with the {} words of '{}'",
         dtype_name(found.vectors.dtype()), found.vectors.shape().str(), found.checkpoint,
         found.vocabulary.size(), vocabulary_path(run_dir));
  }
  return found;
}

}  // namespace assay::word2vec
