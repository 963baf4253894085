#include "assay/ops/array_util.h"

namespace assay::ops {

std::vector<std::int64_t> int_values(const Tensor& t) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(t.num_elements()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = int_at(t, static_cast<std::int64_t>(i));
  }
  return values;
}

Shape shape_value(const Tensor& t, const char* what) {
  // A scalar stands for a vector of one size, as TensorFlow takes it.
  if (t.rank() > 1) invalid_argument("{} must be a vector, got shape {}", what, t.shape().str());
  const std::int64_t n = t.num_elements();
  if (n > kMaxRank)
    invalid_argument("{} has {} sizes, at most {} are supported", what, n, kMaxRank);
  Shape shape;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t size = int_at(t, i);
    if (size < 0) invalid_argument("{}[{}] = {} is negative", what, i, size);
    shape.add_dim(size);
  }
  return shape;
}

}  // namespace assay::ops
