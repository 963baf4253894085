#pragma once

#include <cstdint>
#include <string_view>

namespace assay {

/// SipHash-2-4 of `text` under the key (k0, k1) (Aumasson, Bernstein: "SipHash: a fast short-input
/// PRF", 2012): 64 bits in which equal texts under other keys, and near texts under one key, have
/// nothing in common. The same on every machine.
std::uint64_t siphash(std::uint64_t k0, std::uint64_t k1, std::string_view text);

}  // namespace assay
