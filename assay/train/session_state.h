#pragma once

#include <map>
#include <string>

#include "assay/device/resource_store.h"
#include "assay/tensor/tensor.h"

namespace assay::train {

/// What a session keeps beside its variables and a run needs to go on as if never interrupted:
/// where its random streams and its iterators stand, as tensors by name. An iterator that cannot
/// say (its elements come from a generator) is left out.
std::map<std::string, Tensor> save_session_state(const ResourceStore& resources);

/// Puts random streams where `state` says, whether their nodes have run before or not.
void restore_random_streams(ResourceStore& resources, const std::map<std::string, Tensor>& state);

/// Puts the initialised iterators where `state` says; false when it says nothing of one of them.
/// Throws DataLoss when the state does not fit the iterator.
bool restore_iterators(ResourceStore& resources, const std::map<std::string, Tensor>& state);

}  // namespace assay::train
