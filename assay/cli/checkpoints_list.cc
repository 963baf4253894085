#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>

#include "assay/base/file_system.h"
#include "assay/cli/checkpoints.h"
#include "assay/cli/commands.h"
#include "assay/train/checkpoint_listing.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/run_dir.h"

namespace assay::cli {

namespace {

using train::CheckpointCheck;
using train::Damage;
using train::ListedCheckpoint;

/// How many damaged tensors of one checkpoint people are shown.
constexpr std::size_t kMaxShown = 10;

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// "8 s", "3 min", "5 h", "12 days".
std::string age_str(double seconds) {
  const auto of = [](double n, const char* unit) {
    return fmt::format("{} {}", static_cast<std::int64_t>(n), unit);
  };
  seconds = std::max(seconds, 0.0);
  if (seconds < 120) return of(seconds, "s");
  if (seconds < 120 * 60.0) return of(seconds / 60, "min");
  if (seconds < 48 * 3600.0) return of(seconds / 3600, "h");
  return of(seconds / 86400, "days");
}

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

Json damage_json(const std::vector<Damage>& damage) {
  Json all = Json::array();
  for (const Damage& d : damage) {
    Json one = {{"file", d.file}, {"tensor", nullptr}, {"offset", nullptr}, {"message", d.message}};
    if (!d.tensor.empty()) one["tensor"] = d.tensor;
    if (d.offset) one["offset"] = *d.offset;
    all.push_back(std::move(one));
  }
  return all;
}

void print_damage(const std::vector<Damage>& damage, const std::string& indent) {
  for (std::size_t i = 0; i < damage.size() && i < kMaxShown; ++i) {
    fmt::print("{}{}\n", indent, printable(damage[i].message));
  }
  if (damage.size() > kMaxShown) {
    fmt::print("{}and {} more (--json lists all)\n", indent, damage.size() - kMaxShown);
  }
}

/// What is found by reading one checkpoint; a failure that is no damage is told as one line.
struct Outcome {
  CheckpointCheck check;
  std::string failure;  ///< it could not be read, for a reason that is no damage
  const char* state() const {
    return !failure.empty() ? "unreadable" : check.sound() ? "sound" : "damaged";
  }
};

Outcome check_one(const std::string& prefix) {
  Outcome outcome;
  try {
    outcome.check = train::check_checkpoint(prefix);
  } catch (const Error& e) {
    outcome.check.prefix = prefix;
    outcome.failure = e.message();
  }
  return outcome;
}

/// A number as Python prints a double: as short as it can be to be read back the same.
std::string metrics_str(const ListedCheckpoint& c) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : c.facts.metrics) {
    parts.push_back(fmt::format("{} {:.6g}", printable(name), value));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

Json metrics_json(const ListedCheckpoint& c) {
  Json metrics = Json::object();
  for (const auto& [name, value] : c.facts.metrics) metrics[name] = value;
  return metrics;
}

Json checkpoint_json(const ListedCheckpoint& c) {
  Json one = {{"prefix", c.facts.prefix},
              {"name", file_name(c.facts.prefix)},
              {"step", nullptr},
              {"time", c.facts.time},
              {"age_seconds", std::max(now() - c.facts.time, 0.0)},
              {"bytes", c.facts.bytes},
              {"format", c.version},
              {"newest", c.newest},
              {"set_aside", c.set_aside},
              {"pinned", c.facts.pinned},
              {"ours", c.facts.ours},
              {"metrics", metrics_json(c)},
              {"kept_because", c.reasons},
              {"rules", nullptr}};
  if (c.facts.step >= 0) one["step"] = c.facts.step;
  if (c.rules) one["rules"] = c.rules->str();
  return one;
}

std::uint64_t bytes_of(const std::vector<ListedCheckpoint>& all) {
  std::uint64_t bytes = 0;
  for (const ListedCheckpoint& c : all) bytes += c.facts.bytes;
  return bytes;
}

/// The different rules that the checkpoints are kept by, each once.
std::vector<std::string> rules_of(const std::vector<ListedCheckpoint>& all) {
  std::vector<std::string> rules;
  for (const ListedCheckpoint& c : all) {
    if (!c.rules || !c.facts.ours) continue;
    const std::string text = c.rules->str();
    if (std::find(rules.begin(), rules.end(), text) == rules.end()) rules.push_back(text);
  }
  return rules;
}

std::string why_str(const ListedCheckpoint& c) {
  return c.reasons.empty() ? "(the next save deletes it)"
                           : fmt::format("{}", fmt::join(c.reasons, ", "));
}

std::string step_str(const ListedCheckpoint& c) {
  return c.facts.step < 0 ? "-" : std::to_string(c.facts.step);
}

/// The folder of the run that a folder of checkpoints belongs to; "" when it belongs to none.
std::string run_of(const std::string& folder) {
  const std::string above =
      std::filesystem::absolute(folder + "/.").lexically_normal().parent_path().parent_path();
  if (!train::is_run_dir(above)) return "";
  std::error_code error;
  return std::filesystem::equivalent(train::checkpoint_dir(above), folder, error) ? above : "";
}

/// The checkpoints that a path of `verify` stands for.
std::vector<std::string> prefixes_of(const std::string& path) {
  FileSystem& files = posix_file_system();
  if (!files.is_directory(path)) return {checkpoint_prefix_of(path)};
  const std::string variables = join_path(path, "variables/variables");
  if (format::CheckpointReader::exists(variables)) return {variables};
  std::vector<std::string> prefixes;
  for (const ListedCheckpoint& c : train::list_checkpoints(checkpoints_folder(path))) {
    if (!c.set_aside) prefixes.push_back(c.facts.prefix);
  }
  if (prefixes.empty()) fail(Code::kNotFound, "the folder '{}' holds no checkpoint", path);
  return prefixes;
}

}  // namespace

int list_command(const ListFlags& flags) {
  const std::string folder = checkpoints_folder(flags.dir);
  const auto all = train::list_checkpoints(folder);
  std::vector<Outcome> outcomes;
  for (const ListedCheckpoint& c : all) {
    outcomes.push_back(flags.quick ? Outcome{} : check_one(c.facts.prefix));
  }
  if (flags.json) {
    Json list = Json::array();
    for (std::size_t i = 0; i < all.size(); ++i) {
      Json one = checkpoint_json(all[i]);
      one["state"] = flags.quick ? "unchecked" : outcomes[i].state();
      one["damage"] = damage_json(outcomes[i].check.damage);
      if (!outcomes[i].failure.empty()) one["error"] = outcomes[i].failure;
      list.push_back(std::move(one));
    }
    print_json({{"folder", folder}, {"bytes", bytes_of(all)}, {"checkpoints", std::move(list)}});
    return 0;
  }
  if (all.empty()) {
    fmt::print("no checkpoints in {}\n", folder);
    return 0;
  }
  fmt::print("{} in {}, {}\n", count_str(static_cast<std::int64_t>(all.size()), "checkpoint"),
             folder, bytes_str(bytes_of(all)));
  for (const std::string& rules : rules_of(all)) fmt::print("rules: {}\n", rules);
  fmt::print("\n");
  Table table("<<>>><<<");
  table.add({" ", "name", "step", "age", "size", "state", "metric", "kept because"});
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ListedCheckpoint& c = all[i];
    table.add({c.newest ? "*" : "", printable(file_name(c.facts.prefix)), step_str(c),
               age_str(now() - c.facts.time), bytes_str(c.facts.bytes),
               flags.quick ? "" : outcomes[i].state(), metrics_str(c), why_str(c)});
  }
  table.print();
  fmt::print("\n* the newest\n");
  bool any = false;
  for (const Outcome& o : outcomes) {
    if (o.failure.empty() && o.check.sound()) continue;
    if (!any) fmt::print("\nwhat is wrong:\n");
    any = true;
    if (!o.failure.empty()) fmt::print("  {}\n", printable(o.failure));
    print_damage(o.check.damage, "  ");
  }
  return 0;
}

