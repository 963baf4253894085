// Replays small graphs whose outputs TensorFlow computed: every case whose ops are all supported
// must give TensorFlow's values.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "assay/format/proto/graph.pb.h"
#include "assay/graph/graph_def.h"
#include "assay/graph/op_registry.h"
#include "assay/runtime/session.h"
#include "tests/support/fixtures.h"

namespace assay::testing {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> read_lines(const fs::path& path) {
  std::istringstream in(read_text(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) {
      line.pop_back();
    }
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

double parse_number(const std::string& text) {
  if (text == "true" || text == "True") return 1;
  if (text == "false" || text == "False") return 0;
  return std::strtod(text.c_str(), nullptr);
}

/// The shape in a file. One with nothing but a 0 stands for a scalar when there is a value.
Shape read_shape(const fs::path& path, std::size_t values) {
  Shape shape;
  for (const std::string& line : read_lines(path)) shape.add_dim(std::stoll(line));
  if (values == 1 && shape == Shape{0}) return {};
  return shape;
}

/// A tensor from the lines of a .csv file.
Tensor parse_tensor(const fs::path& csv, const fs::path& shape_file, DType dtype) {
  const std::vector<std::string> lines = read_lines(csv);
  Tensor t(dtype, read_shape(shape_file, lines.size()));
  if (static_cast<std::int64_t>(lines.size()) != t.num_elements()) {
    invalid_argument("{} has {} numbers for shape {}", csv.string(), lines.size(), t.shape().str());
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (dtype == DType::kBool) {
      t.data<bool>()[i] = parse_number(lines[i]) != 0;
    } else if (dtype == DType::kHalf) {
      t.data<Half>()[i] = Half(static_cast<float>(parse_number(lines[i])));
    } else {
      dispatch_numeric(dtype, [&](auto zero) {
        using T = decltype(zero);
        t.data<T>()[i] = static_cast<T>(parse_number(lines[i]));
      });
    }
  }
  return t;
}

double number_at(const Tensor& t, std::int64_t i) {
  switch (t.dtype()) {
    case DType::kBool:
      return t.data<bool>()[i] ? 1 : 0;
    case DType::kHalf:
      return static_cast<float>(t.data<Half>()[i]);
    case DType::kBFloat16:
      return static_cast<float>(t.data<BFloat16>()[i]);
    case DType::kUInt32:
      return t.data<std::uint32_t>()[i];
    case DType::kUInt64:
      return static_cast<double>(t.data<std::uint64_t>()[i]);
    default:
      return dispatch_numeric(
          t.dtype(), [&](auto zero) { return static_cast<double>(t.data<decltype(zero)>()[i]); });
  }
}

/// The files hold eight decimals of what was often computed in another order.
double tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::kHalf:
      return 5e-3;
    case DType::kBFloat16:
      return 2e-2;
    case DType::kFloat:
      return 2e-5;
    case DType::kDouble:
      return 1e-7;
    default:
      return 0;
  }
}

/// Ops that draw numbers: unless the graph fixes a seed, only shapes can be compared.
bool is_random(const std::string& op) {
  static const std::set<std::string> ops = {
      "RandomUniform", "RandomStandardNormal", "TruncatedNormal", "RandomUniformInt",
      "Multinomial",   "RandomGamma",          "RandomPoissonV2", "RandomShuffle"};
  return ops.count(op) != 0;
}

/// Ops whose output is memory nobody wrote.
bool is_arbitrary(const Node& node) {
  return node.op() == "Empty" && !node.attr_or<bool>("init", false);
}

enum class Outcome { kMatches, kUnsupported, kFails };

struct Result {
  Outcome outcome = Outcome::kMatches;
  std::string detail;  ///< what is missing, or what differs
  bool shapes_only = false;
};

// Inputs are recorded with eight decimals.
constexpr double kHalfDecimal = 5e-9;

/// How far element `i` moves when the inputs move by half their last decimal, either way.
double open_at(const Tensor& got, const std::vector<Tensor>& moved, std::int64_t i) {
  double open = 0;
  for (const Tensor& m : moved) {
    if (m.shape() == got.shape())
      open = std::max(open, std::abs(number_at(m, i) - number_at(got, i)));
  }
  return open;
}

/// The first difference, or "". `moved`: the values for inputs that would have been recorded as the
/// same eight decimals. What lies between those and `got` the recorded inputs leave open: much near
/// a tangent's pole (g_04), hardly anything elsewhere.
std::string difference(const Tensor& got, const std::vector<Tensor>& moved, const fs::path& csv,
                       const fs::path& shape_file, bool shapes_only) {
  const std::vector<std::string> want = read_lines(csv);
  const Shape want_shape = read_shape(shape_file, want.size());
  if (got.shape() != want_shape) {
    return "shape " + got.shape().str() + " instead of " + want_shape.str();
  }
  if (shapes_only || got.dtype() == DType::kString) return "";
  if (static_cast<std::int64_t>(want.size()) != got.num_elements()) {
    return fmt::format("{} values instead of {}", got.num_elements(), want.size());
  }
  const double tolerance = tolerance_of(got.dtype());
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double g = number_at(got, static_cast<std::int64_t>(i));
    const double w = parse_number(want[i]);
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    const double open = open_at(got, moved, static_cast<std::int64_t>(i));
    if (std::abs(g - w) <= tolerance * (1 + std::abs(w)) + open) continue;
    return fmt::format("element {}: {} instead of {}", i, g, w);
  }
  return "";
}

