#include "assay/graph/random_nodes.h"

#include <algorithm>

#include "assay/base/siphash.h"
#include "assay/graph/shape_context.h"

namespace assay {
namespace {

// Beside the keys that assay/device/entropy.cc uses.
constexpr std::uint64_t kForNames = 4;
constexpr const char* kFunctionGraphs = "graph/function_graphs";

using FunctionGraphs = std::vector<std::shared_ptr<const Graph>>;

/// Where the op has the input of this name; -1 when it has none. REQUIRES: the inputs before it
/// are single tensors, as with all random ops.
int input_called(const Node& node, std::string_view name) {
  if (node.def() == nullptr) return -1;
  const auto& args = node.def()->input_args;
  const auto at =
      std::find_if(args.begin(), args.end(), [&](const ArgDef& arg) { return arg.name == name; });
  const int i = static_cast<int>(at - args.begin());
  return at != args.end() && i < node.num_inputs() ? i : -1;
}

bool has_seed_attrs(const Node& node) {
  const auto is_number = [](const AttrValue* value) {
    return value != nullptr && std::holds_alternative<std::int64_t>(*value);
  };
  return is_number(node.find_attr("seed")) && is_number(node.find_attr("seed2"));
}

std::optional<std::int64_t> known_number(const Output& tensor) {
  const Tensor value = constant_value(tensor);
  if (!value.defined() || value.num_elements() != 1) return std::nullopt;
  if (value.dtype() == DType::kInt64) return *value.data<std::int64_t>();
  if (value.dtype() == DType::kInt32) return *value.data<std::int32_t>();
  return std::nullopt;
}

/// The constant seeds of a stateless op.
std::optional<std::pair<std::int64_t, std::int64_t>> both_seeds(const Output& tensor) {
  const Tensor value = constant_value(tensor);
  if (!value.defined() || value.num_elements() != 2) return std::nullopt;
  if (value.dtype() == DType::kInt64) {
    const auto* seeds = value.data<std::int64_t>();
    return std::pair{seeds[0], seeds[1]};
  }
  if (value.dtype() != DType::kInt32) return std::nullopt;
  const auto* seeds = value.data<std::int32_t>();
  return std::pair<std::int64_t, std::int64_t>{seeds[0], seeds[1]};
}

/// The seeds that a dataset op reads. What makes the second one is, as in TensorFlow, a node that
/// puts another number in the place of two zeros.
std::optional<std::pair<std::int64_t, std::int64_t>> seeds_read(const Output& first,
                                                                const Output& second) {
  const auto seed = known_number(first);
  if (!seed) return std::nullopt;
  if (const auto seed2 = known_number(second)) return std::pair{*seed, *seed2};
  const Node& choice = *second.node;
  if ((choice.op() != "Select" && choice.op() != "SelectV2") || choice.num_inputs() != 3) {
    return std::nullopt;
  }
  const auto other = known_number(choice.input(1));
  const auto seed2 = known_number(choice.input(2));
  if (!other || !seed2) return std::nullopt;
  return std::pair{*seed, *seed == 0 && *seed2 == 0 ? *other : *seed2};
}

/// Whether `count` nodes were there when the seeds of `node` were taken: all made since are what it
/// reads, directly or by way of others of them.
bool was_made_after(const Node& node, std::int64_t count) {
  if (count < 0 || count > node.id()) return false;
  // A call makes a handful of nodes between taking its seed and using it.
  constexpr std::int64_t kMost = 16;
  const std::int64_t made = node.id() - count;
  if (made > kMost) return false;
  std::vector<const Node*> reached{&node};
  for (std::size_t k = 0; k < reached.size(); ++k) {
    for (const Output& input : reached[k]->inputs()) {
      if (input.node->id() < count || input.node->id() >= node.id()) continue;
      if (std::find(reached.begin(), reached.end(), input.node) == reached.end()) {
        reached.push_back(input.node);
      }
    }
  }
  return static_cast<std::int64_t>(reached.size()) == made + 1;
}

SeedOrigin origin_of(const Node& node, std::int64_t seed, std::int64_t seed2) {
  if (seed == 0 && seed2 == 0) return SeedOrigin::kEntropy;
  if (seed2 == seed_by_name(seed, seed_scope(node.graph()) + node.name())) {
    return SeedOrigin::kName;
  }
  // The graph's seed may be that number too, but then who set it knows.
  if (seed != kDefaultGraphSeed && was_made_after(node, seed2)) return SeedOrigin::kNodeCount;
  return SeedOrigin::kOpSeed;
}

}  // namespace

std::int64_t seed_by_name(std::int64_t graph_seed, std::string_view full_name) {
  return static_cast<std::int64_t>(
      siphash(static_cast<std::uint64_t>(graph_seed), kForNames, full_name) >> 1);
}

bool is_random(const Node& node) {
  if (node.def() == nullptr) return has_seed_attrs(node);
  if (input_called(node, "seed") >= 0) return true;
  return node.def()->effect == Effect::kState && has_seed_attrs(node);
}

std::vector<RandomNode> random_nodes(const Graph& graph) {
  std::vector<RandomNode> all;
  for (const auto& node : graph.nodes()) {
    if (!is_random(*node)) continue;
    RandomNode found{.node = node.get()};
    const int first = input_called(*node, "seed");
    const int second = input_called(*node, "seed2");
    if (first >= 0 && second >= 0) {
      found.seeds = seeds_read(node->input(first), node->input(second));
    } else if (first < 0) {
      found.seeds = {node->attr<std::int64_t>("seed"), node->attr<std::int64_t>("seed2")};
    } else {
      // No seed of the graph reaches a stateless op, so its origin stays as it is.
      found.seeds = both_seeds(node->input(first));
      all.push_back(found);
      continue;
    }
    if (found.seeds) found.origin = origin_of(*node, found.seeds->first, found.seeds->second);
    all.push_back(found);
  }
  return all;
}

void add_function_graph(Graph& outer, std::shared_ptr<const Graph> function) {
  std::any& attached = outer.attachment(kFunctionGraphs);
  if (!attached.has_value()) attached = FunctionGraphs();
  std::any_cast<FunctionGraphs&>(attached).push_back(std::move(function));
}

std::vector<const Graph*> function_graphs(const Graph& outer) {
  std::vector<const Graph*> all;
  const std::any* attached = outer.find_attachment(kFunctionGraphs);
  if (attached == nullptr) return all;
  for (const auto& graph : std::any_cast<const FunctionGraphs&>(*attached)) {
    all.push_back(graph.get());
  }
  return all;
}

}  // namespace assay
