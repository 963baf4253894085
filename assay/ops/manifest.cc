#include "assay/ops/manifest.h"

namespace assay {

void register_all_ops(OpRegistry& registry) {
  register_add_n(registry);
  register_bincount(registry);
  register_bitwise(registry);
  register_broadcast_args(registry);
  register_candidate_sampler(registry);
  register_concat(registry);
  register_const(registry);
  register_dataset_batch(registry);
  register_dataset_iterator(registry);
  register_dataset_map(registry);
  register_dataset_prefetch(registry);
  register_dataset_shuffle(registry);
  register_dataset_sources(registry);
  register_dataset_text(registry);
  register_dataset_transforms(registry);
  register_debug(registry);
  register_dynamic_stitch(registry);
  register_fill(registry);
  register_gather(registry);
  register_gather_nd(registry);
  register_identity(registry);
  register_image_color(registry);
  register_iterator(registry);
  register_math_activation(registry);
  register_math_binary(registry);
  register_math_compare(registry);
  register_math_trigonometry(registry);
  register_math_unary(registry);
  register_matmul(registry);
  register_matrix_diag(registry);
  register_matrix_qr(registry);
  register_matrix_solve(registry);
  register_mirror_pad(registry);
  register_nn_bias(registry);
  register_nn_cross_entropy(registry);
  register_nn_softmax(registry);
  register_one_hot(registry);
  register_order_statistics(registry);
  register_pack(registry);
  register_pad(registry);
  register_random(registry);
  register_random_gamma(registry);
  register_random_multinomial(registry);
  register_random_poisson(registry);
  register_random_stateless(registry);
  register_random_truncated_normal(registry);
  register_reduction(registry);
  register_reshape(registry);
  register_reverse(registry);
  register_save_restore(registry);
  register_scan(registry);
  register_segment(registry);
  register_select_cast(registry);
  register_shape(registry);
  register_slice(registry);
  register_space_batch(registry);
  register_space_depth(registry);
  register_sparse_to_dense(registry);
  register_split(registry);
  register_state_scatter(registry);
  register_state_variable(registry);
  register_strided_slice(registry);
  register_strings(registry);
  register_summary(registry);
  register_tile(registry);
  register_top_k(registry);
  register_training_apply(registry);
  register_training_more(registry);
  register_transpose(registry);
  register_unique(registry);
  register_unsorted_segment(registry);
  register_where(registry);
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
