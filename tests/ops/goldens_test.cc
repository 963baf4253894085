// Replays cases that TensorFlow 1.15.5 computed. Random streams must agree bit for bit, other
// results to a few units in the last place.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "assay/graph/graph.h"
#include "assay/graph/op_registry.h"
#include "assay/graph/scope.h"
#include "assay/runtime/session.h"
#include "tests/ops/npy_file.h"
#include "tests/support/fixtures.h"

namespace assay {
namespace {

using nlohmann::json;

class Case {
 public:
  Case(const json& spec, std::filesystem::path data) : spec_(spec), data_(std::move(data)) {}

  const OpDef* def() const { return default_op_registry().find(op()); }
  std::string op() const { return spec_["op"]; }
  std::string id() const { return spec_["id"]; }

  bool can_run() const {
    if (def() == nullptr || spec_.contains("error")) return false;
    for (const json& input : spec_["inputs"]) {
      if (input.is_object() && input.contains("computed")) return false;
    }
    return true;
  }

  /// The first difference, or "".
  std::string run() const {
    Graph graph;
    std::vector<Tensor> values;
    for (const json& input : spec_["inputs"]) values.push_back(value_of(input));
    std::vector<Output> inputs;
    std::vector<Output> variables;
    std::vector<Node*> initializers;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Output constant =
          add(graph, "Const", {}, {{"value", values[i]}, {"dtype", values[i].dtype()}})->output();
      const auto& args = def()->input_args;
      if (i < args.size() && args[i].is_ref) {
        const Output variable =
            add(graph, "VariableV2", {},
                {{"shape", PartialShape(values[i].shape())}, {"dtype", values[i].dtype()}})
                ->output();
        initializers.push_back(add(graph, "Assign", {variable, constant}, {}));
        variables.push_back(variable);
        inputs.push_back(variable);
      } else {
        inputs.push_back(constant);
      }
    }
    Node* node = add(graph, op(), inputs, attributes());
    Session session({.graph = &graph, .threads = 2});
    if (!initializers.empty()) session.run({}, {}, initializers);
    const json runs = spec_.contains("runs") ? spec_["runs"] : json::array({spec_["outputs"]});
    for (const json& expected : runs) {
      std::vector<Tensor> got;
      if (variables.empty()) {
        std::vector<Output> outputs;
        for (int i = 0; i < node->num_outputs(); ++i) outputs.push_back(node->output(i));
        got = session.run(outputs);
      } else {
        session.run({}, {}, {node});
        got = session.run(variables);
      }
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const Tensor want = expected_of(expected[i]);
        const std::string difference = compare(got.at(i), want, values);
        if (!difference.empty()) return fmt::format("output {}: {}", i, difference);
      }
    }
    return "";
  }

 private:
  static Node* add(Graph& graph, std::string op, std::vector<Output> inputs, AttrMap attrs) {
    return graph.add_node(
        {.op = std::move(op), .inputs = std::move(inputs), .attrs = std::move(attrs)});
  }

  AttrMap attributes() const {
    AttrMap attrs;
    for (const auto& [name, value] : spec_["attrs"].items()) {
      const AttrDef* attr = def()->find_attr(name);
      if (attr == nullptr) continue;
      if (attr->kind == "type") {
        attrs[name] = dtype_from_name(value.get<std::string>());
      } else if (attr->kind == "int") {
        attrs[name] = value.get<std::int64_t>();
      } else if (attr->kind == "float") {
        attrs[name] = value.get<float>();
      } else if (attr->kind == "bool") {
        attrs[name] = value.get<bool>();
      } else if (attr->kind == "string") {
        attrs[name] = value.get<std::string>();
      } else if (attr->kind == "list(int)") {
        attrs[name] = value.get<std::vector<std::int64_t>>();
      }
    }
    return attrs;
  }

