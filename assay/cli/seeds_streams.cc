#include "assay/cli/seeds.h"

#include <algorithm>

#include "assay/graph/random_nodes.h"
#include "assay/train/saver.h"

namespace assay::cli {
namespace {

constexpr std::string_view kIterator = "iterator/";
constexpr std::string_view kDataset = "dataset/";
constexpr std::string_view kElements = "/elements";
constexpr std::string_view kRandom = "/random/";
// Places at which a key may be cut; no key has as many, so only a hostile one is given up.
constexpr int kMostCuts = 16;

bool goes_on(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

/// The node that a stage's key begins with: what follows it tells stages of one node apart. Nothing
/// when the graph has none of that name.
std::optional<std::string> node_of(std::string_view key, const Graph& graph) {
  int cuts = 0;
  for (auto end = key.size(); end > 0 && cuts < kMostCuts; --end) {
    if (end < key.size() && goes_on(key[end])) continue;
    ++cuts;
    std::string name(key.substr(0, end));
    if (graph.find_node(name) != nullptr) return name;
  }
  return std::nullopt;
}

/// The lower half of a stream's counter: how much was drawn.
std::uint64_t blocks_of(const std::vector<std::int64_t>& stream) {
  const auto word = [&](std::size_t i) {
    return std::uint64_t{static_cast<std::uint32_t>(stream[i])};
  };
  return word(0) | (word(1) << 32);
}

/// The seeds from which a stream began: its key and the upper half of its counter.
void add_seeds(const std::vector<std::int64_t>& stream, FunctionOp& op) {
  const auto word = [&](std::size_t i) {
    return std::uint64_t{static_cast<std::uint32_t>(stream[i])};
  };
  const auto seed = static_cast<std::int64_t>(word(4) | (word(5) << 32));
  const auto seed2 = static_cast<std::int64_t>(word(2) | (word(3) << 32));
  // Seeds are taken modulo that; what follows from the entropy is 64 bits.
  if (seed < 0 || seed > kSeedModulus) {
    op.from = "entropy";
    return;
  }
  op.seeds = {seed, seed2};
  if (seed2 == seed_by_name(seed, op.name)) {
    op.from = "graph seed, name";
  } else {
    op.from = seed == kDefaultGraphSeed ? "op seed" : kFromGraphSeed;
  }
}

}  // namespace

Streams::Streams(const std::string& prefix, const Graph& graph)
    : reader_(format::CheckpointReader::open(prefix)) {
  const std::string iterators = fmt::format("{}{}", train::kReservedPrefix, kIterator);
  for (const auto& [name, unused] : reader_->entries()) {
    if (name.starts_with(iterators)) add_iterator_state(name, graph);
  }
}

void Streams::add_iterator_state(const std::string& name, const Graph& graph) {
  // "_assay/iterator/ITERATOR|dataset/NODE/elements", "...|dataset/NODE/random/INNER NODE";
  // "NODE#2" and so on at further places.
  const auto bar = name.find('|');
  if (bar == std::string::npos) return;
  const std::string own = name.substr(std::string_view(train::kReservedPrefix).size());
  std::string_view key = std::string_view(name).substr(bar + 1);
  if (!key.starts_with(kDataset)) return;
  key.remove_prefix(kDataset.size());
  if (key.ends_with(kElements)) {
    key.remove_suffix(kElements.size());
    const auto count = numbers(own, 1);
    // A file may say anything; no count that is true is so large.
    constexpr std::int64_t kMost = std::int64_t{1} << 53;
    if (!count || count->front() < 0 || count->front() > kMost) return;
    std::int64_t& sum = elements_[node_of(key, graph).value_or(std::string(key))];
    sum = std::min(sum + count->front(), kMost);
    return;
  }
  const auto first = key.find(kRandom);
  if (first == std::string_view::npos) return;
  // Names may hold the mark too.
  auto cut = first;
  std::optional<std::string> node = node_of(key.substr(0, cut), graph);
  for (int i = 0; !node && i < kMostCuts; ++i) {
    cut = key.find(kRandom, cut + 1);
    if (cut == std::string_view::npos) break;
    node = node_of(key.substr(0, cut), graph);
  }
  if (!node) {
    cut = first;
    node = std::string(key.substr(0, cut));
  }
  const auto stream = numbers(own, 6);
  if (!stream) return;
  FunctionOp op;
  op.node = key.substr(cut + kRandom.size());
  op.name = *node + "/" + op.node;
  add_seeds(*stream, op);
  auto& [known, drawn] = in_functions_[op.name];
  known = op;
  drawn.blocks = drawn.blocks.value_or(0) + blocks_of(*stream);
}

Drawn Streams::of(const std::string& node) const {
  Drawn drawn;
  if (const auto stream = numbers("random/" + node, 6)) drawn.blocks = blocks_of(*stream);
  const auto shuffled = elements_.find(node);
  if (shuffled != elements_.end()) drawn.elements = shuffled->second;
  return drawn;
}

std::optional<std::uint64_t> Streams::entropy() const {
  const auto bits = numbers("entropy", 1);
  if (!bits) return std::nullopt;
  return static_cast<std::uint64_t>(bits->front());
}

std::optional<std::vector<std::int64_t>> Streams::numbers(const std::string& name,
                                                          std::int64_t count) const {
  const std::string full = train::kReservedPrefix + name;
  const format::CheckpointEntry* entry = reader_->find(full);
  if (entry == nullptr || entry->dtype != DType::kInt64 || !entry->slices.empty() ||
      entry->shape.num_elements() != count) {
    return std::nullopt;
  }
  return reader_->read(full).to_vector<std::int64_t>();
}

}  // namespace assay::cli
