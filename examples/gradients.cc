// Gradients of a few functions, beside the derivative by hand.
#include "assay/assay.h"

#include <fmt/core.h>

#include <cmath>

int main() {
  const auto x = assay::placeholder(assay::float32, {}, {.name = "x"});
  const float at = 0.7F;
  assay::Session session;
  const auto show = [&](const char* function, assay::Output y, double by_hand) {
    const auto dy = assay::dense_gradients({y}, {x})[0];
    fmt::print("d/dx {:14} at {}: {:9.6f}   by hand {:9.6f}\n", function, at,
               session.run(dy, {{x, at}}).item<float>(), by_hand);
  };
  show("2x^3 + 6x", 2 * assay::pow(x, 3) + 6 * x, 6 * std::pow(at, 2) + 6);
  show("sigmoid(x)", assay::sigmoid(x), std::exp(-at) / std::pow(1 + std::exp(-at), 2));
  show("x tanh(x)", x * assay::tanh(x), std::tanh(at) + at / std::pow(std::cosh(at), 2));
  show("log(1 + e^x)", assay::log(1 + assay::exp(x)), 1 / (1 + std::exp(-at)));

  // A gradient is made of ordinary nodes, so it has gradients too.
  const auto first = assay::dense_gradients({assay::exp(2 * x)}, {x})[0];
  show("d/dx exp(2x)", first, 4 * std::exp(2 * at));
}
