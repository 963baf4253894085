#include "assay/graph/debug_info.h"

#include <filesystem>

#include "assay/base/error.h"
#include "assay/format/proto_io.h"
#include "assay/graph/random_nodes.h"

namespace assay {
namespace {

using FileNumbers = std::map<std::string, int>;

void add_places(const Graph& graph, FileNumbers& numbers, proto::GraphDebugInfo& info) {
  for (const auto& node : graph.nodes()) {
    const std::source_location& where = node->where();
    if (where.line() == 0) continue;
    const auto [file, is_new] = numbers.try_emplace(where.file_name(), info.files_size());
    if (is_new) info.add_files(file->first);
    auto& trace = (*info.mutable_traces())[seed_scope(graph) + node->name()];
    auto* frame = trace.add_file_line_cols();
    frame->set_file_index(file->second);
    frame->set_line(static_cast<std::int32_t>(where.line()));
    frame->set_col(static_cast<std::int32_t>(where.column()));
    frame->set_func(where.function_name());
  }
  for (const Graph* function : function_graphs(graph)) add_places(*function, numbers, info);
}

/// TensorFlow keeps some calls inside its own code too, which are not the user's place.
bool is_of_library(const std::string& file) {
  return file.find("/tensorflow/python/") != std::string::npos ||
         file.find("/tensorflow_core/python/") != std::string::npos;
}

}  // namespace

proto::GraphDebugInfo to_debug_info(const Graph& graph) {
  proto::GraphDebugInfo info;
  FileNumbers numbers;
  add_places(graph, numbers, info);
  return info;
}

std::map<std::string, std::string> places_of(const proto::GraphDebugInfo& info) {
  std::map<std::string, std::string> places;
  for (const auto& [name, trace] : info.traces()) {
    if (trace.file_line_cols().empty()) continue;
    for (const auto& frame : trace.file_line_cols()) {
      if (frame.file_index() < 0 || frame.file_index() >= info.files_size()) continue;
      const std::string& file = info.files(frame.file_index());
      std::string& place = places[name];
      const bool library = is_of_library(file);
      // When all are the library's, the innermost.
      if (!library || place.empty()) {
        place = fmt::format("{}:{}", std::filesystem::path(file).filename().string(), frame.line());
      }
      if (!library) break;
    }
  }
  return places;
}

std::string debug_info_path(const std::string& graph_path) {
  return std::filesystem::path(graph_path).replace_extension(".debug").string();
}

proto::GraphDebugInfo read_debug_info(const std::string& path, FileSystem& fs) {
  const std::string bytes = read_file(fs, path);
  try {
    return format::parse_binary<proto::GraphDebugInfo>(bytes, path);
  } catch (const Error& binary) {
    if (binary.code() != Code::kDataLoss) throw;
    try {
      return format::parse_text<proto::GraphDebugInfo>(bytes, path);
    } catch (const Error&) {
      throw Error(binary);
    }
  }
}

}  // namespace assay
