#include "assay/train/saver.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include "assay/base/log.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/format/proto/meta_graph.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/debug_info.h"
#include "assay/graph/scope.h"
#include "assay/train/saver_files.h"
#include "assay/train/saver_restore.h"

namespace assay::train {

namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void add_saveable(std::map<std::string, std::vector<Saveable>>& by_name, const std::string& name,
                  const Variable& v, const std::string& slice) {
  if (name.starts_with(kReservedPrefix)) {
    invalid_argument(
        "Saver: the variable '{}' cannot be saved as '{}': names that begin with "
        "'{}' are taken",
        v.op_name(), name, kReservedPrefix);
  }
  std::vector<Saveable>& there = by_name[name];
  for (const Saveable& other : there) {
    if (other.variable == v) return;
    if (slice.empty() || other.slice.empty()) {
      invalid_argument("Saver: two variables are called '{}' ({} and {})", name,
                       other.variable.node()->place(), v.node()->place());
    }
  }
  there.push_back({name, v, slice});
}

/// What to save, sorted by the names in the checkpoint; parts of one tensor by their own names.
std::vector<Saveable> saveables_of(const SaverOptions& options) {
  std::map<std::string, std::vector<Saveable>> by_name;
  if (!options.names.empty() || !options.names_of_parts.empty()) {
    if (!options.var_list.empty()) {
      invalid_argument("Saver: give var_list or names, not both");
    }
    for (const auto& [name, v] : options.names) add_saveable(by_name, name, v, "");
    for (const auto& [name, parts] : options.names_of_parts) {
      for (const Variable& v : parts) {
        const auto& slice = v.state()->save_slice();
        if (!slice) {
          invalid_argument("Saver: '{}' is no part of a partitioned variable", v.op_name());
        }
        add_saveable(by_name, name, v, slice->spec());
      }
    }
  } else {
    for (const Variable& v : options.var_list.empty() ? global_variables() : options.var_list) {
      const auto& slice = v.state()->save_slice();
      add_saveable(by_name, slice ? slice->full_name : v.op_name(), v, slice ? slice->spec() : "");
    }
  }
  std::vector<Saveable> all;
  for (auto& [name, some] : by_name) {
    std::stable_sort(some.begin(), some.end(), [](const Saveable& a, const Saveable& b) {
      return a.variable.name() < b.variable.name();
    });
    for (Saveable& s : some) all.push_back(std::move(s));
  }
  return all;
}

RetentionRules rules_of(const SaverOptions& options) {
  RetentionRules rules = options.keep;
  rules.last = options.max_to_keep;
  // TensorFlow's default of 10000 hours stands for never.
  const double hours = options.keep_checkpoint_every_n_hours;
  rules.every_seconds = hours > 0 && hours < 10000 ? hours * 3600 : 0;
  return rules;
}

}  // namespace

std::optional<std::int64_t> StepNumber::get(Session& session) const {
  if (const auto* number = std::get_if<std::int64_t>(&value_)) return *number;
  const auto* tensor = std::get_if<Output>(&value_);
  if (tensor == nullptr) return std::nullopt;
  const Tensor value = session.run(*tensor);
  if (value.num_elements() != 1 || !is_integer(value.dtype())) {
    invalid_argument("global_step: '{}' is {}{}, it must be one integer", tensor->name(),
                     dtype_name(value.dtype()), value.shape().str());
  }
  return dispatch_numeric(value.dtype(), [&](auto zero) {
    return static_cast<std::int64_t>(value.data<decltype(zero)>()[0]);
  });
}

struct Saver::Impl {
  Graph* graph = nullptr;
  SaverNodes nodes;
  ResolvedSaver resolved;
  bool empty = false;
  bool sharded = false;
  double every_n_hours = 10000;
  bool pad_step_number = false;
  bool save_relative_paths = false;
  FileSystem* fs = nullptr;

