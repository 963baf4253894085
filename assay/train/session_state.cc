#include "assay/train/session_state.h"

#include <set>

#include "assay/api/variable.h"
#include "assay/device/dataset.h"
#include "assay/device/random_state.h"

namespace assay::train {

namespace {

constexpr const char* kIterator = "iterator/";
constexpr const char* kLocal = "local/";
constexpr const char* kEntropy = "entropy";
constexpr const char* kOneShot = "AssayOneShotIterator";
// Between an iterator's name and the name that one of its stages gave.
constexpr char kSeparator = '|';

/// The iterators of a session by their names in its graph.
std::map<std::string, std::shared_ptr<IteratorResource>> iterators_of(
    const ResourceStore& resources) {
  std::map<std::string, std::shared_ptr<IteratorResource>> all;
  for (const std::string& name : resources.names()) {
    if (auto iterator = resources.find<IteratorResource>(name)) {
      all.emplace(iterator->name(), std::move(iterator));
    }
  }
  return all;
}

/// The iterator that a node makes; "" when it makes none.
std::string iterator_made_by(const Node& node) {
  if (node.op() != "Iterator" && node.op() != "IteratorV2" && node.op() != kOneShot) return "";
  const auto shared = node.attr_or<std::string>("shared_name", "");
  return shared.empty() ? node.name() : shared;
}

/// The part of `state` under `prefix`, without it.
std::map<std::string, Tensor> part_of(const std::map<std::string, Tensor>& state,
                                      const std::string& prefix) {
  std::map<std::string, Tensor> part;
  for (auto at = state.lower_bound(prefix); at != state.end() && at->first.starts_with(prefix);
       ++at) {
    part.emplace(at->first.substr(prefix.size()), at->second);
  }
  return part;
}

/// Makes the saved iterators that start by themselves, which happens when their nodes are first
/// run. Throws FailedPrecondition for a saved iterator that no node makes.
void make_saved_iterators(Session& session, const std::map<std::string, Tensor>& state) {
  std::set<std::string> saved;
  for (const auto& [key, unused] : part_of(state, kIterator)) {
    saved.insert(key.substr(0, key.find(kSeparator)));
  }
  std::set<std::string> made;
  std::vector<Node*> one_shot;
  for (const auto& node : session.graph().nodes()) {
    const std::string name = iterator_made_by(*node);
    made.insert(name);
    if (node->op() == kOneShot && saved.contains(name)) one_shot.push_back(node.get());
  }
  for (const std::string& name : saved) {
    if (made.contains(name)) continue;
    fail(Code::kFailedPrecondition,
         "the checkpoint says where the iterator '{}' was, but the graph makes none of that name. "
         "Make the same iterators to go on where they were, or begin a new run",
         name);
  }
  if (!one_shot.empty()) session.run({}, {}, one_shot);
}

/// Where the session keeps a variable.
std::string resource_name_of(const Variable& variable) {
  const auto shared = variable.node()->attr_or<std::string>("shared_name", "");
  return shared.empty() ? variable.op_name() : shared;
}

std::vector<Variable> local_variables_of(Session& session) {
  return variables_in(session.graph(), graph_keys::kLocalVariables);
}

}  // namespace

std::map<std::string, Tensor> save_session_state(Session& session) {
  const ResourceStore& resources = session.resources();
  std::map<std::string, Tensor> state;
  save_random_state(resources, state, "");
  for (const auto& [name, iterator] : iterators_of(resources)) {
    for (const auto& [key, value] : iterator->save()) {
      state[kIterator + name + kSeparator + key] = value;
    }
  }
  for (const Variable& v : local_variables_of(session)) {
    const auto variable = resources.find<VariableResource>(resource_name_of(v));
    if (variable != nullptr && variable->value.defined()) {
      state[kLocal + v.op_name()] = variable->value.copy();
    }
  }
  return state;
}

void reset_random_streams(std::map<std::string, Tensor>& state) {
  std::set<std::string> iterators;
  for (const auto& [key, unused] : part_of(state, kIterator)) {
    iterators.insert(key.substr(0, key.find(kSeparator)));
  }
  ask_for_new_streams(state);
  for (const std::string& name : iterators) {
    IteratorState mark;
    ask_for_new_streams(mark);
    for (const auto& [key, value] : mark) state[kIterator + name + kSeparator + key] = value;
  }
}

void restore_entropy(Session& session, const std::map<std::string, Tensor>& state) {
  const auto saved = state.find(kEntropy);
  if (saved != state.end()) restore_random_state(session.resources(), {*saved}, "");
}

void restore_session_state(Session& session, const std::map<std::string, Tensor>& state) {
  ResourceStore& resources = session.resources();
  restore_random_state(resources, state, "");
  for (const Variable& v : local_variables_of(session)) {
    const auto saved = state.find(kLocal + v.op_name());
    if (saved == state.end()) continue;
    const Tensor& value = saved->second;
    if (value.dtype() != v.dtype() || !v.shape().is_compatible_with(value.shape())) {
      fail(Code::kFailedPrecondition,
           "the local variable '{}' is {}{} in the checkpoint, but {}{} in the graph: the code has "
           "changed since. Make it as it was, or begin a new run",
           v.op_name(), dtype_name(value.dtype()), value.shape().str(), dtype_name(v.dtype()),
           v.shape().str());
    }
    resources
        .get_or_create<VariableResource>(resource_name_of(v),
                                         [] { return std::make_shared<VariableResource>(); })
        ->value = value.copy();
  }
}

std::vector<std::string> restore_iterators(Session& session,
                                           const std::map<std::string, Tensor>& state) {
  make_saved_iterators(session, state);
  std::vector<std::string> unknown;
  for (const auto& [name, iterator] : iterators_of(session.resources())) {
    // One that is not initialised has no place to go on from: initialising it begins its data anew,
    // as it would have where the state was saved.
    if (!iterator->initialized()) continue;
    const IteratorState own = part_of(state, kIterator + name + kSeparator);
    if (own.empty() || !iterator->restore(own)) unknown.push_back(name);
  }
  return unknown;
}

}  // namespace assay::train
