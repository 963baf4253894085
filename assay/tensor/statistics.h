#pragma once

#include <cstdint>
#include <optional>

#include "assay/tensor/tensor.h"

namespace assay {

/// What the elements of a tensor are like. Of complex numbers, their absolute values.
struct TensorStatistics {
  std::int64_t count = 0;
  std::int64_t nan = 0;
  std::int64_t inf = 0;
  std::int64_t zeros = 0;
  /// How many the next four are of: all that are neither NaN nor infinite.
  std::int64_t finite = 0;
  long double min = 0;
  long double max = 0;
  double mean = 0;
  /// Of the elements themselves, not an estimate: divided by `finite`.
  double stddev = 0;
};

/// Throws Unimplemented for strings, resources and variants. Sums are taken in order, in long
/// double: the same numbers on every run.
TensorStatistics tensor_statistics(const Tensor& tensor);

/// How far two tensors of one dtype and shape are apart.
struct TensorDifference {
  bool identical = false;         ///< every bit is equal
  std::int64_t different = 0;     ///< elements that differ; -0 and 0, NaN and NaN do not
  std::optional<double> largest;  ///< absolute; infinity where one is NaN; none for strings
};

/// Throws InvalidArgument when dtype or shape differ, Unimplemented for resources and variants.
TensorDifference compare_tensors(const Tensor& a, const Tensor& b);

/// The element at `index` in row-major order as a number (bool: 0 or 1; complex: the absolute
/// value). Throws Unimplemented for strings, resources and variants.
double element_as_double(const Tensor& tensor, std::int64_t index);

}  // namespace assay
