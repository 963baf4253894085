#pragma once

#include <string>

namespace assay {

class Graph;

/// How a random op that is given no seed of its own gets one when its graph has a seed.
enum class SeedPolicy {
  by_count,  ///< TensorFlow's: the number of nodes made so far
  by_name,   ///< from its full name, so that other nodes do not matter
};

/// That of the graph; by_count when none was set.
SeedPolicy seed_policy(const Graph& graph);
void set_seed_policy(Graph& graph, SeedPolicy policy);  ///< for ops made from now on

/// What stands before the names of this graph where SeedPolicy::by_name takes full names: the node
/// that runs it and a slash when it is a function's, else "".
std::string seed_scope(const Graph& graph);
void set_seed_scope(Graph& graph, std::string scope);  ///< to be called before the first op

}  // namespace assay
