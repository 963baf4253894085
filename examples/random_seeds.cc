// Randomness at the level of an op and of the graph: TensorFlow 1.15's numbers.
#include "assay/assay.h"

#include <fmt/core.h>

int main() {
  // A seed for one op: the session draws one number after the other; a new session starts over.
  const auto c = assay::random_uniform({}, -10, 10, {.seed = 2});
  for (int i = 0; i < 2; ++i) {
    assay::Session session;
    const float first = session.run(c).item<float>();
    const float second = session.run(c).item<float>();
    fmt::print("session {}: {:.7g} then {:.8g}\n", i + 1, first, second);
  }

  // A seed for the graph, set before its first random op: each gets one of its own, from its place.
  assay::Graph graph;
  assay::GraphScope scope(graph);
  assay::set_random_seed(2);
  for (int i = 0; i < 4; ++i) assay::random_uniform({}, -10, 10);
  const auto d = assay::random_uniform({}, -10, 10);
  const auto e = assay::random_uniform({}, -10, 10);
  assay::Session session;
  fmt::print("graph seed: {:.7g} and {:.8g}\n", session.run(d).item<float>(),
             session.run(e).item<float>());
}
