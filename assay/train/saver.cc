#include "assay/train/saver.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "assay/api/apply_op.h"
#include "assay/api/control_flow.h"
#include "assay/base/file_system.h"
#include "assay/base/log.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/format/proto/meta_graph.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/scope.h"
#include "assay/graph/shape_context.h"

namespace assay::train {

namespace {

constexpr const char* kSessionSuffix = ".session";

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The variables to save by the names they have in the checkpoint, sorted.
std::map<std::string, Variable> named_variables(const SaverOptions& options) {
  if (!options.names.empty()) {
    if (!options.var_list.empty()) {
      invalid_argument("Saver: give var_list or names, not both");
    }
    return options.names;
  }
  std::map<std::string, Variable> named;
  for (const Variable& v : options.var_list.empty() ? global_variables() : options.var_list) {
    const auto [there, added] = named.emplace(v.op_name(), v);
    if (!added && !(there->second == v)) {
      invalid_argument("Saver: two variables are called '{}' ({} and {})", v.op_name(),
                       there->second.node()->place(), v.node()->place());
    }
  }
  return named;
}

/// The node that puts a restored tensor into its variable.
Node* restore_variable(const Variable& variable, Output restored, bool reshape) {
  const PartialShape& shape = variable.shape();
  Output value = restored;
  if (reshape) {
    value = apply_op("Reshape", "", {Operand(value), IntList(shape)})->output();
  }
  if (variable.is_resource()) {
    DeviceScope device(variable.graph(), variable.node()->device());
    value = apply_op("Identity", "", {Operand(value)})->output();
    return apply_op("AssignVariableOp", "", {Operand(variable.ref()), Operand(value)});
  }
  return apply_op(
      "Assign", "", {Operand(variable.ref()), Operand(value)},
      {{"use_locking", true}, {"validate_shape", !reshape && shape.is_fully_defined()}});
}

/// What a "restore_all" node restores: pairs of an assigning node and the RestoreV2 output that
/// it takes, found through the groups and the copies between.
std::vector<std::pair<Node*, Output>> restored_by(Node* restore_all) {
  std::vector<std::pair<Node*, Output>> found;
  std::vector<Node*> stack = {restore_all};
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (node->op() == "NoOp") {
      stack.insert(stack.end(), node->control_inputs().begin(), node->control_inputs().end());
    } else if (node->op() == "Assign" || node->op() == "AssignVariableOp") {
      Output value = node->input(1);
      while (value.node->op() == "Identity") value = value.node->input(0);
      if (value.node->op() == "RestoreV2") found.emplace_back(node, value);
    }
  }
  return found;
}

/// Element `i` of a string vector that the graph holds as a constant.
std::optional<std::string> constant_string(const Output& output, int i) {
  const Tensor value = constant_value(output);
  if (!value.defined() || value.dtype() != string || i >= value.num_elements()) return std::nullopt;
  return value.data<std::string>()[i];
}

void write_session_state(const std::string& prefix, const std::map<std::string, Tensor>& state) {
  if (state.empty()) return;
  format::BundleWriter writer(prefix + kSessionSuffix);
  for (const auto& [name, value] : state) writer.add(name, value);
  writer.finish();
}

/// Removes what there is of a checkpoint; what cannot be removed is reported and stays.
void remove_quietly(const std::string& prefix, const std::string& meta_graph_suffix = "meta") {
  try {
    remove_checkpoint(prefix, meta_graph_suffix);
  } catch (const Error& e) {
    log_warning("the checkpoint '{}' stays: {}", prefix, e.message());
  }
}

}  // namespace

