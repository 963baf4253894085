// Weights shared through variable scopes and get_variable.
#include "assay/assay.h"

#include <fmt/core.h>

namespace {

assay::Output fully_connected(assay::Output x, std::int64_t output_dim, const std::string& scope) {
  const assay::VariableScope variables(scope, {.reuse = assay::AUTO_REUSE});
  const auto w = assay::get_variable("weights", {x.shape().dim(1), output_dim},
                                     {.initializer = assay::random_normal_initializer()});
  const auto b = assay::get_variable("biases", {output_dim},
                                     {.initializer = assay::constant_initializer(0.0)});
  return assay::matmul(x, w) + b;
}

assay::Output two_hidden_layers(assay::Output x) {
  const auto h1 = fully_connected(x, 50, "h1");
  return fully_connected(h1, 10, "h2");
}

}  // namespace

int main() {
  const auto x1 = assay::truncated_normal({200, 100}, {.name = "x1"});
  const auto x2 = assay::truncated_normal({200, 100}, {.name = "x2"});
  {
    const assay::VariableScope scope("two_layers");
    two_hidden_layers(x1);
    two_hidden_layers(x2);  // the same weights, thanks to AUTO_REUSE
  }
  for (const auto& variable : assay::global_variables()) {
    fmt::print("{} {}\n", variable.name(), variable.shape().str());
  }

  // The same by hand: the first use makes the variable, later ones share it.
  {
    assay::VariableScope scope("by_hand");
    const auto first = assay::get_variable("w", {2, 2});
    scope.reuse_variables();
    const auto second = assay::get_variable("w", {2, 2});
    fmt::print("shared: {}\n", first == second);
  }

  // Without reuse, making it again is an error that names both places.
  try {
    const assay::VariableScope scope("by_hand");
    assay::get_variable("w", {2, 2});
  } catch (const assay::Error& error) {
    fmt::print("{}\n", error.what());
  }
}
