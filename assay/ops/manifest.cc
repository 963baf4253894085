#include "assay/ops/manifest.h"

namespace assay {

void register_all_ops(OpRegistry& registry) {
  register_iterator(registry);
  register_nn_bias(registry);
  register_nn_cross_entropy(registry);
  register_nn_softmax(registry);
  register_state_scatter(registry);
  register_state_variable(registry);
  register_training_apply(registry);
  register_training_more(registry);
}

const OpRegistry& default_op_registry() {
  static const OpRegistry registry = [] {
    OpRegistry r;
    register_all_ops(r);
    return r;
  }();
  return registry;
}

}  // namespace assay
