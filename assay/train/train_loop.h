#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "assay/base/file_system.h"
#include "assay/summary/file_writer.h"
#include "assay/train/model.h"
#include "assay/train/progress.h"
#include "assay/train/saver.h"

namespace assay {

/// One call of Model::train(): sets the session up, steps, reports, saves.
class TrainLoop {
 public:
  /// Both must outlive the loop.
  TrainLoop(Model& model, const TrainOptions& options);
  /// Waits for a save under way before the run folder is given back: after an error too.
  ~TrainLoop();
  TrainResult run();

 private:
  void check_options() const;
  void start_session();
  /// Restores the checkpoint of another run that this one begins with; returns its session state.
  std::map<std::string, Tensor> begin_fork(const train::RunParent& parent);
  /// Puts the data where the checkpoint was.
  void restore_data(const std::map<std::string, Tensor>& state);
  /// Reads and drops the next `batches` elements of iterators that cannot say where they stand.
  void pass_over(const std::vector<std::string>& iterators, std::int64_t batches);
  /// Warns when points that the checkpoint counts on are gone.
  void check_events(const std::map<std::string, Tensor>& state) const;
  void start_events();
  bool wants_more() const;
  /// Makes the callables for these feeds.
  void prepare(const std::vector<Feed>& feeds);
  /// One train step; throws OutOfRange at the end of the data.
  void step();
  bool with_summary_due() const;
  void check_global_step() const;
  void count_pass();
  /// The last one is on the disk on return, or what went wrong is thrown; another one that fails
  /// is told of, and the next is tried when it is due.
  void save(bool last);
  /// Waits for the save under way; throws what went wrong with it when `must_be_good`.
  void finish_saving(bool must_be_good);
  void warn_unsaved(std::int64_t step, const Error& error) const;
  /// Makes a fork a run of its own: saves what it begins with, for good.
  void save_fork();
  /// Tells of the save that was under way and has ended well.
  void log_saved();
  std::string path() const;

  Model& model_;
  const TrainOptions& options_;
  train::ProgressPrinter printer_;
  std::unique_ptr<FileLock> lock_;  // on the run folder
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
  std::optional<std::pair<std::int64_t, std::string>> saving_;  // step and prefix of a save
};

}  // namespace assay
