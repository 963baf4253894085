#include "assay/api/array_ops.h"

#include <numeric>

#include "assay/api/apply_op.h"
#include "assay/api/math_ops.h"
#include "assay/api/place_error.h"
#include "assay/api/variable.h"

namespace assay {

Output identity(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "Identity", options.name, {x});
}

Output stop_gradient(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "StopGradient", options.name, {x});
}

namespace {

Output int_constant(std::int64_t value, DType dtype, const std::string& name) {
  return convert_to_tensor(Operand(value), name, dtype);
}

AttrMap out_type_attr(DType type) {
  AttrMap attrs;
  attrs["out_type"] = type;
  return attrs;
}

}  // namespace

Output shape(const Operand& x, const ShapeOptions& options, std::source_location where) {
  OpScope scope(where, options.name, "Shape", {&x});
  const Output tensor = convert_to_tensor(x);
  if (options.optimize && tensor.shape().is_fully_defined()) {
    return convert_to_tensor(IntList(tensor.shape()), scope.full(), options.out_type);
  }
  return apply_op("Shape", scope.full(), {Operand(tensor)}, out_type_attr(options.out_type))
      ->output();
}

Output size(const Operand& x, const ShapeOptions& options, std::source_location where) {
  OpScope scope(where, options.name, "Size", {&x});
  const Output tensor = convert_to_tensor(x);
  const PartialShape& shape = tensor.shape();
  if (options.optimize) {
    if (shape.is_fully_defined()) {
      return int_constant(shape.num_elements(), options.out_type, scope.full());
    }
    for (int i = 0; i < shape.rank(); ++i) {
      if (shape.dim(i) == 0) return int_constant(0, options.out_type, scope.full());
    }
  }
  return apply_op("Size", scope.full(), {Operand(tensor)}, out_type_attr(options.out_type))
      ->output();
}

Output rank(const Operand& x, const NameOption& options, std::source_location where) {
  OpScope scope(where, options.name, "Rank", {&x});
  const Output tensor = convert_to_tensor(x);
  if (tensor.shape().has_rank()) {
    return int_constant(tensor.shape().rank(), DType::kInt32, scope.full());
  }
  return apply_op("Rank", scope.full(), {Operand(tensor)})->output();
}

std::vector<Output> shape_n(const std::vector<Operand>& xs, const NameOption& options,
                            std::source_location where) {
  PlaceScope place(where);
  Node* node = apply_op("ShapeN", options.name, {xs});
  std::vector<Output> shapes;
  for (int i = 0; i < node->num_outputs(); ++i) shapes.push_back(node->output(i));
  return shapes;
}

Output reshape(const Operand& x, const IntList& shape, const NameOption& options,
               std::source_location where) {
  return apply_op(where, "Reshape", options.name, {x, shape});
}

Output expand_dims(const Operand& x, const Operand& axis, const NameOption& options,
                   std::source_location where) {
  return apply_op(where, "ExpandDims", options.name, {x, axis});
}

Output squeeze(const Operand& x, const SqueezeOptions& options, std::source_location where) {
  AttrMap attrs;
  if (!options.axis.empty()) attrs["squeeze_dims"] = options.axis;
  return apply_op(where, "Squeeze", options.name, {x}, std::move(attrs));
}

Output transpose(const Operand& x, const TransposeOptions& options, std::source_location where) {
  OpScope scope(where, options.name, "transpose", {&x});
  if (options.perm.is_tensor() || !options.perm.entries().empty()) {
    return apply_op("Transpose", scope.full(), {x, options.perm})->output();
  }
  const Output tensor = convert_to_tensor(x, "a");
  const int known = tensor.shape().rank();
  if (known > 0) {
    // rank - 1 - arange(rank) is plain numpy in the original: one constant, "perm".
    std::vector<int> perm(static_cast<std::size_t>(known));
    std::iota(perm.rbegin(), perm.rend(), 0);
    return apply_op("Transpose", scope.full(), {Operand(tensor), IntList(perm)})->output();
  }
  const Output dims = apply_op("Rank", "", {Operand(tensor)})->output();
  const Output last = dims - 1;
  const Output perm =
      last - apply_op("Range", "", {Operand(0), Operand(dims), Operand(1)})->output();
  return apply_op("Transpose", scope.full(), {Operand(tensor), Operand(perm)})->output();
}

