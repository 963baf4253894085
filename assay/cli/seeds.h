#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "assay/format/checkpoint_reader.h"
#include "assay/format/proto/graph.pb.h"
#include "assay/graph/graph.h"

namespace assay::cli {

/// What `assay seeds` says of where seeds came from, beside the names of SeedOrigin: the graph's
/// seed was set, but what the op's was made of cannot be seen from outside its function.
inline constexpr const char* kFromGraphSeed = "graph seed";

/// A random op inside a function.
struct FunctionOp {
  std::string name;      ///< FUNCTION/NODE, or the map's node and the one inside it
  std::string function;  ///< of the library; "" for the function of a dataset
  std::string node;      ///< inside the function
  std::string op;        ///< "" when not known
  /// seed and seed2; nothing when they are computed or follow from the entropy.
  std::optional<std::pair<std::int64_t, std::int64_t>> seeds = {};
  std::string from;  ///< "op seed", ...
};

/// The random ops of a function library, in its order. Inputs that do not exist and values that
/// cannot be read count as computed. Never throws for what is in `library`.
std::vector<FunctionOp> random_ops_of(const proto::FunctionDefLibrary& library,
                                      const OpRegistry& registry);

/// How far a node's stream was when the checkpoint was made; that of a dataset at all its places in
/// pipelines, together.
struct Drawn {
  std::optional<std::uint64_t> blocks = {};   ///< of four 32-bit numbers
  std::optional<std::int64_t> elements = {};  ///< of a shuffled dataset, since it was initialised
};

/// Where the streams of a checkpoint stand. Throws what CheckpointReader throws.
class Streams {
 public:
  /// `graph` is the one that was saved with it; it must outlive the constructor only.
  Streams(const std::string& prefix, const Graph& graph);

  /// Of a node of the graph.
  Drawn of(const std::string& node) const;
  /// The session's; nothing when nothing drew from it.
  std::optional<std::uint64_t> entropy() const;
  /// The ops inside the functions of datasets that have drawn, by name.
  const std::map<std::string, std::pair<FunctionOp, Drawn>>& in_functions() const {
    return in_functions_;
  }

 private:
  void add_iterator_state(const std::string& name, const Graph& graph);
  /// So many int64 under this name; nothing when there is no such tensor.
  std::optional<std::vector<std::int64_t>> numbers(const std::string& name,
                                                   std::int64_t count) const;

  std::unique_ptr<format::CheckpointReader> reader_;
  std::map<std::string, std::int64_t> elements_;  // by node
  std::map<std::string, std::pair<FunctionOp, Drawn>> in_functions_;
};

}  // namespace assay::cli