/// `feeds` with every double moved by `by`; empty when there is none to move.
std::vector<Feed> moved_feeds(const std::vector<Feed>& feeds, double by) {
  std::vector<Feed> all;
  bool any = false;
  for (const Feed& feed : feeds) {
    Tensor value = feed.value.copy();
    if (value.dtype() == DType::kDouble) {
      for (double& x : value.span<double>()) x += by;
      any = true;
    }
    all.emplace_back(feed.target, value);
  }
  if (!any) all.clear();
  return all;
}

/// One folder of the fixtures.
class Case {
 public:
  explicit Case(fs::path folder) : folder_(std::move(folder)) {}

  Result run() {
    Graph graph;
    proto::GraphDef def;
    if (!def.ParseFromString(read_text(folder_ / "frozen_model.pb"))) {
      return {Outcome::kFails, "no GraphDef", false};
    }
    try {
      import_graph_def(def, graph);
      find_files(graph);
      if (fetches_.empty()) return {Outcome::kFails, "no recorded output", false};
      const std::string missing = unsupported(graph);
      if (!missing.empty()) return {Outcome::kUnsupported, missing, false};
      return compare(graph);
    } catch (const Error& e) {
      if (e.code() == Code::kUnimplemented) return {Outcome::kUnsupported, e.message(), false};
      // Freezing made constants of variables that the graph writes: TensorFlow refuses these too.
      if (e.message().find("must be a variable's reference") != std::string::npos) {
        return {Outcome::kUnsupported, "a constant is written", false};
      }
      return {Outcome::kFails, std::string(e.what()) + " " + e.node(), false};
    }
  }

 private:
  struct File {
    Output tensor;
    fs::path csv;
    fs::path shape;
  };

