#include "assay/api/partitioned_variable.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/place_error.h"
#include "assay/api/variable_store.h"
#include "assay/graph/scope.h"

namespace assay {

namespace {

/// The axis of a partitioner, checked against the shape; -1 counts from the end.
std::size_t axis_of(const char* partitioner, const Shape& shape, int axis) {
  const int at = axis < 0 ? axis + shape.rank() : axis;
  if (at < 0 || at >= shape.rank()) {
    internal::invalid_here("{}: a variable of shape {} has no axis {}", partitioner, shape.str(),
                           axis);
  }
  return static_cast<std::size_t>(at);
}

std::int64_t element_bytes(DType dtype, std::int64_t of_string) {
  return dtype == DType::kString ? of_string : static_cast<std::int64_t>(dtype_size(dtype));
}

std::vector<std::int64_t> whole(const Shape& shape) {
  return std::vector<std::int64_t>(static_cast<std::size_t>(shape.rank()), 1);
}

}  // namespace

Partitioner fixed_size_partitioner(std::int64_t num_shards, int axis) {
  return [=](const Shape& shape, DType) {
    auto parts = whole(shape);
    const std::size_t at = axis_of("fixed_size_partitioner", shape, axis);
    parts[at] = std::min(num_shards, shape[static_cast<int>(at)]);
    return parts;
  };
}

Partitioner variable_axis_size_partitioner(std::int64_t max_shard_bytes,
                                           const AxisSizePartitionerOptions& options) {
  if (max_shard_bytes < 1 || options.bytes_per_string_element < 1 || options.max_shards < 0) {
    internal::invalid_here(
        "variable_axis_size_partitioner: max_shard_bytes ({}), bytes_per_string_element ({}) and "
        "max_shards ({}) must be positive",
        max_shard_bytes, options.bytes_per_string_element, options.max_shards);
  }
  return [=](const Shape& shape, DType dtype) {
    auto parts = whole(shape);
    const std::size_t at = axis_of("variable_axis_size_partitioner", shape, options.axis);
    const auto length = static_cast<double>(shape[static_cast<int>(at)]);
    const double slice_bytes =
        static_cast<double>(shape.num_elements()) / length *
        static_cast<double>(element_bytes(dtype, options.bytes_per_string_element));
    const double slices =
        std::max(1.0, std::floor(static_cast<double>(max_shard_bytes) / slice_bytes));
    parts[at] = static_cast<std::int64_t>(std::ceil(length / slices));
    if (options.max_shards > 0) parts[at] = std::min(parts[at], options.max_shards);
    return parts;
  };
}

Partitioner min_max_variable_partitioner(const MinMaxPartitionerOptions& options) {
  return [=](const Shape& shape, DType dtype) {
    auto parts = whole(shape);
    const std::size_t at = axis_of("min_max_variable_partitioner", shape, options.axis);
    const double bytes = static_cast<double>(
        shape.num_elements() * element_bytes(dtype, options.bytes_per_string_element));
    const auto wanted =
        static_cast<std::int64_t>(std::ceil(bytes / static_cast<double>(options.min_slice_size)));
    parts[at] = std::max<std::int64_t>(
        1, std::min({shape[static_cast<int>(at)], options.max_partitions, wanted}));
    return parts;
  };
}

int PartitionedVariable::axis() const {
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    if (partitions_[i] > 1) return static_cast<int>(i);
  }
  return 0;
}

Output PartitionedVariable::as_tensor(std::source_location where) const {
  if (parts_.empty()) invalid_argument("the partitioned variable was never made");
  PlaceScope place(where);
  Graph& graph = parts_.front().graph();
  GraphScope graph_scope(graph);
  const auto outside = ControlDependencies::none(graph);
  if (parts_.size() == 1) {
    NameScope top("");
    return apply_op("Identity", name_, {Operand(parts_.front())})->output();
  }
  Output joined;
  {
    NameScope scope(name_ + "/ConcatPartitions/");
    joined = concat({parts_.begin(), parts_.end()}, axis());
  }
  NameScope top("");
  return apply_op("Identity", name_, {Operand(joined)})->output();
}

