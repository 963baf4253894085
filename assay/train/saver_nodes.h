#pragma once

#include <optional>
#include <string>
#include <vector>

#include "assay/api/variable.h"

namespace assay::train {

/// The nodes' names by which a saver is found in a graph (SaverDef).
struct SaverNodes {
  std::string filename_tensor_name;
  std::string save_tensor_name;
  std::string restore_op_name;
};

/// A variable under the name it has in checkpoints, or a part of one that is kept in parts.
struct Saveable {
  std::string name;
  Variable variable;
  /// "" or where the part lies: "20 10 0,5:-".
  std::string slice = {};
};

/// How the nodes are made.
struct SaverNodeOptions {
  std::string scope = "save";
  std::string filename = "model";
  bool reshape = false;
  bool sharded = false;
};

/// Adds the nodes that TensorFlow's Saver adds, in the current graph.
SaverNodes build_saver_nodes(const std::vector<Saveable>& saveables,
                             const SaverNodeOptions& options);

/// The node that puts a restored tensor into its variable.
Node* add_restore_assign(const Variable& variable, Output restored, bool reshape);

/// One tensor of a checkpoint and the variable that it is of, as a saver's nodes say.
struct SavedTensor {
  std::string name;      ///< in the checkpoint
  std::string slice;     ///< "" for the whole tensor
  std::string resource;  ///< the variable's name in a session's ResourceStore
  DType dtype = DType::kInvalid;
  PartialShape shape;          ///< what a restored value must fit
  bool reshape = false;        ///< another shape of as many elements will do
  int shard = 0;               ///< which SaveV2 node of several
  const Node* node = nullptr;  ///< the variable's
};

/// What a saver's nodes do, read from the graph without running it. A list is absent when they do
/// more than move variables: their nodes must be run then.
struct ResolvedSaver {
  std::optional<std::vector<SavedTensor>> saved;
  std::optional<std::vector<SavedTensor>> restored;
  int shards = 1;
  /// Its nodes write the old format V1, which is not written any more.
  bool writes_v1 = false;
};

/// Follows the nodes. Throws NotFound when one that `nodes` names is not in the graph.
ResolvedSaver resolve_saver(const Graph& graph, const SaverNodes& nodes);

}  // namespace assay::train
