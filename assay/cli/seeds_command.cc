#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>

#include "assay/base/file_system.h"
#include "assay/cli/checkpoints.h"
#include "assay/cli/commands.h"
#include "assay/cli/seeds.h"
#include "assay/device/entropy.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/checkpoint_reader.h"
#include "assay/format/table_reader.h"
#include "assay/graph/debug_info.h"
#include "assay/graph/graph_def.h"
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

/// Whether a file is a checkpoint or one of its files. Nothing but its end tells a V1 checkpoint
/// from a graph: it is a table.
bool is_of_checkpoint(const std::string& path) {
  if (checkpoint_prefix_of(path) != path || format::BundleReader::exists(path)) return true;
  try {
    [[maybe_unused]] const format::TableReader table(posix_file_system().open_read(path));
    return true;
  } catch (const Error& e) {
    if (e.code() != Code::kDataLoss) throw;
    return false;
  }
}

/// The checkpoint that `path` stands for; says what else may be named when there is none.
std::string checkpoint_named(const std::string& path) {
  try {
    return checkpoint_prefix_of(path);
  } catch (const Error& e) {
    if (e.code() != Code::kNotFound) throw;
    fail(Code::kNotFound,
         "{}; give a graph's file (.pb, .pbtxt, .meta), a SavedModel, a checkpoint's prefix or a "
         "run folder",
         e.message());
  }
}

Source find_source(const std::string& path) {
  FileSystem& files = posix_file_system();
  const auto info = files.stat(path);
  if (info && info->is_directory) {
    for (const char* name : {"saved_model.pb", "saved_model.pbtxt"}) {
      const std::string model = join_path(path, name);
      if (files.exists(model)) return {.path = path, .graph = model};
    }
  }
  Source source{.path = path, .is_run = train::is_run_dir(path)};
  if (info && !info->is_directory && path.ends_with(".meta")) {
    source.graph = path;
    const std::string prefix = path.substr(0, path.size() - std::string_view(".meta").size());
    if (format::CheckpointReader::exists(prefix)) source.checkpoint = prefix;
    return source;
  }
  if (info && !info->is_directory && !is_of_checkpoint(path)) return {.path = path, .graph = path};
  if (!info && !format::CheckpointReader::exists(path)) {
    fail(Code::kNotFound, "there is no graph, run folder or checkpoint '{}'", path);
  }
  source.checkpoint = checkpoint_named(path);
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

/// An op without what only some of them have.
Json op_json(const std::string& name, const std::string& op, const std::string& from,
             const std::optional<std::pair<std::int64_t, std::int64_t>>& seeds) {
  Json json = {{"name", name}, {"op", nullptr},    {"seed", nullptr}, {"seed2", nullptr},
               {"from", from}, {"place", nullptr}, {"drawn", nullptr}};
  if (!op.empty()) json["op"] = op;
  if (seeds) {
    json["seed"] = seeds->first;
    json["seed2"] = seeds->second;
  }
  return json;
}

/// What a stream has drawn, in blocks and, where a value takes `each` of them, in values.
Json drawn_json(const Drawn& drawn, int each) {
  Json counts = Json::object();
  if (drawn.blocks) {
    counts["blocks"] = *drawn.blocks;
    if (each != 0) counts["values"] = *drawn.blocks / static_cast<std::uint64_t>(each);
  }
  if (drawn.elements) counts["elements"] = *drawn.elements;
  return counts.empty() ? Json() : counts;
}

using Places = std::map<std::string, std::string>;

Json describe_op(const RandomNode& random, const Places& places, const Streams* streams) {
  const Node& node = *random.node;
  // The constant seeds of a stateless op were given for it.
  const bool given = random.seeds && random.origin == SeedOrigin::kInput;
  Json op = op_json(node.name(), node.op(), origin_str(given ? SeedOrigin::kOpSeed : random.origin),
                    random.seeds);
  const auto place = places.find(node.name());
  if (place != places.end()) op["place"] = place->second;
  const int each = node.def() != nullptr ? node.def()->blocks_a_value : 0;
  if (streams != nullptr) op["drawn"] = drawn_json(streams->of(node.name()), each);
  return op;
}

Json describe_op(const FunctionOp& inner, const Places& places, const Drawn& drawn) {
  Json op = op_json(inner.name, inner.op, inner.from, inner.seeds);
  auto place = places.find(inner.name);
  // As TensorFlow names the nodes of functions there.
  if (place == places.end()) place = places.find(inner.node + "@" + inner.function);
  if (place != places.end()) op["place"] = place->second;
  op["drawn"] = drawn_json(drawn, 0);
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
    table.add({printable(op["name"].get<std::string>()),
               op["op"].is_null() ? "-" : printable(op["op"].get<std::string>()),
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
  if (!source.checkpoint.empty()) streams.emplace(source.checkpoint, graph);
  const auto places = places_beside(source.graph);

  Json ops = Json::array();
  for (const RandomNode& random : random_nodes(graph)) {
    ops.push_back(describe_op(random, places, streams ? &*streams : nullptr));
  }
  for (const FunctionOp& inner : random_ops_of(function_library(graph), graph.registry())) {
    ops.push_back(describe_op(inner, places, Drawn{}));
  }
  if (streams) {
    for (const auto& [name, inner] : streams->in_functions()) {
      ops.push_back(describe_op(inner.first, places, inner.second));
    }
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
