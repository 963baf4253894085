#include "assay/train/session_state.h"

#include "assay/api/variable.h"
#include "assay/device/dataset.h"
#include "assay/device/random_state.h"

namespace assay::train {

namespace {

constexpr const char* kIterator = "iterator/";
constexpr const char* kLocal = "local/";
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
    try {
      for (const auto& [key, value] : iterator->save()) {
        state[kIterator + name + kSeparator + key] = value;
      }
    } catch (const Error& e) {
      if (e.code() != Code::kUnimplemented) throw;
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

void restore_session_state(Session& session, const std::map<std::string, Tensor>& state) {
  ResourceStore& resources = session.resources();
  restore_random_state(resources, state, "");
  for (const Variable& v : local_variables_of(session)) {
    const auto saved = state.find(kLocal + v.op_name());
    if (saved == state.end()) continue;
    const Tensor& value = saved->second;
    if (value.dtype() != v.dtype() || !v.shape().is_compatible_with(value.shape())) {
      fail(Code::kDataLoss, "the saved local variable '{}' is {}{}, expected {}{}", v.op_name(),
           dtype_name(value.dtype()), value.shape().str(), dtype_name(v.dtype()), v.shape().str());
    }
    resources
        .get_or_create<VariableResource>(resource_name_of(v),
                                         [] { return std::make_shared<VariableResource>(); })
        ->value = value.copy();
  }
}

std::vector<std::string> restore_iterators(Session& session,
                                           const std::map<std::string, Tensor>& state) {
  std::vector<std::string> unknown;
  for (const auto& [name, iterator] : iterators_of(session.resources())) {
    if (!iterator->initialized()) continue;
    const std::string prefix = kIterator + name + kSeparator;
    IteratorState own;
    for (auto at = state.lower_bound(prefix); at != state.end() && at->first.starts_with(prefix);
         ++at) {
      own.emplace(at->first.substr(prefix.size()), at->second);
    }
    if (own.empty()) {
      unknown.push_back(name);
    } else {
      iterator->restore(own);
    }
  }
  return unknown;
}

}  // namespace assay::train
