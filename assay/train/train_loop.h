#pragma once

#include <memory>
#include <string>
#include <vector>

#include "assay/summary/file_writer.h"
#include "assay/train/model.h"
#include "assay/train/progress.h"
#include "assay/train/saver.h"

namespace assay {

/// One call of Model::train(): sets the session up, steps, saves.
class TrainLoop {
 public:
  TrainLoop(Model& model, const TrainOptions& options);
  TrainResult run();

 private:
  void check_options() const;
  void start_session();
  void start_events();
  void prepare_step();
  std::vector<Tensor> step_values();
  bool step();
  void count_pass();
  void save();
  void check_counts();
  bool wants_more() const;
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
  std::int64_t step_ = 0;
  std::int64_t epoch_ = 0;
  std::int64_t step_in_epoch_ = 0;
  std::int64_t saved_step_ = -1;
  bool prepared_ = false;
};

}  // namespace assay
