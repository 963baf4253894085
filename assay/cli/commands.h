#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace assay::cli {

/// What a subcommand does once its flags are read; returns the exit code.
using Action = std::function<int()>;

/// A mistake in how the program was called that the flags' own checks do not see: one line, exit
/// code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Exit codes: the command failed, or it was called in a wrong way.
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
/// What shells give for a program that Ctrl-C ended.
inline constexpr int kExitInterrupted = 130;

/// Each adds one subcommand to `app`; when it is chosen, `action` becomes what it does. `command`
/// is the whole command line, for messages that repeat it.
void add_train(CLI::App& app, Action& action, const std::vector<std::string>& command);
/// `assay replay`.
void add_replay(CLI::App& app, Action& action);
/// `assay neighbors`.
void add_neighbors(CLI::App& app, Action& action);
/// `assay vectors`.
void add_vectors(CLI::App& app, Action& action);
/// `assay run`.
void add_run(CLI::App& app, Action& action);
/// `assay inspect`.
void add_inspect(CLI::App& app, Action& action);
/// `assay checkpoints`, with its own subcommands.
void add_checkpoints(CLI::App& app, Action& action);
/// `assay seeds`.
void add_seeds(CLI::App& app, Action& action);
/// `assay ops`.
void add_ops(CLI::App& app, Action& action);

/// Accepts whole numbers from `least` to `most`; says nothing in the help.
CLI::Validator whole_number(std::int64_t least, std::int64_t most);

/// `words` as a line that a shell reads back as the same words.
std::string shell_line(const std::vector<std::string>& words);

/// "1.5 MB"; decimal units.
std::string bytes_str(std::uint64_t bytes);

}  // namespace assay::cli
