#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "assay/api/variable.h"
#include "assay/data/dataset.h"
#include "assay/train/model.h"
#include "models/word2vec/skip_gram_pairs.h"

namespace assay::word2vec {

/// What the model is made with; the defaults are those of the notes.
struct SkipGramOptions {
  std::int64_t vocab = 50000;  ///< words, UNK among them
  std::int64_t dim = 128;      ///< numbers in a word's vector
  std::int64_t batch = 128;    ///< pairs in a step
  std::int64_t window = 1;     ///< words on each side of the centre, at most
  std::int64_t sampled = 64;   ///< negative examples in a step
  double learning_rate = 1.0;
  std::int64_t seed = 1;  ///< of initial values, sampled words and windows
};

/// "20000 words (checksum 5f0c7a11)": tells a text, as ids, from others.
std::string text_mark(const std::vector<std::int32_t>& text);

/// Batches of pairs over a text, without end: centres int32 [batch] and targets int32 [batch, 1].
/// Its iterator saves and restores its position, and refuses another text; with new random streams
/// it goes on from the next word. Makes a node in the current graph.
data::Dataset skip_gram_dataset(SkipGramPairs::Text text, std::int64_t batch, std::int64_t window,
                                std::uint64_t seed);

/// word2vec's skip-gram model with noise-contrastive estimation (Mikolov et al. 2013; Gutmann and
/// Hyvärinen 2010), as the TensorFlow notes build it: from a word, its neighbours are told from
/// words drawn at random.
class SkipGram : public Model {
 public:
  /// Throws InvalidArgument for a size below 1, a learning rate that is no positive number, a
  /// vocabulary smaller than the sample, or a text of fewer than two words.
  SkipGram(const SkipGramOptions& options, SkipGramPairs::Text text);

  /// The words' vectors, [vocab, dim]: the variable "embed_matrix".
  const Variable& embed_matrix() const { return embed_matrix_; }

 protected:
  void import_data() override;
  void create_embedding() override;
  void create_loss() override;
  void create_optimizer() override;
  void create_summaries() override;

 private:
  SkipGramOptions options_;
  SkipGramPairs::Text text_;
  data::Dataset dataset_;
  data::Iterator iterator_;
  Output center_;
  Output target_;
  Variable embed_matrix_;
  Output embed_;
};

}  // namespace assay::word2vec
