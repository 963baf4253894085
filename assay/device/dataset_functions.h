#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "assay/device/dataset.h"
#include "assay/device/resource_store.h"
#include "assay/graph/graph.h"

namespace assay {

/// Starts one pass over elements that C++ code makes. The iterator it returns may implement save
/// and restore; called from any thread, one call at a time.
using IteratorFactory = std::function<std::unique_ptr<DatasetIterator>()>;

/// Turns the components of one element into those of another. Called from any thread, one call at
/// a time.
using ElementFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

/// An ElementFunction with what it keeps between elements: the random numbers of a map. `save` and
/// `restore` may be empty; they work as Dataset::save_counters() and restore_counters() do.
struct ElementTransform {
  ElementFunction apply;
  std::function<void(IteratorState&, const std::string& prefix)> save = {};
  std::function<void(const IteratorState&, const std::string& prefix)> restore = {};
};

/// Makes the ElementTransform of one dataset object, that of the node of this name in the session
/// of these resources.
using ElementFunctionFactory =
    std::function<ElementTransform(ResourceStore& resources, const std::string& node)>;

/// Keeps `function` with the graph under a key of its own, for a node's attribute "function".
/// Code cannot be saved: a graph that is read back from a file lacks it.
template <typename Function>
std::string attach_function(Graph& graph, Function function) {
  auto& count = graph.attachment("data/functions");
  const int number = count.has_value() ? std::any_cast<int>(count) : 0;
  count = number + 1;
  const std::string key = "data/function/" + std::to_string(number);
  graph.attachment(key) = std::move(function);
  return key;
}

/// The function that attach_function() kept under `key`; throws FailedPrecondition when there is
/// none of this kind.
template <typename Function>
const Function& attached_function(Graph& graph, const std::string& key) {
  const auto* function = std::any_cast<Function>(&graph.attachment(key));
  if (function == nullptr) {
    fail(Code::kFailedPrecondition,
         "the C++ function of this dataset is not there: it cannot be saved with the graph");
  }
  return *function;
}

}  // namespace assay
