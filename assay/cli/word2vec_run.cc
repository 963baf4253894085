#include "assay/cli/word2vec_run.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <utility>

#include "assay/base/error.h"
#include "assay/base/file_system.h"
#include "assay/base/log.h"
#include "assay/cli/commands.h"
#include "assay/graph/random_nodes.h"
#include "assay/train/checkpoint_check.h"
#include "assay/train/checkpoint_management.h"
#include "models/word2vec/run_files.h"

namespace assay::cli {

namespace fs = std::filesystem;

namespace {

// The notes average the loss over so many steps.
constexpr std::int64_t kNotesWindow = 5000;
// Listings of a folder where another process deletes what was listed.
constexpr int kLooks = 10;

/// Whether two names are of one file or folder.
bool same_path(const std::string& x, const std::string& y) {
  std::error_code no_x;
  std::error_code no_y;
  const fs::path real_x = fs::weakly_canonical(x, no_x);
  const fs::path real_y = fs::weakly_canonical(y, no_y);
  return x == y || (!no_x && !no_y && real_x == real_y);
}

std::string absolute(const std::string& path) {
  std::string all = fs::absolute(path).lexically_normal().string();
  while (all.size() > 1 && all.ends_with('/')) all.pop_back();
  return all;
}

/// "RUN-fork", "RUN-fork-2", ...: the first that is not there.
std::string new_folder_beside(const std::string& run) {
  const std::string stem = absolute(run) + "-fork";
  std::string name = stem;
  for (int i = 2; posix_file_system().exists(name); ++i) name = fmt::format("{}-{}", stem, i);
  return name;
}

/// Whether random ops draw the same with both seeds.
bool same_seed(std::int64_t a, std::int64_t b) {
  return a % kSeedModulus == b % kSeedModulus;
}

/// A seed that no other run is likely to have, and not `old_seed`; short enough to be typed again.
std::int64_t draw_seed(std::int64_t old_seed) {
  std::random_device device;
  std::int64_t seed = old_seed;
  while (same_seed(seed, old_seed)) seed = static_cast<std::int64_t>(device() & 0x7fffffffu);
  return seed;
}

/// The newest checkpoint of a run that reads as sound; "" when one was deleted meanwhile.
std::string newest_sound(const std::string& run) {
  const std::string folder = train::checkpoint_dir(run);
  const auto candidates = posix_file_system().is_directory(folder)
                              ? train::find_checkpoints(folder, word2vec::kCheckpointName)
                              : std::vector<std::string>();
  if (candidates.empty()) {
    fail(Code::kNotFound, "there is no checkpoint under '{}' to fork; train the run first", folder);
  }
  for (const std::string& prefix : candidates) {
    try {
      const train::CheckpointCheck check = train::check_checkpoint(prefix);
      if (check.sound()) return prefix;
      // Where the run is under way, its retention may be deleting what looks damaged.
      if (!train::checkpoint_exists(prefix)) return "";
      log_warning("the checkpoint '{}' is damaged and is passed over: {}", prefix,
                  check.damage.front().message);
    } catch (const Error& e) {
      if (e.code() != Code::kNotFound) throw;
      return "";
    }
  }
  fail(Code::kDataLoss, "none of the {} checkpoints under '{}' is sound", candidates.size(),
       folder);
}

std::string find_newest_sound(const std::string& run) {
  for (int look = 0; look < kLooks; ++look) {
    const std::string prefix = newest_sound(run);
    if (!prefix.empty()) return prefix;
  }
  fail(Code::kUnavailable, "the checkpoints of '{}' are deleted faster than they can be read", run);
}

/// Throws FailedPrecondition unless the new run's folder is a fork of flags.fork already, made with
/// the same command.
void check_is_fork(const Word2vecFlags& flags, const train::RunInfo& there) {
  if (!there.parent || !same_path(there.parent->run, flags.fork)) {
    fail(Code::kFailedPrecondition,
         "'{}' is a run already, and no fork of '{}'; name a new folder with --run", flags.run,
         flags.fork);
  }
  if (there.parent->reseeded != flags.reseed) {
    fail(Code::kFailedPrecondition,
         "'{}' was forked {} --reseed; give the same command to go on, or name a new folder with "
         "--run",
         flags.run, there.parent->reseeded ? "with" : "without");
  }
  if (flags.seed && there.get<std::int64_t>("seed") != *flags.seed) {
    fail(Code::kFailedPrecondition,
         "'{}' was forked with the new seed {}, not {}; name a new folder with --run", flags.run,
         there.get<std::int64_t>("seed"), *flags.seed);
  }
}

/// What a fork cannot change: the shapes of what it takes over, and what its places in data and
/// random streams count on.
void check_unchanged(const train::RunInfo& parent, const Given& given, const Word2vecFlags& flags) {
  if (given("--seed")) {
    throw UsageError(
        "--seed: a fork goes on with the random streams of its run; --reseed SEED begins new ones");
  }
  const train::Parameters now = parameters_of(flags);
  for (const char* name : {"vocab", "dim", "window"}) {
    const auto then = parent.get<std::int64_t>(name);
    const auto found = std::find_if(now.begin(), now.end(),
                                    [&](const auto& parameter) { return parameter.first == name; });
    if (std::get<std::int64_t>(found->second) == then) continue;
    throw UsageError(fmt::format(
        "--{} {}: a fork keeps the {} of its run, {}; --lr, --batch and --sampled may differ", name,
        train::parameter_str(found->second), name, then));
  }
  const auto text = parent.get<std::vector<std::string>>("text");
  if (given("--text") && !same_files(text, flags.text)) {
    throw UsageError(fmt::format("--text {}: a fork keeps the text of its run, {}",
                                 train::parameter_str(flags.text), train::parameter_str(text)));
  }
}

}  // namespace

train::Parameters parameters_of(const Word2vecFlags& flags) {
  const auto& m = flags.model;
  return {{"text", flags.text}, {"vocab", m.vocab},     {"dim", m.dim},          {"batch", m.batch},
          {"window", m.window}, {"sampled", m.sampled}, {"lr", m.learning_rate}, {"seed", m.seed}};
}

bool same_files(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_path);
}

