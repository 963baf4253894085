#include <fmt/format.h>

#include <filesystem>

#include "assay/base/file_system.h"
#include "assay/cli/checkpoints.h"
#include "assay/cli/commands.h"
#include "assay/format/checkpoint_reader.h"
#include "assay/train/checkpoint_copy.h"

namespace assay::cli {

namespace {

constexpr std::uint64_t kMaxMapBytes = std::uint64_t{1} << 26;

/// `destination`, or the source's name in it when it is a folder.
std::string destination_of(const std::string& destination, const std::string& source) {
  if (!destination.ends_with('/') && !posix_file_system().is_directory(destination)) {
    return destination;
  }
  return join_path(destination, std::filesystem::path(source).filename().string());
}

train::CopyReport copy(const std::string& source, const std::string& destination,
                       const CopyFlags& flags, train::CopyOptions options) {
  options.variables_only = flags.variables_only;
  options.overwrite = flags.force;
  try {
    return train::copy_checkpoint(source, destination, options);
  } catch (const Error& e) {
    if (e.code() != Code::kAlreadyExists) throw;
    fail(e.code(), "{}; --force replaces it", e.message());
  }
}

Json report_json(const std::string& source, const std::string& destination,
                 const train::CopyReport& report) {
  return {{"source", source},      {"destination", destination}, {"tensors", report.tensors},
          {"bytes", report.bytes}, {"meta", report.meta},        {"left_out", report.left_out}};
}

void print_report(const std::string& source, const std::string& destination,
                  const train::CopyReport& report) {
  fmt::print("{} of {} in {}", count_str(report.tensors, "tensor"), printable(source),
             printable(destination));
  fmt::print(", {}, each verified", bytes_str(report.bytes));
  if (report.meta) fmt::print("; with its .meta");
  if (!report.left_out.empty()) fmt::print("; {} left out", report.left_out.size());
  fmt::print("\n");
}

/// MAP is a file when there is one of this name, otherwise the rules themselves.
train::RenameRules rules_of(const std::string& map) {
  FileSystem& files = posix_file_system();
  const auto info = files.stat(map);
  const bool is_file = info && !info->is_directory;
  if (!is_file && map.find('=') == std::string::npos && !map.starts_with("s")) {
    throw UsageError(fmt::format(
        "'{}' is no file and no rule: expected a file of rules, old=new or s/pattern/new/", map));
  }
  try {
    return train::RenameRules::parse(is_file ? read_file(files, map, kMaxMapBytes) : map,
                                     is_file ? map : "MAP");
  } catch (const Error& e) {
    if (e.code() != Code::kInvalidArgument) throw;
    throw UsageError(e.message());
  }
}

}  // namespace

int copy_command(const CopyFlags& flags) {
  const std::string source = checkpoint_prefix_of(flags.source);
  const std::string destination = destination_of(flags.destination, source);
  const auto report = copy(source, destination, flags, {});
  if (flags.json) {
    print_json(report_json(source, destination, report));
  } else {
    print_report(source, destination, report);
  }
  return 0;
}

int rename_command(const CopyFlags& flags) {
  const train::RenameRules rules = rules_of(flags.map);
  const std::string source = checkpoint_prefix_of(flags.source);
  const std::string destination = destination_of(flags.destination, source);
  std::vector<std::string> names;
  const auto reader = format::CheckpointReader::open(source);
  for (const auto& [name, entry] : reader->entries()) names.push_back(name);
  rules.check(names, source);
  // The graph in the .meta file has the old names.
  const auto report =
      copy(source, destination, flags,
           {.meta = false, .rename = [&](const std::string& name) { return rules.apply(name); }});
  if (flags.json) {
    Json json = report_json(source, destination, report);
    json["renamed"] = Json::array();
    for (const auto& [from, to] : report.renamed) {
      json["renamed"].push_back({{"from", from}, {"to", to}});
    }
    print_json(json);
    return 0;
  }
  for (const auto& [from, to] : report.renamed) {
    fmt::print("{} -> {}\n", printable(from), printable(to));
  }
  print_report(source, destination, report);
  return 0;
}

}  // namespace assay::cli
