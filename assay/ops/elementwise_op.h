#pragma once

#include <optional>
#include <string>
#include <vector>

#include "assay/device/cpu/loops.h"
#include "assay/graph/op_registry.h"

namespace assay {

// TensorFlow's sets of dtypes that element-wise ops take, as the attribute "T".
inline constexpr const char* kRealFloats = "T: {bfloat16, half, float, double}";
inline constexpr const char* kFloats = "T: {bfloat16, half, float, double, complex64, complex128}";
inline constexpr const char* kSigned =
    "T: {bfloat16, half, float, double, int32, int64, complex64, complex128}";

/// Loops of one function over all dtypes, as ElementwiseDef wants them.
template <cpu::UnaryOp Op>
ElementwiseLoop unary_loop_of(DType dtype) {
  return cpu::unary_loop(Op, dtype);
}
/// The same for two inputs.
template <cpu::BinaryOp Op>
ElementwiseLoop binary_loop_of(DType dtype) {
  return cpu::binary_loop(Op, dtype);
}
template <cpu::UnaryOp Op>
inline constexpr ElementwiseDef kUnary{.arity = 1, .loop = &unary_loop_of<Op>};
template <cpu::BinaryOp Op>
inline constexpr ElementwiseDef kBinary{.arity = 2, .loop = &binary_loop_of<Op>};

/// The plain kernel for every dtype that attribute `text` ("T: {...}") allows and the def has a
/// loop for.
std::vector<KernelEntry> elementwise_kernels(const ElementwiseDef& def, const std::string& text);

/// Adds the element-wise op y(x); null gradient: not differentiable.
void add_unary(OpRegistry& registry, std::string name, std::string doc, const char* types,
               const ElementwiseDef& def, GradientFn gradient);
/// What the compiler may know of a binary op.
struct BinaryTraits {
  bool sums = false;                    ///< OpSpec::sums
  std::optional<double> right_neutral;  ///< OpSpec::right_neutral
  std::optional<double> left_neutral;   ///< OpSpec::left_neutral
};

/// Adds the broadcasting element-wise op z(x, y).
void add_binary(OpRegistry& registry, std::string name, std::string doc, const char* types,
                const ElementwiseDef& def, GradientFn gradient, const BinaryTraits& traits = {});

}  // namespace assay
