#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "assay/api/variable.h"
#include "assay/graph/graph.h"
#include "assay/runtime/session.h"
#include "assay/train/run_dir.h"

namespace assay {

namespace train {
class Saver;
}

/// How far a training run has come.
struct TrainProgress {
  std::int64_t step = 0;         ///< the global step: train steps done since the run began
  std::int64_t last_step = 0;    ///< where the run ends; 0 when only the data's end says
  std::int64_t epoch = 0;        ///< passes over the data finished
  double average_loss = 0;       ///< over the last `skip_step` steps, or those so far if fewer
  double steps_per_second = 0;   ///< lately
  double seconds_left = -1;      ///< at this speed; -1 when unknown
  bool window_complete = false;  ///< `skip_step` steps are full: a line worth keeping
  bool done = false;             ///< the last report of this call
};

/// How to train. Steps are global: a resumed run counts on.
struct TrainOptions {
  /// Where run.json, the event file and checkpoints/ go; "" keeps nothing on disk.
  std::string run_dir;
  /// The name and the parameters that run.json keeps, and that must be the same on resume.
  std::string model = "model";
  train::Parameters parameters = {};
  /// A run that begins goes on from this checkpoint instead of anew: a fork. run.json keeps it, and
  /// it must be the same on resume or not given. Without a run folder nothing is kept.
  std::optional<train::RunParent> parent = {};
  /// Stop when the global step reaches this; 0: no limit.
  std::int64_t steps = 0;
  /// Stop after so many passes over the data; 0: no limit (the data starts again at its end).
  std::int64_t epochs = 0;
  /// A checkpoint every so many steps, and one at the end; 0: only at the end. One that cannot be
  /// written is a warning, and the next is tried when it is due; the last one's error is thrown.
  std::int64_t save_every = 10000;
  /// Write checkpoints on a thread of their own while training goes on; that takes the memory of a
  /// second copy of the variables.
  bool async_save = true;
  /// The merged summaries into the event file every so many steps; 0: never.
  std::int64_t summary_every = 100;
  /// The loss is averaged over so many steps and then reported.
  std::int64_t skip_step = 1000;
  /// Checkpoints to keep; older ones of this run are deleted.
  int max_to_keep = 5;
  /// The checkpoints' name: checkpoints/NAME-STEP.
  std::string checkpoint_name = "model.ckpt";
  /// Resume even when the data is not what it was at the checkpoint: a new pass over it begins.
  /// Otherwise that is an error which says what has changed. Of what next_feeds() gives, only an
  /// end before the place of the checkpoint is noticed.
  bool accept_changed_data = false;
  /// Threads for arithmetic, 0: one for each processor.
  int threads = 0;
  /// What random ops without a seed draw from. Nothing: what run.json has, drawn anew for a new
  /// run.
  std::optional<std::uint64_t> entropy = std::nullopt;
  /// Set from anywhere (a signal handler too): the step under way ends, a checkpoint is saved.
  const std::atomic<bool>* stop = nullptr;
  /// What one step works on, for "items/s" in the progress line; 0 leaves it out.
  double items_per_step = 0;
  std::string items_name = "items";
  /// Print progress to standard output: a line that moves on a terminal, plain lines elsewhere.
  bool print = true;
  /// Called about five times a second, at each full window and at the end.
  std::function<void(const TrainProgress&)> on_progress = {};
  /// Called after every step with the global step and the loss.
  std::function<void(std::int64_t, float)> on_step = {};
};

/// What a call of train() did.
struct TrainResult {
  std::int64_t first_step = 0;  ///< the global step it started from
  std::int64_t step = 0;        ///< the global step it ended at
  std::int64_t epoch = 0;       ///< passes over the data finished since the run began
  double average_loss = 0;      ///< of the last full window, else of the steps so far
  double seconds = 0;
  bool stopped = false;      ///< `stop` was set
  std::string resumed_from;  ///< the run's checkpoint that it went on from; "" when it began
  std::string forked_from;   ///< another run's checkpoint that it began with; "" for none
  std::string checkpoint;    ///< the last one saved
};

/// A complete experiment in the notes' five steps: data, inference, loss, optimizer, summaries.
/// A derived class overrides the steps; build() assembles the graph; train() holds the loop,
/// checkpoints, event file, progress, and goes on from the newest checkpoint that is whole.
/// Not thread-safe.
class Model {
 public:
  /// Makes the model's own empty graph.
  Model();
  virtual ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  /// Phase one: runs the five steps in the model's own graph, once. train() calls it if need be.
  void build();
  bool built() const { return built_; }

  /// Phase two: trains until `options.steps`, the end of the data, or `options.stop`. Resumes
  /// when `options.run_dir` holds a checkpoint; a damaged one is reported on standard error and
  /// the next older one is taken. Without a run folder every call begins anew. Throws Error; what
  /// was saved before stays on disk.
  TrainResult train(const TrainOptions& options);

  /// Restores the newest whole checkpoint under `run_dir` into the session (made if need be);
  /// returns its prefix. Throws NotFound when there is none. `skipped` (may be null) gets one
  /// message for each newer one that was damaged.
  std::string restore(const std::string& run_dir, std::vector<std::string>* skipped = nullptr);

  Graph& graph() { return *graph_; }
  /// The session of train() or restore(); made, with every processor, when there is none yet.
  /// Throws FailedPrecondition before build().
  Session& session();
  /// The saver of all variables, part of the graph once it is built.
  train::Saver& saver();
  /// int64 "global_step"; made at the first call, before or during build().
  Variable global_step();
  Output loss() const { return loss_; }
  Node* train_op() const { return train_op_; }
  Output summary_op() const { return summary_op_; }

 protected:
  /// Step 1: where the batches come from.
  virtual void import_data() {}
  /// Step 2: from the batch to the model's output.
  virtual void create_inference() {}
  /// Step 2, as a model of embeddings names it; by default create_inference().
  virtual void create_embedding() { create_inference(); }
  /// Step 3: sets loss_.
  virtual void create_loss() = 0;
  /// Step 4: sets train_op_; must increment global_step().
  virtual void create_optimizer() = 0;
  /// Step 5: sets summary_op_, if any.
  virtual void create_summaries() {}

  /// Starts a pass over the data. By default runs the initialiser of every iterator that the
  /// graph makes; override it when an iterator can be initialised from several datasets.
  virtual void initialize_data(Session& session);
  /// What to feed in the next step. Throw OutOfRange at the end of a pass. By default nothing.
  virtual std::vector<Feed> next_feeds() { return {}; }
  /// Passes over what next_feeds() gave in the first `steps` steps of a pass that was interrupted,
  /// so that a resumed run is fed the rest. By default calls it so often, unless it feeds nothing;
  /// override it where there is a shorter way.
  virtual void skip_feeds(std::int64_t steps);
  /// Called once the variables are there: initialised or restored.
  virtual void on_ready(Session&) {}

  Output loss_;
  Node* train_op_ = nullptr;
  Output summary_op_;

 private:
  friend class TrainLoop;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Session> session_;
  std::optional<Variable> global_step_;
  std::unique_ptr<train::Saver> saver_;
  Node* init_ = nullptr;
  Node* local_init_ = nullptr;
  bool built_ = false;
};

}  // namespace assay
