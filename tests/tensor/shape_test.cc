#include "assay/tensor/shape.h"

#include <gtest/gtest.h>

#include "assay/base/error.h"

namespace assay {
namespace {

TEST(Shape, HoldsSizes) {
  const Shape s{2, 3, 4};
  EXPECT_EQ(s.rank(), 3);
  EXPECT_EQ(s[1], 3);
  EXPECT_EQ(s.num_elements(), 24);
  EXPECT_EQ(s.str(), "[2,3,4]");
  EXPECT_EQ(Shape{}.str(), "[]");
  EXPECT_EQ(Shape{}.num_elements(), 1);
  EXPECT_EQ((Shape{0, 5}.num_elements()), 0);
  EXPECT_EQ(s, (Shape{2, 3, 4}));
  EXPECT_FALSE(s == (Shape{2, 3}));
  EXPECT_FALSE(s == (Shape{2, 3, 5}));
}

TEST(Shape, RefusesWhatCannotBe) {
  EXPECT_THROW((Shape{-1}), Error);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), Error);
  EXPECT_THROW((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), Error);
  EXPECT_THROW((Shape{0, std::int64_t{1} << 40, std::int64_t{1} << 40}), Error);
  Shape s{1, 1, 1, 1, 1, 1, 1, 1};
  EXPECT_THROW(s.add_dim(1), Error);
  EXPECT_THROW(s.set_dim(0, -2), Error);
}

TEST(PartialShape, PrintsAndParses) {
  for (const char* text : {"?", "[]", "[?]", "[1,2]", "[?,3]", "[0]", "[4,?,?]"}) {
    EXPECT_EQ(PartialShape::parse(text).str(), text);
  }
  EXPECT_EQ(PartialShape::parse(" [ 1 , ? ] "), (PartialShape{1, -1}));
  for (const char* text : {"", "[", "]", "[,]", "[1,]", "1,2", "[a]", "[1", "[-2]", "??",
                           "[99999999999999999999]", "[1 2,x]"}) {
    EXPECT_THROW(PartialShape::parse(text), Error) << text;
  }
}

TEST(PartialShape, MergesWhatIsKnown) {
  const PartialShape a{2, -1};
  const PartialShape b{-1, 3};
  EXPECT_TRUE(a.is_compatible_with(b));
  EXPECT_EQ(a.merge(b), (PartialShape{2, 3}));
  EXPECT_EQ(a.merge(PartialShape::unknown()), a);
  EXPECT_EQ(PartialShape::unknown().merge(a), a);
  EXPECT_EQ(a.merge(PartialShape{3, 3}), std::nullopt);
  EXPECT_EQ(a.merge(PartialShape{2}), std::nullopt);
  EXPECT_EQ(a.num_elements(), -1);
  EXPECT_EQ((PartialShape{2, 3}.num_elements()), 6);
  EXPECT_EQ((PartialShape{2, 3}.to_shape()), (Shape{2, 3}));
  EXPECT_EQ(PartialShape::scalar().num_elements(), 1);
  EXPECT_EQ(PartialShape::unknown().rank(), -1);
  EXPECT_FALSE(PartialShape::unknown().is_fully_defined());
}

}  // namespace
}  // namespace assay
