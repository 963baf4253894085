#include "assay/train/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace assay::train {

namespace {

using Seconds = std::chrono::duration<double>;
constexpr auto kReportEvery = std::chrono::milliseconds(200);
constexpr double kRateWindowSeconds = 1.0;

/// Columns of the terminal, 0 when it does not say.
std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

ProgressMeter::ProgressMeter(const TrainOptions& options, std::int64_t first_step,
                             std::int64_t epoch)
    : options_(options),
      first_step_(first_step),
      step_(first_step),
      epoch_(epoch),
      epoch_start_step_(first_step),
      start_(Clock::now()),
      next_report_(start_ + kReportEvery),
      mark_time_(start_),
      mark_step_(first_step) {}

void ProgressMeter::add(std::int64_t step, double loss) {
  step_ = step;
  window_sum_ += loss;
  if (++window_steps_ >= options_.skip_step) window_full_ = true;
}

void ProgressMeter::end_epoch(std::int64_t epoch) {
  // A pass that a resume began in the middle says nothing about the length of the next.
  if (epoch_start_step_ != first_step_ || first_step_ == 0) {
    steps_per_epoch_ = step_ - epoch_start_step_;
  }
  epoch_ = epoch;
  epoch_start_step_ = step_;
}

double ProgressMeter::average_loss() const {
  if (has_average_) return average_;
  return window_steps_ > 0 ? window_sum_ / static_cast<double>(window_steps_) : 0;
}

double ProgressMeter::seconds() const {
  return Seconds(Clock::now() - start_).count();
}

TrainProgress ProgressMeter::report(bool done) {
  const auto now = Clock::now();
  const double lately = Seconds(now - mark_time_).count();
  if (lately >= kRateWindowSeconds || rate_ == 0) {
    if (lately > 0) rate_ = static_cast<double>(step_ - mark_step_) / lately;
    if (lately >= kRateWindowSeconds) {
      mark_time_ = now;
      mark_step_ = step_;
    }
  }
  TrainProgress p;
  p.step = step_;
  p.last_step = options_.steps;
  p.epoch = epoch_;
  p.window_complete = window_full_;
  p.done = done;
  if (window_full_) {
    average_ = window_sum_ / static_cast<double>(window_steps_);
    has_average_ = true;
    window_sum_ = 0;
    window_steps_ = 0;
    window_full_ = false;
  }
  p.average_loss = average_loss();
  p.steps_per_second = rate_;
  std::int64_t left = -1;
  if (options_.steps > 0) left = std::max<std::int64_t>(0, options_.steps - step_);
  if (options_.epochs > 0 && steps_per_epoch_ > 0) {
    const std::int64_t end = epoch_start_step_ + (options_.epochs - epoch_) * steps_per_epoch_;
    const std::int64_t by_epochs = std::max<std::int64_t>(0, end - step_);
    left = left < 0 ? by_epochs : std::min(left, by_epochs);
  }
  if (left >= 0 && rate_ > 0) p.seconds_left = static_cast<double>(left) / rate_;
  next_report_ = now + kReportEvery;
  return p;
}

std::string duration_str(double seconds) {
  const auto s = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
}

std::string progress_line(const TrainProgress& p, const TrainOptions& options) {
  std::string line = fmt::format("Average loss at step {}: {:5.1f}", p.step, p.average_loss);
  if (std::abs(p.average_loss) < 10) {
    line = fmt::format("Average loss at step {}: {:.4g}", p.step, p.average_loss);
  }
  if (p.steps_per_second > 0) {
    line += fmt::format("   {:.0f} steps/s", p.steps_per_second);
    if (options.items_per_step > 0) {
      line += fmt::format("   {:.0f} {}/s", p.steps_per_second * options.items_per_step,
                          options.items_name);
    }
  }
  if (p.seconds_left >= 0 && !p.done) line += "   " + duration_str(p.seconds_left) + " left";
  return line;
}

ProgressPrinter::ProgressPrinter(const TrainOptions& options)
    : options_(options), terminal_(options.print && isatty(STDOUT_FILENO) == 1) {}

ProgressPrinter::~ProgressPrinter() {
  clear_line();
}

void ProgressPrinter::clear_line() {
  if (!line_open_) return;
  std::fputs("\r\x1b[K", stdout);
  std::fflush(stdout);
  line_open_ = false;
}

void ProgressPrinter::show(const TrainProgress& progress) {
  if (!options_.print) return;
  const bool keep = progress.window_complete || progress.done;
  if (!terminal_ && !keep) return;
  clear_line();
  std::string line = progress_line(progress, options_);
  // A line that wraps could not be written over.
  if (const std::size_t width = terminal_ ? terminal_width() : 0; !keep && width > 0) {
    line.resize(std::min(line.size(), width - 1));
  }
  std::fputs(line.c_str(), stdout);
  if (keep) {
    std::fputc('\n', stdout);
  } else {
    line_open_ = true;
  }
  std::fflush(stdout);
}

void ProgressPrinter::message(const std::string& text) {
  if (!options_.print) return;
  clear_line();
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

}  // namespace assay::train
