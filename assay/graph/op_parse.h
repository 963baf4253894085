#pragma once

#include <string_view>

#include "assay/graph/op_def.h"

namespace assay {

/// Parses an op's arguments and attributes from TensorFlow's notation. A malformed one, or an
/// argument that names an attribute which does not exist, is an internal error naming the op.
OpDef parse_op(const OpSpec& spec);

/// One argument: "x: T", "values: N * T", "ref: Ref(T)", "shape: int32", "inputs: Tlist". Names
/// that are no dtype are taken as attributes; parse_op tells a type attribute from a type list.
ArgDef parse_arg(std::string_view text);

/// One attribute: "T: {float, double} = DT_FLOAT", "N: int >= 1", "axis: list(int) = []".
AttrDef parse_attr(std::string_view text);

}  // namespace assay
