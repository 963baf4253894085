#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "assay/base/error.h"
#include "assay/base/file_system.h"
#include "assay/cli/commands.h"
#include "assay/cli/word2vec_run.h"
#include "assay/train/run_dir.h"
#include "models/word2vec/run_files.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDictionary = "/usr/share/dictd/gcide.dict.dz";
// Ids and sizes are int32 in the graph.
constexpr std::int64_t kMostOfAnything = (std::int64_t{1} << 31) - 1;
// The notes train so long when nothing is said.
constexpr std::int64_t kDefaultSteps = 100000;

std::atomic<bool> g_stop{false};

/// The first Ctrl-C lets the step finish and be saved; the next one ends the program at once.
extern "C" void on_signal(int signal) {
  g_stop.store(true, std::memory_order_relaxed);
  std::signal(signal, SIG_DFL);
}

/// The default text, or how to get one.
std::vector<std::string> default_text() {
  std::error_code ignored;
  if (!fs::exists(kDictionary, ignored)) {
    throw UsageError(
        "no text: give --text FILE, or install the package dict-gcide, whose dictionary is the "
        "default");
  }
  return {kDictionary};
}

/// run.json and event files hold these names, and both are UTF-8.
void check_name(const char* flag, const std::string& name) {
  if (name.empty()) throw UsageError(fmt::format("{}: the name is empty", flag));
  try {
    static_cast<void>(nlohmann::json(name).dump());
  } catch (const nlohmann::json::type_error&) {
    throw UsageError(fmt::format(
        "{} '{}': the name is not UTF-8, as the files of a run are; rename it", flag, name));
  }
}

void check_usage(const Word2vecFlags& flags) {
  const auto& m = flags.model;
  if (m.sampled >= m.vocab) {
    throw UsageError(fmt::format("--sampled {} needs a --vocab of more than {} words, not {}",
                                 m.sampled, m.sampled, m.vocab));
  }
  if (!std::isfinite(m.learning_rate) || m.learning_rate <= 0) {
    throw UsageError(fmt::format("--lr must be a positive number, not {}", m.learning_rate));
  }
}

/// Where no --epochs are given.
std::int64_t steps_asked(const Word2vecFlags& flags) {
  return flags.steps > 0 ? flags.steps : kDefaultSteps;
}

std::int64_t steps_of(const Word2vecFlags& flags, const word2vec::SkipGramPairs& pairs) {
  if (flags.epochs == 0) return steps_asked(flags);
  std::int64_t all = 0;
  for (std::int64_t pass = 0; pass < flags.epochs; ++pass) all += pairs.pairs_in_pass(pass);
  return std::max<std::int64_t>(1, all / flags.model.batch);
}

/// Where the run is, what it is made of, and what it was forked off, if anything.
train::RunInfo settle(Word2vecFlags& flags, const Given& given) {
  if (flags.run.empty() && flags.fork.empty()) throw UsageError("--run is required");
  if (given("--run")) check_name("--run", flags.run);
  if (given("--fork")) check_name("--fork", flags.fork);
  if (flags.reseed && flags.fork.empty()) {
    throw UsageError("--reseed: only a fork has random streams to begin anew; give --fork RUN");
  }
  for (std::string& text : flags.text) {
    check_name("--text", text);
    // The run can then be resumed from any folder.
    text = fs::absolute(text).string();
    check_name("--text", text);
  }
  const auto parent = prepare_fork(given, flags);
  if (train::is_run_dir(flags.run)) {
    const train::RunInfo info = train::read_run_info(flags.run);
    if (info.model == word2vec::kModelName) take_over(flags.run, info, given, flags);
  }
  if (flags.text.empty()) flags.text = default_text();
  check_usage(flags);
  return {.model = word2vec::kModelName, .parameters = parameters_of(flags), .parent = parent};
}

/// The same command, with the folder that it chose.
std::string resume_line(std::vector<std::string> command_line, const Word2vecFlags& flags,
                        const Given& given) {
  if (!given("--run")) command_line.insert(command_line.end(), {"--run", flags.run});
  return shell_line(command_line);
}

