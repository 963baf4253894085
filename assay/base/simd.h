#pragma once

// Which instruction sets the vectorised files are compiled for: AVX2, which every machine we run
// on has, and AVX-512, chosen at run time. Both have fused multiplication and addition, so that
// Highway's MulAdd gives the same bits on either. Include before any Highway header.
#define HWY_BASELINE_TARGETS HWY_AVX2
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
