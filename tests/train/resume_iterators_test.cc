// Iterators that a resumed run cannot simply put back: of a class that cannot save itself, or not
// initialised yet.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "assay/api/random_ops.h"
#include "assay/data/dataset.h"
#include "assay/data/iterator.h"
#include "assay/graph/graph.h"
#include "assay/runtime/session.h"
#include "assay/train/session_state.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

/// 0, 1, ... below 20, by a class that does not say where it stands.
class Numbers : public DatasetIterator {
 public:
  bool next(std::vector<Tensor>& out) override {
    if (next_ == 20) return false;
    out = {Tensor::scalar(next_++)};
    return true;
  }

 private:
  std::int64_t next_ = 0;
};

/// A graph with one iterator over shuffled numbers, and a session that reads it.
class Reader {
 public:
  explicit Reader(bool can_be_saved) {
    GraphScope scope(graph_);
    set_random_seed(5);
    const auto numbers =
        can_be_saved ? data::Dataset::range(20)
                     : data::Dataset::from_iterators([] { return std::make_unique<Numbers>(); },
                                                     {DType::kInt64}, {PartialShape::scalar()});
    const auto iterator = numbers.shuffle(8)
                              .repeat(2)
                              .map([](const std::vector<Output>& e) {
                                return std::vector<Output>{
                                    e[0] + random_uniform({}, 0, 100, {.dtype = DType::kInt64})};
                              })
                              .make_initializable_iterator();
    initializer_ = iterator.initializer();
    next_ = iterator.get_next().front();
    session_ = std::make_unique<Session>(SessionOptions{.graph = &graph_, .threads = 1});
  }

  Session& session() { return *session_; }
  void initialize() { session_->run({}, {}, {initializer_}); }
  std::vector<std::int64_t> take(int n) {
    std::vector<std::int64_t> taken;
    for (int i = 0; i < n; ++i) taken.push_back(*session_->run(next_).data<std::int64_t>());
    return taken;
  }

 private:
  Graph graph_;
  Node* initializer_ = nullptr;
  Output next_;
  std::unique_ptr<Session> session_;
};

TEST(ResumeIterators, APassThatCannotBeSavedBeginsAgainInItsOrder) {
  Reader first(false);
  first.initialize();
  first.take(25);
  first.initialize();
  first.take(11);
  ::testing::internal::CaptureStderr();
  const auto state = train::save_session_state(first.session());
  train::save_session_state(first.session());
  const std::string warned = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(warned, HasSubstr("cannot be saved"));
  EXPECT_EQ(std::count(warned.begin(), warned.end(), '\n'), 1) << warned;

  Reader second(false);
  second.initialize();
  train::restore_session_state(second.session(), state);
  EXPECT_EQ(train::restore_iterators(second.session(), state).size(), 1u);
  second.take(11);  // as the train loop passes over them
  const auto again = train::save_session_state(second.session());
  EXPECT_EQ(again.size(), state.size());
  EXPECT_EQ(second.take(29), first.take(29));
}

TEST(ResumeIterators, OneThatIsInitializedLaterBeginsAsItWouldHave) {
  Reader first(true);
  first.initialize();
  first.take(25);
  const auto state = train::save_session_state(first.session());

  Reader second(true);
  train::restore_session_state(second.session(), state);
  EXPECT_TRUE(train::restore_iterators(second.session(), state).empty());
  first.initialize();
  second.initialize();
  EXPECT_EQ(second.take(40), first.take(40));
}

}  // namespace
}  // namespace assay
