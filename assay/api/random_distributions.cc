#include "assay/api/random_distributions.h"

#include <limits>

#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/control_flow.h"
#include "assay/api/math_ops.h"
#include "assay/api/place_error.h"
#include "assay/api/seed_attrs.h"

namespace assay {

namespace {

/// The smallest positive normal number of a floating type.
Tensor tiny(DType dtype) {
  switch (dtype) {
    case DType::kDouble:
      return Tensor::scalar(std::numeric_limits<double>::min());
    case DType::kHalf:
      return Tensor::scalar(Half(0x1p-14F));
    default:
      return Tensor::scalar(std::numeric_limits<float>::min());
  }
}

}  // namespace

Output random_gamma(const IntList& shape, const Operand& alpha, const RandomGammaOptions& options,
                    std::source_location where) {
  OpScope scope(where, options.name, "random_gamma", {&shape.tensor(), &alpha, &options.beta});
  const DType dtype = base_dtype(options.dtype);
  if (dtype != DType::kHalf && dtype != DType::kFloat && dtype != DType::kDouble) {
    internal::invalid_here("random_gamma: no gamma numbers of dtype {}", dtype_name(dtype));
  }
  const Output dims = convert_to_tensor(shape, "shape", DType::kInt32);
  const Output alphas = convert_to_tensor(alpha, "alpha", dtype);
  const Output betas =
      convert_to_tensor(options.beta.defined() ? options.beta : Operand(1), "beta", dtype);
  const Output zeros = zeros_like(betas);
  const Output broadcast = alphas + zeros;
  AttrMap attrs = internal::seed_attrs(scope.graph(), options.seed, "RandomGamma", "");
  const Output gamma =
      apply_op("RandomGamma", "", {Operand(dims), Operand(broadcast)}, std::move(attrs))->output();
  const Output scaled = gamma / betas;
  return maximum(tiny(dtype), scaled);
}

Output random_poisson(const Operand& lam, const IntList& shape, const RandomPoissonOptions& options,
                      std::source_location where) {
  OpScope scope(where, options.name, "random_poisson", {&lam, &shape.tensor()});
  const Output dims = convert_to_tensor(shape, "shape", DType::kInt32);
  AttrMap attrs = internal::seed_attrs(scope.graph(), options.seed, "RandomPoissonV2", "");
  attrs["dtype"] = base_dtype(options.dtype);
  return apply_op("RandomPoissonV2", "", {Operand(dims), lam}, std::move(attrs))->output();
}

Output parameterized_truncated_normal(const IntList& shape,
                                      const ParameterizedTruncatedNormalOptions& options,
                                      std::source_location where) {
  OpScope scope(
      where, options.name, "parameterized_truncated_normal",
      {&shape.tensor(), &options.means, &options.stddevs, &options.minvals, &options.maxvals});
  const DType dtype = base_dtype(options.dtype);
  const Output dims = convert_to_tensor(shape, "shape");
  const Output means = convert_to_tensor(options.means, "means", dtype);
  const Output stddevs = convert_to_tensor(options.stddevs, "stddevs", dtype);
  const Output minvals = convert_to_tensor(options.minvals, "minvals", dtype);
  const Output maxvals = convert_to_tensor(options.maxvals, "maxvals", dtype);
  AttrMap attrs =
      internal::seed_attrs(scope.graph(), options.seed, "ParameterizedTruncatedNormal", "");
  return apply_op(
             "ParameterizedTruncatedNormal", "",
             {Operand(dims), Operand(means), Operand(stddevs), Operand(minvals), Operand(maxvals)},
             std::move(attrs))
      ->output();
}

Output categorical(const Operand& logits, const Operand& num_samples,
                   const CategoricalOptions& options, std::source_location where) {
  OpScope scope(where, options.name, "categorical", {&logits});
  const Output tensor = convert_to_tensor(logits, "logits");
  AttrMap attrs = internal::seed_attrs(scope.graph(), options.seed, "Multinomial", "");
  attrs["output_dtype"] = base_dtype(options.dtype);
  return apply_op("Multinomial", "", {Operand(tensor), num_samples}, std::move(attrs))->output();
}

namespace {

// tf.Assert(condition, data): of strings and int32 tensors the node itself, without a condition
// around it. The first conversion of the text leaves a constant that nobody uses, as it does there.
Node* assert_that(const Output& condition, const std::string& text,
                  const std::vector<Output>& tensors) {
  NameScope scope(condition.node->graph(), "Assert");
  convert_to_tensor(text);
  std::vector<Operand> data = {Operand(text)};
  data.insert(data.end(), tensors.begin(), tensors.end());
  return apply_op("Assert", "Assert", {Operand(condition), data},
                  {{"summarize", std::int64_t{1000}}});
}

}  // namespace

Output random_crop(const Operand& value, const IntList& size, const RandomSeedOptions& options,
                   std::source_location where) {
  OpScope scope(where, options.name, "random_crop", {&value, &size.tensor()});
  const Output whole = convert_to_tensor(value, "value");
  const Output wanted = convert_to_tensor(size, "size", DType::kInt32);
  const Output dims = shape(whole);
  const Output fits = reduce_all(greater_equal(dims, wanted));
  Node* check = assert_that(fits, "Need value.shape >= size, got ", {dims, wanted});
  const Output checked = with_dependencies({check}, dims);
  const Output room = checked - wanted;
  const Output limit = room + 1;
  const Output any =
      random_uniform(IntList(shape(checked)), 0, std::numeric_limits<std::int32_t>::max(),
                     {.dtype = DType::kInt32, .seed = options.seed});
  const Output offset = any % limit;
  return slice(whole, IntList(offset), IntList(wanted), {.name = scope.full()});
}

}  // namespace assay
