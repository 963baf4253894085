#pragma once

#include "assay/graph/op_registry.h"

namespace assay {

/// One function for each op family; its file under assay/ops/ has the same name. Kept sorted.
void register_add_n(OpRegistry& registry);
void register_bincount(OpRegistry& registry);
void register_bitwise(OpRegistry& registry);
void register_broadcast_args(OpRegistry& registry);
void register_candidate_sampler(OpRegistry& registry);
void register_concat(OpRegistry& registry);
void register_const(OpRegistry& registry);
void register_dataset_batch(OpRegistry& registry);
void register_dataset_iterator(OpRegistry& registry);
void register_dataset_map(OpRegistry& registry);
void register_dataset_prefetch(OpRegistry& registry);
void register_dataset_shuffle(OpRegistry& registry);
void register_dataset_sources(OpRegistry& registry);
void register_dataset_text(OpRegistry& registry);
void register_dataset_transforms(OpRegistry& registry);
void register_debug(OpRegistry& registry);
void register_dynamic_stitch(OpRegistry& registry);
void register_fill(OpRegistry& registry);
void register_gather(OpRegistry& registry);
void register_gather_nd(OpRegistry& registry);
void register_identity(OpRegistry& registry);
void register_image_color(OpRegistry& registry);
void register_iterator(OpRegistry& registry);
void register_math_activation(OpRegistry& registry);
void register_math_binary(OpRegistry& registry);
void register_math_compare(OpRegistry& registry);
void register_math_trigonometry(OpRegistry& registry);
void register_math_unary(OpRegistry& registry);
void register_matmul(OpRegistry& registry);
void register_matrix_diag(OpRegistry& registry);
void register_matrix_qr(OpRegistry& registry);
void register_matrix_solve(OpRegistry& registry);
void register_mirror_pad(OpRegistry& registry);
void register_nn_bias(OpRegistry& registry);
void register_nn_cross_entropy(OpRegistry& registry);
void register_nn_softmax(OpRegistry& registry);
void register_one_hot(OpRegistry& registry);
void register_order_statistics(OpRegistry& registry);
void register_pack(OpRegistry& registry);
void register_pad(OpRegistry& registry);
void register_random(OpRegistry& registry);
void register_random_gamma(OpRegistry& registry);
void register_random_multinomial(OpRegistry& registry);
void register_random_poisson(OpRegistry& registry);
void register_random_stateless(OpRegistry& registry);
void register_random_truncated_normal(OpRegistry& registry);
void register_reduction(OpRegistry& registry);
void register_reshape(OpRegistry& registry);
void register_reverse(OpRegistry& registry);
void register_save_restore(OpRegistry& registry);
void register_scan(OpRegistry& registry);
void register_segment(OpRegistry& registry);
void register_select_cast(OpRegistry& registry);
void register_shape(OpRegistry& registry);
void register_slice(OpRegistry& registry);
void register_space_batch(OpRegistry& registry);
void register_space_depth(OpRegistry& registry);
void register_sparse_to_dense(OpRegistry& registry);
void register_split(OpRegistry& registry);
void register_state_scatter(OpRegistry& registry);
void register_state_variable(OpRegistry& registry);
void register_strided_slice(OpRegistry& registry);
void register_strings(OpRegistry& registry);
void register_summary(OpRegistry& registry);
void register_tile(OpRegistry& registry);
void register_top_k(OpRegistry& registry);
void register_training_apply(OpRegistry& registry);
void register_training_more(OpRegistry& registry);
void register_transpose(OpRegistry& registry);
void register_unique(OpRegistry& registry);
void register_unsorted_segment(OpRegistry& registry);
void register_where(OpRegistry& registry);

/// Adds every op of Assay to `registry`: what default_op_registry() holds.
void register_all_ops(OpRegistry& registry);

}  // namespace assay
