#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace assay {

/// The threads that do a session's arithmetic. Work is cut by its size alone, never by the number
/// of threads, so results do not depend on it. Workers spin for a bounded time, then block.
class ThreadPool {
 public:
  /// `threads` in all, the calling one among them: 1 starts none.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return threads_; }

  /// Runs body(begin, end) over [0, n) in pieces of `grain` (the last may be shorter); returns
  /// when all are done. One piece, or one thread, runs inline in order. The caller takes part. An
  /// exception of a piece is rethrown here, the first by piece number. Concurrent and nested
  /// calls are allowed (nested ones run inline).
  template <typename Body>
  void parallel_for(std::int64_t n, std::int64_t grain, Body&& body) {
    if (n <= 0) return;
    if (grain < 1) grain = 1;
    if (threads_ == 1 || n <= grain) {
      for (std::int64_t begin = 0; begin < n; begin += grain) {
        body(begin, begin + grain < n ? begin + grain : n);
      }
      return;
    }
    run(n, grain, std::function<void(std::int64_t, std::int64_t)>(std::ref(body)));
  }

 private:
  void run(std::int64_t n, std::int64_t grain,
           std::function<void(std::int64_t, std::int64_t)> body);

  struct State;
  int threads_;
  std::unique_ptr<State> state_;
};

}  // namespace assay
