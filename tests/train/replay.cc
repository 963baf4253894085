#include "tests/train/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "assay/base/file_system.h"
#include "assay/format/npy.h"
#include "assay/format/proto/event.pb.h"
#include "assay/format/proto/meta_graph.pb.h"
#include "assay/format/proto_io.h"
#include "assay/graph/graph_def.h"
#include "tests/support/fixtures.h"

namespace assay::testing {

namespace {

/// The node of "name", "name:0" or "^name".
std::string node_name(std::string name) {
  if (name.starts_with('^')) name.erase(0, 1);
  return name.substr(0, name.find(':'));
}

double element(const Tensor& t, std::int64_t i) {
  if (t.dtype() == DType::kBool) return t.data<bool>()[i] ? 1 : 0;
  return dispatch_numeric(
      t.dtype(), [&](auto zero) { return static_cast<double>(t.data<decltype(zero)>()[i]); });
}

std::string unhex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

bool close(double a, double b, double scale, double tolerance) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == b) return true;
  return std::abs(a - b) <= tolerance * std::max(scale, 1e-30);
}

bool has_kernel(const OpDef& def) {
  return !def.kernels.empty() || def.elementwise != nullptr;
}

/// Ops that the runtime resolves itself.
bool resolved(const Node& node) {
  static const std::set<std::string> ops = {"NoOp", "VariableV2", "Variable", "Placeholder"};
  return ops.contains(node.op());
}

}  // namespace

ReplayCase::ReplayCase(std::filesystem::path folder, std::filesystem::path root)
    : folder_(std::move(folder)), root_(std::move(root)), name_(folder_.filename().string()) {
  std::ifstream in(folder_ / "case.json");
  case_ = Json::parse(in);
}

void ReplayCase::load() {
  if (graph_ != nullptr) return;
  const std::string path = (root_ / case_.at("meta").get<std::string>()).string();
  auto meta = format::parse_binary<proto::MetaGraphDef>(read_file(posix_file_system(), path), path);
  const Json edits = case_.value("graph_edits_before_loading", Json::object());
  for (proto::NodeDef& node : *meta.mutable_graph_def()->mutable_node()) {
    if (edits.contains("set_seed_attrs") && edits["set_seed_attrs"].contains(node.name())) {
      const Json& seeds = edits["set_seed_attrs"][node.name()];
      (*node.mutable_attr())["seed"].set_i(seeds[0].get<std::int64_t>());
      (*node.mutable_attr())["seed2"].set_i(seeds[1].get<std::int64_t>());
    }
    if (edits.contains("set_const_value") && edits["set_const_value"].contains(node.name())) {
      proto::TensorProto& value = *(*node.mutable_attr())["value"].mutable_tensor();
      value.clear_tensor_content();
      value.clear_float_val();
      value.add_float_val(edits["set_const_value"][node.name()].get<float>());
    }
  }
  graph_ = std::make_unique<Graph>();
  import_graph_def(meta.graph_def(), *graph_);
}

std::vector<Node*> ReplayCase::nodes(const Json& names) const {
  std::vector<Node*> found;
  for (const auto& name : names.is_array() ? names : Json::array({names})) {
    Node* node = graph_->find_node(node_name(name.get<std::string>()));
    if (node == nullptr) fail(Code::kNotFound, "no node '{}'", name.get<std::string>());
    found.push_back(node);
  }
  return found;
}

void ReplayCase::need(Node* node, const std::set<std::string>& fed,
                      std::set<const Node*>& seen) const {
  std::vector<Node*> stack = {node};
  while (!stack.empty()) {
    Node* n = stack.back();
    stack.pop_back();
    if (!seen.insert(n).second) continue;
    for (const Output& in : n->inputs()) {
      if (!fed.contains(in.name())) stack.push_back(in.node);
    }
    for (Node* c : n->control_inputs()) stack.push_back(c);
  }
}

