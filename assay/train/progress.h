#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "assay/train/model.h"

namespace assay::train {

/// Turns steps into TrainProgress: averages, speed, time left. One thread.
class ProgressMeter {
 public:
  using Clock = std::chrono::steady_clock;

  /// `first_step` and `epoch` are where training goes on from.
  ProgressMeter(const TrainOptions& options, std::int64_t first_step, std::int64_t epoch);

  /// Counts a step and its loss.
  void add(std::int64_t step, double loss);
  /// Counts a pass over the data.
  void end_epoch(std::int64_t epoch);
  /// True when a report is due: the window is full, or a fifth of a second has passed.
  bool due() const { return window_full_ || Clock::now() >= next_report_; }
  /// The state now; starts the next window when this one is full.
  TrainProgress report(bool done = false);
  /// True when steps were counted since the last full window.
  bool unreported() const { return window_steps_ > 0; }
  /// Over the last full window, else over the steps so far; 0 without any.
  double average_loss() const;
  double seconds() const;

 private:
  const TrainOptions& options_;
  std::int64_t first_step_;
  std::int64_t step_;
  std::int64_t epoch_ = 0;
  std::int64_t epoch_start_step_;
  std::int64_t steps_per_epoch_ = 0;
  double window_sum_ = 0;
  std::int64_t window_steps_ = 0;
  bool window_full_ = false;
  bool has_average_ = false;
  double average_ = 0;
  Clock::time_point start_;
  Clock::time_point next_report_;
  Clock::time_point mark_time_;  // the speed is measured from here
  std::int64_t mark_step_;
  double rate_ = 0;
};

/// "Average loss at step 5000:  65.3   4821 steps/s   617088 words/s   12 s left".
std::string progress_line(const TrainProgress& progress, const TrainOptions& options);

/// "12 s", "3 min 20 s", "2 h 5 min".
std::string duration_str(double seconds);

/// Prints progress: one line that is written over on a terminal, else a line for each window.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(const TrainOptions& options);
  ~ProgressPrinter();
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;
  void show(const TrainProgress& progress);
  /// A line of its own.
  void message(const std::string& text);

 private:
  void clear_line();
  const TrainOptions& options_;
  bool terminal_;
  bool line_open_ = false;
};

}  // namespace assay::train
