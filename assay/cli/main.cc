#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "assay/base/error.h"
#include "assay/cli/commands.h"
#include "assay/cli/word2vec_run.h"
#include "assay/train/run_dir.h"

namespace assay::cli {
namespace {

/// One line, whatever the message holds.
int report(const std::string& message, int code) {
  std::string line = message;
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  fmt::print(stderr, "assay: {}\n", line);
  return code;
}

int run(int argc, char** argv) {
  const std::vector<std::string> command(argv, argv + argc);
  CLI::App app{"Assay: assemble a graph, then execute it."};
  app.name("assay");
  app.require_subcommand(1);
  app.set_version_flag("--version", "assay " + train::program_version());
  app.get_formatter()->column_width(34);
  // A flag given twice counts the last time, as scripts that add to a command expect.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  Action action;
  add_train(app, action, command);
  add_replay(app, action);
  add_neighbors(app, action);
  add_vectors(app, action);
  add_run(app, action);
  add_inspect(app, action);
  add_checkpoints(app, action);
  add_seeds(app, action);
  add_ops(app, action);
  try {
    const std::vector<std::string> words = with_model_of_fork(command);
    std::vector<const char*> arguments;
    for (const std::string& word : words) arguments.push_back(word.c_str());
    app.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const UsageError& error) {
    return report(error.what(), kExitUsage);
  } catch (const Error& error) {
    return report(error.message(), kExitFailure);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    const CLI::App* at = &app;
    std::string name = "assay";
    while (!at->get_subcommands().empty()) {
      at = at->get_subcommands().front();
      name += " " + at->get_name();
    }
    // The library asks for a command even when one was given that it does not know.
    const std::vector<std::string> unknown = at->remaining();
    if (!at->get_subcommands({}).empty() && !unknown.empty() && !unknown.front().starts_with("-")) {
      return report(fmt::format("there is no command '{}' (see {} --help)", unknown.front(), name),
                    kExitUsage);
    }
    return report(fmt::format("{} (see {} --help)", error.what(), name), kExitUsage);
  }
  try {
    return action();
  } catch (const UsageError& error) {
    return report(error.what(), kExitUsage);
  } catch (const Error& error) {
    return report(error.message(), kExitFailure);
  } catch (const std::bad_alloc&) {
    return report("there is not enough memory", kExitFailure);
  } catch (const std::exception& error) {
    return report(error.what(), kExitFailure);
  }
}

/// The exit code, once all that was printed is written, help as well: what is left in the buffer
/// may find the disk full, and nobody would hear of it later.
int finish(int code) {
  const bool flushed = std::fflush(stdout) == 0;
  const std::string reason = flushed ? "part of it is lost" : std::strerror(errno);
  if ((flushed && std::ferror(stdout) == 0) || code != 0) return code;
  return report(fmt::format("cannot write to standard output: {}", reason), kExitFailure);
}

}  // namespace

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    const bool plain =
        !word.empty() && word.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "_-+=/.,:@%") == std::string::npos;
    if (plain) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  const auto check = [least, most](const std::string& text) -> std::string {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && stop == end && value >= least && value <= most) return "";
    return fmt::format("expected a whole number from {} to {}, got '{}'", least, most, text);
  };
  return CLI::Validator(check, "");
}

std::string bytes_str(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes);
  for (const char* unit : {"kB", "MB", "GB"}) {
    size /= 1000;
    if (size < 999.95) return fmt::format("{:.1f} {}", size, unit);
  }
  return fmt::format("{:.1f} TB", size / 1000);
}

}  // namespace assay::cli

int main(int argc, char** argv) {
  return assay::cli::finish(assay::cli::run(argc, argv));
}
