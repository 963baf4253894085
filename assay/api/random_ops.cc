#include "assay/api/random_ops.h"

#include "assay/api/apply_op.h"
#include "assay/api/math_ops.h"
#include "assay/api/place_error.h"
#include "assay/api/seed_attrs.h"
#include "assay/base/log.h"
#include "assay/graph/random_nodes.h"

namespace assay {

namespace {

std::int64_t truncate_seed(std::int64_t seed) {
  const std::int64_t r = seed % kSeedModulus;
  return r < 0 ? r + kSeedModulus : r;
}

void add_labels(const Graph& graph, std::vector<std::string>& labels) {
  for (const RandomNode& random : random_nodes(graph)) {
    if (random.origin != SeedOrigin::kInput) labels.push_back(random.node->label());
  }
  for (const Graph* function : function_graphs(graph)) add_labels(*function, labels);
}

/// Random ops do not change any more: whoever sets a seed after them may think they do.
void warn_of_earlier_ops(Graph& graph, std::int64_t seed, const std::source_location& where) {
  constexpr const char* kWarned = "random_ops/warned_of_late_seed";
  constexpr std::size_t kMostShown = 10;
  std::any& warned = graph.attachment(kWarned);
  if (warned.has_value()) return;
  std::vector<std::string> labels;
  add_labels(graph, labels);
  if (labels.empty()) return;
  warned = true;
  std::string list;
  for (std::size_t i = 0; i < labels.size() && i < kMostShown; ++i) {
    list += (i == 0 ? "" : ", ") + labels[i];
  }
  if (labels.size() > kMostShown) {
    list += fmt::format(" and {} more", labels.size() - kMostShown);
  }
  log_warning(
      "set_random_seed({}) ({}) does not change the seeds of {} random op{} made before it: {}. "
      "Call it before the first of them",
      seed, place_of(where), labels.size(), labels.size() == 1 ? "" : "s", list);
}

}  // namespace

void set_random_seed(std::int64_t seed, std::source_location where) {
  set_random_seed(seed, seed_policy(current_graph()), where);
}

void set_random_seed(std::int64_t seed, SeedPolicy policy, std::source_location where) {
  Graph& graph = current_graph();
  if (graph.seed() != seed || seed_policy(graph) != policy) {
    warn_of_earlier_ops(graph, seed, where);
  }
  graph.set_seed(seed);
  set_seed_policy(graph, policy);
}

namespace internal {

AttrMap seed_attrs(Graph& graph, std::optional<std::int64_t> op_seed, const char* op,
                   const std::string& name) {
  std::string full = name.empty() ? op : name;
  if (full.ends_with('/')) {
    full.pop_back();
  } else {
    full = graph.unique_name(full, /*mark_as_used=*/false);
  }
  const auto [seed, seed2] = get_seed(graph, op_seed, full);
  AttrMap attrs;
  attrs["seed"] = seed;
  attrs["seed2"] = seed2;
  return attrs;
}

}  // namespace internal

std::pair<std::int64_t, std::int64_t> get_seed(const Graph& graph,
                                               std::optional<std::int64_t> op_seed,
                                               std::string_view node_name) {
  std::pair<std::int64_t, std::int64_t> seeds{0, 0};
  if (graph.seed()) {
    seeds.first = truncate_seed(*graph.seed());
    if (op_seed || seed_policy(graph) == SeedPolicy::by_count) {
      seeds.second = truncate_seed(op_seed.value_or(graph.num_nodes()));
    } else if (node_name.empty()) {
      invalid_argument(
          "get_seed: the graph's seeds come from names (SeedPolicy::by_name): give the name that "
          "the random op will have");
    } else {
      seeds.second = seed_by_name(seeds.first, seed_scope(graph) + std::string(node_name));
    }
  } else if (op_seed) {
    seeds = {kDefaultGraphSeed, truncate_seed(*op_seed)};
  } else {
    return seeds;
  }
  // Two zeros would mean "no seed" to the op.
  if (seeds.first == 0 && seeds.second == 0) seeds.second = kSeedModulus;
  return seeds;
}

Output random_uniform(const IntList& shape, const RandomOptions& options,
                      std::source_location where) {
  PlaceScope place(where);
  if (is_integer(base_dtype(options.dtype))) {
    internal::invalid_here("random_uniform: an upper bound must be given for {}",
                           dtype_name(options.dtype));
  }
  return random_uniform(shape, 0, 1, options, where);
}

Output random_uniform(const IntList& shape, const Operand& minval, const Operand& maxval,
                      const RandomOptions& options, std::source_location where) {
  PlaceScope place(where);
  const DType dtype = base_dtype(options.dtype);
  if (!is_floating(dtype) && dtype != DType::kInt32 && dtype != DType::kInt64) {
    internal::invalid_here("random_uniform: no random numbers of dtype {}", dtype_name(dtype));
  }
  OpScope scope(where, options.name, "random_uniform", {&shape.tensor(), &minval, &maxval});
  const Output dims = convert_to_tensor(shape, "shape");
  const Output low = convert_to_tensor(minval, "min", dtype);
  const Output high = convert_to_tensor(maxval, "max", dtype);
  if (is_integer(dtype)) {
    return apply_op(
               "RandomUniformInt", scope.full(), {Operand(dims), Operand(low), Operand(high)},
               internal::seed_attrs(scope.graph(), options.seed, "RandomUniformInt", scope.full()))
        ->output();
  }
  AttrMap attrs = internal::seed_attrs(scope.graph(), options.seed, "RandomUniform", "");
  attrs["dtype"] = dtype;
  const Output random = apply_op("RandomUniform", "", {Operand(dims)}, std::move(attrs))->output();
  const Output width = high - low;
  return add(random * width, low, {.name = scope.full()});
}

namespace {

Output normal(const char* op, const char* default_name, const IntList& shape,
              const RandomNormalOptions& options, const std::source_location& where) {
  const DType dtype = base_dtype(options.dtype);
  OpScope scope(where, options.name, default_name,
                {&shape.tensor(), &options.mean, &options.stddev});
  const Output dims = convert_to_tensor(shape, "shape");
  const Output mean = convert_to_tensor(options.mean, "mean", dtype);
  const Output stddev = convert_to_tensor(options.stddev, "stddev", dtype);
  AttrMap attrs = internal::seed_attrs(scope.graph(), options.seed, op, "");
  attrs["dtype"] = dtype;
  const Output random = apply_op(op, "", {Operand(dims)}, std::move(attrs))->output();
  return add(random * stddev, mean, {.name = scope.full()});
}

}  // namespace

Output random_normal(const IntList& shape, const RandomNormalOptions& options,
                     std::source_location where) {
  return normal("RandomStandardNormal", "random_normal", shape, options, where);
}

Output truncated_normal(const IntList& shape, const RandomNormalOptions& options,
                        std::source_location where) {
  return normal("TruncatedNormal", "truncated_normal", shape, options, where);
}

Output random_shuffle(const Operand& value, const RandomSeedOptions& options,
                      std::source_location where) {
  return apply_op(
      where, "RandomShuffle", options.name, {value},
      internal::seed_attrs(graph_of({&value}), options.seed, "RandomShuffle", options.name));
}

Output multinomial(const Operand& logits, const Operand& num_samples,
                   const RandomSeedOptions& options, std::source_location where) {
  OpScope scope(where, options.name, "multinomial", {&logits});
  const Output tensor = convert_to_tensor(logits, "logits");
  return apply_op("Multinomial", "", {Operand(tensor), num_samples},
                  internal::seed_attrs(scope.graph(), options.seed, "Multinomial", ""))
      ->output();
}

}  // namespace assay