std::set<std::string> ReplayCase::unsupported_ops() {
  load();
  std::set<const Node*> all;
  const auto add = [&](const Json& run) {
    std::set<const Node*> seen;  // what is fed differs from run to run
    std::set<std::string> fed;
    for (const char* kind : {"feeds", "one_run_per_row", "one_run_per_value"}) {
      if (!run.contains(kind)) continue;
      for (const auto& [name, value] : run[kind].items()) fed.insert(name);
    }
    if (run.contains("restore_filename_tensor")) {
      fed.insert(run["restore_filename_tensor"].get<std::string>());
    }
    for (const char* kind :
         {"restore_op", "init_ops", "fetch", "targets", "loss", "train_op", "then_run_each_step"}) {
      if (!run.contains(kind)) continue;
      for (Node* n : nodes(run[kind])) need(n, fed, seen);
    }
    for (const char* kind : {"gradients_at_start"}) {
      if (!run.contains(kind)) continue;
      for (const auto& [name, g] : run[kind].items()) {
        if (g.contains("tensor")) need(nodes(g["tensor"]).front(), fed, seen);
      }
    }
    all.insert(seen.begin(), seen.end());
  };
  if (is_program()) {
    for (const Json& run : case_["runs"]) add(run);
  } else {
    add(case_);
  }
  std::set<std::string> missing;
  for (const Node* n : all) {
    if (resolved(*n)) continue;
    if (n->def() == nullptr || !has_kernel(*n->def())) missing.insert(n->op());
  }
  return missing;
}

Tensor ReplayCase::recorded_array(const std::string& file) const {
  return format::read_npy((folder_ / file).string());
}

Tensor ReplayCase::feed_value(const Json& value, DType dtype) const {
  if (value.is_string()) return recorded_array(value.get<std::string>());
  if (value.contains("bytes_hex")) {
    std::vector<std::string> strings;
    for (const auto& hex : value["bytes_hex"]) strings.push_back(unhex(hex.get<std::string>()));
    if (value.contains("shape") && value["shape"].empty()) return Tensor::scalar(strings.at(0));
    return Tensor::of(strings);
  }
  if (value.contains("strings_of_files_in_this_folder")) {
    std::vector<std::string> strings;
    for (const auto& name : value["strings_of_files_in_this_folder"]) {
      strings.push_back((folder_ / name.get<std::string>()).string());
    }
    return Tensor::of(strings);
  }
  if (value.contains("full")) {
    const Shape shape(value.at("shape").get<std::vector<std::int64_t>>());
    Tensor t(dtype, shape);
    const double number = value["full"].get<double>();
    dispatch_numeric(dtype, [&](auto zero) {
      using T = decltype(zero);
      for (T& x : t.span<T>()) x = static_cast<T>(number);
    });
    return t;
  }
  fail(Code::kUnimplemented, "a feed of this kind: {}", value.dump().substr(0, 80));
}

std::vector<Feed> ReplayCase::feeds(const Json& feeds) const {
  std::vector<Feed> all;
  for (const auto& [name, value] : feeds.items()) {
    const Output target = graph_->output(name);
    all.emplace_back(target, feed_value(value, base_dtype(target.dtype())));
  }
  return all;
}

std::string ReplayCase::checkpoint() const {
  return (root_ / case_.at("checkpoint").get<std::string>()).string();
}

void ReplayCase::restore(const Json& run) {
  const Output filename = graph_->output(run.at("restore_filename_tensor").get<std::string>());
  std::string path = checkpoint();
  if (run.contains("restore_filename")) {
    path = (root_ / run["restore_filename"].get<std::string>()).string();
  }
  session_->run({Feed(filename, Tensor::scalar(path))}, {}, nodes(run.at("restore_op")));
}

