#include "assay/device/entropy.h"

#include <charconv>
#include <random>

#include "assay/base/log.h"
#include "assay/base/siphash.h"

namespace assay {
namespace {

// Second halves of the keys, so that each use of the bits has hashes of its own.
constexpr std::uint64_t kForKey = 1;
constexpr std::uint64_t kForCounter = 2;
constexpr std::uint64_t kForInnerSession = 3;

}  // namespace

std::uint64_t Entropy::bits() {
  const std::lock_guard lock(mutex_);
  used_ = true;
  if (bits_) return *bits_;
  if (outer_ != nullptr) return siphash(outer_->bits(), kForInnerSession, name_);
  bits_ = draw_entropy();
  log_info("random ops without a seed draw from the entropy {}", entropy_str(*bits_));
  return *bits_;
}

std::optional<std::uint64_t> Entropy::used() const {
  const std::lock_guard lock(mutex_);
  return used_ ? bits_ : std::nullopt;
}

void Entropy::set(std::uint64_t bits) {
  const std::lock_guard lock(mutex_);
  bits_ = bits;
}

Philox Entropy::stream(const std::string& node) {
  const std::uint64_t all = bits();
  return {siphash(all, kForKey, node), siphash(all, kForCounter, node)};
}

std::shared_ptr<Entropy> session_entropy(ResourceStore& resources) {
  return resources.get_or_create<Entropy>(entropy_resource_name(),
                                          [] { return std::make_shared<Entropy>(); });
}

void share_entropy(ResourceStore& inner, const std::shared_ptr<Entropy>& outer,
                   const std::string& name) {
  inner.get_or_create<Entropy>(entropy_resource_name(),
                               [&] { return std::make_shared<Entropy>(outer, name); });
}

std::uint64_t draw_entropy() {
  std::random_device device;
  const std::uint64_t high = device();
  return (high << 32) | device();
}

std::string entropy_str(std::uint64_t bits) {
  return fmt::format("{:#018x}", bits);
}

std::optional<std::uint64_t> parse_entropy(const std::string& text) {
  constexpr std::size_t kDigits = 16;
  if (text.size() < 3 || text.size() > 2 + kDigits || !text.starts_with("0x")) return std::nullopt;
  std::uint64_t bits = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 2, end, bits, 16);
  if (error != std::errc() || stop != end) return std::nullopt;
  return bits;
}

}  // namespace assay
