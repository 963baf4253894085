#include "assay/api/gradient_check.h"

#include <algorithm>
#include <cmath>

#include "assay/autodiff/gradients.h"
#include "assay/graph/gradient.h"
#include "assay/graph/scope.h"

namespace assay {
namespace {

double value_at(const Tensor& t, std::int64_t i) {
  return dispatch_numeric(
      t.dtype(), [&](auto zero) { return static_cast<double>(t.data<decltype(zero)>()[i]); });
}

void set_value(Tensor& t, std::int64_t i, double value) {
  dispatch_numeric(t.dtype(), [&](auto zero) {
    using T = decltype(zero);
    t.data<T>()[i] = static_cast<T>(value);
  });
}

bool can_vary(DType dtype) {
  return dtype == DType::kFloat || dtype == DType::kDouble;
}

/// Numbers between 0.5 and 1.5 of either sign, always the same ones: no two derivatives cancel.
Tensor weights(DType dtype, const Shape& shape) {
  Tensor t(dtype, shape);
  std::uint32_t state = 12345;
  for (std::int64_t i = 0; i < t.num_elements(); ++i) {
    state = state * 1664525U + 1013904223U;
    const double u = static_cast<double>(state >> 8) / (1 << 24);
    set_value(t, i, (state & 128U) != 0 ? 0.5 + u : -0.5 - u);
  }
  return t;
}

}  // namespace

GradientError gradient_error(const std::vector<Output>& ys, const std::vector<Feed>& at,
                             const GradientCheckOptions& options, std::source_location where) {
  const PlaceScope place(where);
  if (ys.empty()) invalid_argument("no function is given to check");
  Graph& graph = ys.front().graph();
  Session session({.graph = &graph, .threads = 1});

  std::vector<Output> xs;
  bool all_double = true;
  for (const Feed& feed : at) {
    if (!can_vary(feed.value.dtype())) continue;
    xs.push_back(feed.target);
    all_double = all_double && feed.value.dtype() == DType::kDouble;
  }
  if (xs.empty()) invalid_argument("none of the fed tensors is float32 or float64");
  const double delta = options.delta > 0 ? options.delta : (all_double ? 1e-5 : 1e-3);

  const std::vector<Tensor> values = session.run(at, ys);
  std::vector<Tensor> factors;
  std::vector<Output> weighted;
  std::vector<Output> derivatives;
  {
    const GraphScope current(graph);
    const NameScope scope(graph, "gradient_error");
    NodeBuilder builder(graph);
    for (const Tensor& value : values) {
      factors.push_back(weights(value.dtype(), value.shape()));
      weighted.push_back(builder.constant(factors.back(), "weights"));
    }
    derivatives = dense_gradients(ys, xs, {.grad_ys = weighted, .unconnected_zeros = true}, where);
  }
  const std::vector<Tensor> symbolic = session.run(at, derivatives);

  std::vector<Output> feeds;
  std::vector<Tensor> point;
  for (const Feed& feed : at) {
    feeds.push_back(feed.target);
    point.push_back(feed.value);
  }
  const Callable function = session.make_callable({.feeds = feeds, .fetches = ys, .targets = {}});
  const auto weighted_sum = [&] {
    const std::vector<Tensor> results = function(point);
    double sum = 0;
    for (std::size_t k = 0; k < results.size(); ++k) {
      for (std::int64_t i = 0; i < results[k].num_elements(); ++i) {
        sum += value_at(results[k], i) * value_at(factors[k], i);
      }
    }
    return sum;
  };

  GradientError worst;
  std::size_t x = 0;
  for (Tensor& value : point) {
    if (!can_vary(value.dtype())) continue;
    const Tensor center = value;
    const Tensor& derivative = symbolic[x];
    if (derivative.shape() != center.shape()) {
      invalid_argument("the gradient of '{}' has shape {}, the tensor {}", xs[x].name(),
                       derivative.shape().str(), center.shape().str());
    }
    for (std::int64_t i = 0; i < center.num_elements(); ++i) {
      const double here = value_at(center, i);
      value = center.copy();
      set_value(value, i, here + delta);
      const double above = weighted_sum();
      // What is stored may not be exactly the step: the difference of what was is divided by.
      const double high = value_at(value, i);
      value = center.copy();
      set_value(value, i, here - delta);
      const double below = weighted_sum();
      const double numeric = (above - below) / (high - value_at(value, i));
      const double exact = value_at(derivative, i);
      double error = std::abs(exact - numeric) / (1 + std::abs(numeric));
      if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
      if (error > worst.error || !worst.x) worst = {error, exact, numeric, xs[x], i};
    }
    value = center;
    ++x;
  }
  return worst;
}

void check_gradient(Output y, const std::vector<Feed>& at, const GradientCheckOptions& options,
                    std::source_location where) {
  const GradientError worst = gradient_error({y}, at, options, where);
  bool all_double = base_dtype(y.dtype()) == DType::kDouble;
  for (const Feed& feed : at) all_double = all_double && feed.value.dtype() != DType::kFloat;
  const double tolerance = options.tolerance > 0 ? options.tolerance : (all_double ? 1e-6 : 1e-2);
  if (worst.error <= tolerance) return;
  invalid_argument(
      "{}: the derivative by '{}', element {}, is {} by gradients() but {} by differences",
      y.node->label(), worst.x.name(), worst.element, worst.symbolic, worst.numeric);
}

}  // namespace assay