  void find_files(Graph& graph) {
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      std::string name = fs::relative(entry.path(), folder_).string();
      const auto cut = [&](const std::string& ending) {
        if (!name.ends_with(ending)) return false;
        name.resize(name.size() - ending.size());
        return true;
      };
      const bool fed = cut(".placeholder.csv");
      if (!fed && !cut(".prediction.csv")) continue;
      fs::path shape = entry.path();
      shape.replace_extension(".shape");
      for (std::size_t at; (at = name.find("____")) != std::string::npos;) name.replace(at, 4, "/");
      int index = 0;
      Node* node = graph.find_node(name);
      if (const std::size_t dot = name.rfind('.'); node == nullptr && dot != std::string::npos) {
        index = std::stoi(name.substr(dot + 1));
        node = graph.find_node(name.substr(0, dot));
      }
      if (node != nullptr && node->def() == nullptr) index = 0;  // its outputs are not known
      if (node == nullptr || (node->def() != nullptr && index >= node->num_outputs())) {
        fail(Code::kNotFound, "'{}' of {} is not in the graph", name, folder_.string());
      }
      (fed ? feeds_ : fetches_).push_back({node->output(index), entry.path(), shape});
    }
  }

  /// The first op that is not supported, among those that the outputs need.
  std::string unsupported(const Graph&) {
    std::vector<Node*> todo;
    std::set<Node*> seen;
    for (const File& f : fetches_) todo.push_back(f.tensor.node);
    std::set<std::string> missing;
    while (!todo.empty()) {
      Node* node = todo.back();
      todo.pop_back();
      if (!seen.insert(node).second) continue;
      if (node->def() == nullptr) missing.insert(node->op());
      if (is_random(node->op()) || is_arbitrary(*node)) shapes_only_ = true;
      for (const Output& input : node->inputs()) todo.push_back(input.node);
      for (Node* control : node->control_inputs()) todo.push_back(control);
    }
    std::string text;
    for (const std::string& op : missing) text += (text.empty() ? "" : ", ") + op;
    return text;
  }

  Result compare(Graph& graph) {
    std::vector<Feed> feeds;
    for (const File& f : feeds_) {
      feeds.emplace_back(f.tensor, parse_tensor(f.csv, f.shape, f.tensor.dtype()));
    }
    std::vector<Output> outputs;
    for (const File& f : fetches_) outputs.push_back(f.tensor);
    Session session({.graph = &graph, .threads = 2});
    std::vector<Node*> assignments;
    for (const auto& node : graph.nodes()) {
      if (node->op() == "Assign") assignments.push_back(node.get());
    }
    if (!assignments.empty()) session.run(feeds, {}, assignments);
    const std::vector<Tensor> got = session.run(feeds, outputs);
    std::vector<std::vector<Tensor>> moved(got.size());
    for (const double by : {-kHalfDecimal, kHalfDecimal}) {
      const std::vector<Feed> near = moved_feeds(feeds, by);
      if (near.empty() || !assignments.empty()) break;
      const std::vector<Tensor> values = session.run(near, outputs);
      for (std::size_t i = 0; i < got.size(); ++i) moved[i].push_back(values[i]);
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
      const std::string d =
          difference(got[i], moved[i], fetches_[i].csv, fetches_[i].shape, shapes_only_);
      if (!d.empty()) return {Outcome::kFails, outputs[i].name() + ": " + d, shapes_only_};
    }
    return {Outcome::kMatches, "", shapes_only_};
  }

  fs::path folder_;
  std::vector<File> feeds_;
  std::vector<File> fetches_;
  bool shapes_only_ = false;
};

TEST(OpCases, SupportedOnesGiveTensorFlowsValues) {
  ASSAY_SHARED_OR_SKIP(root, "fixtures/tf1/opcases");
  std::vector<fs::path> folders;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().filename() == "frozen_model.pb") folders.push_back(entry.path().parent_path());
  }
  std::sort(folders.begin(), folders.end());
  int matching = 0;
  int supported = 0;
  int shapes_only = 0;
  std::map<std::string, int> missing;
  for (const fs::path& folder : folders) {
    const std::string name = fs::relative(folder, root).string();
    const Result result = Case(folder).run();
    if (result.outcome == Outcome::kUnsupported) {
      ++missing[result.detail];
      continue;
    }
    ++supported;
    if (result.outcome == Outcome::kMatches) {
      ++matching;
      shapes_only += result.shapes_only ? 1 : 0;
    } else {
      ADD_FAILURE() << name << ": " << result.detail;
    }
  }
  std::cout << "opcases: " << matching << " of " << supported
            << " cases whose ops are all supported match (of " << folders.size() << "); "
            << shapes_only << " of them draw random numbers and are compared by shape\n";
  if (std::getenv("ASSAY_OPCASES_MISSING") != nullptr) {
    std::vector<std::pair<int, std::string>> order;
    for (const auto& [what, count] : missing) order.emplace_back(count, what);
    std::sort(order.rbegin(), order.rend());
    for (const auto& [count, what] : order) std::cout << count << " x " << what << "\n";
  }
  EXPECT_EQ(folders.size(), 510U);
}

}  // namespace
}  // namespace assay::testing
