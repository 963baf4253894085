#include "assay/train/train_loop.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "assay/base/file_system.h"
#include "assay/base/log.h"
#include "assay/device/entropy.h"
#include "assay/graph/random_nodes.h"
#include "assay/train/restore_newest.h"
#include "assay/train/retention.h"
#include "assay/train/session_state.h"
#include "assay/train/training_util.h"

namespace assay {

namespace fs = std::filesystem;

namespace {

// Names in the session state that a checkpoint carries.
constexpr const char* kEpoch = "train/epoch";
constexpr const char* kStepInEpoch = "train/step_in_epoch";
constexpr const char* kEventFile = "events/file";
constexpr const char* kEventBytes = "events/bytes";

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
  if (found == state.end()) return 0;
  const Tensor& value = found->second;
  if (value.dtype() != DType::kInt64 || value.num_elements() != 1) {
    fail(Code::kDataLoss, "the checkpoint's '{}' is {}{}, expected one int64", name,
         dtype_name(value.dtype()), value.shape().str());
  }
  return *value.data<std::int64_t>();
}

/// The name of the iterator that an IteratorGetNext node reads.
std::string iterator_read_by(const Node& node) {
  const Node& iterator = *node.input(0).node;
  const auto shared = iterator.attr_or<std::string>("shared_name", "");
  return shared.empty() ? iterator.name() : shared;
}

/// Whether random ops of the graph have no seed.
bool draws_entropy(const Graph& graph) {
  const auto ops = random_nodes(graph);
  const auto functions = function_graphs(graph);
  return std::any_of(ops.begin(), ops.end(),
                     [](const RandomNode& n) { return n.origin == SeedOrigin::kEntropy; }) ||
         std::any_of(functions.begin(), functions.end(),
                     [](const Graph* function) { return draws_entropy(*function); });
}

/// Throws DataLoss when checkpoints were set aside as damaged: a run that was trained must not
/// begin anew unasked.
void check_none_damaged(const std::string& dir) {
  for (const std::string& name : posix_file_system().list(dir)) {
    if (name.find(".damaged") == std::string::npos) continue;
    fail(Code::kDataLoss,
         "all checkpoints under '{}' are damaged ('{}'); move the run folder away to begin anew",
         dir, name);
  }
}

}  // namespace

TrainLoop::TrainLoop(Model& model, const TrainOptions& options)
    : model_(model), options_(options), printer_(options) {}

TrainLoop::~TrainLoop() {
  try {
    model_.saver_->wait();
  } catch (const std::exception& e) {
    log_warning("the save that was under way failed: {}", e.what());
  }
}

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
  m.saver_->set_max_to_keep(options_.max_to_keep);
  std::optional<std::uint64_t> entropy = options_.entropy;
  std::map<std::string, Tensor> state;
  std::vector<std::string> candidates;
  std::optional<train::RunParent> parent = options_.parent;
  if (!options_.run_dir.empty()) {
    lock_ = train::enter_run_dir(options_.run_dir, {.model = options_.model,
                                                    .parameters = options_.parameters,
                                                    .parent = options_.parent,
                                                    .entropy = options_.entropy});
    const train::RunInfo info = train::read_run_info(options_.run_dir);
    // A fork that was resumed at once need not say so again.
    parent = info.parent;
    entropy = info.entropy;
    if (lock_ != nullptr) train::remove_leftovers(options_.run_dir, options_.checkpoint_name);
    const std::string dir = train::checkpoint_dir(options_.run_dir);
    std::error_code error;
    fs::create_directories(dir, error);
    if (error) fail(Code::kPermissionDenied, "'{}' cannot be made: {}", dir, error.message());
    if (lock_ != nullptr) train::remove_unfinished_checkpoints(dir, options_.checkpoint_name);
    candidates = train::find_checkpoints(dir, options_.checkpoint_name);
    if (candidates.empty()) check_none_damaged(dir);
  }
  m.session_ = std::make_unique<Session>(
      SessionOptions{.graph = m.graph_.get(), .threads = options_.threads, .entropy = entropy});
  Session& session = *m.session_;
  if (candidates.empty() && entropy && draws_entropy(*m.graph_)) {
    printer_.message(
        fmt::format("Random ops without a seed draw from the entropy {}", entropy_str(*entropy)));
  }
  if (candidates.empty() && parent) {
    session.run({}, {}, {m.local_init_});
    state = begin_fork(*parent);
  } else if (candidates.empty()) {
    session.run({}, {}, {m.init_});
    session.run({}, {}, {m.local_init_});
  } else {
    session.run({}, {}, {m.local_init_});
    auto restored =
        train::restore_newest_sound(*m.saver_, session, train::checkpoint_dir(options_.run_dir),
                                    {.name = options_.checkpoint_name, .set_aside = true});
    result_.resumed_from = std::move(restored.prefix);
    state = std::move(restored.session_state);
    // Runs of earlier versions keep it in their checkpoints at most.
    if (!entropy) train::restore_entropy(session, state);
  }
  step_ = train::global_step(session, m.global_step());
  result_.first_step = step_;
  // What the log of another run was like is of no matter.
  if (result_.forked_from.empty()) check_events(state);
  epoch_ = state_number(state, kEpoch);
  step_in_epoch_ = state_number(state, kStepInEpoch);
  saved_step_ = result_.resumed_from.empty() ? -1 : step_;
  m.on_ready(session);
  if (!wants_more() && result_.forked_from.empty()) return;
  m.initialize_data(session);
  if (state.empty()) return;
  restore_data(state);
  train::restore_session_state(session, state);
}

