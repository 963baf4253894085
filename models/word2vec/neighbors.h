#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assay/tensor/tensor.h"
#include "models/word2vec/corpus.h"

namespace assay::word2vec {

/// A word and how near it is: the cosine of the angle between two vectors, -1 to 1.
struct Neighbor {
  std::int32_t id = 0;
  double similarity = 0;
};

/// The `count` words nearest to word `id` by cosine, nearest first, without itself and UNK; equally
/// near ones by id. `vectors` is float32 [vocab, dim].
std::vector<Neighbor> nearest(const Tensor& vectors, std::int32_t id, std::int64_t count);

/// The vectors as word2vec's text format has them: a line "vocab dim", then each word with its
/// numbers, which read back as the same bits. Throws InvalidArgument when words and vectors do not
/// match.
std::string vectors_text(const Vocabulary& vocabulary, const Tensor& vectors);

}  // namespace assay::word2vec
