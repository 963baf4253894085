#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace assay::format {

/// What bytes from outside may cost before they are refused.
struct ParseLimits {
  /// Protobuf itself ends at 2^31 - 1.
  std::size_t max_bytes = (std::size_t{1} << 31) - 1;
  /// Messages inside messages.
  int max_depth = 100;
};

/// Parses the wire format. `what` names the source in messages: a file's path, "graph_def".
/// Throws DataLoss when the bytes are cut short or no such message, ResourceExhausted above the
/// limits.
void parse_binary(std::string_view bytes, google::protobuf::MessageLite& message,
                  std::string_view what, const ParseLimits& limits = {});

/// Parses the text format. Throws InvalidArgument "what:line:column: reason".
void parse_text(std::string_view text, google::protobuf::Message& message, std::string_view what,
                const ParseLimits& limits = {});

template <typename Message>
Message parse_binary(std::string_view bytes, std::string_view what,
                     const ParseLimits& limits = {}) {
  Message message;
  parse_binary(bytes, message, what, limits);
  return message;
}

template <typename Message>
Message parse_text(std::string_view text, std::string_view what, const ParseLimits& limits = {}) {
  Message message;
  parse_text(text, message, what, limits);
  return message;
}

/// The wire format, the same bytes for the same message: map entries are sorted by key. Throws
/// ResourceExhausted above 2 GiB.
std::string to_binary(const google::protobuf::MessageLite& message);

/// The text format, map entries sorted by key.
std::string to_text(const google::protobuf::Message& message);

}  // namespace assay::format
