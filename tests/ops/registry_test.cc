// What holds of every op: it has a doc, a gradient decision, a way to run, and a test.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "assay/device/kernel.h"
#include "assay/graph/op_registry.h"
#include "tests/ops/op_case.h"
#include "tests/ops/op_graph.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::testing {
namespace {

TEST(Registry, EveryOpHasADoc) {
  for (const auto& [name, op] : default_op_registry().ops()) {
    EXPECT_TRUE(op.doc.ends_with('.')) << name << ": " << op.doc;
  }
}

TEST(Registry, EveryOpSaysWhetherItIsDifferentiable) {
  for (const auto& [name, op] : default_op_registry().ops()) {
    EXPECT_NE(op.gradient != nullptr, op.not_differentiable) << name;
  }
}

TEST(Registry, EveryOpHasAShapeFunction) {
  for (const auto& [name, op] : default_op_registry().ops()) EXPECT_NE(op.shape, nullptr) << name;
}

TEST(Registry, EveryOpCanRun) {
  for (const auto& [name, op] : default_op_registry().ops()) {
    EXPECT_TRUE(!op.kernels.empty() || op.elementwise != nullptr || op.resolved_by_runtime) << name;
  }
}

void alone(KernelContext&) {}
void shared(ParallelContext&) {}

TEST(Registry, AnOpThatSharesItsWorkAmongThreadsMustSayWhyTheirNumberChangesNothing) {
  OpRegistry ops;
  const auto spec = [](KernelFactory kernel, Threads threads) {
    return OpSpec{.name = "Some",
                  .doc = "Some op.",
                  .kernels = {{DType::kInvalid, kernel}},
                  .threads = threads};
  };
  const Error silent = error_of([&] { ops.add(spec(function_kernel<shared>, Threads::kOne)); });
  EXPECT_EQ(silent.code(), Code::kInternal);
  EXPECT_NE(silent.message().find("op Some: a kernel shares its work"), std::string::npos)
      << silent.message();
  EXPECT_EQ(code_of([&] { ops.add(spec(function_kernel<alone>, Threads::kPieces)); }),
            Code::kInternal);
  EXPECT_EQ(ops.find("Some"), nullptr);
  ops.add(spec(function_kernel<shared>, Threads::kFixedOrder));
  EXPECT_NE(ops.find("Some"), nullptr);
}

TEST(Registry, KernelsAreForDtypesThatTheOpAllows) {
  for (const auto& [name, op] : default_op_registry().ops()) {
    const AttrDef* attr = op.find_attr(op.kernel_attr);
    for (const KernelEntry& kernel : op.kernels) {
      if (kernel.dtype == DType::kInvalid || attr == nullptr) continue;
      const auto& allowed = attr->allowed_types;
      EXPECT_TRUE(allowed.empty() ||
                  std::find(allowed.begin(), allowed.end(), kernel.dtype) != allowed.end())
          << name << " has a kernel for " << dtype_name(kernel.dtype);
    }
  }
}

/// The names that stand in quotes in the tests' sources.
std::set<std::string> quoted_names() {
  std::set<std::string> names;
  const std::filesystem::path root = std::filesystem::path(source_dir()) / "tests";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const auto extension = entry.path().extension();
    if (extension != ".cc" && extension != ".h") continue;
    std::ifstream in(entry.path());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (std::size_t at = text.find('"'); at != std::string::npos;) {
      const std::size_t end = text.find('"', at + 1);
      if (end == std::string::npos) break;
      names.insert(text.substr(at + 1, end - at - 1));
      at = text.find('"', end + 1);
    }
  }
  return names;
}

