#pragma once

#include "assay/device/elementwise.h"

namespace assay::cpu {

/// One-input element-wise functions. The output has the input's dtype, but bool for the tests.
enum class UnaryOp {
  kAbs,
  kAcos,
  kAcosh,
  kAsin,
  kAsinh,
  kAtan,
  kAtanh,
  kCeil,
  kCos,
  kCosh,
  kDigamma,
  kElu,
  kErf,
  kErfc,
  kExp,
  kExpm1,
  kFloor,
  kIsFinite,  ///< to bool
  kIsInf,     ///< to bool
  kIsNan,     ///< to bool
  kLgamma,
  kLog,
  kLog1p,
  kLogicalNot,
  kNeg,
  kReciprocal,
  kRelu,
  kRelu6,
  kRint,  ///< halves to even
  kRsqrt,
  kSelu,
  kSigmoid,
  kSign,
  kSin,
  kSinh,
  kSoftplus,
  kSoftsign,
  kSqrt,
  kSquare,
  kTan,
  kTanh,
};

/// Two-input element-wise functions, x then y. The output has the inputs' dtype. The gradients
/// take TensorFlow's argument orders: (y, dy) for functions of their output, (gradients,
/// features) for the activations.
enum class BinaryOp {
  kAdd,
  kAtan2,
  kDiv,       ///< true division of floats, truncating of integers
  kDivNoNan,  ///< 0 where y is 0
  kEluGrad,   ///< (gradients, outputs)
  kFloorDiv,
  kFloorMod,
  kInvGrad,    ///< -dy y^2
  kLeakyRelu,  ///< (features, slope)
  kMaximum,    ///< NaN when x is NaN
  kMinimum,    ///< NaN when x is NaN
  kMul,
  kMulNoNan,   ///< 0 where y is 0
  kPolygamma,  ///< derivative number x of digamma, at y
  kPow,
  kRelu6Grad,
  kReluGrad,
  kRsqrtGrad,    ///< -dy y^3 / 2
  kSeluGrad,     ///< (gradients, outputs)
  kSigmoidGrad,  ///< dy y (1 - y)
  kSoftplusGrad,
  kSoftsignGrad,
  kSqrtGrad,  ///< dy / (2 y)
  kSquaredDifference,
  kSub,
  kTanhGrad,  ///< dy (1 - y^2)
  kTruncateMod,
  kXdivy,  ///< x / y, 0 where x is 0
  kXlogy,  ///< x log y, 0 where x is 0
  kZeta,   ///< Hurwitz's, of power x from y on
};

/// Comparisons; the output is bool.
enum class CompareOp { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

/// The loop for inputs of `dtype`; null when there is none. Results of one element do not depend
/// on its neighbours or on its place in the run. Integer division by zero and negative integer
/// powers throw InvalidArgument.
ElementwiseLoop unary_loop(UnaryOp op, DType dtype);
ElementwiseLoop binary_loop(BinaryOp op, DType dtype);
ElementwiseLoop compare_loop(CompareOp op, DType dtype);
/// Inputs and output bool.
ElementwiseLoop logical_and_loop();
ElementwiseLoop logical_or_loop();
/// Inputs (bool condition, then, else); the dtype is that of the second and third: any that has
/// a size, strings too.
ElementwiseLoop select_loop(DType dtype);
/// Inputs (gradients, features, slope): gradients where features > 0, else gradients * slope.
ElementwiseLoop leaky_relu_grad_loop(DType dtype);
/// From one dtype to another, as static_cast does; null when there is none. Floats outside an
/// integer's range give the value the processor gives; complex keeps the real part.
ElementwiseLoop cast_loop(DType from, DType to);
/// From a float to a narrower one, dropping the excess bits of the fraction; null when there is
/// none.
ElementwiseLoop truncating_cast_loop(DType from, DType to);

/// Loops compiled for the best instruction set of this machine, float32 and float64 only; null
/// for functions that have none. For unary_loop and binary_loop.
ElementwiseLoop simd_math_loop(UnaryOp op, DType dtype);
ElementwiseLoop simd_unary_loop(UnaryOp op, DType dtype);
ElementwiseLoop simd_binary_loop(BinaryOp op, DType dtype);
/// For select_loop: elements of 4 or 8 bytes.
ElementwiseLoop simd_select_loop(std::size_t size);
/// Plain loops over any numeric dtype; null where a function has none for it.
ElementwiseLoop scalar_unary_loop(UnaryOp op, DType dtype);
ElementwiseLoop scalar_binary_loop(BinaryOp op, DType dtype);

}  // namespace assay::cpu