int verify_command(const VerifyFlags& flags) {
  // A path that is not there is told before anything is read.
  std::vector<std::string> prefixes;
  for (const std::string& path : flags.paths) {
    for (std::string& prefix : prefixes_of(path)) prefixes.push_back(std::move(prefix));
  }
  std::vector<Outcome> outcomes;
  for (const std::string& prefix : prefixes) {
    outcomes.push_back(check_one(prefix));
    const Outcome& o = outcomes.back();
    if (flags.json) continue;
    fmt::print("{:<10}  {}", o.state(), printable(prefix));
    if (!o.failure.empty()) {
      fmt::print("\n  {}\n", printable(o.failure));
      continue;
    }
    fmt::print("  {}, {}\n", count_str(o.check.tensors, "tensor"), bytes_str(o.check.bytes));
    print_damage(o.check.damage, "  ");
    std::fflush(stdout);
  }
  const auto sound = std::count_if(outcomes.begin(), outcomes.end(), [](const Outcome& o) {
    return o.failure.empty() && o.check.sound();
  });
  const auto count = static_cast<std::int64_t>(outcomes.size());
  if (flags.json) {
    Json list = Json::array();
    for (const Outcome& o : outcomes) {
      Json one = {{"prefix", o.check.prefix},  {"state", o.state()},
                  {"format", o.check.version}, {"tensors", o.check.tensors},
                  {"bytes", o.check.bytes},    {"damage", damage_json(o.check.damage)}};
      if (!o.failure.empty()) one["error"] = o.failure;
      list.push_back(std::move(one));
    }
    print_json({{"sound", sound == count}, {"checkpoints", std::move(list)}});
  } else if (count > 1) {
    fmt::print("{}: {} sound, {} not\n", count_str(count, "checkpoint"), sound, count - sound);
  }
  return sound == count ? 0 : kExitFailure;
}

