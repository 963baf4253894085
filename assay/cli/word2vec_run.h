#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "assay/train/model.h"
#include "assay/train/run_dir.h"
#include "models/word2vec/corpus.h"
#include "models/word2vec/skip_gram.h"

namespace assay::cli {

/// What `assay train word2vec` is told.
struct Word2vecFlags {
  std::string run;
  std::vector<std::string> text;
  std::int64_t steps = 0;
  std::int64_t epochs = 0;
  word2vec::SkipGramOptions model;
  int threads = 0;
  std::int64_t save_every = 10000;
  int keep = 5;
  std::int64_t summary_every = 100;
  std::string fork;                  ///< the run to fork; "" for none
  bool reseed = false;               ///< fork with new random streams
  std::optional<std::int64_t> seed;  ///< of those; absent: drawn
};

/// Whether a flag ("--lr") was given.
using Given = std::function<bool(const char* flag)>;

/// The flags that decide what is computed, as run.json keeps them.
train::Parameters parameters_of(const Word2vecFlags& flags);

/// Whether two lists of texts name the same files in the same order.
bool same_files(const std::vector<std::string>& a, const std::vector<std::string>& b);

/// Flags that were not given take the values that the run in the folder `run` was made with; a text
/// that is given in other words keeps the name that it has there. Throws DataLoss or another code
/// that names the run's run.json when it lacks one.
void take_over(const std::string& run, const train::RunInfo& info, const Given& given,
               Word2vecFlags& flags);

/// A text, read, and the model over it.
struct Word2vecModel {
  word2vec::Vocabulary vocabulary;
  std::string data;  ///< RunInfo::data
  std::int64_t words = 0;
  std::int64_t distinct = 0;
  word2vec::SkipGramPairs pairs;
  word2vec::SkipGram model;
};

/// Reads the text; throws what read_corpus() throws.
std::unique_ptr<Word2vecModel> read_model(const Word2vecFlags& flags);

/// The options of train() that both training and replaying need.
TrainOptions train_options(const Word2vecFlags& flags, const Word2vecModel& model,
                           std::int64_t steps, const std::atomic<bool>& stop);

/// When flags.fork names a run: decides what the new run goes on from, and with which parameters,
/// which it puts into `flags`. When the new run's folder is a fork of that run already, it is to
/// be resumed: then nothing is returned and `flags` are as if no fork had been asked for. Throws
/// FailedPrecondition when the folder is another run, NotFound when there is nothing to fork.
/// Reads the other run only, which may be under way.
std::optional<train::RunParent> prepare_fork(const Given& given, Word2vecFlags& flags);

/// `command` with the name of the model after "train" when it begins "train --..." and has --fork:
/// the run that is forked says which model it is of. Throws UsageError for --reseed where there is
/// neither model nor --fork.
std::vector<std::string> with_model_of_fork(std::vector<std::string> command);

}  // namespace assay::cli
