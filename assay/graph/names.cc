#include "assay/graph/names.h"

#include <cctype>
#include <charconv>

#include "assay/graph/node.h"

namespace assay {
namespace {

bool letter_or_digit(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool allowed(char c) {
  return letter_or_digit(c) || c == '_' || c == '.' || c == '-' || c == '/' || c == '\\' ||
         c == '>';
}

bool all_allowed(std::string_view name) {
  for (char c : name) {
    if (!allowed(c)) return false;
  }
  return true;
}

}  // namespace

TensorName parse_tensor_name(std::string_view name) {
  if (name.empty()) invalid_argument("an empty tensor name");
  if (name.front() == '^') {
    invalid_argument("'{}' names a node to wait for, not a tensor", name);
  }
  const auto colon = name.rfind(':');
  if (colon == std::string_view::npos) return {std::string(name), 0};
  const std::string_view digits = name.substr(colon + 1);
  int index = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc() || end != digits.data() + digits.size() || index < 0 || colon == 0) {
    invalid_argument("'{}' is no tensor name: expected NODE or NODE:NUMBER", name);
  }
  return {std::string(name.substr(0, colon)), index};
}

void check_node_name(std::string_view name) {
  if (!name.empty() && (letter_or_digit(name.front()) || name.front() == '.') &&
      all_allowed(name)) {
    return;
  }
  invalid_argument(
      "'{}' is no valid node name: letters, digits and _.-/ are allowed, and the first must be a "
      "letter, a digit or a dot",
      name);
}

void check_imported_name(std::string_view name) {
  if (name.empty()) invalid_argument("a node has an empty name");
  bool good = name.front() != '^';
  for (char c : name) good = good && c != ':' && std::iscntrl(static_cast<unsigned char>(c)) == 0;
  if (!good) invalid_argument("'{}' is no valid node name", name);
}

void check_scope_name(std::string_view name, bool nested) {
  if (!nested) {
    check_node_name(name);
  } else if (!all_allowed(name)) {
    invalid_argument("'{}' is no valid name scope: letters, digits and _.-/ are allowed", name);
  }
}

std::vector<std::string> colocation_groups(const Node& node) {
  std::vector<std::string> groups;
  if (const AttrValue* value = node.find_attr("_class")) {
    if (const auto* classes = std::get_if<std::vector<std::string>>(value)) {
      for (const std::string& c : *classes) {
        if (c.starts_with("loc:@")) groups.push_back(c);
      }
    }
  }
  if (groups.empty()) groups.push_back("loc:@" + node.name());
  return groups;
}

}  // namespace assay