std::map<std::string, Tensor> TrainLoop::begin_fork(const train::RunParent& parent) {
  std::map<std::string, Tensor> state;
  try {
    state = train::Saver::read_session_state(parent.checkpoint);
    model_.saver_->restore(*model_.session_, parent.checkpoint);
  } catch (const Error& e) {
    if (e.code() != Code::kNotFound || train::checkpoint_exists(parent.checkpoint)) throw;
    fail(Code::kFailedPrecondition,
         "the checkpoint '{}' that the run was to go on from is not there any more; fork '{}' "
         "again, into another folder",
         parent.checkpoint, parent.run);
  }
  if (parent.reseeded) train::reset_random_streams(state);
  result_.forked_from = parent.checkpoint;
  return state;
}

void TrainLoop::restore_data(const std::map<std::string, Tensor>& state) {
  std::string changed;
  try {
    const auto unknown = train::restore_iterators(*model_.session_, state);
    pass_over(unknown, step_in_epoch_);
    model_.skip_feeds(step_in_epoch_);
    return;
  } catch (const Error& e) {
    if (e.code() == Code::kOutOfRange) {
      changed = fmt::format(
          "the data has changed since the checkpoint: the pass under way had given {} batches, now "
          "it ends before. Give the same data to go on where it was, or begin a new run",
          step_in_epoch_);
      if (!options_.accept_changed_data) fail(Code::kFailedPrecondition, "{}", changed);
    } else {
      if (e.code() != Code::kFailedPrecondition || !options_.accept_changed_data) throw;
      changed = e.message();
    }
  }
  printer_.message(fmt::format("{}; a new pass over it begins, as was asked for", changed));
  step_in_epoch_ = 0;
  model_.initialize_data(*model_.session_);
}

void TrainLoop::pass_over(const std::vector<std::string>& iterators, std::int64_t batches) {
  std::vector<Node*> readers;
  for (const auto& node : model_.graph_->nodes()) {
    if (node->op() != "IteratorGetNext") continue;
    const std::string name = iterator_read_by(*node);
    if (std::find(iterators.begin(), iterators.end(), name) != iterators.end()) {
      readers.push_back(node.get());
    }
  }
  if (readers.empty()) return;
  const Callable next = model_.session_->make_callable({.targets = readers});
  for (std::int64_t i = 0; i < batches; ++i) next();
}