Saver::Saver(const SaverOptions& options, std::source_location where)
    : graph_(&current_graph()),
      reshape_(options.reshape),
      max_to_keep_(options.max_to_keep),
      keep_every_n_hours_(options.keep_checkpoint_every_n_hours),
      pad_step_number_(options.pad_step_number),
      save_relative_paths_(options.save_relative_paths),
      next_preserved_(now_seconds() + options.keep_checkpoint_every_n_hours * 3600) {
  PlaceScope place(where);
  const auto named = named_variables(options);
  if (named.empty()) {
    if (!options.allow_empty) invalid_argument("Saver: the graph has no variables to save");
    empty_ = true;
    return;
  }
  std::vector<std::string> names;
  std::vector<Operand> tensors;
  std::vector<DType> dtypes;
  for (const auto& [name, v] : named) {
    names.push_back(name);
    tensors.emplace_back(v.is_resource() ? v.state()->snapshot() : v.ref());
    dtypes.push_back(v.dtype());
    entries_.push_back({name, v.dtype(), v.shape(), v.node()->place()});
  }
  const std::vector<std::string> slices(names.size());

  NameScope scope(*graph_, options.name.empty() ? "save" : options.name);
  const AttrMap scalar = {{"shape", PartialShape::scalar()}};
  Node* filename =
      apply_op("PlaceholderWithDefault", "filename", {Operand(options.filename)}, scalar);
  filename = apply_op("PlaceholderWithDefault", "Const", {Operand(filename->output())}, scalar);
  Node* save = apply_op("SaveV2", "",
                        {Operand(filename->output()), Operand(names), Operand(slices), tensors});
  const Output saved = with_dependencies({save}, filename->output());
  Node* restore = nullptr;
  {
    DeviceScope cpu(*graph_, "/device:CPU:0");
    restore =
        apply_op("RestoreV2", "", {Operand(filename->output()), Operand(names), Operand(slices)},
                 {{"dtypes", dtypes}});
  }
  std::vector<Node*> assigned;
  for (const auto& [name, v] : named) {
    const int i = static_cast<int>(assigned.size());
    assigned.push_back(restore_variable(v, restore->output(i), options.reshape));
  }
  Node* restore_all = group(assigned, {.name = "restore_all"});
  nodes_ = {.filename_tensor_name = filename->output().name(),
            .save_tensor_name = saved.name(),
            .restore_op_name = restore_all->name()};
}

Saver::Saver(Graph& graph, SaverNodes nodes, int max_to_keep, double keep_checkpoint_every_n_hours)
    : graph_(&graph),
      nodes_(std::move(nodes)),
      max_to_keep_(max_to_keep),
      keep_every_n_hours_(keep_checkpoint_every_n_hours),
      next_preserved_(now_seconds() + keep_checkpoint_every_n_hours * 3600) {
  graph.output(nodes_.filename_tensor_name);
  graph.output(nodes_.save_tensor_name);
  if (graph.find_node(nodes_.restore_op_name) == nullptr) {
    fail(Code::kNotFound, "the saver's node '{}' is not in the graph", nodes_.restore_op_name);
  }
  for (const auto& [assign, restored] : restored_by(graph.find_node(nodes_.restore_op_name))) {
    const auto name = constant_string(restored.node->input(1), restored.index);
    const auto slice = constant_string(restored.node->input(2), restored.index);
    if (!name || !slice || !slice->empty()) continue;
    const Output variable = assign->input(0);
    const bool validates = assign->op() == "Assign" && assign->attr_or("validate_shape", true);
    entries_.push_back({.name = *name,
                        .dtype = restored.dtype(),
                        .shape = validates ? variable.shape() : PartialShape::unknown(),
                        .place = variable.node->place()});
  }
}

std::string Saver::save(Session& session, const std::string& path, const SaveOptions& options) {
  const std::string latest =
      options.latest_filename.empty() ? "checkpoint" : options.latest_filename;
  if (latest.find('/') != std::string::npos) {
    invalid_argument("the state file '{}' must be a name without folders", latest);
  }
  std::string prefix = path;
  if (options.global_step) {
    prefix += fmt::format(fmt::runtime(pad_step_number_ ? "-{:08d}" : "-{}"), *options.global_step);
  } else if (std::filesystem::path(path).filename() == latest) {
    invalid_argument("the checkpoint '{}' and the state file have one name; use another one", path);
  }
  const std::string dir = parent_directory(path);
  if (!posix_file_system().is_directory(dir)) {
    invalid_argument("'{}' cannot be saved: there is no folder '{}'", path, dir);
  }
  write_session_state(prefix, options.session_state);
  if (!empty_) {
    try {
      session.run({Feed(graph_->output(nodes_.filename_tensor_name), Tensor::scalar(prefix))},
                  {graph_->output(nodes_.save_tensor_name)});
    } catch (const Error&) {
      // Without its checkpoint the session state is of no use.
      if (!posix_file_system().exists(prefix + ".index")) remove_quietly(prefix);
      throw;
    }
  }
  if (options.write_meta_graph) {
    export_meta_graph_to(meta_graph_filename(prefix, options.meta_graph_suffix), *graph_, this);
  }
  if (options.write_state && !empty_) {
    record(prefix);
    update_checkpoint_state(
        dir, {.model_checkpoint_path = prefix, .all_model_checkpoint_paths = last_checkpoints()},
        latest, save_relative_paths_);
    delete_old(options.meta_graph_suffix);
  }
  return prefix;
}

