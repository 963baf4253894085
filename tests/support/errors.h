#pragma once

#include <utility>

#include "assay/base/error.h"

namespace assay::testing {

/// The Error that `f` throws; one of code kOk when it throws none.
template <typename F>
Error error_of(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const Error& e) {
    return e;
  }
  return Error(Code::kOk, "nothing was thrown");
}

/// The code of the Error that `f` throws; kOk when it throws none.
template <typename F>
Code code_of(F&& f) {
  return error_of(std::forward<F>(f)).code();
}

}  // namespace assay::testing
