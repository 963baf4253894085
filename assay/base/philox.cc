#include "assay/base/philox.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace assay {
namespace {

template <typename Word, typename Next>
Word exact_uniform(Word n, Next&& next) {
  if ((n & (n - 1)) == 0) return next() & (n - 1);
  // Refuse the lowest words, so that n divides the number of those left.
  const Word refused = std::numeric_limits<Word>::max() % n + 1;
  Word x;
  do {
    x = next();
  } while (x < refused);
  return x % n;
}

}  // namespace

std::array<double, 2> box_muller(std::uint32_t x0, std::uint32_t x1, std::uint32_t x2,
                                 std::uint32_t x3) {
  const double u1 = std::max(philox_double(x0, x1), 1.0e-7);
  const double angle = 2.0 * std::numbers::pi * philox_double(x2, x3);
  const double radius = std::sqrt(-2.0 * std::log(u1));
  return {std::sin(angle) * radius, std::cos(angle) * radius};
}

std::uint32_t PhiloxStream::uniform(std::uint32_t n) {
  return exact_uniform<std::uint32_t>(n, [this] { return next32(); });
}

std::uint64_t PhiloxStream::uniform64(std::uint64_t n) {
  return exact_uniform<std::uint64_t>(n, [this] { return next64(); });
}

Philox GuardedPhilox::reserve_blocks(std::int64_t blocks) {
  std::lock_guard lock(mutex_);
  Philox reserved = generator_;
  generator_.skip(static_cast<std::uint64_t>(blocks));
  return reserved;
}

Philox GuardedPhilox::state() const {
  std::lock_guard lock(mutex_);
  return generator_;
}

void GuardedPhilox::set_state(const Philox& state) {
  std::lock_guard lock(mutex_);
  generator_ = state;
}

}  // namespace assay
