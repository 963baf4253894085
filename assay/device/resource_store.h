#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "assay/tensor/tensor.h"

namespace assay {

/// A variable's storage. `value` is undefined until initialised. Guarded by the session: programs
/// that write variables run alone.
class VariableResource : public Resource {
 public:
  Tensor value;
};

/// What a session keeps between runs, by kind and name: variables, random generators, iterators.
/// Thread-safe.
class ResourceStore {
 public:
  /// The resource of this name and type, made with `make()` when there is none. Throws
  /// InvalidArgument when the name is taken by another type.
  template <typename T, typename Make>
  std::shared_ptr<T> get_or_create(const std::string& name, Make&& make) {
    std::lock_guard lock(mutex_);
    auto& slot = resources_[name];
    if (slot == nullptr) slot = make();
    auto typed = std::dynamic_pointer_cast<T>(slot);
    if (typed == nullptr) invalid_argument("resource '{}' is of another type", name);
    return typed;
  }
  /// Null when there is none of this name and type.
  template <typename T>
  std::shared_ptr<T> find(const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto it = resources_.find(name);
    return it == resources_.end() ? nullptr : std::dynamic_pointer_cast<T>(it->second);
  }
  void erase(const std::string& name) {
    std::lock_guard lock(mutex_);
    resources_.erase(name);
  }
  std::vector<std::string> names() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> all;
    for (const auto& [name, unused] : resources_) all.push_back(name);
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Resource>> resources_;
};

}  // namespace assay
