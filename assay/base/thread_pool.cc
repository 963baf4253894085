#include "assay/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "assay/base/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace assay {
namespace {

using Body = std::function<void(std::int64_t, std::int64_t)>;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

// How long to spin before blocking: a little more than the usual gap between two parallel loops
// of one step, short enough that a neighbour on the same core hardly notices.
constexpr auto kSpin = std::chrono::microseconds(40);

// Polls `ready` for a bounded time; tells whether it came true.
template <typename Ready>
bool spin_until(Ready&& ready) {
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

// True on workers, and on callers while they work on their own loop: nested loops run inline.
thread_local bool inside_loop = false;

// The ticket: in the upper half the number of the job, in the lower the next piece to be taken.
constexpr std::uint64_t kPieceMask = 0xffffffffu;
constexpr std::int64_t kMaxPieces = 0x7fffffff;

}  // namespace

// One job at a time. Whoever swaps `ticket` from (job, k) to (job, k + 1) owns piece k; that swap
// fails once the job is over, so a worker that slept through it touches nothing of it. The
// caller waits only for pieces that were taken.
struct ThreadPool::State {
  std::atomic<bool> busy{false};  // a caller has the pool
  std::atomic<std::uint64_t> ticket{kPieceMask};
  std::atomic<const Body*> body{nullptr};
  std::atomic<std::int64_t> n{0};
  std::atomic<std::int64_t> grain{1};
  std::atomic<std::int64_t> pieces{0};
  std::atomic<int> done{0};
  std::atomic<std::int64_t> failed{std::numeric_limits<std::int64_t>::max()};
  std::mutex error_mutex;
  std::exception_ptr error;  // of piece `failed`

  std::atomic<int> sleepers{0};
  std::atomic<int> wake{0};
  std::atomic<bool> stopping{false};
  std::vector<std::thread> workers;

  // Takes and runs pieces of the job that `ticket` names until there are none.
  void work() {
    std::uint64_t t = ticket.load(std::memory_order_acquire);
    for (;;) {
      const std::int64_t piece = static_cast<std::int64_t>(t & kPieceMask);
      // Acquire: a value of a later job makes the swap below fail.
      const std::int64_t count = pieces.load(std::memory_order_acquire);
      const Body* const f = body.load(std::memory_order_acquire);
      const std::int64_t size = n.load(std::memory_order_acquire);
      const std::int64_t step = grain.load(std::memory_order_acquire);
      if (piece >= count) return;
      if (!ticket.compare_exchange_weak(t, t + 1, std::memory_order_acq_rel)) continue;
      run_piece(*f, piece, size, step);
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == count) done.notify_one();
      t = ticket.load(std::memory_order_acquire);
    }
  }

  void run_piece(const Body& f, std::int64_t piece, std::int64_t size, std::int64_t step) {
    // A piece before the failed one still runs: its failure is the one to be reported.
    if (piece > failed.load(std::memory_order_relaxed)) return;
    try {
      f(piece * step, std::min(size, (piece + 1) * step));
    } catch (...) {
      std::lock_guard lock(error_mutex);
      if (piece < failed.load(std::memory_order_relaxed)) {
        failed.store(piece, std::memory_order_relaxed);
        error = std::current_exception();
      }
    }
  }

  bool has_work() const {
    // In one order with `sleepers`: a worker about to sleep sees the job, or its caller sees it.
    const std::uint64_t t = ticket.load(std::memory_order_seq_cst);
    return static_cast<std::int64_t>(t & kPieceMask) < pieces.load(std::memory_order_acquire);
  }

  void stop() {
    stopping.store(true);
    wake.fetch_add(1);
    wake.notify_all();
    for (auto& worker : workers) worker.join();
  }

  void worker_loop() {
    inside_loop = true;
    for (;;) {
      const auto ready = [this] { return has_work() || stopping.load(std::memory_order_acquire); };
      if (!spin_until(ready)) {
        sleepers.fetch_add(1);
        const int seen = wake.load();
        if (!ready()) wake.wait(seen);
        sleepers.fetch_sub(1);
      }
      if (stopping.load(std::memory_order_acquire)) return;
      work();
    }
  }
};

ThreadPool::ThreadPool(int threads)
    : threads_(std::max(1, threads)), state_(std::make_unique<State>()) {
  try {
    for (int i = 1; i < threads_; ++i) {
      state_->workers.emplace_back([state = state_.get()] { state->worker_loop(); });
    }
  } catch (const std::system_error& e) {
    const std::size_t started = state_->workers.size() + 1;
    state_->stop();
    fail(Code::kUnavailable, "the system gives {} threads of the {} asked for: {}", started,
         threads_, e.what());
  }
}

ThreadPool::~ThreadPool() {
  state_->stop();
}

void ThreadPool::run(std::int64_t n, std::int64_t grain, Body body) {
  State& s = *state_;
  const std::int64_t pieces = (n - 1) / grain + 1;
  // Nested, or the pool serves another caller, or too many pieces to number: all on this thread.
  if (inside_loop || pieces > kMaxPieces || s.busy.exchange(true, std::memory_order_acquire)) {
    for (std::int64_t begin = 0; begin < n; begin += grain) body(begin, std::min(n, begin + grain));
    return;
  }
  // Close the last job's ticket before its fields change.
  const std::uint64_t job = (s.ticket.load(std::memory_order_relaxed) >> 32) + 1;
  s.ticket.store((job << 32) | kPieceMask, std::memory_order_seq_cst);
  s.done.store(0, std::memory_order_relaxed);
  s.failed.store(std::numeric_limits<std::int64_t>::max(), std::memory_order_relaxed);
  s.body.store(&body, std::memory_order_release);
  s.n.store(n, std::memory_order_release);
  s.grain.store(grain, std::memory_order_release);
  s.pieces.store(pieces, std::memory_order_release);
  s.ticket.store(job << 32, std::memory_order_seq_cst);
  if (s.sleepers.load(std::memory_order_seq_cst) > 0) {
    s.wake.fetch_add(1);
    if (pieces > 2) {
      s.wake.notify_all();
    } else {
      s.wake.notify_one();
    }
  }

  inside_loop = true;
  s.work();
  inside_loop = false;

  const auto finished = [&s, pieces] { return s.done.load(std::memory_order_acquire) == pieces; };
  if (!spin_until(finished)) {
    for (int seen = s.done.load(std::memory_order_acquire); seen != pieces;
         seen = s.done.load(std::memory_order_acquire)) {
      s.done.wait(seen);
    }
  }
  std::exception_ptr error;
  {
    std::lock_guard lock(s.error_mutex);
    error = std::exchange(s.error, nullptr);
  }
  s.busy.store(false, std::memory_order_release);
  if (error) std::rethrow_exception(error);
}

}  // namespace assay
