#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "assay/cli/checkpoints.h"
#include "assay/cli/commands.h"

namespace assay::cli {

namespace {

constexpr std::int64_t kMany = std::int64_t{1} << 31;

/// Adds a command whose flags are a `Flags`, with --json, and what it does.
template <typename Flags>
std::pair<CLI::App*, std::shared_ptr<Flags>> add(CLI::App& group, Action& action, const char* name,
                                                 const char* help, int (*run)(const Flags&)) {
  CLI::App* command = group.add_subcommand(name, help);
  auto flags = std::make_shared<Flags>();
  command->add_flag("--json", flags->json, "As JSON");
  command->callback([&action, flags, run] { action = [flags, run] { return run(*flags); }; });
  return {command, flags};
}

CLI::Option* positional(CLI::App* command, const char* name, std::string& value, const char* help) {
  return command->add_option(name, value, help)->required()->type_name("");
}

CLI::Option* positional(CLI::App* command, const char* name, std::vector<std::string>& values,
                        const char* help) {
  return command->add_option(name, values, help)
      ->required()
      ->type_name("")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_ls(CLI::App& group, Action& action) {
  const auto [command, flags] =
      add<ListFlags>(group, action, "ls",
                     "The checkpoints of a folder: step, age, size, whether each is sound, why it "
                     "is kept",
                     list_command);
  positional(command, "DIR", flags->dir, "Run folder, or folder of checkpoints");
  command->add_flag("--quick", flags->quick, "Reads no values, so says nothing of damage");
}

void add_show(CLI::App& group, Action& action) {
  const auto [command, flags] = add<ShowFlags>(
      group, action, "show", "The tensors of a checkpoint, or the values of one", show_command);
  positional(command, "PREFIX", flags->prefix, "Checkpoint, or a folder: its newest");
  command->add_option("--tensor", flags->tensor, "Prints this tensor's values")->type_name("NAME");
  command->add_flag("--stats", flags->stats, "Of that tensor: min, max, mean, NaN, zeros, ...");
  command->add_option("--npy", flags->npy, "Writes that tensor for NumPy")->type_name("FILE");
  command->add_option("--values", flags->values, "How many values are printed")
      ->type_name("N")
      ->check(whole_number(1, kMany))
      ->capture_default_str();
}

void add_diff(CLI::App& group, Action& action) {
  const auto [command, flags] =
      add<DiffFlags>(group, action, "diff",
                     "How two checkpoints differ: names, shapes, largest difference", diff_command);
  positional(command, "A", flags->a, "Checkpoint, or a folder: its newest");
  positional(command, "B", flags->b, "Another one");
  command->add_flag("--variables-only", flags->variables_only,
                    "Leaves out what else the run needs (_assay/...)");
  command->footer(
      "Exit code: 0 when all is identical to the bit, 1 when something differs, 2 when\n"
      "they cannot be compared.");
}

void add_verify(CLI::App& group, Action& action) {
  const auto [command, flags] = add<VerifyFlags>(
      group, action, "verify",
      "Reads everything and says what is damaged; exit code 1 if anything is", verify_command);
  positional(command, "PATH", flags->paths, "Checkpoints, run folders or folders of checkpoints");
}

void add_copy_flags(CLI::App* command, const std::shared_ptr<CopyFlags>& flags) {
  positional(command, "SRC", flags->source, "Checkpoint, or a folder: its newest");
  positional(command, "DST", flags->destination, "The new checkpoint's prefix, or a folder");
  command->add_flag("--variables-only", flags->variables_only,
                    "Leaves out what else the run needs (_assay/...)");
  command->add_flag("--force", flags->force, "Replaces a checkpoint that is there");
}

void add_copy(CLI::App& group, Action& action) {
  const auto [command, flags] =
      add<CopyFlags>(group, action, "copy",
                     "Copy a checkpoint with its .meta, verified; from V1 too", copy_command);
  add_copy_flags(command, flags);
}

void add_rename(CLI::App& group, Action& action) {
  const auto [command, flags] =
      add<CopyFlags>(group, action, "rename",
                     "Copy a checkpoint with other names for its variables", rename_command);
  positional(command, "MAP", flags->map, "Rules, or a file with a rule on each line");
  add_copy_flags(command, flags);
  command->footer(
      "Rules, one after the other with ';' between (or ',' after old=new):\n"
      "  old=new          this variable\n"
      "  old/=new/        all variables under this scope\n"
      "  s/pattern/new/   where the regular expression matches; $1 is its first group; g at the\n"
      "                   end: everywhere. Any other sign may stand for '/'.\n"
      "The .meta file is left out: the graph in it has the old names.");
}

/// The flags of prune that make rules; kept until they can be checked together.
struct RuleFlags {
  std::int64_t last = 1;
  std::int64_t best = 0;
  std::string metric;
  bool max = false;
  std::int64_t every_steps = 0;
  double every_hours = 0;
};

void add_prune(CLI::App& group, Action& action) {
  CLI::App* command = group.add_subcommand(
      "prune", "Delete the checkpoints that no rule keeps; without rules, by those of the run");
  auto flags = std::make_shared<PruneFlags>();
  auto rules = std::make_shared<RuleFlags>();
  command->add_flag("--json", flags->json, "As JSON");
  positional(command, "DIR", flags->dir, "Run folder, or folder of checkpoints");
  command->add_flag("--dry-run", flags->dry_run,
                    "Only says what would go, and why the others stay");
  const std::vector<CLI::Option*> given = {
      command->add_option("--keep-last", rules->last, "The newest N (1 unless said)")
          ->type_name("N")
          ->check(whole_number(1, 1000000000)),
      command->add_option("--keep-best", rules->best, "The best N by --metric")
          ->type_name("N")
          ->check(whole_number(1, 1000000000)),
      command->add_option("--keep-every-steps", rules->every_steps, "One of every N steps")
          ->type_name("N")
          ->check(whole_number(1, 1000000000000)),
      command->add_option("--keep-every-hours", rules->every_hours, "One of every H hours")
          ->type_name("H")};
  command->add_option("--metric", rules->metric, "What is judged by")->type_name("NAME");
  command->add_flag("--max", rules->max, "A larger metric is better");
  command->footer(
      "Only checkpoints that a Saver wrote or that the state file lists are deleted. Pinned ones\n"
      "stay, what the state file calls the newest stays, and so does the newest sound one.");
  command->callback([&action, flags, rules, given] {
    action = [flags, rules, given] {
      bool any = false;
      for (const CLI::Option* option : given) any |= option->count() > 0;
      if ((rules->best > 0) == rules->metric.empty()) {
        throw UsageError("--keep-best N and --metric NAME go together");
      }
      if (rules->max && rules->best == 0) throw UsageError("--max needs --keep-best and --metric");
      const bool hours = given.back()->count() > 0;
      if (hours && !(rules->every_hours > 0 && std::isfinite(rules->every_hours))) {
        throw UsageError("--keep-every-hours: expected a number above 0");
      }
      if (any) {
        flags->rules = train::RetentionRules{.last = static_cast<int>(rules->last),
                                             .best = static_cast<int>(rules->best),
                                             .metric = rules->metric,
                                             .best_is_max = rules->max,
                                             .every_seconds = rules->every_hours * 3600,
                                             .every_steps = rules->every_steps};
      }
      return prune_command(*flags);
    };
  });
}

}  // namespace

void add_checkpoints(CLI::App& app, Action& action) {
  CLI::App* group = app.add_subcommand(
      "checkpoints", "List, show, compare, verify, copy, rename and prune checkpoints");
  group->require_subcommand(1);
  add_ls(*group, action);
  add_show(*group, action);
  add_diff(*group, action);
  add_verify(*group, action);
  add_copy(*group, action);
  add_rename(*group, action);
  add_prune(*group, action);
  const auto [pin, pin_flags] =
      add<PinFlags>(*group, action, "pin",
                    "Keep checkpoints until they are unpinned, whatever the rules", pin_command);
  positional(pin, "PREFIX", pin_flags->prefixes, "Checkpoints");
  const auto [unpin, unpin_flags] =
      add<PinFlags>(*group, action, "unpin", "Let the rules decide again", unpin_command);
  positional(unpin, "PREFIX", unpin_flags->prefixes, "Checkpoints");
}

}  // namespace assay::cli