void take_over(const std::string& run, const train::RunInfo& info, const Given& given,
               Word2vecFlags& flags) try {
  const auto text = info.get<std::vector<std::string>>("text");
  if (!given("--text") || same_files(text, flags.text)) flags.text = text;
  const auto number = [&](const char* flag, const char* name, std::int64_t& value) {
    if (!given(flag)) value = info.get<std::int64_t>(name);
  };
  number("--vocab", "vocab", flags.model.vocab);
  number("--dim", "dim", flags.model.dim);
  number("--batch", "batch", flags.model.batch);
  number("--window", "window", flags.model.window);
  number("--sampled", "sampled", flags.model.sampled);
  number("--seed", "seed", flags.model.seed);
  if (!given("--lr")) flags.model.learning_rate = info.get<double>("lr");
} catch (const Error& e) {
  fail(e.code(), "'{}' is damaged: {}; restore it or use another run folder",
       join_path(run, "run.json"), e.message());
}

std::unique_ptr<Word2vecModel> read_model(const Word2vecFlags& flags) {
  word2vec::Corpus corpus = word2vec::read_corpus(flags.text, flags.model.vocab);
  std::string data = word2vec::text_mark(corpus.ids);
  const auto text = std::make_shared<const std::vector<std::int32_t>>(std::move(corpus.ids));
  const auto seed = static_cast<std::uint64_t>(flags.model.seed);
  // The model stays where it is made.
  return std::unique_ptr<Word2vecModel>(
      new Word2vecModel{.vocabulary = std::move(corpus.vocabulary),
                        .data = std::move(data),
                        .words = static_cast<std::int64_t>(text->size()),
                        .distinct = corpus.distinct,
                        .pairs = word2vec::SkipGramPairs(text, flags.model.window, seed),
                        .model = word2vec::SkipGram(flags.model, text)});
}

TrainOptions train_options(const Word2vecFlags& flags, const Word2vecModel& model,
                           std::int64_t steps, const std::atomic<bool>& stop) {
  TrainOptions options;
  options.model = word2vec::kModelName;
  options.parameters = parameters_of(flags);
  options.steps = steps;
  options.skip_step = std::clamp<std::int64_t>(steps / 10, 1, kNotesWindow);
  // A run of millions of steps would fill the screen with windows.
  if (steps >= 200 * kNotesWindow) options.skip_step = 10 * kNotesWindow;
  options.checkpoint_name = word2vec::kCheckpointName;
  options.threads = flags.threads;
  options.stop = &stop;
  options.items_per_step = static_cast<double>(flags.model.batch) *
                           static_cast<double>(model.words) /
                           static_cast<double>(model.pairs.pairs_in_pass(0));
  options.items_name = "words";
  return options;
}

std::optional<train::RunParent> prepare_fork(const Given& given, Word2vecFlags& flags) {
  if (flags.fork.empty()) return std::nullopt;
  const train::RunInfo parent = train::read_run_info(flags.fork);
  if (parent.model != word2vec::kModelName) {
    fail(Code::kFailedPrecondition, "'{}' is a run of '{}', not of '{}'", flags.fork, parent.model,
         word2vec::kModelName);
  }
  if (flags.run.empty()) flags.run = new_folder_beside(flags.fork);
  if (train::is_run_dir(flags.run)) {
    check_is_fork(flags, train::read_run_info(flags.run));
    return std::nullopt;
  }
  take_over(flags.fork, parent, given, flags);
  check_unchanged(parent, given, flags);
  if (flags.reseed) {
    const std::int64_t old_seed = flags.model.seed;
    flags.model.seed = flags.seed ? *flags.seed : draw_seed(old_seed);
    if (flags.model.seed == old_seed) {
      log_warning("--reseed {}: that is the seed of '{}' itself, whose random numbers come again",
                  old_seed, flags.fork);
    } else if (same_seed(flags.model.seed, old_seed)) {
      log_warning(
          "--reseed {}: random ops take seeds modulo 2^31 - 1, and so this one as the seed of '{}' "
          "itself, {}: their numbers come again",
          flags.model.seed, flags.fork, old_seed);
    }
  }
  const std::string checkpoint = find_newest_sound(absolute(flags.fork));
  return train::RunParent{.run = absolute(flags.fork),
                          .checkpoint = checkpoint,
                          .step = train::checkpoint_step(checkpoint),
                          .reseeded = flags.reseed};
}

std::vector<std::string> with_model_of_fork(std::vector<std::string> command) {
  if (command.size() < 3 || command[1] != "train" || !command[2].starts_with("--")) return command;
  constexpr std::string_view kFlag = "--fork";
  std::string run;
  for (std::size_t i = 2; i < command.size(); ++i) {
    const std::string& word = command[i];
    if (word == kFlag && i + 1 < command.size()) run = command[i + 1];
    if (word.starts_with("--fork=")) run = word.substr(kFlag.size() + 1);
  }
  if (run.empty()) {
    for (const std::string& word : command) {
      if (word != "--reseed" && !word.starts_with("--reseed=")) continue;
      throw UsageError("--reseed: only a fork has random streams to begin anew; give --fork RUN");
    }
    return command;
  }
  command.insert(command.begin() + 2, train::read_run_info(run).model);
  return command;
}

}  // namespace assay::cli
