#pragma once

#include <vector>

#include "assay/graph/node.h"

namespace assay {

/// The most outputs one node may have: bounds what a hostile count attribute can ask for.
inline constexpr std::int64_t kMaxOutputs = 65536;

/// How strictly attributes are held to the op's signature.
enum class AttrPolicy {
  kStrict,   ///< an attribute that the op does not have is an error
  kLenient,  ///< it is carried along (graphs written by other versions)
};

/// Checks `inputs` against the op's arguments, sets the type and count attributes that they
/// determine, fills in defaults, checks allowed values, and returns the output dtypes. Throws
/// InvalidArgument that names the argument, expected, got and the offending input's place; the
/// caller adds the node.
std::vector<DType> resolve_signature(const OpDef& def, const std::vector<Output>& inputs,
                                     AttrMap& attrs, AttrPolicy policy);

/// The argument that input `i` of `node` belongs to; null for an unknown op.
const ArgDef* input_arg(const Node& node, int i);

/// The dtype that input `i` must have, as the op's signature and the node's attributes say;
/// kInvalid for an unknown op.
DType declared_input_dtype(const Node& node, int i);

/// "'fc1/W' (model.cc:52)": an input as messages name it.
std::string describe_output(const Output& output);

}  // namespace assay
