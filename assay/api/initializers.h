#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "assay/api/operand.h"

namespace assay {

/// Of which variable a value is made: a whole one, or a part of a partitioned one
/// (tf.PartitionInfo).
struct VariablePart {
  Shape full;                        ///< the whole variable's shape
  std::vector<std::int64_t> offset;  ///< where the part begins; empty when all is made at once
};

/// Makes the first value of a variable of a given shape and dtype. Any function
/// (Shape, DType) -> Output is one, or (Shape, DType, Shape) -> Output: the last is the shape of
/// the whole variable where only a part of it is made; or (Shape, DType, VariablePart) -> Output.
/// Default: none, the variable scope's is taken.
class Initializer {
 public:
  Initializer() = default;
  /// From a function of (Shape, DType), of (Shape, DType, whole Shape), or of
  /// (Shape, DType, VariablePart).
  template <typename F>
  requires(!std::same_as<std::remove_cvref_t<F>, Initializer> &&
           std::is_invocable_r_v<Output, F&, const Shape&, DType>) Initializer(F make)
      : make_(
            [make = std::move(make)](const Shape& shape, DType dtype, const VariablePart&) mutable {
              return Output(make(shape, dtype));
            }) {}
  template <typename F>
  requires(!std::same_as<std::remove_cvref_t<F>, Initializer> &&
           std::is_invocable_r_v<Output, F&, const Shape&, DType, const Shape&>) Initializer(F make)
      : make_([make = std::move(make)](const Shape& shape, DType dtype,
                                       const VariablePart& part) mutable {
          return Output(make(shape, dtype, part.full));
        }) {}
  template <typename F>
  requires(!std::same_as<std::remove_cvref_t<F>, Initializer> &&
           std::is_invocable_r_v<Output, F&, const Shape&, DType, const VariablePart&>)
      Initializer(F make)
      : make_(std::move(make)) {}

  bool defined() const { return static_cast<bool>(make_); }
  /// Builds the nodes in the current scopes.
  Output operator()(const Shape& shape, DType dtype) const {
    return make_(shape, dtype, {.full = shape, .offset = {}});
  }
  /// The same for a part of a variable.
  Output operator()(const Shape& shape, DType dtype, const VariablePart& part) const {
    return make_(shape, dtype, part);
  }

 private:
  std::function<Output(const Shape&, DType, const VariablePart&)> make_;
};

/// Zeros (false, empty strings).
Initializer zeros_initializer();
/// Ones.
Initializer ones_initializer();
/// One number everywhere, or a value with as many elements as the variable.
Initializer constant_initializer(Operand value);

/// Options of random_uniform_initializer: numbers in [minval, maxval).
struct UniformInitializerOptions {
  double minval = 0;
  double maxval = 1;
  std::optional<std::int64_t> seed;
};
/// Uniform numbers in [minval, maxval), of the variable's dtype; the seed is chosen as
/// random_uniform() chooses it (tf.random_uniform_initializer).
Initializer random_uniform_initializer(const UniformInitializerOptions& options = {});

/// Options of the normal initializers.
struct NormalInitializerOptions {
  double mean = 0;
  double stddev = 1;
  std::optional<std::int64_t> seed;
};
/// Normal numbers (tf.random_normal_initializer).
Initializer random_normal_initializer(const NormalInitializerOptions& options = {});
/// Normal numbers, those further than two standard deviations from the mean drawn again.
Initializer truncated_normal_initializer(const NormalInitializerOptions& options = {});

/// Which size scales the variance.
enum class FanMode { kFanIn, kFanOut, kFanAvg };
/// What is drawn: kTruncatedNormal has the variance asked for after truncation.
enum class ScalingDistribution { kTruncatedNormal, kUntruncatedNormal, kUniform };

/// Options of variance_scaling_initializer.
struct VarianceScalingOptions {
  double scale = 1;
  FanMode mode = FanMode::kFanIn;
  ScalingDistribution distribution = ScalingDistribution::kTruncatedNormal;
  std::optional<std::int64_t> seed;
};
/// Random numbers of mean 0 and variance scale / fan. For a shape [..., in, out], fan_in is in and
/// fan_out is out, each times the sizes before. Throws InvalidArgument unless scale > 0.
Initializer variance_scaling_initializer(const VarianceScalingOptions& options = {});

/// A random seed of an initializer.
struct SeedOption {
  std::optional<std::int64_t> seed;
};
/// Uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010); what get_variable takes
/// for floating-point variables when nothing else is said.
Initializer glorot_uniform_initializer(const SeedOption& options = {});
/// The same variance, truncated normal.
Initializer glorot_normal_initializer(const SeedOption& options = {});
/// Variance 2 / fan_in (He et al. 2015).
Initializer he_normal(const SeedOption& options = {});
/// The same variance, uniform.
Initializer he_uniform(const SeedOption& options = {});
/// Variance 1 / fan_in (LeCun et al. 1998).
Initializer lecun_normal(const SeedOption& options = {});
/// The same variance, uniform.
Initializer lecun_uniform(const SeedOption& options = {});

/// Options of uniform_unit_scaling_initializer.
struct UnitScalingOptions {
  double factor = 1;
  std::optional<std::int64_t> seed;
};
/// Uniform in +-sqrt(3 / inputs) * factor, inputs being the product of all sizes but the last.
Initializer uniform_unit_scaling_initializer(const UnitScalingOptions& options = {});

/// Options of orthogonal_initializer.
struct OrthogonalOptions {
  double gain = 1;
  std::optional<std::int64_t> seed;
};
/// `gain` times a random matrix with orthogonal columns, or rows where these are fewer (Saxe et al.
/// 2014): the q of a normal matrix's QR decomposition, its columns' signs such that r's diagonal is
/// positive. All sizes but the last count as rows. Throws InvalidArgument for a rank below 2.
Initializer orthogonal_initializer(const OrthogonalOptions& options = {});

/// Options of identity_initializer.
struct IdentityOptions {
  double gain = 1;
};
/// `gain` times the identity matrix (tf.initializers.identity). Throws InvalidArgument for a rank
/// other than 2.
Initializer identity_initializer(const IdentityOptions& options = {});

}  // namespace assay
