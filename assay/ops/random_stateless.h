#pragma once

#include "assay/base/philox.h"
#include "assay/tensor/tensor.h"

namespace assay::random {

/// The generator of a pair of seeds, an int32 or int64 vector. TensorFlow mixes them once, so that
/// neither half needs to be strong. Throws InvalidArgument for another shape.
Philox generator_of_seeds(const Tensor& seed);

}  // namespace assay::random
