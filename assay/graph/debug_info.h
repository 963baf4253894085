#pragma once

#include <map>
#include <string>

#include "assay/base/file_system.h"
#include "assay/format/proto/debug_info.pb.h"
#include "assay/graph/graph.h"

namespace assay {

/// Where the graph's nodes were made, and those of the functions that they run, as TensorFlow keeps
/// it: file, line and function by the node's name, or by "NODE/INNER NODE". Nodes of which it is
/// not known are left out.
proto::GraphDebugInfo to_debug_info(const Graph& graph);

/// "model.cc:12" by the node's name: the innermost place of each outside TensorFlow's own code.
/// What names no file is left out.
std::map<std::string, std::string> places_of(const proto::GraphDebugInfo& info);

/// The file beside a graph that keeps it: TensorFlow's "m.debug" for "m.meta".
std::string debug_info_path(const std::string& graph_path);

/// Reads that file, binary or text. Throws NotFound, or DataLoss for what is no such file.
proto::GraphDebugInfo read_debug_info(const std::string& path,
                                      FileSystem& fs = posix_file_system());

}  // namespace assay
