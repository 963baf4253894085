#include "assay/graph/shape_context.h"

#include "assay/graph/signature.h"

namespace assay {
namespace {

const PartialShape& unknown_shape() {
  static const PartialShape shape;
  return shape;
}

}  // namespace

ShapeContext::ShapeContext(const Node& node, std::vector<PartialShape> inputs, ValueFn value,
                           ShapeValueFn shape_value)
    : node_(node),
      inputs_(std::move(inputs)),
      outputs_(static_cast<std::size_t>(node.num_outputs())),
      value_(std::move(value)),
      shape_value_(std::move(shape_value)) {
  ASSAY_CHECK(num_inputs() == node.num_inputs());
  // No tensor has more dimensions than kMaxRank: what a file says beyond that says nothing.
  for (PartialShape& shape : inputs_) {
    if (shape.rank() > kMaxRank) shape = PartialShape::unknown();
  }
}

const Tensor* ShapeContext::input_value(int i) const {
  if (value_) return value_(i);
  constants_.resize(inputs_.size());
  std::optional<Tensor>& known = constants_.at(static_cast<std::size_t>(i));
  if (!known) known = constant_value(node_.input(i));
  return known->defined() ? &*known : nullptr;
}

PartialShape ShapeContext::input_as_shape(int i) const {
  PartialShape found;
  bool said = false;
  if (const Tensor* value = input_value(i)) {
    found = shape_from_tensor(*value);
    said = true;
  } else if (shape_value_) {
    found = shape_value_(i);
    said = found.has_rank();
  } else if (!value_) {
    found = constant_value_as_shape(node_.input(i));
    said = found.has_rank();
  }
  if (!said) {
    const PartialShape& length = input(i);
    if (length.has_rank() && length.rank() == 1 && length[0] >= 0) {
      if (length[0] > kMaxRank) {
        mismatch("input {} ({}) holds a shape of rank {}; at most {} is possible", i,
                 describe_input(i), length[0], kMaxRank);
      }
      return PartialShape::unknown_of_rank(static_cast<int>(length[0]));
    }
    return found;
  }
  if (!found.has_rank()) return found;
  for (std::int64_t size : found.dims()) {
    if (size < -1) {
      mismatch("input {} ({}) holds the size {}, which is below -1", i, describe_input(i), size);
    }
  }
  return found;
}

std::optional<std::int64_t> ShapeContext::input_as_int(int i) const {
  const Tensor* value = input_value(i);
  if (value == nullptr || value->num_elements() != 1) return std::nullopt;
  if (value->dtype() == DType::kInt32) return *value->data<std::int32_t>();
  if (value->dtype() == DType::kInt64) return *value->data<std::int64_t>();
  return std::nullopt;
}

void ShapeContext::set_all_outputs(const PartialShape& shape) {
  for (PartialShape& output : outputs_) output = shape;
}

PartialShape ShapeContext::with_rank(int i, int rank) const {
  const PartialShape& shape = input(i);
  if (!shape.has_rank()) return PartialShape::unknown_of_rank(rank);
  if (shape.rank() == rank) return shape;
  mismatch("input {} must have rank {}, but has rank {}: {}", i, rank, shape.rank(),
           describe_input(i));
}

PartialShape ShapeContext::with_rank_at_least(int i, int rank) const {
  const PartialShape& shape = input(i);
  if (!shape.has_rank() || shape.rank() >= rank) return shape;
  mismatch("input {} must have at least rank {}, but has rank {}: {}", i, rank, shape.rank(),
           describe_input(i));
}

PartialShape ShapeContext::with_rank_at_most(int i, int rank) const {
  const PartialShape& shape = input(i);
  if (!shape.has_rank() || shape.rank() <= rank) return shape;
  mismatch("input {} must have at most rank {}, but has rank {}: {}", i, rank, shape.rank(),
           describe_input(i));
}

PartialShape ShapeContext::merge_inputs(int i, int j) const {
  if (std::optional<PartialShape> merged = input(i).merge(input(j))) return *merged;
  mismatch("inputs {} and {} must have one shape: {}, {}", i, j, describe_input(i),
           describe_input(j));
}

std::string ShapeContext::describe_input(int i) const {
  return fmt::format("{} from {}", input(i).str(), describe_output(node_.input(i)));
}

std::optional<std::int64_t> merge_dims(std::int64_t a, std::int64_t b) {
  if (a < 0) return b;
  if (b < 0 || a == b) return a;
  return std::nullopt;
}

PartialShape shape_from_tensor(const Tensor& value) {
  std::vector<std::int64_t> sizes;
  const auto read = [&](auto span) { sizes.assign(span.begin(), span.end()); };
  if (value.rank() > 1) {
    invalid_argument("a shape must be a vector, but is {}", value.shape().str());
  }
  if (value.num_elements() > kMaxRank) {
    invalid_argument("a shape of rank {} is beyond the highest possible, {}", value.num_elements(),
                     kMaxRank);
  }
  if (value.dtype() == DType::kInt32) {
    read(value.span<std::int32_t>());
  } else if (value.dtype() == DType::kInt64) {
    read(value.span<std::int64_t>());
  } else {
    invalid_argument("a shape must be int32 or int64, but is {}", dtype_name(value.dtype()));
  }
  if (value.rank() == 0) {
    if (sizes[0] == -1) return PartialShape::unknown();
    invalid_argument("a shape must be a vector, but is the scalar {}", sizes[0]);
  }
  return PartialShape(std::move(sizes));
}

std::vector<PartialShape> infer_shapes(const Node& node) {
  std::vector<PartialShape> inputs;
  inputs.reserve(node.inputs().size());
  for (const Output& input : node.inputs()) inputs.push_back(input.shape());
  if (node.def() == nullptr || node.def()->shape == nullptr) {
    return std::vector<PartialShape>(static_cast<std::size_t>(node.num_outputs()), unknown_shape());
  }
  ShapeContext context(node, std::move(inputs));
  return run_shape_function(node, context);
}

std::vector<PartialShape> run_shape_function(const Node& node, ShapeContext& context) {
  try {
    node.def()->shape(context);
  } catch (const Error& e) {
    if (!e.node().empty()) throw;  // names its node already
    std::string message = fmt::format("{}: {}", node.label(), e.message());
    // A message that names none of the inputs gets them appended, with their places.
    bool named = node.num_inputs() == 0;
    for (const Output& input : node.inputs()) {
      named = named || e.message().find("'" + input.input_name() + "'") != std::string::npos;
    }
    constexpr int kShown = 6;
    for (int i = 0; !named && i < node.num_inputs(); ++i) {
      if (i == kShown) {
        message += ", ...";
        break;
      }
      message += (i == 0 ? "; inputs: " : ", ") + context.describe_input(i);
    }
    throw Error(e.code(), std::move(message), node.name(), node.place());
  }
  return context.outputs();
}

}  // namespace assay
