#include "assay/format/histogram.h"

#include <algorithm>

#include "assay/base/error.h"

namespace assay::format {

namespace {

std::vector<double> make_limits() {
  std::vector<double> positive;
  for (double limit = 1.0e-12; limit < 1.0e20; limit *= 1.1) positive.push_back(limit);
  positive.push_back(std::numeric_limits<double>::max());
  std::vector<double> limits;
  for (auto it = positive.rbegin(); it != positive.rend(); ++it) limits.push_back(-*it);
  limits.push_back(0.0);
  limits.insert(limits.end(), positive.begin(), positive.end());
  return limits;
}

}  // namespace

const std::vector<double>& Histogram::bucket_limits() {
  static const std::vector<double> limits = make_limits();
  return limits;
}

Histogram::Histogram() : counts_(bucket_limits().size()) {}

void Histogram::add(double value) {
  const std::vector<double>& limits = bucket_limits();
  const auto bucket = std::upper_bound(limits.begin(), limits.end(), value) - limits.begin();
  ASSAY_CHECK(static_cast<std::size_t>(bucket) < counts_.size());
  counts_[static_cast<std::size_t>(bucket)] += 1;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  num_ += 1;
  sum_ += value;
  sum_squares_ += value * value;
}

void Histogram::to_proto(proto::HistogramProto& message) const {
  const std::vector<double>& limits = bucket_limits();
  message.Clear();
  message.set_min(min_);
  message.set_max(max_);
  message.set_num(num_);
  message.set_sum(sum_);
  message.set_sum_squares(sum_squares_);
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const bool empty = counts_[i] <= 0;
    // Of a run of empty buckets only the last limit is told.
    if (empty && i + 1 < counts_.size() && counts_[i + 1] <= 0) continue;
    message.add_bucket_limit(limits[i]);
    message.add_bucket(counts_[i]);
  }
}

}  // namespace assay::format
