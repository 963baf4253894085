#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "assay/format/proto/event.pb.h"

namespace assay::format {

/// Counts values in TensorFlow's buckets: limits grow by 1.1 from 1e-12 to 1e20, on both sides
/// of zero. Thread-compatible.
class Histogram {
 public:
  Histogram();

  /// REQUIRES: finite values.
  void add(double value);
  /// add() for each, as a double.
  template <typename T>
  void add_all(std::span<const T> values) {
    for (const T& v : values) add(static_cast<double>(v));
  }

  /// Of the values added so far.
  double min() const { return min_; }
  double max() const { return max_; }
  double num() const { return num_; }
  double sum() const { return sum_; }
  double sum_squares() const { return sum_squares_; }

  /// A run of empty buckets becomes one. Without values: one empty bucket, as TensorFlow writes.
  void to_proto(proto::HistogramProto& message) const;

  /// The upper limits of all buckets, ascending; the last is the largest double.
  static const std::vector<double>& bucket_limits();

 private:
  std::vector<double> counts_;
  double min_ = std::numeric_limits<double>::max();
  double max_ = std::numeric_limits<double>::lowest();
  double num_ = 0;
  double sum_ = 0;
  double sum_squares_ = 0;
};

}  // namespace assay::format
