#include "assay/train/run_dir.h"

#include <fmt/ranges.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "assay/base/error.h"
#include "assay/base/file_system.h"
#include "assay/base/log.h"

namespace assay::train {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char* kFileName = "run.json";
constexpr const char* kLockName = "run.lock";

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
  return all;
}

void write_run_info(const std::string& run_dir, const RunInfo& info) {
  Json parameters = Json::object();
  for (const auto& [name, value] : info.parameters) parameters[name] = to_json(value);
  const Json j = {{"format", 1}, {"model", info.model}, {"parameters", parameters}};
  atomic_write_file(posix_file_system(), run_file(run_dir),
                    j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

/// Whether temporary_name() made this name: "NAME.tmp123-4".
bool is_temporary(const std::string& name) {
  const auto at = name.rfind(".tmp");
  if (at == std::string::npos) return false;
  const std::string number = name.substr(at + 4);
  const auto dash = number.find('-');
  const auto digits = [](const std::string& s) {
    return !s.empty() && s.find_first_not_of("0123456789") == std::string::npos;
  };
  return dash != std::string::npos && digits(number.substr(0, dash)) &&
         digits(number.substr(dash + 1));
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
  try {
    const Json j = Json::parse(text);
    RunInfo info;
    info.model = j.at("model").get<std::string>();
    for (const auto& [name, value] : j.at("parameters").items()) {
      info.parameters.emplace_back(name, from_json(value));
    }
    return info;
  } catch (const nlohmann::json::exception& e) {
    fail(Code::kDataLoss,
         "'{}' cannot be read as a run's description ({}); restore it or use another run folder",
         run_file(run_dir), e.what());
  }
}

bool open_run_dir(const std::string& run_dir, const RunInfo& info) {
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
    return true;
  }
  if (fs::is_directory(status)) {
    fs::directory_iterator entry(run_dir, error);
    if (!error && entry != fs::directory_iterator()) {
      fail(Code::kFailedPrecondition,
           "'{}' is not empty and holds no run.json (it has '{}'); use a new or an empty folder",
           run_dir, entry->path().filename().string());
    }
  }
  fs::create_directories(run_dir, error);
  if (error) {
    fail(error == std::errc::permission_denied || error == std::errc::read_only_file_system
             ? Code::kPermissionDenied
             : Code::kUnknown,
         "the run folder '{}' cannot be made: {}", run_dir, error.message());
  }
  write_run_info(run_dir, info);
  return false;
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

void remove_leftovers(const std::string& run_dir) {
  FileSystem& files = posix_file_system();
  const std::string dir = checkpoint_dir(run_dir);
  if (!files.is_directory(dir)) return;
  for (const std::string& name : files.list(dir)) {
    if (!is_temporary(name)) continue;
    try {
      files.remove(join_path(dir, name));
    } catch (const Error& e) {
      log_warning("what a killed process left stays: {}", e.message());
    }
  }
}

std::string checkpoint_dir(const std::string& run_dir) {
  return (fs::path(run_dir) / "checkpoints").string();
}

}  // namespace assay::train