void ReplayCase::compare(const std::string& what, const Tensor& got, const Json& expected,
                         double tolerance) {
  if (expected.is_object() && expected.contains("bytes_hex")) {
    compare_strings(what, got, expected["bytes_hex"]);
    return;
  }
  const auto shape_is = [&](const Shape& shape) {
    if (got.shape() == shape) return true;
    differ(fmt::format("{}: shape {}, expected {}", what, got.shape().str(), shape.str()));
    return false;
  };
  if (expected.is_string()) {
    const Tensor array = recorded_array(expected.get<std::string>());
    if (!shape_is(array.shape())) return;
    double scale = 0;
    for (std::int64_t i = 0; i < array.num_elements(); ++i) {
      const double x = std::abs(element(array, i));
      if (std::isfinite(x)) scale = std::max(scale, x);
    }
    for (std::int64_t i = 0; i < array.num_elements(); ++i) {
      if (close(element(got, i), element(array, i), scale, tolerance)) continue;
      differ(fmt::format("{}[{}]: {}, expected {} (largest magnitude {}, tolerance {})", what, i,
                         element(got, i), element(array, i), scale, tolerance));
      return;
    }
    return;
  }
  if (!shape_is(Shape(expected.at("shape").get<std::vector<std::int64_t>>()))) return;
  if (expected.contains("value")) {
    const double value = expected["value"].is_boolean() ? (expected["value"].get<bool>() ? 1 : 0)
                                                        : expected["value"].get<double>();
    if (!close(element(got, 0), value, std::abs(value), tolerance)) {
      differ(fmt::format("{}: {}, expected {}", what, element(got, 0), value));
    }
    return;
  }
  double sum = 0;
  double abs_sum = 0;
  for (std::int64_t i = 0; i < got.num_elements(); ++i) {
    sum += element(got, i);
    abs_sum += std::abs(element(got, i));
  }
  const double scale = expected["abs_sum"].get<double>();
  if (!close(sum, expected["sum"].get<double>(), scale, tolerance)) {
    differ(fmt::format("{}: sum {}, expected {}", what, sum, expected["sum"].get<double>()));
  }
  if (!close(abs_sum, scale, scale, tolerance)) {
    differ(fmt::format("{}: sum of magnitudes {}, expected {}", what, abs_sum, scale));
  }
  const Json& first = expected["first8"];
  const double mean = scale / static_cast<double>(std::max<std::int64_t>(1, got.num_elements()));
  for (std::size_t i = 0; i < first.size(); ++i) {
    const double want = first[i].get<double>();
    const double have = element(got, static_cast<std::int64_t>(i));
    if (!close(have, want, std::max(std::abs(want), mean), tolerance * 4)) {
      differ(fmt::format("{}[{}]: {}, expected {}", what, i, have, want));
      return;
    }
  }
}

void ReplayCase::compare_strings(const std::string& what, const Tensor& got, const Json& hex) {
  if (got.dtype() != string || got.num_elements() != static_cast<std::int64_t>(hex.size())) {
    differ(fmt::format("{}: {}{}, expected {} strings", what, dtype_name(got.dtype()),
                       got.shape().str(), hex.size()));
    return;
  }
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const std::string want = unhex(hex[i].get<std::string>());
    const std::string& have = got.data<std::string>()[i];
    if (have == want) continue;
    // Summaries agree as messages: a last bit of a sum may differ.
    proto::Summary a;
    proto::Summary b;
    if (!a.ParseFromString(have) || !b.ParseFromString(want) || b.value_size() == 0) {
      differ(fmt::format("{}[{}]: other bytes", what, i));
      continue;
    }
    if (a.value_size() != b.value_size()) {
      differ(
          fmt::format("{}[{}]: {} values, expected {}", what, i, a.value_size(), b.value_size()));
      continue;
    }
    for (int k = 0; k < a.value_size(); ++k) {
      const auto& x = a.value(k);
      const auto& y = b.value(k);
      bool same = x.tag() == y.tag() && x.value_case() == y.value_case() &&
                  close(x.simple_value(), y.simple_value(), std::abs(y.simple_value()), 1e-5);
      const auto& h = x.histo();
      const auto& g = y.histo();
      same = same && h.num() == g.num() && h.bucket_size() == g.bucket_size() &&
             close(h.min(), g.min(), std::abs(g.min()), 1e-5) &&
             close(h.max(), g.max(), std::abs(g.max()), 1e-5) &&
             close(h.sum(), g.sum(), std::sqrt(g.sum_squares() * std::max(1.0, g.num())), 1e-5) &&
             close(h.sum_squares(), g.sum_squares(), g.sum_squares(), 1e-5);
      for (int j = 0; same && j < h.bucket_size(); ++j) {
        same = h.bucket(j) == g.bucket(j) &&
               close(h.bucket_limit(j), g.bucket_limit(j), std::abs(g.bucket_limit(j)), 1e-12);
      }
      if (!same) differ(fmt::format("{}: the summary '{}' differs", what, y.tag()));
    }
  }
}

