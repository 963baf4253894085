#include <assay/assay.h>

#include <cmath>
#include <cstdio>

int main() {
  auto x = assay::placeholder(assay::float32, {-1});
  auto y = assay::placeholder(assay::float32, {-1});
  auto w = assay::Variable(0.0F, {.name = "w"});
  auto loss = assay::reduce_mean(assay::square(w * x - y));
  auto* train = assay::train::GradientDescentOptimizer(0.1).minimize(loss);
  assay::Session session;
  session.run(assay::global_variables_initializer());
  auto step = session.make_callable({.feeds = {x, y}, .fetches = {loss}, .targets = {train}});
  auto xs = assay::Tensor::of<float>({1, 2, 3});
  auto ys = assay::Tensor::of<float>({3, 6, 9});
  for (int i = 0; i < 100; ++i) step({xs, ys});
  const float slope = session.run(w.value()).item<float>();
  std::printf("w = %g\n", static_cast<double>(slope));
  return std::fabs(slope - 3.0F) < 1e-3F ? 0 : 1;
}
