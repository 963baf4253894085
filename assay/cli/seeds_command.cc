#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/cli/checkpoints.h"
#include "assay/cli/commands.h"
#include "assay/device/entropy.h"
#include "assay/format/checkpoint_reader.h"
#include "assay/graph/debug_info.h"
#include "assay/graph/graph_files.h"
#include "assay/graph/random_nodes.h"
#include "assay/train/checkpoint_listing.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/run_dir.h"
#include "assay/train/saver.h"

namespace assay::cli {
namespace {

/// What PATH names: a graph, and for a run the checkpoint that says how far its streams are.
struct Source {
  std::string path;
  std::string graph;       ///< the graph's file
  std::string checkpoint;  ///< a prefix; "" for none
  bool is_run = false;
};

Source find_source(const std::string& path) {
  FileSystem& files = posix_file_system();
  const auto info = files.stat(path);
  if (info && info->is_directory) {
    for (const char* name : {"saved_model.pb", "saved_model.pbtxt"}) {
      const std::string model = join_path(path, name);
      if (files.exists(model)) return {.path = path, .graph = model};
    }
  }
  const bool is_graph_file = info && !info->is_directory && !path.ends_with(".meta");
  if (is_graph_file && !format::CheckpointReader::exists(path)) {
    return {.path = path, .graph = path};
  }
  Source source{.path = path, .is_run = train::is_run_dir(path)};
  if (info && !info->is_directory && path.ends_with(".meta")) {
    source.graph = path;
    const std::string prefix = path.substr(0, path.size() - std::string_view(".meta").size());
    if (format::CheckpointReader::exists(prefix)) source.checkpoint = prefix;
    return source;
  }
  if (!info && !format::CheckpointReader::exists(path)) {
    fail(Code::kNotFound, "there is no graph, run folder or checkpoint '{}'", path);
  }
  source.checkpoint = checkpoint_prefix_of(path);
  source.graph = train::meta_graph_filename(source.checkpoint);
  if (!files.exists(source.graph)) {
    fail(Code::kNotFound,
         "the checkpoint '{}' was saved without its graph: there is no '{}'; name a graph's file",
         source.checkpoint, source.graph);
  }
  return source;
}

/// The places that were kept beside the graph's file; none when there are none.
std::map<std::string, std::string> places_beside(const std::string& graph) {
  const std::string path = debug_info_path(graph);
  if (path == graph || !posix_file_system().exists(path)) return {};
  return places_of(read_debug_info(path));
}

/// How far a node's stream was when the checkpoint was made.
struct Drawn {
  std::optional<std::uint64_t> blocks;   ///< of four 32-bit numbers
  std::optional<std::int64_t> elements;  ///< of a shuffled dataset at all its places
};

/// Where the streams of a checkpoint stand.
class Streams {
 public:
  explicit Streams(const std::string& prefix) : reader_(format::CheckpointReader::open(prefix)) {
    for (const auto& [name, unused] : reader_->entries()) {
      // "_assay/iterator/ITERATOR|dataset/NODE/elements"; "NODE#2" and so on at further places
      if (!name.starts_with(train::kReservedPrefix) || !name.ends_with(kElements)) continue;
      const auto node = name.find(kDataset);
      if (node == std::string::npos) continue;
      const auto first = node + kDataset.size();
      if (first + kElements.size() > name.size()) continue;
      const std::string place = name.substr(first, name.size() - kElements.size() - first);
      elements_[place.substr(0, place.find('#'))].push_back(name);
    }
  }

  Drawn of(const std::string& node) const {
    Drawn drawn;
    if (const auto stream = numbers("random/" + node, 6)) {
      // The counter's lower half; the upper one and the key say which stream it is.
      const auto word = [&](std::size_t i) { return static_cast<std::uint32_t>((*stream)[i]); };
      drawn.blocks = word(0) | (std::uint64_t{word(1)} << 32);
    }
    const auto shuffled = elements_.find(node);
    if (shuffled != elements_.end()) {
      for (const std::string& name : shuffled->second) {
        const std::string key = name.substr(std::string(train::kReservedPrefix).size());
        const auto count = numbers(key, 1);
        // A file may say anything; no count that is true is so large.
        constexpr std::int64_t kMost = std::int64_t{1} << 53;
        if (!count || count->front() < 0 || count->front() > kMost) continue;
        drawn.elements = std::min(drawn.elements.value_or(0) + count->front(), kMost);
      }
    }
    return drawn;
  }
  std::optional<std::uint64_t> entropy() const {
    const auto bits = numbers("entropy", 1);
    if (!bits) return std::nullopt;
    return static_cast<std::uint64_t>(bits->front());
  }

 private:
  static constexpr std::string_view kDataset = "|dataset/";
  static constexpr std::string_view kElements = "/elements";

  /// So many int64 under this name; nothing when there is no such tensor.
  std::optional<std::vector<std::int64_t>> numbers(const std::string& name,
                                                   std::int64_t count) const {
    const std::string full = train::kReservedPrefix + name;
    const format::CheckpointEntry* entry = reader_->find(full);
    if (entry == nullptr || entry->dtype != DType::kInt64 || !entry->slices.empty() ||
        entry->shape.num_elements() != count) {
      return std::nullopt;
    }
    return reader_->read(full).to_vector<std::int64_t>();
  }

