#pragma once

#include <source_location>
#include <string>
#include <utility>

#include "assay/base/error.h"
#include "assay/graph/scope.h"

namespace assay::internal {

/// Throws the InvalidArgument of a user's mistake, with the line that the open PlaceScope knows.
template <typename... Args>
[[noreturn]] void invalid_here(fmt::format_string<Args...> format, Args&&... args) {
  std::string message = fmt::format(format, std::forward<Args>(args)...);
  const std::source_location where = PlaceScope::current();
  if (where.line() == 0) throw Error(Code::kInvalidArgument, std::move(message));
  const std::string place = place_of(where);
  throw Error(Code::kInvalidArgument, fmt::format("{} ({})", message, place), "", place);
}

}  // namespace assay::internal
