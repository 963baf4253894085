#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "assay/graph/graph.h"
#include "assay/runtime/session.h"

namespace assay::testing {

/// One recorded case: a training graph of another program and what TensorFlow computed with it.
class ReplayCase {
 public:
  /// `folder` holds case.json and its arrays; `root` is where the paths inside start.
  ReplayCase(std::filesystem::path folder, std::filesystem::path root);

  const std::string& name() const { return name_; }
  bool is_program() const { return case_.contains("kind"); }
  /// Op types that the case's runs need and that cannot be run, sorted; loading fails throw.
  std::set<std::string> unsupported_ops();
  /// Does all that the case says and compares; each difference is one line. Empty: as recorded.
  std::vector<std::string> run();

 private:
  using Json = nlohmann::json;

  void load();
  std::vector<Node*> nodes(const Json& names) const;
  std::vector<Feed> feeds(const Json& feeds) const;
  Tensor feed_value(const Json& value, DType dtype) const;
  Tensor recorded_array(const std::string& file) const;
  std::string checkpoint() const;
  void restore(const Json& run);
  void run_training();
  /// Restored once more, the graph's own save op writes the author's files byte for byte.
  void compare_saved_again();
  void run_program();
  void program_entry(const Json& run, std::size_t index);
  void compare_variables(const Json& recorded, const std::string& when);
  /// Relative to the largest magnitude.
  void compare(const std::string& what, const Tensor& got, const Json& expected, double tolerance);
  void compare_strings(const std::string& what, const Tensor& got, const Json& hex);
  void differ(std::string line) { differences_.push_back(std::move(line)); }
  void need(Node* node, const std::set<std::string>& fed, std::set<const Node*>& seen) const;

  std::filesystem::path folder_;
  std::filesystem::path root_;
  std::string name_;
  Json case_;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Session> session_;
  std::vector<std::string> differences_;
};

}  // namespace assay::testing
