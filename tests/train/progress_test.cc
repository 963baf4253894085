#include "assay/train/progress.h"

#include <gtest/gtest.h>

namespace assay::train {
namespace {

TEST(Progress, AveragesOverFullWindows) {
  TrainOptions options;
  options.skip_step = 4;
  options.steps = 100;
  ProgressMeter meter(options, 0, 0);
  EXPECT_EQ(meter.average_loss(), 0);
  for (int step = 1; step <= 3; ++step) meter.add(step, step);
  EXPECT_EQ(meter.average_loss(), 2);  // of the steps so far
  meter.add(4, 6);
  EXPECT_TRUE(meter.due());
  TrainProgress p = meter.report();
  EXPECT_TRUE(p.window_complete);
  EXPECT_EQ(p.step, 4);
  EXPECT_EQ(p.last_step, 100);
  EXPECT_EQ(p.average_loss, 3);
  EXPECT_FALSE(meter.unreported());
  meter.add(5, 100);
  p = meter.report();
  EXPECT_FALSE(p.window_complete);
  EXPECT_EQ(p.average_loss, 3);  // of the last full window
  EXPECT_TRUE(meter.unreported());
  EXPECT_GE(p.seconds_left, 0);
}

TEST(Progress, EpochsTellTheTimeLeftOnceOneIsDone) {
  TrainOptions options;
  options.epochs = 3;
  ProgressMeter meter(options, 0, 0);
  meter.add(1, 1);
  EXPECT_EQ(meter.report().seconds_left, -1);
  meter.end_epoch(1);
  meter.add(2, 1);
  EXPECT_GE(meter.report().seconds_left, 0);
  EXPECT_EQ(meter.report().epoch, 1);
}

TEST(Progress, Lines) {
  TrainOptions options;
  options.items_per_step = 128;
  options.items_name = "words";
  TrainProgress p;
  p.step = 5000;
  p.average_loss = 65.32;
  p.steps_per_second = 100;
  p.seconds_left = 200;
  EXPECT_EQ(progress_line(p, options),
            "Average loss at step 5000:  65.3   100 steps/s   12800 words/s   3 min 20 s left");
  p.done = true;
  p.average_loss = 4.25;
  p.steps_per_second = 0;
  EXPECT_EQ(progress_line(p, options), "Average loss at step 5000: 4.25");
  EXPECT_EQ(duration_str(12.4), "12 s");
  EXPECT_EQ(duration_str(7500), "2 h 5 min");
  EXPECT_EQ(duration_str(-1), "0 s");
}

TEST(Progress, PlainLinesAreWindowsOnly) {
  TrainOptions options;
  TrainProgress p;
  p.step = 1;
  ::testing::internal::CaptureStdout();
  {
    ProgressPrinter printer(options);
    printer.show(p);
    p.window_complete = true;
    printer.show(p);
    printer.message("hello");
  }
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "Average loss at step 1: 0\nhello\n");
}

}  // namespace
}  // namespace assay::train
