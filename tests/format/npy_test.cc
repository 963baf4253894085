#include "assay/format/npy.h"

#include <gtest/gtest.h>

#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::format {
namespace {

using testing::code_of;

std::string npy(const std::string& header, const std::string& values, int version = 1) {
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  out += static_cast<char>(header.size() & 0xff);
  out += static_cast<char>(header.size() >> 8);
  if (version > 1) out.append(2, '\0');
  return out + header + values;
}

TEST(Npy, WritesAsNumPyDoes) {
  // numpy.save of numpy.array([[1, 2, 3], [4, 5, 6]], 'float32').
  const std::string bytes = npy_to_bytes(Tensor::of<float>({1, 2, 3, 4, 5, 6}, {2, 3}));
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\1\0\x76\0", 10));
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  EXPECT_EQ(bytes.substr(10, 118), header + std::string(117 - header.size(), ' ') + "\n");
  EXPECT_EQ(bytes.size(), 128U + 24U);
  EXPECT_NE(npy_to_bytes(Tensor::of<bool>({true})).find("'|b1'"), std::string::npos);
  EXPECT_NE(npy_to_bytes(Tensor::of<bool>({true})).find("'shape': (1,), }"), std::string::npos);
  EXPECT_NE(npy_to_bytes(Tensor::scalar(1.0)).find("'shape': (), }"), std::string::npos);
  EXPECT_EQ(code_of([] { npy_to_bytes(Tensor::scalar(std::string("x"))); }), Code::kUnimplemented);
}

TEST(Npy, EveryTypeGoesBothWays) {
  const testing::TemporaryFolder folder;
  for (int i = 1; i <= 23; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (!is_floating(dtype) && !is_integer(dtype) && !is_complex(dtype) && dtype != DType::kBool) {
      continue;
    }
    if (dtype == DType::kBFloat16) continue;
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 0, 3}, Shape{2, 3, 4}}) {
      Tensor t = Tensor::zeros(dtype, shape);
      if (dtype != DType::kBool) {
        for (std::size_t k = 0; k < t.num_bytes(); ++k) {
          static_cast<unsigned char*>(t.raw())[k] = static_cast<unsigned char>(k * 37);
        }
      }
      write_npy(folder / "t.npy", t);
      EXPECT_TRUE(read_npy(folder / "t.npy").identical(t)) << dtype_name(dtype) << shape.str();
    }
  }
}

TEST(Npy, OtherOrders) {
  const std::string one_two{"\0\1\0\2", 4};
  EXPECT_EQ(npy_from_bytes(
                npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }\n", one_two), "x")
                .to_vector<std::int16_t>(),
            (std::vector<std::int16_t>{1, 2}));
  EXPECT_EQ(npy_from_bytes(npy("{'shape': (2L, 3), \"fortran_order\": True, 'descr': '|u1'}",
                               std::string("\1\4\2\5\3\6", 6), 2),
                           "x")
                .to_vector<std::uint8_t>(),
            (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
}

TEST(Npy, RefusesDamage) {
  const std::string good = npy_to_bytes(Tensor::of<float>({1, 2, 3, 4, 5, 6}, {2, 3}));
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_EQ(code_of([&] { npy_from_bytes(good.substr(0, n), "x"); }), Code::kDataLoss) << n;
  }
  const auto outcome = [](const std::string& header) {
    return code_of([&] { npy_from_bytes(npy(header, "1234"), "x"); });
  };
  EXPECT_EQ(outcome("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"), Code::kOk);
  EXPECT_EQ(outcome("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, "
                    "4611686018427387904), }"),
            Code::kDataLoss);
  EXPECT_EQ(outcome("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,), }"),
            Code::kDataLoss);
  EXPECT_EQ(outcome("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"), Code::kDataLoss);
  EXPECT_EQ(outcome("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"),
            Code::kUnimplemented);
  EXPECT_EQ(outcome("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"),
            Code::kUnimplemented);
  EXPECT_EQ(outcome("{'descr': '<f4', 'shape': (1,), }"), Code::kDataLoss);
  EXPECT_EQ(outcome("hello"), Code::kDataLoss);
}

}  // namespace
}  // namespace assay::format
