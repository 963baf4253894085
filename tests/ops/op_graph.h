#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "assay/autodiff/gradients.h"
#include "assay/graph/gradient.h"
#include "assay/graph/graph.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"

namespace assay::testing {

/// A small graph under test, its variables, and sessions on it.
class OpGraph {
 public:
  OpGraph() : b_(graph_) {}

  Graph& graph() { return graph_; }
  NodeBuilder& builder() { return b_; }
  Output constant(Tensor value) { return b_.constant(std::move(value)); }
  Node* node(std::string op, std::vector<Output> inputs, AttrMap attrs = {},
             std::string name = {}) {
    return b_.node(std::move(op), std::move(inputs), std::move(attrs), std::move(name));
  }
  Output op(std::string op, std::vector<Output> inputs, AttrMap attrs = {}) {
    return b_.op(std::move(op), std::move(inputs), std::move(attrs));
  }
  /// A VariableV2 that initialize() gives this value.
  Output variable(const Tensor& value, const std::string& name = "v") {
    const Output v = b_.op(
        "VariableV2", {}, {{"shape", PartialShape(value.shape())}, {"dtype", value.dtype()}}, name);
    initializers_.push_back(b_.node("Assign", {v, constant(value)}));
    return v;
  }
  /// A VarHandleOp likewise.
  Output resource(const Tensor& value, const std::string& name = "r") {
    const Output h =
        b_.op("VarHandleOp", {}, {{"shape", PartialShape(value.shape())}, {"dtype", value.dtype()}},
              name);
    initializers_.push_back(
        b_.node("AssignVariableOp", {h, constant(value)}, {{"dtype", value.dtype()}}));
    return h;
  }
  Output read(Output handle, DType dtype) {
    return b_.op("ReadVariableOp", {handle}, {{"dtype", dtype}});
  }
  /// A session in which the variables so far have their values.
  Session& session(int threads = 1) {
    if (session_ == nullptr) {
      session_ = std::make_unique<Session>(SessionOptions{.graph = &graph_, .threads = threads});
      if (!initializers_.empty()) session_->run({}, {}, initializers_);
    }
    return *session_;
  }
  Tensor run(Output fetch) { return session().run(fetch); }

 private:
  Graph graph_;
  NodeBuilder b_;
  std::vector<Node*> initializers_;
  std::unique_ptr<Session> session_;
};

/// The largest difference between the derivative that the gradient functions give of sum(f(x) w)
/// for fixed weights w, and central differences, over all elements of x (float64).
inline double gradient_error(const std::function<Output(NodeBuilder&, Output)>& f,
                             const Tensor& at) {
  OpGraph g;
  const Output x =
      g.builder().op("Placeholder", {}, {{"dtype", float64}, {"shape", PartialShape(at.shape())}});
  const Output y = f(g.builder(), x);
  // Weights that are all different, so that no error cancels.
  Tensor weights(float64, y.shape().to_shape());
  for (std::int64_t i = 0; i < weights.num_elements(); ++i) {
    weights.data<double>()[i] = 0.3 + 0.17 * static_cast<double>((i * 7) % 11);
  }
  const Output weighted = g.op("Mul", {y, g.constant(weights)});
  std::vector<std::int32_t> axes;
  for (int i = 0; i < weights.rank(); ++i) axes.push_back(i);
  const Output total = g.op("Sum", {weighted, g.builder().ints(axes)});
  const auto grads = dense_gradients({total}, {x});
  Session& session = g.session();
  const Tensor analytic = session.run({{x, at}}, {grads.at(0)}).at(0);
  double worst = 0;
  for (std::int64_t i = 0; i < at.num_elements(); ++i) {
    constexpr double kStep = 1e-6;
    const auto value = [&](double by) {
      Tensor moved = at.copy();
      moved.data<double>()[i] += by;
      return session.run({{x, moved}}, {total}).at(0).item<double>();
    };
    const double numeric = (value(kStep) - value(-kStep)) / (2 * kStep);
    worst = std::max(worst, std::abs(numeric - analytic.data<double>()[i]));
  }
  return worst;
}

}  // namespace assay::testing
