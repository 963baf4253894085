#include "assay/train/saver_nodes.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "assay/api/apply_op.h"
#include "assay/api/constant.h"
#include "assay/api/control_flow.h"
#include "assay/graph/device_name.h"
#include "assay/graph/scope.h"
#include "assay/graph/shape_context.h"

namespace assay::train {

Node* add_restore_assign(const Variable& variable, Output restored, bool reshape) {
  const PartialShape& shape = variable.shape();
  Output value = restored;
  if (reshape) {
    if (shape.is_fully_defined()) {
      value = apply_op("Reshape", "", {Operand(value), IntList(shape)})->output();
    } else {
      const Output sizes = apply_op("Shape", "", {Operand(variable.value())})->output();
      value = apply_op("Reshape", "", {Operand(value), IntList(sizes)})->output();
    }
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

namespace {

/// The first CPU of the machine that `device` is on.
std::string cpu_of(const std::string& device) {
  return merge_devices(device, "/device:CPU:0");
}

/// What SaveV2 is given of a variable.
Output saved_value(const Saveable& s) {
  const Variable& v = s.variable;
  if (s.slice.empty()) return v.is_resource() ? v.state()->snapshot() : v.ref();
  if (!v.is_resource()) return v.state()->snapshot();
  // A part of a partitioned resource variable is read anew, and brought to the CPU.
  DeviceScope device(v.graph(), v.node()->device());
  const Output read = v.read_value();
  DeviceScope cpu(v.graph(), "/device:CPU:0");
  return apply_op("Identity", "", {Operand(read)})->output();
}

/// A SaveV2 node for these; the tensor is `filename` once they are saved.
Output add_save(const Output& filename, const std::vector<const Saveable*>& saveables) {
  std::vector<std::string> names;
  std::vector<std::string> slices;
  std::vector<Operand> tensors;
  for (const Saveable* s : saveables) {
    names.push_back(s->name);
    slices.push_back(s->slice);
    tensors.emplace_back(saved_value(*s));
  }
  Node* save =
      apply_op("SaveV2", "", {Operand(filename), Operand(names), Operand(slices), tensors});
  return with_dependencies({save}, filename);
}

Node* add_restore(const Output& filename, const std::vector<const Saveable*>& saveables,
                  bool reshape, const std::string& name) {
  std::vector<std::string> names;
  std::vector<std::string> slices;
  std::vector<DType> dtypes;
  for (const Saveable* s : saveables) {
    names.push_back(s->name);
    slices.push_back(s->slice);
    dtypes.push_back(s->variable.dtype());
  }
  Node* restore = nullptr;
  {
    DeviceScope cpu("/device:CPU:0");
    restore = apply_op("RestoreV2", "", {Operand(filename), Operand(names), Operand(slices)},
                       {{"dtypes", dtypes}});
  }
  std::vector<Node*> assigned;
  for (const Saveable* s : saveables) {
    const int i = static_cast<int>(assigned.size());
    assigned.push_back(add_restore_assign(s->variable, restore->output(i), reshape));
  }
  return group(assigned, {.name = name});
}

/// 32 hexadecimal digits that no other saver has.
std::string unique_digits() {
  std::random_device source;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", source(), source(), source(), source());
}

using Shards = std::map<std::string, std::vector<const Saveable*>>;

Output add_sharded_save(const Output& prefix, const Shards& shards) {
  const Output parts =
      apply_op("StringJoin", "",
               {std::vector<Operand>{Operand(prefix),
                                     Operand(fmt::format("_temp_{}/part", unique_digits()))}})
          ->output();
  const Output count = constant(static_cast<int>(shards.size()), {.name = "num_shards"});
  std::vector<Operand> names;
  std::vector<Node*> saves;
  std::string last;
  for (const auto& [device, saveables] : shards) {
    last = device;
    DeviceScope scope(cpu_of(device));
    const Output name =
        apply_op("ShardedFilename", "",
                 {Operand(parts), Operand(static_cast<int>(saves.size())), Operand(count)})
            ->output();
    names.emplace_back(name);
    saves.push_back(add_save(name, saveables).node);
  }
  ControlDependencies after_saves(saves);
  DeviceScope scope(cpu_of(last));
  const Output all = apply_op("Pack", "MergeV2Checkpoints/checkpoint_prefixes", {names})->output();
  Node* merge = apply_op("MergeV2Checkpoints", "", {Operand(all), Operand(prefix)},
                         {{"delete_old_dirs", true}});
  ControlDependencies after_merge({merge});
  return apply_op("Identity", "", {Operand(prefix)})->output();
}

}  // namespace

SaverNodes build_saver_nodes(const std::vector<Saveable>& saveables,
                             const SaverNodeOptions& options) {
  NameScope scope(options.scope);
  const AttrMap scalar = {{"shape", PartialShape::scalar()}};
  const Output named =
      apply_op("PlaceholderWithDefault", "filename", {Operand(options.filename)}, scalar)->output();
  const Output filename =
      apply_op("PlaceholderWithDefault", "Const", {Operand(named)}, scalar)->output();
  if (!options.sharded) {
    std::vector<const Saveable*> all;
    for (const Saveable& s : saveables) all.push_back(&s);
    const Output saved = add_save(filename, all);
    Node* restore = add_restore(filename, all, options.reshape, "restore_all");
    return {filename.name(), saved.name(), restore->name()};
  }
  Shards shards;
  for (const Saveable& s : saveables) shards[s.variable.node()->device()].push_back(&s);
  const Output saved = add_sharded_save(filename, shards);
  std::vector<Node*> restored;
  for (const auto& [device, part] : shards) {
    DeviceScope on(device);
    restored.push_back(add_restore(filename, part, options.reshape, "restore_shard"));
  }
  Node* restore = group(restored, {.name = "restore_all"});
  return {filename.name(), saved.name(), restore->name()};
}

namespace {

/// The strings that the graph holds as a constant.
std::optional<std::vector<std::string>> constant_strings(const Output& output) {
  const Tensor value = constant_value(output);
  if (!value.defined() || value.dtype() != string) return std::nullopt;
  return value.to_vector<std::string>();
}

bool is_reference(const Node& node) {
  return node.op() == "VariableV2" || node.op() == "Variable";
}

/// The node of the variable whose value, reference or handle `output` is; null when it is another
/// thing.
const Node* variable_behind(Output output) {
  while (output.node->op() == "Identity" || output.node->op() == "ReadVariableOp") {
    output = output.node->input(0);
  }
  return is_reference(*output.node) || output.node->op() == "VarHandleOp" ? output.node : nullptr;
}

SavedTensor tensor_of(const Node& node) {
  SavedTensor t;
  t.resource = node.attr_or<std::string>("shared_name", "");
  if (t.resource.empty()) t.resource = node.name();
  t.dtype = node.attr_or<DType>("dtype", DType::kInvalid);
  // The old Variable op could not tell a scalar's shape from an unknown one.
  t.shape = is_reference(node) ? node.output_shape(0)
                               : node.attr_or<PartialShape>("shape", PartialShape::unknown());
  t.node = &node;
  return t;
}

/// Whether `output` is the tensor that the saver's prefix is fed to, or a copy.
bool is_filename(Output output, const Output& filename) {
  while (!(output == filename) && output.node->op() == "Identity") output = output.node->input(0);
  return output == filename;
}

/// Ops of a saver's nodes that only say where to save.
bool names_files(const std::string& op) {
  static const std::set<std::string> ops = {"Identity",
                                            "NoOp",
                                            "Pack",
                                            "StringJoin",
                                            "ShardedFilename",
                                            "ShardedFilespec",
                                            "MergeV2Checkpoints",
                                            "Const",
                                            "PlaceholderWithDefault"};
  return ops.contains(op);
}

std::optional<std::vector<SavedTensor>> resolve_save(const Output& save, ResolvedSaver& resolved) {
  std::vector<const Node*> savers;
  std::vector<const Node*> stack = {save.node};
  std::set<const Node*> seen;
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second) continue;
    if (node->op() == "SaveV2") {
      savers.push_back(node);
      continue;
    }
    if (node->op() == "Save" || node->op() == "SaveSlices") resolved.writes_v1 = true;
    if (!names_files(node->op())) return std::nullopt;
    for (const Output& input : node->inputs()) stack.push_back(input.node);
    stack.insert(stack.end(), node->control_inputs().begin(), node->control_inputs().end());
  }
  if (savers.empty()) return std::nullopt;
  std::sort(savers.begin(), savers.end(),
            [](const Node* a, const Node* b) { return a->id() < b->id(); });
  resolved.shards = static_cast<int>(savers.size());
  std::vector<SavedTensor> all;
  for (std::size_t shard = 0; shard < savers.size(); ++shard) {
    const Node* node = savers[shard];
    const auto names = constant_strings(node->input(1));
    const auto slices = constant_strings(node->input(2));
    const std::size_t n = static_cast<std::size_t>(node->num_inputs()) - 3;
    if (!names || !slices || names->size() != n || slices->size() != n) return std::nullopt;
    for (std::size_t i = 0; i < n; ++i) {
      const Node* variable = variable_behind(node->input(static_cast<int>(i) + 3));
      if (variable == nullptr) return std::nullopt;
      SavedTensor t = tensor_of(*variable);
      t.name = (*names)[i];
      t.slice = (*slices)[i];
      t.shard = static_cast<int>(shard);
      all.push_back(std::move(t));
    }
  }
  return all;
}

/// The name and slice of the tensor that a restoring node's output is.
bool read_restored(const Output& output, const Output& filename, SavedTensor& t) {
  const Node& node = *output.node;
  const bool one = node.op() == "RestoreSlice" || node.op() == "Restore";
  if (!one && node.op() != "RestoreV2") return false;
  if (!is_filename(node.input(0), filename)) return false;
  const auto names = constant_strings(node.input(1));
  std::optional<std::vector<std::string>> slices;
  if (node.op() == "Restore") {
    slices = std::vector<std::string>{""};
  } else {
    slices = constant_strings(node.input(2));
  }
  const auto i = static_cast<std::size_t>(output.index);
  if (!names || !slices || i >= names->size() || i >= slices->size()) return false;
  t.name = (*names)[i];
  t.slice = (*slices)[i];
  return true;
}

std::optional<std::vector<SavedTensor>> resolve_restore(const Node* restore_all,
                                                        const Output& filename) {
  std::vector<const Node*> assigns;
  std::vector<const Node*> stack = {restore_all};
  std::set<const Node*> seen;
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second) continue;
    if (node->op() == "NoOp") {
      stack.insert(stack.end(), node->control_inputs().begin(), node->control_inputs().end());
    } else if (node->op() == "Assign" || node->op() == "AssignVariableOp") {
      assigns.push_back(node);
    } else {
      return std::nullopt;
    }
  }
  std::sort(assigns.begin(), assigns.end(),
            [](const Node* a, const Node* b) { return a->id() < b->id(); });
  std::vector<SavedTensor> all;
  for (const Node* assign : assigns) {
    const Node* variable = variable_behind(assign->input(0));
    if (variable == nullptr) return std::nullopt;
    SavedTensor t = tensor_of(*variable);
    Output value = assign->input(1);
    while (value.node->op() == "Identity" || value.node->op() == "Reshape") {
      t.reshape |= value.node->op() == "Reshape";
      value = value.node->input(0);
    }
    if (!read_restored(value, filename, t)) return std::nullopt;
    if (assign->op() == "Assign" && !t.reshape && !assign->attr_or("validate_shape", true)) {
      t.shape = PartialShape::unknown();
    }
    all.push_back(std::move(t));
  }
  return all;
}

}  // namespace

ResolvedSaver resolve_saver(const Graph& graph, const SaverNodes& nodes) {
  const Node* restore = graph.find_node(nodes.restore_op_name);
  if (restore == nullptr) {
    fail(Code::kNotFound, "the saver's node '{}' is not in the graph", nodes.restore_op_name);
  }
  const Output filename = graph.output(nodes.filename_tensor_name);
  ResolvedSaver resolved;
  resolved.saved = resolve_save(graph.output(nodes.save_tensor_name), resolved);
  resolved.restored = resolve_restore(restore, filename);
  return resolved;
}

}  // namespace assay::train
