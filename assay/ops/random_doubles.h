#pragma once

#include <array>
#include <cstdint>

#include "assay/base/philox.h"

namespace assay::random {

/// Doubles for one value of a distribution that takes as many as it needs: uniform and normal ones
/// mixed. TensorFlow makes both two at a time, from one block, and hands out the second first.
class Doubles {
 public:
  /// How many blocks of the stream each value may use.
  static constexpr std::uint64_t kBlocksPerValue = 256;

  /// For value number `index` of the stream that `base` begins: where another thread has come to
  /// does not matter.
  Doubles(const Philox& base, std::int64_t index) : generator_(base) {
    generator_.skip(kBlocksPerValue * static_cast<std::uint64_t>(index));
  }

  /// In [0, 1).
  double uniform() {
    if (uniforms_left_ == 0) {
      const Philox::Block b = generator_();
      uniforms_ = {philox_double(b[0], b[1]), philox_double(b[2], b[3])};
      uniforms_left_ = 2;
    }
    return uniforms_[--uniforms_left_];
  }
  /// Standard normal.
  double normal() {
    if (normals_left_ == 0) {
      const Philox::Block b = generator_();
      normals_ = box_muller(b[0], b[1], b[2], b[3]);
      normals_left_ = 2;
    }
    return normals_[--normals_left_];
  }

 private:
  Philox generator_;
  std::array<double, 2> uniforms_{};
  std::array<double, 2> normals_{};
  std::size_t uniforms_left_ = 0;
  std::size_t normals_left_ = 0;
};

}  // namespace assay::random
