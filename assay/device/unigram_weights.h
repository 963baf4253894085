#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "assay/tensor/tensor.h"

namespace assay {

/// The weights that a session's LearnedUnigramCandidateSampler learns: every class begins with 1
/// and gains 1 each time it is a true class. A complete binary tree of sums, root first. Kept in
/// the session's ResourceStore under unigram_resource_name(); guarded by the session, as variables
/// are. Throws ResourceExhausted for more classes than there is memory for.
class UnigramWeights : public Resource {
 public:
  /// `range` classes, each of weight 1. REQUIRES: range >= 1.
  explicit UnigramWeights(std::int64_t range)
      : range_(range),
        leaves_(std::bit_ceil(static_cast<std::size_t>(range))),
        memory_(Tensor::zeros(int32, Shape{2 * static_cast<std::int64_t>(leaves_)})),
        tree_(memory_.data<std::int32_t>()) {
    for (std::int64_t i = 0; i < range; ++i) tree_[leaves_ + static_cast<std::size_t>(i)] = 1;
    sum_up();
  }
  std::int64_t range() const { return range_; }
  std::int32_t total() const { return tree_[1]; }
  std::int32_t weight(std::int64_t value) const {
    return tree_[leaves_ + static_cast<std::size_t>(value)];
  }
  /// The class at this place when the classes lie side by side, each as wide as its weight.
  std::int64_t at(std::int32_t position) const {
    std::size_t i = 1;
    while (i < leaves_) {
      i *= 2;
      if (position >= tree_[i]) position -= tree_[i++];
    }
    return static_cast<std::int64_t>(i - leaves_);
  }
  void add(std::int64_t value) {
    for (std::size_t i = leaves_ + static_cast<std::size_t>(value); i > 0; i /= 2) ++tree_[i];
  }

  /// Takes over weights. REQUIRES: as many as range(), positive, their sum below 2^31.
  void set_weights(const std::int32_t* weights) {
    for (std::int64_t i = 0; i < range_; ++i) {
      tree_[leaves_ + static_cast<std::size_t>(i)] = weights[i];
    }
    sum_up();
  }

 private:
  void sum_up() {
    for (std::size_t i = leaves_ - 1; i > 0; --i) tree_[i] = tree_[2 * i] + tree_[2 * i + 1];
  }

  std::int64_t range_;
  std::size_t leaves_;
  Tensor memory_;
  std::int32_t* tree_;
};

/// Where a session's ResourceStore keeps the weights that the node of this name learns.
inline std::string unigram_resource_name(const std::string& node) {
  return "_unigram/" + node;
}

}  // namespace assay
