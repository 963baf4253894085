#pragma once

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>

#include "assay/api/operand.h"
#include "assay/api/random_ops.h"

namespace assay {

/// Options of random_gamma: the inverse scale `beta` (1 when not given), which broadcasts with
/// alpha.
struct RandomGammaOptions {
  Operand beta;
  DType dtype = DType::kFloat;
  std::optional<std::int64_t> seed;
  std::string name;
};
/// Gamma numbers, `shape` of them for each element of alpha and beta: the result has the shape
/// `shape` + shape of (alpha + beta). Numbers that round to 0 become the smallest normal one. They
/// can be differentiated by alpha and beta.
Output random_gamma(const IntList& shape, const Operand& alpha,
                    const RandomGammaOptions& options = {},
                    std::source_location where = std::source_location::current());

/// Options of random_poisson.
struct RandomPoissonOptions {
  DType dtype = DType::kFloat;
  std::optional<std::int64_t> seed;
  std::string name;
};
/// Poisson numbers, `shape` of them for each rate in `lam`; the arguments' order is that of
/// tf.random_poisson. dtype may be an integer type.
Output random_poisson(const Operand& lam, const IntList& shape,
                      const RandomPoissonOptions& options = {},
                      std::source_location where = std::source_location::current());

/// Options of parameterized_truncated_normal: scalars, or vectors of as many as the result has
/// rows.
struct ParameterizedTruncatedNormalOptions {
  Operand means = 0.0;
  Operand stddevs = 1.0;
  Operand minvals = -2.0;
  Operand maxvals = 2.0;
  DType dtype = DType::kFloat;
  std::optional<std::int64_t> seed;
  std::string name;
};
/// Normal numbers between minvals and maxvals, one of which may be infinite. One thread draws them.
Output parameterized_truncated_normal(const IntList& shape,
                                      const ParameterizedTruncatedNormalOptions& options = {},
                                      std::source_location where = std::source_location::current());

/// Options of categorical.
struct CategoricalOptions {
  DType dtype = DType::kInt64;
  std::optional<std::int64_t> seed;
  std::string name;
};
/// What multinomial() gives under TensorFlow's newer name (tf.random.categorical).
Output categorical(const Operand& logits, const Operand& num_samples,
                   const CategoricalOptions& options = {},
                   std::source_location where = std::source_location::current());

/// A block of the given size at a random place of `value`, of the same rank. Running it throws
/// InvalidArgument when a size is larger than the value's.
Output random_crop(const Operand& value, const IntList& size, const RandomSeedOptions& options = {},
                   std::source_location where = std::source_location::current());

}  // namespace assay
