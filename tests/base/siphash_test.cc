#include "assay/base/siphash.h"

#include <gtest/gtest.h>

#include <string>

namespace assay {
namespace {

// The reference vectors of the paper's authors: key 00 01 ... 0f, texts 00 01 ... of each length.
TEST(SipHash, ReferenceVectors) {
  constexpr std::uint64_t kExpected[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
                                         0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
                                         0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462,
                                         0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
                                         0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee,
                                         0xa129ca6149be45e5, 0x3f2acc7f57c29bdb};
  std::string text;
  for (const std::uint64_t expected : kExpected) {
    EXPECT_EQ(siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, text), expected)
        << text.size() << " bytes";
    text += static_cast<char>(text.size());
  }
}

TEST(SipHash, ReferenceVectorOf63Bytes) {
  std::string text;
  for (int i = 0; i < 63; ++i) text += static_cast<char>(i);
  EXPECT_EQ(siphash(0x0706050403020100, 0x0f0e0d0c0b0a0908, text), 0x958a324ceb064572U);
}

}  // namespace
}  // namespace assay
