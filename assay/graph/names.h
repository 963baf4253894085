#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay {

class Node;

/// A tensor's name taken apart: "a/b:1" is output 1 of node "a/b", "a/b" output 0.
struct TensorName {
  std::string node;
  int index = 0;
};

/// Throws InvalidArgument for an empty name, a control input ("^a") or a malformed output number.
TensorName parse_tensor_name(std::string_view name);

/// Throws InvalidArgument when `name` breaks TF's rule: letters, digits, and "_.-/\>", of which
/// the first is a letter, a digit or a dot.
void check_node_name(std::string_view name);

/// The laxer rule for names that a file gives: not empty, without ':', control characters, or a
/// '^' in front.
void check_imported_name(std::string_view name);

/// Throws InvalidArgument when `name` is no name scope; a nested one may begin with any of the
/// allowed characters.
void check_scope_name(std::string_view name, bool nested);

/// The node's colocation groups ("loc:@name"): its `_class` attribute's, else its own.
std::vector<std::string> colocation_groups(const Node& node);

}  // namespace assay
