#include "assay/api/apply_op.h"
#include "assay/api/array_ops.h"
#include "assay/api/clip_ops.h"
#include "assay/api/constant.h"
#include "assay/api/nn.h"
#include "assay/api/place_error.h"
#include "assay/api/variable.h"

namespace assay::nn {

namespace {

/// Scales down vectors longer than `max_norm`, when it is given.
Output clip_rows(const Output& rows, const Output& ids, const Operand& max_norm) {
  if (!max_norm.defined()) return rows;
  const int ids_rank = ids.shape().rank();
  const int rows_rank = rows.shape().rank();
  if (ids_rank > 0 && rows_rank > 0) {
    std::vector<int> axes;
    for (int i = ids_rank; i < rows_rank; ++i) axes.push_back(i);
    return clip_by_norm(rows, max_norm, {.axes = axes});
  }
  const Operand from = ids_rank > 0 ? Operand(ids_rank) : Operand(rank(ids));
  const Operand to = rows_rank > 0 ? Operand(rows_rank) : Operand(rank(rows));
  return clip_by_norm(rows, max_norm, {.axes = range(from, to)});
}

Node* node_of(const Operand& x) {
  return x.is_variable() ? x.variable()->ref().node : x.output().node;
}

/// Which of several parameters an id belongs to, and its row there.
struct Place {
  Output part;
  Output row;
};

Output total_ids(Graph& graph, const std::vector<Operand>& params, DType dtype) {
  std::int64_t total = 0;
  for (const Operand& p : params) {
    const std::int64_t n = p.shape().rank() > 0 ? p.shape().dim(0) : -1;
    total = n < 0 || total < 0 ? -1 : total + n;
  }
  if (total > 0) return constant(total, {.dtype = dtype});
  std::vector<Operand> sizes;
  for (const Operand& p : params) {
    if (p.shape().rank() > 0 && p.shape().dim(0) >= 0) {
      sizes.emplace_back(p.shape().dim(0));
    } else {
      ColocateWith colocate(graph, node_of(p));
      sizes.emplace_back(at(shape(p), {0}));
    }
  }
  return reduce_sum(cast(stack(sizes), dtype));
}

}  // namespace

Output embedding_lookup(const Operand& params, const Operand& ids, const EmbeddingOptions& options,
                        std::source_location where) {
  return embedding_lookup(std::vector<Operand>{params}, ids, options, where);
}

namespace {

/// floordiv as the operator `//` names it.
Output floor_divide(const Output& x, const Operand& y) {
  NameScope scope("floordiv");
  const Output divisor =
      convert_to_tensor(y, "y", y.is_constant() ? base_dtype(x.dtype()) : DType::kInvalid);
  return floordiv(x, divisor, {.name = scope.full()});
}

Place place_div(Graph& graph, const std::vector<Operand>& params, const Output& ids) {
  const DType dtype = base_dtype(ids.dtype());
  const auto parts = static_cast<std::int64_t>(params.size());
  const Output total = total_ids(graph, params, dtype);
  const Output each = floor_divide(total, parts);
  const Output extras = total % parts;
  const Output longer = each + 1;
  const Output in_longer = floor_divide(ids, longer);
  const Output rest = ids - extras;
  const Output in_rest = floor_divide(rest, each);
  const Output part = maximum(in_longer, in_rest);
  const Output is_longer = less(part, extras);
  const Output longer_again = each + 1;
  const Output row_longer = ids % longer_again;
  const Output rest_again = ids - extras;
  const Output row_rest = rest_again % each;
  return {part, assay::where(is_longer, row_longer, row_rest)};
}

Output lookup_one(Graph& graph, const std::string& name, const Operand& params, const Output& ids,
                  const Operand& max_norm) {
  Output result;
  {
    ColocateWith colocate(graph, node_of(params));
    result = clip_rows(gather(params, ids, {.name = name}), ids, max_norm);
  }
  return identity(result);
}

std::vector<Operand> partition(const Output& data, const Output& parts, std::int64_t n) {
  AttrMap attrs;
  attrs["num_partitions"] = n;
  Node* node = apply_op("DynamicPartition", "", {Operand(data), Operand(parts)}, std::move(attrs));
  std::vector<Operand> all;
  for (int i = 0; i < node->num_outputs(); ++i) all.emplace_back(node->output(i));
  return all;
}

}  // namespace

Output embedding_lookup(const std::vector<Operand>& params, const Operand& ids,
                        const EmbeddingOptions& options, std::source_location where) {
  PlaceScope place(where);
  if (params.empty()) internal::invalid_here("embedding_lookup: no parameters were given");
  if (options.partition_strategy != "mod" && options.partition_strategy != "div") {
    internal::invalid_here("embedding_lookup: partition_strategy must be mod or div, got '{}'",
                           options.partition_strategy);
  }
  std::vector<Operand> values = params;
  values.push_back(ids);
  OpScope scope(where, options.name, "embedding_lookup", values);
  Graph& graph = scope.graph();
  bool any_resource = false;
  for (const Operand& p : params) {
    any_resource = any_resource || (p.is_variable() && p.variable()->is_resource());
  }
  std::vector<Operand> tables = params;
  if (!any_resource) {
    for (std::size_t i = 0; i < tables.size(); ++i) {
      tables[i] = convert_to_tensor(tables[i], fmt::format("params_{}", i));
    }
  }
  const Output all_ids = convert_to_tensor(ids, "ids");
  if (tables.size() == 1) {
    return lookup_one(graph, scope.full(), tables.front(), all_ids, options.max_norm);
  }
  const auto count = static_cast<std::int64_t>(tables.size());
  const Output flat = reshape(all_ids, {-1});
  const Output positions = range(size(flat));
  Place placed;
  if (options.partition_strategy == "mod") {
    placed.part = flat % count;
    placed.row = floor_divide(flat, count);
  } else {
    placed = place_div(graph, tables, flat);
  }
  placed.part = cast(placed.part, DType::kInt32);
  const std::vector<Operand> rows = partition(placed.row, placed.part, count);
  const std::vector<Operand> where_to = partition(positions, placed.part, count);
  std::vector<Operand> found;
  for (std::size_t p = 0; p < tables.size(); ++p) {
    ColocateWith colocate(graph, node_of(tables[p]));
    found.emplace_back(gather(tables[p], rows[p]));
  }
  Output result = apply_op("ParallelDynamicStitch", scope.full(), {where_to, found})->output();
  PartialShape row_shape;
  for (const Operand& t : tables) {
    const PartialShape s = t.shape();
    if (s.rank() < 1) continue;
    const PartialShape own(std::vector<std::int64_t>(s.dims().begin() + 1, s.dims().end()));
    const auto merged = row_shape.merge(own);
    if (!merged) {
      internal::invalid_here("embedding_lookup: rows of shapes {} and {}", row_shape.str(),
                             own.str());
    }
    row_shape = *merged;
  }
  Operand tail;
  if (row_shape.is_fully_defined()) {
    const Shape sizes = row_shape.to_shape();
    tail = std::vector<std::int64_t>(sizes.dims().begin(), sizes.dims().end());
  } else {
    Output first_shape;
    {
      ColocateWith colocate(graph, node_of(tables.front()));
      first_shape = shape(tables.front());
    }
    tail = at(first_shape, {Index::range(1, {})});
  }
  const Output ids_shape = shape(all_ids);
  result = reshape(result, concat({ids_shape, tail}, 0));
  if (all_ids.shape().has_rank() && row_shape.has_rank()) {
    std::vector<std::int64_t> sizes = all_ids.shape().dims();
    sizes.insert(sizes.end(), row_shape.dims().begin(), row_shape.dims().end());
    result.node->merge_output_shape(0, PartialShape(sizes));
  }
  return clip_rows(result, all_ids, options.max_norm);
}

}  // namespace assay::nn
