#include "assay/train/run_dir.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/base/error.h"
#include "assay/base/file_system.h"
#include "assay/base/log.h"
#include "assay/device/entropy.h"

namespace assay::train {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char* kFileName = "run.json";
constexpr const char* kLockName = "run.lock";
constexpr const char* kEntropy = "entropy";

std::string run_file(const std::string& run_dir) {
  return (fs::path(run_dir) / kFileName).string();
}

Json to_json(const Parameter& value) {
  return std::visit([](const auto& v) { return Json(v); }, value);
}

Parameter from_json(const Json& j) {
  if (j.is_boolean()) return j.get<bool>();
  if (j.is_number_integer()) return j.get<std::int64_t>();
  if (j.is_number()) return j.get<double>();
  if (j.is_string()) return j.get<std::string>();
  return j.get<std::vector<std::string>>();
}

/// "line 3, column 7" of a text's byte, counted from 1.
std::string place_in(const std::string& text, std::size_t byte) {
  const std::size_t at = std::min(byte == 0 ? 0 : byte - 1, text.size());
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(at);
  const auto line = std::count(text.begin(), end, '\n') + 1;
  const std::size_t newline = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  return fmt::format("line {}, column {}", line,
                     newline == std::string::npos ? at + 1 : at - newline);
}

/// 1 and 1.0 are the same parameter: JSON does not always keep them apart.
bool same_value(const Parameter& a, const Parameter& b) {
  const auto number = [](const Parameter& p) -> std::optional<double> {
    if (const auto* i = std::get_if<std::int64_t>(&p)) return static_cast<double>(*i);
    if (const auto* d = std::get_if<double>(&p)) return *d;
    return std::nullopt;
  };
  if (a.index() == b.index()) return a == b;
  const auto x = number(a);
  const auto y = number(b);
  return x && y && *x == *y;
}

/// "lr: the run has 1, now 0.5" for each that differs.
std::vector<std::string> differences(const RunInfo& there, const RunInfo& now) {
  std::vector<std::string> all;
  for (const auto& [name, value] : there.parameters) {
    const Parameter* other = now.find(name);
    if (other == nullptr) {
      all.push_back(fmt::format("{}: the run has {}, now not given", name, parameter_str(value)));
    } else if (!same_value(value, *other)) {
      all.push_back(fmt::format("{}: the run has {}, now {}", name, parameter_str(value),
                                parameter_str(*other)));
    }
  }
  for (const auto& [name, value] : now.parameters) {
    if (there.find(name) == nullptr) {
      all.push_back(fmt::format("{}: the run has none, now {}", name, parameter_str(value)));
    }
  }
  if (now.entropy && now.entropy != there.entropy) {
    all.push_back(fmt::format("{}: the run has {}, now {}", kEntropy,
                              there.entropy ? entropy_str(*there.entropy) : "none",
                              entropy_str(*now.entropy)));
  }
  return all;
}

/// That of a new run. A fork goes on with its parent's streams unless it is reseeded.
std::uint64_t entropy_for(const RunInfo& info) {
  if (info.entropy) return *info.entropy;
  if (info.parent && !info.parent->reseeded && is_run_dir(info.parent->run)) {
    if (const auto entropy = read_run_info(info.parent->run).entropy) return *entropy;
  }
  return draw_entropy();
}

void write_run_info(const std::string& run_dir, const RunInfo& info) {
  Json parameters = Json::object();
  for (const auto& [name, value] : info.parameters) parameters[name] = to_json(value);
  Json j = {{"format", 1},
            {"version", program_version()},
            {"model", info.model},
            {"parameters", parameters},
            {kEntropy, entropy_str(entropy_for(info))}};
  if (!info.data.empty()) j["data"] = info.data;
  if (info.parent) {
    j["parent"] = {{"run", info.parent->run},
                   {"checkpoint", info.parent->checkpoint},
                   {"step", info.parent->step},
                   {"reseeded", info.parent->reseeded}};
  }
  atomic_write_file(posix_file_system(), run_file(run_dir),
                    j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

/// `name` without what temporary_name() appended; "" when it is no temporary name.
std::string stem_of_temporary(const std::string& name) {
  return is_temporary_name(name) ? name.substr(0, name.rfind(".tmp")) : "";
}

/// Whether a Saver writes this name in a folder of checkpoints "BASE-STEP".
bool is_saved_name(const std::string& name, const std::string& base) {
  if (name == "checkpoint") return true;
  if (!name.starts_with(base + "-")) return false;
  const auto dot = name.find_first_not_of("0123456789", base.size() + 1);
  if (dot == std::string::npos || dot == base.size() + 1) return false;
  const std::string suffix = name.substr(dot);
  return suffix == ".index" || suffix == ".meta" || suffix == ".debug" || suffix == ".pin" ||
         suffix.starts_with(".data-");
}

template <typename Ours>
void remove_temporaries(const std::string& dir, Ours&& ours) {
  FileSystem& files = posix_file_system();
  for (const std::string& name : files.list(dir)) {
    const std::string stem = stem_of_temporary(name);
    if (stem.empty() || !ours(stem)) continue;
    try {
      files.remove(join_path(dir, name));
    } catch (const Error& e) {
      log_warning("what a killed process left stays: {}", e.message());
    }
  }
}

/// Whether `there` was forked off the same checkpoint of the same run.
bool same_parent(const std::optional<RunParent>& there, const RunParent& now) {
  return there && there->run == now.run && there->checkpoint == now.checkpoint &&
         there->reseeded == now.reseeded;
}

}  // namespace

const Parameter* RunInfo::find(const std::string& name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return &value;
  }
  return nullptr;
}

template <typename T>
T RunInfo::get(const std::string& name) const {
  const Parameter* value = find(name);
  if (value == nullptr) fail(Code::kNotFound, "the run has no parameter '{}'", name);
  if (const T* typed = std::get_if<T>(value)) return *typed;
  if constexpr (std::is_same_v<T, double>) {
    if (const auto* i = std::get_if<std::int64_t>(value)) return static_cast<double>(*i);
  }
  invalid_argument("the run's parameter '{}' is of another kind: {}", name, parameter_str(*value));
}

template bool RunInfo::get<bool>(const std::string&) const;
template std::int64_t RunInfo::get<std::int64_t>(const std::string&) const;
template double RunInfo::get<double>(const std::string&) const;
template std::string RunInfo::get<std::string>(const std::string&) const;
template std::vector<std::string> RunInfo::get<std::vector<std::string>>(const std::string&) const;

std::string parameter_str(const Parameter& value) {
  struct Visitor {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return fmt::format("{}", v); }
    std::string operator()(const std::string& v) const { return v.empty() ? "\"\"" : v; }
    std::string operator()(const std::vector<std::string>& v) const {
      return v.empty() ? "none" : fmt::format("{}", fmt::join(v, " "));
    }
  };
  return std::visit(Visitor{}, value);
}

