#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace assay::crc32c {

/// The CRC-32C (Castagnoli) of A and B together, given that of A.
std::uint32_t extend(std::uint32_t crc, const void* data, std::size_t size);

/// The same without special instructions; here so that tests can compare the two.
std::uint32_t extend_portable(std::uint32_t crc, const void* data, std::size_t size);

/// The CRC-32C of A and B together, given that of each alone and how long B is.
std::uint32_t combine(std::uint32_t first, std::uint32_t second, std::uint64_t second_size);

/// The CRC-32C of `bytes`.
inline std::uint32_t value(std::string_view bytes) {
  return extend(0, bytes.data(), bytes.size());
}

/// As TFRecords and bundles store it: a CRC over bytes that hold CRCs would be weak.
constexpr std::uint32_t mask(std::uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

/// The inverse of mask().
constexpr std::uint32_t unmask(std::uint32_t masked) {
  const std::uint32_t rotated = masked - 0xa282ead8U;
  return (rotated >> 17) | (rotated << 15);
}

}  // namespace assay::crc32c
