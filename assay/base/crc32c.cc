#include "assay/base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

namespace assay::crc32c {

namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78U;  // Castagnoli's, bits reversed

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

/// Table k says what a byte that stands k places before the last does to the CRC.
constexpr Tables make_tables() {
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

/// What a number of zero bytes does to a CRC: a linear map over its bits, given by what becomes of
/// each bit alone.
using Shift = std::array<std::uint32_t, 32>;

constexpr std::uint32_t apply(const Shift& shift, std::uint32_t crc) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; crc != 0; ++i, crc >>= 1) out ^= (crc & 1U) != 0 ? shift[i] : 0U;
  return out;
}

constexpr Shift twice(const Shift& shift) {
  Shift out{};
  for (std::size_t i = 0; i < 32; ++i) out[i] = apply(shift, shift[i]);
  return out;
}

/// Element k: 2^k zero bytes.
constexpr std::array<Shift, 64> make_shifts() {
  std::array<Shift, 64> shifts{};
  Shift bit{};
  bit[0] = kPolynomial;
  for (std::size_t i = 1; i < 32; ++i) bit[i] = std::uint32_t{1} << (i - 1);
  shifts[0] = twice(twice(twice(bit)));
  for (std::size_t k = 1; k < 64; ++k) shifts[k] = twice(shifts[k - 1]);
  return shifts;
}

constexpr std::array<Shift, 64> kShifts = make_shifts();

#if defined(__SSE4_2__)

/// A shift by 2^k bytes, byte by byte of the CRC.
struct FastShift {
  std::array<std::array<std::uint32_t, 256>, 4> table{};

  explicit constexpr FastShift(const Shift& shift) {
    for (std::size_t byte = 0; byte < 4; ++byte) {
      for (std::uint32_t i = 0; i < 256; ++i) table[byte][i] = apply(shift, i << (8 * byte));
    }
  }
  std::uint32_t operator()(std::uint32_t crc) const {
    return table[0][crc & 0xffU] ^ table[1][(crc >> 8) & 0xffU] ^ table[2][(crc >> 16) & 0xffU] ^
           table[3][crc >> 24];
  }
};

std::uint64_t load64(const unsigned char* p) {
  std::uint64_t word = 0;
  std::memcpy(&word, p, 8);
  return word;
}

/// The instruction takes three cycles but can begin anew in each, so three pieces of 2^kLog bytes
/// go side by side.
template <int kLog>
std::uint32_t three_at_once(std::uint32_t crc, const unsigned char*& p, std::size_t& size) {
  static constexpr FastShift kShift(kShifts[kLog]);
  constexpr std::size_t kPiece = std::size_t{1} << kLog;
  for (; size >= 3 * kPiece; p += 3 * kPiece, size -= 3 * kPiece) {
    std::uint64_t a = crc;
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    for (std::size_t i = 0; i < kPiece; i += 8) {
      a = _mm_crc32_u64(a, load64(p + i));
      b = _mm_crc32_u64(b, load64(p + kPiece + i));
      c = _mm_crc32_u64(c, load64(p + 2 * kPiece + i));
    }
    crc = kShift(kShift(static_cast<std::uint32_t>(a)) ^ static_cast<std::uint32_t>(b)) ^
          static_cast<std::uint32_t>(c);
  }
  return crc;
}

#endif

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

std::uint32_t combine(std::uint32_t first, std::uint32_t second, std::uint64_t second_size) {
  for (std::size_t k = 0; second_size != 0; ++k, second_size >>= 1) {
    if ((second_size & 1U) != 0) first = apply(kShifts[k], first);
  }
  return first ^ second;
}

#if defined(__SSE4_2__)

std::uint32_t extend(std::uint32_t crc, const void* data, std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  crc = three_at_once<12>(~crc, p, size);
  crc = three_at_once<8>(crc, p, size);
  std::uint64_t state = crc;
  for (; size >= 8; p += 8, size -= 8) state = _mm_crc32_u64(state, load64(p));
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
