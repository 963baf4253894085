#include "assay/train/checkpoint_utils.h"

#include <map>

#include "assay/api/apply_op.h"
#include "assay/api/variable_store.h"
#include "assay/graph/scope.h"
#include "assay/graph/similar.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/saver_nodes.h"

namespace assay::train {

namespace {

std::string prefix_of(const std::string& prefix_or_dir, FileSystem& fs) {
  if (!fs.is_directory(prefix_or_dir)) return prefix_or_dir;
  const auto latest = latest_checkpoint(prefix_or_dir, {}, fs);
  if (!latest) fail(Code::kNotFound, "the folder '{}' holds no checkpoint", prefix_or_dir);
  return *latest;
}

bool is_reserved(const std::string& name) {
  return name.starts_with("_assay/");
}

/// Makes a variable's initializer read `tensor`, or a slice of it.
void set_initializer(const Variable& v, const std::string& prefix, const std::string& tensor,
                     const std::string& slice) {
  Output value;
  {
    DeviceScope device(v.graph(), v.node()->device());
    DeviceScope cpu(v.graph(), "/cpu:0");
    Node* restore = apply_op("RestoreV2", "checkpoint_initializer",
                             {Operand(prefix), Operand(std::vector<std::string>{tensor}),
                              Operand(std::vector<std::string>{slice})},
                             {{"dtypes", std::vector<DType>{v.dtype()}}});
    value = restore->output();
  }
  Node* assign = add_restore_assign(v, value, false);
  value.node->merge_output_shape(0, v.shape());
  v.state()->replace_initializer(assign, value);
}

class Initialization {
 public:
  Initialization(const std::string& prefix, const CheckpointReader& reader)
      : prefix_(prefix),
        shapes_(reader.get_variable_to_shape_map()),
        store_(VariableStore::of(current_graph())) {}

  void add(const std::string& stored, const AssignmentTarget& target) {
    if (const auto* v = std::get_if<Variable>(&target)) return set(stored, {*v});
    if (const auto* parts = std::get_if<std::vector<Variable>>(&target)) return set(stored, *parts);
    const std::string& name = std::get<std::string>(target);
    const auto variables = find(name);
    if (!variables.empty()) return set(stored, variables);
    if (!stored.ends_with('/')) {
      SimilarNames similar(name);
      for (const auto& [known, unused] : store_.variables) similar.consider(known);
      fail(
          Code::kNotFound,
          "init_from_checkpoint: get_variable made no '{}'{}; for a scope, both names end with '/'",
          name, similar.hint());
    }
    add_scope(stored, name);
  }

 private:
  /// The variable of a name, or its parts; empty when there is none.
  std::vector<Variable> find(const std::string& name) const {
    const auto one = store_.variables.find(name);
    if (one != store_.variables.end()) return {one->second.variable};
    std::vector<Variable> parts;
    while (true) {
      const auto part = store_.variables.find(fmt::format("{}/part_{}", name, parts.size()));
      if (part == store_.variables.end()) return parts;
      parts.push_back(part->second.variable);
    }
  }

  void add_scope(const std::string& stored, const std::string& scope) {
    const std::string start = scope == "/" ? "" : scope + (scope.ends_with('/') ? "" : "/");
    // The parts of a partitioned variable are one tensor in the checkpoint.
    std::map<std::string, std::vector<Variable>> wholes;
    for (const auto& [name, made] : store_.variables) {
      const auto& slice = made.variable.state()->save_slice();
      const std::string& whole = slice ? slice->full_name : name;
      if (whole.starts_with(start)) wholes[whole].push_back(made.variable);
    }
    for (const auto& [name, variables] : wholes) {
      set((stored == "/" ? "" : stored) + name.substr(start.size()), variables);
    }
  }

  void set(const std::string& stored, const std::vector<Variable>& variables) {
    const auto found = shapes_.find(stored);
    if (found == shapes_.end()) {
      SimilarNames similar(stored);
      for (const auto& [known, unused] : shapes_) similar.consider(known);
      fail(Code::kNotFound, "init_from_checkpoint: '{}' holds no tensor '{}'{}", prefix_, stored,
           similar.hint());
    }
    for (const Variable& v : variables) {
      const auto& slice = v.state()->save_slice();
      const PartialShape wanted = slice ? PartialShape(slice->full_shape) : v.shape();
      if (!wanted.is_compatible_with(PartialShape(found->second))) {
        invalid_argument("init_from_checkpoint: the variable '{}' has shape {}, '{}' in '{}' {}",
                         v.op_name(), wanted.str(), stored, prefix_, found->second.str());
      }
      set_initializer(v, prefix_, stored, slice ? slice->spec() : "");
    }
  }

  const std::string& prefix_;
  std::map<std::string, Shape> shapes_;
  const VariableStore& store_;
};

}  // namespace

CheckpointReader::CheckpointReader(const std::string& prefix_or_dir, FileSystem& file_system)
    : reader_(format::CheckpointReader::open(prefix_of(prefix_or_dir, file_system), file_system)) {}

std::map<std::string, Shape> CheckpointReader::get_variable_to_shape_map() const {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, entry] : reader_->entries()) {
    if (!is_reserved(name)) shapes.emplace(name, entry.shape);
  }
  return shapes;
}

std::map<std::string, DType> CheckpointReader::get_variable_to_dtype_map() const {
  std::map<std::string, DType> dtypes;
  for (const auto& [name, entry] : reader_->entries()) {
    if (!is_reserved(name)) dtypes.emplace(name, entry.dtype);
  }
  return dtypes;
}

Tensor load_variable(const std::string& prefix_or_dir, const std::string& name,
                     FileSystem& file_system) {
  const std::string plain = name.ends_with(":0") ? name.substr(0, name.size() - 2) : name;
  return load_checkpoint(prefix_or_dir, file_system).get_tensor(plain);
}

void init_from_checkpoint(const std::string& prefix_or_dir,
                          const std::map<std::string, AssignmentTarget>& assignment_map,
                          std::source_location where) {
  PlaceScope place(where);
  const CheckpointReader reader(prefix_or_dir);
  const std::string& prefix = reader.prefix();
  Initialization initialization(prefix, reader);
  for (const auto& [stored, target] : assignment_map) initialization.add(stored, target);
}

}  // namespace assay::train
