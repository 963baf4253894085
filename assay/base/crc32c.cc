#include "assay/base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

namespace assay::crc32c {

namespace {

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

/// Table k says what a byte that stands k places before the last does to the CRC.
constexpr Tables make_tables() {
  constexpr std::uint32_t kPolynomial = 0x82f63b78U;  // Castagnoli's, bits reversed
  Tables t{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? kPolynomial : 0U);
    t[0][i] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t i = 0; i < 256; ++i) {
      t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xffU];
    }
  }
  return t;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint32_t extend_portable(std::uint32_t crc, const void* data, std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (; size >= 8; p += 8, size -= 8) {
    const std::uint32_t low =
        crc ^ (static_cast<std::uint32_t>(p[0]) | (static_cast<std::uint32_t>(p[1]) << 8) |
               (static_cast<std::uint32_t>(p[2]) << 16) | (static_cast<std::uint32_t>(p[3]) << 24));
    crc = kTables[7][low & 0xffU] ^ kTables[6][(low >> 8) & 0xffU] ^
          kTables[5][(low >> 16) & 0xffU] ^ kTables[4][low >> 24] ^ kTables[3][p[4]] ^
          kTables[2][p[5]] ^ kTables[1][p[6]] ^ kTables[0][p[7]];
  }
  for (; size > 0; ++p, --size) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 0xffU];
  return ~crc;
}

#if defined(__SSE4_2__)

std::uint32_t extend(std::uint32_t crc, const void* data, std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  std::uint64_t state = ~crc;
  for (; size >= 8; p += 8, size -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    state = _mm_crc32_u64(state, word);
  }
  auto low = static_cast<std::uint32_t>(state);
  for (; size > 0; ++p, --size) low = _mm_crc32_u8(low, *p);
  return ~low;
}

#else

std::uint32_t extend(std::uint32_t crc, const void* data, std::size_t size) {
  return extend_portable(crc, data, size);
}

#endif

}  // namespace assay::crc32c
