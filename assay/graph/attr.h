#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "assay/tensor/tensor.h"

namespace assay {

struct FunctionAttr;

/// The value of a node's attribute: exactly the kinds that GraphDef's AttrValue has. Integers are
/// int64, "string" is bytes; an empty list of any kind is EmptyList, as GraphDef cannot tell.
struct EmptyList {
  bool operator==(const EmptyList&) const = default;
};
using AttrValue =
    std::variant<std::string, std::int64_t, float, bool, DType, PartialShape, Tensor, EmptyList,
                 std::vector<std::string>, std::vector<std::int64_t>, std::vector<float>,
                 std::vector<bool>, std::vector<DType>, std::vector<PartialShape>,
                 std::vector<Tensor>, std::shared_ptr<const FunctionAttr>,
                 std::vector<std::shared_ptr<const FunctionAttr>>>;

/// Attributes by name, in the order GraphDef's map prints them.
using AttrMap = std::map<std::string, AttrValue, std::less<>>;

/// A function's name with attributes of its own ("func" in GraphDef).
struct FunctionAttr {
  std::string name;
  AttrMap attrs;
};

/// True when both hold the same kind and value (tensors: dtype, shape and bits).
bool attr_equal(const AttrValue& a, const AttrValue& b);

/// A short rendering for messages and `inspect`: `float32`, `[1,2]`, `"text"`.
std::string attr_str(const AttrValue& value);

/// The kind as OpDef texts write it: "int", "list(type)", ...
std::string attr_kind(const AttrValue& value);

}  // namespace assay
