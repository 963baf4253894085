#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "assay/api/apply_op.h"

namespace assay::data {

/// apply_op() for ops whose inputs are single tensors.
inline Node* make_node(std::string_view op, const std::string& name,
                       std::initializer_list<Operand> inputs, AttrMap attrs = {}) {
  const std::vector<OpArg> args(inputs.begin(), inputs.end());
  return apply_op(op, name, args, std::move(attrs));
}

/// The same for ops whose only input is a list of tensors.
inline Node* make_list_node(std::string_view op, std::vector<Operand> inputs, AttrMap attrs) {
  return apply_op(op, "", {OpArg(std::move(inputs))}, std::move(attrs));
}

}  // namespace assay::data
