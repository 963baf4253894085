#include "assay/train/checkpoint_copy.h"

#include <filesystem>
#include <map>

#include "assay/format/bundle_writer.h"
#include "assay/graph/debug_info.h"
#include "assay/train/checkpoint_check.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/saver.h"

namespace assay::train {

namespace {

/// One spelling for all paths of a file.
std::string canonical(const std::string& path) {
  std::error_code error;
  const auto made = std::filesystem::weakly_canonical(std::filesystem::absolute(path), error);
  return error ? std::filesystem::path(path).lexically_normal().string() : made.string();
}

/// The names in the copy by those in the source; refuses two that become one.
std::map<std::string, std::string> new_names(const format::CheckpointReader& reader,
                                             const CopyOptions& options, CopyReport& report) {
  std::map<std::string, std::string> names;
  std::map<std::string, std::string> taken;
  for (const auto& [name, entry] : reader.entries()) {
    const bool reserved = name.starts_with(kReservedPrefix);
    if (reserved && options.variables_only) {
      report.left_out.push_back(name);
      continue;
    }
    std::string to = name;
    if (!reserved && options.rename) to = options.rename(name);
    if (to.empty() || to[0] == '\0') {
      invalid_argument("'{}' in the checkpoint '{}' would have no name", name, reader.prefix());
    }
    if (!reserved && to.starts_with(kReservedPrefix)) {
      invalid_argument("'{}' cannot be renamed '{}': names under '{}' are for what is no variable",
                       name, to, kReservedPrefix);
    }
    const auto [other, free] = taken.emplace(to, name);
    if (!free) {
      invalid_argument("'{}' and '{}' in the checkpoint '{}' would both be named '{}'",
                       other->second, name, reader.prefix(), to);
    }
    if (to != name) report.renamed.emplace_back(name, to);
    names.emplace(name, std::move(to));
  }
  return names;
}

}  // namespace

CopyReport copy_checkpoint(const std::string& source, const std::string& destination,
                           const CopyOptions& options, FileSystem& file_system) {
  const auto reader = format::CheckpointReader::open(source, file_system);
  if (canonical(source) == canonical(destination)) {
    invalid_argument("'{}' cannot be copied onto itself", source);
  }
  const bool there = format::CheckpointReader::exists(destination, file_system);
  if (there && !options.overwrite) {
    fail(Code::kAlreadyExists, "there is a checkpoint '{}' already", destination);
  }
  CopyReport report;
  const auto names = new_names(*reader, options, report);
  const auto parts = stored_parts(*reader);
  std::uint64_t needed = 0;
  for (const StoredPart& part : parts) {
    if (names.contains(part.name)) needed += part.size;
  }
  const std::string folder = parent_directory(destination);
  file_system.make_directories(folder);
  require_free_space(file_system, folder, needed);
  format::BundleWriter writer(destination, file_system);
  for (const StoredPart& part : parts) {
    const auto name = names.find(part.name);
    if (name == names.end()) continue;
    const Tensor value = read_part(*reader, part);
    if (part.slice) {
      writer.add_slice(name->second, part.shape, *part.slice, value);
    } else {
      writer.add(name->second, value);
    }
    report.bytes += part.size;
  }
  report.tensors = static_cast<std::int64_t>(names.size());
  const std::string meta = meta_graph_filename(source);
  const std::string meta_copy = meta_graph_filename(destination);
  report.meta = options.meta && file_system.exists(meta);
  const std::string graph = report.meta ? read_file(file_system, meta) : "";
  const std::string places_file = debug_info_path(meta);
  const bool has_places = report.meta && file_system.exists(places_file);
  const std::string places = has_places ? read_file(file_system, places_file) : "";
  writer.finish();
  // Without the one or the other, what is there is of the checkpoint that was replaced.
  const auto put = [&](bool wanted, const std::string& path, const std::string& bytes) {
    if (wanted) {
      atomic_write_file(file_system, path, bytes);
    } else if (there && file_system.exists(path)) {
      file_system.remove(path);
    }
  };
  put(report.meta, meta_copy, graph);
  put(has_places, debug_info_path(meta_copy), places);
  return report;
}

}  // namespace assay::train
