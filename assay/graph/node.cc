#include "assay/graph/node.h"

#include <algorithm>

#include "assay/graph/graph.h"
#include "assay/graph/signature.h"

namespace assay {

DType Output::dtype() const {
  return node->output_dtype(index);
}

const PartialShape& Output::shape() const {
  return node->output_shape(index);
}

std::string Output::name() const {
  return fmt::format("{}:{}", node->name(), index);
}

std::string Output::input_name() const {
  return index == 0 ? node->name() : name();
}

Graph& Output::graph() const {
  return node->graph();
}

const AttrValue* Node::find_attr(std::string_view name) const {
  const auto it = attrs_.find(name);
  return it == attrs_.end() ? nullptr : &it->second;
}

namespace {

template <typename T>
constexpr bool is_vector = false;
template <typename T>
constexpr bool is_vector<std::vector<T>> = true;

}  // namespace

template <typename T>
T Node::attr(std::string_view name) const {
  const AttrValue* value = find_attr(name);
  if (value == nullptr) {
    throw Error(Code::kInvalidArgument, fmt::format("{}: has no attribute '{}'", label(), name),
                name_, place());
  }
  if (const T* held = std::get_if<T>(value)) return *held;
  if constexpr (is_vector<T>) {
    if (std::holds_alternative<EmptyList>(*value)) return {};
  }
  throw Error(Code::kInvalidArgument,
              fmt::format("{}: attribute '{}' should be {}, but is {} {}", label(), name,
                          attr_kind(AttrValue(T{})), attr_kind(*value), attr_str(*value)),
              name_, place());
}

template std::string Node::attr(std::string_view) const;
template std::int64_t Node::attr(std::string_view) const;
template float Node::attr(std::string_view) const;
template bool Node::attr(std::string_view) const;
template DType Node::attr(std::string_view) const;
template PartialShape Node::attr(std::string_view) const;
template Tensor Node::attr(std::string_view) const;
template std::vector<std::string> Node::attr(std::string_view) const;
template std::vector<std::int64_t> Node::attr(std::string_view) const;
template std::vector<float> Node::attr(std::string_view) const;
template std::vector<bool> Node::attr(std::string_view) const;
template std::vector<DType> Node::attr(std::string_view) const;
template std::vector<PartialShape> Node::attr(std::string_view) const;
template std::vector<Tensor> Node::attr(std::string_view) const;
template std::shared_ptr<const FunctionAttr> Node::attr(std::string_view) const;
template std::vector<std::shared_ptr<const FunctionAttr>> Node::attr(std::string_view) const;

std::string Node::place() const {
  return where_.line() == 0 ? std::string() : place_of(where_);
}

std::string Node::label() const {
  const std::string at = place();
  return at.empty() ? fmt::format("{} '{}'", op_, name_)
                    : fmt::format("{} '{}' ({})", op_, name_, at);
}

void Node::merge_output_shape(int i, const PartialShape& shape) {
  PartialShape& own = output_shapes_.at(static_cast<std::size_t>(i));
  const std::optional<PartialShape> merged = own.merge(shape);
  if (!merged) {
    throw Error(Code::kInvalidArgument,
                fmt::format("{}: output {} has shape {}, which {} contradicts", label(), i,
                            own.str(), shape.str()),
                name_, place());
  }
  own = *merged;
}

void Node::add_control_input(Node* node) {
  ASSAY_CHECK(node != nullptr && node->graph_ == graph_);
  if (std::find(control_inputs_.begin(), control_inputs_.end(), node) == control_inputs_.end()) {
    control_inputs_.push_back(node);
  }
}

void Node::replace_input(int i, Output with) {
  Output& slot = inputs_.at(static_cast<std::size_t>(i));
  ASSAY_CHECK(with && with.node->graph_ == graph_);
  const DType had = slot.dtype();
  const DType gets = with.dtype();
  const bool unknown = had == DType::kInvalid || gets == DType::kInvalid;
  const ArgDef* arg = input_arg(*this, i);
  const bool needs_ref = arg != nullptr && arg->is_ref;
  if (!unknown && (base_dtype(had) != base_dtype(gets) || (needs_ref && !is_ref(gets)))) {
    throw Error(Code::kInvalidArgument,
                fmt::format("{}: input {} is {}, so '{}' of {} cannot replace it", label(), i,
                            dtype_name(had), with.input_name(), dtype_name(gets)),
                name_, place());
  }
  slot = with;
}

}  // namespace assay
