#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "assay/summary/file_writer.h"
#include "assay/train/model.h"
#include "assay/train/progress.h"
#include "assay/train/saver.h"

namespace assay {

/// One call of Model::train(): sets the session up, steps, reports, saves.
class TrainLoop {
 public:
  TrainLoop(Model& model, const TrainOptions& options);
  TrainResult run();

 private:
  void check_options() const;
  void start_session();
  /// Reads and drops the next `batches` elements of the data.
  void pass_over(std::int64_t batches);
  void start_events();
  bool wants_more() const;
  /// Makes the callables for these feeds.
  void prepare(const std::vector<Feed>& feeds);
  /// One train step; throws OutOfRange at the end of the data.
  void step();
  bool with_summary_due() const;
  void check_global_step() const;
  void count_pass();
  void save();
  std::string path() const;

  Model& model_;
  const TrainOptions& options_;
  train::ProgressPrinter printer_;
  std::unique_ptr<summary::FileWriter> events_;
  std::unique_ptr<train::ProgressMeter> meter_;
  TrainResult result_;
  Callable plain_;
  Callable with_summary_;
  std::vector<Output> feed_targets_;
  bool prepared_ = false;
  std::int64_t step_ = 0;
  std::int64_t epoch_ = 0;          // passes over the data finished
  std::int64_t step_in_epoch_ = 0;  // steps of the pass under way
  std::int64_t saved_step_ = -1;
};

}  // namespace assay
