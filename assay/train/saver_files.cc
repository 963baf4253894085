#include "assay/train/saver_files.h"

#include <cmath>
#include <filesystem>
#include <set>

#include "assay/device/resource_store.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/saver.h"

namespace assay::train {

namespace {

constexpr std::int64_t kMarkVersion = 1;

std::uint64_t bytes_of(const std::vector<Tensor>& values) {
  std::uint64_t bytes = 0;
  for (const Tensor& value : values) {
    if (value.dtype() != DType::kString) {
      bytes += value.num_bytes();
      continue;
    }
    for (const std::string& s : value.span<std::string>()) bytes += s.size() + 1;
  }
  return bytes;
}

void add_values(format::BundleWriter& writer, const std::vector<SavedTensor>& tensors,
                const std::vector<Tensor>& values) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const SavedTensor& t = tensors[i];
    const auto part = format::parse_shape_and_slice(t.slice);
    if (part) {
      writer.add_slice(t.name, part->full_shape, part->slice, values[i]);
    } else {
      writer.add(t.name, values[i]);
    }
  }
}

std::string normal(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

/// `name` in the folder of `path`, written as `path` writes it.
std::string beside(const std::string& path, const std::string& name) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? name : path.substr(0, slash + 1) + name;
}

void add_extras(format::BundleWriter& writer, const SaveJob& job) {
  for (const auto& [name, value] : job.extras) writer.add(name, value);
}

}  // namespace

std::vector<std::pair<std::string, Tensor>> extra_tensors(
    const std::map<std::string, Tensor>& session_state,
    const std::map<std::string, double>& metrics, std::int64_t step, const std::string& rules) {
  std::map<std::string, Tensor> all;
  for (const auto& [key, value] : session_state) all[kReservedPrefix + key] = value;
  for (const auto& [name, value] : metrics) {
    all[fmt::format("{}metric/{}", kReservedPrefix, name)] = Tensor::scalar(value);
  }
  const std::int64_t managed = rules.empty() ? 0 : 1;
  all[fmt::format("{}saver", kReservedPrefix)] =
      Tensor::of<std::int64_t>({kMarkVersion, step, managed});
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
    if (key != "saver" && key != "retention") state[key] = reader.read(name);
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
  (void)shards;
  std::optional<format::BundleWriter> writer;
  session.exclusive([&](ResourceStore& resources) {
    const std::vector<Tensor> values = values_of(resources, tensors);
    require_free_space(fs, job.dir, bytes_of(values));
    writer.emplace(job.prefix, fs);
    add_values(*writer, tensors, values);
  });
  add_extras(*writer, job);
  writer->finish();
}

void write_values(const std::vector<Tensor>& values, const std::vector<SavedTensor>& tensors,
                  int shards, const SaveJob& job, FileSystem& fs) {
  (void)shards;
  require_free_space(fs, job.dir, bytes_of(values));
  format::BundleWriter writer(job.prefix, fs);
  add_values(writer, tensors, values);
  add_extras(writer, job);
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
  const auto look = [&](const std::string& prefix, bool ours) {
    const auto info = fs.stat(prefix + ".index");
    if (!info || !seen.insert(prefix).second) return;
    auto found = cache.find(prefix);
    if (found == cache.end() || found->second.first != info->modified_ns) {
      const auto facts = std::pair{info->modified_ns, read_facts(prefix, fs)};
      found = cache.insert_or_assign(prefix, facts).first;
    }
    CheckpointFacts facts = found->second.second;
    facts.pinned = is_pinned(prefix, fs);
    facts.ours |= ours;
    if (facts.ours) all.push_back(std::move(facts));
  };
  for (const KnownCheckpoint& c : known) {
    const std::size_t before = all.size();
    look(c.prefix, true);
    if (all.size() > before && std::isfinite(c.time)) all.back().time = c.time;
  }
  std::set<std::string> listed;
  try {
    if (const auto state = get_checkpoint_state(job.dir, job.latest, fs)) {
      for (const std::string& p : state->all_model_checkpoint_paths) listed.insert(normal(p));
    }
  } catch (const Error&) {
    // A damaged state file lists nothing; the one written now replaces it.
  }
  const std::string base = std::filesystem::path(job.path).filename().string() + "-";
  for (const std::string& name : fs.list(job.dir)) {
    if (!name.ends_with(".index") || !name.starts_with(base)) continue;
    const std::string number = name.substr(base.size(), name.size() - base.size() - 6);
    if (number.empty() || number.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string prefix = beside(job.path, name.substr(0, name.size() - 6));
    look(prefix, listed.contains(normal(prefix)));
  }
  std::erase_if(cache, [&](const auto& entry) { return !seen.contains(entry.first); });
  return all;
}

}  // namespace assay::train