std::vector<Operand> PartitionedVariable::split(const Operand& value) const {
  std::vector<std::int64_t> sizes;
  for (const Variable& part : parts_) sizes.push_back(part.shape().to_shape()[axis()]);
  const std::vector<Output> pieces = assay::split(value, sizes, {.axis = axis()});
  return {pieces.begin(), pieces.end()};
}

namespace {

/// What one of Variable's assignments gives for each part and its piece.
template <typename Assign>
std::vector<Output> for_each_part(const std::vector<Variable>& parts,
                                  const std::vector<Operand>& pieces, const Assign& assign) {
  std::vector<Output> out;
  for (std::size_t i = 0; i < parts.size(); ++i) out.push_back(assign(parts[i], pieces[i]));
  return out;
}

}  // namespace

std::vector<Output> PartitionedVariable::assign(const Operand& value, const AssignOptions& options,
                                                std::source_location where) const {
  PlaceScope place(where);
  return for_each_part(parts_, split(value), [&](const Variable& part, const Operand& piece) {
    return part.assign(piece, options);
  });
}

std::vector<Output> PartitionedVariable::assign_add(const Operand& delta,
                                                    const AssignOptions& options,
                                                    std::source_location where) const {
  PlaceScope place(where);
  return for_each_part(parts_, split(delta), [&](const Variable& part, const Operand& piece) {
    return part.assign_add(piece, options);
  });
}

std::vector<Output> PartitionedVariable::assign_sub(const Operand& delta,
                                                    const AssignOptions& options,
                                                    std::source_location where) const {
  PlaceScope place(where);
  return for_each_part(parts_, split(delta), [&](const Variable& part, const Operand& piece) {
    return part.assign_sub(piece, options);
  });
}

namespace {

std::vector<std::int64_t> call(const std::string& name, const Partitioner& partitioner,
                               const Shape& shape, DType dtype) {
  if (shape.rank() < 1) {
    internal::invalid_here("get_partitioned_variable: '{}' of shape {} has no axis to cut", name,
                           shape.str());
  }
  auto parts = partitioner(shape, dtype);
  if (static_cast<int>(parts.size()) != shape.rank() ||
      std::any_of(parts.begin(), parts.end(), [](std::int64_t n) { return n < 1; }) ||
      std::count_if(parts.begin(), parts.end(), [](std::int64_t n) { return n > 1; }) > 1) {
    internal::invalid_here(
        "get_partitioned_variable: '{}' of shape {} is to be cut into [{}] parts; there must be "
        "one "
        "number for each axis, none below 1 and one above it at most",
        name, shape.str(), fmt::join(parts, ","));
  }
  return parts;
}

/// Throws when the parts cannot be cut from the value: slices would fill up with other numbers or
/// leave some out.
void check_initial_value(const std::string& name, const Operand& value, const Shape& shape) {
  const PartialShape given = value.shape();
  if (given.is_fully_defined() && given.to_shape() == shape) return;
  internal::invalid_here(
      "get_partitioned_variable: '{}' of shape {} needs an initial value of this shape, got {} "
      "from {}{}",
      name, shape.str(), given.str(), place_of(value.where()),
      given.is_fully_defined() ? "" : "; reshape() gives it a static one");
}

/// Throws when a variable of this name cannot be made: before any node of it is.
void check_may_be_made(const VariableStore& store, const std::string& name, std::int64_t count) {
  const std::string here = place_of(PlaceScope::current());
  const auto whole = store.partitioned.find(name);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto part = store.variables.find(fmt::format("{}/part_{}", name, i));
    if (part == store.variables.end()) {
      if (!store.scope.reuse().is_true()) continue;
      throw Error(Code::kNotFound,
                  fmt::format("get_partitioned_variable: '{}', asked for at {}, is to be shared "
                              "(reuse is true), but get_partitioned_variable never made it; "
                              "AUTO_REUSE makes what does not exist",
                              name, here),
                  name, here);
    }
    if (!store.scope.reuse().is_false()) continue;
    throw Error(
        Code::kAlreadyExists,
        fmt::format(
            "get_partitioned_variable: '{}' exists already{}: first made at {}, now asked "
            "for at {}; to share it, open its VariableScope with .reuse = true or "
            "AUTO_REUSE, or call reuse_variables()",
            name,
            whole == store.partitioned.end() ? fmt::format(" in its part '{}'", part->first) : "",
            place_of(part->second.where), here),
        name, here);
  }
}

}  // namespace

