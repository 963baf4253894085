#include "models/word2vec/neighbors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace assay::word2vec {
namespace {

double dot(const float* a, const float* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

}  // namespace

std::vector<Neighbor> nearest(const Tensor& vectors, std::int32_t id, std::int64_t count) {
  const std::int64_t vocab = vectors.dim(0);
  const std::int64_t dim = vectors.dim(1);
  if (id < 0 || id >= vocab) invalid_argument("there is no word {} among {}", id, vocab);
  const float* all = vectors.data<float>();
  const float* center = all + id * dim;
  const double center_norm = std::sqrt(dot(center, center, dim));
  std::vector<Neighbor> found;
  for (std::int64_t i = 1; i < vocab; ++i) {
    if (i == id) continue;
    const float* word = all + i * dim;
    const double norms = center_norm * std::sqrt(dot(word, word, dim));
    found.push_back({static_cast<std::int32_t>(i), norms > 0 ? dot(center, word, dim) / norms : 0});
  }
  const auto nearer = [](const Neighbor& a, const Neighbor& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.id < b.id;
  };
  const auto keep = std::min<std::int64_t>(std::max<std::int64_t>(count, 0), std::ssize(found));
  std::partial_sort(found.begin(), found.begin() + keep, found.end(), nearer);
  found.resize(static_cast<std::size_t>(keep));
  return found;
}

std::string vectors_text(const Vocabulary& vocabulary, const Tensor& vectors) {
  if (vectors.dtype() != DType::kFloat || vectors.rank() != 2 ||
      vectors.dim(0) != vocabulary.size()) {
    invalid_argument("{} words do not go with vectors {}{}", vocabulary.size(),
                     dtype_name(vectors.dtype()), vectors.shape().str());
  }
  const std::int64_t dim = vectors.dim(1);
  std::string text = fmt::format("{} {}\n", vocabulary.size(), dim);
  const float* value = vectors.data<float>();
  for (const std::string& word : vocabulary.words) {
    text += word;
    for (std::int64_t i = 0; i < dim; ++i)
      fmt::format_to(std::back_inserter(text), " {}", *value++);
    text += '\n';
  }
  return text;
}

}  // namespace assay::word2vec
