#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace assay::cli {

using Json = nlohmann::ordered_json;

/// Each reads one kind of file and describes it; "kind" says which it is. They throw what the
/// readers throw.
Json describe_checkpoint(const std::string& prefix);
/// A GraphDef, MetaGraphDef or SavedModel, binary or text.
Json describe_graph(const std::string& path);
/// An event file.
Json describe_events(const std::string& path);
/// A TFRecord file.
Json describe_records(const std::string& path);
/// A .npy file.
Json describe_npy(const std::string& path);
/// The state file "checkpoint" of a folder.
Json describe_checkpoint_state(const std::string& path);
/// A run folder, a folder of checkpoints or a SavedModel.
Json describe_folder(const std::string& path);

/// What `path` names, by its content.
Json describe(const std::string& path);

/// The description for people to read.
void print_description(const Json& description);

}  // namespace assay::cli
