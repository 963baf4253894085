#pragma once

#include <set>
#include <string>
#include <vector>

#include "assay/graph/graph.h"
#include "assay/tensor/tensor.h"

namespace assay::testing {

/// Static shapes in, static shapes out: `{"[1,?];[?,2]", "[1,2]"}`. An input "=" is a Const of the
/// case's own value, others are placeholders of that shape. An expected text "error: WORDS" wants
/// an InvalidArgument whose message has these words.
struct ShapeCase {
  std::string inputs;
  std::string outputs;
};

/// One declarative test of an op: what goes in, what must come out.
struct OpCase {
  std::string op;
  AttrMap attrs = {};
  std::vector<Tensor> inputs = {};
  /// One for each output; an undefined Tensor leaves that output unchecked.
  std::vector<Tensor> expected = {};
  /// |got - expected| <= tolerance * (1 + |expected|) for floating-point outputs; 0: equal bits.
  double tolerance = 0;
  /// The dtypes to run besides that of `inputs`, for the attribute that chooses the kernel. Empty:
  /// all that there are kernels for and that can hold the numbers of the case.
  std::vector<DType> dtypes = {};
  bool other_dtypes = true;
  std::vector<ShapeCase> shapes = {};
  /// Compare gradients with central differences (when the op has a gradient at all).
  bool gradient = true;
  bool second_gradient = true;
  /// Inputs that must be constants for the gradient to be built, such as an axis.
  std::set<int> constant_inputs = {};
  double gradient_tolerance = 1e-6;
  /// The outputs that have a derivative; empty: all of floating type.
  std::set<int> gradient_outputs = {};
  /// What distinguishes this case from others of the op, in messages.
  std::string note = {};
};

/// Runs one case: values for each dtype, with constant and with fed inputs; inferred shapes against
/// actual ones; the shape strings; gradients of first and second order in float64; and for
/// element-wise ops a fused chain against single steps, empty and scalar inputs. Mistakes are
/// reported as GoogleTest failures.
void check(const OpCase& c);

/// Whether check() compares the op's gradient with differences in this case, rather than finding
/// nothing to compare.
bool compares_gradient(const OpCase& c);

/// Checks every case of a list.
void check_all(const std::vector<OpCase>& cases);

/// An Error with these words in its message is thrown when the op runs on constant inputs.
void expect_error(const std::string& op, const std::vector<Tensor>& inputs, const AttrMap& attrs,
                  const std::string& words);

/// A numeric tensor of `dtype` from numbers written as doubles.
Tensor numbers(DType dtype, const std::vector<double>& values, const Shape& shape);

/// Short forms for cases: vectors of the usual dtypes, and tensors of a shape.
inline Tensor f32(const std::vector<double>& v) {
  return numbers(DType::kFloat, v, Shape{static_cast<std::int64_t>(v.size())});
}
inline Tensor f32(const std::vector<double>& v, const Shape& s) {
  return numbers(DType::kFloat, v, s);
}
inline Tensor i32(const std::vector<double>& v) {
  return numbers(DType::kInt32, v, Shape{static_cast<std::int64_t>(v.size())});
}
inline Tensor i32(const std::vector<double>& v, const Shape& s) {
  return numbers(DType::kInt32, v, s);
}
inline Tensor i64(const std::vector<double>& v) {
  return numbers(DType::kInt64, v, Shape{static_cast<std::int64_t>(v.size())});
}
inline Tensor i64(const std::vector<double>& v, const Shape& s) {
  return numbers(DType::kInt64, v, s);
}
inline Tensor bools(const std::vector<double>& v) {
  return numbers(DType::kBool, v, Shape{static_cast<std::int64_t>(v.size())});
}
inline Tensor bools(const std::vector<double>& v, const Shape& s) {
  return numbers(DType::kBool, v, s);
}

/// Every case of the tests, for the registry-wide check: each test file of families has a function.
std::vector<OpCase> array_shape_cases();
std::vector<OpCase> array_slice_cases();
std::vector<OpCase> array_gather_cases();
std::vector<OpCase> array_segment_cases();
std::vector<OpCase> math_cases();
std::vector<OpCase> matrix_cases();
std::vector<OpCase> nn_cases();

}  // namespace assay::testing
