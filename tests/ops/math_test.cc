// Element-wise mathematics, comparisons, reductions, scans and products. The expected values of
// functions come from the C++ standard library.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/ops/op_case.h"

namespace assay::testing {
namespace {

using Unary = double (*)(double);
using Binary = double (*)(double, double);

const double kInf = std::numeric_limits<double>::infinity();

OpCase unary(const std::string& op, Unary f, const std::vector<double>& x,
             double tolerance = 2e-6) {
  std::vector<double> y;
  for (const double v : x) y.push_back(f(v));
  return {.op = op,
          .inputs = {numbers(float64, x, {static_cast<std::int64_t>(x.size())})},
          .expected = {numbers(float64, y, {static_cast<std::int64_t>(x.size())})},
          .tolerance = tolerance,
          .shapes = {{"[2,?]", "[2,?]"}},
          .gradient_tolerance = 1e-5};
}

OpCase binary(const std::string& op, Binary f, const std::vector<double>& x,
              const std::vector<double>& y, double tolerance = 2e-6) {
  std::vector<double> z;
  for (std::size_t i = 0; i < x.size(); ++i) z.push_back(f(x[i], y[i]));
  const Shape shape{static_cast<std::int64_t>(x.size())};
  return {.op = op,
          .inputs = {numbers(float64, x, shape), numbers(float64, y, shape)},
          .expected = {numbers(float64, z, shape)},
          .tolerance = tolerance,
          .shapes = {{"[2,1];[?,3]", "[2,3]"}, {"[2];[3]", "error: "}},
          .gradient_tolerance = 1e-5};
}

OpCase compare(const std::string& op, const std::vector<double>& expected) {
  return {.op = op,
          .inputs = {f32({1, 2, 3}), f32({2, 2, 2})},
          .expected = {bools(expected)},
          .dtypes = {float64, int32, int64, uint8},
          .shapes = {{"[2,1];[?,3]", "[2,3]"}}};
}

/// Integers: the values for int32, and all dtypes that hold them.
OpCase integers(const std::string& op, const std::vector<double>& x, const std::vector<double>& y,
                const std::vector<double>& z) {
  return {.op = op,
          .inputs = {i32(x), i32(y)},
          .expected = {i32(z)},
          .dtypes = {int32, int64},
          .gradient = false,
          .note = "integers"};
}

OpCase reduce(const std::string& op, const std::vector<double>& expected) {
  return {.op = op,
          .inputs = {f32({1, 2, 3, 4, 5, 6}, {2, 3}), i32({1})},
          .expected = {f32(expected)},
          .tolerance = 1e-6,
          .shapes = {{"[?,3];=", "[?]"}, {"[2,3];[1]", "?"}},
          .second_gradient = op != "Max" && op != "Min",
          .constant_inputs = {1}};
}

const std::vector<double> kAny = {-2.25, -0.5, 0.3, 1, 4.5};
const std::vector<double> kPositive = {0.01, 0.5, 1, 2.5, 40};
const std::vector<double> kInner = {-0.9, -0.2, 0.1, 0.4, 0.8};

void add_unary(std::vector<OpCase>& all) {
  all.push_back(unary("Abs", std::fabs, kAny));
  all.push_back(unary(
      "Neg", [](double x) { return -x; }, kAny));
  all.push_back(unary("Exp", std::exp, kAny));
  all.push_back(unary("Expm1", std::expm1, kAny));
  all.push_back(unary("Log", std::log, kPositive));
  all.push_back(unary("Log1p", std::log1p, kPositive));
  all.push_back(unary("Sqrt", std::sqrt, kPositive));
  all.push_back(unary("Rsqrt", [](double x) { return 1 / std::sqrt(x); }, {0.2, 0.5, 1, 2.5, 40}));
  all.push_back(unary(
      "Square", [](double x) { return x * x; }, kAny));
  all.push_back(unary(
      "Reciprocal", [](double x) { return 1 / x; }, kAny));
  all.push_back(unary(
      "Inv", [](double x) { return 1 / x; }, kAny));
  all.push_back(
      unary("Sign", [](double x) { return x > 0   ? 1.0
                                          : x < 0 ? -1.0
                                                  : 0.0; }, {-2.25, 0.3, 5}));
  all.push_back(unary("Floor", std::floor, kAny));
  all.push_back(unary("Ceil", std::ceil, kAny));
  all.push_back(unary("Rint", std::nearbyint, {-2.25, -0.4, 0.3, 4.6}));
  all.push_back(unary("Round", std::nearbyint, {-2.25, -0.4, 0.3, 4.6}));
  all.push_back(unary("Tanh", std::tanh, kAny));
  all.push_back(unary(
      "Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, kAny));
  all.push_back(unary(
      "Relu", [](double x) { return x > 0 ? x : 0; }, kAny));
  all.push_back(unary("Relu6", [](double x) { return std::clamp(x, 0.0, 6.0); }, {-1, 0.5, 5, 7}));
  all.push_back(unary(
      "Elu", [](double x) { return x > 0 ? x : std::expm1(x); }, kAny));
  all.push_back(unary(
      "Selu",
      [](double x) {
        return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x));
      },
      kAny));
  all.push_back(unary(
      "Softplus", [](double x) { return std::log1p(std::exp(x)); }, kAny));
  all.push_back(unary(
      "Softsign", [](double x) { return x / (1 + std::fabs(x)); }, kAny));
  all.push_back(unary("Sin", std::sin, kAny));
  all.push_back(unary("Cos", std::cos, kAny));
  all.push_back(unary("Tan", std::tan, kInner));
  all.push_back(unary("Asin", std::asin, kInner));
  all.push_back(unary("Acos", std::acos, kInner));
  all.push_back(unary("Atan", std::atan, kAny));
  all.push_back(unary("Sinh", std::sinh, kAny));
  all.push_back(unary("Cosh", std::cosh, kAny));
  all.push_back(unary("Asinh", std::asinh, kAny));
  all.push_back(unary("Acosh", std::acosh, {1.5, 2, 10}));
  all.push_back(unary("Atanh", std::atanh, kInner));
  all.push_back(unary("Erf", std::erf, kAny));
  all.push_back(unary("Erfc", std::erfc, kAny));
  all.push_back(unary("Lgamma", [](double x) { return std::lgamma(x); }, {0.3, 0.5, 1.2, 2.5, 40}));
  all.push_back({.op = "LeakyRelu",
                 .attrs = {{"alpha", 0.25F}},
                 .inputs = {f32({-2, 3})},
                 .expected = {f32({-0.5, 3})}});
  all.push_back({.op = "Digamma",
                 .inputs = {f32({1, 2.5})},
                 .expected = {f32({-0.5772156649015329, 0.7031566406452432})},
                 .tolerance = 1e-6});
  all.push_back({.op = "Polygamma",
                 .inputs = {f32({1, 2}), f32({1, 2.5})},
                 .expected = {f32({1.6449340668482264, -0.2362040516417274})},
                 .tolerance = 1e-6,
                 .constant_inputs = {0}});
  all.push_back({.op = "Zeta",
                 .inputs = {f32({2, 3}), f32({1, 2.5})},
                 .expected = {f32({1.6449340668482264, 0.1181020258208637})},
                 .tolerance = 1e-6,
                 .constant_inputs = {0}});
  all.push_back({.op = "IsFinite",
                 .inputs = {f32({1, kInf, std::nan("")})},
                 .expected = {bools({1, 0, 0})},
                 .dtypes = {float64}});
  all.push_back({.op = "IsInf",
                 .inputs = {f32({1, -kInf, std::nan("")})},
                 .expected = {bools({0, 1, 0})},
                 .dtypes = {float64}});
  all.push_back({.op = "IsNan",
                 .inputs = {f32({1, kInf, std::nan("")})},
                 .expected = {bools({0, 0, 1})},
                 .dtypes = {float64}});
  all.push_back({.op = "LogicalNot", .inputs = {bools({0, 1})}, .expected = {bools({1, 0})}});
}

void add_binary(std::vector<OpCase>& all) {
  const std::vector<double> x = {-2.25, -0.5, 0.25, 1, 4.5};
  const std::vector<double> y = {0.75, 2, -1.5, 3, 0.5};
  const auto add = [](double a, double b) { return a + b; };
  all.push_back(binary("Add", add, x, y));
  all.push_back(binary("AddV2", add, x, y));
  all.push_back(binary(
      "Sub", [](double a, double b) { return a - b; }, x, y));
  all.push_back(binary(
      "Mul", [](double a, double b) { return a * b; }, x, y));
  all.push_back(binary(
      "RealDiv", [](double a, double b) { return a / b; }, x, y));
  all.push_back(binary(
      "Div", [](double a, double b) { return a / b; }, x, y));
  all.push_back(binary(
      "DivNoNan", [](double a, double b) { return b == 0 ? 0 : a / b; }, x, y));
  all.push_back(binary(
      "MulNoNan", [](double a, double b) { return b == 0 ? 0 : a * b; }, x, y));
  all.push_back(binary(
      "FloorDiv", [](double a, double b) { return std::floor(a / b); }, x, y));
  all.push_back(binary("FloorMod", [](double a, double b) { return a - b * std::floor(a / b); }, x,
                       {0.7, 2, -1.5, 3, 0.6}));
  all.push_back(binary(
      "Mod", [](double a, double b) { return std::fmod(a, b); }, x, y));
  all.push_back(binary(
      "TruncateMod", [](double a, double b) { return std::fmod(a, b); }, x, y));
  all.push_back(binary(
      "Maximum", [](double a, double b) { return std::max(a, b); }, x, y));
  all.push_back(binary(
      "Minimum", [](double a, double b) { return std::min(a, b); }, x, y));
  all.push_back(binary(
      "SquaredDifference", [](double a, double b) { return (a - b) * (a - b); }, x, y));
  all.push_back(binary(
      "Pow", [](double a, double b) { return std::pow(a, b); }, kPositive, y));
  all.push_back(binary(
      "Atan2", [](double a, double b) { return std::atan2(a, b); }, x, y));
  all.push_back(binary(
      "Xdivy", [](double a, double b) { return a == 0 ? 0 : a / b; }, x, y));
  all.push_back(binary(
      "Xlogy", [](double a, double b) { return a == 0 ? 0 : a * std::log(b); }, x, kPositive));
  for (const char* op : {"Mod", "TruncateMod"}) {
    for (OpCase& c : all) {
      if (c.op == op) c.gradient = false;  // TensorFlow gives them none
    }
  }
  all.push_back(integers("FloorDiv", {7, -7, 7, -7}, {2, 2, -2, -2}, {3, -4, -4, 3}));
  all.push_back(integers("FloorMod", {7, -7, 7, -7}, {2, 2, -2, -2}, {1, 1, -1, -1}));
  all.push_back(integers("TruncateDiv", {7, -7, 7, -7}, {2, 2, -2, -2}, {3, -3, -3, 3}));
  all.push_back(integers("TruncateMod", {7, -7, 7, -7}, {2, 2, -2, -2}, {1, -1, 1, -1}));
  all.push_back(integers("Mod", {7, -7, 7, -7}, {2, 2, -2, -2}, {1, -1, 1, -1}));
  all.push_back(integers("Div", {7, -7, 7, -7}, {2, 2, -2, -2}, {3, -3, -3, 3}));
  all.push_back(integers("Pow", {2, -3, 5}, {10, 3, 0}, {1024, -27, 1}));
  all.push_back(compare("Less", {1, 0, 0}));
  all.push_back(compare("LessEqual", {1, 1, 0}));
  all.push_back(compare("Greater", {0, 0, 1}));
  all.push_back(compare("GreaterEqual", {0, 1, 1}));
  all.push_back(compare("Equal", {0, 1, 0}));
  all.push_back(compare("NotEqual", {1, 0, 1}));
  all.push_back({.op = "LogicalAnd",
                 .inputs = {bools({0, 0, 1, 1}), bools({0, 1, 0, 1})},
                 .expected = {bools({0, 0, 0, 1})}});
  all.push_back({.op = "LogicalOr",
                 .inputs = {bools({0, 0, 1, 1}), bools({0, 1, 0, 1})},
                 .expected = {bools({0, 1, 1, 1})}});
  all.push_back({.op = "Add",
                 .inputs = {f32({1, 2}, {2, 1}), f32({10, 20, 30})},
                 .expected = {f32({11, 21, 31, 12, 22, 32}, {2, 3})},
                 .note = "broadcast"});
  all.push_back({.op = "RealDiv",
                 .inputs = {f32({1, 2, 3, 4}, {2, 2}), f32({2}, {})},
                 .expected = {f32({0.5, 1, 1.5, 2}, {2, 2})},
                 .note = "by a scalar"});
}

void add_reductions(std::vector<OpCase>& all) {
  all.push_back(reduce("Sum", {6, 15}));
  all.push_back(reduce("Mean", {2, 5}));
  all.push_back(reduce("Max", {3, 6}));
  all.push_back(reduce("Min", {1, 4}));
  all.push_back(reduce("Prod", {6, 120}));
  all.push_back({.op = "Sum",
                 .attrs = {{"keep_dims", true}},
                 .inputs = {f32({1, 2, 3, 4, 5, 6}, {2, 3}), i32({0, -1})},
                 .expected = {f32({21}, {1, 1})},
                 .constant_inputs = {1},
                 .note = "keep_dims"});
  all.push_back({.op = "Sum",
                 .inputs = {f32({}, {0, 3}), i32({0})},
                 .expected = {f32({0, 0, 0})},
                 .gradient = false,
                 .note = "of nothing"});
  all.push_back({.op = "Prod",
                 .inputs = {f32({2, 0, 3, 4}, {2, 2}), i32({0})},
                 .expected = {f32({6, 0})},
                 .second_gradient = false,
                 .constant_inputs = {1},
                 .note = "with a zero"});
  all.push_back({.op = "All",
                 .inputs = {bools({1, 1, 0, 1}, {2, 2}), i32({1})},
                 .expected = {bools({1, 0})}});
  all.push_back({.op = "Any",
                 .inputs = {bools({0, 0, 0, 1}, {2, 2}), i32({1})},
                 .expected = {bools({0, 1})}});
  all.push_back({.op = "ArgMax",
                 .inputs = {f32({3, 9, 9, 1}), i32({0}, {})},
                 .expected = {i64({1}, {})},
                 .shapes = {{"[?,3];=", "[3]"}}});
  all.push_back({.op = "ArgMin",
                 .attrs = {{"output_type", int32}},
                 .inputs = {f32({3, 1, 1, 9, 5, 0}, {2, 3}), i32({-1}, {})},
                 .expected = {i32({1, 2})}});
  all.push_back({.op = "Cumsum",
                 .inputs = {f32({1, 2, 3, 4}, {2, 2}), i32({0}, {})},
                 .expected = {f32({1, 2, 4, 6}, {2, 2})},
                 .constant_inputs = {1}});
  all.push_back({.op = "Cumsum",
                 .attrs = {{"exclusive", true}, {"reverse", true}},
                 .inputs = {f32({1, 2, 3}), i32({0}, {})},
                 .expected = {f32({5, 3, 0})},
                 .constant_inputs = {1},
                 .note = "exclusive and reverse"});
  all.push_back({.op = "Cumprod",
                 .inputs = {f32({1, 2, 3}), i32({0}, {})},
                 .expected = {f32({1, 2, 6})},
                 .constant_inputs = {1}});
}

void add_others(std::vector<OpCase>& all) {
  all.push_back({.op = "AddN",
                 .inputs = {f32({1, 2}), f32({3, 4}), f32({5, 6})},
                 .expected = {f32({9, 12})},
                 .shapes = {{"[?];[2];?", "[2]"}}});
  all.push_back({.op = "AccumulateNV2",
                 .attrs = {{"shape", PartialShape{2}}},
                 .inputs = {f32({1, 2}), f32({3, 4})},
                 .expected = {f32({4, 6})}});
  all.push_back({.op = "Select",
                 .inputs = {bools({1, 0}), f32({1, 2}), f32({3, 4})},
                 .expected = {f32({1, 4})},
                 .dtypes = {float64, int32, int64}});
  all.push_back({.op = "Select",
                 .inputs = {bools({1, 0}), f32({1, 2, 3, 4}, {2, 2}), f32({5, 6, 7, 8}, {2, 2})},
                 .expected = {f32({1, 2, 7, 8}, {2, 2})},
                 .dtypes = {float64, int32},
                 .note = "by rows"});
  all.push_back({.op = "SelectV2",
                 .inputs = {bools({1, 0}), f32({1, 2, 3, 4}, {2, 2}), f32({9}, {})},
                 .expected = {f32({1, 9, 3, 9}, {2, 2})},
                 .dtypes = {float64, int32},
                 .note = "broadcast"});
  all.push_back({.op = "Cast",
                 .attrs = {{"DstT", int32}},
                 .inputs = {f32({-1.75, 2.5})},
                 .expected = {i32({-1, 2})},
                 .other_dtypes = false});
  all.push_back({.op = "MatMul",
                 .inputs = {f32({1, 2, 3, 4, 5, 6}, {2, 3}), f32({1, 0, 0, 1, 1, 1}, {3, 2})},
                 .expected = {f32({4, 5, 10, 11}, {2, 2})},
                 .shapes = {{"[?,3];[3,4]", "[?,4]"}, {"[2,3];[4,2]", "error: "}}});
  all.push_back({.op = "MatMul",
                 .attrs = {{"transpose_a", true}, {"transpose_b", true}},
                 .inputs = {f32({1, 2, 3, 4, 5, 6}, {3, 2}), f32({1, 0, 1, 0, 1, 1}, {2, 3})},
                 .expected = {f32({6, 8, 8, 10}, {2, 2})},
                 .note = "transposed"});
  for (const char* op : {"BatchMatMul", "BatchMatMulV2"}) {
    all.push_back({.op = op,
                   .inputs = {f32({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2}),
                              f32({1, 1, 0, 1, 2, 0, 0, 2}, {2, 2, 2})},
                   .expected = {f32({1, 3, 3, 7, 10, 12, 14, 16}, {2, 2, 2})}});
  }
  // The *Grad ops take the output or the input, then the incoming gradient.
  const Tensor y = f32({0.5, -0.25});
  const Tensor dy = f32({3, 2});
  all.push_back(
      {.op = "TanhGrad", .inputs = {y, dy}, .expected = {f32({2.25, 1.875})}, .tolerance = 1e-6});
  all.push_back({.op = "SigmoidGrad",
                 .inputs = {y, dy},
                 .expected = {f32({0.75, -0.625})},
                 .tolerance = 1e-6});
  all.push_back(
      {.op = "SqrtGrad", .inputs = {y, dy}, .expected = {f32({3, -4})}, .tolerance = 1e-6});
  all.push_back({.op = "RsqrtGrad",
                 .inputs = {y, dy},
                 .expected = {f32({-0.1875, 0.015625})},
                 .tolerance = 1e-6});
  all.push_back(
      {.op = "InvGrad", .inputs = {y, dy}, .expected = {f32({-0.75, -0.125})}, .tolerance = 1e-6});
  all.push_back({.op = "ReciprocalGrad",
                 .inputs = {y, dy},
                 .expected = {f32({-0.75, -0.125})},
                 .tolerance = 1e-6});
  all.push_back({.op = "ReluGrad", .inputs = {dy, y}, .expected = {f32({3, 0})}});
  all.push_back({.op = "Relu6Grad", .inputs = {dy, f32({7, 2})}, .expected = {f32({0, 2})}});
  all.push_back({.op = "LeakyReluGrad",
                 .attrs = {{"alpha", 0.5F}},
                 .inputs = {dy, y},
                 .expected = {f32({3, 1})}});
  all.push_back(
      {.op = "EluGrad", .inputs = {dy, y}, .expected = {f32({3, 1.5})}, .tolerance = 1e-6});
  all.push_back({.op = "SeluGrad",
                 .inputs = {dy, f32({0.5, -0.5})},
                 .expected = {f32({3 * 1.0507009873554805, 2 * (-0.5 + 1.7580993408473766)})},
                 .tolerance = 1e-6});
  all.push_back({.op = "SoftplusGrad",
                 .inputs = {dy, f32({0, 20})},
                 .expected = {f32({1.5, 2})},
                 .tolerance = 1e-6});
  all.push_back({.op = "SoftsignGrad",
                 .inputs = {dy, f32({1, -1})},
                 .expected = {f32({0.75, 0.5})},
                 .tolerance = 1e-6});
  all.push_back({.op = "NthElement",
                 .inputs = {f32({5, 1, 3, 4, 6, 2}, {2, 3}), i32({1}, {})},
                 .expected = {f32({3, 4})},
                 .shapes = {{"[?,3];=", "[?]"}},
                 .second_gradient = false});
  all.push_back(
      {.op = "Cross", .inputs = {f32({1, 2, 3}), f32({4, 5, 6})}, .expected = {f32({-3, 6, -3})}});
  all.push_back({.op = "CompareAndBitpack",
                 .inputs = {f32({1, 0, 3, 0, 0, 0, 0, 9}), f32({0.5}, {})},
                 .expected = {numbers(uint8, {161}, {1})},
                 .dtypes = {float64},
                 .shapes = {{"[?,16];[]", "[?,2]"}}});
  all.push_back({.op = "RaggedRange",
                 .inputs = {i32({0, 5}), i32({3, 4}), i32({1, -1})},
                 .expected = {i64({0, 3, 4}), i32({0, 1, 2, 5})},
                 .shapes = {{"[2];[2];[2]", "[3];[?]"}}});
}

void add_images(std::vector<OpCase>& all) {
  all.push_back({.op = "AdjustContrastv2",
                 .inputs = {f32({1, 3}, {1, 2, 1}), f32({2}, {})},
                 .expected = {f32({0, 4}, {1, 2, 1})},
                 .dtypes = {float32, DType::kHalf},
                 .shapes = {{"[?,2,3];[]", "[?,2,3]"}}});
  all.push_back({.op = "AdjustHue",
                 .inputs = {f32({1, 0, 0}), f32({1.0 / 3}, {})},
                 .expected = {f32({0, 1, 0})},
                 .tolerance = 1e-6,
                 .dtypes = {float32, DType::kHalf},
                 .shapes = {{"[2,?];[]", "[2,?]"}, {"[4];[]", "error: must be 3"}}});
  all.push_back({.op = "AdjustSaturation",
                 .inputs = {f32({1, 0.5, 0.5}), f32({2}, {})},
                 .expected = {f32({1, 0, 0})},
                 .tolerance = 1e-6,
                 .dtypes = {float32, DType::kHalf}});
  all.push_back({.op = "HSVToRGB",
                 .inputs = {f32({1.0 / 3, 1, 0.5, 5.0 / 6, 0.5, 1}, {2, 3})},
                 .expected = {f32({0, 0.5, 0, 1, 0.5, 1}, {2, 3})},
                 .tolerance = 1e-6});
}

}  // namespace

std::vector<OpCase> math_cases() {
  std::vector<OpCase> all;
  add_unary(all);
  add_binary(all);
  add_reductions(all);
  add_others(all);
  add_images(all);
  return all;
}

namespace {

TEST(Math, Cases) {
  check_all(math_cases());
}

}  // namespace
}  // namespace assay::testing
