#include "assay/graph/graph_files.h"

#include <algorithm>

#include "assay/format/proto_io.h"

namespace assay {
namespace {

constexpr std::uint64_t kMaxFile = (std::uint64_t{1} << 31) - 1;  // protobuf ends there

bool ends_with_any(std::string_view path, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view e) { return path.ends_with(e); });
}

bool is_text_path(std::string_view path) {
  return ends_with_any(path, {".pbtxt", ".pbtext", ".prototxt", ".txt"});
}

// Binary graphs have low bytes (tags, lengths) near their beginning; text has none.
bool looks_like_text(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, 4096);
  if (head.find('{') == std::string_view::npos && head.find(':') == std::string_view::npos)
    return false;
  return std::none_of(head.begin(), head.end(), [](char c) {
    const auto b = static_cast<unsigned char>(c);
    return b < 0x20 && b != '\n' && b != '\r' && b != '\t';
  });
}

// True when `field` begins a line: the top level of text is not indented.
bool has_top_field(std::string_view text, std::string_view field) {
  for (auto at = text.find(field); at != std::string_view::npos; at = text.find(field, at + 1)) {
    if (at == 0 || text[at - 1] == '\n') return true;
  }
  return false;
}

bool plausible(const proto::GraphDef& def) {
  return std::all_of(def.node().begin(), def.node().end(), [](const proto::NodeDef& node) {
    return !node.name().empty() && !node.op().empty();
  });
}

template <typename Message>
bool parses(std::string_view bytes, const std::string& path, Message& message) {
  try {
    format::parse_binary(bytes, message, path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

GraphFile first_of(proto::SavedModel& model, bool text, const std::string& path) {
  if (model.meta_graphs_size() == 0)
    fail(Code::kDataLoss, "{}: the SavedModel holds no graph", path);
  return {.kind = GraphFileKind::kSavedModel,
          .is_text = text,
          .meta = std::move(*model.mutable_meta_graphs(0))};
}

GraphFile parse_text_file(std::string_view bytes, const std::string& path) {
  GraphFile file{.kind = GraphFileKind::kGraphDef, .is_text = true, .meta = {}};
  if (has_top_field(bytes, "saved_model_schema_version") || has_top_field(bytes, "meta_graphs")) {
    proto::SavedModel model;
    format::parse_text(bytes, model, path);
    return first_of(model, true, path);
  }
  if (has_top_field(bytes, "graph_def") || has_top_field(bytes, "meta_info_def")) {
    file.kind = GraphFileKind::kMetaGraphDef;
    format::parse_text(bytes, file.meta, path);
    return file;
  }
  try {
    format::parse_text(bytes, *file.meta.mutable_graph_def(), path);
  } catch (const Error&) {
    const auto top = {"node", "versions", "version", "library"};
    if (std::any_of(top.begin(), top.end(), [&](const char* f) { return has_top_field(bytes, f); }))
      throw;
    invalid_argument("{} is text, but no GraphDef: none of its lines begins with 'node'", path);
  }
  return file;
}

GraphFile parse_binary_file(std::string_view bytes, const std::string& path) {
  // A SavedModel begins with its version (field 1, a number); the others with a message.
  if (bytes.starts_with('\x08')) {
    proto::SavedModel model;
    format::parse_binary(bytes, model, path);
    return first_of(model, false, path);
  }
  GraphFile file;
  proto::MetaGraphDef meta;
  const bool is_meta =
      parses(bytes, path, meta) && meta.has_graph_def() && plausible(meta.graph_def());
  const bool meta_with_nodes = is_meta && meta.graph_def().node_size() > 0;
  if (meta_with_nodes || (is_meta && ends_with_any(path, {".meta"}))) {
    file.kind = GraphFileKind::kMetaGraphDef;
    file.meta = std::move(meta);
    return file;
  }
  if (ends_with_any(path, {".meta"})) {
    format::parse_binary(bytes, meta, path);  // says what is wrong
    fail(Code::kDataLoss, "{}: is no MetaGraphDef: it holds no graph", path);
  }
  proto::GraphDef def;
  format::parse_binary(bytes, def, path);
  if (def.node_size() == 0 || !plausible(def)) {
    fail(Code::kDataLoss, "{}: is neither a GraphDef, a MetaGraphDef nor a SavedModel", path);
  }
  *file.meta.mutable_graph_def() = std::move(def);
  return file;
}

template <typename Message>
void write(const Message& def, const std::string& path, FileSystem& fs) {
  atomic_write_file(fs, path, is_text_path(path) ? format::to_text(def) : format::to_binary(def));
}

}  // namespace

GraphFile parse_graph_file(std::string_view bytes, const std::string& path) {
  if (bytes.empty()) fail(Code::kDataLoss, "{}: the file is empty; expected a GraphDef", path);
  return is_text_path(path) || looks_like_text(bytes) ? parse_text_file(bytes, path)
                                                      : parse_binary_file(bytes, path);
}

GraphFile read_graph_file(const std::string& path, FileSystem& fs) {
  return parse_graph_file(read_file(fs, path, kMaxFile), path);
}

proto::GraphDef load_graph_def(const std::string& path, FileSystem& fs) {
  return std::move(*read_graph_file(path, fs).meta.mutable_graph_def());
}

void write_graph_file(const proto::GraphDef& def, const std::string& path, FileSystem& fs) {
  write(def, path, fs);
}

void write_graph_file(const proto::MetaGraphDef& def, const std::string& path, FileSystem& fs) {
  write(def, path, fs);
}

}  // namespace assay
