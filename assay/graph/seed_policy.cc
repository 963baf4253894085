#include "assay/graph/seed_policy.h"

#include "assay/graph/graph.h"

namespace assay {
namespace {

// Where the graph keeps them.
constexpr const char* kPolicy = "graph/seed_policy";
constexpr const char* kScope = "graph/seed_scope";

}  // namespace

SeedPolicy seed_policy(const Graph& graph) {
  const std::any* attached = graph.find_attachment(kPolicy);
  return attached == nullptr ? SeedPolicy::by_count : std::any_cast<SeedPolicy>(*attached);
}

void set_seed_policy(Graph& graph, SeedPolicy policy) {
  graph.attachment(kPolicy) = policy;
}

std::string seed_scope(const Graph& graph) {
  const std::any* attached = graph.find_attachment(kScope);
  return attached == nullptr ? std::string() : std::any_cast<std::string>(*attached);
}

void set_seed_scope(Graph& graph, std::string scope) {
  graph.attachment(kScope) = std::move(scope);
}

}  // namespace assay
