#include "assay/format/tensor_proto.h"

#include <gtest/gtest.h>

#include "assay/format/proto_io.h"
#include "tests/support/errors.h"

namespace assay::format {
namespace {

using testing::code_of;

Tensor decode(const std::string& text) {
  return tensor_from_proto(parse_text<proto::TensorProto>(text, "test"), "test");
}

TEST(TensorProto, TypedValuesAndTheLastOneRepeats) {
  const std::string shape3 = " tensor_shape { dim { size: 3 } } ";
  EXPECT_EQ(decode("dtype: DT_FLOAT float_val: 1 float_val: 2" + shape3).to_vector<float>(),
            (std::vector<float>{1, 2, 2}));
  EXPECT_EQ(decode("dtype: DT_INT64" + shape3).to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{0, 0, 0}));
  EXPECT_EQ(decode("dtype: DT_INT8 int_val: -1" + shape3).to_vector<std::int8_t>(),
            (std::vector<std::int8_t>{-1, -1, -1}));
  EXPECT_EQ(
      decode("dtype: DT_STRING string_val: 'a' string_val: 'b'" + shape3).to_vector<std::string>(),
      (std::vector<std::string>{"a", "b", "b"}));
  EXPECT_EQ(decode("dtype: DT_HALF half_val: 15360 tensor_shape {}").item<Half>().bits, 15360);
  EXPECT_EQ(decode("dtype: DT_BOOL bool_val: true tensor_shape {}").item<bool>(), true);
  EXPECT_EQ(decode("dtype: DT_COMPLEX64 scomplex_val: 1 scomplex_val: 2 tensor_shape {}")
                .item<std::complex<float>>(),
            std::complex<float>(1, 2));
  EXPECT_EQ(decode("dtype: DT_FLOAT tensor_shape { dim { size: 0 } }").num_elements(), 0);
}

TEST(TensorProto, ContentAsBytes) {
  EXPECT_EQ(decode(R"(dtype: DT_INT32 tensor_content: "\001\000\000\000\377\377\377\377"
                      tensor_shape { dim { size: 2 } })")
                .to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{1, -1}));
  EXPECT_EQ(
      decode(R"(dtype: DT_STRING tensor_content: "\001\002abc" tensor_shape { dim { size: 2 } })")
          .to_vector<std::string>(),
      (std::vector<std::string>{"a", "bc"}));
}

TEST(TensorProto, HostileMessagesAreRefused) {
  const auto refused = [](const std::string& text) { return code_of([&] { decode(text); }); };
  EXPECT_EQ(refused("dtype: DT_FLOAT float_val: 1 tensor_shape { dim { size: 1099511627776 } }"),
            Code::kResourceExhausted);
  EXPECT_EQ(refused("dtype: DT_STRING tensor_shape { dim { size: 1099511627776 } }"),
            Code::kResourceExhausted);
  EXPECT_EQ(refused("dtype: DT_FLOAT tensor_shape { dim { size: -1 } }"), Code::kInvalidArgument);
  EXPECT_EQ(refused("dtype: DT_FLOAT tensor_shape { dim { size: -5 } }"), Code::kInvalidArgument);
  EXPECT_EQ(refused("dtype: DT_FLOAT tensor_shape { unknown_rank: true }"), Code::kInvalidArgument);
  EXPECT_EQ(refused("dtype: DT_FLOAT float_val: 1 float_val: 2 tensor_shape { }"),
            Code::kInvalidArgument);
  EXPECT_EQ(refused("dtype: DT_FLOAT tensor_content: 'abc' tensor_shape { }"),
            Code::kInvalidArgument);
  EXPECT_EQ(refused("dtype: DT_FLOAT tensor_shape { dim { size: 4611686018427387904 } "
                    "dim { size: 4611686018427387904 } }"),
            Code::kInvalidArgument);
  EXPECT_EQ(refused("tensor_shape { }"), Code::kInvalidArgument);
  EXPECT_EQ(refused("dtype: DT_FLOAT_REF tensor_shape { }"), Code::kInvalidArgument);
  EXPECT_EQ(refused("dtype: DT_VARIANT tensor_shape { }"), Code::kUnimplemented);
  EXPECT_EQ(refused(R"(dtype: DT_STRING tensor_content: "\005a" tensor_shape { dim { size: 1 } })"),
            Code::kInvalidArgument);
  EXPECT_EQ(refused("dtype: DT_COMPLEX64 scomplex_val: 1 tensor_shape { }"),
            Code::kInvalidArgument);
  std::string deep = "dtype: DT_FLOAT tensor_shape { ";
  for (int i = 0; i < 9; ++i) deep += "dim { size: 1 } ";
  EXPECT_EQ(refused(deep + "}"), Code::kInvalidArgument);
}

TEST(TensorProto, BothFormsGoBothWays) {
  std::vector<Tensor> tensors{Tensor::of<float>({1, 2, 3, 4}, {2, 2}),
                              Tensor::of<double>({0.1}),
                              Tensor::scalar(std::int32_t{-7}),
                              Tensor::of<bool>({true, false, true}),
                              Tensor::of<std::string>({"a", "", "long"}),
                              Tensor::of<std::uint64_t>({UINT64_MAX, 1}),
                              Tensor::of<std::uint16_t>({65535, 1}),
                              Tensor::of<std::complex<double>>({{1, 2}, {3, 4}}),
                              Tensor::of<Half>({Half(1), Half(-2)}),
                              Tensor::of<BFloat16>({BFloat16(1), BFloat16(-2)}),
                              Tensor::zeros(DType::kFloat, Shape{0, 3})};
  for (const Tensor& t : tensors) {
    for (const auto encoding : {TensorEncoding::kPython, TensorEncoding::kValues}) {
      EXPECT_TRUE(tensor_from_proto(tensor_to_proto(t, encoding), "test").identical(t)) << t.str();
    }
  }
  // As make_tensor_proto chooses.
  EXPECT_FALSE(tensor_to_proto(tensors[0]).tensor_content().empty());
  EXPECT_EQ(tensor_to_proto(tensors[2]).int_val_size(), 1);
  EXPECT_EQ(tensor_to_proto(tensors[3]).bool_val_size(), 3);
  EXPECT_EQ(tensor_to_proto(tensors[4]).string_val_size(), 3);
}

TEST(TensorProto, Shapes) {
  for (const char* text : {"?", "[]", "[?,3]", "[0]"}) {
    proto::TensorShapeProto message;
    shape_to_proto(PartialShape::parse(text), message);
    EXPECT_EQ(partial_shape_from_proto(message, "test").str(), text);
  }
}

}  // namespace
}  // namespace assay::format
