// Every stage of a pipeline goes on in another process with the elements that would have come.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <limits>
#include <optional>
#include <thread>

#include "assay/api/constant.h"
#include "assay/api/math_ops.h"
#include "assay/api/random_ops.h"
#include "assay/base/memory_file_system.h"
#include "assay/data/dataset.h"
#include "assay/format/bundle_reader.h"
#include "assay/format/bundle_writer.h"
#include "assay/runtime/session.h"
#include "tests/support/errors.h"
#include "tests/support/fixtures.h"

namespace assay::data {
namespace {

using assay::testing::error_of;
using assay::testing::TemporaryFolder;
using ::testing::HasSubstr;

/// Makes a pipeline in the current graph.
using Pipeline = std::function<Dataset()>;

/// A graph with a pipeline and a session that reads it: what a process has.
class Reading {
 public:
  explicit Reading(const Pipeline& pipeline) {
    GraphScope scope(graph_);
    set_random_seed(7);
    iterator_ = pipeline().make_initializable_iterator();
    next_ = iterator_.get_next();
    session_.emplace(SessionOptions{.graph = &graph_, .threads = 1});
    session_->run(iterator_.initializer());
  }

  /// The next element as text, "end" at the end, "error: ..." for another error.
  std::string next() {
    try {
      std::string text;
      for (const Tensor& t : session_->run(next_)) text += t.str(100) + ";";
      return text;
    } catch (const Error& e) {
      return e.code() == Code::kOutOfRange ? "end" : "error: " + e.message();
    }
  }
  /// Up to `limit` elements, none after the end.
  std::vector<std::string> rest(std::size_t limit) {
    std::vector<std::string> all;
    while (all.size() < limit) {
      all.push_back(next());
      if (all.back() == "end") break;
    }
    return all;
  }
  IteratorState save() { return resource().save(); }
  void restore(const IteratorState& state) { resource().restore(state); }

 private:
  IteratorResource& resource() {
    return *session_->resources().find<IteratorResource>(iterator_.resource_name());
  }

  Graph graph_;
  Iterator iterator_;
  std::vector<Output> next_;
  std::optional<Session> session_;
};

/// The state as a checkpoint gives it back.
IteratorState through_a_file(const IteratorState& state) {
  MemoryFileSystem fs;
  format::BundleWriter writer("/state", fs);
  for (const auto& [name, value] : state) writer.add(name, value);
  writer.finish();
  const format::BundleReader reader("/state", fs);
  IteratorState read;
  for (const auto& [name, entry] : reader.entries()) read[name] = reader.read(name);
  return read;
}

class DatasetStateTest : public ::testing::Test {
 protected:
  /// After any number of elements up to `most`, a new process that takes over the state gives the
  /// elements that the old one goes on with.
  static void expect_resumes(const Pipeline& pipeline, std::size_t most = 14,
                             std::size_t limit = 40) {
    for (std::size_t before = 0; before <= most; ++before) {
      SCOPED_TRACE(fmt::format("after {} elements", before));
      Reading first(pipeline);
      for (std::size_t i = 0; i < before; ++i) first.next();
      const IteratorState state = through_a_file(first.save());
      Reading second(pipeline);
      second.restore(state);
      // Saved again at once it says the same.
      const IteratorState again = second.save();
      Reading third(pipeline);
      third.restore(again);
      const auto expected = first.rest(limit);
      EXPECT_EQ(second.rest(limit), expected);
      EXPECT_EQ(third.rest(limit), expected);
    }
  }

