#include "assay/train/model.h"

#include <fmt/ranges.h>

#include <map>

#include "assay/api/variable.h"
#include "assay/graph/scope.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/saver.h"
#include "assay/train/train_loop.h"
#include "assay/train/training_util.h"

namespace assay {

namespace {

/// The nodes that start the iterators of `graph` over. Throws FailedPrecondition when there is a
/// choice between several for one iterator.
std::vector<Node*> find_data_initializers(const Graph& graph) {
  std::map<Output, Node*> by_iterator;
  std::vector<Node*> nodes;
  for (const auto& node : graph.nodes()) {
    if (node->op() != "MakeIterator") continue;
    const auto [there, added] = by_iterator.emplace(node->input(1), node.get());
    if (!added) {
      fail(Code::kFailedPrecondition,
           "iterator '{}' can be initialised by '{}' and by '{}'; override "
           "Model::initialize_data() to choose",
           node->input(1).node->name(), there->second->name(), node->name());
    }
    nodes.push_back(node.get());
  }
  return nodes;
}

}  // namespace

Model::Model() : graph_(std::make_unique<Graph>()) {}

Model::~Model() = default;

void Model::build() {
  if (built_) return;
  GraphScope scope(*graph_);
  import_data();
  create_embedding();
  create_loss();
  if (!loss_) fail(Code::kFailedPrecondition, "create_loss() has not set loss_");
  if (!loss_.shape().is_compatible_with(PartialShape::scalar())) {
    invalid_argument("the loss '{}' has shape {}, it must be a scalar", loss_.name(),
                     loss_.shape().str());
  }
  create_optimizer();
  if (train_op_ == nullptr) {
    fail(Code::kFailedPrecondition, "create_optimizer() has not set train_op_");
  }
  global_step();
  create_summaries();
  init_ = global_variables_initializer();
  local_init_ = local_variables_initializer();
  // The place is given, or its nodes would name a line of make_unique's.
  saver_ = std::make_unique<train::Saver>(train::SaverOptions{.save_relative_paths = true},
                                          std::source_location::current());
  built_ = true;
}

Variable Model::global_step() {
  if (!global_step_) global_step_ = train::get_or_create_global_step(graph_.get());
  return *global_step_;
}

Session& Model::session() {
  if (!built_) fail(Code::kFailedPrecondition, "build() the model before asking for its session");
  if (!session_) session_ = std::make_unique<Session>(SessionOptions{.graph = graph_.get()});
  return *session_;
}

train::Saver& Model::saver() {
  if (!built_) fail(Code::kFailedPrecondition, "build() the model before asking for its saver");
  return *saver_;
}

void Model::initialize_data(Session& session) {
  const auto initializers = find_data_initializers(*graph_);
  if (!initializers.empty()) session.run({}, {}, initializers);
}

void Model::skip_feeds(std::int64_t steps) {
  for (std::int64_t i = 0; i < steps; ++i) {
    if (next_feeds().empty()) return;
  }
}

std::string Model::restore(const std::string& run_dir, std::vector<std::string>* skipped) {
  build();
  const std::string dir = train::checkpoint_dir(run_dir);
  const auto candidates = train::find_checkpoints(dir);
  if (candidates.empty()) fail(Code::kNotFound, "there is no checkpoint under '{}'", dir);
  std::vector<std::string> damaged;
  Code first_code = Code::kDataLoss;
  for (const std::string& prefix : candidates) {
    try {
      session().run({}, {}, {local_init_});
      saver_->restore(session(), prefix);
      if (skipped != nullptr) *skipped = damaged;
      return prefix;
    } catch (const Error& e) {
      // A checkpoint of another model stays one however old: only damage is worth going back for.
      if (e.code() != Code::kDataLoss && e.code() != Code::kNotFound) throw;
      if (damaged.empty()) first_code = e.code();
      damaged.push_back(e.message());
    }
  }
  fail(first_code,
       "none of the {} checkpoints under '{}' can be restored ({}); move the folder away to begin "
       "anew",
       candidates.size(), dir, fmt::join(damaged, "; "));
}

TrainResult Model::train(const TrainOptions& options) {
  build();
  return TrainLoop(*this, options).run();
}

}  // namespace assay
