#pragma once

#include <string_view>

#include "assay/format/proto/graph.pb.h"
#include "assay/graph/attr.h"
#include "assay/graph/op_def.h"

namespace assay {

/// The attribute that GraphDef holds; nullopt when none is set. `what` names it in messages.
/// Throws InvalidArgument for a value that cannot be held (a malformed shape or tensor, a
/// placeholder of a function body, a list of several kinds).
std::optional<AttrValue> attr_from_proto(const proto::AttrValue& value, std::string_view what);
/// The inverse: the attribute as GraphDef keeps it.
proto::AttrValue attr_to_proto(const AttrValue& value);

/// The op's signature as GraphDef's OpDef, without documentation.
proto::OpDef op_def_to_proto(const OpDef& def);

}  // namespace assay
