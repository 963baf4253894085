#include "assay/train/saver_files.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>
#include <set>

#include "assay/base/log.h"
#include "assay/device/resource_store.h"
#include "assay/format/bundle_merge.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/saver.h"

namespace assay::train {

namespace {

// 2: with the time and the state file's name.
constexpr std::int64_t kMarkVersion = 2;

std::string normal(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

/// `name` in the folder of `path`, written as `path` writes it.
std::string beside(const std::string& path, const std::string& name) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? name : path.substr(0, slash + 1) + name;
}

/// Writes a bundle of one data file, or of several: then each is a bundle of its own in a folder
/// beside, and they become one at the end.
class JobWriter {
 public:
  JobWriter(const SaveJob& job, const std::vector<SavedTensor>& tensors, int shards, FileSystem& fs)
      : job_(job), tensors_(tensors), fs_(fs), folder_(job.prefix + "_temp") {
    if (shards == 1) prefixes_ = {job.prefix};
    for (int i = 0; i < shards && shards > 1; ++i) {
      prefixes_.push_back(fmt::format("{}/part-{:05}-of-{:05}", folder_, i, shards));
    }
  }

  ~JobWriter() {
    // Each of them first removes its temporary files.
    writers_.clear();
    if (prefixes_.size() > 1 && !finished_) remove_parts(folder_, fs_);
  }
  JobWriter(const JobWriter&) = delete;
  JobWriter& operator=(const JobWriter&) = delete;

  void add(const std::vector<Tensor>& values) {
    std::vector<std::uint64_t> bytes(prefixes_.size(), 0);
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      bytes[shard_of(tensors_[i])] += format::BundleWriter::stored_bytes(values[i]);
    }
    require_free_space(fs_, job_.dir,
                       std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0}));
    for (std::size_t i = 0; i < prefixes_.size(); ++i) {
      writers_.push_back(std::make_unique<format::BundleWriter>(prefixes_[i], fs_));
      writers_.back()->reserve(bytes[i]);
    }
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const SavedTensor& t = tensors_[i];
      format::BundleWriter& writer = *writers_[shard_of(t)];
      if (const auto part = format::parse_shape_and_slice(t.slice)) {
        writer.add_slice(t.name, part->full_shape, part->slice, values[i]);
      } else {
        writer.add(t.name, values[i]);
      }
    }
  }

  void finish() {
    for (const auto& [name, value] : job_.extras) writers_.back()->add(name, value);
    for (const auto& writer : writers_) writer->finish();
    if (prefixes_.size() == 1) {
      finished_ = true;
      return;
    }
    format::merge_bundles(prefixes_, job_.prefix, fs_);
    finished_ = true;
    try {
      if (fs_.list(folder_).empty()) fs_.remove(folder_);
    } catch (const Error& e) {
      log_warning("the empty folder '{}' stays: {}", folder_, e.message());
    }
  }

 private:
  std::size_t shard_of(const SavedTensor& t) const {
    return prefixes_.size() == 1 ? 0 : static_cast<std::size_t>(t.shard);
  }

  const SaveJob& job_;
  const std::vector<SavedTensor>& tensors_;
  FileSystem& fs_;
  std::string folder_;
  std::vector<std::string> prefixes_;
  std::vector<std::unique_ptr<format::BundleWriter>> writers_;
  bool finished_ = false;
};

}  // namespace

std::vector<std::pair<std::string, Tensor>> extra_tensors(
    const std::map<std::string, Tensor>& session_state,
    const std::map<std::string, double>& metrics, std::int64_t step, const std::string& rules,
    const std::string& state_file) {
  std::map<std::string, Tensor> all;
  for (const auto& [key, value] : session_state) all[kReservedPrefix + key] = value;
  for (const auto& [name, value] : metrics) {
    all[fmt::format("{}metric/{}", kReservedPrefix, name)] = Tensor::scalar(value);
  }
  const std::int64_t now_us = std::chrono::duration_cast<std::chrono::microseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count();
  const std::int64_t managed = rules.empty() ? 0 : 1;
  all[fmt::format("{}saver", kReservedPrefix)] =
      Tensor::of<std::int64_t>({kMarkVersion, step, managed});
  all[fmt::format("{}saver/time", kReservedPrefix)] = Tensor::scalar(now_us);
  all[fmt::format("{}saver/state_file", kReservedPrefix)] = Tensor::scalar(state_file);
  if (managed != 0) all[fmt::format("{}retention", kReservedPrefix)] = Tensor::scalar(rules);
  return {all.begin(), all.end()};
}

