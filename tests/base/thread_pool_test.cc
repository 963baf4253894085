#include "assay/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace assay {
namespace {

using Int = std::int64_t;

class ThreadPoolSizes : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolSizes, EveryIndexOnce) {
  ThreadPool pool(GetParam());
  for (const Int n : {0, 1, 7, 64, 1000}) {
    for (const Int grain : {0, 1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(n));
      pool.parallel_for(n, grain, [&](Int begin, Int end) {
        EXPECT_LT(begin, end);
        EXPECT_EQ(begin % std::max<Int>(1, grain), 0);
        for (Int i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
      });
      for (const auto& s : seen) EXPECT_EQ(s.load(), 1);
    }
  }
}

TEST_P(ThreadPoolSizes, ManyShortLoops) {
  ThreadPool pool(GetParam());
  std::atomic<Int> sum{0};
  for (int round = 0; round < 20000; ++round) {
    pool.parallel_for(4, 1, [&](Int begin, Int) { sum += begin; });
  }
  EXPECT_EQ(sum.load(), 20000 * 6);
}

TEST_P(ThreadPoolSizes, LoopsAfterSleep) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::atomic<int> count{0};
    pool.parallel_for(8, 1, [&](Int, Int) { ++count; });
    EXPECT_EQ(count.load(), 8);
  }
}

TEST_P(ThreadPoolSizes, FirstFailureByPieceIsThrown) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 200; ++round) {
    try {
      pool.parallel_for(64, 1, [&](Int begin, Int) {
        if (begin >= 5 && begin % 3 == 2) throw std::runtime_error(std::to_string(begin));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "5");
    }
  }
  // The pool still works.
  std::atomic<int> count{0};
  pool.parallel_for(10, 1, [&](Int, Int) { ++count; });
  EXPECT_EQ(count.load(), 10);
}

TEST_P(ThreadPoolSizes, NestedLoopsRunInline) {
  ThreadPool pool(GetParam());
  std::atomic<int> count{0};
  pool.parallel_for(8, 1, [&](Int, Int) {
    const auto outer = std::this_thread::get_id();
    pool.parallel_for(8, 1, [&](Int, Int) {
      EXPECT_EQ(std::this_thread::get_id(), outer);
      ++count;
    });
  });
  EXPECT_EQ(count.load(), 64);
}

TEST_P(ThreadPoolSizes, ConcurrentCallers) {
  ThreadPool pool(GetParam());
  std::atomic<Int> total{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        pool.parallel_for(16, 2, [&](Int begin, Int end) { total += end - begin; });
      }
    });
  }
  for (auto& c : callers) c.join();
  EXPECT_EQ(total.load(), 4 * 500 * 16);
}

INSTANTIATE_TEST_SUITE_P(All, ThreadPoolSizes, testing::Values(1, 2, 3, 8));

TEST(ThreadPool, WorkersTakePart) {
  ThreadPool pool(2);
  std::atomic<int> inside{0};
  std::atomic<bool> met{false};
  pool.parallel_for(2, 1, [&](Int, Int) {
    ++inside;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!met && std::chrono::steady_clock::now() < deadline) {
      if (inside == 2) met = true;
    }
  });
  EXPECT_TRUE(met);
}

TEST(ThreadPool, ThreadCountIsAtLeastOne) {
  EXPECT_EQ(ThreadPool(0).num_threads(), 1);
  EXPECT_EQ(ThreadPool(3).num_threads(), 3);
}

}  // namespace
}  // namespace assay
