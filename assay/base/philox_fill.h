#pragma once

#include "assay/base/philox.h"

namespace assay {

/// Words [first, first + n) of the stream that `base` begins, as fill_uniform and its kin read
/// them. REQUIRES: `first` is a multiple of kPhiloxGroup.
void fill_words(Philox base, std::int64_t first, std::uint32_t* out, std::int64_t n);

}  // namespace assay
