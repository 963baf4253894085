#include "assay/train/checkpoint_management.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "assay/base/error.h"
#include "assay/base/file_system.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/proto/checkpoint.pb.h"
#include "assay/format/proto_io.h"

namespace assay::train {

namespace {

constexpr std::uint64_t kMaxStateBytes = std::uint64_t{1} << 24;
constexpr const char* kSessionSuffix = ".session";

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

/// "model.ckpt-7" of "model.ckpt-7.data-00000-of-00001", or "" for other names.
bool is_data_file_of(const std::string& name, const std::string& base) {
  const std::string start = base + ".data-";
  return name.starts_with(start) && name.size() == start.size() + 14 &&
         name.substr(start.size() + 5, 4) == "-of-";
}

void remove_if_there(const std::string& path) {
  FileSystem& fs = posix_file_system();
  if (fs.exists(path)) fs.remove(path);
}

/// The files of one bundle, the index first.
void remove_bundle(const std::string& prefix) {
  FileSystem& fs = posix_file_system();
  remove_if_there(prefix + ".index");
  const std::string dir = parent_directory(prefix);
  const std::string base = std::filesystem::path(prefix).filename().string();
  if (!fs.is_directory(dir)) return;
  for (const std::string& name : fs.list(dir)) {
    if (is_data_file_of(name, base)) fs.remove(join_path(dir, name));
  }
}

/// The number after the last '-', or -1.
std::int64_t step_of(const std::string& prefix) {
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

}  // namespace

std::optional<CheckpointState> get_checkpoint_state(const std::string& checkpoint_dir,
                                                    const std::string& latest_filename) {
  FileSystem& fs = posix_file_system();
  const std::string path = state_file(checkpoint_dir, latest_filename);
  const auto info = fs.stat(path);
  if (!info || info->is_directory) return std::nullopt;
  proto::CheckpointState message;
  try {
    message = format::parse_text<proto::CheckpointState>(read_file(fs, path, kMaxStateBytes), path);
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

void update_checkpoint_state(const std::string& save_dir, CheckpointState state,
                             const std::string& latest_filename, bool save_relative_paths) {
  auto& all = state.all_model_checkpoint_paths;
  if (all.empty() || all.back() != state.model_checkpoint_path) {
    all.push_back(state.model_checkpoint_path);
  }
  const auto stored = [&](const std::string& p) {
    const bool relative = is_absolute(p) ? save_relative_paths : !is_absolute(save_dir);
    return relative ? relative_to(p, save_dir) : p;
  };
  proto::CheckpointState message;
  message.set_model_checkpoint_path(stored(state.model_checkpoint_path));
  for (const std::string& p : all) message.add_all_model_checkpoint_paths(stored(p));
  for (const double t : state.all_model_checkpoint_timestamps) {
    message.add_all_model_checkpoint_timestamps(t);
  }
  if (state.last_preserved_timestamp > 0) {
    message.set_last_preserved_timestamp(state.last_preserved_timestamp);
  }
  const std::string path = state_file(save_dir, latest_filename);
  if (path == state.model_checkpoint_path) {
    invalid_argument("the checkpoint '{}' and the state file have one name; use another one", path);
  }
  atomic_write_file(posix_file_system(), path, format::to_text(message));
}

std::optional<std::string> latest_checkpoint(const std::string& checkpoint_dir,
                                             const std::string& latest_filename) {
  const auto state = get_checkpoint_state(checkpoint_dir, latest_filename);
  if (!state || !checkpoint_exists(state->model_checkpoint_path)) return std::nullopt;
  return state->model_checkpoint_path;
}

bool checkpoint_exists(const std::string& prefix) {
  FileSystem& fs = posix_file_system();
  if (fs.exists(prefix + ".index")) return true;
  const auto info = fs.stat(prefix);
  return info && !info->is_directory;
}

void remove_checkpoint(const std::string& prefix, const std::string& meta_graph_suffix) {
  remove_bundle(prefix);
  remove_bundle(prefix + kSessionSuffix);
  remove_if_there(meta_graph_filename(prefix, meta_graph_suffix));
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

std::vector<CheckpointVariable> list_variables(const std::string& prefix_or_dir) {
  std::string prefix = prefix_or_dir;
  if (posix_file_system().is_directory(prefix)) {
    const auto latest = latest_checkpoint(prefix);
    if (!latest) fail(Code::kNotFound, "the folder '{}' holds no checkpoint", prefix);
    prefix = *latest;
  }
  const format::BundleReader reader(prefix);
  std::vector<CheckpointVariable> all;
  for (const auto& [name, entry] : reader.entries()) {
    all.push_back({.name = name, .dtype = entry.dtype, .shape = entry.shape});
  }
  return all;
}

std::vector<std::string> find_checkpoints(const std::string& checkpoint_dir) {
  FileSystem& fs = posix_file_system();
  if (!fs.is_directory(checkpoint_dir)) return {};
  struct Found {
    std::string prefix;
    std::int64_t step;
    std::int64_t modified_ns;
  };
  std::vector<Found> found;
  for (const std::string& name : fs.list(checkpoint_dir)) {
    if (!name.ends_with(".index")) continue;
    const std::string prefix = join_path(checkpoint_dir, name.substr(0, name.size() - 6));
    if (prefix.ends_with(kSessionSuffix)) continue;
    const auto info = fs.stat(prefix + ".index");
    found.push_back({prefix, step_of(prefix), info ? info->modified_ns : 0});
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.step != b.step ? a.step > b.step : a.modified_ns > b.modified_ns;
  });
  std::vector<std::string> prefixes;
  for (Found& f : found) prefixes.push_back(std::move(f.prefix));
  return prefixes;
}

}  // namespace assay::train
