#include "assay/ops/matrix_util.h"

#include <numeric>
#include <utility>
#include <vector>

#include "assay/ops/array_util.h"

namespace assay::ops {

MatrixSizes matrix_sizes(const Tensor& t) {
  const int rank = t.rank();
  if (rank < 2) invalid_argument("a matrix is needed, got shape {}", t.shape().str());
  return {product(t.shape(), 0, rank - 2), t.dim(rank - 2), t.dim(rank - 1)};
}

Shape with_matrix(Shape shape, std::int64_t rows, std::int64_t columns) {
  shape.set_dim(shape.rank() - 2, rows);
  shape.set_dim(shape.rank() - 1, columns);
  return shape;
}

Output matrix_transpose(NodeBuilder& b, Output x) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(x.shape().rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 2], order[order.size() - 1]);
  return b.op("Transpose", {x, b.ints(order)});
}

Output matrix_product(NodeBuilder& b, Output x, Output y, bool transpose_x, bool transpose_y) {
  if (x.shape().rank() == 2) {
    return b.op("MatMul", {x, y}, {{"transpose_a", transpose_x}, {"transpose_b", transpose_y}});
  }
  return b.op("BatchMatMulV2", {x, y}, {{"adj_x", transpose_x}, {"adj_y", transpose_y}});
}

Output triangle(NodeBuilder& b, Output x, bool lower) {
  const Output all = b.scalar(-1, DType::kInt64);
  const Output none = b.scalar(0, DType::kInt64);
  return b.op("MatrixBandPart", {x, lower ? all : none, lower ? none : all});
}

}  // namespace assay::ops
