#pragma once

#include <map>
#include <string>
#include <vector>

#include "assay/runtime/session.h"
#include "assay/tensor/tensor.h"

namespace assay::train {

/// What a session keeps beside the variables that a Saver saves, and a run needs to go on as if
/// never interrupted, as tensors by name (docs/formats/checkpoint.md has the names): where its
/// random streams and its iterators stand, what its samplers have learned, its local variables. Of
/// an iterator whose class cannot save itself it is how its pass began. REQUIRES: no run is under
/// way.
std::map<std::string, Tensor> save_session_state(Session& session);

/// Asks for new random streams: the two functions below then leave those of the session, of its
/// shuffles and of its maps as its seeds make them. What was learned, the places in the data and
/// what shuffles hold in their buffers are taken over all the same.
void reset_random_streams(std::map<std::string, Tensor>& state);

/// Lets the session draw from the entropy that `state` has, if any: to be called before anything in
/// it draws, so that it need not draw one of its own first.
void restore_entropy(Session& session, const std::map<std::string, Tensor>& state);

/// Puts random streams, samplers and local variables where `state` says, whether their nodes have
/// run before or not. Throws DataLoss for what is no such state, FailedPrecondition for a local
/// variable that has another dtype or shape now.
void restore_session_state(Session& session, const std::map<std::string, Tensor>& state);

/// Puts the initialised iterators, and those that start by themselves, where `state` says; those
/// that are initialised later begin their data anew then, as ever. Returns the names of those
/// whose pass begins again, since `state` does not say where they stood. Throws FailedPrecondition
/// when the data is not what it was or the graph makes no such iterator, DataLoss when the state is
/// of another pipeline: initialise the iterators anew then.
std::vector<std::string> restore_iterators(Session& session,
                                           const std::map<std::string, Tensor>& state);

}  // namespace assay::train