Output tile(const Operand& x, const IntList& multiples, const NameOption& options,
            std::source_location where) {
  return apply_op(where, "Tile", options.name, {x, multiples});
}

Output pad(const Operand& x, const Operand& paddings, const PadOptions& options,
           std::source_location where) {
  if (!options.constant_values.defined()) {
    return apply_op(where, "Pad", options.name, {x, paddings});
  }
  return apply_op(where, "PadV2", options.name, {x, paddings, options.constant_values});
}

Output concat(const std::vector<Operand>& values, const Operand& axis, const NameOption& options,
              std::source_location where) {
  PlaceScope place(where);
  if (values.empty()) internal::invalid_here("concat: no tensors were given");
  const std::string name = options.name.empty() ? "concat" : options.name;
  if (values.size() == 1) {
    OpScope scope(where, name, name, {&values.front()});
    convert_to_tensor(axis, "concat_dim", DType::kInt32);
    return identity(values.front(), {.name = name});
  }
  return apply_op("ConcatV2", name, {values, axis})->output();
}

Output stack(const std::vector<Operand>& values, const StackOptions& options,
             std::source_location where) {
  PlaceScope place(where);
  if (values.empty()) internal::invalid_here("stack: no tensors were given");
  const std::string name = options.name.empty() ? "stack" : options.name;
  bool any_tensor = false;
  for (const Operand& v : values) any_tensor = any_tensor || v.is_tensor();
  if (options.axis == 0 && !any_tensor) {
    bool integers = true;
    bool numbers = true;
    for (const Operand& v : values) {
      integers = integers && is_integer(v.dtype()) && v.constant().rank() == 0;
      numbers =
          numbers && (is_integer(v.dtype()) || is_floating(v.dtype())) && v.constant().rank() == 0;
    }
    if (integers) return convert_to_tensor(IntList(values), name);
    if (numbers) {
      std::vector<double> all;
      for (const Operand& v : values) {
        all.push_back(convert_constant(v.constant(), DType::kDouble).data<double>()[0]);
      }
      return convert_to_tensor(Operand(all), name);
    }
  }
  if (options.axis == 0 && any_tensor) {
    // A list with tensors in it becomes a Pack whose other entries are constants "0", "1", ...
    return convert_to_tensor(IntList(values), name);
  }
  AttrMap attrs;
  attrs["axis"] = options.axis;
  return apply_op("Pack", name, {values}, std::move(attrs))->output();
}

std::vector<Output> unstack(const Operand& x, const StackOptions& options,
                            std::source_location where) {
  PlaceScope place(where);
  const Output tensor = convert_to_tensor(x);
  const PartialShape& shape = tensor.shape();
  if (!shape.has_rank())
    internal::invalid_here("unstack: the rank of '{}' is unknown", tensor.name());
  const std::int64_t axis = options.axis < 0 ? options.axis + shape.rank() : options.axis;
  if (axis < 0 || axis >= shape.rank()) {
    internal::invalid_here("unstack: axis {} is outside of [{}, {})", options.axis, -shape.rank(),
                           shape.rank());
  }
  const std::int64_t num = shape.dim(static_cast<int>(axis));
  if (num < 0) {
    internal::invalid_here("unstack: the size of dimension {} of '{}' {} is unknown", axis,
                           tensor.name(), shape.str());
  }
  AttrMap attrs;
  attrs["num"] = num;
  attrs["axis"] = options.axis;
  Node* node = apply_op("Unpack", options.name.empty() ? "unstack" : options.name,
                        {Operand(tensor)}, std::move(attrs));
  std::vector<Output> parts;
  for (int i = 0; i < node->num_outputs(); ++i) parts.push_back(node->output(i));
  return parts;
}

