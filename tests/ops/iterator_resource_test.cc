#include "assay/device/dataset.h"

#include <gtest/gtest.h>

#include "tests/support/errors.h"

namespace assay {
namespace {

using testing::code_of;

class CountingIterator : public DatasetIterator {
 public:
  explicit CountingIterator(std::int64_t limit) : limit_(limit) {}
  bool next(std::vector<Tensor>& out) override {
    if (at_ >= limit_) return false;
    out.assign(1, Tensor::scalar(at_++));
    return true;
  }
  void save(IteratorState& state, const std::string& prefix) const override {
    state[prefix + "/at"] = Tensor::scalar(at_);
  }
  void restore(const IteratorState& state, const std::string& prefix) override {
    at_ = state.at(prefix + "/at").item<std::int64_t>();
  }

 private:
  std::int64_t limit_;
  std::int64_t at_ = 0;
};

class Counting : public Dataset {
 public:
  explicit Counting(std::int64_t limit, PartialShape shape = PartialShape::scalar())
      : Dataset({int64}, {std::move(shape)}), limit_(limit) {}
  std::unique_ptr<DatasetIterator> make_iterator() const override {
    return std::make_unique<CountingIterator>(limit_);
  }

 private:
  std::int64_t limit_;
};

std::int64_t next_of(IteratorResource& iterator) {
  std::vector<Tensor> out;
  iterator.next(out);
  return out.at(0).item<std::int64_t>();
}

TEST(IteratorResource, RunsToTheEndAndStartsOver) {
  IteratorResource iterator("it", {int64}, {PartialShape::scalar()});
  EXPECT_EQ(code_of([&] { next_of(iterator); }), Code::kFailedPrecondition);
  for (int pass = 0; pass < 2; ++pass) {
    iterator.initialize(std::make_shared<Counting>(2));
    EXPECT_EQ(next_of(iterator), 0);
    EXPECT_EQ(next_of(iterator), 1);
    EXPECT_EQ(code_of([&] { next_of(iterator); }), Code::kOutOfRange);
    EXPECT_EQ(code_of([&] { next_of(iterator); }), Code::kOutOfRange);
  }
}

TEST(IteratorResource, GoesOnFromASavedState) {
  IteratorResource iterator("it", {int64}, {PartialShape::scalar()});
  EXPECT_TRUE(iterator.save().empty());
  EXPECT_EQ(code_of([&] { iterator.restore({}); }), Code::kFailedPrecondition);
  iterator.initialize(std::make_shared<Counting>(10));
  next_of(iterator);
  next_of(iterator);
  const IteratorState state = iterator.save();
  EXPECT_EQ(next_of(iterator), 2);
  IteratorResource other("other", {int64}, {PartialShape::scalar()});
  other.initialize(std::make_shared<Counting>(10));
  other.restore(state);
  EXPECT_EQ(next_of(other), 2);
}

TEST(IteratorResource, RefusesAnotherStructure) {
  IteratorResource floats("it", {float32}, {PartialShape::scalar()});
  EXPECT_EQ(code_of([&] { floats.initialize(std::make_shared<Counting>(1)); }),
            Code::kInvalidArgument);
  IteratorResource vectors("it", {int64}, {PartialShape{-1}});
  EXPECT_EQ(code_of([&] { vectors.initialize(std::make_shared<Counting>(1)); }),
            Code::kInvalidArgument);
  // What the dataset promised and what it gives may differ too.
  vectors.initialize(std::make_shared<Counting>(1, PartialShape()));
  EXPECT_EQ(code_of([&] { next_of(vectors); }), Code::kInvalidArgument);
}

TEST(DatasetTensor, HoldsADataset) {
  const Tensor t = dataset_tensor(std::make_shared<Counting>(3));
  EXPECT_EQ(t.dtype(), DType::kVariant);
  EXPECT_EQ(dataset_of(t)->output_types(), std::vector<DType>{int64});
  EXPECT_EQ(code_of([] { dataset_of(Tensor::scalar(1.0F)); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([] { dataset_of(Tensor(DType::kVariant, Shape{})); }), Code::kInvalidArgument);
}

}  // namespace
}  // namespace assay