std::string program_version() {
  return ASSAY_VERSION;
}

bool is_run_dir(const std::string& run_dir) {
  std::error_code ignored;
  return fs::is_regular_file(run_file(run_dir), ignored);
}

RunInfo read_run_info(const std::string& run_dir) {
  if (!is_run_dir(run_dir)) {
    std::error_code ignored;
    fail(Code::kNotFound, "'{}' is no run folder: {}", run_dir,
         fs::exists(run_dir, ignored) ? "it holds no run.json" : "there is no such folder");
  }
  const std::string text =
      read_file(posix_file_system(), run_file(run_dir), std::uint64_t{1} << 20);
  const auto damaged = [&](const std::string& what) {
    fail(Code::kDataLoss, "'{}' {}; restore it or use another run folder", run_file(run_dir), what);
  };
  Json j;
  try {
    j = Json::parse(text);
  } catch (const Json::parse_error& e) {
    damaged("is not valid JSON (" + place_in(text, e.byte) + ")");
  }
  const auto has = [&](const char* name, Json::value_t type) {
    return j.is_object() && j.contains(name) && j[name].type() == type;
  };
  if (!has("model", Json::value_t::string)) damaged("describes no run: it has no text \"model\"");
  if (!has("parameters", Json::value_t::object)) {
    damaged("describes no run: it has no object \"parameters\"");
  }
  RunInfo info;
  info.model = j["model"].get<std::string>();
  if (has("version", Json::value_t::string)) info.version = j["version"].get<std::string>();
  if (has("data", Json::value_t::string)) info.data = j["data"].get<std::string>();
  if (j.contains("parent")) {
    try {
      const Json& parent = j["parent"];
      info.parent = {.run = parent.at("run").get<std::string>(),
                     .checkpoint = parent.at("checkpoint").get<std::string>(),
                     .step = parent.at("step").get<std::int64_t>(),
                     .reseeded = parent.at("reseeded").get<bool>()};
    } catch (const Json::exception&) {
      damaged(
          "describes no run: its \"parent\" has no texts \"run\" and \"checkpoint\", number "
          "\"step\" and bool \"reseeded\"");
    }
  }
  if (j.contains(kEntropy)) {
    // Runs of earlier versions have none.
    if (j[kEntropy].is_string()) info.entropy = parse_entropy(j[kEntropy].get<std::string>());
    if (!info.entropy) {
      damaged("describes no run: its \"entropy\" is no text of up to 16 digits after \"0x\"");
    }
  }
  for (const auto& [name, value] : j["parameters"].items()) {
    try {
      info.parameters.emplace_back(name, from_json(value));
    } catch (const Json::type_error&) {
      damaged(
          fmt::format("describes no run: its parameter \"{}\" is no number, bool, text or list "
                      "of texts",
                      name));
    }
  }
  return info;
}

