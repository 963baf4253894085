#pragma once

#include <source_location>
#include <string>

#include "assay/api/operand.h"

/// Random numbers that depend on nothing but two seeds, an int vector of 2 that may be computed:
/// the same seeds give the same numbers, in every run.
namespace assay {

/// Options of stateless_random_uniform.
struct StatelessUniformOptions {
  DType dtype = DType::kFloat;
  std::string name;
};
/// Random numbers from [minval, maxval), [0, 1) when not given; integers too, for which maxval
/// must be given (tf.random.stateless_uniform).
Output stateless_random_uniform(const IntList& shape, const Operand& seed,
                                const StatelessUniformOptions& options = {},
                                std::source_location where = std::source_location::current());
Output stateless_random_uniform(const IntList& shape, const Operand& seed, const Operand& minval,
                                const Operand& maxval, const StatelessUniformOptions& options = {},
                                std::source_location where = std::source_location::current());

/// Options of the stateless normal distributions.
struct StatelessNormalOptions {
  Operand mean = 0.0;
  Operand stddev = 1.0;
  DType dtype = DType::kFloat;
  std::string name;
};
/// Normally distributed numbers (tf.random.stateless_normal).
Output stateless_random_normal(const IntList& shape, const Operand& seed,
                               const StatelessNormalOptions& options = {},
                               std::source_location where = std::source_location::current());
/// The same, numbers further than two standard deviations from the mean being drawn again
/// (tf.random.stateless_truncated_normal).
Output stateless_truncated_normal(const IntList& shape, const Operand& seed,
                                  const StatelessNormalOptions& options = {},
                                  std::source_location where = std::source_location::current());

/// Options of stateless_multinomial and stateless_categorical.
struct StatelessMultinomialOptions {
  DType dtype = DType::kInt64;
  std::string name;
};
/// `num_samples` class numbers for each row of `logits` [batch, classes], drawn with replacement
/// (tf.random.stateless_multinomial).
Output stateless_multinomial(const Operand& logits, const Operand& num_samples, const Operand& seed,
                             const StatelessMultinomialOptions& options = {},
                             std::source_location where = std::source_location::current());
/// The same under TensorFlow's newer name (tf.random.stateless_categorical).
Output stateless_categorical(const Operand& logits, const Operand& num_samples, const Operand& seed,
                             const StatelessMultinomialOptions& options = {},
                             std::source_location where = std::source_location::current());

}  // namespace assay
