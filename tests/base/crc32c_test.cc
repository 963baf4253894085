#include "assay/base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace assay::crc32c {
namespace {

TEST(Crc32c, KnownValues) {
  // RFC 3720, appendix B.4.
  EXPECT_EQ(value(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(value(std::string(32, '\xff')), 0x62a8ab43U);
  std::string up;
  for (char i = 0; i < 32; ++i) up += i;
  EXPECT_EQ(value(up), 0x46dd794eU);
  EXPECT_EQ(value(std::string(up.rbegin(), up.rend())), 0x113fdb5cU);
  EXPECT_EQ(value("123456789"), 0xe3069283U);
  EXPECT_EQ(value(""), 0U);
}

TEST(Crc32c, PiecesAndPortableAgree) {
  std::string bytes;
  std::uint32_t state = 1;
  for (int i = 0; i < 300; ++i) {
    state = state * 1664525 + 1013904223;
    bytes += static_cast<char>(state >> 24);
  }
  for (std::size_t n = 0; n <= bytes.size(); ++n) {
    const std::uint32_t whole = extend(0, bytes.data(), n);
    ASSERT_EQ(extend_portable(0, bytes.data(), n), whole) << n;
    const std::size_t cut = n / 3;
    ASSERT_EQ(extend(extend(0, bytes.data(), cut), bytes.data() + cut, n - cut), whole) << n;
  }
}

TEST(Crc32c, LongPiecesAndSumsAgree) {
  std::string bytes(60000, '\0');
  std::uint32_t state = 1;
  for (char& c : bytes) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  // Around where the work is cut differently.
  for (const std::size_t n : {767, 768, 769, 1536, 12287, 12288, 12289, 13056, 25000, 59997}) {
    for (const std::size_t begin : {0, 1, 3}) {
      const char* p = bytes.data() + begin;
      const std::uint32_t crc = extend(123, p, n);
      ASSERT_EQ(crc, extend_portable(123, p, n)) << n << " " << begin;
      const std::uint32_t before = extend(0, bytes.data(), begin);
      EXPECT_EQ(combine(before, extend(0, p, n), n), extend(0, bytes.data(), begin + n));
      EXPECT_EQ(combine(crc, 0, 0), crc);
    }
  }
}

TEST(Crc32c, MaskGoesBothWays) {
  for (const std::uint32_t crc : {0U, 1U, 0xe3069283U, 0xffffffffU}) {
    EXPECT_NE(mask(crc), crc);
    EXPECT_EQ(unmask(mask(crc)), crc);
  }
}

}  // namespace
}  // namespace assay::crc32c