bool check_run_dir(const std::string& run_dir, const RunInfo& info) {
  std::error_code error;
  const auto status = fs::status(run_dir, error);
  if (fs::exists(status) && !fs::is_directory(status)) {
    invalid_argument("the run folder '{}' is a file; name a folder", run_dir);
  }
  if (is_run_dir(run_dir)) {
    const RunInfo there = read_run_info(run_dir);
    if (there.model != info.model) {
      fail(Code::kFailedPrecondition, "'{}' is a run of '{}', not of '{}'; use another run folder",
           run_dir, there.model, info.model);
    }
    const auto differ = differences(there, info);
    if (!differ.empty()) {
      fail(Code::kFailedPrecondition,
           "'{}' was made with other parameters ({}); give the same ones to go on, or use another "
           "run folder",
           run_dir, fmt::join(differ, "; "));
    }
    if (info.parent && !same_parent(there.parent, *info.parent)) {
      fail(Code::kFailedPrecondition,
           "'{}' is a run already, and no fork of '{}'; use another run folder", run_dir,
           info.parent->checkpoint);
    }
    return true;
  }
  if (fs::is_directory(status)) {
    for (fs::directory_iterator entry(run_dir, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      // A process that was killed while it made the run leaves these.
      if (name == kLockName || stem_of_temporary(name) == kFileName) continue;
      fail(Code::kFailedPrecondition,
           "'{}' is not empty and holds no run.json (it has '{}'); use a new or an empty folder",
           run_dir, name);
    }
  }
  return false;
}

bool open_run_dir(const std::string& run_dir, const RunInfo& info) {
  if (check_run_dir(run_dir, info)) return true;
  enter_run_dir(run_dir, info);
  return false;
}

std::unique_ptr<FileLock> enter_run_dir(const std::string& run_dir, const RunInfo& info) {
  // Asked before the lock too, so that a folder of something else gets no lock file.
  check_run_dir(run_dir, info);
  std::error_code error;
  fs::create_directories(run_dir, error);
  if (error) {
    fail(error == std::errc::permission_denied || error == std::errc::read_only_file_system
             ? Code::kPermissionDenied
             : Code::kUnknown,
         "the run folder '{}' cannot be made: {}", run_dir, error.message());
  }
  auto lock = lock_run_dir(run_dir);
  if (lock != nullptr) {
    remove_temporaries(run_dir, [](const std::string& stem) { return stem == kFileName; });
  }
  if (!check_run_dir(run_dir, info)) write_run_info(run_dir, info);
  return lock;
}

std::unique_ptr<FileLock> lock_run_dir(const std::string& run_dir) {
  try {
    return posix_file_system().lock_file((fs::path(run_dir) / kLockName).string());
  } catch (const Error& e) {
    if (e.code() == Code::kFailedPrecondition) {
      fail(e.code(), "another process is training '{}': {}; wait for it or stop it", run_dir,
           e.message());
    }
    if (e.code() != Code::kUnimplemented) throw;
    log_warning("'{}' cannot be locked, so train it in one process only: {}", run_dir, e.message());
    return nullptr;
  }
}

void remove_leftovers(const std::string& run_dir, const std::string& checkpoint_name) {
  const std::string dir = checkpoint_dir(run_dir);
  if (!posix_file_system().is_directory(dir)) return;
  remove_temporaries(dir,
                     [&](const std::string& stem) { return is_saved_name(stem, checkpoint_name); });
}

std::string checkpoint_dir(const std::string& run_dir) {
  return (fs::path(run_dir) / "checkpoints").string();
}

}  // namespace assay::train
