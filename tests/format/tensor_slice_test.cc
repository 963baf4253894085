#include "assay/format/tensor_slice.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/errors.h"

namespace assay::format {
namespace {

using testing::code_of;

TEST(TensorSlice, ParsesAndPrints) {
  for (const char* text : {"-", "0,5:-", "3,1:2,9:-:0,1"}) {
    EXPECT_EQ(TensorSlice::parse(text).str(), text);
  }
  for (const char* text :
       {"0", "0,", "0,0", "-1,2", "0,5,6", "a,1", "0,5:", "1,9223372036854775807"}) {
    EXPECT_EQ(code_of([&] { TensorSlice::parse(text); }), Code::kInvalidArgument) << text;
  }
  EXPECT_EQ(TensorSlice::parse("1,2:-").shape_in(Shape{4, 5}), (Shape{2, 5}));
  EXPECT_TRUE(TensorSlice::parse("0,4:-").is_full(Shape{4, 5}));
  EXPECT_EQ(code_of([] { TensorSlice::parse("3,2").shape_in(Shape{4}); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([] { TensorSlice::parse("-").shape_in(Shape{4, 5}); }), Code::kInvalidArgument);
}

TEST(TensorSlice, ShapeAndSlice) {
  EXPECT_FALSE(parse_shape_and_slice(""));
  const auto both = parse_shape_and_slice("20 10 0,5:-");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->full_shape, (Shape{20, 10}));
  EXPECT_EQ(both->slice.str(), "0,5:-");
  for (const char* text : {"20", "20 10 0,5", "x 0,5", "20 10 0,30:-", " "}) {
    EXPECT_EQ(code_of([&] { parse_shape_and_slice(text); }), Code::kInvalidArgument) << text;
  }
}

/// The bytes that TensorFlow's own tests of its OrderedCode give.
TEST(TensorSlice, KeysAreCodedAsTensorFlowDoes) {
  EXPECT_EQ(encode_slice_key("foo", TensorSlice::parse("-:2,3")),
            std::string("\0foo\0\1\1\2\x80\x7f\x82\x83", 12));
  EXPECT_EQ(encode_slice_key(std::string("a\0b\xff", 4), TensorSlice::parse("63,64")),
            std::string("\0a\0\xff"
                        "b\xff\0\0\1\1\1\xbf\xc0\x40",
                        14));
}

TEST(TensorSlice, KeysGoBothWaysAndSort) {
  std::vector<std::int64_t> numbers{0, 1, 63, 64, 127, 128, 8191, 8192, 1 << 20, INT64_MAX};
  for (int bit = 7; bit < 63; ++bit) {
    numbers.push_back((std::int64_t{1} << bit) - 1);
    numbers.push_back(std::int64_t{1} << bit);
  }
  std::sort(numbers.begin(), numbers.end());
  std::string before;
  for (const std::int64_t n : numbers) {
    TensorSlice slice;
    slice.extents.push_back({.start = n, .length = -1});
    slice.extents.push_back({.start = 0, .length = n});
    const std::string key = encode_slice_key("name", slice);
    const SliceKey back = decode_slice_key(key);
    EXPECT_EQ(back.name, "name");
    EXPECT_EQ(back.slice, slice) << n;
    EXPECT_LE(before, key) << n;
    before = key;
    for (std::size_t cut = 0; cut < key.size(); ++cut) {
      EXPECT_EQ(code_of([&] { decode_slice_key(key.substr(0, cut)); }), Code::kDataLoss);
    }
  }
  EXPECT_EQ(code_of([] { decode_slice_key(std::string("\0a\0\1\1\xff\xff\xff\xff\xff", 10)); }),
            Code::kDataLoss);
}

}  // namespace
}  // namespace assay::format