void ReplayCase::compare_variables(const Json& recorded, const std::string& when) {
  const Json sensitive = case_.contains("rounding_sensitivity")
                             ? case_["rounding_sensitivity"].value("variables", Json::object())
                             : Json::object();
  for (const auto& [name, expected] : recorded.items()) {
    double tolerance = 1e-4;
    if (sensitive.contains(name) && sensitive[name].is_number()) {
      tolerance = std::max(tolerance, 10 * sensitive[name].get<double>());
    }
    compare(fmt::format("{} {}", name, when), session_->run(graph_->output(name + ":0")), expected,
            tolerance);
  }
}

void ReplayCase::run_training() {
  if (case_.contains("init_ops")) {
    session_->run({}, {}, nodes(case_["init_ops"]));
    compare_variables(case_.value("variables_after_init", Json::object()), "after the initializer");
  } else {
    restore(case_);
  }
  const std::vector<Feed> fed = feeds(case_.at("feeds"));
  const Output loss = graph_->output(case_.at("loss").get<std::string>());
  const auto tolerance = case_.at("loss_rel_tolerance_suggested").get<std::vector<double>>();
  const auto check_loss = [&](std::size_t i, const Tensor& got, const Json& want) {
    // A loss of each example comes as its mean.
    double mean = 0;
    for (std::int64_t k = 0; k < got.num_elements(); ++k) mean += element(got, k);
    mean /= static_cast<double>(std::max<std::int64_t>(1, got.num_elements()));
    const double expected = want.get<double>();
    if (!close(mean, expected, std::abs(expected), tolerance.at(i))) {
      differ(fmt::format("loss before step {}: {:.9g}, expected {:.9g}", i + 1, mean, expected));
    }
  };
  if (case_.contains("gradients_at_start")) {
    std::vector<Output> fetches = {loss};
    std::vector<std::pair<std::string, Json>> expected;
    for (const auto& [name, g] : case_["gradients_at_start"].items()) {
      if (!g.contains("tensor")) continue;
      fetches.push_back(graph_->output(g["tensor"].get<std::string>()));
      expected.emplace_back(name, g);
    }
    const auto got = session_->run(fed, fetches);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const Json& g = expected[i].second;
      compare("gradient of " + expected[i].first, got[i + 1], g.contains("npy") ? g["npy"] : g,
              1e-4);
    }
  }
  if (case_.contains("forward_at_start")) {
    std::vector<Output> fetches;
    for (const auto& [name, e] : case_["forward_at_start"].items()) {
      fetches.push_back(graph_->output(name));
    }
    const auto got = session_->run(fed, fetches);
    std::size_t i = 0;
    for (const auto& [name, e] : case_["forward_at_start"].items()) {
      compare(name, got[i++], e, 1e-5);
    }
  }
  const Json& steps = case_.at("steps");
  const auto train = nodes(case_.at("train_op"));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    check_loss(i, session_->run(loss, fed), steps[i]);
    session_->run(fed, {}, train);
    if (case_.contains("then_run_each_step")) {
      for (Node* n : nodes(case_["then_run_each_step"])) session_->run(fed, {}, {n});
    }
  }
  check_loss(steps.size(), session_->run(loss, fed), case_.at("loss_after_last_step"));
  compare_variables(case_.at("variables_after"), "after training");
  if (case_.contains("restored_and_saved_again_gives_the_same_bytes")) compare_saved_again();
}

