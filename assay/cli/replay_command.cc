#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "assay/base/error.h"
#include "assay/base/log.h"
#include "assay/cli/commands.h"
#include "assay/cli/word2vec_run.h"
#include "assay/format/event_reader.h"
#include "assay/train/checkpoint_management.h"
#include "assay/train/run_dir.h"
#include "models/word2vec/run_files.h"

namespace assay::cli {
namespace {

struct ReplayFlags {
  std::string run;
  std::optional<std::int64_t> to;
  std::optional<std::int64_t> from;
  int threads = 0;
};

std::atomic<bool> g_stop{false};

extern "C" void on_replay_signal(int signal) {
  g_stop.store(true, std::memory_order_relaxed);
  std::signal(signal, SIG_DFL);
}

/// Throws UsageError when standard output cannot be written: exit code 1 would say that a loss
/// differs.
void say(const std::string& line) {
  fmt::print("{}\n", line);
  if (std::fflush(stdout) == 0) return;
  throw UsageError(fmt::format("cannot write to standard output: {}", std::strerror(errno)));
}

/// "1 loss", "5 losses".
std::string losses_str(std::size_t count) {
  return fmt::format("{} {}", count, count == 1 ? "loss" : "losses");
}

/// Steps of a run whose events cannot be read.
struct Lost {
  std::int64_t first = 1;
  std::int64_t last = 0;
  std::string damage;
};

/// What the event files of a run tell of its losses.
struct Recorded {
  std::map<std::int64_t, float> losses;
  std::vector<Lost> lost;
  bool any_file = false;
};

/// Reads them as format::EventHistory does: a start record makes what came before it void from its
/// step on, damaged or not.
Recorded read_losses(const std::string& run) {
  constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();
  Recorded all;
  const auto start = [&](std::int64_t step) {
    all.losses.erase(all.losses.lower_bound(step), all.losses.end());
    for (Lost& lost : all.lost) lost.last = std::min(lost.last, step - 1);
  };
  for (const std::string& file : format::list_event_files(run)) {
    all.any_file = true;
    // The last step of which all is read.
    std::int64_t known = all.losses.empty() ? 0 : all.losses.rbegin()->first;
    try {
      format::EventReader reader(file);
      proto::Event event;
      while (reader.next(event)) {
        if (event.what_case() == proto::Event::kSessionLog &&
            event.session_log().status() == proto::SessionLog::START) {
          start(event.step());
          known = event.step() - 1;
        }
        if (event.what_case() != proto::Event::kSummary) continue;
        for (const auto& value : event.summary().value()) {
          if (value.tag() != word2vec::kLossTag) continue;
          if (value.value_case() != proto::Summary::Value::kSimpleValue) continue;
          all.losses[event.step()] = value.simple_value();
          known = event.step();
        }
      }
    } catch (const Error& e) {
      if (e.code() != Code::kDataLoss && e.code() != Code::kInvalidArgument) throw;
      all.lost.push_back({.first = known + 1, .last = kNoEnd, .damage = e.message()});
    }
  }
  std::erase_if(all.lost, [](const Lost& lost) { return lost.last < lost.first; });
  return all;
}

/// Throws DataLoss when damage hides losses of the steps after `from` up to `to`.
void check_lost(const std::string& run, const Recorded& all, std::int64_t from,
                std::optional<std::int64_t> to) {
  for (const Lost& lost : all.lost) {
    if (lost.last <= from || (to && lost.first > *to)) {
      log_warning("{}; what it says after that is not compared", lost.damage);
      continue;
    }
    const auto readable = all.losses.upper_bound(from);
    const bool some = readable != all.losses.end() && readable->first < lost.first;
    fail(Code::kDataLoss, "'{}' cannot be compared{}, since {}{}", run,
         lost.first > 1 ? fmt::format(" after step {}", lost.first - 1) : "", lost.damage,
         some ? fmt::format("; --to {} compares what comes before it", lost.first - 1) : "");
  }
}

/// The recorded losses of the steps after `from` up to `to`. Throws NotFound when there are none,
/// DataLoss when some of them cannot be read.
std::map<std::int64_t, float> recorded_losses(const std::string& run, std::int64_t from,
                                              std::optional<std::int64_t> to) {
  Recorded recorded = read_losses(run);
  check_lost(run, recorded, from, to);
  auto& all = recorded.losses;
  if (all.empty()) {
    fail(Code::kNotFound, "'{}' holds no loss to compare with: {}", run,
         recorded.any_file ? "its event files have no '" + std::string(word2vec::kLossTag) + "'"
                           : "it has no event files");
  }
  const std::int64_t first = all.begin()->first;
  const std::int64_t last = all.rbegin()->first;
  std::erase_if(
      all, [&](const auto& point) { return point.first <= from || (to && point.first > *to); });
  if (all.empty()) {
    fail(Code::kNotFound, "'{}' has no loss of the steps {} to {}: those recorded are of {} to {}",
         run, from + 1, to.value_or(last), first, last);
  }
  if (to && *to > last) {
    say(fmt::format("The recorded losses end at step {}: replaying up to there", last));
  }
  return std::move(all);
}

/// The checkpoint that replaying begins with; none when it begins anew, as the run did.
std::optional<train::RunParent> beginning(const ReplayFlags& flags, const train::RunInfo& info) {
  // Only a fork has no beginning of its own.
  if (flags.from.value_or(0) == 0 && !info.parent) return std::nullopt;
  const std::int64_t step = flags.from ? *flags.from : info.parent->step;
  const std::string prefix =
      fmt::format("{}/{}-{}", train::checkpoint_dir(flags.run), word2vec::kCheckpointName, step);
  if (!train::checkpoint_exists(prefix)) {
    fail(Code::kNotFound, "{}",
         flags.from
             ? fmt::format("'{}' has no checkpoint of step {} (assay checkpoints ls names those "
                           "that it has)",
                           flags.run, step)
             : fmt::format("'{}' was forked at step {}, and its checkpoint '{}' is not there any "
                           "more; give --from STEP of another one",
                           flags.run, step, prefix));
  }
  // Streams that began anew did so before that checkpoint was saved.
  return train::RunParent{.run = flags.run, .checkpoint = prefix, .step = step};
}

/// Throws FailedPrecondition when the text is not that of the run.
void check_data(const std::string& run, const train::RunInfo& info, const Word2vecModel& now) {
  word2vec::check_vocabulary(run, now.vocabulary);
  if (info.data.empty() || info.data == now.data) return;
  fail(Code::kFailedPrecondition,
       "the text is not the one that '{}' was made with: then {}, now {}; give it back its text to "
       "replay the run",
       run, info.data, now.data);
}

/// A step whose loss is not what is recorded.
struct Difference {
  std::int64_t step = 0;
  float recorded = 0;
  float now = 0;
};

std::string difference_str(const Difference& d, std::int64_t last_equal) {
  const auto bits = [](float x) { return std::bit_cast<std::uint32_t>(x); };
  std::string line =
      fmt::format("The loss differs at step {}: recorded {}, now {}", d.step, d.recorded, d.now);
  if (fmt::format("{}", d.recorded) == fmt::format("{}", d.now)) {
    line += fmt::format(" (bits {:08x} and {:08x})", bits(d.recorded), bits(d.now));
  }
  if (d.step == last_equal + 1) return line;
  return line + fmt::format("; no loss is recorded of the steps {} to {}, where it may have begun",
                            last_equal + 1, d.step - 1);
}

int replay_word2vec(const ReplayFlags& flags, const train::RunInfo& info) {
  Word2vecFlags settings;
  take_over(
      flags.run, info, [](const char*) { return false; }, settings);
  settings.threads = flags.threads;
  const auto begin = beginning(flags, info);
  const std::int64_t from = begin ? begin->step : 0;
  const auto recorded = recorded_losses(flags.run, from, flags.to);
  const std::int64_t last = recorded.rbegin()->first;
  if (!info.version.empty() && info.version != train::program_version()) {
    say(fmt::format("The run was made by assay {}, this is {}: a difference may come from that",
                    info.version, train::program_version()));
  }
  std::signal(SIGINT, on_replay_signal);
  std::signal(SIGTERM, on_replay_signal);
  say(fmt::format("Reading {}", fmt::join(settings.text, " ")));
  const auto made = read_model(settings);
  check_data(flags.run, info, *made);
  say(fmt::format("Replaying {} from {} to step {}; {} recorded", flags.run,
                  begin ? fmt::format("step {}", from) : "its beginning", last,
                  losses_str(recorded.size())));

  TrainOptions options = train_options(settings, *made, last, g_stop);
  options.parent = begin;
  options.entropy = info.entropy;
  // Its lines would stand between ours where nobody watches.
  options.print = ::isatty(STDOUT_FILENO) == 1;
  std::optional<Difference> difference;
  std::size_t equal = 0;
  std::int64_t last_equal = from;
  options.on_step = [&](std::int64_t step, float loss) {
    const auto found = recorded.find(step);
    if (found == recorded.end() || difference) return;
    if (std::bit_cast<std::uint32_t>(found->second) == std::bit_cast<std::uint32_t>(loss)) {
      ++equal;
      last_equal = step;
      return;
    }
    difference = {.step = step, .recorded = found->second, .now = loss};
    g_stop.store(true, std::memory_order_relaxed);
  };
  const TrainResult result = made->model.train(options);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);

