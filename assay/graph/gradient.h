#pragma once

#include <span>
#include <string>
#include <vector>

#include "assay/graph/graph.h"

namespace assay {

/// The gradient of a gather: rows `indices` of a tensor of shape `dense_shape` get `values`;
/// an index may occur several times, the rows then add up (tf.IndexedSlices).
struct IndexedSlices {
  Output values;
  Output indices;
  Output dense_shape;  ///< may be absent
};

/// A gradient on its way: absent, dense, or slices.
struct Gradient {
  Output dense;
  IndexedSlices slices;

  Gradient() = default;
  Gradient(Output o) : dense(o) {}
  Gradient(Output o, IndexedSlices s) = delete;
  Gradient(IndexedSlices s) : slices(s) {}
  bool defined() const { return static_cast<bool>(dense) || is_sparse(); }
  bool is_sparse() const { return static_cast<bool>(slices.values); }
};

/// Builds nodes by op name; what gradient functions and other graph rewrites write with.
class NodeBuilder {
 public:
  explicit NodeBuilder(Graph& graph) : graph_(graph) {}
  Graph& graph() const { return graph_; }
  /// Adds a node in the current scopes and returns it. `name` as in NodeSpec.
  Node* node(std::string op, std::vector<Output> inputs, AttrMap attrs = {}, std::string name = {});
  /// The same; returns output 0.
  Output op(std::string op, std::vector<Output> inputs, AttrMap attrs = {}, std::string name = {});
  /// A Const node.
  Output constant(Tensor value, std::string name = "Const");
  /// A scalar Const of `dtype` (numeric).
  Output scalar(double value, DType dtype, std::string name = "Const");
  /// An int32 vector Const.
  Output ints(const std::vector<std::int32_t>& values, std::string name = "Const");
  /// The shape of `x`: a Const when static and known, else a Shape node (tf.shape).
  Output shape_of(Output x, DType out_type = DType::kInt32);
  /// Sums `grad` down to the shape of `like`, undoing a broadcast: BroadcastGradientArgs, Sum and
  /// Reshape, or nothing when both static shapes say that none is needed.
  Output unbroadcast(Output grad, Output x, Output y, bool of_x);
  /// Makes the shapes and the BroadcastGradientArgs that unbroadcast() of the same `x` and `y`
  /// uses (once): for a gradient that in TF makes them before other nodes.
  void prepare_unbroadcast(Output x, Output y);

 private:
  Graph& graph_;
  Output broadcast_x_, broadcast_y_;  // what broadcast_args_ was made for
  Output shape_x_, shape_y_;
  Node* broadcast_args_ = nullptr;
};

/// What a gradient function sees: the forward node, and the gradients of its outputs. It sets the
/// gradients of those inputs that have any; the others stay absent.
class GradientContext : public NodeBuilder {
 public:
  /// `grad_outputs` has one entry for each output of `node`.
  GradientContext(Node& node, std::vector<Gradient> grad_outputs);

  using NodeBuilder::node;
  /// The forward node.
  Node& node() const { return node_; }
  Output input(int i) const { return node_.input(i); }
  Output output(int i) const { return node_.output(i); }
  int num_inputs() const { return node_.num_inputs(); }
  bool has_grad(int i = 0) const { return grad_outputs_.at(static_cast<std::size_t>(i)).defined(); }
  /// The dense gradient of output `i` (slices are made dense; an absent one becomes zeros).
  Output grad(int i = 0);
  /// As it came: absent, dense or slices.
  const Gradient& raw_grad(int i = 0) const {
    return grad_outputs_.at(static_cast<std::size_t>(i));
  }

  /// Sets the gradient of an input; a second one replaces the first.
  void set(int input, Gradient gradient) {
    grad_inputs_.at(static_cast<std::size_t>(input)) = gradient;
  }
  const std::vector<Gradient>& grad_inputs() const { return grad_inputs_; }

 private:
  Node& node_;
  std::vector<Gradient> grad_outputs_;
  std::vector<Gradient> grad_inputs_;
};

/// Makes slices dense: UnsortedSegmentSum over the rows of the dense shape (tf.convert_to_tensor
/// of IndexedSlices). Throws InvalidArgument when the dense shape is unknown.
Output densify(NodeBuilder& b, const IndexedSlices& slices);

}  // namespace assay
