#include "assay/api/clip_ops.h"

#include <limits>

#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/nn.h"
#include "assay/api/place_error.h"

namespace assay {

Output clip_by_value(const Operand& t, const Operand& min, const Operand& max,
                     const NameOption& options, std::source_location where) {
  OpScope scope(where, options.name, "clip_by_value", {&t, &min, &max});
  const Output values = convert_to_tensor(t, "t");
  const Output capped = minimum(values, max);
  return maximum(capped, min, {.name = scope.full()});
}

Output clip_by_norm(const Operand& t, const Operand& clip_norm, const ClipByNormOptions& options,
                    std::source_location where) {
  OpScope scope(where, options.name, "clip_by_norm", {&t, &clip_norm});
  const Output values = convert_to_tensor(t, "t");
  const Output squares = values * values;
  const Output l2sum = reduce_sum(squares, {.axis = options.axes, .keepdims = true});
  // Two wheres keep the gradient at zero finite.
  const Output positive = greater(l2sum, 0);
  const Output safe = assay::where(positive, l2sum, ones_like(l2sum));
  const Output l2norm = assay::where(positive, sqrt(safe), l2sum);
  const Output intermediate = values * clip_norm;
  const Output divisor = maximum(l2norm, clip_norm);
  return identity(intermediate / divisor, {.name = scope.full()});
}

namespace {

std::vector<Operand> present(const std::vector<Output>& tensors) {
  std::vector<Operand> all;
  for (const Output& t : tensors) {
    if (t) all.emplace_back(t);
  }
  return all;
}

}  // namespace

Output global_norm(const std::vector<Output>& tensors, const NameOption& options,
                   std::source_location where) {
  PlaceScope place(where);
  const std::vector<Operand> values = present(tensors);
  if (values.empty()) internal::invalid_here("global_norm: at least one tensor is needed");
  OpScope scope(where, options.name, "global_norm", values);
  std::vector<Operand> halves;
  for (const Operand& v : values) {
    ColocateWith colocate(scope.graph(), v.output().node);
    halves.emplace_back(nn::l2_loss(v));
  }
  const Output half = reduce_sum(stack(halves));
  const Output two = constant(2.0, {.dtype = base_dtype(half.dtype())});
  return sqrt(half * two, {.name = "global_norm"});
}

std::pair<std::vector<Output>, Output> clip_by_global_norm(const std::vector<Output>& tensors,
                                                           const Operand& clip_norm,
                                                           const ClipByGlobalNormOptions& options,
                                                           std::source_location where) {
  PlaceScope place(where);
  const Output norm =
      options.use_norm ? options.use_norm : global_norm(tensors, {.name = options.name});
  OpScope scope(where, options.name, "clip_by_global_norm", {&clip_norm});
  const DType dtype = base_dtype(norm.dtype());
  const Output inverse = 1.0 / norm;
  const Output one = constant(1.0, {.dtype = dtype});
  const Output limit = one / clip_norm;
  const Output factor = minimum(inverse, limit);
  const Output finite_scale = clip_norm * factor;
  const Output finite = is_finite(norm);
  const Output nan = constant(std::numeric_limits<double>::quiet_NaN(), {.dtype = dtype});
  const Output scale = assay::where(finite, finite_scale, nan);
  std::vector<Output> clipped;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i]) {
      clipped.emplace_back();
      continue;
    }
    ColocateWith colocate(scope.graph(), tensors[i].node);
    const Output scaled = tensors[i] * scale;
    // The name given is the full scope with a number behind its slash, as TensorFlow's is.
    clipped.push_back(identity(scaled, {.name = fmt::format("{}_{}", scope.full(), i)}));
  }
  return {clipped, norm};
}

}  // namespace assay
