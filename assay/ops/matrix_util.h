#pragma once

#include <cstdint>

#include "assay/graph/gradient.h"
#include "assay/tensor/tensor.h"

/// What the ops on matrices, single ones and batches, share.
namespace assay::ops {

/// How many matrices a tensor holds in its last two dimensions, and their sizes.
struct MatrixSizes {
  std::int64_t count = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};
/// Throws InvalidArgument for a rank below 2.
MatrixSizes matrix_sizes(const Tensor& t);

/// `shape` with other sizes of its matrices. REQUIRES: rank 2 or more.
Shape with_matrix(Shape shape, std::int64_t rows, std::int64_t columns);

/// tf.matrix_transpose(x). REQUIRES: the rank of `x` is known and at least 2.
Output matrix_transpose(NodeBuilder& b, Output x);
/// tf.matmul(x, y). REQUIRES: as above, for both.
Output matrix_product(NodeBuilder& b, Output x, Output y, bool transpose_x = false,
                      bool transpose_y = false);
/// The lower or the upper triangle of `x`, diagonal included (tf.matrix_band_part).
Output triangle(NodeBuilder& b, Output x, bool lower);

}  // namespace assay::ops
