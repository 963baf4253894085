#include "assay/tensor/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace assay {
namespace {

TEST(Tensor, HoldsValues) {
  const Tensor t = Tensor::of<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(t.dtype(), DType::kFloat);
  EXPECT_EQ(t.shape(), (Shape{2, 3}));
  EXPECT_EQ(t.num_bytes(), 24U);
  EXPECT_EQ(t.data<float>()[4], 5);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.raw()) % 64, 0U);
  EXPECT_THROW(t.data<double>(), Error);
  EXPECT_THROW(Tensor::of<float>({1, 2}, Shape{3}), Error);
}

TEST(Tensor, CopiesShareUntilCopied) {
  Tensor a = Tensor::of<std::int64_t>({1, 2});
  EXPECT_TRUE(a.unique());
  Tensor b = a;
  EXPECT_FALSE(a.unique());
  EXPECT_TRUE(a.shares_memory_with(b));
  b.data<std::int64_t>()[0] = 9;
  EXPECT_EQ(a.data<std::int64_t>()[0], 9);
  const Tensor c = a.copy();
  b.data<std::int64_t>()[0] = 1;
  EXPECT_EQ(c.data<std::int64_t>()[0], 9);
  EXPECT_FALSE(c.identical(a));
  b = Tensor();
  EXPECT_TRUE(a.unique());
  a = std::move(a);
}

TEST(Tensor, ViewsKeepTheirBuffer) {
  Buffer* buffer = Buffer::allocate(128);
  Tensor view(DType::kFloat, Shape{4}, buffer, 64);
  buffer->unref();
  view.data<float>()[3] = 2;
  EXPECT_EQ(view.data<float>()[3], 2);
  EXPECT_TRUE(view.unique());
  Buffer* small = Buffer::allocate(16);
  EXPECT_THROW(Tensor(DType::kFloat, Shape{4}, small, 4), Error);
  small->unref();
}

TEST(Tensor, Strings) {
  Tensor t = Tensor::of<std::string>({"a", std::string(100, 'x')});
  const Tensor c = t.copy();
  EXPECT_TRUE(c.identical(t));
  t.data<std::string>()[0] = "b";
  EXPECT_FALSE(c.identical(t));
  EXPECT_EQ(Tensor::zeros(DType::kString, Shape{2}).to_vector<std::string>(),
            (std::vector<std::string>{"", ""}));
}

TEST(Tensor, HandlesInResourceAndVariantTensors) {
  for (const DType dtype : {DType::kResource, DType::kVariant}) {
    Tensor t(dtype, Shape{2});
    const auto held = std::make_shared<Resource>();
    t.data<ResourceHandle>()[1] = {held, "v"};
    const Tensor c = t.copy();
    EXPECT_TRUE(c.identical(t));
    EXPECT_EQ(held.use_count(), 3);
    t.data<ResourceHandle>()[1].resource = nullptr;
    EXPECT_FALSE(c.identical(t));
    EXPECT_EQ(c.str(), dtype_name(dtype) + R"([2] ["" "v"])");
  }
}

TEST(Tensor, ReshapeAndItem) {
  const Tensor t = Tensor::of<std::int32_t>({1, 2, 3, 4});
  EXPECT_EQ(t.reshaped({2, 2}).shape(), (Shape{2, 2}));
  EXPECT_TRUE(t.reshaped({2, 2}).shares_memory_with(t));
  EXPECT_THROW(t.reshaped({3}), Error);
  EXPECT_EQ(Tensor::scalar(2.5).item<double>(), 2.5);
  EXPECT_THROW(Tensor::scalar(2.5).item<float>(), Error);
  EXPECT_THROW(t.item<std::int32_t>(), Error);
}

TEST(Tensor, RefusesWhatCannotBeHeld) {
  EXPECT_THROW(Tensor(DType::kInvalid, Shape{}), Error);
  EXPECT_THROW(Tensor(ref_dtype(DType::kFloat), Shape{}), Error);
  try {
    Tensor t(DType::kFloat, Shape{std::int64_t{1} << 61});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kResourceExhausted);
  }
}

TEST(Tensor, Prints) {
  EXPECT_EQ(Tensor::of<float>({1, 2, 3, 4, 5, 6}, {2, 3}).str(), "float32[2,3] [[1 2 3] [4 5 6]]");
  EXPECT_EQ(Tensor::scalar(0.1F).str(), "float32[] 0.100000001");
  EXPECT_EQ(Tensor::scalar(true).str(), "bool[] true");
  EXPECT_EQ(Tensor::of<std::int32_t>({1, 2, 3}).str(2), "int32[3] [1 2 ...]");
  EXPECT_EQ(Tensor::of<std::string>({"a\n\"b"}).str(), R"(string[1] ["a\n\"b"])");
  EXPECT_EQ(Tensor::zeros(DType::kFloat, Shape{0, 2}).str(), "float32[0,2] []");
  EXPECT_EQ(Tensor().str(), "undefined");
}

}  // namespace
}  // namespace assay
