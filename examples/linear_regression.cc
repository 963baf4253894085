// The two phases: assemble a graph with placeholders, then feed it and run.
#include "assay/assay.h"

#include <fmt/core.h>

int main() {
  // Phase one: the graph. Nothing is computed yet.
  const auto x = assay::placeholder(assay::float32, {-1}, {.name = "x"});
  const auto y = assay::placeholder(assay::float32, {-1}, {.name = "y"});
  const auto w = assay::get_variable("weight", {.initial_value = assay::constant(0.0)});
  const auto b = assay::get_variable("bias", {.initial_value = assay::constant(0.0)});
  const auto loss = assay::reduce_mean(assay::square(y - (w * x + b)), {.name = "loss"});
  auto* const train_op = assay::train::GradientDescentOptimizer(0.05).minimize(loss);

  // Phase two: a session holds the variables and runs what it is asked for.
  assay::Session session;
  session.run(assay::global_variables_initializer());
  const auto xs = assay::Tensor::of<float>({-2, -1, 0, 1, 2, 3});
  const auto ys = assay::Tensor::of<float>({-7, -4, -1, 2, 5, 8});  // y = 3 x - 1
  const auto step =
      session.make_callable({.feeds = {x, y}, .fetches = {loss}, .targets = {train_op}});
  for (int epoch = 0; epoch < 200; ++epoch) {
    const float before = step({xs, ys})[0].item<float>();
    if (epoch % 50 == 0) fmt::print("epoch {:3}  loss {:.6f}\n", epoch, before);
  }
  const auto trained = session.run({w, b});
  fmt::print("y = {:.3f} x + {:.3f}\n", trained[0].item<float>(), trained[1].item<float>());
}
