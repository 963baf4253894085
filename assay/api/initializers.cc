#include "assay/api/initializers.h"

#include <algorithm>
#include <cmath>

#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/place_error.h"
#include "assay/api/random_ops.h"

namespace assay {

Initializer zeros_initializer() {
  return [](const Shape& shape, DType dtype) { return zeros(shape, {.dtype = dtype}); };
}

Initializer ones_initializer() {
  return [](const Shape& shape, DType dtype) { return ones(shape, {.dtype = dtype}); };
}

Initializer constant_initializer(Operand value) {
  if (!value.is_constant())
    internal::invalid_here("constant_initializer: expected a value, not a tensor");
  return [value](const Shape& shape, DType dtype) {
    return constant(value, {.dtype = dtype, .shape = Dims(shape)});
  };
}

Initializer random_uniform_initializer(const UniformInitializerOptions& options) {
  return [options](const Shape& shape, DType dtype) {
    return random_uniform(shape, options.minval, options.maxval,
                          {.dtype = dtype, .seed = options.seed});
  };
}

Initializer random_normal_initializer(const NormalInitializerOptions& options) {
  return [options](const Shape& shape, DType dtype) {
    return random_normal(
        shape,
        {.mean = options.mean, .stddev = options.stddev, .dtype = dtype, .seed = options.seed});
  };
}

Initializer truncated_normal_initializer(const NormalInitializerOptions& options) {
  return [options](const Shape& shape, DType dtype) {
    return truncated_normal(
        shape,
        {.mean = options.mean, .stddev = options.stddev, .dtype = dtype, .seed = options.seed});
  };
}

namespace {

struct Fans {
  double in = 1;
  double out = 1;
};

Fans fans_of(const Shape& shape) {
  const int rank = shape.rank();
  if (rank == 0) return {};
  if (rank == 1) return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  double field = 1;
  for (int i = 0; i < rank - 2; ++i) field *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape[rank - 2]) * field,
          static_cast<double>(shape[rank - 1]) * field};
}

// The standard deviation of a standard normal truncated at two.
constexpr double kTruncatedStddev = 0.87962566103423978;

Initializer scaled(double scale, FanMode mode, ScalingDistribution distribution,
                   const SeedOption& options) {
  return variance_scaling_initializer(
      {.scale = scale, .mode = mode, .distribution = distribution, .seed = options.seed});
}

}  // namespace

Initializer variance_scaling_initializer(const VarianceScalingOptions& options) {
  if (!(options.scale > 0)) {
    internal::invalid_here("variance_scaling_initializer: scale must be above 0, got {}",
                           options.scale);
  }
  return [options](const Shape& shape, DType dtype, const Shape& full) {
    const Fans fans = fans_of(full);
    double fan = fans.in;
    if (options.mode == FanMode::kFanOut) fan = fans.out;
    if (options.mode == FanMode::kFanAvg) fan = (fans.in + fans.out) / 2.0;
    const double variance = options.scale / std::max(1.0, fan);
    switch (options.distribution) {
      case ScalingDistribution::kTruncatedNormal:
        return truncated_normal(shape, {.stddev = std::sqrt(variance) / kTruncatedStddev,
                                        .dtype = dtype,
                                        .seed = options.seed});
      case ScalingDistribution::kUntruncatedNormal:
        return random_normal(shape,
                             {.stddev = std::sqrt(variance), .dtype = dtype, .seed = options.seed});
      case ScalingDistribution::kUniform:
        break;
    }
    const double limit = std::sqrt(3.0 * variance);
    return random_uniform(shape, -limit, limit, {.dtype = dtype, .seed = options.seed});
  };
}

Initializer glorot_uniform_initializer(const SeedOption& options) {
  return scaled(1, FanMode::kFanAvg, ScalingDistribution::kUniform, options);
}

Initializer glorot_normal_initializer(const SeedOption& options) {
  return scaled(1, FanMode::kFanAvg, ScalingDistribution::kTruncatedNormal, options);
}

Initializer he_normal(const SeedOption& options) {
  return scaled(2, FanMode::kFanIn, ScalingDistribution::kTruncatedNormal, options);
}

Initializer he_uniform(const SeedOption& options) {
  return scaled(2, FanMode::kFanIn, ScalingDistribution::kUniform, options);
}

Initializer lecun_normal(const SeedOption& options) {
  return scaled(1, FanMode::kFanIn, ScalingDistribution::kTruncatedNormal, options);
}

Initializer lecun_uniform(const SeedOption& options) {
  return scaled(1, FanMode::kFanIn, ScalingDistribution::kUniform, options);
}

Initializer uniform_unit_scaling_initializer(const UnitScalingOptions& options) {
  return [options](const Shape& shape, DType dtype, const Shape& full) {
    double inputs = 1;
    for (int i = 0; i + 1 < full.rank(); ++i) inputs *= static_cast<double>(full[i]);
    const double limit = std::sqrt(3 / std::max(inputs, 1.0)) * options.factor;
    return random_uniform(shape, -limit, limit, {.dtype = dtype, .seed = options.seed});
  };
}

Initializer orthogonal_initializer(const OrthogonalOptions& options) {
  return [options](const Shape& shape, DType dtype) {
    if (shape.rank() < 2) {
      internal::invalid_here("orthogonal_initializer: at least two dimensions are needed, got {}",
                             shape.str());
    }
    const std::int64_t columns = shape[shape.rank() - 1];
    std::int64_t rows = 1;
    for (int i = 0; i + 1 < shape.rank(); ++i) rows *= shape[i];
    const bool wide = rows < columns;
    const Output a = random_normal(Shape{std::max(rows, columns), std::min(rows, columns)},
                                   {.dtype = dtype, .seed = options.seed});
    Node* qr = apply_op("Qr", "", {Operand(a)}, {{"full_matrices", false}});
    const Output diagonal = apply_op("DiagPart", "", {Operand(qr->output(1))})->output();
    const Output signs = sign(diagonal);
    Output q = qr->output(0) * signs;
    if (wide) {
      const NameScope scope(a.node->graph(), "matrix_transpose");
      q = transpose(q, {.perm = {1, 0}});
    }
    const Output shaped = reshape(q, shape);
    return options.gain * shaped;
  };
}

Initializer identity_initializer(const IdentityOptions& options) {
  return [options](const Shape& shape, DType dtype, const VariablePart& part) {
    const Shape& full = part.full;
    if (full.rank() != 2) {
      internal::invalid_here("identity_initializer: a matrix is needed, got {}", full.str());
    }
    const auto eye = [&] {
      const NameScope scope(current_graph(), "eye");
      const Output diagonal = ones(Shape{std::min(full[0], full[1])}, {.dtype = dtype});
      if (full[0] == full[1]) return apply_op("MatrixDiag", "diag", {Operand(diagonal)})->output();
      const Output zero = zeros(full, {.dtype = dtype});
      return apply_op("MatrixSetDiag", "set_diag", {Operand(zero), Operand(diagonal)})->output();
    };
    Output matrix = eye();
    if (!part.offset.empty()) matrix = slice(matrix, part.offset, shape);
    return options.gain * matrix;
  };
}

}  // namespace assay
