#include "assay/train/restore_report.h"

#include <fmt/ranges.h>

namespace assay::train {

bool RestoreReport::complete() const {
  return missing.empty() && shape_differs.empty() && dtype_differs.empty();
}

std::string RestoreReport::str() const {
  std::string text = fmt::format(
      "{}: {} matched, {} missing, {} unused, {} of another shape, {} of another dtype\n", prefix,
      matched.size(), missing.size(), unused.size(), shape_differs.size(), dtype_differs.size());
  for (const Matched& m : matched) {
    if (m.variable != m.stored) text += fmt::format("  {} <- {}\n", m.variable, m.stored);
  }
  for (const Missing& m : missing) {
    text += fmt::format("  missing: {}", m.variable);
    if (!m.nearest.empty()) text += fmt::format(" (near it: {})", fmt::join(m.nearest, ", "));
    text += "\n";
  }
  const auto differs = [&](const char* what, const std::vector<Differs>& list) {
    for (const Differs& d : list) {
      text += fmt::format("  {} differs: {}{}: expected {}, the checkpoint has {}{}\n", what,
                          d.variable, d.place.empty() ? "" : " (" + d.place + ")", d.expected,
                          d.got, d.stored == d.variable ? "" : " (" + d.stored + ")");
    }
  };
  differs("shape", shape_differs);
  differs("dtype", dtype_differs);
  for (const std::string& name : unused) text += fmt::format("  unused: {}\n", name);
  return text;
}

}  // namespace assay::train
