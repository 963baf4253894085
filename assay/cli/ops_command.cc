#include "assay/ops/ops_doc.h"

#include <fmt/format.h>

#include <memory>

#include "assay/cli/commands.h"
#include "assay/graph/op_registry.h"

namespace assay::cli {
namespace {

int list_ops(bool markdown) {
  const OpRegistry& registry = default_op_registry();
  if (markdown) {
    fmt::print("{}", ops_markdown(registry));
    return 0;
  }
  for (const auto& [name, op] : registry.ops()) fmt::print("{:<34} {}\n", name, op.doc);
  return 0;
}

}  // namespace

void add_ops(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("ops", "List the ops that graphs may use");
  auto markdown = std::make_shared<bool>(false);
  command->add_flag("--markdown", *markdown,
                    "As the page docs/ops.md: also arguments, kernels and gradient of each op");
  command->callback([&action, markdown] { action = [markdown] { return list_ops(*markdown); }; });
}

}  // namespace assay::cli