PartitionedVariable get_partitioned_variable(const std::string& name, const Dims& dims,
                                             const Partitioner& partitioner,
                                             const VariableOptions& options,
                                             std::source_location where) {
  PlaceScope place(where);
  Graph& graph = graph_of({&options.initial_value});
  GraphScope graph_scope(graph);
  VariableStore& store = VariableStore::of(graph);
  const VariableScopeHandle scope = store.scope;
  const std::string full = scope.name().empty() ? name : fmt::format("{}/{}", scope.name(), name);
  if (!dims.shape().is_fully_defined()) {
    internal::invalid_here("get_partitioned_variable: '{}' needs a fully known shape, got {}", full,
                           dims.shape().str());
  }
  if (store.variables.contains(full)) {
    internal::invalid_here(
        "get_partitioned_variable: '{}' exists already, in one piece; first made at {}", full,
        place_of(store.variables.at(full).where));
  }
  const Shape shape = dims.shape().to_shape();
  DType dtype = base_dtype(options.dtype);
  if (dtype == DType::kInvalid) {
    dtype = options.initial_value.defined() ? options.initial_value.dtype() : scope.dtype();
  }
  const auto partitions = call(full, partitioner, shape, dtype);
  const auto found = store.partitioned.find(full);
  if (found != store.partitioned.end() && !scope.reuse().is_false()) {
    const PartitionedVariable& there = found->second;
    if (!(there.shape() == shape) || there.dtype() != dtype || there.partitions() != partitions) {
      internal::invalid_here(
          "get_partitioned_variable: '{}' is {}{} in [{}] parts, asked for as {}{} in [{}] parts",
          full, dtype_name(there.dtype()), there.shape().str(), fmt::join(there.partitions(), ","),
          dtype_name(dtype), shape.str(), fmt::join(partitions, ","));
    }
    return there;
  }
  PartitionedVariable made;
  made.name_ = full;
  made.shape_ = shape;
  made.dtype_ = dtype;
  made.partitions_ = partitions;
  const int axis = made.axis();
  const std::int64_t count = partitions[static_cast<std::size_t>(axis)];
  check_may_be_made(store, full, count);
  if (options.initial_value.defined()) check_initial_value(full, options.initial_value, shape);
  NameScope top(graph, "");
  std::vector<std::int64_t> offset(static_cast<std::size_t>(shape.rank()), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<std::int64_t> sizes(shape.dims().begin(), shape.dims().end());
    auto& length = sizes[static_cast<std::size_t>(axis)];
    length = shape[axis] / count + (i < shape[axis] % count ? 1 : 0);
    const std::string part = fmt::format("{}/part_{}", full, i);
    VariableOptions part_options = options;
    {
      NameScope initializer(part + "/PartitionedInitializer");
      if (options.initial_value.defined()) {
        part_options.initial_value = slice(convert_to_tensor(options.initial_value, "", dtype),
                                           IntList(offset), IntList(sizes));
      }
    }
    std::optional<PartialShape> part_shape;
    if (!options.initial_value.defined()) part_shape = PartialShape(Shape(sizes));
    const VariablePart place{.full = shape, .offset = offset};
    const Variable v =
        internal::get_single_variable(store, part, part_shape, dtype, part_options, &place);
    v.state()->set_save_slice(
        {.full_name = full, .full_shape = shape, .offset = offset, .shape = Shape(sizes)});
    made.parts_.push_back(v);
    offset[static_cast<std::size_t>(axis)] += length;
  }
  store.partitioned.insert_or_assign(full, made);
  return made;
}

}  // namespace assay
