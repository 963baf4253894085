#include "assay/train/checkpoint_listing.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "assay/format/bundle_reader.h"
#include "assay/format/proto/checkpoint.pb.h"
#include "assay/format/proto_io.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/saver.h"

namespace assay::train {

namespace {

constexpr std::uint64_t kMaxStateBytes = std::uint64_t{1} << 24;
/// What every table ends with.
constexpr std::string_view kTableMagic = "\x57\xfb\x80\x8b\x24\x75\x47\xdb";

/// One spelling for the paths of one file, relative or not.
std::string normal(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

/// "m" of "m-7": the checkpoints that a saver counts together.
std::string base_of(const CheckpointFacts& facts) {
  return facts.step < 0 ? facts.prefix : facts.prefix.substr(0, facts.prefix.rfind('-'));
}

bool ends_like_table(const std::string& path, FileSystem& fs) {
  try {
    const auto file = fs.open_read(path);
    char end[8];
    const std::uint64_t size = file->size();
    return size > sizeof(end) && file->read_at(size - sizeof(end), end, sizeof(end)) == 8 &&
           std::string_view(end, sizeof(end)) == kTableMagic;
  } catch (const Error&) {
    return false;
  }
}

/// "export" of "export-00000-of-00001".
std::string without_shard(const std::string& name) {
  const auto of = name.rfind("-of-");
  if (of == std::string::npos || of < 6 || name.size() != of + 9 || name[of - 6] != '-') {
    return name;
  }
  return name.substr(0, of - 6);
}

bool opens(const std::string& prefix, FileSystem& fs) {
  try {
    format::CheckpointReader::open(prefix, fs);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// The prefixes of V1 checkpoints: files that the state file lists or that have a .meta beside
/// them, sound or not, and other tables that can be read as one.
std::vector<std::string> find_v1(const std::string& dir, const std::set<std::string>& listed,
                                 FileSystem& fs) {
  std::set<std::string> found;
  for (const std::string& name : fs.list(dir)) {
    const std::string path = join_path(dir, name);
    if (name.ends_with(".index") || name.find(".index.") != std::string::npos) continue;
    const std::string prefix = join_path(dir, without_shard(name));
    if (found.contains(prefix) || fs.is_directory(path) || fs.exists(prefix + ".index")) continue;
    if (listed.contains(normal(prefix)) || fs.exists(meta_graph_filename(prefix)) ||
        (ends_like_table(path, fs) && opens(prefix, fs))) {
      found.insert(prefix);
    }
  }
  return {found.begin(), found.end()};
}

CheckpointFacts v1_facts(const std::string& prefix, FileSystem& fs) {
  CheckpointFacts facts{.prefix = prefix, .step = checkpoint_step(prefix)};
  facts.pinned = is_pinned(prefix, fs);
  std::vector<std::string> files{meta_graph_filename(prefix)};
  const std::string name = std::filesystem::path(prefix).filename().string();
  for (const std::string& other : fs.list(parent_directory(prefix))) {
    if (other == name || without_shard(other) == name) {
      files.push_back(join_path(parent_directory(prefix), other));
    }
  }
  for (const std::string& file : files) {
    const auto info = fs.stat(file);
    if (!info || info->is_directory) continue;
    facts.bytes += info->size;
    if (file != files.front()) {
      facts.time = std::max(facts.time, static_cast<double>(info->modified_ns) / 1e9);
    }
  }
  return facts;
}

/// The rules a checkpoint was saved with; nothing when it does not say.
std::optional<RetentionRules> stored_rules(const std::string& prefix, FileSystem& fs) {
  try {
    const format::BundleReader reader(prefix, fs);
    const std::string name = fmt::format("{}retention", kReservedPrefix);
    const auto* entry = reader.find(name);
    if (entry == nullptr || entry->dtype != DType::kString || entry->shape.num_elements() != 1) {
      return std::nullopt;
    }
    return RetentionRules::parse(reader.read(name).data<std::string>()[0]);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Says for each of `group`, newest first, why it stays.
void decide(std::vector<ListedCheckpoint*>& group, const std::optional<RetentionRules>& rules,
            const std::string& newest, FileSystem& fs) {
  std::optional<RetentionRules> known = rules;
  for (const ListedCheckpoint* c : group) {
    if (known) break;
    if (c->version == 2) known = stored_rules(c->facts.prefix, fs);
  }
  std::vector<CheckpointFacts> facts;
  std::string written;
  for (const ListedCheckpoint* c : group) {
    facts.push_back(c->facts);
    if (normal(c->facts.prefix) == newest) written = c->facts.prefix;
  }
  std::map<std::string, std::vector<std::string>> reasons;
  for (auto& d : decide_retention(facts, known.value_or(RetentionRules{.last = 0}), written)) {
    reasons[d.prefix] = std::move(d.reasons);
  }
  for (ListedCheckpoint* c : group) {
    c->rules = known;
    c->reasons = std::move(reasons[c->facts.prefix]);
    if (c->version == 2 && c->facts.ours && !known) {
      c->reasons = {"no rules are known"};
      if (c->facts.pinned) c->reasons.insert(c->reasons.begin(), "pinned");
    }
    if (c->reasons.empty() && normal(c->facts.prefix) == newest) {
      c->reasons.emplace_back("the state file's newest");
    }
  }
}

/// What lies in a folder, each with its facts, without decisions.
std::vector<ListedCheckpoint> find_all(const std::string& dir, const std::set<std::string>& listed,
                                       FileSystem& fs) {
  std::vector<ListedCheckpoint> all;
  for (CheckpointFacts& facts : read_checkpoint_facts(dir, {}, fs)) {
    all.push_back({.facts = std::move(facts)});
  }
  for (const std::string& prefix : find_v1(dir, listed, fs)) {
    all.push_back({.facts = v1_facts(prefix, fs), .version = 1});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const ListedCheckpoint& a, const ListedCheckpoint& b) {
                     if (a.facts.step != b.facts.step) return a.facts.step > b.facts.step;
                     return a.facts.time > b.facts.time;
                   });
  return all;
}

ListedCheckpoint listed_set_aside(const std::string& prefix, FileSystem& fs) {
  ListedCheckpoint c{.facts = read_facts(prefix, fs), .set_aside = true};
  const auto dot = prefix.rfind(".damaged");
  c.facts.step = checkpoint_step(prefix.substr(0, dot));
  for (const std::string& file : checkpoint_files(prefix, fs)) {
    const auto info = fs.stat(file);
    if (!info) continue;
    c.facts.bytes += info->size;
    c.facts.time = std::max(c.facts.time, static_cast<double>(info->modified_ns) / 1e9);
  }
  c.reasons = {"set aside"};
  return c;
}

}  // namespace

std::vector<ListedCheckpoint> list_checkpoints(const std::string& checkpoint_dir,
                                               const std::optional<RetentionRules>& rules,
                                               FileSystem& file_system) {
  if (!file_system.is_directory(checkpoint_dir)) {
    fail(Code::kNotFound, "there is no folder '{}'", checkpoint_dir);
  }
  std::set<std::string> listed;
  std::string newest;
  try {
    if (const auto state = get_checkpoint_state(checkpoint_dir, {}, file_system)) {
      newest = normal(state->model_checkpoint_path);
      for (const auto& path : state->all_model_checkpoint_paths) listed.insert(normal(path));
    }
  } catch (const Error&) {
    // A damaged state file lists nothing.
  }
  std::vector<ListedCheckpoint> all = find_all(checkpoint_dir, listed, file_system);
  std::map<std::string, std::vector<ListedCheckpoint*>> groups;
  for (ListedCheckpoint& c : all) groups[base_of(c.facts)].push_back(&c);
  for (auto& [base, group] : groups) decide(group, rules, newest, file_system);
  auto first = std::find_if(all.begin(), all.end(), [&](const ListedCheckpoint& c) {
    return normal(c.facts.prefix) == newest;
  });
  if (first == all.end()) first = all.begin();
  if (first != all.end()) first->newest = true;
  for (const std::string& prefix : find_set_aside_checkpoints(checkpoint_dir, file_system)) {
    all.push_back(listed_set_aside(prefix, file_system));
  }
  return all;
}

void protect_last_sound(std::vector<ListedCheckpoint>& checkpoints, FileSystem& file_system) {
  std::map<std::string, std::vector<ListedCheckpoint*>> groups;
  for (ListedCheckpoint& c : checkpoints) {
    if (!c.set_aside && c.facts.ours) groups[base_of(c.facts)].push_back(&c);
  }
  const auto sound = [&](const ListedCheckpoint* c) {
    return check_checkpoint(c->facts.prefix, file_system).sound();
  };
  for (auto& [base, group] : groups) {
    const auto kept = [](const ListedCheckpoint* c) { return c->keep(); };
    if (std::all_of(group.begin(), group.end(), kept)) continue;
    std::stable_partition(group.begin(), group.end(), kept);
    for (ListedCheckpoint* c : group) {
      if (!sound(c)) continue;
      if (!c->keep()) c->reasons.emplace_back("the newest sound one");
      break;
    }
  }
}

void delete_unkept(const std::string& checkpoint_dir,
                   const std::vector<ListedCheckpoint>& checkpoints, FileSystem& file_system) {
  std::set<std::string> gone;
  for (const ListedCheckpoint& c : checkpoints) {
    if (!c.keep()) gone.insert(normal(c.facts.prefix));
  }
  if (gone.empty()) return;
  // The state file keeps its paths as they are written in it, relative or not.
  const std::string path = join_path(checkpoint_dir, "checkpoint");
  if (file_system.exists(path)) {
    auto state = format::parse_text<proto::CheckpointState>(
        read_file(file_system, path, kMaxStateBytes), path);
    proto::CheckpointState rest = state;
    rest.clear_all_model_checkpoint_paths();
    rest.clear_all_model_checkpoint_timestamps();
    const int count = state.all_model_checkpoint_paths_size();
    const bool timed = state.all_model_checkpoint_timestamps_size() == count;
    for (int i = 0; i < count; ++i) {
      const std::string& listed = state.all_model_checkpoint_paths(i);
      if (gone.contains(normal(join_path(checkpoint_dir, listed)))) continue;
      rest.add_all_model_checkpoint_paths(listed);
      if (timed) {
        rest.add_all_model_checkpoint_timestamps(state.all_model_checkpoint_timestamps(i));
      }
    }
    if (rest.all_model_checkpoint_paths_size() != count) {
      atomic_write_file(file_system, path, format::to_text(rest));
    }
  }
  for (const ListedCheckpoint& c : checkpoints) {
    if (!c.keep()) remove_checkpoint(c.facts.prefix, "meta", file_system);
  }
}

}  // namespace assay::train
