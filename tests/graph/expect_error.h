#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "assay/base/error.h"

namespace assay::testing {

/// Runs `body`, which must throw an Error of `code`; returns its message ("" otherwise).
template <typename Body>
std::string error_of(Code code, Body&& body) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.message();
  }
  ADD_FAILURE() << "no error was thrown";
  return {};
}

}  // namespace assay::testing