  std::thread writer;
  std::exception_ptr failed;     // what went wrong in `writer`
  std::vector<Tensor> snapshot;  // the copy that `writer` writes, kept for the next one
  mutable std::mutex mutex;
  RetentionRules rules;               // guarded by mutex
  std::vector<KnownCheckpoint> last;  // guarded by mutex; oldest first
  std::set<std::string> unfinished;   // guarded by mutex; prefixes of which files may be left
  std::set<std::string> untouchable;  // guarded by mutex; of unknown age: never to be deleted
  FactsCache facts;                   // guarded by mutex

  Impl(Graph& g, const SaverOptions& options)
      : graph(&g),
        sharded(options.sharded),
        every_n_hours(options.keep_checkpoint_every_n_hours),
        pad_step_number(options.pad_step_number),
        save_relative_paths(options.save_relative_paths),
        fs(options.file_system != nullptr ? options.file_system : &posix_file_system()),
        rules(rules_of(options)) {
    if (options.write_version == CheckpointVersion::kV1) {
      fail(Code::kUnimplemented,
           "Saver: checkpoints of the old format V1 can be read, but not written; leave "
           "write_version at V2");
    }
    if (rules.last < 0 || rules.best < 0 || rules.every_steps < 0) {
      invalid_argument("Saver: what to keep must not be negative ({})", rules.str());
    }
    if (rules.best > 0 && rules.metric.empty()) {
      invalid_argument("Saver: to keep the best {}, name the metric", rules.best);
    }
  }

  ~Impl() {
    if (writer.joinable()) writer.join();
    if (failed == nullptr) return;
    try {
      std::rethrow_exception(failed);
    } catch (const std::exception& e) {
      log_warning("a checkpoint was not saved: {}", e.what());
    }
  }

  void wait() {
    if (writer.joinable()) writer.join();
    if (failed != nullptr) std::rethrow_exception(std::exchange(failed, nullptr));
  }

  SaveJob make_job(Session& session, const std::string& path, const SaveOptions& options) const;
  void publish(const SaveJob& job);
  /// Calls `write`; when it throws, what is left of the checkpoint is removed after the next save.
  template <typename Write>
  void write(const SaveJob& job, const Write& write) {
    try {
      write();
    } catch (...) {
      const std::lock_guard lock(mutex);
      unfinished.insert(job.prefix);
      throw;
    }
  }
  void remove_leftovers(const SaveJob& job);
};

SaveJob Saver::Impl::make_job(Session& session, const std::string& path,
                              const SaveOptions& options) const {
  SaveJob job;
  job.latest = options.latest_filename.empty() ? "checkpoint" : options.latest_filename;
  if (job.latest.find('/') != std::string::npos) {
    invalid_argument("the state file '{}' must be a name without folders", job.latest);
  }
  const auto step = options.global_step.get(session);
  job.path = path;
  job.prefix = path;
  if (step) {
    job.prefix += fmt::format(fmt::runtime(pad_step_number ? "-{:08d}" : "-{}"), *step);
  } else if (std::filesystem::path(path).filename() == job.latest) {
    invalid_argument("the checkpoint '{}' and the state file have one name; use another one", path);
  }
  job.dir = parent_directory(path);
  if (!fs->is_directory(job.dir)) {
    invalid_argument("'{}' cannot be saved: there is no folder '{}'", path, job.dir);
  }
  job.meta_graph_suffix = options.meta_graph_suffix;
  job.write_state = options.write_state && !empty;
  const std::lock_guard lock(mutex);
  job.extras = extra_tensors(options.session_state, options.metrics, step.value_or(-1),
                             job.write_state ? rules.str() : "", job.latest);
  return job;
}

