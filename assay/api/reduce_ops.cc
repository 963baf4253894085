#include <algorithm>
#include <numeric>

#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/place_error.h"

namespace assay {

namespace {

/// The axes argument of a reduction. With none given: a constant that lists all of them, or, when
/// the rank is unknown or `x` is no tensor yet, a Range up to it.
OpArg reduction_axes(const Operand& x, const Axes& axes) {
  if (axes.given()) {
    if (axes.is_scalar()) return axes.list().entries().front();
    return axes.list();
  }
  if (x.is_output() && x.output().shape().has_rank()) {
    std::vector<int> all(static_cast<std::size_t>(x.output().shape().rank()));
    std::iota(all.begin(), all.end(), 0);
    return Operand(convert_to_tensor(IntList(all), "Const", DType::kInt32));
  }
  return Operand(range(0, rank(x)));
}

Output reduce(const std::source_location& where, const char* op, const Operand& x,
              const ReduceOptions& options) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&x}));
  const OpArg axes = reduction_axes(x, options.axis);
  AttrMap attrs;
  attrs["keep_dims"] = options.keepdims;
  const Output result = apply_op(op, options.name, {x, axes}, std::move(attrs))->output();
  if (!options.keepdims && !options.axis.given()) {
    result.node->merge_output_shape(0, PartialShape::scalar());
  }
  return result;
}

}  // namespace

Output reduce_sum(const Operand& x, const ReduceOptions& options, std::source_location where) {
  return reduce(where, "Sum", x, options);
}

Output reduce_mean(const Operand& x, const ReduceOptions& options, std::source_location where) {
  return reduce(where, "Mean", x, options);
}

Output reduce_prod(const Operand& x, const ReduceOptions& options, std::source_location where) {
  return reduce(where, "Prod", x, options);
}

Output reduce_max(const Operand& x, const ReduceOptions& options, std::source_location where) {
  return reduce(where, "Max", x, options);
}

Output reduce_min(const Operand& x, const ReduceOptions& options, std::source_location where) {
  return reduce(where, "Min", x, options);
}

Output reduce_all(const Operand& x, const ReduceOptions& options, std::source_location where) {
  return reduce(where, "All", x, options);
}

Output reduce_any(const Operand& x, const ReduceOptions& options, std::source_location where) {
  return reduce(where, "Any", x, options);
}

Output reduce_logsumexp(const Operand& x, const ReduceOptions& options,
                        std::source_location where) {
  PlaceScope place(where);
  GraphScope graph(graph_of({&x}));
  const Output input = convert_to_tensor(x);
  NameScope scope(options.name.empty() ? "ReduceLogSumExp" : options.name);
  const Output raw_max = reduce_max(input, {.axis = options.axis, .keepdims = true});
  const Output finite = is_finite(raw_max);
  const Output my_max = stop_gradient(assay::where(finite, raw_max, zeros_like(raw_max)));
  const Output sum = reduce_sum(exp(subtract(input, my_max)),
                                {.axis = options.axis, .keepdims = options.keepdims});
  const Output result = log(sum);
  const Output shift = options.keepdims ? my_max : reshape(my_max, shape(result));
  return add(result, shift);
}

Output argmax(const Operand& x, const ArgOptions& options, std::source_location where) {
  AttrMap attrs;
  attrs["output_type"] = options.output_type;
  return apply_op(where, "ArgMax", options.name, {x, options.axis}, std::move(attrs));
}

Output argmin(const Operand& x, const ArgOptions& options, std::source_location where) {
  AttrMap attrs;
  attrs["output_type"] = options.output_type;
  return apply_op(where, "ArgMin", options.name, {x, options.axis}, std::move(attrs));
}

Output matmul(const Operand& a, const Operand& b, const MatMulOptions& options,
              std::source_location where) {
  OpScope scope(where, options.name, "MatMul", {&a, &b});
  const Output left = convert_to_tensor(a, "a");
  const Output right = convert_to_tensor(b, "b");
  const auto may_be_batch = [](const Output& t) {
    return !t.shape().has_rank() || t.shape().rank() > 2;
  };
  AttrMap attrs;
  if (may_be_batch(left) || may_be_batch(right)) {
    attrs["adj_x"] = options.transpose_a;
    attrs["adj_y"] = options.transpose_b;
    return apply_op("BatchMatMulV2", scope.full(), {Operand(left), Operand(right)},
                    std::move(attrs))
        ->output();
  }
  attrs["transpose_a"] = options.transpose_a;
  attrs["transpose_b"] = options.transpose_b;
  return apply_op("MatMul", scope.full(), {Operand(left), Operand(right)}, std::move(attrs))
      ->output();
}

Output add_n(const std::vector<Operand>& inputs, const NameOption& options,
             std::source_location where) {
  PlaceScope place(where);
  if (inputs.empty()) internal::invalid_here("add_n: at least one tensor is needed");
  std::vector<Operand> tensors;
  for (const Operand& i : inputs) tensors.emplace_back(convert_to_tensor(i));
  if (tensors.size() == 1) {
    return options.name.empty() ? tensors.front().output() : identity(tensors.front(), options);
  }
  return apply_op("AddN", options.name, {tensors})->output();
}

Output range(const Operand& limit, const RangeOptions& options, std::source_location where) {
  return range(0, limit, 1, options, where);
}

namespace {

/// How wide a dtype of a range is; -1 for those that none has.
int range_width(DType t) {
  switch (t) {
    case DType::kInt32:
      return 0;
    case DType::kInt64:
      return 1;
    case DType::kFloat:
      return 2;
    case DType::kDouble:
      return 3;
    default:
      return -1;
  }
}

}  // namespace

Output range(const Operand& start, const Operand& limit, const Operand& delta,
             const RangeOptions& options, std::source_location where) {
  OpScope scope(where, options.name, "Range", {&start, &limit, &delta});
  Output from = convert_to_tensor(start, "start", options.dtype);
  Output to = convert_to_tensor(limit, "limit", options.dtype);
  Output step = convert_to_tensor(delta, "delta", options.dtype);
  if (options.dtype == DType::kInvalid) {
    DType widest = DType::kInt32;
    for (const Output& t : {from, to, step}) {
      const DType dtype = base_dtype(t.dtype());
      if (range_width(dtype) < 0) {
        internal::invalid_here("range: expected numbers, got {} from '{}'", dtype_name(dtype),
                               t.name());
      }
      if (range_width(dtype) > range_width(widest)) widest = dtype;
    }
    from = cast(from, widest);
    to = cast(to, widest);
    step = cast(step, widest);
  }
  return apply_op("Range", scope.full(), {Operand(from), Operand(to), Operand(step)})->output();
}

Output unsorted_segment_sum(const Operand& data, const Operand& segment_ids,
                            const Operand& num_segments, const NameOption& options,
                            std::source_location where) {
  return apply_op(where, "UnsortedSegmentSum", options.name, {data, segment_ids, num_segments});
}

}  // namespace assay
