#include "assay/device/cpu/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

namespace assay::cpu {
namespace {

template <typename T>
std::vector<T> numbers(std::int64_t n, int seed) {
  std::vector<T> v(static_cast<std::size_t>(n));
  std::uint32_t state = static_cast<std::uint32_t>(seed) * 2654435761u + 1;
  for (T& x : v) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<T>(static_cast<int>(state >> 24) - 128);
    if constexpr (std::is_floating_point_v<T>) x /= 64;
  }
  return v;
}

template <typename T>
std::vector<double> reference(const GemmShape& s, const std::vector<T>& a,
                              const std::vector<T>& b) {
  std::vector<double> c(static_cast<std::size_t>(s.m * s.n), 0);
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = 0;
      for (std::int64_t p = 0; p < s.k; ++p) {
        const auto x = static_cast<std::size_t>(s.transpose_a ? p * s.m + i : i * s.k + p);
        const auto y = static_cast<std::size_t>(s.transpose_b ? j * s.k + p : p * s.n + j);
        sum += static_cast<double>(a[x]) * static_cast<double>(b[y]);
      }
      c[static_cast<std::size_t>(i * s.n + j)] = sum;
    }
  }
  return c;
}

void multiply(const GemmShape& s, const float* a, const float* b, float* c, ThreadPool& pool) {
  Gemm(s).run(a, b, c, pool);
}
template <typename T>
void multiply(const GemmShape& s, const T* a, const T* b, T* c, ThreadPool& pool) {
  gemm(s, a, b, c, pool);
}

template <typename T>
void check(std::int64_t m, std::int64_t n, std::int64_t k) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const GemmShape s{m, n, k, ta, tb};
      const auto a = numbers<T>(m * k, 1);
      const auto b = numbers<T>(k * n, 2);
      const auto want = reference(s, a, b);
      std::vector<T> one(static_cast<std::size_t>(m * n + 1), T(77));
      std::vector<T> three = one;
      ThreadPool pool1(1);
      ThreadPool pool3(3);
      multiply(s, a.data(), b.data(), one.data(), pool1);
      multiply(s, a.data(), b.data(), three.data(), pool3);
      EXPECT_EQ(one.back(), T(77));
      ASSERT_EQ(std::memcmp(one.data(), three.data(), one.size() * sizeof(T)), 0)
          << "the bits depend on the threads: " << m << " " << n << " " << k;
      for (std::size_t i = 0; i < want.size(); ++i) {
        ASSERT_NEAR(static_cast<double>(one[i]), want[i], 1e-6 * (1 + static_cast<double>(k)))
            << m << " " << n << " " << k << " " << ta << tb << " at " << i;
      }
    }
  }
}

TEST(Gemm, Float) {
  check<float>(1, 1, 1);
  check<float>(3, 5, 0);
  check<float>(2, 3, 4);
  check<float>(17, 19, 1);
  check<float>(1, 50, 60);
  check<float>(50, 1, 60);
  check<float>(33, 47, 65);
  check<float>(128, 64, 128);
  check<float>(300, 200, 100);
}

TEST(Gemm, FloatInPieces) {
  check<float>(1000, 70, 90);
  check<float>(70, 1500, 90);
  check<float>(500, 700, 65);
}

TEST(Gemm, LongVectors) {
  check<float>(20000, 1, 200);
  check<float>(1, 20000, 200);
}

TEST(Gemm, Double) {
  check<double>(1, 1, 1);
  check<double>(5, 7, 0);
  check<double>(33, 47, 65);
  check<double>(150, 140, 300);
}

TEST(Gemm, Integers) {
  check<std::int32_t>(33, 47, 65);
  check<std::int64_t>(70, 130, 140);
}

// One prepared product may run on several threads at once.
TEST(Gemm, Concurrent) {
  const GemmShape s{64, 64, 64, false, true};
  const Gemm gemm(s);
  const auto a = numbers<float>(64 * 64, 1);
  const auto b = numbers<float>(64 * 64, 2);
  const auto want = reference(s, a, b);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      ThreadPool pool(1);
      std::vector<float> c(64 * 64);
      for (int round = 0; round < 300; ++round) {
        std::fill(c.begin(), c.end(), 0.0f);
        gemm.run(a.data(), b.data(), c.data(), pool);
        for (std::size_t i = 0; i < c.size(); ++i) ASSERT_NEAR(c[i], want[i], 1e-3);
      }
    });
  }
  for (auto& t : threads) t.join();
}

// The pool's threads are the only ones: oneDNN's runtime must not start any.
TEST(Gemm, StartsNoThreads) {
  const auto count = [] {
    std::ptrdiff_t n = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/self/task")) {
      ++n;
    }
    return n;
  };
  const auto before = count();
  ThreadPool pool(1);
  for (const bool transpose : {false, true}) {
    const GemmShape s{512, 512, 512, transpose, transpose};
    const std::vector<float> a(512 * 512, 1);
    std::vector<float> c(512 * 512);
    Gemm(s).run(a.data(), a.data(), c.data(), pool);
    const GemmShape vector{512, 1, 512, transpose, transpose};
    Gemm(vector).run(a.data(), a.data(), c.data(), pool);
  }
  EXPECT_EQ(count(), before);
}

}  // namespace
}  // namespace assay::cpu