std::map<std::string, Tensor> read_extras(const std::string& prefix, FileSystem& fs) {
  if (!fs.exists(prefix + ".index")) return {};
  const format::BundleReader reader(prefix, fs);
  std::map<std::string, Tensor> state;
  const std::string_view reserved = kReservedPrefix;
  for (const auto& [name, unused] : reader.entries()) {
    if (!name.starts_with(reserved)) continue;
    const std::string key = name.substr(reserved.size());
    const bool own = key == "saver" || key.starts_with("saver/") || key == "retention";
    if (!own) state[key] = reader.read(name);
  }
  return state;
}

std::vector<Tensor> values_of(const ResourceStore& resources,
                              const std::vector<SavedTensor>& tensors) {
  std::vector<Tensor> values;
  values.reserve(tensors.size());
  for (const SavedTensor& t : tensors) {
    const auto variable = resources.find<VariableResource>(t.resource);
    if (variable == nullptr || !variable->value.defined()) {
      throw Error(Code::kFailedPrecondition,
                  fmt::format("{} cannot be saved: it is not initialised; run "
                              "global_variables_initializer() or restore it first",
                              t.node->label()),
                  t.node->name(), t.node->place());
    }
    values.push_back(variable->value);
  }
  return values;
}

void copy_values(const std::vector<Tensor>& values, std::vector<Tensor>& copies) {
  copies.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (copies[i].defined() && copies[i].dtype() == values[i].dtype() &&
        copies[i].shape() == values[i].shape()) {
      copy_elements(values[i], copies[i]);
    } else {
      copies[i] = values[i].copy();
    }
  }
}

void save_variables(Session& session, const std::vector<SavedTensor>& tensors, int shards,
                    const SaveJob& job, FileSystem& fs) {
  JobWriter writer(job, tensors, shards, fs);
  session.exclusive([&](ResourceStore& resources) { writer.add(values_of(resources, tensors)); });
  writer.finish();
}

void write_values(const std::vector<Tensor>& values, const std::vector<SavedTensor>& tensors,
                  int shards, const SaveJob& job, FileSystem& fs) {
  JobWriter writer(job, tensors, shards, fs);
  writer.add(values);
  writer.finish();
}

void save_by_nodes(Session& session, const SaverNodes& nodes, const SaveJob& job, bool has_state) {
  if (has_state) {
    fail(Code::kUnimplemented,
         "'{}' cannot be saved with session state: the nodes of this saver ('{}') do more than "
         "move variables, and what they write is theirs; make a Saver of the graph's variables",
         job.prefix, nodes.save_tensor_name);
  }
  const Graph& graph = session.graph();
  session.run({Feed(graph.output(nodes.filename_tensor_name), Tensor::scalar(job.prefix))},
              {graph.output(nodes.save_tensor_name)});
}

std::vector<CheckpointFacts> candidates(const SaveJob& job,
                                        const std::vector<KnownCheckpoint>& known, FileSystem& fs,
                                        FactsCache& cache) {
  std::vector<CheckpointFacts> all;
  std::set<std::string> seen;
  std::set<std::string> listed;
  try {
    if (const auto state = get_checkpoint_state(job.dir, job.latest, fs)) {
      for (const std::string& p : state->all_model_checkpoint_paths) listed.insert(normal(p));
    }
  } catch (const Error&) {
    // A damaged state file lists nothing; the one written now replaces it.
  }
  const auto look = [&](const std::string& prefix, const KnownCheckpoint* known_as) {
    const auto info = fs.stat(prefix + ".index");
    if (!info || !seen.insert(prefix).second) return;
    auto found = cache.find(prefix);
    if (found == cache.end() || found->second.first != info->modified_ns) {
      const auto facts = std::pair{info->modified_ns, read_facts(prefix, fs)};
      found = cache.insert_or_assign(prefix, facts).first;
    }
    CheckpointFacts facts = found->second.second;
    facts.pinned = is_pinned(prefix, fs);
    // That a caller knows of a file does not make it ours.
    facts.ours = facts.is_managed_by(job.latest) || listed.contains(normal(prefix)) ||
                 (known_as != nullptr && known_as->ours);
    if (!facts.ours) return;
    if (known_as != nullptr && !facts.marked_time && std::isfinite(known_as->time)) {
      facts.time = known_as->time;
    }
    all.push_back(std::move(facts));
  };
  for (const KnownCheckpoint& c : known) look(c.prefix, &c);
  const std::string base = std::filesystem::path(job.path).filename().string() + "-";
  for (const std::string& name : fs.list(job.dir)) {
    if (!name.ends_with(".index") || !name.starts_with(base)) continue;
    const std::string number = name.substr(base.size(), name.size() - base.size() - 6);
    if (number.empty() || number.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string prefix = beside(job.path, name.substr(0, name.size() - 6));
    look(prefix, nullptr);
  }
  std::erase_if(cache, [&](const auto& entry) { return !seen.contains(entry.first); });
  return all;
}

}  // namespace assay::train
