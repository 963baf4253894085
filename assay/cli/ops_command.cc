#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <set>

#include "assay/cli/commands.h"
#include "assay/graph/op_registry.h"

namespace assay::cli {
namespace {

std::string kernels_of(const OpDef& op) {
  if (op.resolved_by_runtime) return "runtime";
  std::set<std::string> types;
  for (const KernelEntry& entry : op.kernels) {
    types.insert(entry.dtype == DType::kInvalid ? "any" : dtype_name(entry.dtype));
  }
  return types.empty() ? "-" : fmt::format("{}", fmt::join(types, ", "));
}

int list_ops(bool markdown) {
  const auto& ops = default_op_registry().ops();
  if (markdown) {
    fmt::print("# Ops\n\nWritten by `assay ops --markdown`. {} ops.\n\n", ops.size());
    fmt::print("| op | what it does | gradient | kernels |\n|---|---|---|---|\n");
  }
  for (const auto& [name, op] : ops) {
    const char* gradient = op.gradient != nullptr ? "yes" : "no";
    if (markdown) {
      fmt::print("| `{}` | {} | {} | {} |\n", name, op.doc, gradient, kernels_of(op));
    } else {
      fmt::print("{:<34} {}\n", name, op.doc);
    }
  }
  return 0;
}

}  // namespace

void add_ops(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("ops", "List the ops that graphs may use");
  auto markdown = std::make_shared<bool>(false);
  command->add_flag("--markdown", *markdown, "As a table: gradient and kernels of each op");
  command->callback([&action, markdown] { action = [markdown] { return list_ops(*markdown); }; });
}

}  // namespace assay::cli