  static Error refusal(const Pipeline& then, const Pipeline& now, int before = 3) {
    Reading first(then);
    for (int i = 0; i < before; ++i) first.next();
    Reading second(now);
    return error_of([&] { second.restore(first.save()); });
  }

  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  TemporaryFolder folder_;
};

Dataset numbers() {
  return Dataset::range(10);
}

/// Adds a random number to each element, in the graph.
Dataset with_noise(const Dataset& dataset) {
  return dataset.map([](const std::vector<Output>& x) {
    return std::vector<Output>{x[0], random_uniform({}, 0, 1)};
  });
}

TEST_F(DatasetStateTest, Sources) {
  expect_resumes(numbers);
  expect_resumes([] { return Dataset::from_tensors({std::vector<int>{1, 2}, 3.0}); }, 3);
  expect_resumes([] {
    return Dataset::from_tensor_slices(
        {std::vector<int>{1, 2, 3}, std::vector<std::string>{"a", "b", "c"}});
  });
  const std::string plain = file("a.txt", "one\ntwo\r\n\nfour");
  const std::string packed = folder_ / "b.gz";
  gzFile gz = gzopen(packed.c_str(), "wb");
  gzputs(gz, "five\nsix\n");
  gzclose(gz);
  const std::string empty = file("c.txt", "");
  expect_resumes(
      [&] {
        return TextLineDataset(std::vector<std::string>{plain, empty, packed});
      },
      8);
}

TEST_F(DatasetStateTest, CodeIsRunAgainUpToWhereItWas) {
  const Pipeline generator = [] {
    return Dataset::from_generator(
        [] {
          return [i = std::int64_t{0}]() mutable -> std::optional<Element> {
            if (i == 6) return std::nullopt;
            return Element{Tensor::scalar(i++)};
          };
        },
        {DType::kInt64});
  };
  expect_resumes(generator, 8);
  expect_resumes([&] { return generator().shuffle(3).repeat(2).batch(2).prefetch(2); }, 7);
}

TEST_F(DatasetStateTest, Transformations) {
  expect_resumes([] { return numbers().repeat(3); });
  expect_resumes([] { return numbers().repeat(); });
  expect_resumes([] { return numbers().take(4); });
  expect_resumes([] { return numbers().skip(4); });
  expect_resumes([] { return numbers().batch(3); }, 5);
  expect_resumes([] { return numbers().batch(3, {.drop_remainder = true}); }, 5);
  expect_resumes([] { return Dataset::zip({numbers(), numbers().skip(3)}); });
  expect_resumes([] { return numbers().take(2).concatenate(numbers().skip(7)).repeat(2); });
  expect_resumes([] {
    return numbers().map(
        [](const std::vector<Output>& x) { return std::vector<Output>{x[0] * x[0]}; });
  });
  expect_resumes([] {
    return numbers().map(
        [](const Element& e) {
          return Element{Tensor::scalar<std::int64_t>(-e[0].item<std::int64_t>())};
        },
        {DType::kInt64}, {PartialShape::scalar()});
  });
  expect_resumes([] {
    return numbers().filter([](const Element& e) { return e[0].item<std::int64_t>() % 3 != 1; });
  });
  expect_resumes([] {
    return numbers().filter([](const std::vector<Output>& x) { return greater(x[0], Operand(4)); });
  });
}

TEST_F(DatasetStateTest, Shuffling) {
  expect_resumes([] { return numbers().shuffle(4); });
  expect_resumes([] { return numbers().shuffle(100, {.seed = 3}); });
  // Passes have orders of their own, also when a pass is not under way where the state is saved.
  expect_resumes([] { return numbers().shuffle(4).repeat(); }, 25);
  expect_resumes([] { return numbers().shuffle(4, {.reshuffle_each_iteration = false}).repeat(); },
                 12);
  expect_resumes(
      [] { return numbers().take(3).shuffle(4).concatenate(Dataset::range(100, 103)).repeat(); });
  expect_resumes([] { return numbers().shuffle(3).shuffle(3).repeat(3); });
  expect_resumes([] { return numbers().repeat(3).shuffle(15); });
}

TEST_F(DatasetStateTest, OrdersThatNoSeedGivesGoOnToo) {
  const Pipeline unseeded = [] {
    current_graph().set_seed(std::nullopt);
    return numbers().shuffle(4).repeat();
  };
  expect_resumes(unseeded, 12);
}

TEST_F(DatasetStateTest, RandomNumbersOfAMap) {
  expect_resumes([] { return with_noise(numbers()); });
  expect_resumes([] { return with_noise(numbers().shuffle(3)).repeat(2); });
  expect_resumes([] { return with_noise(numbers()).concatenate(with_noise(numbers())).repeat(); });
}

TEST_F(DatasetStateTest, WorkAheadIsNotLost) {
  expect_resumes([] { return numbers().prefetch(1); });
  expect_resumes([] { return numbers().prefetch(4); });
  expect_resumes([] { return numbers().shuffle(4).repeat(3).batch(3).prefetch(2); });
  expect_resumes([] { return with_noise(numbers().shuffle(4)).prefetch(3).repeat(); });
  expect_resumes([] { return with_noise(numbers().prefetch(2)).repeat(2).prefetch(3); });
  expect_resumes([] {
    return numbers()
        .shuffle(4)
        .prefetch(2)
        .concatenate(with_noise(numbers().shuffle(2)).map([](const std::vector<Output>& x) {
          return std::vector<Output>{x[0]};
        }))
        .repeat();
  });
}

TEST_F(DatasetStateTest, SavedWhileTheThreadIsAtWork) {
  const Pipeline pipeline = [] { return with_noise(numbers().shuffle(5).repeat()).prefetch(3); };
  std::vector<std::string> expected;
  {
    Reading whole(pipeline);
    expected = whole.rest(60);
  }
  Reading reading(pipeline);
  for (std::size_t i = 0; i < 40; ++i) {
    ASSERT_EQ(reading.next(), expected[i]);
    // At once: the thread fills the buffer again.
    const IteratorState state = reading.save();
    Reading other(pipeline);
    other.restore(state);
    for (std::size_t k = i + 1; k < i + 15; ++k) ASSERT_EQ(other.next(), expected[k]) << i;
  }
}

TEST_F(DatasetStateTest, AnErrorMadeAheadIsThrownAtItsPlace) {
  const Pipeline failing = [] {
    return numbers()
        .map(
            [](const Element& e) {
              if (e[0].item<std::int64_t>() == 4) invalid_argument("four is bad");
              return e;
            },
            {DType::kInt64}, {PartialShape::scalar()})
        .prefetch(20);
  };
  expect_resumes(failing, 12);
  Reading first(failing);
  first.next();
  // Until the thread has made all of it.
  while (!first.save().contains("iterator/buffer3/error")) std::this_thread::yield();
  Reading second(failing);
  second.restore(first.save());
  const auto rest = second.rest(20);
  ASSERT_EQ(rest.size(), 10u);
  EXPECT_THAT(rest[3], HasSubstr("four is bad"));
  EXPECT_THAT(rest[4], HasSubstr(" 5;"));
}

TEST_F(DatasetStateTest, OtherDataIsToldNotGuessed) {
  const auto slices = [](std::vector<int> values) {
    return [values] { return Dataset::from_tensor_slices({values}).shuffle(2).batch(2); };
  };
  const Error grown = refusal(slices({1, 2, 3, 4, 5, 6, 7}), slices({1, 2, 3, 4, 5, 6, 7, 8}), 1);
  EXPECT_EQ(grown.code(), Code::kFailedPrecondition);
  EXPECT_THAT(grown.message(), HasSubstr("'TensorSliceDataset' (dataset_state_test.cc:"));
  EXPECT_THAT(grown.message(), HasSubstr("then 7 elements"));
  EXPECT_THAT(grown.message(), HasSubstr("now 8 elements"));
  EXPECT_THAT(refusal(slices({1, 2, 3}), slices({1, 2}), 1).message(), HasSubstr("now 2 elements"));
  EXPECT_EQ(refusal(slices({1, 2, 3}), slices({1, 2, 4}), 1).code(), Code::kFailedPrecondition);
  EXPECT_EQ(refusal(slices({1, 2, 3}), slices({1, 2, 3}), 1).code(), Code::kOk);

  const Error range = refusal([] { return Dataset::range(10); }, [] { return Dataset::range(11); });
  EXPECT_THAT(range.message(), HasSubstr("then 10 numbers from 0 to 10"));

  const Error single = refusal(
      [] {
        return Dataset::from_tensors({std::vector<int>{1, 2}}).repeat();
      },
      [] {
        return Dataset::from_tensors({std::vector<int>{1, 2, 3}}).repeat();
      });
  EXPECT_EQ(single.code(), Code::kFailedPrecondition);

  const auto counting = [](std::int64_t size) {
    return [size] {
      return Dataset::from_generator(
          [size] {
            return [size, i = std::int64_t{0}]() mutable -> std::optional<Element> {
              if (i == size) return std::nullopt;
              return Element{Tensor::scalar(i++)};
            };
          },
          {DType::kInt64});
    };
  };
  EXPECT_THAT(refusal(counting(5), counting(2)).message(), HasSubstr("now it ends after 2"));
  EXPECT_THAT(refusal(counting(2), counting(5)).message(), HasSubstr("ended after 2"));
}

TEST_F(DatasetStateTest, OtherFilesAreToldNotGuessed) {
  const std::string path = file("lines.txt", "one\ntwo\nthree\nfour\n");
  const Pipeline lines = [&] { return TextLineDataset(path); };
  Reading first(lines);
  first.next();
  first.next();
  const IteratorState state = first.save();
  file("lines.txt", "one\ntwo\nthree\nfour\nfive\n");
  const Error grown = error_of([&] { Reading(lines).restore(state); });
  EXPECT_EQ(grown.code(), Code::kFailedPrecondition);
  EXPECT_THAT(grown.message(), HasSubstr("lines.txt' of 19 bytes; now"));
  EXPECT_THAT(grown.message(), HasSubstr("lines.txt' of 24 bytes"));
  file("lines.txt", "one\nTWO\nthree\nfour\n");
  EXPECT_THAT(error_of([&] { Reading(lines).restore(state); }).message(),
              HasSubstr("first 2 lines"));
  std::filesystem::remove(path);
  EXPECT_THAT(error_of([&] { Reading(lines).restore(state); }).message(), HasSubstr("missing"));
}

// A checkpoint that passed its checksums may still be of another pipeline, or made by hand.
TEST_F(DatasetStateTest, NoStateMakesItCrash) {
  const std::string path = file("lines.txt", "1\n2\n3\n4\n");
  const Pipeline pipeline = [&] {
    const Dataset text = TextLineDataset(std::vector<std::string>{path, path});
    const Dataset pairs = Dataset::zip({numbers().shuffle(3).repeat(), text.skip(1).take(5)});
    return with_noise(
               pairs.concatenate(pairs)
                   .filter([](const Element&) { return true; })
                   .map([](const std::vector<Output>& x) { return std::vector<Output>{x[0]}; }))
        .batch(2)
        .prefetch(2);
  };
  Reading first(pipeline);
  first.next();
  first.next();
  const IteratorState state = first.save();
  ASSERT_GT(state.size(), 20u);
  const std::int64_t extremes[] = {-1,
                                   0,
                                   1,
                                   5,
                                   1000,
                                   std::numeric_limits<std::int64_t>::max(),
                                   std::numeric_limits<std::int64_t>::min()};
  for (const auto& [name, value] : state) {
    SCOPED_TRACE(name);
    IteratorState wrong = state;
    wrong.erase(name);
    EXPECT_NO_FATAL_FAILURE(error_of([&] {
      Reading reading(pipeline);
      reading.restore(wrong);
      reading.rest(30);
    }));
    for (const std::int64_t number : extremes) {
      wrong[name] = Tensor::scalar(number);
      EXPECT_NO_FATAL_FAILURE(error_of([&] {
        Reading reading(pipeline);
        reading.restore(wrong);
        reading.rest(30);
      }));
    }
    if (value.dtype() == DType::kString) continue;
    wrong[name] = Tensor::scalar<std::string>("nonsense");
    EXPECT_NE(error_of([&] {
                Reading reading(pipeline);
                reading.restore(wrong);
                reading.rest(30);
              }).code(),
              Code::kOk);
  }
}

}  // namespace
}  // namespace assay::data
