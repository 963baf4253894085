#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "assay/cli/commands.h"
#include "assay/cli/inspect.h"

namespace assay::cli {
namespace {

/// "1 graph", "2 graphs".
template <typename N>
std::string count_str(N count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void print_tensors(const Json& tensors) {
  std::size_t width = 0;
  for (const Json& t : tensors) width = std::max(width, text_of(t["name"]).size());
  for (const Json& t : tensors) {
    fmt::print("  {:<{}}  {:<8} {:<16} {:>9}", text_of(t["name"]), width, text_of(t["dtype"]),
               t["shape"].dump(), bytes_str(t["bytes"].get<std::uint64_t>()));
    if (t.contains("slices")) fmt::print("  in {} slices", t["slices"].size());
    fmt::print("\n");
  }
}

void print_checkpoint(const Json& d) {
  fmt::print("checkpoint {}: {}, {}, {}\n", text_of(d["path"]),
             count_str(d["tensors"].size(), "tensor"), bytes_str(d["bytes"].get<std::uint64_t>()),
             count_str(d["shards"].get<int>(), "shard"));
  if (d.contains("missing")) {
    for (const Json& path : d["missing"]) fmt::print("  missing: {}\n", text_of(path));
  }
  print_tensors(d["tensors"]);
}

/// "MatMul 3, Add 2", the most frequent first.
std::string counts_str(const Json& counts) {
  std::vector<std::pair<std::int64_t, std::string>> sorted;
  for (const auto& [name, count] : counts.items())
    sorted.emplace_back(-count.get<std::int64_t>(), name);
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> parts;
  for (const auto& [count, name] : sorted) parts.push_back(fmt::format("{} {}", name, -count));
  return fmt::format("{}", fmt::join(parts, ", "));
}

void print_nodes(const char* title, const Json& nodes) {
  if (nodes.empty()) return;
  fmt::print("{}:\n", title);
  for (const Json& node : nodes) {
    const std::string shape = node.contains("shape") ? text_of(node["shape"]) : "";
    fmt::print("  {}  {}{}\n", text_of(node["name"]),
               node.contains("dtype") ? text_of(node["dtype"]) : "",
               shape == "?" ? " of any shape" : shape);
  }
}

void print_graph(const Json& d) {
  fmt::print("{} {} ({}, producer {}): {}, {} of op", text_of(d["kind"]), text_of(d["path"]),
             text_of(d["format"]), d["producer"].get<int>(),
             count_str(d["nodes"].get<int>(), "node"), count_str(d["ops"].size(), "kind"));
  if (d["functions"] != 0) fmt::print(", {}", count_str(d["functions"].get<int>(), "function"));
  fmt::print("\n");
  if (d.contains("tensorflow_version") && d["tensorflow_version"] != "") {
    fmt::print("TensorFlow version {}\n", text_of(d["tensorflow_version"]));
  }
  if (d.contains("tags")) fmt::print("tags: {}\n", d["tags"].dump());
  fmt::print("ops: {}\n", counts_str(d["ops"]));
  if (!d["unsupported"].empty()) {
    fmt::print("not supported by Assay: {}\n", counts_str(d["unsupported"]));
  }
  print_nodes("placeholders", d["placeholders"]);
  print_nodes("variables", d["variables"]);
  if (d.contains("collections") && !d["collections"].empty()) {
    fmt::print("collections: {}\n", counts_str(d["collections"]));
  }
  if (d.contains("saver")) fmt::print("saver: {}\n", d["saver"].dump());
  if (d.contains("signatures")) {
    for (const auto& [name, signature] : d["signatures"].items()) {
      fmt::print("signature {} ({})\n", name, text_of(signature["method"]));
      for (const char* side : {"inputs", "outputs"}) {
        for (const auto& [key, tensor] : signature[side].items()) {
          fmt::print("  {:<8} {}: {}\n", side, key, text_of(tensor));
        }
      }
    }
  }
  if (d.contains("variables_file")) print_checkpoint(d["variables_file"]);
}

void print_tags(const Json& tags) {
  for (const Json& t : tags) {
    fmt::print("  {:<9} {}  {}, steps {} to {}", text_of(t["type"]), text_of(t["tag"]),
               count_str(t["count"].get<std::int64_t>(), "time"),
               t["first_step"].get<std::int64_t>(), t["last_step"].get<std::int64_t>());
    if (t.contains("last_value") && t["last_value"].is_number()) {
      fmt::print(", last {:.6g}", t["last_value"].get<double>());
    }
    fmt::print("\n");
  }
}

void print_events(const Json& d) {
  fmt::print("events {}: {} in {:.1f} s", text_of(d["path"]),
             count_str(d["events"].get<std::int64_t>(), "event"),
             d["last_time"].get<double>() - d["first_time"].get<double>());
  const auto kinds = {std::pair{"graphs", "graph"},
                      {"meta_graphs", "meta graph"},
                      {"run_metadata", "run record"},
                      {"log_messages", "log message"}};
  for (const auto& [key, what] : kinds) {
    if (d.contains(key)) fmt::print(", {}", count_str(d[key].get<std::int64_t>(), what));
  }
  fmt::print("{}\n", d["truncated"] == true ? "; the last one is cut short" : "");
  print_tags(d["tags"]);
  if (d.contains("session_log")) {
    for (const Json& entry : d["session_log"]) {
      fmt::print("  session   {} at step {}", text_of(entry["status"]),
                 entry["step"].get<std::int64_t>());
      if (entry.contains("checkpoint")) fmt::print(": {}", text_of(entry["checkpoint"]));
      fmt::print("\n");
    }
  }
}

void print_folder(const Json& d) {
  if (d["kind"] == "run") {
    fmt::print("run {} of {}\n", text_of(d["path"]), text_of(d["model"]));
    for (const auto& [name, value] : d["parameters"].items()) {
      fmt::print("  {:<10} {}\n", name, text_of(value));
    }
    if (d.contains("forked_from")) {
      const Json& parent = d["forked_from"];
      fmt::print("forked from {} at step {}{}\n", text_of(parent["run"]),
                 parent["step"].get<std::int64_t>(),
                 parent["reseeded"] == true ? ", with new random streams" : "");
    }
  }
  fmt::print("{}\n", count_str(d["checkpoints"].size(), "checkpoint"));
  for (const Json& prefix : d["checkpoints"]) fmt::print("  {}\n", text_of(prefix));
  if (d.contains("newest")) print_checkpoint(d["newest"]);
  if (!d.contains("events")) return;
  const Json& events = d["events"];
  fmt::print("{}, {}", count_str(d["event_files"].size(), "event file"),
             count_str(events["starts"].get<std::int64_t>(), "start"));
  if (events["void_points"] != 0) {
    fmt::print("; {} of steps that were done again left out",
               count_str(events["void_points"].get<std::int64_t>(), "point"));
  }
  fmt::print("\n");
  for (const Json& problem : events["damaged"]) fmt::print("  damaged: {}\n", text_of(problem));
  print_tags(events["tags"]);
}

int inspect(const std::string& path, bool json) {
  const Json description = describe(path);
  if (json) {
    fmt::print("{}\n", description.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    print_description(description);
  }
  return 0;
}

}  // namespace

void print_description(const Json& d) {
  const std::string kind = d["kind"];
  if (kind == "checkpoint") {
    print_checkpoint(d);
  } else if (kind == "events") {
    print_events(d);
  } else if (kind == "records") {
    fmt::print("records {}: {} of {} to {} bytes, {} in all{}\n", text_of(d["path"]),
               d["records"].get<std::int64_t>(), d["shortest"].get<std::int64_t>(),
               d["longest"].get<std::int64_t>(), bytes_str(d["bytes"].get<std::uint64_t>()),
               d["truncated"] == true ? "; the last one is cut short" : "");
  } else if (kind == "checkpoint_state") {
    fmt::print("checkpoint state {}: newest {}\n", text_of(d["path"]), text_of(d["newest"]));
    for (const Json& prefix : d["checkpoints"]) fmt::print("  {}\n", text_of(prefix));
  } else if (kind == "npy") {
    fmt::print("npy {}: {}\n", text_of(d["path"]), text_of(d["value"]));
  } else if (kind == "run" || kind == "folder") {
    print_folder(d);
  } else {
    print_graph(d);
  }
}

void add_inspect(CLI::App& app, Action& action) {
  struct Flags {
    std::string path;
    bool json = false;
  };
  CLI::App* command = app.add_subcommand(
      "inspect",
      "Say what is in a run folder, checkpoint, graph (.pb, .pbtxt, .meta), SavedModel, event "
      "file, TFRecord file or .npy file");
  auto flags = std::make_shared<Flags>();
  command->add_option("PATH", flags->path, "File, folder, or a checkpoint's prefix")
      ->required()
      ->type_name("");
  command->add_flag("--json", flags->json, "As JSON");
  command->callback(
      [&action, flags] { action = [flags] { return inspect(flags->path, flags->json); }; });
}

}  // namespace assay::cli
