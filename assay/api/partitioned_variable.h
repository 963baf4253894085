#pragma once

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

#include "assay/api/variable_scope.h"

namespace assay {

/// Into how many parts a variable of this shape and dtype is cut along each axis; only one number
/// may be more than 1.
using Partitioner = std::function<std::vector<std::int64_t>(const Shape&, DType)>;

/// So many parts along `axis`, or as many as it is long (tf.fixed_size_partitioner).
Partitioner fixed_size_partitioner(std::int64_t num_shards, int axis = 0);

/// Options of variable_axis_size_partitioner.
struct AxisSizePartitionerOptions {
  int axis = 0;
  std::int64_t bytes_per_string_element = 16;
  /// 0: no limit.
  std::int64_t max_shards = 0;
};
/// Parts of at most `max_shard_bytes`, as far as cutting one axis can do it. Throws
/// InvalidArgument for numbers that are not positive.
Partitioner variable_axis_size_partitioner(std::int64_t max_shard_bytes,
                                           const AxisSizePartitionerOptions& options = {});

/// Options of min_max_variable_partitioner.
struct MinMaxPartitionerOptions {
  std::int64_t max_partitions = 1;
  int axis = 0;
  std::int64_t min_slice_size = 256 << 10;
  std::int64_t bytes_per_string_element = 16;
};
/// Parts of at least `min_slice_size` bytes, `max_partitions` at most.
Partitioner min_max_variable_partitioner(const MinMaxPartitionerOptions& options = {});

/// A variable kept as several, its parts along one axis: "v/part_0", "v/part_1", ... In checkpoints
/// it is one tensor "v", so it is restored into whatever parts there are. A small handle; copies
/// stand for the same variable.
class PartitionedVariable {
 public:
  PartitionedVariable() = default;

  const std::string& name() const { return name_; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  /// How many parts along each axis.
  const std::vector<std::int64_t>& partitions() const { return partitions_; }
  /// The parts, in order.
  const std::vector<Variable>& parts() const { return parts_; }
  std::size_t size() const { return parts_.size(); }
  std::vector<Variable>::const_iterator begin() const { return parts_.begin(); }
  std::vector<Variable>::const_iterator end() const { return parts_.end(); }
  /// The axis along which it is cut; 0 when it is in one piece.
  int axis() const;

  /// The whole value: new nodes that put the parts together, without the control dependencies
  /// around (as_tensor).
  Output as_tensor(std::source_location where = std::source_location::current()) const;
  operator Output() const { return as_tensor(); }
  operator Operand() const { return Operand(as_tensor()); }

  /// Nodes that change the parts, each by its part of `value`; the tensors are the parts' new
  /// values.
  std::vector<Output> assign(const Operand& value, const AssignOptions& options = {},
                             std::source_location where = std::source_location::current()) const;
  std::vector<Output> assign_add(
      const Operand& delta, const AssignOptions& options = {},
      std::source_location where = std::source_location::current()) const;
  std::vector<Output> assign_sub(
      const Operand& delta, const AssignOptions& options = {},
      std::source_location where = std::source_location::current()) const;

 private:
  friend PartitionedVariable get_partitioned_variable(const std::string&, const Dims&,
                                                      const Partitioner&, const VariableOptions&,
                                                      std::source_location);
  std::vector<Operand> split(const Operand& value) const;

  std::string name_;
  Shape shape_;
  DType dtype_ = DType::kInvalid;
  std::vector<std::int64_t> partitions_;
  std::vector<Variable> parts_;
};

/// The partitioned variable of this name in the current variable scope, made or shared as
/// get_variable does (tf.get_variable with a partitioner). The initializer makes each part; an
/// initial value is cut. Throws InvalidArgument when the shape is not fully known, the partitioner
/// cuts along several axes, or a shared one is cut otherwise; else as get_variable.
PartitionedVariable get_partitioned_variable(
    const std::string& name, const Dims& shape, const Partitioner& partitioner,
    const VariableOptions& options = {},
    std::source_location where = std::source_location::current());

}  // namespace assay
