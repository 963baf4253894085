#include <algorithm>

#include "assay/graph/shape_context.h"

namespace assay {

PartialShape broadcast_shapes(const PartialShape& a, const PartialShape& b) {
  if (!a.has_rank() || !b.has_rank()) return PartialShape::unknown();
  const int rank = std::max(a.rank(), b.rank());
  std::vector<std::int64_t> dims(static_cast<std::size_t>(rank));
  for (int i = 0; i < rank; ++i) {
    const int from_end = rank - i;
    const std::int64_t x = from_end > a.rank() ? 1 : a[a.rank() - from_end];
    const std::int64_t y = from_end > b.rank() ? 1 : b[b.rank() - from_end];
    std::int64_t size = -1;
    if (x == 1) {
      size = y;
    } else if (y == 1) {
      size = x;
    } else if (const auto both = merge_dims(x, y)) {
      size = *both;  // an unknown size is 1 or the other one: the other one either way
    } else {
      invalid_argument("shapes {} and {} do not broadcast", a.str(), b.str());
    }
    dims[static_cast<std::size_t>(i)] = size;
  }
  return PartialShape(std::move(dims));
}

namespace shapes {

void unchanged(ShapeContext& c) {
  c.set_output(0, c.input(0));
}

void scalar(ShapeContext& c) {
  c.set_all_outputs(PartialShape::scalar());
}

void unknown(ShapeContext& c) {
  c.set_all_outputs(PartialShape::unknown());
}

void no_output(ShapeContext& c) {
  ASSAY_CHECK(c.num_outputs() == 0);
}

void broadcast(ShapeContext& c) {
  try {
    c.set_output(0, broadcast_shapes(c.input(0), c.input(1)));
  } catch (const Error&) {
    c.mismatch("shapes do not broadcast: {}, {}", c.describe_input(0), c.describe_input(1));
  }
}

void merged(ShapeContext& c) {
  c.set_output(0, c.merge_inputs(0, 1));
}

void reduction(ShapeContext& c) {
  const PartialShape& in = c.input(0);
  const bool keep = c.attr<bool>("keep_dims");
  c.with_rank_at_most(1, 1);
  const Tensor* axes = c.input_value(1);
  if (axes == nullptr) {
    // One axis of a known count may still be any axis; only the kept rank is certain.
    if (keep && in.has_rank()) c.set_output(0, PartialShape::unknown_of_rank(in.rank()));
    return;
  }
  if (!in.has_rank()) {
    if (axes->num_elements() == 0) c.set_output(0, in);
    return;
  }
  std::vector<bool> reduced(static_cast<std::size_t>(in.rank()), false);
  for (std::int64_t i = 0; i < axes->num_elements(); ++i) {
    const std::int64_t axis = axes->dtype() == DType::kInt32 ? axes->data<std::int32_t>()[i]
                                                             : axes->data<std::int64_t>()[i];
    if (axis < -in.rank() || axis >= in.rank()) {
      c.mismatch("axis {} is outside [{},{}) of {}", axis, -in.rank(), in.rank(),
                 c.describe_input(0));
    }
    reduced[static_cast<std::size_t>(axis < 0 ? axis + in.rank() : axis)] = true;
  }
  std::vector<std::int64_t> dims;
  for (int i = 0; i < in.rank(); ++i) {
    if (!reduced[static_cast<std::size_t>(i)]) {
      dims.push_back(in[i]);
    } else if (keep) {
      dims.push_back(1);
    }
  }
  c.set_output(0, PartialShape(std::move(dims)));
}

}  // namespace shapes
}  // namespace assay
