#pragma once

#include <cstdint>
#include <vector>

#include "assay/device/elementwise.h"
#include "assay/device/kernel.h"

namespace assay {

/// A chain of element-wise loops over one domain of `outer` x `inner` elements, run block by block
/// so that what passes between the loops stays in the first-level cache.
struct FusedLoop {
  /// One input: how far to step for the next row and the next element (in elements).
  struct Input {
    std::int64_t outer_stride = 0;
    int inner_stride = 0;  ///< 0 or 1
    int element_size = 0;
  };
  /// One loop: reads registers, writes one. Registers count inputs first, then the results of the
  /// operations in order.
  struct Operation {
    ElementwiseLoop loop = nullptr;
    std::vector<int> inputs;
    int element_size = 0;  ///< of the result
    int output = -1;       ///< which output of the chain it is, or -1
  };
  std::int64_t outer = 1;
  std::int64_t inner = 0;
  std::vector<Shape> output_shapes;
  std::vector<Input> inputs;
  std::vector<Operation> operations;
};

/// The kernel that runs it: inputs and outputs in the chain's order. An output may share the
/// memory of a full input (both strides as the domain's) that no later operation reads.
std::unique_ptr<Kernel> make_fused_kernel(FusedLoop chain);

}  // namespace assay
