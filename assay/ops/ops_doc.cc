#include "assay/ops/ops_doc.h"

#include <algorithm>
#include <vector>

#include "assay/device/elementwise.h"

namespace assay {
namespace {

std::string join(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

/// Text for a table's cell: the bar is what ends a cell.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, "\\");
  }
  return text;
}

std::vector<std::string> kernel_dtypes(const OpDef& op) {
  std::vector<DType> dtypes;
  bool any = false;
  for (const KernelEntry& kernel : op.kernels) {
    any = any || kernel.dtype == DType::kInvalid;
    if (kernel.dtype != DType::kInvalid) dtypes.push_back(kernel.dtype);
  }
  if (op.elementwise != nullptr) {
    for (int t = 1; t <= static_cast<int>(DType::kUInt64); ++t) {
      const auto dtype = static_cast<DType>(t);
      if (op.elementwise->loop(dtype) != nullptr) dtypes.push_back(dtype);
    }
  }
  std::sort(dtypes.begin(), dtypes.end());
  dtypes.erase(std::unique(dtypes.begin(), dtypes.end()), dtypes.end());
  std::vector<std::string> names;
  for (const DType dtype : dtypes) names.push_back(dtype_name(dtype));
  if (names.empty() && any) {
    // Without a type to choose by there is nothing to list.
    names.push_back(op.find_attr(op.kernel_attr) != nullptr ? "any" : "yes");
  }
  if (names.empty() && op.resolved_by_runtime) names.push_back("the runtime");
  return names;
}

std::string effect_text(Effect effect) {
  switch (effect) {
    case Effect::kNone:
      return "";
    case Effect::kState:
      return "keeps state";
    case Effect::kReads:
      return "reads state";
    case Effect::kWrites:
      return "changes state";
  }
  return "";
}

}  // namespace

std::string ops_markdown(const OpRegistry& registry) {
  int differentiable = 0;
  for (const auto& [name, op] : registry.ops()) differentiable += op.gradient != nullptr ? 1 : 0;
  std::string page =
      "# Ops\n\n"
      "Every op that a graph may use, with the names, arguments and attributes of TensorFlow 1.15. "
      "This page is written by the program from what the ops say of themselves; a test checks that "
      "it is current (`ASSAY_UPDATE_DOCS=1` writes it anew).\n\n";
  page += fmt::format("{} ops, {} with a gradient.\n\n", registry.ops().size(), differentiable);
  page +=
      "| op | what it gives | arguments | attributes | kernels | gradient | effect |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const auto& [name, op] : registry.ops()) {
    std::string arguments = join(op.inputs, ", ");
    arguments += arguments.empty() ? "-> " : " -> ";
    arguments += op.outputs.empty() ? "nothing" : join(op.outputs, ", ");
    std::vector<std::string> attrs;
    for (const std::string& attr : op.attrs) attrs.push_back("`" + attr + "`");
    page += fmt::format("| {} | {} | `{}` | {} | {} | {} | {} |\n", name, cell(op.doc),
                        cell(arguments), cell(join(attrs, "<br>")), join(kernel_dtypes(op), ", "),
                        op.gradient != nullptr ? "yes" : "none", effect_text(op.effect));
  }
  return page;
}

}  // namespace assay
