#include "assay/data/dataset.h"

#include "assay/api/random_ops.h"
#include "assay/data/generator.h"
#include "assay/data/make_node.h"
#include "assay/graph/scope.h"
#include "assay/graph/shape_context.h"

namespace assay::data {
namespace {

constexpr const char* kShuffleOp = "ShuffleDataset";
constexpr const char* kMapOp = "AssayMapDataset";
constexpr const char* kFilterOp = "AssayFilterDataset";

/// The components as tensors of the graph, the constants named as TensorFlow names them.
std::vector<Output> normalized(const std::vector<Operand>& components, const char* what) {
  if (components.empty()) invalid_argument("{}: no component is given", what);
  NameScope scope("normalize_element");
  std::vector<Output> all;
  for (std::size_t i = 0; i < components.size(); ++i) {
    all.push_back(convert_to_tensor(components[i], "component_" + std::to_string(i)));
  }
  return all;
}

std::vector<DType> types_of(const std::vector<Output>& components) {
  std::vector<DType> types;
  for (const Output& c : components) types.push_back(base_dtype(c.dtype()));
  return types;
}

Output int64_tensor(const Operand& value, const char* name) {
  return convert_to_tensor(value, name, DType::kInt64);
}

/// `size` in front of every shape.
std::vector<PartialShape> batched(const std::vector<PartialShape>& shapes, std::int64_t size) {
  std::vector<PartialShape> all;
  for (const PartialShape& shape : shapes) {
    if (!shape.has_rank()) {
      all.push_back(PartialShape::unknown());
      continue;
    }
    std::vector<std::int64_t> dims{size};
    dims.insert(dims.end(), shape.dims().begin(), shape.dims().end());
    all.emplace_back(std::move(dims));
  }
  return all;
}

std::vector<PartialShape> shapes_or_unknown(const std::vector<DType>& types,
                                            std::vector<PartialShape> shapes, const char* what) {
  if (types.empty()) invalid_argument("{}: no type is given", what);
  if (shapes.empty()) shapes.resize(types.size());
  if (shapes.size() != types.size()) {
    invalid_argument("{}: {} types but {} shapes", what, types.size(), shapes.size());
  }
  return shapes;
}

/// TensorFlow's two int64 seeds of a dataset op to be made, as constants or nodes of the graph.
std::pair<Output, Output> seed_tensors(std::optional<std::int64_t> op_seed, const char* op) {
  Graph& graph = current_graph();
  if (!op_seed && !graph.seed()) {
    const Output seed = int64_tensor(0, "seed");
    return {seed, int64_tensor(0, "seed2")};
  }
  const auto [first, second] = get_seed(graph, op_seed, graph.unique_name(op, false));
  const Output seed = int64_tensor(Tensor::scalar<std::int64_t>(first), "seed");
  // Both 0 would mean "any": then the second one becomes 2^31 - 1.
  NameScope scope("seed2");
  const Output seed2 = int64_tensor(Tensor::scalar<std::int64_t>(second), "Const");
  Node* first_zero = make_node("Equal", "", {seed, Operand(0)});
  Node* second_zero = make_node("Equal", "", {seed2, Operand(0)});
  Node* both = make_node("LogicalAnd", "", {first_zero->output(), second_zero->output()});
  const Output other = int64_tensor((std::int64_t{1} << 31) - 1, "Const");
  return {seed, make_node("Select", scope.full(), {both->output(), other, seed2})->output()};
}

}  // namespace

AttrMap Dataset::structure() const {
  return {{"output_types", types_}, {"output_shapes", shapes_}};
}

Dataset Dataset::from_tensors(const std::vector<Operand>& components, Where where) {
  PlaceScope place(where);
  const std::vector<Output> tensors = normalized(components, "from_tensors");
  std::vector<PartialShape> shapes;
  for (const Output& t : tensors) shapes.push_back(t.shape());
  Node* node = make_list_node("TensorDataset", {tensors.begin(), tensors.end()},
                              {{"output_shapes", shapes}});
  return {node->output(), types_of(tensors), shapes};
}

Dataset Dataset::from_tensor_slices(const std::vector<Operand>& components, Where where) {
  PlaceScope place(where);
  const std::vector<Output> tensors = normalized(components, "from_tensor_slices");
  std::vector<PartialShape> shapes;
  std::int64_t size = -1;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const PartialShape& shape = tensors[i].shape();
    if (!shape.has_rank()) {
      shapes.push_back(PartialShape::unknown());
      continue;
    }
    if (shape.rank() == 0) {
      invalid_argument("from_tensor_slices: component {} is a scalar: nothing to slice", i);
    }
    const auto merged = merge_dims(size, shape.dim(0));
    if (!merged) {
      invalid_argument("from_tensor_slices: component {} has {} slices, those before it {}", i,
                       shape.dim(0), size);
    }
    size = *merged;
    shapes.emplace_back(std::vector<std::int64_t>(shape.dims().begin() + 1, shape.dims().end()));
  }
  Node* node = make_list_node("TensorSliceDataset", {tensors.begin(), tensors.end()},
                              {{"output_shapes", shapes}});
  return {node->output(), types_of(tensors), shapes};
}

