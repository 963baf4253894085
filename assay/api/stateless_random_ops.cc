#include "assay/api/stateless_random_ops.h"

#include "assay/api/apply_op.h"
#include "assay/api/math_ops.h"
#include "assay/api/place_error.h"

namespace assay {

Output stateless_random_uniform(const IntList& shape, const Operand& seed,
                                const StatelessUniformOptions& options,
                                std::source_location where) {
  PlaceScope place(where);
  if (is_integer(base_dtype(options.dtype))) {
    internal::invalid_here("stateless_random_uniform: an upper bound must be given for {}",
                           dtype_name(options.dtype));
  }
  return stateless_random_uniform(shape, seed, 0, 1, options, where);
}

Output stateless_random_uniform(const IntList& shape, const Operand& seed, const Operand& minval,
                                const Operand& maxval, const StatelessUniformOptions& options,
                                std::source_location where) {
  PlaceScope place(where);
  const DType dtype = base_dtype(options.dtype);
  if (!is_floating(dtype) && dtype != DType::kInt32 && dtype != DType::kInt64) {
    internal::invalid_here("stateless_random_uniform: no random numbers of dtype {}",
                           dtype_name(dtype));
  }
  OpScope scope(where, options.name, "stateless_random_uniform",
                {&shape.tensor(), &seed, &minval, &maxval});
  const Output dims = convert_to_tensor(shape, "shape");
  const Output low = convert_to_tensor(minval, "min", dtype);
  const Output high = convert_to_tensor(maxval, "max", dtype);
  if (is_integer(dtype)) {
    return apply_op("StatelessRandomUniformInt", scope.full(),
                    {Operand(dims), seed, Operand(low), Operand(high)})
        ->output();
  }
  const Output random =
      apply_op("StatelessRandomUniform", "", {Operand(dims), seed}, {{"dtype", dtype}})->output();
  const Output width = high - low;
  return add(random * width, low, {.name = scope.full()});
}

namespace {

Output normal(const char* op, const char* default_name, const IntList& shape, const Operand& seed,
              const StatelessNormalOptions& options, const std::source_location& where) {
  const DType dtype = base_dtype(options.dtype);
  OpScope scope(where, options.name, default_name,
                {&shape.tensor(), &seed, &options.mean, &options.stddev});
  const Output dims = convert_to_tensor(shape, "shape");
  const Output mean = convert_to_tensor(options.mean, "mean", dtype);
  const Output stddev = convert_to_tensor(options.stddev, "stddev", dtype);
  const Output random = apply_op(op, "", {Operand(dims), seed}, {{"dtype", dtype}})->output();
  return add(random * stddev, mean, {.name = scope.full()});
}

Output multinomial(const char* default_name, const Operand& logits, const Operand& num_samples,
                   const Operand& seed, const StatelessMultinomialOptions& options,
                   const std::source_location& where) {
  OpScope scope(where, options.name, default_name, {&logits, &seed});
  const Output tensor = convert_to_tensor(logits, "logits");
  return apply_op("StatelessMultinomial", "", {Operand(tensor), num_samples, seed},
                  {{"output_dtype", base_dtype(options.dtype)}})
      ->output();
}

}  // namespace

Output stateless_random_normal(const IntList& shape, const Operand& seed,
                               const StatelessNormalOptions& options, std::source_location where) {
  return normal("StatelessRandomNormal", "stateless_random_normal", shape, seed, options, where);
}

Output stateless_truncated_normal(const IntList& shape, const Operand& seed,
                                  const StatelessNormalOptions& options,
                                  std::source_location where) {
  return normal("StatelessTruncatedNormal", "stateless_truncated_normal", shape, seed, options,
                where);
}

Output stateless_multinomial(const Operand& logits, const Operand& num_samples, const Operand& seed,
                             const StatelessMultinomialOptions& options,
                             std::source_location where) {
  return multinomial("stateless_multinomial", logits, num_samples, seed, options, where);
}

Output stateless_categorical(const Operand& logits, const Operand& num_samples, const Operand& seed,
                             const StatelessMultinomialOptions& options,
                             std::source_location where) {
  return multinomial("stateless_categorical", logits, num_samples, seed, options, where);
}

}  // namespace assay
