#pragma once

#include <concepts>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "assay/api/operand.h"

namespace assay {

/// Element-wise arithmetic of two tensors of one dtype, with broadcasting. Like TensorFlow's
/// functions of these names, add() makes an Add node where `+` makes an AddV2.
Output add(const Operand& x, const Operand& y, const NameOption& options = {},
           std::source_location where = std::source_location::current());
/// x - y.
Output subtract(const Operand& x, const Operand& y, const NameOption& options = {},
                std::source_location where = std::source_location::current());
/// x * y.
Output multiply(const Operand& x, const Operand& y, const NameOption& options = {},
                std::source_location where = std::source_location::current());
/// Python 3's division: integers are cast to float64 first (8 and 16 bit ones to float32).
Output truediv(const Operand& x, const Operand& y, const NameOption& options = {},
               std::source_location where = std::source_location::current());
/// Python 3's `/`, as an operator makes it.
Output divide(const Operand& x, const Operand& y, const NameOption& options = {},
              std::source_location where = std::source_location::current());
/// Python 2's division: of integers, rounded down.
Output div(const Operand& x, const Operand& y, const NameOption& options = {},
           std::source_location where = std::source_location::current());
/// x / y, but 0 where y is 0.
Output div_no_nan(const Operand& x, const Operand& y, const NameOption& options = {},
                  std::source_location where = std::source_location::current());
/// x / y rounded down.
Output floordiv(const Operand& x, const Operand& y, const NameOption& options = {},
                std::source_location where = std::source_location::current());
/// The remainder of floordiv, which has the divisor's sign.
Output floormod(const Operand& x, const Operand& y, const NameOption& options = {},
                std::source_location where = std::source_location::current());
/// x to the power of y.
Output pow(const Operand& x, const Operand& y, const NameOption& options = {},
           std::source_location where = std::source_location::current());
/// The larger of x and y.
Output maximum(const Operand& x, const Operand& y, const NameOption& options = {},
               std::source_location where = std::source_location::current());
/// The smaller of x and y.
Output minimum(const Operand& x, const Operand& y, const NameOption& options = {},
               std::source_location where = std::source_location::current());
/// (x - y)^2.
Output squared_difference(const Operand& x, const Operand& y, const NameOption& options = {},
                          std::source_location where = std::source_location::current());
/// Comparisons; they yield bools.
Output less(const Operand& x, const Operand& y, const NameOption& options = {},
            std::source_location where = std::source_location::current());
/// x <= y.
Output less_equal(const Operand& x, const Operand& y, const NameOption& options = {},
                  std::source_location where = std::source_location::current());
/// x > y.
Output greater(const Operand& x, const Operand& y, const NameOption& options = {},
               std::source_location where = std::source_location::current());
/// x >= y.
Output greater_equal(const Operand& x, const Operand& y, const NameOption& options = {},
                     std::source_location where = std::source_location::current());
/// x == y.
Output equal(const Operand& x, const Operand& y, const NameOption& options = {},
             std::source_location where = std::source_location::current());
/// x != y.
Output not_equal(const Operand& x, const Operand& y, const NameOption& options = {},
                 std::source_location where = std::source_location::current());
/// Of bools.
Output logical_and(const Operand& x, const Operand& y, const NameOption& options = {},
                   std::source_location where = std::source_location::current());
/// x or y.
Output logical_or(const Operand& x, const Operand& y, const NameOption& options = {},
                  std::source_location where = std::source_location::current());
/// Exactly one of x and y.
Output logical_xor(const Operand& x, const Operand& y, const NameOption& options = {},
                   std::source_location where = std::source_location::current());

/// Element-wise functions of one tensor.
Output negative(const Operand& x, const NameOption& options = {},
                std::source_location where = std::source_location::current());
/// The absolute value.
Output abs(const Operand& x, const NameOption& options = {},
           std::source_location where = std::source_location::current());
/// -1, 0 or 1.
Output sign(const Operand& x, const NameOption& options = {},
            std::source_location where = std::source_location::current());
/// x * x.
Output square(const Operand& x, const NameOption& options = {},
              std::source_location where = std::source_location::current());
/// The square root.
Output sqrt(const Operand& x, const NameOption& options = {},
            std::source_location where = std::source_location::current());
/// 1 / sqrt(x).
Output rsqrt(const Operand& x, const NameOption& options = {},
             std::source_location where = std::source_location::current());
/// 1 / x.
Output reciprocal(const Operand& x, const NameOption& options = {},
                  std::source_location where = std::source_location::current());
/// e to the power of x.
Output exp(const Operand& x, const NameOption& options = {},
           std::source_location where = std::source_location::current());
/// exp(x) - 1.
Output expm1(const Operand& x, const NameOption& options = {},
             std::source_location where = std::source_location::current());
/// The natural logarithm.
Output log(const Operand& x, const NameOption& options = {},
           std::source_location where = std::source_location::current());
/// log(1 + x).
Output log1p(const Operand& x, const NameOption& options = {},
             std::source_location where = std::source_location::current());
/// The sine of x in radians.
Output sin(const Operand& x, const NameOption& options = {},
           std::source_location where = std::source_location::current());
/// The cosine of x in radians.
Output cos(const Operand& x, const NameOption& options = {},
           std::source_location where = std::source_location::current());
/// The hyperbolic tangent.
Output tanh(const Operand& x, const NameOption& options = {},
            std::source_location where = std::source_location::current());
/// 1 / (1 + exp(-x)).
Output sigmoid(const Operand& x, const NameOption& options = {},
               std::source_location where = std::source_location::current());
/// log(sigmoid(x)).
Output log_sigmoid(const Operand& x, const NameOption& options = {},
                   std::source_location where = std::source_location::current());
/// Rounded down.
Output floor(const Operand& x, const NameOption& options = {},
             std::source_location where = std::source_location::current());
/// Rounded up.
Output ceil(const Operand& x, const NameOption& options = {},
            std::source_location where = std::source_location::current());
/// To the nearest integer, halves to even; integers as they are.
Output round(const Operand& x, const NameOption& options = {},
             std::source_location where = std::source_location::current());
/// Not x.
Output logical_not(const Operand& x, const NameOption& options = {},
                   std::source_location where = std::source_location::current());
/// Whether x is not a number.
Output is_nan(const Operand& x, const NameOption& options = {},
              std::source_location where = std::source_location::current());
/// Whether x is infinite.
Output is_inf(const Operand& x, const NameOption& options = {},
              std::source_location where = std::source_location::current());
/// Whether x is neither infinite nor NaN.
Output is_finite(const Operand& x, const NameOption& options = {},
                 std::source_location where = std::source_location::current());

/// `x` in another dtype; `x` itself when it has it already. Fractions are cut off.
Output cast(const Operand& x, DType dtype, const NameOption& options = {},
            std::source_location where = std::source_location::current());
/// `x` as float32.
Output to_float(const Operand& x, const NameOption& options = {.name = "ToFloat"},
                std::source_location where = std::source_location::current());
/// `x` as float64.
Output to_double(const Operand& x, const NameOption& options = {.name = "ToDouble"},
                 std::source_location where = std::source_location::current());
/// `x` as int32.
Output to_int32(const Operand& x, const NameOption& options = {.name = "ToInt32"},
                std::source_location where = std::source_location::current());
/// `x` as int64.
Output to_int64(const Operand& x, const NameOption& options = {.name = "ToInt64"},
                std::source_location where = std::source_location::current());

/// Options of the reductions: without `axis`, everything is reduced to a scalar. With `keepdims`,
/// reduced dimensions stay with size 1.
struct ReduceOptions {
  Axes axis;
  bool keepdims = false;
  std::string name;
};
/// The sum.
Output reduce_sum(const Operand& x, const ReduceOptions& options = {},
                  std::source_location where = std::source_location::current());
/// The mean; of integers, rounded towards zero.
Output reduce_mean(const Operand& x, const ReduceOptions& options = {},
                   std::source_location where = std::source_location::current());
/// The product.
Output reduce_prod(const Operand& x, const ReduceOptions& options = {},
                   std::source_location where = std::source_location::current());
/// The largest.
Output reduce_max(const Operand& x, const ReduceOptions& options = {},
                  std::source_location where = std::source_location::current());
/// The smallest.
Output reduce_min(const Operand& x, const ReduceOptions& options = {},
                  std::source_location where = std::source_location::current());
/// Of bools.
Output reduce_all(const Operand& x, const ReduceOptions& options = {},
                  std::source_location where = std::source_location::current());
/// Whether any holds (of bools).
Output reduce_any(const Operand& x, const ReduceOptions& options = {},
                  std::source_location where = std::source_location::current());
/// log(sum(exp(x))), without overflow.
Output reduce_logsumexp(const Operand& x, const ReduceOptions& options = {},
                        std::source_location where = std::source_location::current());

/// Options of argmax and argmin.
struct ArgOptions {
  Operand axis = 0;
  DType output_type = DType::kInt64;
  std::string name;
};
/// The index of the largest element along the axis; the first of several.
Output argmax(const Operand& x, const ArgOptions& options = {},
              std::source_location where = std::source_location::current());
/// The index of the smallest element along the axis; the first of several.
Output argmin(const Operand& x, const ArgOptions& options = {},
              std::source_location where = std::source_location::current());

/// Options of matmul.
struct MatMulOptions {
  bool transpose_a = false;
  bool transpose_b = false;
  std::string name;
};
/// The matrix product of `a` [n,k] and `b` [k,m]; of higher ranks, for each matrix of the batch.
Output matmul(const Operand& a, const Operand& b, const MatMulOptions& options = {},
              std::source_location where = std::source_location::current());

/// The sum of tensors of one shape. One tensor alone is returned as it is, unless a name is given.
Output add_n(const std::vector<Operand>& inputs, const NameOption& options = {},
             std::source_location where = std::source_location::current());

/// Options of range: kInvalid takes the widest dtype among the arguments.
struct RangeOptions {
  DType dtype = DType::kInvalid;
  std::string name = "range";
};
/// 0, 1, ... below `limit`.
Output range(const Operand& limit, const RangeOptions& options = {},
             std::source_location where = std::source_location::current());
/// start, start + delta, ... below `limit` (above it for a negative delta).
Output range(const Operand& start, const Operand& limit, const Operand& delta = 1,
             const RangeOptions& options = {},
             std::source_location where = std::source_location::current());

/// `scalar` times `x`; throws InvalidArgument unless `scalar` is one.
Output scalar_mul(const Operand& scalar, const Operand& x, const NameOption& options = {},
                  std::source_location where = std::source_location::current());

/// Sums, element by element, the rows of `data` that have the same number in `segment_ids`;
/// `num_segments` rows come out.
Output unsorted_segment_sum(const Operand& data, const Operand& segment_ids,
                            const Operand& num_segments, const NameOption& options = {},
                            std::source_location where = std::source_location::current());

/// Sums of products over the dimensions listed for `a` and for `b`; both lists have one length.
/// The sizes summed over must be known.
Output tensordot(const Operand& a, const Operand& b, const std::vector<int>& a_axes,
                 const std::vector<int>& b_axes, const NameOption& options = {},
                 std::source_location where = std::source_location::current());

namespace internal {
Output tensordot_last(const Operand& a, const Operand& b, int axes, const NameOption& options,
                      std::source_location where);
}  // namespace internal

/// The same over the last `axes` dimensions of `a` and the first `axes` of `b`. A template so that
/// lists in braces, as in tensordot(a, b, {1}, {0}), are never taken for a number and a name.
template <std::same_as<int> Int>
Output tensordot(const Operand& a, const Operand& b, Int axes, const NameOption& options = {},
                 std::source_location where = std::source_location::current()) {
  return internal::tensordot_last(a, b, axes, options, where);
}

}  // namespace assay
