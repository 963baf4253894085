#include "assay/train/retention.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>

#include "assay/format/bundle_reader.h"
#include "assay/train/checkpoint_management.h"

namespace assay::train {

namespace {

constexpr std::string_view kMark = "_assay/saver";
constexpr std::string_view kTime = "_assay/saver/time";
constexpr std::string_view kStateFile = "_assay/saver/state_file";
constexpr std::string_view kMetric = "_assay/metric/";
constexpr const char* kPinSuffix = ".pin";
constexpr std::size_t kMaxRules = 1024;

/// Marks one checkpoint of every stretch of `length` along `where`, the first one first.
template <typename Where>
void mark_every(const std::vector<CheckpointFacts>& all, double length, const Where& where,
                const std::string& reason, std::vector<RetentionDecision>& decisions) {
  bool any = false;
  double next = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double at = where(all[i]);
    // A step lower than the one before: the run began anew, and so do the stretches.
    const bool went_back = i > 0 && at < where(all[i - 1]);
    if (any && at < next && !went_back) continue;
    decisions[i].reasons.push_back(reason);
    any = true;
    next = at + length;
  }
}

void mark_best(const std::vector<CheckpointFacts>& all, const RetentionRules& rules,
               std::vector<RetentionDecision>& decisions) {
  std::vector<std::pair<double, std::size_t>> ranked;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto metric = all[i].metrics.find(rules.metric);
    if (metric == all[i].metrics.end() || std::isnan(metric->second)) continue;
    ranked.emplace_back(rules.best_is_max ? -metric->second : metric->second, i);
  }
  // Of equal ones the older stays, so that none is replaced without need.
  std::sort(ranked.begin(), ranked.end());
  for (std::size_t k = 0; k < ranked.size() && k < static_cast<std::size_t>(rules.best); ++k) {
    decisions[ranked[k].second].reasons.push_back(
        fmt::format("best {} of {}", rules.best, rules.metric));
  }
}

void sort_by_age(std::vector<CheckpointFacts>& all, const std::string& written) {
  bool steps =
      std::all_of(all.begin(), all.end(), [](const CheckpointFacts& f) { return f.step >= 0; });
  const auto newest = std::find_if(all.begin(), all.end(),
                                   [&](const CheckpointFacts& f) { return f.prefix == written; });
  if (newest != all.end()) {
    steps &= std::none_of(all.begin(), all.end(), [&](const CheckpointFacts& f) {
      return f.ours && f.step > newest->step;
    });
  }
  std::stable_sort(all.begin(), all.end(), [&](const CheckpointFacts& a, const CheckpointFacts& b) {
    if ((a.prefix == written) != (b.prefix == written)) return b.prefix == written;
    if (steps && a.step != b.step) return a.step < b.step;
    return a.time < b.time;
  });
}

}  // namespace

std::string RetentionRules::str() const {
  std::string text = last == 0 ? "all" : fmt::format("last {}", last);
  if (best > 0)
    text += fmt::format(", best {} by {} ({})", best, metric, best_is_max ? "max" : "min");
  if (every_seconds > 0) text += fmt::format(", one every {} s", every_seconds);
  if (every_steps > 0) text += fmt::format(", one every {} steps", every_steps);
  return text;
}

RetentionRules RetentionRules::parse(const std::string& text) {
  static const std::regex form(
      R"((?:all|last (\d{1,9}))(?:, best (\d{1,9}) by (.*) \((max|min)\))?)"
      R"((?:, one every ([-+.0-9e]{1,30}) s)?(?:, one every (\d{1,18}) steps)?)");
  std::smatch part;
  // std::regex recurses with the length of what it matches.
  if (text.size() > kMaxRules || !std::regex_match(text, part, form)) {
    invalid_argument("'{}' are no rules for what to keep", text);
  }
  RetentionRules rules;
  rules.last = part[1].matched ? std::stoi(part[1]) : 0;
  if (part[2].matched) {
    rules.best = std::stoi(part[2]);
    rules.metric = part[3];
    rules.best_is_max = part[4] == "max";
  }
  if (part[5].matched) rules.every_seconds = std::strtod(part[5].str().c_str(), nullptr);
  if (part[6].matched) rules.every_steps = std::stoll(part[6]);
  return rules;
}

