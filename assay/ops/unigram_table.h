#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assay/base/philox.h"
#include "assay/tensor/tensor.h"

namespace assay {

/// How FixedUnigramCandidateSampler is told its weights, as its attributes say.
struct UnigramSource {
  std::string vocab_file;             ///< a class a line, its weight behind the last comma
  std::vector<float> unigrams;        ///< or the weights themselves
  float distortion = 1;               ///< the power that each weight is raised to
  std::int64_t num_reserved_ids = 0;  ///< classes of weight 0 before the others
  /// Of all classes those whose number leaves the remainder `shard` when divided by `num_shards`.
  std::int64_t num_shards = 1;
  std::int64_t shard = 0;
};

/// Classes drawn by fixed weights in constant time: Walker's alias method, table and drawing as
/// TensorFlow's DistributionSampler has them. Immutable, so safe to share between threads.
class UnigramTable : public Resource {
 public:
  /// Throws InvalidArgument for weights that are no finite numbers from 0 on, that are all 0, or
  /// that are not `range` in all; what reading the file throws; ResourceExhausted.
  UnigramTable(std::int64_t range, const UnigramSource& source);

  std::int64_t range() const { return range_; }
  /// How many classes can be drawn at all.
  std::int64_t num_possible() const { return num_possible_; }
  /// 0 outside of the range.
  float probability(std::int64_t value) const {
    return value < 0 || value >= range_ ? 0.0F : weights_[value] / total_;
  }
  std::int64_t sample(PhiloxStream& words) const {
    const float r = words.next_float();
    const Bucket& bucket = buckets_[words.uniform(static_cast<std::uint32_t>(range_))];
    return r < bucket.probability ? &bucket - buckets_ : bucket.alias;
  }

 private:
  // Class i is drawn from bucket i up to its probability, else the alias.
  struct Bucket {
    float probability;
    std::int32_t alias;
  };

  void fill_weights(const std::vector<float>& given, std::int64_t reserved);
  void fill_buckets();

  std::int64_t range_;
  std::int64_t num_possible_ = 0;
  float total_ = 0;
  // Memory of tensors, so that too much of it is an Error.
  Tensor weights_memory_;
  Tensor buckets_memory_;
  float* weights_ = nullptr;
  Bucket* buckets_ = nullptr;
};

/// Where a session's ResourceStore keeps the table of the node of this name.
inline std::string unigram_table_name(const std::string& node) {
  return "_fixed_unigram/" + node;
}

}  // namespace assay
