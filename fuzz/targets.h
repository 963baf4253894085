#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "assay/base/error.h"

namespace assay::fuzz {

/// A reader of files that may come from anywhere, given any bytes. What it may do is throw Error;
/// anything else (a crash, another exception, reading past an end) is a mistake of ours.
struct Target {
  const char* name;
  void (*run)(std::string_view bytes);
  /// Small valid inputs to begin with, made by our own writers.
  std::vector<std::string> (*seeds)();
};

/// bundle, state, table, v1: readers of assay/format.
std::span<const Target> format_targets();
/// meta_graph: what imports a graph, with all ops.
std::span<const Target> graph_targets();

/// Runs what may throw Error. An internal error, a broken invariant of ours, goes on.
template <typename F>
void tolerate(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const Error& e) {
    if (e.code() == Code::kInternal) throw;
  }
}

}  // namespace assay::fuzz
