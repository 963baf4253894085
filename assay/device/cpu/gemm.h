#pragma once

#include <cstdint>
#include <memory>

#include "assay/base/thread_pool.h"

namespace assay::cpu {

/// C[m,n] = op(A) op(B), row-major: op(A) is A[m,k], or A[k,m] transposed; op(B) is B[k,n], or
/// B[n,k] transposed. k = 0 gives zeros.
struct GemmShape {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  friend bool operator==(const GemmShape&, const GemmShape&) = default;
};

/// A float32 product of one shape, prepared: oneDNN's primitives are made once, an execution only
/// names the memory. Large products are cut into pieces by their shape alone, so the bits do not
/// depend on the pool. Thread-safe; copies share the primitives.
class Gemm {
 public:
  /// Makes the primitives, which takes a while: prepare once, run often.
  explicit Gemm(const GemmShape& shape);
  const GemmShape& shape() const { return shape_; }
  /// C does not overlap A or B.
  void run(const float* a, const float* b, float* c, ThreadPool& pool) const;

 private:
  class Impl;
  GemmShape shape_;
  std::shared_ptr<Impl> impl_;  // null for shapes that plain loops do better
};

/// The same for other types: float64, int32 and int64 (which wrap around), by blocked loops.
void gemm(const GemmShape& shape, const double* a, const double* b, double* c, ThreadPool& pool);
/// For int32.
void gemm(const GemmShape& shape, const std::int32_t* a, const std::int32_t* b, std::int32_t* c,
          ThreadPool& pool);
/// For int64.
void gemm(const GemmShape& shape, const std::int64_t* a, const std::int64_t* b, std::int64_t* c,
          ThreadPool& pool);

}  // namespace assay::cpu
