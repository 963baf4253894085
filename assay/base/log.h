#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace assay {

/// Prints "assay: ..." to stderr in one piece: something the user may want to know later, nothing
/// that is wrong. Thread-safe.
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  const std::string line = "assay: " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

/// Prints "assay: warning: ..." to stderr in one piece. Thread-safe.
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  const std::string line =
      "assay: warning: " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace assay