  std::unique_ptr<format::CheckpointReader> reader_;
  std::map<std::string, std::vector<std::string>> elements_;  // names of tensors, by node
};

/// TensorFlow's ops pass over more of their stream than they use: so many blocks for each value.
/// 0 where it is not so simple.
std::uint64_t blocks_a_value(const Node& node) {
  constexpr std::array kFills = {"RandomUniform",   "RandomUniformInt", "RandomStandardNormal",
                                 "TruncatedNormal", "RandomGamma",      "RandomPoisson",
                                 "RandomPoissonV2"};
  for (const char* op : kFills) {
    if (node.op() == op) return 256;
  }
  return node.op().ends_with("CandidateSampler") ? 512 : 0;
}

const char* origin_str(SeedOrigin origin) {
  switch (origin) {
    case SeedOrigin::kOpSeed:
      return "op seed";
    case SeedOrigin::kNodeCount:
      return "graph seed, node count";
    case SeedOrigin::kName:
      return "graph seed, name";
    case SeedOrigin::kEntropy:
      return "entropy";
    case SeedOrigin::kInput:
      break;
  }
  return "computed";
}

Json describe_op(const RandomNode& random, const std::map<std::string, std::string>& places,
                 const Streams* streams) {
  const Node& node = *random.node;
  Json op = {{"name", node.name()},
             {"op", node.op()},
             {"seed", nullptr},
             {"seed2", nullptr},
             {"from", origin_str(random.origin)},
             {"place", nullptr},
             {"drawn", nullptr}};
  if (random.seeds) {
    op["seed"] = random.seeds->first;
    op["seed2"] = random.seeds->second;
  }
  const auto place = places.find(node.name());
  if (place != places.end()) op["place"] = place->second;
  if (streams == nullptr) return op;
  const Drawn drawn = streams->of(node.name());
  Json counts = Json::object();
  if (drawn.blocks) {
    counts["blocks"] = *drawn.blocks;
    const std::uint64_t each = blocks_a_value(node);
    if (each != 0) counts["values"] = *drawn.blocks / each;
  }
  if (drawn.elements) counts["elements"] = *drawn.elements;
  if (!counts.empty()) op["drawn"] = std::move(counts);
  return op;
}

std::string drawn_str(const Json& drawn) {
  // In the order in which people would rather know them.
  for (const char* unit : {"elements", "values", "blocks"}) {
    if (!drawn.is_object() || !drawn.contains(unit)) continue;
    const auto count = drawn[unit].get<std::uint64_t>();
    const std::string one(unit, std::string_view(unit).size() - 1);
    return fmt::format("{} {}", count, count == 1 ? one : unit);
  }
  return "-";
}

void print_seeds(const Json& d) {
  const Json& ops = d["ops"];
  fmt::print("{} in {}", count_str(static_cast<std::int64_t>(ops.size()), "random op"),
             printable(d["graph"].get<std::string>()));
  if (!d["step"].is_null()) fmt::print(", drawn up to step {}", d["step"].get<std::int64_t>());
  fmt::print("\n");
  if (!d["entropy"].is_null()) fmt::print("entropy: {}\n", d["entropy"].get<std::string>());
  if (ops.empty()) return;
  fmt::print("\n");
  const auto number = [](const Json& j) {
    return j.is_null() ? std::string("-") : std::to_string(j.get<std::int64_t>());
  };
  Table table("<<>><<>");
  table.add({"name", "op", "seed", "seed2", "from", "place", "drawn"});
  for (const Json& op : ops) {
    const bool unseeded = op["from"] == origin_str(SeedOrigin::kEntropy);
    table.add({printable(op["name"].get<std::string>()), printable(op["op"].get<std::string>()),
               unseeded ? "-" : number(op["seed"]), unseeded ? "-" : number(op["seed2"]),
               op["from"].get<std::string>(),
               op["place"].is_null() ? "-" : printable(op["place"].get<std::string>()),
               drawn_str(op["drawn"])});
  }
  table.print();
}

int seeds(const std::string& path, bool json) {
  const Source source = find_source(path);
  const GraphFile file = read_graph_file(source.graph);
  Graph graph;
  import_graph_def(file.meta.graph_def(), graph, {.source = source.graph});
  std::optional<Streams> streams;
  if (!source.checkpoint.empty()) streams.emplace(source.checkpoint);
  const auto places = places_beside(source.graph);

  Json ops = Json::array();
  for (const RandomNode& random : random_nodes(graph)) {
    ops.push_back(describe_op(random, places, streams ? &*streams : nullptr));
  }
  std::optional<std::uint64_t> entropy;
  if (source.is_run) entropy = train::read_run_info(path).entropy;
  if (!entropy && streams) entropy = streams->entropy();
  Json d = {{"path", path},    {"graph", source.graph}, {"checkpoint", nullptr},
            {"step", nullptr}, {"entropy", nullptr},    {"ops", std::move(ops)}};
  if (!source.checkpoint.empty()) {
    d["checkpoint"] = source.checkpoint;
    const std::int64_t step = train::checkpoint_step(source.checkpoint);
    if (step >= 0) d["step"] = step;
  }
  if (entropy) d["entropy"] = entropy_str(*entropy);
  if (json) {
    print_json(d);
  } else {
    print_seeds(d);
  }
  return 0;
}

}  // namespace

void add_seeds(CLI::App& app, Action& action) {
  struct Flags {
    std::string path;
    bool json = false;
  };
  CLI::App* command = app.add_subcommand(
      "seeds",
      "List the random ops of a graph: their seeds, where these came from, where the code made\n"
      "the op and, for a run or a checkpoint, how much it has drawn");
  auto flags = std::make_shared<Flags>();
  command
      ->add_option("GRAPH|RUN", flags->path,
                   "Graph (.pb, .pbtxt, .meta), SavedModel, run folder, or a checkpoint's prefix")
      ->required()
      ->type_name("");
  command->add_flag("--json", flags->json, "As JSON");
  command->callback(
      [&action, flags] { action = [flags] { return seeds(flags->path, flags->json); }; });
}

}  // namespace assay::cli
