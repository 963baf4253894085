#include <algorithm>

#include "assay/base/error.h"
#include "assay/cli/seeds.h"
#include "assay/format/tensor_proto.h"
#include "assay/graph/op_registry.h"
#include "assay/graph/random_nodes.h"

namespace assay::cli {
namespace {

using Seeds = std::pair<std::int64_t, std::int64_t>;

/// The nodes of one function. They stay NodeDefs: a function that Assay could not run, since ops of
/// it are unknown, has seeds to be seen all the same.
class Body {
 public:
  explicit Body(const proto::FunctionDef& function) {
    for (const proto::NodeDef& node : function.node_def()) nodes_.emplace(node.name(), &node);
  }

  /// The integers of a constant; nothing for other tensors and for more than two.
  std::vector<std::int64_t> constant(const std::string& input) const {
    const proto::NodeDef* node = behind(input);
    if (node == nullptr || node->op() != "Const") return {};
    const auto value = node->attr().find("value");
    if (value == node->attr().end() || !value->second.has_tensor()) return {};
    try {
      constexpr std::int64_t kMostBytes = 16;
      const Tensor t = format::tensor_from_proto(value->second.tensor(), node->name(), kMostBytes);
      if (t.dtype() == DType::kInt64) return t.to_vector<std::int64_t>();
      if (t.dtype() != DType::kInt32) return {};
      const auto narrow = t.to_vector<std::int32_t>();
      return {narrow.begin(), narrow.end()};
    } catch (const Error&) {
      return {};
    }
  }
  std::optional<std::int64_t> number(const std::string& input) const {
    const auto values = constant(input);
    return values.size() == 1 ? std::optional(values.front()) : std::nullopt;
  }
  /// As in a graph, the second seed may be a choice that puts another number for two zeros.
  std::optional<Seeds> pair(const std::string& first, const std::string& second) const {
    const auto seed = number(first);
    if (!seed) return std::nullopt;
    if (const auto seed2 = number(second)) return Seeds{*seed, *seed2};
    const proto::NodeDef* choice = behind(second);
    if (choice == nullptr || choice->input_size() < 3) return std::nullopt;
    if (choice->op() != "Select" && choice->op() != "SelectV2") return std::nullopt;
    const auto other = number(choice->input(1));
    const auto seed2 = number(choice->input(2));
    if (!other || !seed2) return std::nullopt;
    return Seeds{*seed, *seed == 0 && *seed2 == 0 ? *other : *seed2};
  }

 private:
  /// The node that an input "NODE:OUTPUT:0" reads, past identities; nullptr for an argument.
  const proto::NodeDef* behind(std::string_view input) const {
    constexpr int kMostSteps = 16;
    for (int i = 0; i < kMostSteps; ++i) {
      const auto found = nodes_.find(input.substr(0, input.find(':')));
      if (found == nodes_.end()) return nullptr;
      if (found->second->op() != "Identity" || found->second->input().empty()) return found->second;
      input = found->second->input(0);
    }
    return nullptr;
  }

  std::map<std::string_view, const proto::NodeDef*> nodes_;
};

/// The attribute; 0, the default of all of them, when a known op was written without it.
std::optional<std::int64_t> seed_attr(const proto::NodeDef& node, const char* name,
                                      const OpDef* def) {
  const auto attr = node.attr().find(name);
  if (attr != node.attr().end()) {
    if (attr->second.value_case() != proto::AttrValue::kI) return std::nullopt;
    return attr->second.i();
  }
  return def != nullptr && def->find_attr(name) != nullptr ? std::optional<std::int64_t>(0)
                                                           : std::nullopt;
}

/// What the op reads as the input of this name, "" when the node was written without it; nothing
/// when the op has no such input. Those before it are single.
std::optional<std::string> input_called(const proto::NodeDef& node, const OpDef* def,
                                        std::string_view name) {
  if (def == nullptr) return std::nullopt;
  const auto& args = def->input_args;
  const auto at =
      std::find_if(args.begin(), args.end(), [&](const ArgDef& arg) { return arg.name == name; });
  if (at == args.end()) return std::nullopt;
  const int i = static_cast<int>(at - args.begin());
  return i < node.input_size() ? node.input(i) : std::string();
}

std::string origin_of(const Seeds& seeds, const std::string& full_name) {
  if (seeds.first == 0 && seeds.second == 0) return "entropy";
  if (seeds.second == seed_by_name(seeds.first, full_name)) return "graph seed, name";
  return seeds.first == kDefaultGraphSeed ? "op seed" : kFromGraphSeed;
}

/// What is known of a node; nothing when it does not draw.
std::optional<FunctionOp> random_op(const proto::NodeDef& node, const std::string& function,
                                    const Body& body, const OpDef* def) {
  FunctionOp found{.name = function + "/" + node.name(),
                   .function = function,
                   .node = node.name(),
                   .op = node.op(),
                   .from = "computed"};
  if (const auto first = input_called(node, def, "seed")) {
    if (const auto second = input_called(node, def, "seed2")) {
      found.seeds = body.pair(*first, *second);
      if (found.seeds) found.from = origin_of(*found.seeds, found.name);
    } else if (const auto both = body.constant(*first); both.size() == 2) {
      found.seeds = {both[0], both[1]};
      found.from = "op seed";
    }
    return found;
  }
  if (def != nullptr && def->effect != Effect::kState) return std::nullopt;
  const auto seed = seed_attr(node, "seed", def);
  const auto seed2 = seed_attr(node, "seed2", def);
  if (!seed || !seed2) return std::nullopt;
  found.seeds = {*seed, *seed2};
  found.from = origin_of(*found.seeds, found.name);
  return found;
}

}  // namespace

std::vector<FunctionOp> random_ops_of(const proto::FunctionDefLibrary& library,
                                      const OpRegistry& registry) {
  std::vector<FunctionOp> all;
  for (const proto::FunctionDef& function : library.function()) {
    const Body body(function);
    for (const proto::NodeDef& node : function.node_def()) {
      auto found = random_op(node, function.signature().name(), body, registry.find(node.op()));
      if (found) all.push_back(std::move(*found));
    }
  }
  return all;
}

}  // namespace assay::cli
