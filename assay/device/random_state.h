#pragma once

#include <map>
#include <memory>
#include <string>

#include "assay/base/philox.h"
#include "assay/device/entropy.h"
#include "assay/device/kernel.h"

namespace assay {

/// The random stream of one node in one session, kept in the session's ResourceStore under
/// random_resource_name(), so that every program of the session goes on with it. Thread-safe.
class RandomResource : public Resource {
 public:
  /// `unseeded`: the stream follows from the session's entropy alone.
  explicit RandomResource(const Philox& start, bool unseeded = false)
      : philox_(start), unseeded_(unseeded) {}
  /// Also what a checkpoint saves and restores: state() and set_state().
  GuardedPhilox& philox() { return philox_; }
  bool unseeded() const { return unseeded_; }

 private:
  GuardedPhilox philox_;
  bool unseeded_;
};

/// Where a session's ResourceStore keeps the stream of the node of this name.
inline std::string random_resource_name(const std::string& node) {
  return "_random/" + node;
}

/// The stream of the node that `init` is about, which begins as its attributes seed and seed2 say;
/// with both 0, as the session's entropy and the node's name say.
std::shared_ptr<RandomResource> random_state(const KernelInit& init);
/// The stream of an op that is given no seed.
std::shared_ptr<RandomResource> unseeded_random_state(ResourceStore& resources,
                                                      const std::string& node);

/// Adds to `state` where the random streams of a session stand, what its samplers have learned and
/// its entropy, where that was used: PREFIX "random/" NODE, PREFIX "unigram/" NODE and PREFIX
/// "entropy". REQUIRES: no run that draws is under way.
void save_random_state(const ResourceStore& resources, std::map<std::string, Tensor>& state,
                       const std::string& prefix);
/// Takes over what is under `prefix` in `state`, whether its nodes have run before or not. What
/// `state` does not have begins anew: seeded streams where their seeds say, others as its entropy
/// says, or the session's own when it has none; samplers have learned nothing. Of a state that
/// asks_for_new_streams(), only what samplers have learned is taken. Throws DataLoss for what is no
/// such state.
void restore_random_state(ResourceStore& resources, const std::map<std::string, Tensor>& state,
                          const std::string& prefix);

}  // namespace assay
