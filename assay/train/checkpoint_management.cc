#include "assay/train/checkpoint_management.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "assay/base/error.h"
#include "assay/base/file_system.h"
#include "assay/base/log.h"
#include "assay/format/bundle_files.h"
#include "assay/format/checkpoint_reader.h"
#include "assay/format/proto/checkpoint.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/debug_info.h"

namespace assay::train {

namespace {

constexpr std::uint64_t kMaxStateBytes = std::uint64_t{1} << 24;
constexpr const char* kSetAside = ".damaged";

std::string state_file(const std::string& dir, const std::string& latest_filename) {
  return join_path(dir.empty() ? "." : dir,
                   latest_filename.empty() ? "checkpoint" : latest_filename);
}

bool is_absolute(const std::string& path) {
  return path.starts_with('/');
}

/// `path` as seen from the folder `dir`.
std::string relative_to(const std::string& path, const std::string& dir) {
  const std::filesystem::path made =
      std::filesystem::path(path).lexically_relative(dir.empty() ? "." : dir);
  return made.empty() ? path : made.string();
}

/// Whether `suffix` is ".data-00000-of-00001".
bool is_data_suffix(std::string_view suffix) {
  return suffix.starts_with(".data-") && suffix.size() == 20 && suffix.substr(11, 4) == "-of-";
}

/// Whether a prefix is one of a checkpoint set aside: "m-7.damaged", "m-7.damaged-2".
bool is_set_aside(const std::string& prefix) {
  const auto dot = prefix.rfind(kSetAside);
  if (dot == std::string::npos) return false;
  const std::string rest = prefix.substr(dot + std::string_view(kSetAside).size());
  return rest.empty() || (rest.size() > 1 && rest[0] == '-' &&
                          rest.find_first_not_of("0123456789", 1) == std::string::npos);
}

/// How long "NAME-NUMBER" is at the start of `file`; 0 when it does not begin so.
std::size_t numbered_length(std::string_view file, std::string_view name) {
  if (!file.starts_with(name) || file.size() <= name.size() || file[name.size()] != '-') return 0;
  const std::size_t first = name.size() + 1;
  const std::size_t end = std::min(file.find_first_not_of("0123456789", first), file.size());
  return end == first ? 0 : end;
}

}  // namespace

std::optional<CheckpointState> get_checkpoint_state(const std::string& checkpoint_dir,
                                                    const std::string& latest_filename,
                                                    FileSystem& file_system) {
  const std::string path = state_file(checkpoint_dir, latest_filename);
  const auto info = file_system.stat(path);
  if (!info || info->is_directory) return std::nullopt;
  proto::CheckpointState message;
  try {
    message = format::parse_text<proto::CheckpointState>(
        read_file(file_system, path, kMaxStateBytes), path);
  } catch (const Error& e) {
    if (e.code() != Code::kInvalidArgument) throw;
    fail(Code::kDataLoss, "the checkpoint state file is damaged: {}", e.message());
  }
  if (message.model_checkpoint_path().empty()) {
    fail(Code::kDataLoss, "the checkpoint state file '{}' names no checkpoint", path);
  }
  CheckpointState state;
  const auto absolute = [&](const std::string& p) { return join_path(checkpoint_dir, p); };
  state.model_checkpoint_path = absolute(message.model_checkpoint_path());
  for (const auto& p : message.all_model_checkpoint_paths()) {
    state.all_model_checkpoint_paths.push_back(absolute(p));
  }
  state.all_model_checkpoint_timestamps.assign(message.all_model_checkpoint_timestamps().begin(),
                                               message.all_model_checkpoint_timestamps().end());
  state.last_preserved_timestamp = message.last_preserved_timestamp();
  return state;
}

std::string generate_checkpoint_state(const std::string& save_dir, CheckpointState state,
                                      bool save_relative_paths) {
  auto& all = state.all_model_checkpoint_paths;
  if (all.empty() || all.back() != state.model_checkpoint_path) {
    all.push_back(state.model_checkpoint_path);
  }
  const auto& times = state.all_model_checkpoint_timestamps;
  if (!times.empty() && times.size() != all.size()) {
    invalid_argument("the state of '{}' has {} timestamps for {} checkpoints", save_dir,
                     times.size(), all.size());
  }
  const auto stored = [&](const std::string& p) {
    const bool relative = is_absolute(p) ? save_relative_paths : !is_absolute(save_dir);
    return relative ? relative_to(p, save_dir) : p;
  };
  proto::CheckpointState message;
  message.set_model_checkpoint_path(stored(state.model_checkpoint_path));
  for (const std::string& p : all) message.add_all_model_checkpoint_paths(stored(p));
  for (const double t : times) message.add_all_model_checkpoint_timestamps(t);
  if (state.last_preserved_timestamp > 0) {
    message.set_last_preserved_timestamp(state.last_preserved_timestamp);
  }
  return format::to_text(message);
}

void update_checkpoint_state(const std::string& save_dir, CheckpointState state,
                             const std::string& latest_filename, bool save_relative_paths,
                             FileSystem& file_system) {
  const std::string path = state_file(save_dir, latest_filename);
  if (path == state.model_checkpoint_path) {
    invalid_argument("the checkpoint '{}' and the state file have one name; use another one", path);
  }
  atomic_write_file(file_system, path,
                    generate_checkpoint_state(save_dir, std::move(state), save_relative_paths));
}

std::optional<std::string> latest_checkpoint(const std::string& checkpoint_dir,
                                             const std::string& latest_filename,
                                             FileSystem& file_system) {
  const auto state = get_checkpoint_state(checkpoint_dir, latest_filename, file_system);
  if (!state || !checkpoint_exists(state->model_checkpoint_path, file_system)) return std::nullopt;
  return state->model_checkpoint_path;
}

bool checkpoint_exists(const std::string& prefix, FileSystem& file_system) {
  return format::CheckpointReader::exists(prefix, file_system);
}

std::vector<double> get_checkpoint_mtimes(const std::vector<std::string>& prefixes,
                                          FileSystem& file_system) {
  std::vector<double> times;
  for (const std::string& prefix : prefixes) {
    auto info = file_system.stat(prefix + ".index");
    if (!info) info = file_system.stat(prefix);
    if (info) times.push_back(static_cast<double>(info->modified_ns) / 1e9);
  }
  return times;
}

std::vector<std::string> checkpoint_files(const std::string& prefix, FileSystem& file_system,
                                          const std::string& meta_graph_suffix) {
  const std::string dir = parent_directory(prefix);
  if (!file_system.is_directory(dir)) return {};
  const std::string base = std::filesystem::path(prefix).filename().string();
  std::vector<std::string> first;
  std::vector<std::string> rest;
  for (const std::string& name : file_system.list(dir)) {
    if (!name.starts_with(base)) continue;
    std::string_view suffix = std::string_view(name).substr(base.size());
    if (suffix.ends_with(format::kReplacingSuffix)) {
      suffix.remove_suffix(std::string_view(format::kReplacingSuffix).size());
    }
    const std::string path = prefix + name.substr(base.size());
    if (suffix == ".index") {
      // What would replace the index goes before it, lest it counts alone.
      first.insert(first.begin(), path);
    } else if (is_data_suffix(suffix)) {
      rest.push_back(path);
    }
  }
  const std::string meta = meta_graph_filename(prefix, meta_graph_suffix);
  for (const std::string& path : {meta, debug_info_path(meta), prefix + ".pin"}) {
    if (file_system.exists(path)) first.push_back(path);
  }
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

void remove_checkpoint(const std::string& prefix, const std::string& meta_graph_suffix,
                       FileSystem& file_system) {
  for (const std::string& path : checkpoint_files(prefix, file_system, meta_graph_suffix)) {
    file_system.remove(path);
  }
}

bool remove_unfinished(const std::string& prefix, FileSystem& file_system,
                       const std::string& meta_graph_suffix) {
  // A file PREFIX is a checkpoint of the format V1.
  for (const char* suffix : {"", ".index"}) {
    if (file_system.exists(prefix + suffix)) return false;
  }
  if (file_system.exists(prefix + ".index" + format::kReplacingSuffix)) return false;
  const auto files = checkpoint_files(prefix, file_system, meta_graph_suffix);
  // A .meta file alone may be one that somebody exported.
  if (files.empty() || files.back().find(".data-", prefix.size()) == std::string::npos) {
    return false;
  }
  for (const std::string& path : files) file_system.remove(path);
  return true;
}

void remove_parts(const std::string& folder, FileSystem& file_system) {
  try {
    if (!file_system.is_directory(folder)) return;
    bool others = false;
    for (const std::string& name : file_system.list(folder)) {
      if (name.starts_with("part-")) {
        file_system.remove(join_path(folder, name));
      } else {
        others = true;
      }
    }
    if (!others) file_system.remove(folder);
  } catch (const Error& e) {
    log_warning("what is left of a save in '{}' stays: {}", folder, e.message());
  }
}

void remove_unfinished_checkpoints(const std::string& checkpoint_dir, const std::string& name,
                                   FileSystem& file_system) {
  if (!file_system.is_directory(checkpoint_dir)) return;
  const auto names = file_system.list(checkpoint_dir);
  std::set<std::string> with_data;
  std::set<std::string> half_set_aside;
  for (const std::string& file : names) {
    const std::size_t length = numbered_length(file, name);
    if (length == 0) continue;
    const std::string prefix = join_path(checkpoint_dir, file.substr(0, length));
    const std::string_view rest = std::string_view(file).substr(length);
    if (rest == "_temp") remove_parts(prefix + "_temp", file_system);
    if (rest.starts_with(".data-")) with_data.insert(prefix);
    if (rest.starts_with(kSetAside)) half_set_aside.insert(prefix);
  }
  for (const std::string& prefix : with_data) {
    // Of a damaged checkpoint nothing is deleted.
    if (half_set_aside.contains(prefix)) continue;
    try {
      remove_unfinished(prefix, file_system);
    } catch (const Error& e) {
      log_warning("what is left of the checkpoint '{}' stays: {}", prefix, e.message());
    }
  }
}

std::string set_aside_checkpoint(const std::string& prefix, FileSystem& file_system) {
  const std::string dir = parent_directory(prefix);
  std::string aside = prefix + kSetAside;
  for (int i = 2; !checkpoint_files(aside, file_system).empty(); ++i) {
    aside = fmt::format("{}{}-{}", prefix, kSetAside, i);
  }
  for (const std::string& path : checkpoint_files(prefix, file_system)) {
    file_system.rename(path, aside + path.substr(prefix.size()));
  }
  file_system.sync_directory(dir);
  return aside;
}

std::vector<std::string> find_set_aside_checkpoints(const std::string& checkpoint_dir,
                                                    FileSystem& file_system) {
  if (!file_system.is_directory(checkpoint_dir)) return {};
  std::set<std::string> found;
  for (const std::string& name : file_system.list(checkpoint_dir)) {
    // A checkpoint may be damaged in that one of its files is missing.
    for (const char* mark : {".index", ".data-"}) {
      const auto dot = name.rfind(mark);
      if (dot == std::string::npos || !is_set_aside(name.substr(0, dot))) continue;
      found.insert(join_path(checkpoint_dir, name.substr(0, dot)));
    }
  }
  return {found.begin(), found.end()};
}

std::string meta_graph_filename(const std::string& prefix, const std::string& meta_graph_suffix) {
  // A sharded checkpoint's "-?????-of-00005" is no part of the name.
  std::string base = prefix;
  const auto of = base.rfind("-of-");
  if (of != std::string::npos && of + 4 < base.size() &&
      base.find_first_not_of("0123456789", of + 4) == std::string::npos) {
    const auto dash = base.rfind('-', of - 1);
    if (of > 0 && dash != std::string::npos && dash + 1 < of &&
        base.find_first_not_of("0123456789?", dash + 1) >= of) {
      base.resize(dash);
    }
  }
  return base + "." + meta_graph_suffix;
}

std::vector<CheckpointVariable> list_variables(const std::string& prefix_or_dir,
                                               FileSystem& file_system) {
  std::string prefix = prefix_or_dir;
  if (file_system.is_directory(prefix)) {
    const auto latest = latest_checkpoint(prefix, {}, file_system);
    if (!latest) fail(Code::kNotFound, "the folder '{}' holds no checkpoint", prefix);
    prefix = *latest;
  }
  const auto reader = format::CheckpointReader::open(prefix, file_system);
  std::vector<CheckpointVariable> all;
  for (const auto& [name, entry] : reader->entries()) {
    if (name.starts_with("_assay/")) continue;
    all.push_back({.name = name, .dtype = entry.dtype, .shape = entry.shape});
  }
  return all;
}

std::int64_t checkpoint_step(const std::string& prefix) {
  const auto dash = prefix.rfind('-');
  if (dash == std::string::npos || dash + 1 == prefix.size() || prefix.size() - dash > 19)
    return -1;
  std::int64_t step = 0;
  for (std::size_t i = dash + 1; i < prefix.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(prefix[i])) == 0) return -1;
    step = step * 10 + (prefix[i] - '0');
  }
  return step;
}