  if (difference) {
    say(difference_str(*difference, last_equal));
    say(fmt::format("{} compared before it, to the bit the same", losses_str(equal)));
    return kExitFailure;
  }
  const std::string compared =
      equal == 0 ? "no loss was compared yet"
                 : fmt::format("{} compared, to the bit the same", losses_str(equal));
  if (equal < recorded.size()) {
    say(fmt::format("Stopped at step {} of {}; {}", result.step, last, compared));
    return kExitInterrupted;
  }
  say(compared);
  return 0;
}

int replay(const ReplayFlags& flags) {
  try {
    const train::RunInfo info = train::read_run_info(flags.run);
    if (info.model != word2vec::kModelName) {
      fail(Code::kFailedPrecondition,
           "'{}' is a run of '{}'; this program can replay those of '{}'", flags.run, info.model,
           word2vec::kModelName);
    }
    return replay_word2vec(flags, info);
  } catch (const Error& e) {
    // As diff and cmp do: 1 is for scripts that ask whether two are equal.
    throw UsageError(e.message());
  }
}

}  // namespace

void add_replay(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ReplayFlags>();
  CLI::App* command = app.add_subcommand(
      "replay",
      "Train a recorded run again and compare its losses\n"
      "The run folder is only read, and nothing is written. The run is made again from what its\n"
      "run.json says, and each loss that its event files have is compared to the bit. Exit codes:\n"
      "0, all are the same; 1, one differs; 2, they cannot be compared, or not all of them;\n"
      "130, it was interrupted.");
  constexpr std::int64_t kLastStep = std::int64_t{1} << 62;
  command->add_option("RUN", flags->run, "Run folder")->required()->type_name("");
  command->add_option("--to", flags->to, "Compare up to this global step [the last recorded]")
      ->type_name("STEP")
      ->check(whole_number(1, kLastStep));
  command
      ->add_option(
          "--from", flags->from,
          "Begin with the run's checkpoint of this step; 0, with the run's beginning [where "
          "the run began]")
      ->type_name("STEP")
      ->check(whole_number(0, kLastStep));
  command->add_option("--threads", flags->threads, "Threads for arithmetic [one a processor]")
      ->type_name("N")
      ->check(whole_number(1, 4096));
  command->callback([&action, flags] { action = [flags] { return replay(*flags); }; });
}

}  // namespace assay::cli