void ReplayCase::compare_saved_again() {
  const std::string restore_op = case_["restore_op"].get<std::string>();
  const std::string scope = restore_op.substr(0, restore_op.rfind('/') + 1);
  const TemporaryFolder folder;
  const std::string again = folder / "again";
  std::vector<Feed> fed = {
      {graph_->output(case_["restore_filename_tensor"].get<std::string>()), Tensor::scalar(again)}};
  std::string saved = scope + "control_dependency:0";
  if (graph_->find_node(scope + "MergeV2Checkpoints") != nullptr) {
    // A sharded saver writes into a folder beside and merges.
    fed.emplace_back(graph_->output(scope + "StringJoin:0"), Tensor::scalar(again + "_temp/part"));
    saved = scope + "Identity:0";
  }
  restore(case_);
  session_->run(graph_->output(saved), fed);
  for (const auto& [suffix, same] :
       case_["restored_and_saved_again_gives_the_same_bytes"].items()) {
    FileSystem& fs = posix_file_system();
    if (same.get<bool>() && read_file(fs, again + suffix) != read_file(fs, checkpoint() + suffix)) {
      differ("restored and saved again: " + suffix + " has other bytes");
    }
  }
}

void ReplayCase::program_entry(const Json& run, std::size_t index) {
  if (run.contains("restore_op")) {
    restore(run);
    return;
  }
  const std::vector<Feed> fed = feeds(run.value("feeds", Json::object()));
  std::vector<Output> fetches;
  for (const auto& name : run.value("fetch", Json::array())) {
    fetches.push_back(graph_->output(name.get<std::string>()));
  }
  const auto targets = run.contains("targets") ? nodes(run["targets"]) : std::vector<Node*>{};
  std::vector<Tensor> got;
  if (run.contains("one_run_per_row")) {
    for (const auto& [name, file] : run["one_run_per_row"].items()) {
      const Tensor rows = recorded_array(file.get<std::string>());
      const auto dims = rows.shape().dims();
      const Shape row_shape(std::vector<std::int64_t>(dims.begin() + 1, dims.end()));
      const std::size_t bytes = rows.num_bytes() / static_cast<std::size_t>(rows.dim(0));
      for (std::int64_t r = 0; r < rows.dim(0); ++r) {
        Tensor row(rows.dtype(), row_shape);
        std::memcpy(row.raw(),
                    static_cast<const char*>(rows.raw()) + bytes * static_cast<std::size_t>(r),
                    bytes);
        auto all = fed;
        all.emplace_back(graph_->output(name), row);
        got = session_->run(all, fetches, targets);
      }
    }
  } else {
    const int times = run.value("times", 1);
    for (int i = 0; i < times; ++i) got = session_->run(fed, fetches, targets);
  }
  if (!run.contains("results")) return;
  for (std::size_t i = 0; i < got.size(); ++i) {
    compare(fmt::format("run {} {}", index, run["fetch"][i].get<std::string>()), got[i],
            run["results"][i], 1e-5);
  }
}

void ReplayCase::run_program() {
  std::size_t index = 0;
  for (const Json& run : case_["runs"]) {
    ++index;
    for (const char* kind : {"one_run_per_value", "results_are_slices"}) {
      if (run.contains(kind)) fail(Code::kUnimplemented, "a run with '{}'", kind);
    }
    if (!run.contains("error")) {
      program_entry(run, index);
      continue;
    }
    try {
      program_entry(run, index);
      differ(fmt::format("run {} should have failed", index));
    } catch (const Error&) {
      continue;
    }
  }
}

std::vector<std::string> ReplayCase::run() {
  load();
  differences_.clear();
  session_ = std::make_unique<Session>(SessionOptions{.graph = graph_.get(), .threads = 1});
  if (is_program()) {
    run_program();
  } else {
    run_training();
  }
  return differences_;
}

}  // namespace assay::testing
