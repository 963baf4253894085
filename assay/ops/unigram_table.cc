#include "assay/ops/unigram_table.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "assay/base/byte_source.h"

namespace assay {
namespace {

constexpr std::int64_t kMostClasses = std::numeric_limits<std::int32_t>::max();

float parse_weight(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  float weight = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  return weight;
}

float distorted(float weight, float distortion, const std::string& what) {
  const float power = std::pow(weight, distortion);
  if (!(weight >= 0) || !std::isfinite(power)) {
    invalid_argument("{} must be a weight from 0 on, finite to the power of {} (the distortion)",
                     what, distortion);
  }
  return power;
}

/// The weights of the shard's classes behind the reserved ones; `first` is the number that the
/// first one has. No more than `most` are read.
std::vector<float> weights_of(const UnigramSource& source, std::int64_t first, std::int64_t most) {
  std::vector<float> weights;
  std::int64_t word = first;
  const auto in_shard = [&] { return word++ % source.num_shards == source.shard; };
  if (source.vocab_file.empty()) {
    for (std::size_t i = 0; i < source.unigrams.size(); ++i) {
      if (!in_shard()) continue;
      weights.push_back(distorted(source.unigrams[i], source.distortion,
                                  fmt::format("unigram {} is {}: it", i, source.unigrams[i])));
    }
    return weights;
  }
  LineReader lines(open_bytes(source.vocab_file));
  for (std::string line; lines.next(line);) {
    if (line.empty() || !in_shard()) continue;
    if (std::ssize(weights) == most) {
      invalid_argument("'{}' has more classes than the {} that range_max leaves for it",
                       source.vocab_file, most);
    }
    const std::string_view last = std::string_view(line).substr(line.rfind(',') + 1);
    weights.push_back(distorted(parse_weight(last), source.distortion,
                                fmt::format("{}:{}: '{}' behind the last comma", source.vocab_file,
                                            lines.line_number(), last.substr(0, 40))));
  }
  return weights;
}

}  // namespace

UnigramTable::UnigramTable(std::int64_t range, const UnigramSource& source) : range_(range) {
  if (source.vocab_file.empty() == source.unigrams.empty()) {
    invalid_argument("give either vocab_file or unigrams, got {}",
                     source.unigrams.empty() ? "neither" : "both");
  }
  if (range > kMostClasses) {
    invalid_argument("range_max must be at most {}, got {}", kMostClasses, range);
  }
  if (source.shard >= source.num_shards) {
    invalid_argument("shard must be below num_shards, got {} of {}", source.shard,
                     source.num_shards);
  }
  const std::int64_t ids = std::max<std::int64_t>(0, source.num_reserved_ids);
  if (ids > kMostClasses) {
    invalid_argument("num_reserved_ids must be at most {}, got {}", kMostClasses, ids);
  }
  const std::int64_t reserved =
      ids / source.num_shards + (source.shard < ids % source.num_shards ? 1 : 0);
  // As in TensorFlow, the count goes on from the reserved ids of this shard, not from all.
  const std::vector<float> given =
      weights_of(source, reserved, std::max<std::int64_t>(0, range - reserved));
  const std::int64_t classes = reserved + std::ssize(given);
  if (classes != range) {
    invalid_argument("range_max is {}, but there are {} classes: {} reserved and {} with a weight",
                     range, classes, reserved, given.size());
  }
  weights_memory_ = Tensor(float32, Shape{range});
  weights_ = weights_memory_.data<float>();
  fill_weights(given, reserved);
  fill_buckets();
}

void UnigramTable::fill_weights(const std::vector<float>& given, std::int64_t reserved) {
  std::fill_n(weights_, reserved, 0.0F);
  std::copy(given.begin(), given.end(), weights_ + reserved);
  for (const float w : given) {
    total_ += w;
    num_possible_ += w > 0 ? 1 : 0;
  }
  if (!(total_ > 0) || !std::isfinite(total_)) {
    invalid_argument("the sum of all weights must be a number above 0, got {}", total_);
  }
}

void UnigramTable::fill_buckets() {
  static_assert(sizeof(Bucket) == sizeof(std::int64_t));
  buckets_memory_ = Tensor(int64, Shape{range_});
  buckets_ = static_cast<Bucket*>(buckets_memory_.raw());
  Tensor parts_memory(float64, Shape{range_});
  auto* parts = parts_memory.data<double>();  // of a bucket, that each class has left
  // Two stacks of classes in one memory: those with less than a bucket from the front, the others
  // from the back.
  Tensor stacks(int32, Shape{range_});
  auto* stack = stacks.data<std::int32_t>();
  std::int64_t low = 0;
  std::int64_t high = range_;
  double sum = 0;
  for (std::int64_t i = 0; i < range_; ++i) sum += weights_[i];
  for (std::int64_t i = 0; i < range_; ++i) {
    parts[i] = (weights_[i] * static_cast<float>(range_)) / sum;
    buckets_[i].alias = static_cast<std::int32_t>(i);
    stack[parts[i] < 1.0 ? low++ : --high] = static_cast<std::int32_t>(i);
  }
  while (low > 0 && high < range_) {
    const std::int32_t l = stack[--low];
    const std::int32_t h = stack[high++];
    buckets_[l].alias = h;
    parts[h] -= 1.0 - parts[l];
    stack[parts[h] < 1.0 ? low++ : --high] = h;
  }
  // What is left over would have just one bucket, were it not for rounding.
  while (low > 0) parts[stack[--low]] = 1.0;
  while (high < range_) parts[stack[high++]] = 1.0;
  for (std::int64_t i = 0; i < range_; ++i) {
    buckets_[i].probability = static_cast<float>(parts[i]);
  }
}

}  // namespace assay
