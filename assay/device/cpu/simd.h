#pragma once

// The instruction sets of the vectorised kernels. Include before any Highway header.
#include "assay/base/simd.h"