void TrainLoop::check_events(const std::map<std::string, Tensor>& state) const {
  const auto file = state.find(kEventFile);
  if (file == state.end() || file->second.dtype() != DType::kString ||
      file->second.num_elements() != 1) {
    return;
  }
  const std::string path =
      (fs::path(options_.run_dir) / *file->second.data<std::string>()).string();
  const std::int64_t then = state_number(state, kEventBytes);
  const auto info = posix_file_system().stat(path);
  const std::int64_t now = info ? static_cast<std::int64_t>(info->size) : 0;
  if (now >= then) return;
  log_warning(
      "the event file '{}' had {} bytes when the checkpoint was made and {}: its points are lost",
      path, then, info ? fmt::format("has {} now", now) : std::string("is not there now"));
}

void TrainLoop::start_events() {
  if (options_.run_dir.empty()) return;
  events_ = std::make_unique<summary::FileWriter>(options_.run_dir);
  const bool anew = result_.resumed_from.empty() && result_.forked_from.empty();
  if (result_.resumed_from.empty()) {
    events_->add_graph(*model_.graph_);
    events_->add_meta_graph(train::export_meta_graph(*model_.graph_, model_.saver_.get()));
  }
  // Readers drop what an earlier process wrote from this step on: those steps come again.
  const std::int64_t first = anew ? step_ : step_ + 1;
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

void TrainLoop::save(bool last) {
  if (options_.run_dir.empty()) return;
  if (saved_step_ == step_ && !last) return;
  finish_saving(last && saved_step_ == step_);
  if (saved_step_ == step_) return;
  if (events_ != nullptr) events_->flush();
  train::SaveOptions how{.global_step = step_,
                         .session_state = train::save_session_state(*model_.session_)};
  how.session_state[kEpoch] = Tensor::scalar(epoch_);
  how.session_state[kStepInEpoch] = Tensor::scalar(step_in_epoch_);
  if (events_ != nullptr) {
    how.session_state[kEventFile] = Tensor::scalar(fs::path(events_->path()).filename().string());
    how.session_state[kEventBytes] = Tensor::scalar(static_cast<std::int64_t>(events_->bytes()));
  }
  how.save_debug_info = true;
  how.async = options_.async_save && !last;
  try {
    saving_ = {step_, model_.saver_->save(*model_.session_, path(), how)};
  } catch (const Error& e) {
    if (last) throw;
    warn_unsaved(step_, e);
    return;
  }
  saved_step_ = step_;
  if (!how.async) log_saved();
}

void TrainLoop::save_fork() {
  if (options_.run_dir.empty()) return;
  save(true);
  train::pin_checkpoint(result_.checkpoint);
}

void TrainLoop::finish_saving(bool must_be_good) {
  try {
    model_.saver_->wait();
  } catch (const Error& e) {
    const auto failed = std::exchange(saving_, std::nullopt);
    saved_step_ = -1;
    if (must_be_good) throw;
    warn_unsaved(failed ? failed->first : step_, e);
  }
  log_saved();
}

void TrainLoop::warn_unsaved(std::int64_t step, const Error& error) const {
  log_warning(
      "there is no checkpoint of step {}: {}; training goes on and saves when the next is "
      "due",
      step, error.message());
}

void TrainLoop::log_saved() {
  if (!saving_) return;
  const auto [step, prefix] = *std::exchange(saving_, std::nullopt);
  result_.checkpoint = prefix;
  if (events_ != nullptr) {
    events_->add_session_log(summary::SessionStatus::kCheckpoint, step, prefix);
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
  const bool forked = !result_.forked_from.empty();
  if (forked)
    printer_.message(fmt::format("Forked from {} at step {}", result_.forked_from, step_));
  if (wants_more() || forked) {
    start_events();
    if (forked) save_fork();
    while (wants_more() && !stop_asked()) {
      try {
        step();
      } catch (const Error& e) {
        if (e.code() != Code::kOutOfRange) throw;
        count_pass();
        continue;
      }
      if (meter_->due()) show(false);
      if (options_.save_every > 0 && step_ % options_.save_every == 0) save(false);
    }
    result_.stopped = wants_more();
    if (step_ > result_.first_step) {
      save(true);
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
