#pragma once

#include <map>
#include <memory>
#include <string>

#include "assay/base/philox.h"
#include "assay/device/kernel.h"

namespace assay {

/// The random stream of one node in one session, kept in the session's ResourceStore under
/// random_resource_name(), so that every program of the session goes on with it. Thread-safe.
class RandomResource : public Resource {
 public:
  RandomResource(std::int64_t seed, std::int64_t seed2) : philox_(seed, seed2) {}
  /// Also what a checkpoint saves and restores: state() and set_state().
  GuardedPhilox& philox() { return philox_; }

 private:
  GuardedPhilox philox_;
};

/// Where a session's ResourceStore keeps the stream of the node of this name.
inline std::string random_resource_name(const std::string& node) {
  return "_random/" + node;
}

/// The stream of the node that `init` is about, seeded by its attributes seed and seed2 on first
/// use; both 0 means from the system's entropy.
inline std::shared_ptr<RandomResource> random_state(const KernelInit& init) {
  ASSAY_CHECK(init.resources != nullptr);
  return init.resources->get_or_create<RandomResource>(random_resource_name(init.node.name()), [&] {
    return std::make_shared<RandomResource>(init.attr_or<std::int64_t>("seed", 0),
                                            init.attr_or<std::int64_t>("seed2", 0));
  });
}

/// Adds to `state` where the random streams of a session stand and what its samplers have learned:
/// PREFIX "random/" NODE and PREFIX "unigram/" NODE. REQUIRES: no run that draws is under way.
void save_random_state(const ResourceStore& resources, std::map<std::string, Tensor>& state,
                       const std::string& prefix);
/// Takes over what is under `prefix` in `state`, whether its nodes have run before or not; of a
/// state that asks_for_new_streams(), only what samplers have learned. Throws DataLoss for what is
/// no such state.
void restore_random_state(ResourceStore& resources, const std::map<std::string, Tensor>& state,
                          const std::string& prefix);

}  // namespace assay