  Tensor value_of(const json& input) const {
    if (input.is_string()) return testing::read_npy_file(data_ / input.get<std::string>());
    if (input.contains("string")) {
      return Tensor::scalar(input["string"].at(0).get<std::string>());
    }
    const DType dtype = dtype_from_name(input["dtype"].get<std::string>());
    std::vector<double> numbers;
    std::vector<std::int64_t> integers;
    Shape shape;
    if (input.contains("arange")) {
      const auto n = input["arange"].get<std::int64_t>();
      shape = Shape{n};
      for (std::int64_t i = 0; i < n; ++i) integers.push_back(i);
      numbers.assign(integers.begin(), integers.end());
    } else {
      shape = Shape(input["shape"].get<std::vector<std::int64_t>>());
      flatten(input["value"], numbers, integers);
    }
    Tensor t(dtype, shape);
    dispatch_numeric(dtype, [&](auto zero) {
      using T = decltype(zero);
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        t.data<T>()[i] =
            std::is_integral_v<T> ? static_cast<T>(integers[i]) : static_cast<T>(numbers[i]);
      }
    });
    return t;
  }

  static void flatten(const json& value, std::vector<double>& numbers,
                      std::vector<std::int64_t>& integers) {
    if (value.is_array()) {
      for (const json& item : value) flatten(item, numbers, integers);
      return;
    }
    numbers.push_back(value.is_boolean() ? value.get<bool>() : value.get<double>());
    integers.push_back(value.is_number_integer() ? value.get<std::int64_t>()
                                                 : static_cast<std::int64_t>(numbers.back()));
  }

  Tensor expected_of(const json& output) const {
    if (output.is_string()) return testing::read_npy_file(data_ / output.get<std::string>());
    if (output.contains("string_elements")) {
      const Tensor bytes =
          testing::read_npy_file(data_ / output["string_elements"].at(0).get<std::string>());
      return Tensor::scalar(std::string(reinterpret_cast<const char*>(bytes.data<std::uint8_t>()),
                                        static_cast<std::size_t>(bytes.num_elements())));
    }
    return testing::read_npy_file(data_ / output["file"].get<std::string>());
  }

  bool exact() const {
    static const std::set<std::string> ops = {"RandomUniform",          "RandomUniformInt",
                                              "RandomShuffle",          "Multinomial",
                                              "StatelessRandomUniform", "UniformCandidateSampler",
                                              "HistogramSummary",       "ScalarSummary",
                                              "ImageSummary",           "Cast"};
    return ops.contains(op());
  }

  std::string compare(const Tensor& got, const Tensor& want,
                      const std::vector<Tensor>& inputs) const {
    if (got.dtype() == DType::kBFloat16 && want.dtype() == DType::kUInt16) {
      const auto* bits = reinterpret_cast<const std::uint16_t*>(got.raw());
      for (std::int64_t i = 0; i < want.num_elements(); ++i) {
        if (bits[i] != want.data<std::uint16_t>()[i]) return fmt::format("bits of element {}", i);
      }
      return "";
    }
    if (got.dtype() != want.dtype() || got.shape() != want.shape()) {
      return fmt::format("expected {}{}, got {}{}", dtype_name(want.dtype()), want.shape().str(),
                         dtype_name(got.dtype()), got.shape().str());
    }
    if (got.identical(want)) return "";
    if (exact() || !is_floating(want.dtype())) {
      return fmt::format("expected {}, got {}", want.str(), got.str());
    }
    double largest = 0;
    for (std::int64_t i = 0; i < want.num_elements(); ++i) {
      const double w = std::abs(at(want, i));
      if (std::isfinite(w)) largest = std::max(largest, w);
    }
    // Units in the last place of the value itself, and of the largest one: sums cancel.
    const double unit = want.dtype() == float64   ? 0x1p-52
                        : want.dtype() == float32 ? 0x1p-23
                                                  : 0x1p-10;
    // FTRL subtracts a large multiple of the variable from a large sum.
    const double units = op().find("Ftrl") != std::string::npos ? 1024 : 8;
    const bool random = op().find("Normal") != std::string::npos;
    for (std::int64_t i = 0; i < want.num_elements(); ++i) {
      const double g = at(got, i);
      const double w = at(want, i);
      if (g == w || (std::isnan(g) && std::isnan(w)) || special(inputs, i)) continue;
      // Random numbers are held to two units of their own last place.
      const double allowed = random ? 2 * unit * std::exp2(std::ilogb(w))
                                    : units * unit * std::abs(w) + 2 * unit * largest;
      if (!(std::abs(g - w) <= allowed)) {
        return fmt::format("element {}: expected {:.17g}, got {:.17g}", i, w, g);
      }
    }
    return "";
  }

  static double at(const Tensor& t, std::int64_t i) {
    switch (t.dtype()) {
      case DType::kFloat:
        return t.data<float>()[i];
      case DType::kDouble:
        return t.data<double>()[i];
      default:
        return static_cast<double>(static_cast<float>(t.data<Half>()[i]));
    }
  }

  /// Where that build of TensorFlow flushes denormals or takes approximations beyond their range,
  /// and IEEE 754's answer is the right one.
  bool special(const std::vector<Tensor>& inputs, std::int64_t i) const {
    static const std::set<std::string> ops = {"Sqrt",    "Rsqrt",      "Log",
                                              "Sigmoid", "Reciprocal", "Exp"};
    if (!ops.contains(op()) || inputs[0].dtype() != float32) return false;
    const float x = inputs[0].data<float>()[i];
    return !std::isfinite(x) || std::abs(x) > 1e38F || std::abs(x) < 1.2e-38F ||
           (op() == "Sigmoid" && x < -17) || (op() == "Exp" && std::abs(x) > 87);
  }

  const json& spec_;
  std::filesystem::path data_;
};

TEST(Goldens, ValuesOfTensorFlow) {
  ASSAY_SHARED_OR_SKIP(folder, "fixtures/tf1_goldens");
  const json index = json::parse(std::ifstream(folder / "index.json"));
  int passed = 0;
  std::map<std::string, int> without;
  for (const json& spec : index["cases"]) {
    const Case c(spec, folder / "data");
    if (!c.can_run()) {
      ++without[c.op()];
      continue;
    }
    std::string difference;
    try {
      difference = c.run();
    } catch (const std::exception& e) {
      difference = e.what();
    }
    EXPECT_EQ(difference, "") << c.id();
    passed += difference.empty() ? 1 : 0;
  }
  std::string missing;
  for (const auto& [op, n] : without) missing += fmt::format(" {} ({})", op, n);
  fmt::print("goldens: {} of {}\n", passed, index["cases"].size());
  if (!missing.empty()) fmt::print("not run:{}\n", missing);
  EXPECT_GT(passed, 200);
  // Every stream is compared: what draws numbers has no case that is left out.
  for (const auto& [op, n] : without) {
    for (const char* part : {"Random", "Normal", "Multinomial", "Sampler"}) {
      EXPECT_EQ(op.find(part), std::string::npos) << op;
    }
  }
}

}  // namespace
}  // namespace assay
