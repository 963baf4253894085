#pragma once

#include <cstdint>

#include "assay/base/thread_pool.h"
#include "assay/tensor/tensor.h"

namespace assay::ops {

/// One gather: `count` rows of `inner` elements each, picked by int32 or int64 indices out of
/// `entries` rows. Offsets count elements.
struct GatherRows {
  const Tensor* params = nullptr;
  std::int64_t params_offset = 0;
  std::int64_t entries = 0;
  std::int64_t inner = 0;
  const Tensor* indices = nullptr;
  std::int64_t indices_offset = 0;
  std::int64_t count = 0;
  Tensor* out = nullptr;
  std::int64_t out_offset = 0;
};

/// Copies the rows. Throws InvalidArgument "indices[3] = 9 is not in [0, 9)" for an index outside.
void gather_rows(const GatherRows& job, ThreadPool& pool);

/// "indices[1,2]": how messages name entry `flat` of a tensor of this shape.
std::string entry_name(const char* tensor, const Shape& shape, std::int64_t flat);

}  // namespace assay::ops