void Saver::Impl::publish(const SaveJob& job) {
  if (!job.meta.empty()) {
    const std::string path = meta_graph_filename(job.prefix, job.meta_graph_suffix);
    atomic_write_file(*fs, path, job.meta);
    if (!job.debug.empty()) atomic_write_file(*fs, debug_info_path(path), job.debug);
  }
  const std::lock_guard lock(mutex);
  if (!job.write_state) return remove_leftovers(job);
  std::erase_if(last, [&](const KnownCheckpoint& c) { return c.prefix == job.prefix; });
  last.push_back({job.prefix, now_seconds(), true});
  auto all = candidates(job, last, *fs, facts);
  for (CheckpointFacts& f : all) f.pinned |= untouchable.contains(f.prefix);
  const auto decisions = decide_retention(std::move(all), rules, job.prefix);
  last.clear();
  if (rules.last > 0) {
    for (const RetentionDecision& d : decisions) {
      if (d.newest) last.push_back({d.prefix, d.time, true});
    }
  }
  std::vector<std::string> listed;
  for (const KnownCheckpoint& c : last) listed.push_back(c.prefix);
  update_checkpoint_state(
      job.dir, {.model_checkpoint_path = job.prefix, .all_model_checkpoint_paths = listed},
      job.latest, save_relative_paths, *fs);
  remove_leftovers(job);
  for (const RetentionDecision& d : decisions) {
    if (d.keep()) continue;
    try {
      remove_checkpoint(d.prefix, job.meta_graph_suffix, *fs);
    } catch (const Error& e) {
      unfinished.insert(d.prefix);
      log_warning("the checkpoint '{}' stays: {}", d.prefix, e.message());
    }
  }
}

void Saver::Impl::remove_leftovers(const SaveJob& job) {
  unfinished.erase(job.prefix);
  std::erase_if(unfinished, [&](const std::string& prefix) {
    try {
      // With its index it is a checkpoint still, and the retention's.
      remove_unfinished(prefix, *fs, job.meta_graph_suffix);
      return true;
    } catch (const Error& e) {
      log_warning("what is left of the checkpoint '{}' stays: {}", prefix, e.message());
      return false;
    }
  });
}

Saver::Saver(const SaverOptions& options, std::source_location where)
    : impl_(std::make_unique<Impl>(current_graph(), options)) {
  PlaceScope place(where);
  const auto saveables = saveables_of(options);
  if (saveables.empty()) {
    if (!options.allow_empty) invalid_argument("Saver: the graph has no variables to save");
    impl_->empty = true;
    return;
  }
  impl_->nodes =
      build_saver_nodes(saveables, {.scope = options.name.empty() ? "save" : options.name,
                                    .filename = options.filename,
                                    .reshape = options.reshape,
                                    .sharded = options.sharded});
  impl_->resolved = resolve_saver(*impl_->graph, impl_->nodes);
}

Saver::Saver(Graph& graph, SaverNodes nodes, const SaverOptions& options)
    : impl_(std::make_unique<Impl>(graph, options)) {
  impl_->nodes = std::move(nodes);
  impl_->resolved = resolve_saver(graph, impl_->nodes);
}

Saver::~Saver() = default;
Saver::Saver(Saver&&) noexcept = default;
Saver& Saver::operator=(Saver&&) noexcept = default;

std::string Saver::save(Session& session, const std::string& path, const SaveOptions& options) {
  Impl& s = *impl_;
  s.wait();
  SaveJob job = s.make_job(session, path, options);
  if (options.write_meta_graph) {
    job.meta = export_meta_graph(
        *s.graph, {.saver = this, .strip_default_attrs = options.strip_default_attrs});
    if (options.save_debug_info) job.debug = format::to_binary(to_debug_info(*s.graph));
  }
  if (s.empty) {
    s.publish(job);
    return job.prefix;
  }
  if (s.resolved.writes_v1) {
    fail(Code::kUnimplemented,
         "'{}' cannot be saved: this saver's nodes ('{}') write the old format V1, which can be "
         "read, but not written; make a Saver of the graph's variables",
         job.prefix, s.nodes.save_tensor_name);
  }
  if (!s.resolved.saved) {
    save_by_nodes(session, s.nodes, job, !options.session_state.empty());
    s.publish(job);
    return job.prefix;
  }
  const auto& tensors = *s.resolved.saved;
  if (!options.async) {
    s.write(job, [&] {
      save_variables(session, tensors, s.sharded ? s.resolved.shards : 1, job, *s.fs);
    });
    s.publish(job);
    return job.prefix;
  }
  session.exclusive(
      [&](ResourceStore& resources) { copy_values(values_of(resources, tensors), s.snapshot); });
  const std::string prefix = job.prefix;
  s.writer = std::thread([&s, job = std::move(job)] {
    try {
      s.write(job, [&] {
        write_values(s.snapshot, *s.resolved.saved, s.sharded ? s.resolved.shards : 1, job, *s.fs);
      });
      s.publish(job);
    } catch (...) {
      s.failed = std::current_exception();
    }
  });
  return prefix;
}