namespace {

std::vector<Output> outputs_of(Node* node) {
  std::vector<Output> all;
  for (int i = 0; i < node->num_outputs(); ++i) all.push_back(node->output(i));
  return all;
}

}  // namespace

std::vector<Output> split(const Operand& x, std::int64_t num_splits, const SplitOptions& options,
                          std::source_location where) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&x}));
  // tf.split converts the number before it looks at it; the node stays in the graph.
  convert_to_tensor(Operand(num_splits), "", DType::kInt32);
  AttrMap attrs;
  attrs["num_split"] = num_splits;
  return outputs_of(apply_op("Split", options.name, {options.axis, x}, std::move(attrs)));
}

std::vector<Output> split(const Operand& x, const std::vector<std::int64_t>& sizes,
                          const SplitOptions& options, std::source_location where) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&x}));
  const Output lengths = convert_to_tensor(IntList(sizes));
  AttrMap attrs;
  attrs["num_split"] = static_cast<std::int64_t>(sizes.size());
  return outputs_of(
      apply_op("SplitV", options.name, {x, Operand(lengths), options.axis}, std::move(attrs)));
}

Output slice(const Operand& x, const IntList& begin, const IntList& size, const NameOption& options,
             std::source_location where) {
  return apply_op(where, "Slice", options.name, {x, begin, size});
}

Output strided_slice(const Operand& x, const IntList& begin, const IntList& end,
                     const IntList& strides, const StridedSliceOptions& options,
                     std::source_location where) {
  AttrMap attrs;
  attrs["begin_mask"] = options.begin_mask;
  attrs["end_mask"] = options.end_mask;
  attrs["ellipsis_mask"] = options.ellipsis_mask;
  attrs["new_axis_mask"] = options.new_axis_mask;
  attrs["shrink_axis_mask"] = options.shrink_axis_mask;
  return apply_op(where, "StridedSlice", options.name, {x, begin, end, strides}, std::move(attrs));
}

Index Index::range(Operand begin, Operand end, Operand step) {
  Index i;
  i.begin_ = std::move(begin);
  i.end_ = std::move(end);
  i.step_ = std::move(step);
  return i;
}

Index Index::new_axis() {
  Index i;
  i.kind_ = Kind::kNewAxis;
  return i;
}

Index Index::ellipsis() {
  Index i;
  i.kind_ = Kind::kEllipsis;
  return i;
}

Output at(const Operand& x, const std::vector<Index>& indices, std::source_location where) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&x}));
  const Output tensor = convert_to_tensor(x);
  std::vector<Operand> begin;
  std::vector<Operand> end;
  std::vector<Operand> strides;
  StridedSliceOptions masks;
  std::int64_t bit = 1;
  for (const Index& i : indices) {
    const auto push = [&](const Operand& b, const Operand& e, const Operand& s) {
      begin.push_back(b);
      end.push_back(e);
      strides.push_back(s);
    };
    switch (i.kind_) {
      case Index::Kind::kElement:
        push(i.begin_,
             i.begin_.is_constant() ? Operand(i.begin_.constant().data<std::int64_t>()[0] + 1)
                                    : Operand(i.begin_ + 1),
             1);
        masks.shrink_axis_mask |= bit;
        break;
      case Index::Kind::kRange:
        push(i.begin_.defined() ? i.begin_ : Operand(0), i.end_.defined() ? i.end_ : Operand(0),
             i.step_.defined() ? i.step_ : Operand(1));
        if (!i.begin_.defined()) masks.begin_mask |= bit;
        if (!i.end_.defined()) masks.end_mask |= bit;
        break;
      case Index::Kind::kNewAxis:
        push(0, 0, 1);
        masks.new_axis_mask |= bit;
        break;
      case Index::Kind::kEllipsis:
        push(0, 0, 1);
        masks.ellipsis_mask |= bit;
        break;
    }
    bit <<= 1;
  }
  if (begin.empty()) internal::invalid_here("at: no index was given");
  NameScope scope("strided_slice");
  masks.name = scope.full();
  const Output packed_begin = stack(begin);
  const Output packed_end = stack(end);
  const Output packed_strides = stack(strides);
  return strided_slice(tensor, packed_begin, packed_end, packed_strides, masks);
}