std::vector<std::string> find_checkpoints(const std::string& checkpoint_dir,
                                          FileSystem& file_system) {
  if (!file_system.is_directory(checkpoint_dir)) return {};
  struct Found {
    std::string prefix;
    std::int64_t step;
    std::int64_t modified_ns;
  };
  std::vector<Found> found;
  for (const std::string& name : file_system.list(checkpoint_dir)) {
    if (!name.ends_with(".index")) continue;
    const std::string prefix = join_path(checkpoint_dir, name.substr(0, name.size() - 6));
    if (is_set_aside(prefix)) continue;
    const auto info = file_system.stat(prefix + ".index");
    found.push_back({prefix, checkpoint_step(prefix), info ? info->modified_ns : 0});
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.step != b.step ? a.step > b.step : a.modified_ns > b.modified_ns;
  });
  std::vector<std::string> prefixes;
  for (Found& f : found) prefixes.push_back(std::move(f.prefix));
  return prefixes;
}

std::vector<std::string> find_checkpoints(const std::string& checkpoint_dir,
                                          const std::string& name, FileSystem& file_system) {
  std::vector<std::string> prefixes = find_checkpoints(checkpoint_dir, file_system);
  std::erase_if(prefixes, [&](const std::string& prefix) {
    const std::string file = std::filesystem::path(prefix).filename().string();
    return file != name && numbered_length(file, name) != file.size();
  });
  return prefixes;
}

}  // namespace assay::train
