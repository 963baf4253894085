#include "assay/train/learning_rate_decay.h"

#include <numbers>

#include "assay/api/apply_op.h"
#include "assay/api/constant.h"
#include "assay/api/math_ops.h"

namespace assay::train {

namespace {

/// Opens the scope of a schedule in the graph of its step.
OpScope schedule_scope(const std::source_location& where, const std::string& name,
                       std::string_view default_name, const Operand& rate, const Operand& step) {
  return OpScope(where, name, default_name, {&rate, &step});
}

Output initial_rate(const Operand& rate) {
  return convert_to_tensor(rate, "initial_learning_rate");
}

}  // namespace

Output exponential_decay(const Operand& learning_rate, const Operand& global_step,
                         const Operand& decay_steps, const Operand& decay_rate,
                         const DecayOptions& options, std::source_location where) {
  const auto scope =
      schedule_scope(where, options.name, "ExponentialDecay", learning_rate, global_step);
  const Output initial = initial_rate(learning_rate);
  const DType dtype = initial.dtype();
  const Output steps = cast(decay_steps, dtype);
  const Output rate = cast(decay_rate, dtype);
  Output p = cast(global_step, dtype) / steps;
  if (options.staircase) p = floor(p);
  return multiply(initial, pow(rate, p), {.name = scope.full()});
}

Output inverse_time_decay(const Operand& learning_rate, const Operand& global_step,
                          const Operand& decay_steps, const Operand& decay_rate,
                          const DecayOptions& options, std::source_location where) {
  const auto scope =
      schedule_scope(where, options.name, "InverseTimeDecay", learning_rate, global_step);
  const Output initial = initial_rate(learning_rate);
  const DType dtype = initial.dtype();
  const Output steps = cast(decay_steps, dtype);
  const Output rate = cast(decay_rate, dtype);
  Output p = cast(global_step, dtype) / steps;
  if (options.staircase) p = floor(p);
  const Output one = cast(constant(1), dtype);
  const Output denominator = add(one, multiply(rate, p));
  return divide(initial, denominator, {.name = scope.full()});
}

Output polynomial_decay(const Operand& learning_rate, const Operand& global_step,
                        const Operand& decay_steps, const PolynomialDecayOptions& options,
                        std::source_location where) {
  const auto scope =
      schedule_scope(where, options.name, "PolynomialDecay", learning_rate, global_step);
  const Output initial = initial_rate(learning_rate);
  const DType dtype = initial.dtype();
  const Output end = cast(options.end_learning_rate, dtype);
  const Output power = cast(options.power, dtype);
  const Output step = cast(global_step, dtype);
  const Output steps = cast(decay_steps, dtype);
  // A constant of another kind beside a tensor takes the tensor's dtype.
  const Output reached = minimum(
      step, decay_steps.is_constant() ? Operand(convert_constant(decay_steps.constant(), dtype))
                                      : decay_steps);
  const Output p = divide(reached, steps);
  const Output range = initial - end;
  return add(multiply(range, pow(1 - p, power)), end, {.name = scope.full()});
}

Output cosine_decay(const Operand& learning_rate, const Operand& global_step,
                    const Operand& decay_steps, const CosineDecayOptions& options,
                    std::source_location where) {
  const auto scope = schedule_scope(where, options.name, "CosineDecay", learning_rate, global_step);
  const Output initial = initial_rate(learning_rate);
  const DType dtype = initial.dtype();
  const Output steps = cast(decay_steps, dtype);
  const Output step = minimum(cast(global_step, dtype), steps);
  const Output completed = step / steps;
  const Output angle = constant(std::numbers::pi) * completed;
  const Output cosine = 0.5 * (1.0 + cos(angle));
  const Output decayed = (1 - options.alpha) * cosine + options.alpha;
  return multiply(initial, decayed);
}

}  // namespace assay::train
