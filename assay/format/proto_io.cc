#include "assay/format/proto_io.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>

#include <limits>

#include "assay/base/error.h"

namespace assay::format {

namespace {

namespace pb = google::protobuf;

void check_size(std::size_t size, std::string_view what, const ParseLimits& limits) {
  const auto most = std::min<std::size_t>(limits.max_bytes, static_cast<std::size_t>(INT32_MAX));
  if (size > most) {
    fail(Code::kResourceExhausted, "{}: {} bytes are more than the {} a message may have", what,
         size, most);
  }
}

/// "NodeDef" of "assay.proto.NodeDef".
std::string short_name(const pb::MessageLite& message) {
  const std::string full = message.GetTypeName();
  return full.substr(full.rfind('.') + 1);
}

/// Keeps the first error, which the later ones only follow from.
class FirstError : public pb::io::ErrorCollector {
 public:
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    if (!text.empty()) return;
    text = line < 0 ? message : fmt::format("{}:{}: {}", line + 1, column + 1, message);
  }
  void AddWarning(int, pb::io::ColumnNumber, const std::string&) override {}

  std::string text;
};

}  // namespace

void parse_binary(std::string_view bytes, pb::MessageLite& message, std::string_view what,
                  const ParseLimits& limits) {
  check_size(bytes.size(), what, limits);
  pb::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                  static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(limits.max_depth);
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  const pb::LogSilencer silent;  // the exception says it; protobuf would write to stderr as well
  if (!message.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    fail(Code::kDataLoss, "{} is cut short, damaged, or no {}", what, short_name(message));
  }
}

void parse_text(std::string_view text, pb::Message& message, std::string_view what,
                const ParseLimits& limits) {
  check_size(text.size(), what, limits);
  FirstError first;
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&first);
  parser.SetRecursionLimit(limits.max_depth);
  pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  const pb::LogSilencer silent;
  if (!parser.Parse(&stream, &message)) {
    invalid_argument("{}:{}", what,
                     first.text.empty() ? " is no " + short_name(message) : first.text);
  }
}

std::string to_binary(const pb::MessageLite& message) {
  const std::size_t size = message.ByteSizeLong();
  if (size > static_cast<std::size_t>(INT32_MAX)) {
    fail(Code::kResourceExhausted, "a {} of {} bytes is more than the 2 GiB a message may have",
         short_name(message), size);
  }
  std::string bytes;
  {
    pb::io::StringOutputStream stream(&bytes);
    pb::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeWithCachedSizes(&coded);
  }
  return bytes;
}

std::string to_text(const pb::Message& message) {
  std::string text;
  pb::TextFormat::Printer printer;
  ASSAY_CHECK(printer.PrintToString(message, &text));
  return text;
}

}  // namespace assay::format
