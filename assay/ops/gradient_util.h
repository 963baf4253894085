#pragma once

#include <cstdint>
#include <vector>

#include "assay/graph/gradient.h"

/// Small node builders that gradient functions of several families share; each makes the nodes
/// that TensorFlow's Python front end makes for the expression named.
namespace assay::ops {

/// `x[i]` of a vector: a scalar.
Output element(NodeBuilder& b, Output x, int i);
/// `x[begin:]` of a vector.
Output tail(NodeBuilder& b, Output x, int begin);
/// `x[:end]` of a vector.
Output head(NodeBuilder& b, Output x, Output end);
/// tf.concat(values, axis) of two or more tensors.
Output concat(NodeBuilder& b, std::vector<Output> values, int axis);
/// tf.stack(values, axis).
Output stack(NodeBuilder& b, std::vector<Output> values, int axis = 0);
/// tf.reshape(x, shape).
Output reshape(NodeBuilder& b, Output x, Output shape);
/// tf.reshape(x, tf.shape(like)).
Output reshape_like(NodeBuilder& b, Output x, Output like);
/// tf.reshape(x, [-1]).
Output flatten(NodeBuilder& b, Output x);
/// tf.expand_dims(x, axis).
Output expand_dims(NodeBuilder& b, Output x, int axis);
/// tf.cast(x, dtype): nothing when it is of that dtype already.
Output cast(NodeBuilder& b, Output x, DType dtype);
/// tf.gather(x, indices) along axis 0.
Output gather(NodeBuilder& b, Output x, Output indices);
/// tf.size(x): a Const when the shape is static.
Output size_of(NodeBuilder& b, Output x, DType out_type = DType::kInt32);
/// tf.rank(x): a Const when the rank is static.
Output rank_of(NodeBuilder& b, Output x);
/// tf.zeros_like(x).
Output zeros_like(NodeBuilder& b, Output x);
/// tf.where(condition, x, y).
Output select(NodeBuilder& b, Output condition, Output x, Output y);

}  // namespace assay::ops
