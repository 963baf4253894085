#include "models/word2vec/neighbors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::word2vec {
namespace {

TEST(Neighbors, NearestByCosineWithoutItselfAndUnk) {
  const Tensor vectors = Tensor::of<float>({9, 9,    // UNK
                                            1, 0,    //
                                            2, 2,    //
                                            -1, 0,   //
                                            0.5, 0,  //
                                            0, 0},
                                           Shape{6, 2});
  const auto near = nearest(vectors, 1, 10);
  ASSERT_EQ(near.size(), 4u);
  EXPECT_EQ(near[0].id, 4);
  EXPECT_NEAR(near[0].similarity, 1, 1e-12);
  EXPECT_EQ(near[1].id, 2);
  EXPECT_NEAR(near[1].similarity, std::sqrt(0.5), 1e-7);
  EXPECT_EQ(near[2].id, 5);
  EXPECT_EQ(near[2].similarity, 0);
  EXPECT_EQ(near[3].id, 3);
  EXPECT_EQ(nearest(vectors, 1, 2).size(), 2u);
  EXPECT_THROW(nearest(vectors, 6, 1), Error);
}

TEST(Neighbors, TextFormatIsWord2vecs) {
  const Vocabulary v{{"UNK", "a"}, {1, 2}};
  const Tensor vectors = Tensor::of<float>({0.1F, -2, 3e-20F, 1}, Shape{2, 2});
  EXPECT_EQ(vectors_text(v, vectors), "2 2\nUNK 0.1 -2\na 3e-20 1\n");
  EXPECT_THROW(vectors_text({{"UNK"}, {1}}, vectors), Error);
}

}  // namespace
}  // namespace assay::word2vec