Dataset Dataset::from_generator(Generator generator, std::vector<DType> types,
                                std::vector<PartialShape> shapes, Where where) {
  return from_iterators(generator_iterators(std::move(generator)), std::move(types),
                        std::move(shapes), where);
}

Dataset Dataset::from_iterators(IteratorFactory factory, std::vector<DType> types,
                                std::vector<PartialShape> shapes, Where where) {
  PlaceScope place(where);
  shapes = shapes_or_unknown(types, std::move(shapes), "from_generator");
  const std::string key = attach_function(current_graph(), std::move(factory));
  Node* node = make_node("AssayGeneratorDataset", "", {},
                         {{"function", key}, {"output_types", types}, {"output_shapes", shapes}});
  return {node->output(), std::move(types), std::move(shapes)};
}

Dataset Dataset::range(const Operand& stop, Where where) {
  return range(0, stop, 1, where);
}

Dataset Dataset::range(const Operand& start, const Operand& stop, const Operand& step,
                       Where where) {
  PlaceScope place(where);
  const Output from = int64_tensor(start, "start");
  const Output to = int64_tensor(stop, "stop");
  const Output by = int64_tensor(step, "step");
  const std::vector<DType> types{DType::kInt64};
  const std::vector<PartialShape> shapes{PartialShape::scalar()};
  Node* node = make_node("RangeDataset", "", {from, to, by},
                         {{"output_types", types}, {"output_shapes", shapes}});
  return {node->output(), types, shapes};
}

Dataset Dataset::zip(const std::vector<Dataset>& datasets, Where where) {
  PlaceScope place(where);
  if (datasets.empty()) invalid_argument("zip: no dataset is given");
  std::vector<Operand> variants;
  std::vector<DType> types;
  std::vector<PartialShape> shapes;
  for (const Dataset& d : datasets) {
    variants.emplace_back(d.variant_);
    types.insert(types.end(), d.types_.begin(), d.types_.end());
    shapes.insert(shapes.end(), d.shapes_.begin(), d.shapes_.end());
  }
  Node* node =
      make_list_node("ZipDataset", variants, {{"output_types", types}, {"output_shapes", shapes}});
  return {node->output(), std::move(types), std::move(shapes)};
}

Dataset Dataset::shuffle(const Operand& buffer_size, const ShuffleOptions& options,
                         Where where) const {
  PlaceScope place(where);
  GraphScope graph(variant_.graph());
  const Output size = int64_tensor(buffer_size, "buffer_size");
  const auto [seed, seed2] = seed_tensors(options.seed, kShuffleOp);
  AttrMap attrs = structure();
  attrs["reshuffle_each_iteration"] = options.reshuffle_each_iteration;
  Node* node = make_node(kShuffleOp, "", {variant_, size, seed, seed2}, std::move(attrs));
  return {node->output(), types_, shapes_};
}

Dataset Dataset::batch(const Operand& batch_size, const BatchOptions& options, Where where) const {
  PlaceScope place(where);
  GraphScope graph(variant_.graph());
  const Output size = int64_tensor(batch_size, "batch_size");
  const Output drop = convert_to_tensor(options.drop_remainder, "drop_remainder", DType::kBool);
  std::int64_t known = -1;
  if (options.drop_remainder) {
    const Tensor value = constant_value(size);
    if (value.defined()) known = value.item<std::int64_t>();
  }
  auto shapes = batched(shapes_, known);
  Node* node = make_node("BatchDatasetV2", "", {variant_, size, drop},
                         {{"output_types", types_}, {"output_shapes", shapes}});
  return {node->output(), types_, std::move(shapes)};
}

Dataset Dataset::counted(const char* op, const Operand& count) const {
  GraphScope graph(variant_.graph());
  const Output number = int64_tensor(count, "count");
  return {make_node(op, "", {variant_, number}, structure())->output(), types_, shapes_};
}

Dataset Dataset::repeat(const Operand& count, Where where) const {
  PlaceScope place(where);
  return counted("RepeatDataset", count);
}

Dataset Dataset::take(const Operand& count, Where where) const {
  PlaceScope place(where);
  return counted("TakeDataset", count);
}

Dataset Dataset::skip(const Operand& count, Where where) const {
  PlaceScope place(where);
  return counted("SkipDataset", count);
}

Dataset Dataset::concatenate(const Dataset& other, Where where) const {
  PlaceScope place(where);
  GraphScope graph(variant_.graph());
  if (types_ != other.types_) {
    invalid_argument("concatenate: the datasets' elements are of different types");
  }
  std::vector<PartialShape> shapes;
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    PartialShape shape = shapes_[i];
    const PartialShape& with = other.shapes_[i];
    if (shape.rank() != with.rank()) shape = PartialShape::unknown();
    for (int d = 0; d < shape.rank(); ++d) {
      if (shape.dim(d) != with.dim(d)) shape.set_dim(d, -1);
    }
    shapes.push_back(std::move(shape));
  }
  Node* node = make_node("ConcatenateDataset", "", {variant_, other.variant_},
                         {{"output_types", types_}, {"output_shapes", shapes}});
  return {node->output(), types_, std::move(shapes)};
}