void Saver::wait() const {
  impl_->wait();
}

RestoreReport Saver::restore(Session& session, const std::string& prefix,
                             const RestoreOptions& options) const {
  Impl& s = *impl_;
  if (s.empty) return {.prefix = prefix};
  s.wait();
  if (!checkpoint_exists(prefix, *s.fs)) {
    fail(Code::kNotFound, "there is no checkpoint '{}'", prefix);
  }
  if (s.resolved.restored) {
    return restore_variables(session, *s.resolved.restored, prefix, options, *s.fs);
  }
  if (options.dry_run || options.ignore_missing || !options.rename.empty() ||
      !options.rename_regex.empty()) {
    fail(Code::kUnimplemented,
         "'{}' can only be restored strictly: the nodes of this saver ('{}') do more than move "
         "variables",
         prefix, s.nodes.restore_op_name);
  }
  session.run({Feed(s.graph->output(s.nodes.filename_tensor_name), Tensor::scalar(prefix))}, {},
              {s.graph->find_node(s.nodes.restore_op_name)});
  return {.prefix = prefix};
}

std::map<std::string, Tensor> Saver::read_session_state(const std::string& prefix,
                                                        FileSystem& file_system) {
  return read_extras(prefix, file_system);
}

std::vector<std::string> Saver::last_checkpoints() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::string> all;
  for (const KnownCheckpoint& c : impl_->last) all.push_back(c.prefix);
  return all;
}

void Saver::set_last_checkpoints(const std::vector<std::string>& prefixes) {
  std::vector<std::pair<std::string, double>> known;
  for (const std::string& p : prefixes) {
    known.emplace_back(p, std::numeric_limits<double>::infinity());
  }
  set_last_checkpoints_with_times(std::move(known));
}

void Saver::set_last_checkpoints_with_times(
    std::vector<std::pair<std::string, double>> checkpoints) {
  const std::lock_guard lock(impl_->mutex);
  impl_->last.clear();
  for (auto& [prefix, time] : checkpoints) {
    if (std::isinf(time)) impl_->untouchable.insert(prefix);
    impl_->last.push_back({.prefix = std::move(prefix), .time = time});
  }
}

void Saver::recover_last_checkpoints(const std::vector<std::string>& prefixes) {
  std::vector<std::pair<std::string, double>> found;
  for (const std::string& prefix : prefixes) {
    const auto times = get_checkpoint_mtimes({prefix}, *impl_->fs);
    if (!times.empty()) found.emplace_back(prefix, times.front());
  }
  set_last_checkpoints_with_times(std::move(found));
}

void Saver::set_max_to_keep(int max_to_keep) {
  const std::lock_guard lock(impl_->mutex);
  impl_->rules.last = max_to_keep;
}

void Saver::set_retention(const RetentionRules& rules) {
  const std::lock_guard lock(impl_->mutex);
  impl_->rules = rules;
}

RetentionRules Saver::retention() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->rules;
}

FileSystem& Saver::file_system() const {
  return *impl_->fs;
}

const SaverNodes& Saver::nodes() const {
  return impl_->nodes;
}

std::string Saver::to_bytes() const {
  const Impl& s = *impl_;
  if (s.empty) return {};
  proto::SaverDef def;
  def.set_filename_tensor_name(s.nodes.filename_tensor_name);
  def.set_save_tensor_name(s.nodes.save_tensor_name);
  def.set_restore_op_name(s.nodes.restore_op_name);
  def.set_max_to_keep(retention().last);
  def.set_sharded(s.sharded);
  def.set_keep_checkpoint_every_n_hours(static_cast<float>(s.every_n_hours));
  def.set_version(proto::SaverDef::V2);
  return format::to_binary(def);
}

}  // namespace assay::train
