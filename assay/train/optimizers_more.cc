#include "assay/train/optimizers_more.h"

namespace assay::train {

RMSPropOptimizer::RMSPropOptimizer(Operand learning_rate, const RMSPropOptions& options)
    : OneOpOptimizer(options.name, options.use_locking, [&] {
        Rule rule{.op = "RMSProp",
                  .slots = {{"rms", ones_initializer()}, {"momentum", zeros_initializer()}},
                  .refs = {"rms", "momentum"},
                  .before = {{"learning_rate", std::move(learning_rate)},
                             {"decay", options.decay},
                             {"momentum", options.momentum},
                             {"epsilon", options.epsilon}}};
        if (options.centered) {
          rule.op = "CenteredRMSProp";
          rule.slots.insert(rule.slots.begin() + 1, {"mg", zeros_initializer()});
          rule.refs.insert(rule.refs.begin(), "mg");
        }
        return rule;
      }()) {}

AdadeltaOptimizer::AdadeltaOptimizer(Operand learning_rate, const AdadeltaOptions& options)
    : OneOpOptimizer(
          options.name, options.use_locking,
          {.op = "Adadelta",
           .slots = {{"accum", zeros_initializer()}, {"accum_update", zeros_initializer()}},
           .refs = {"accum", "accum_update"},
           .before = {{"lr", std::move(learning_rate)},
                      {"rho", options.rho},
                      {"epsilon", options.epsilon}}}) {}

}  // namespace assay::train
