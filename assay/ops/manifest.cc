#include "assay/ops/manifest.h"

namespace assay {

void register_all_ops(OpRegistry& registry) {
  register_candidate_sampler(registry);
  register_dataset_batch(registry);
  register_dataset_iterator(registry);
  register_dataset_map(registry);
  register_dataset_prefetch(registry);
  register_dataset_shuffle(registry);
  register_dataset_sources(registry);
  register_dataset_text(registry);
  register_dataset_transforms(registry);
  register_iterator(registry);
  register_nn_bias(registry);
  register_nn_cross_entropy(registry);
  register_nn_softmax(registry);
  register_random(registry);
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
