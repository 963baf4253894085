#pragma once

#include <fmt/format.h>

#include <exception>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace assay {

/// TensorFlow's canonical error codes, with its numbers.
enum class Code {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
};

/// The name TensorFlow prints for `code`, such as "InvalidArgument".
std::string_view code_name(Code code);

/// What every user-facing call throws: a code, a message that reads alone, the node it is about
/// (empty when none) and the user's source place "file.cc:12" (empty when unknown).
class Error : public std::exception {
 public:
  /// what() is made from these once: "Code: message".
  Error(Code code, std::string message, std::string node = {}, std::string where = {});

  Code code() const { return code_; }
  /// The message without code, node or place.
  const std::string& message() const { return message_; }
  const std::string& node() const { return node_; }
  const std::string& where() const { return where_; }
  /// "InvalidArgument: message".
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  Code code_;
  std::string message_;
  std::string node_;
  std::string where_;
  std::string what_;
};

/// "file.cc:12" of a source location: the last path component and the line.
std::string place_of(const std::source_location& where);

/// Throws Error{code, formatted message}.
template <typename... Args>
[[noreturn]] void fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

/// fail() with InvalidArgument, the code of nearly all mistakes of users.
template <typename... Args>
[[noreturn]] void invalid_argument(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(Code::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
}

/// Reports a broken invariant of Assay itself, told apart from the user's mistakes.
[[noreturn]] void internal_error(const char* condition, const char* file, int line);

}  // namespace assay

/// Checks an invariant of ours; a failure is a bug in Assay and throws Code::kInternal.
#define ASSAY_CHECK(condition)                                 \
  do {                                                         \
    if (!(condition)) [[unlikely]]                             \
      ::assay::internal_error(#condition, __FILE__, __LINE__); \
  } while (false)
