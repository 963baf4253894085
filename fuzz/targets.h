#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::fuzz {

/// A reader of files that may come from anywhere, given any bytes. What it may do is throw Error;
/// anything else (a crash, another exception, reading past an end) is a mistake of ours.
struct Target {
  const char* name;
  void (*run)(std::string_view bytes);
  /// Small valid inputs to begin with, made by our own writers.
  std::vector<std::string> (*seeds)();
};

/// bundle, meta_graph, state, table, v1.
std::span<const Target> targets();

/// nullptr when there is none of that name.
const Target* find_target(std::string_view name);

}  // namespace assay::fuzz