int train_word2vec(Word2vecFlags flags, const CLI::App& command,
                   const std::vector<std::string>& command_line) {
  const Given given = [&](const char* flag) { return command.count(flag) > 0; };
  train::RunInfo info = settle(flags, given);
  std::error_code ignored;
  // A folder that is there is looked at before the text is read; a new one is made after, so that
  // a mistake in the text leaves nothing behind.
  if (train::is_run_dir(flags.run)) {
    // Taken for good when training begins; this says soon what would be said then.
    train::enter_run_dir(flags.run, info);
  } else if (fs::exists(flags.run, ignored)) {
    train::check_run_dir(flags.run, info);
  }

  const auto say = [](const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
  };
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  if (info.parent) {
    say(fmt::format("Forking {} at step {} into {}, to train {}", info.parent->run,
                    info.parent->step, flags.run,
                    flags.epochs > 0 ? fmt::format("up to pass {} over the text", flags.epochs)
                                     : fmt::format("up to step {}", steps_asked(flags))));
    if (flags.reseed) say(fmt::format("New random streams: seed {}", flags.model.seed));
  }
  say(fmt::format("Reading {}", fmt::join(flags.text, " ")));
  const auto made = read_model(flags);
  const double known = 100.0 - 100.0 * static_cast<double>(made->vocabulary.counts.front()) /
                                   static_cast<double>(made->words);
  say(fmt::format("{} words, {} different; the vocabulary's {} cover {:.1f} %", made->words,
                  made->distinct, made->vocabulary.size(), known));
  if (g_stop.load(std::memory_order_relaxed)) {
    say("Stopped before training began; there was nothing to save yet");
    say(fmt::format("To begin: {}", resume_line(command_line, flags, given)));
    return kExitInterrupted;
  }
  {
    info.data = made->data;
    const auto lock = train::enter_run_dir(flags.run, info);
    word2vec::keep_vocabulary(flags.run, made->vocabulary);
  }

  TrainOptions options = train_options(flags, *made, steps_of(flags, made->pairs), g_stop);
  options.run_dir = flags.run;
  options.parent = info.parent;
  options.save_every = flags.save_every;
  options.max_to_keep = flags.keep;
  options.summary_every = flags.summary_every;
  options.on_step = [rate = flags.model.learning_rate](std::int64_t step, float loss) {
    if (std::isfinite(loss)) return;
    fail(Code::kInvalidArgument,
         "the loss is {} after step {}: a learning rate of {} is too high for these settings; "
         "start a new run with a lower --lr",
         loss, step, rate);
  };

  TrainResult result;
  try {
    result = made->model.train(options);
  } catch (const Error& e) {
    if (e.code() != Code::kResourceExhausted) throw;
    fail(e.code(),
         "{}; the checkpoints saved before are whole: make room, and the same command resumes",
         e.message());
  }
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);

  if (result.stopped) {
    say(fmt::format("Stopped at step {} of {}; {}", result.step, options.steps,
                    result.checkpoint.empty() ? "there was nothing to save yet"
                                              : "saved " + result.checkpoint));
    say(fmt::format("To resume: {}", resume_line(command_line, flags, given)));
    return kExitInterrupted;
  }
  if (result.step == result.first_step && result.forked_from.empty()) {
    say(fmt::format("Nothing to do: {} is at step {} already; train on with more {}", flags.run,
                    result.step, flags.epochs > 0 ? "--epochs" : "--steps"));
    return 0;
  }
  say(fmt::format("Done: step {}, {:.1f} s; saved {}", result.step, result.seconds,
                  result.checkpoint));
  return 0;
}

}  // namespace