int prune_command(const PruneFlags& flags) {
  const std::string folder = checkpoints_folder(flags.dir);
  // A run under way deletes what its own rules say, and writes the state file.
  const std::string run = run_of(folder);
  std::unique_ptr<FileLock> lock;
  if (!run.empty() && !flags.dry_run) lock = train::lock_run_dir(run);
  auto all = train::list_checkpoints(folder, flags.rules);
  const bool none_known =
      std::any_of(all.begin(), all.end(), [](const auto& c) { return c.facts.ours && !c.rules; }) &&
      rules_of(all).empty();
  if (none_known) {
    throw UsageError(
        "these checkpoints do not say which of them to keep; say it: --keep-last, --keep-best, "
        "--keep-every-steps or --keep-every-hours");
  }
  train::protect_last_sound(all);
  if (!flags.dry_run) train::delete_unkept(folder, all);
  std::uint64_t freed = 0;
  std::int64_t gone = 0;
  for (const ListedCheckpoint& c : all) {
    if (c.keep()) continue;
    ++gone;
    freed += c.facts.bytes;
  }
  if (flags.json) {
    Json list = Json::array();
    for (const ListedCheckpoint& c : all) {
      Json one = checkpoint_json(c);
      one["deleted"] = !c.keep() && !flags.dry_run;
      one["would_delete"] = !c.keep();
      list.push_back(std::move(one));
    }
    print_json({{"folder", folder},
                {"rules", rules_of(all)},
                {"dry_run", flags.dry_run},
                {"deleted", gone},
                {"bytes", freed},
                {"checkpoints", std::move(list)}});
    return 0;
  }
  for (const std::string& rules : rules_of(all)) fmt::print("rules: {}\n", rules);
  if (!all.empty()) {
    Table table("<<>>><");
    table.add({"", "name", "step", "age", "size", "kept because"});
    for (const ListedCheckpoint& c : all) {
      table.add({c.keep()        ? "stays"
                 : flags.dry_run ? "would go"
                                 : "deleted",
                 printable(file_name(c.facts.prefix)), step_str(c), age_str(now() - c.facts.time),
                 bytes_str(c.facts.bytes), c.keep() ? why_str(c) : ""});
    }
    table.print();
  }
  const std::int64_t stay = static_cast<std::int64_t>(all.size()) - gone;
  const char* verb = flags.dry_run ? "would go" : "deleted";
  if (gone == 0) {
    fmt::print("nothing {}; {} stay\n", flags.dry_run ? "would go" : "to delete", stay);
  } else {
    fmt::print("{} {}, {}; {} stay\n", count_str(gone, "checkpoint"), verb, bytes_str(freed), stay);
  }
  return 0;
}

int pin_command(const PinFlags& flags) {
  Json pinned = Json::array();
  for (const std::string& path : flags.prefixes) {
    const std::string prefix = checkpoint_prefix_of(path);
    train::pin_checkpoint(prefix);
    pinned.push_back(prefix);
    if (!flags.json) fmt::print("{} stays until it is unpinned\n", printable(prefix));
  }
  if (flags.json) print_json({{"pinned", std::move(pinned)}});
  return 0;
}

int unpin_command(const PinFlags& flags) {
  Json unpinned = Json::array();
  for (const std::string& path : flags.prefixes) {
    const std::string prefix = checkpoint_prefix_of(path);
    const bool was = train::is_pinned(prefix);
    train::unpin_checkpoint(prefix);
    if (was) unpinned.push_back(prefix);
    if (!flags.json) {
      fmt::print("{} {}\n", printable(prefix), was ? "is no longer pinned" : "was not pinned");
    }
  }
  if (flags.json) print_json({{"unpinned", std::move(unpinned)}});
  return 0;
}

}  // namespace assay::cli
