#include "assay/base/siphash.h"

#include <array>
#include <bit>
#include <cstddef>

namespace assay {
namespace {

class SipState {
 public:
  SipState(std::uint64_t k0, std::uint64_t k1)
      : v_{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
           k1 ^ 0x7465646279746573} {}

  void take(std::uint64_t word) {
    v_[3] ^= word;
    rounds(2);
    v_[0] ^= word;
  }
  std::uint64_t finish() {
    v_[2] ^= 0xff;
    rounds(4);
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  void rounds(int n) {
    auto& [a, b, c, d] = v_;
    for (int i = 0; i < n; ++i) {
      a += b;
      b = std::rotl(b, 13) ^ a;
      a = std::rotl(a, 32);
      c += d;
      d = std::rotl(d, 16) ^ c;
      a += d;
      d = std::rotl(d, 21) ^ a;
      c += b;
      b = std::rotl(b, 17) ^ c;
      c = std::rotl(c, 32);
    }
  }

  std::array<std::uint64_t, 4> v_;
};

/// Up to eight bytes as a number, the first one lowest, on any machine.
std::uint64_t word_of(std::string_view bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return word;
}

}  // namespace

std::uint64_t siphash(std::uint64_t k0, std::uint64_t k1, std::string_view text) {
  SipState state(k0, k1);
  const std::uint64_t length = text.size();
  for (; text.size() >= 8; text.remove_prefix(8)) state.take(word_of(text.substr(0, 8)));
  state.take(word_of(text) | (length << 56));
  return state.finish();
}

}  // namespace assay
