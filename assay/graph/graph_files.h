#pragma once

#include <string>
#include <string_view>

#include "assay/base/file_system.h"
#include "assay/graph/meta_graph.h"

namespace assay {

/// What a graph file was found to hold.
enum class GraphFileKind { kGraphDef, kMetaGraphDef, kSavedModel };

/// A graph read from a file. A GraphDef gets a MetaGraphDef around it without anything else; of a
/// SavedModel the first graph is taken.
struct GraphFile {
  GraphFileKind kind = GraphFileKind::kGraphDef;
  bool is_text = false;
  proto::MetaGraphDef meta;
};

/// Reads a GraphDef, MetaGraphDef or SavedModel, binary or text: the content decides, then the
/// path's ending. Throws NotFound, DataLoss (cut short, or none of these) or InvalidArgument (text
/// with a mistake), naming the path, for text with line and column.
GraphFile read_graph_file(const std::string& path, FileSystem& fs = posix_file_system());

/// The same of bytes that were read already; `path` names them.
GraphFile parse_graph_file(std::string_view bytes, const std::string& path);

/// The GraphDef of a file of any of these kinds.
proto::GraphDef load_graph_def(const std::string& path, FileSystem& fs = posix_file_system());

/// Writes text when the path ends in ".pbtxt", binary otherwise; atomically.
void write_graph_file(const proto::GraphDef& def, const std::string& path,
                      FileSystem& fs = posix_file_system());
/// The same for a MetaGraphDef.
void write_graph_file(const proto::MetaGraphDef& def, const std::string& path,
                      FileSystem& fs = posix_file_system());

}  // namespace assay