/// Every case there is.
std::vector<OpCase> all_cases() {
  std::vector<OpCase> all;
  for (auto&& cases : {array_shape_cases(), array_slice_cases(), array_gather_cases(),
                       array_segment_cases(), math_cases(), matrix_cases(), nn_cases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

TEST(Registry, EveryGradientIsComparedWithDifferences) {
  // Their derivative goes through a variable, or is zero or an error by intent.
  const std::map<std::string, std::string> elsewhere = {
      {"ReadVariableOp", "ApiGradientsTest.LookupsInVariablesOfBothKinds"},
      {"ResourceGather", "ApiGradientsTest.LookupsInVariablesOfBothKinds"},
      {"Placeholder", "nothing lies behind it"},
      {"PlaceholderV2", "nothing lies behind it"},
      {"PreventGradient", "RefusesAGradient, below"},
      {"Cast", "GradientsThatNoCaseHolds, below"},
      {"IdentityN", "GradientsThatNoCaseHolds, below"},
      {"PadV2", "GradientsThatNoCaseHolds, below"},
      {"Print", "GradientsThatNoCaseHolds, below"},
      {"SparseToDense", "GradientsThatNoCaseHolds, below"},
      {"RandomGamma", "RandomGamma.GradientIsThatOfTheQuantile"},
      {"RandomGammaGrad", "RandomGamma.HasNoSecondDerivative"},
  };
  std::set<std::string> compared;
  for (const OpCase& c : all_cases()) {
    if (compares_gradient(c)) compared.insert(c.op);
  }
  for (const auto& [name, op] : default_op_registry().ops()) {
    if (op.gradient == nullptr || elsewhere.contains(name)) continue;
    EXPECT_TRUE(compared.contains(name)) << name << " has a gradient that no case compares";
  }
  for (const auto& [name, where] : elsewhere) {
    const OpDef* op = default_op_registry().find(name);
    EXPECT_TRUE(op != nullptr && op->gradient != nullptr && !compared.contains(name)) << name;
  }
}

TEST(Registry, GradientsThatNoCaseHolds) {
  const Tensor x = numbers(DType::kDouble, {0.5, -2}, Shape{2});
  EXPECT_LT(gradient_error(
                [](NodeBuilder& b, Output v) {
                  return b.node("IdentityN", {v, v})->output(1);
                },
                x),
            1e-8);
  EXPECT_LT(gradient_error(
                [](NodeBuilder& b, Output v) {
                  const Output paddings = b.constant(i32({1, 2}, Shape{1, 2}));
                  return b.op("PadV2", {v, paddings, b.scalar(7, float64)});
                },
                x),
            1e-8);
  EXPECT_LT(gradient_error(
                [](NodeBuilder& b, Output v) {
                  return b.op("Print", {v, v}, {{"first_n", std::int64_t{0}}});
                },
                x),
            1e-8);
  EXPECT_LT(gradient_error(
                [](NodeBuilder& b, Output v) {
                  return b.op("SparseToDense", {b.constant(i64({1, 3})), b.constant(i64({5})), v,
                                                b.scalar(0, float64)});
                },
                x),
            1e-8);
  OpGraph g;
  const Output narrow = g.constant(f32({3, -4}));
  const Output wide = g.op("Square", {g.op("Cast", {narrow}, {{"DstT", float64}})});
  const Output of_narrow = dense_gradients({wide}, {narrow}).at(0);
  EXPECT_EQ(g.run(of_narrow).to_vector<float>(), (std::vector<float>{6, -8}));
}

TEST(Registry, RefusesAGradient) {
  OpGraph g;
  const Output x = g.constant(f32({3, -4}));
  const Output y = g.op("PreventGradient", {x}, {{"message", std::string("because")}});
  EXPECT_EQ(code_of([&] { dense_gradients({y}, {x}); }), Code::kInvalidArgument);
}

TEST(Registry, EveryOpHasATest) {
  std::set<std::string> tested = quoted_names();
  for (const auto& cases : {array_shape_cases(), array_slice_cases(), array_gather_cases(),
                            array_segment_cases(), math_cases(), matrix_cases()}) {
    for (const OpCase& c : cases) tested.insert(c.op);
  }
  ASSAY_SHARED_OR_SKIP(goldens, "fixtures/tf1_goldens/index.json");
  const auto index = nlohmann::json::parse(std::ifstream(goldens));
  for (const auto& spec : index["cases"]) tested.insert(spec["op"].get<std::string>());
  for (const auto& [name, op] : default_op_registry().ops()) {
    // Datasets and their iterators are run by tests/data, through the functions that make them.
    if (name.ends_with("Dataset") || name.starts_with("Assay")) continue;
    EXPECT_TRUE(tested.count(name) != 0) << name << " has no case and is named by no test";
  }
}

}  // namespace
}  // namespace assay::testing