void add_train(CLI::App& app, Action& action, const std::vector<std::string>& command_line) {
  CLI::App* train = app.add_subcommand("train", "Train a model; the same command resumes it");
  train->require_subcommand(1);
  CLI::App* command = train->add_subcommand(
      "word2vec",
      "Train word vectors: skip-gram with noise-contrastive estimation.\n"
      "The run folder keeps run.json, the vocabulary, events and checkpoints. The same command\n"
      "again goes on from the newest checkpoint; Ctrl-C saves first. With --fork a new run goes "
      "on\n"
      "from another one's newest checkpoint.");
  // After the model, which would have it as well.
  train->footer(
      "assay train --fork RUN needs no model: it begins a new run with the newest checkpoint of "
      "RUN,\n"
      "of RUN's model (assay train word2vec --help lists the flags).");
  auto flags = std::make_shared<Word2vecFlags>();
  auto& m = flags->model;
  const auto positive = whole_number(1, kMostOfAnything);
  command
      ->add_option("--run", flags->run,
                   "Run folder, made if it is not there; a fork may leave it out [RUN-fork]")
      ->type_name("DIR");
  command
      ->add_option("--fork", flags->fork,
                   "Begin with the newest sound checkpoint of this run, and with its text, sizes, "
                   "--seed, --lr; --lr, --batch and --sampled may differ")
      ->type_name("RUN");
  auto* reseed =
      command
          ->add_option(
              "--reseed",
              "Fork with new random streams, of this seed, 0 to 2^53, taken as --seed is [drawn]")
          ->type_name("SEED")
          ->expected(0, 1)
          ->check(whole_number(0, std::int64_t{1} << 53));
  command
      ->add_option("--text", flags->text,
                   "Text files: plain, .gz, .dz or .zip [the dictionary of package dict-gcide]")
      ->type_name("FILE")
      ->expected(1, 1 << 20)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  auto* steps =
      command->add_option("--steps", flags->steps, "Train up to this global step [100000]")
          ->type_name("N")
          ->check(whole_number(1, std::int64_t{1} << 62));
  command->add_option("--epochs", flags->epochs, "Or: train for so many passes over the text")
      ->type_name("N")
      ->check(whole_number(1, std::int64_t{1} << 20))
      ->excludes(steps);
  command->add_option("--vocab", m.vocab, "Words in the vocabulary, UNK among them")
      ->type_name("N")
      ->check(whole_number(2, kMostOfAnything))
      ->capture_default_str();
  command->add_option("--dim", m.dim, "Numbers in a word's vector")
      ->type_name("N")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--batch", m.batch, "Pairs in a step")
      ->type_name("N")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--window", m.window, "Words on each side of the centre, at most")
      ->type_name("N")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--sampled", m.sampled, "Words drawn as negative examples in a step")
      ->type_name("N")
      ->check(positive)
      ->capture_default_str();
  command->add_option("--lr", m.learning_rate, "Learning rate of gradient descent")
      ->type_name("X")
      ->default_str("1.0");
  command
      ->add_option("--seed", m.seed,
                   "Seed of all random numbers, 0 to 2^53; random ops take it modulo 2^31 - 1")
      ->type_name("N")
      ->check(whole_number(0, std::int64_t{1} << 53))
      ->capture_default_str();
  command
      ->add_option("--threads", flags->threads,
                   "Threads for arithmetic [one a processor]; results "
                   "do not depend on it")
      ->type_name("N")
      ->check(whole_number(1, 4096));
  command->add_option("--save-every", flags->save_every, "Steps between checkpoints")
      ->type_name("N")
      ->check(whole_number(1, std::int64_t{1} << 62))
      ->capture_default_str();
  command->add_option("--keep", flags->keep, "Newest checkpoints to keep; 0 for all")
      ->type_name("N")
      ->check(whole_number(0, 1 << 30))
      ->capture_default_str();
  command
      ->add_option("--summary-every", flags->summary_every,
                   "Steps between summaries in the event file; 0 for none")
      ->type_name("N")
      ->check(whole_number(0, std::int64_t{1} << 62))
      ->capture_default_str();
  command->callback([&action, flags, command, command_line, reseed] {
    flags->reseed = reseed->count() > 0;
    if (flags->reseed && !reseed->results().empty() && !reseed->results().front().empty()) {
      flags->seed = reseed->as<std::int64_t>();
    }
    action = [flags, command, command_line] {
      return train_word2vec(*flags, *command, command_line);
    };
  });
}

}  // namespace assay::cli