void Saver::record(const std::string& prefix) {
  if (max_to_keep_ <= 0) return;
  std::erase_if(last_checkpoints_, [&](const auto& entry) { return entry.first == prefix; });
  last_checkpoints_.emplace_back(prefix, now_seconds());
  while (last_checkpoints_.size() > static_cast<std::size_t>(max_to_keep_)) {
    to_delete_.push_back(last_checkpoints_.front());
    last_checkpoints_.erase(last_checkpoints_.begin());
  }
}

void Saver::delete_old(const std::string& meta_graph_suffix) {
  for (const auto& [prefix, time] : std::exchange(to_delete_, {})) {
    if (time > next_preserved_) {
      next_preserved_ += keep_every_n_hours_ * 3600;
      continue;
    }
    remove_quietly(prefix, meta_graph_suffix);
  }
}

void Saver::check_against(const std::string& prefix) const {
  const format::BundleReader reader(prefix);
  std::vector<std::string> missing;
  for (const Entry& entry : entries_) {
    const auto* found = reader.find(entry.name);
    if (found == nullptr) {
      missing.push_back(fmt::format("'{}'", entry.name));
      continue;
    }
    const auto refuse = [&](const std::string& expected, const std::string& got) {
      invalid_argument("'{}' does not fit the graph: the variable '{}'{} is {}, the file's is {}",
                       prefix, entry.name, entry.place.empty() ? "" : " (" + entry.place + ")",
                       expected, got);
    };
    if (found->dtype != entry.dtype) refuse(dtype_name(entry.dtype), dtype_name(found->dtype));
    if (!reshape_ && !entry.shape.is_compatible_with(found->shape)) {
      refuse(entry.shape.str(), found->shape.str());
    }
  }
  if (!missing.empty()) {
    fail(Code::kNotFound,
         "'{}' does not fit the graph: it lacks the variable{} {}; is it of another model?", prefix,
         missing.size() == 1 ? "" : "s", fmt::join(missing, ", "));
  }
}

void Saver::restore(Session& session, const std::string& prefix) const {
  if (empty_) return;
  if (!checkpoint_exists(prefix)) {
    fail(Code::kNotFound, "there is no checkpoint '{}'", prefix);
  }
  // A file of the V1 format has no index; the restore op checks it as it reads.
  if (posix_file_system().exists(prefix + ".index")) check_against(prefix);
  session.run({Feed(graph_->output(nodes_.filename_tensor_name), Tensor::scalar(prefix))}, {},
              {graph_->find_node(nodes_.restore_op_name)});
}

std::map<std::string, Tensor> Saver::read_session_state(const std::string& prefix) {
  if (!checkpoint_exists(prefix + kSessionSuffix)) return {};
  const format::BundleReader reader(prefix + kSessionSuffix);
  std::map<std::string, Tensor> state;
  for (const auto& [name, unused] : reader.entries()) state[name] = reader.read(name);
  return state;
}

std::vector<std::string> Saver::last_checkpoints() const {
  std::vector<std::string> all;
  for (const auto& [prefix, time] : last_checkpoints_) all.push_back(prefix);
  return all;
}

void Saver::set_last_checkpoints_with_time(
    std::vector<std::pair<std::string, double>> checkpoints) {
  last_checkpoints_ = std::move(checkpoints);
}

void Saver::recover_last_checkpoints(const std::vector<std::string>& prefixes) {
  last_checkpoints_.clear();
  for (const std::string& prefix : prefixes) {
    const auto info = posix_file_system().stat(prefix + ".index");
    if (info) last_checkpoints_.emplace_back(prefix, static_cast<double>(info->modified_ns) / 1e9);
  }
}

std::string Saver::to_bytes() const {
  proto::SaverDef def;
  def.set_filename_tensor_name(nodes_.filename_tensor_name);
  def.set_save_tensor_name(nodes_.save_tensor_name);
  def.set_restore_op_name(nodes_.restore_op_name);
  def.set_max_to_keep(max_to_keep_);
  def.set_keep_checkpoint_every_n_hours(static_cast<float>(keep_every_n_hours_));
  def.set_version(proto::SaverDef::V2);
  return format::to_binary(def);
}

}  // namespace assay::train