Dataset Dataset::prefetch(const Operand& buffer_size, Where where) const {
  PlaceScope place(where);
  GraphScope graph(variant_.graph());
  const Output size = int64_tensor(buffer_size, "buffer_size");
  return {make_node("PrefetchDataset", "", {variant_, size}, structure())->output(), types_,
          shapes_};
}

Dataset Dataset::mapped(const char* op, ElementFunctionFactory factory, std::vector<DType> types,
                        std::vector<PartialShape> shapes) const {
  GraphScope graph(variant_.graph());
  const std::string key = attach_function(variant_.graph(), std::move(factory));
  Node* node = make_node(op, "", {variant_},
                         {{"function", key}, {"output_types", types}, {"output_shapes", shapes}});
  return {node->output(), std::move(types), std::move(shapes)};
}

Dataset Dataset::map(const GraphFunction& function, Where where) const {
  PlaceScope place(where);
  Graph& graph = variant_.graph();
  auto traced = trace_function(graph, function, graph.unique_name(kMapOp, false), types_, shapes_);
  return mapped(kMapOp, std::move(traced.factory), std::move(traced.types),
                std::move(traced.shapes));
}

Dataset Dataset::map(ElementFunction function, std::vector<DType> types,
                     std::vector<PartialShape> shapes, Where where) const {
  PlaceScope place(where);
  shapes = shapes_or_unknown(types, std::move(shapes), "map");
  return mapped(
      kMapOp, [function = std::move(function)](auto&&...) { return ElementTransform{function}; },
      std::move(types), std::move(shapes));
}

Dataset Dataset::filter(const std::function<Output(const std::vector<Output>&)>& predicate,
                        Where where) const {
  PlaceScope place(where);
  Graph& graph = variant_.graph();
  auto traced = trace_function(
      graph,
      [&](const std::vector<Output>& element) { return std::vector<Output>{predicate(element)}; },
      graph.unique_name(kFilterOp, false), types_, shapes_);
  if (traced.types.front() != DType::kBool ||
      !traced.shapes.front().is_compatible_with(PartialShape::scalar())) {
    invalid_argument("filter: the predicate must give a bool scalar, got {}{}",
                     dtype_name(traced.types.front()), traced.shapes.front().str());
  }
  return mapped(kFilterOp, std::move(traced.factory), types_, shapes_);
}

Dataset Dataset::filter(std::function<bool(const Element&)> predicate, Where where) const {
  PlaceScope place(where);
  const ElementFunction function = [predicate = std::move(predicate)](const Element& element) {
    return Element{Tensor::scalar<bool>(predicate(element))};
  };
  return mapped(
      kFilterOp, [function](auto&&...) { return ElementTransform{function}; }, types_, shapes_);
}

Iterator Dataset::make_initializable_iterator(const std::string& shared_name, Where where) const {
  PlaceScope place(where);
  GraphScope graph(variant_.graph());
  // TensorFlow puts its pipeline optimiser here; the nodes keep names and counts the same.
  const Output optimizations =
      convert_to_tensor(std::vector<std::string>{"map_and_batch_fusion", "noop_elimination",
                                                 "shuffle_and_repeat_fusion"},
                        "optimizations");
  Node* optimized = make_node("OptimizeDataset", "", {variant_, optimizations}, structure());
  Node* modelled = make_node("ModelDataset", "", {optimized->output()}, structure());
  AttrMap attrs = structure();
  attrs["container"] = std::string();
  attrs["shared_name"] = shared_name;
  Node* resource = make_node("IteratorV2", "", {}, std::move(attrs));
  Node* initializer = make_node("MakeIterator", "", {modelled->output(), resource->output()});
  return {resource->output(), initializer, types_, shapes_};
}

Iterator Dataset::make_one_shot_iterator(Where where) const {
  PlaceScope place(where);
  GraphScope graph(variant_.graph());
  Node* resource = make_node("AssayOneShotIterator", "", {variant_}, structure());
  return {resource->output(), nullptr, types_, shapes_};
}

TextLineDataset::TextLineDataset(const Operand& filenames, Where where)
    : Dataset(
          [&] {
            PlaceScope place(where);
            const Output names = convert_to_tensor(filenames, "filenames", DType::kString);
            const Output compression = convert_to_tensor("", "compression_type");
            const Output buffer = int64_tensor(256 * 1024, "buffer_size");
            return make_node("TextLineDataset", "", {names, compression, buffer})->output();
          }(),
          {DType::kString}, {PartialShape::scalar()}) {}

}  // namespace assay::data
