// Nodes grouped by name scopes, as TensorBoard folds them.
#include "assay/assay.h"

#include <fmt/core.h>

int main() {
  assay::Output total;
  {
    const assay::NameScope data("data");
    const auto a = assay::constant(2.0, {.name = "a"});
    const auto b = assay::constant(3.0, {.name = "b"});
    const assay::NameScope inner("inner");
    total = assay::add(a, b, {.name = "sum"});
  }
  {
    // A second scope of the same name gets a number.
    const assay::NameScope data("data");
    total = total * 10;
  }
  for (const auto& node : assay::current_graph().nodes()) {
    fmt::print("{:8} {}\n", node->op(), node->name());
  }
  assay::Session session;
  fmt::print("{} = {}\n", total.name(), session.run(total).item<float>());
}
