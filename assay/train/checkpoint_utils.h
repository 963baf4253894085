#pragma once

#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <variant>
#include <vector>

#include "assay/api/partitioned_variable.h"
#include "assay/format/checkpoint_reader.h"

namespace assay::train {

/// Reads the tensors of a checkpoint of either format without a graph (tf.train.load_checkpoint).
/// Copies share what was opened. Thread-safe.
class CheckpointReader {
 public:
  /// `prefix_or_dir`: a prefix, or a folder (its latest checkpoint). Throws NotFound, or DataLoss
  /// for a damaged index.
  explicit CheckpointReader(const std::string& prefix_or_dir,
                            FileSystem& file_system = posix_file_system());

  const std::string& prefix() const { return reader_->prefix(); }
  bool has_tensor(const std::string& name) const { return reader_->find(name) != nullptr; }
  /// Throws NotFound with names that are alike, DataLoss when its bytes are damaged.
  Tensor get_tensor(const std::string& name) const { return reader_->read(name); }
  /// The variables' shapes by name; what else our bundles hold ("_assay/...") is left out.
  std::map<std::string, Shape> get_variable_to_shape_map() const;
  std::map<std::string, DType> get_variable_to_dtype_map() const;

 private:
  std::shared_ptr<const format::CheckpointReader> reader_;
};

/// CheckpointReader's constructor under TensorFlow's name.
inline CheckpointReader load_checkpoint(const std::string& prefix_or_dir,
                                        FileSystem& file_system = posix_file_system()) {
  return CheckpointReader(prefix_or_dir, file_system);
}

/// One variable's value (tf.train.load_variable); a ":0" at the name's end is passed over.
Tensor load_variable(const std::string& prefix_or_dir, const std::string& name,
                     FileSystem& file_system = posix_file_system());

/// What a name or scope of a checkpoint is in the graph: a name or scope of variables that
/// get_variable made, a variable, or the parts of one.
using AssignmentTarget = std::variant<std::string, Variable, std::vector<Variable>>;

/// From now on, initializing the variables gives them the checkpoint's values
/// (tf.train.init_from_checkpoint). Entries, by name in the checkpoint:
/// - {"old/w", "new/w"}: the variable "new/w" from the tensor "old/w";
/// - {"old/w", w} and {"old/w", partitioned.parts()}: the same for variables at hand;
/// - {"old/", "new/"}: all variables under "new/" from the tensors under "old/"; "/" is the top.
/// Adds TensorFlow's nodes ("checkpoint_initializer"). Throws NotFound for a tensor or variable
/// that is not there, InvalidArgument for another shape or a scope for a variable.
void init_from_checkpoint(const std::string& prefix_or_dir,
                          const std::map<std::string, AssignmentTarget>& assignment_map,
                          std::source_location where = std::source_location::current());

}  // namespace assay::train
