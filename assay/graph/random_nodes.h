#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "assay/graph/graph.h"
#include "assay/graph/seed_policy.h"

namespace assay {

/// TensorFlow's graph seed where only the op is given one.
inline constexpr std::int64_t kDefaultGraphSeed = 87654321;
/// Graph and op seeds are taken modulo this, as TensorFlow takes them.
inline constexpr std::int64_t kSeedModulus = (std::int64_t{1} << 31) - 1;

/// The op seed of SeedPolicy::by_name: the upper 63 bits of siphash(graph_seed, 4, full_name).
/// `graph_seed` is taken modulo kSeedModulus already, so that seed and name of a node are enough
/// to see where its seed2 came from.
std::int64_t seed_by_name(std::int64_t graph_seed, std::string_view full_name);

/// True for ops that draw random numbers; of ops that Assay does not know, for those with the
/// attributes `seed` and `seed2`.
bool is_random(const Node& node);

/// Where the seeds of a random op came from.
enum class SeedOrigin {
  kOpSeed,     ///< given for this op
  kNodeCount,  ///< SeedPolicy::by_count: the graph's seed and the number of nodes
  kName,       ///< SeedPolicy::by_name: the graph's seed and the node's name
  kEntropy,    ///< no seed at all
  kInput,      ///< computed by the graph whenever it runs
};

/// A random op of a graph.
struct RandomNode {
  const Node* node = nullptr;
  /// The op's seed and seed2; nothing when the graph computes them.
  std::optional<std::pair<std::int64_t, std::int64_t>> seeds;
  SeedOrigin origin = SeedOrigin::kInput;
};

/// All of them, in the order they were made. Nodes do not keep the origin: it is seen from the
/// seeds, the name and the number of nodes before. So a seed that was given for an op and happens
/// to be that number counts as it.
std::vector<RandomNode> random_nodes(const Graph& graph);

/// Lets `outer` know the graph of a function that one of its nodes runs; it is kept alive.
void add_function_graph(Graph& outer, std::shared_ptr<const Graph> function);
/// Those graphs, in the order they were added.
std::vector<const Graph*> function_graphs(const Graph& outer);

}  // namespace assay
