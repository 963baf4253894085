#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "assay/base/philox.h"
#include "assay/device/resource_store.h"

namespace assay {

/// The 64 bits from which the random ops of a session that are given no seed get their streams:
/// set, or drawn from the system when first asked for, which the log is told of. They are all that
/// an unseeded session depends on: with the same bits it draws the same numbers again. Thread-safe.
class Entropy : public Resource {
 public:
  Entropy() = default;
  explicit Entropy(std::uint64_t bits) : bits_(bits) {}
  /// That of a session inside another's node `name`: it follows from the outer one's.
  Entropy(std::shared_ptr<Entropy> outer, std::string name)
      : outer_(std::move(outer)), name_(std::move(name)) {}

  std::uint64_t bits();  ///< drawn now when there are none; from then on they count as used
  /// The bits when somebody has asked for them: what a checkpoint keeps, so that those of equal
  /// runs with seeds are equal. Nothing for those that follow from another session's.
  std::optional<std::uint64_t> used() const;
  /// From now on. Streams handed out before stay what they are.
  void set(std::uint64_t bits);
  /// The stream of the node of this name, at its start: key and upper half of the counter are
  /// siphash(bits, 1, name) and siphash(bits, 2, name), so that neither the order nor the thread
  /// in which nodes first run plays a part.
  Philox stream(const std::string& node);

 private:
  mutable std::mutex mutex_;
  std::optional<std::uint64_t> bits_;
  bool used_ = false;
  std::shared_ptr<Entropy> outer_;
  std::string name_;
};

/// Where a session's ResourceStore keeps it.
inline std::string entropy_resource_name() {
  return "_entropy";
}

/// The session's own, kept in its ResourceStore.
std::shared_ptr<Entropy> session_entropy(ResourceStore& resources);
/// Lets the session of `inner` have what follows from that of `outer` for its node `name`. To be
/// called before anything runs in it.
void share_entropy(ResourceStore& inner, const std::shared_ptr<Entropy>& outer,
                   const std::string& name);

/// 64 bits from the system.
std::uint64_t draw_entropy();
/// "0x00c0ffee00c0ffee": how the log and files write it.
std::string entropy_str(std::uint64_t bits);
/// Reads it; nothing when `text` is none.
std::optional<std::uint64_t> parse_entropy(const std::string& text);

}  // namespace assay