std::vector<RetentionDecision> decide_retention(std::vector<CheckpointFacts> checkpoints,
                                                const RetentionRules& rules,
                                                const std::string& written) {
  sort_by_age(checkpoints, written);
  // Others' checkpoints stay, and do not count.
  std::vector<CheckpointFacts> ours;
  std::vector<RetentionDecision> decisions;
  for (const CheckpointFacts& f : checkpoints) {
    if (!f.ours) continue;
    ours.push_back(f);
    decisions.push_back({.prefix = f.prefix, .time = f.time});
  }
  const std::size_t first = rules.last == 0 || ours.size() <= static_cast<std::size_t>(rules.last)
                                ? 0
                                : ours.size() - static_cast<std::size_t>(rules.last);
  for (std::size_t i = first; i < ours.size(); ++i) {
    decisions[i].newest = true;
    decisions[i].reasons.push_back(rules.last == 0 ? "all are kept"
                                                   : fmt::format("newest {}", rules.last));
  }
  if (rules.best > 0) mark_best(ours, rules, decisions);
  if (rules.every_seconds > 0) {
    mark_every(
        ours, rules.every_seconds, [](const CheckpointFacts& f) { return f.time; },
        fmt::format("one every {} s", rules.every_seconds), decisions);
  }
  if (rules.every_steps > 0) {
    mark_every(
        ours, static_cast<double>(rules.every_steps),
        [](const CheckpointFacts& f) { return static_cast<double>(f.step); },
        fmt::format("one every {} steps", rules.every_steps), decisions);
  }
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].pinned) decisions[i].reasons.emplace_back("pinned");
  }
  std::vector<RetentionDecision> all;
  std::size_t next = 0;
  for (const CheckpointFacts& f : checkpoints) {
    if (f.ours) {
      all.push_back(std::move(decisions[next++]));
    } else {
      all.push_back({.prefix = f.prefix, .time = f.time, .reasons = {"not written here"}});
    }
  }
  return all;
}

CheckpointFacts read_facts(const std::string& prefix, FileSystem& file_system) {
  CheckpointFacts facts;
  facts.prefix = prefix;
  facts.step = checkpoint_step(prefix);
  const auto info = file_system.stat(prefix + ".index");
  if (info) facts.time = static_cast<double>(info->modified_ns) / 1e9;
  try {
    const format::BundleReader reader(prefix, file_system);
    const auto* mark = reader.find(std::string(kMark));
    if (mark != nullptr && mark->dtype == DType::kInt64 && mark->shape.num_elements() >= 3) {
      const Tensor value = reader.read(std::string(kMark));
      facts.ours = value.data<std::int64_t>()[2] != 0;
    }
    const auto* time = reader.find(std::string(kTime));
    if (time != nullptr && time->dtype == DType::kInt64 && time->shape.num_elements() == 1) {
      const Tensor value = reader.read(std::string(kTime));
      facts.time = static_cast<double>(value.data<std::int64_t>()[0]) / 1e6;
      facts.marked_time = true;
    }
    const auto* state_file = reader.find(std::string(kStateFile));
    if (state_file != nullptr && state_file->dtype == DType::kString &&
        state_file->shape.num_elements() == 1) {
      facts.state_file = reader.read(std::string(kStateFile)).data<std::string>()[0];
    }
    for (const auto& [name, entry] : reader.entries()) {
      if (!name.starts_with(kMetric) || entry.dtype != DType::kDouble) continue;
      if (entry.shape.num_elements() != 1) continue;
      facts.metrics[name.substr(kMetric.size())] = reader.read(name).data<double>()[0];
    }
  } catch (const Error&) {
    // What cannot be read is not known to be ours, and stays.
    facts.ours = false;
    facts.metrics.clear();
  }
  return facts;
}

std::vector<CheckpointFacts> read_checkpoint_facts(const std::string& checkpoint_dir,
                                                   const std::string& latest_filename,
                                                   FileSystem& file_system) {
  std::set<std::string> listed;
  try {
    const auto state = get_checkpoint_state(checkpoint_dir, latest_filename, file_system);
    if (state) {
      listed.insert(state->all_model_checkpoint_paths.begin(),
                    state->all_model_checkpoint_paths.end());
    }
  } catch (const Error&) {
    // A damaged state file lists nothing.
  }
  std::vector<CheckpointFacts> all;
  for (const std::string& prefix : find_checkpoints(checkpoint_dir, file_system)) {
    CheckpointFacts facts = read_facts(prefix, file_system);
    facts.ours = facts.is_managed_by(latest_filename) || listed.contains(prefix);
    facts.pinned = is_pinned(prefix, file_system);
    for (const std::string& path : checkpoint_files(prefix, file_system)) {
      if (const auto info = file_system.stat(path)) facts.bytes += info->size;
    }
    all.push_back(std::move(facts));
  }
  return all;
}

void pin_checkpoint(const std::string& prefix, FileSystem& file_system) {
  if (!checkpoint_exists(prefix, file_system)) {
    fail(Code::kNotFound, "'{}' cannot be pinned: there is no such checkpoint", prefix);
  }
  atomic_write_file(file_system, prefix + kPinSuffix, "");
}

void unpin_checkpoint(const std::string& prefix, FileSystem& file_system) {
  if (!is_pinned(prefix, file_system)) return;
  file_system.remove(prefix + kPinSuffix);
  file_system.sync_directory(parent_directory(prefix));
}

bool is_pinned(const std::string& prefix, FileSystem& file_system) {
  return file_system.exists(prefix + kPinSuffix);
}

}  // namespace assay::train
