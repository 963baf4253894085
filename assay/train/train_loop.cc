#include "assay/train/train_loop.h"

#include <filesystem>

#include "assay/train/session_state.h"
#include "assay/train/training_util.h"

namespace assay {

namespace fs = std::filesystem;

namespace {

// Names in the session state that a checkpoint carries.
constexpr const char* kEpoch = "epoch";
constexpr const char* kStepInEpoch = "step_in_epoch";

double loss_value(const Tensor& loss) {
  switch (loss.dtype()) {
    case DType::kFloat:
      return loss.item<float>();
    case DType::kDouble:
      return loss.item<double>();
    default:
      invalid_argument("the loss is {}, not float32 or float64", dtype_name(loss.dtype()));
  }
}

std::int64_t state_number(const std::map<std::string, Tensor>& state, const char* name) {
  const auto found = state.find(name);
  return found == state.end() ? 0 : found->second.item<std::int64_t>();
}

}  // namespace

TrainLoop::TrainLoop(Model& model, const TrainOptions& options)
    : model_(model), options_(options), printer_(options) {}

void TrainLoop::check_options() const {
  if (options_.steps < 0) invalid_argument("steps is {}; it must not be negative", options_.steps);
  if (options_.epochs < 0) {
    invalid_argument("epochs is {}; it must not be negative", options_.epochs);
  }
  if (options_.steps == 0 && options_.epochs == 0) {
    invalid_argument("say how long to train: by steps, by epochs, or by both");
  }
  if (options_.skip_step <= 0) {
    invalid_argument("skip_step is {}; it must be positive", options_.skip_step);
  }
  if (options_.save_every < 0 || options_.summary_every < 0) {
    invalid_argument("save_every ({}) and summary_every ({}) must not be negative",
                     options_.save_every, options_.summary_every);
  }
}

std::string TrainLoop::path() const {
  return (fs::path(train::checkpoint_dir(options_.run_dir)) / options_.checkpoint_name).string();
}

void TrainLoop::start_session() {
  Model& m = model_;
  m.session_ = std::make_unique<Session>(
      SessionOptions{.graph = m.graph_.get(), .threads = options_.threads});
  Session& session = *m.session_;
  m.saver_->set_max_to_keep(options_.max_to_keep);
  std::map<std::string, Tensor> state;
  std::vector<std::string> candidates;
  if (!options_.run_dir.empty()) {
    train::open_run_dir(options_.run_dir, {options_.model, options_.parameters});
    const std::string dir = train::checkpoint_dir(options_.run_dir);
    std::error_code error;
    fs::create_directories(dir, error);
    if (error) fail(Code::kPermissionDenied, "'{}' cannot be made: {}", dir, error.message());
    candidates = train::find_checkpoints(dir);
  }
  if (candidates.empty()) {
    session.run({}, {}, {m.init_});
    session.run({}, {}, {m.local_init_});
  } else {
    std::vector<std::string> damaged;
    result_.resumed_from = m.restore(options_.run_dir, &damaged);
    for (const std::string& message : damaged) {
      fmt::print(stderr, "warning: a checkpoint is damaged: {}\n", message);
    }
    if (!damaged.empty()) {
      fmt::print(stderr, "warning: going on from the older '{}'\n", result_.resumed_from);
    }
    state = train::Saver::read_session_state(result_.resumed_from);
    m.saver_->recover_last_checkpoints({candidates.rbegin(), candidates.rend()});
  }
  step_ = train::global_step(session, m.global_step());
  result_.first_step = step_;
  epoch_ = state_number(state, kEpoch);
  step_in_epoch_ = state_number(state, kStepInEpoch);
  saved_step_ = result_.resumed_from.empty() ? -1 : step_;
  m.on_ready(session);
  if (!wants_more()) return;
  m.initialize_data(session);
  if (state.empty()) return;
  if (!train::restore_iterators(session.resources(), state)) pass_over(step_in_epoch_);
  train::restore_random_streams(session.resources(), state);
}

void TrainLoop::pass_over(std::int64_t batches) {
  std::vector<Node*> readers;
  for (const auto& node : model_.graph_->nodes()) {
    if (node->op() == "IteratorGetNext") readers.push_back(node.get());
  }
  if (readers.empty()) return;
  const Callable next = model_.session_->make_callable({.targets = readers});
  try {
    for (std::int64_t i = 0; i < batches; ++i) next();
  } catch (const Error& e) {
    if (e.code() != Code::kOutOfRange) throw;
    count_pass();
  }
}

void TrainLoop::start_events() {
  if (options_.run_dir.empty()) return;
  events_ = std::make_unique<summary::FileWriter>(options_.run_dir);
  if (result_.resumed_from.empty()) {
    events_->add_graph(*model_.graph_);
    events_->add_meta_graph(train::export_meta_graph(*model_.graph_, model_.saver_.get()));
  }
  // Readers drop what an earlier process wrote from this step on: those steps come again.
  const std::int64_t first = result_.resumed_from.empty() ? step_ : step_ + 1;
  events_->add_session_log(summary::SessionStatus::kStart, first);
}

bool TrainLoop::wants_more() const {
  if (options_.steps > 0 && step_ >= options_.steps) return false;
  return options_.epochs == 0 || epoch_ < options_.epochs;
}

void TrainLoop::prepare(const std::vector<Feed>& feeds) {
  feed_targets_.clear();
  for (const Feed& feed : feeds) feed_targets_.push_back(feed.target);
  Session& session = *model_.session_;
  plain_ = session.make_callable(
      {.feeds = feed_targets_, .fetches = {model_.loss_}, .targets = {model_.train_op_}});
  if (events_ != nullptr && options_.summary_every > 0 && model_.summary_op_) {
    with_summary_ = session.make_callable({.feeds = feed_targets_,
                                           .fetches = {model_.loss_, model_.summary_op_},
                                           .targets = {model_.train_op_}});
  }
  prepared_ = true;
}

void TrainLoop::step() {
  const std::vector<Feed> feeds = model_.next_feeds();
  bool same = prepared_ && feeds.size() == feed_targets_.size();
  for (std::size_t i = 0; same && i < feeds.size(); ++i) same = feeds[i].target == feed_targets_[i];
  if (!same) prepare(feeds);
  std::vector<Tensor> values;
  values.reserve(feeds.size());
  for (const Feed& feed : feeds) values.push_back(feed.value);

  const bool summary = with_summary_due();
  const std::vector<Tensor> out = summary ? with_summary_(values) : plain_(values);
  ++step_;
  ++step_in_epoch_;
  const double loss = loss_value(out[0]);
  if (step_ == result_.first_step + 1) check_global_step();
  meter_->add(step_, loss);
  if (summary) events_->add_summary(out[1], step_);
  if (options_.on_step) options_.on_step(step_, static_cast<float>(loss));
}

bool TrainLoop::with_summary_due() const {
  return events_ != nullptr && options_.summary_every > 0 && model_.summary_op_ &&
         (step_ + 1) % options_.summary_every == 0;
}

void TrainLoop::check_global_step() const {
  const std::int64_t counted = train::global_step(*model_.session_, *model_.global_step_);
  if (counted != step_) {
    fail(Code::kFailedPrecondition,
         "the train op left the global step at {} instead of {}; pass {{.global_step = "
         "global_step()}} to minimize() in create_optimizer()",
         counted, step_);
  }
}

void TrainLoop::count_pass() {
  if (step_in_epoch_ == 0) {
    fail(Code::kInvalidArgument,
         "the data holds nothing: a pass over it ended before its first step");
  }
  ++epoch_;
  step_in_epoch_ = 0;
  if (meter_ != nullptr) meter_->end_epoch(epoch_);
  if (wants_more()) model_.initialize_data(*model_.session_);
}

void TrainLoop::save() {
  if (options_.run_dir.empty() || saved_step_ == step_) return;
  if (events_ != nullptr) events_->flush();
  train::SaveOptions how{.global_step = step_,
                         .session_state = train::save_session_state(model_.session_->resources())};
  how.session_state[kEpoch] = Tensor::scalar(epoch_);
  how.session_state[kStepInEpoch] = Tensor::scalar(step_in_epoch_);
  result_.checkpoint = model_.saver_->save(*model_.session_, path(), how);
  saved_step_ = step_;
  if (events_ != nullptr) {
    events_->add_session_log(summary::SessionStatus::kCheckpoint, step_, result_.checkpoint);
  }
}

TrainResult TrainLoop::run() {
  check_options();
  start_session();
  if (!result_.resumed_from.empty()) {
    printer_.message(fmt::format("Resuming from {} at step {}", result_.resumed_from, step_));
    result_.checkpoint = result_.resumed_from;
  }
  meter_ = std::make_unique<train::ProgressMeter>(options_, step_, epoch_);
  const auto show = [&](bool done) {
    const TrainProgress progress = meter_->report(done);
    printer_.show(progress);
    if (options_.on_progress) options_.on_progress(progress);
  };
  const auto stop_asked = [&] {
    return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed);
  };
  if (wants_more()) {
    start_events();
    while (wants_more() && !stop_asked()) {
      try {
        step();
      } catch (const Error& e) {
        if (e.code() != Code::kOutOfRange) throw;
        count_pass();
        continue;
      }
      if (meter_->due()) show(false);
      if (options_.save_every > 0 && step_ % options_.save_every == 0) save();
    }
    result_.stopped = wants_more();
    if (step_ > result_.first_step) {
      save();
      if (meter_->unreported() || options_.on_progress) show(true);
    }
    if (events_ != nullptr) events_->close();
  }
  result_.step = step_;
  result_.epoch = epoch_;
  result_.average_loss = meter_->average_loss();
  result_.seconds = meter_->seconds();
  return result_;
}

}  // namespace assay