Output gather(const Operand& params, const Operand& indices, const GatherOptions& options,
              std::source_location where) {
  PlaceScope place(where);
  const Operand axis = options.axis.defined() ? options.axis : Operand(options.batch_dims);
  const bool rows = axis.is_constant() && axis.constant().num_elements() == 1 &&
                    convert_constant(axis.constant(), DType::kInt64).data<std::int64_t>()[0] == 0;
  if (rows && params.is_variable() && params.variable()->is_resource()) {
    const VariableState& v = *params.variable();
    GraphScope graph_scope(v.graph());
    NameScope scope(options.name.empty() ? "Gather" : options.name);
    AttrMap attrs;
    attrs["dtype"] = v.dtype();
    const Output value =
        apply_op("ResourceGather", scope.full(), {Operand(v.ref()), indices}, std::move(attrs))
            ->output();
    return apply_op("Identity", "", {Operand(value)})->output();
  }
  AttrMap attrs;
  if (!rows) attrs["batch_dims"] = options.batch_dims;
  const Operand axis32 =
      axis.is_constant() ? Operand(convert_constant(axis.constant(), DType::kInt32)) : axis;
  return apply_op("GatherV2", options.name, {params, indices, axis32}, std::move(attrs))->output();
}

Output gather_nd(const Operand& params, const Operand& indices, const NameOption& options,
                 std::source_location where) {
  return apply_op(where, "GatherNd", options.name, {params, indices});
}

Output one_hot(const Operand& indices, const Operand& depth, const OneHotOptions& options,
               std::source_location where) {
  OpScope scope(where, options.name, "one_hot", {&indices, &depth});
  Operand on = options.on_value;
  Operand off = options.off_value;
  DType dtype = base_dtype(options.dtype);
  // A value given is converted once to learn its dtype; that node stays in the graph.
  if (on.defined()) convert_to_tensor(on);
  if (off.defined()) convert_to_tensor(off);
  if (dtype == DType::kInvalid) {
    dtype = on.defined() ? on.dtype() : off.defined() ? off.dtype() : DType::kFloat;
  }
  if (!on.defined()) on = convert_to_tensor(1, "on_value", dtype);
  if (!off.defined()) off = convert_to_tensor(0, "off_value", dtype);
  AttrMap attrs;
  attrs["axis"] = options.axis;
  return apply_op("OneHot", scope.full(), {indices, depth, on, off}, std::move(attrs))->output();
}

Output where(const Operand& condition, const Operand& x, const Operand& y,
             const NameOption& options, std::source_location where) {
  return apply_op(where, "Select", options.name, {condition, x, y});
}

UniqueResult unique(const Operand& x, const NameOption& options, std::source_location where) {
  PlaceScope place(where);
  AttrMap attrs;
  attrs["out_idx"] = DType::kInt32;
  Node* node = apply_op("Unique", options.name, {x}, std::move(attrs));
  return {node->output(0), node->output(1)};
}

Output invert_permutation(const Operand& x, const NameOption& options, std::source_location where) {
  return apply_op(where, "InvertPermutation", options.name, {x});
}

Output reverse(const Operand& x, const IntList& axes, const NameOption& options,
               std::source_location where) {
  return apply_op(where, "ReverseV2", options.name, {x, axes});
}

}  // namespace assay
