#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "assay/graph/node.h"

namespace assay {

/// What a shape function sees: one node, its input shapes, and the values of inputs that are
/// known before running. Serves both assembly (partial shapes) and compilation (exact ones).
class ShapeContext {
 public:
  /// Gives the value of an input, or null when unknown. May be empty.
  using ValueFn = std::function<const Tensor*(int input)>;
  /// Gives an int vector input's value as far as known (-1: unknown entry). May be empty.
  using ShapeValueFn = std::function<PartialShape(int input)>;

  /// `inputs` has one shape for each input; the outputs' shapes are unknown at first.
  ShapeContext(const Node& node, std::vector<PartialShape> inputs, ValueFn value = {},
               ShapeValueFn shape_value = {});

  const Node& node() const { return node_; }
  /// As Node::attr().
  template <typename T>
  T attr(std::string_view name) const {
    return node_.attr<T>(name);
  }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  const PartialShape& input(int i) const { return inputs_.at(static_cast<std::size_t>(i)); }
  DType input_dtype(int i) const { return base_dtype(node_.input(i).dtype()); }
  /// The value of input `i` when it is known now, else null.
  const Tensor* input_value(int i) const;
  /// Input `i`, an int32 or int64 vector that holds a shape, as far as its value is known. Falls
  /// back on its length; unknown() when not even that is known. Throws InvalidArgument for sizes
  /// below -1.
  PartialShape input_as_shape(int i) const;
  /// Input `i`, an int32 or int64 scalar, when known.
  std::optional<std::int64_t> input_as_int(int i) const;

  int num_outputs() const { return static_cast<int>(outputs_.size()); }
  /// What the shape function finds; REQUIRES: 0 <= i < num_outputs().
  void set_output(int i, PartialShape shape) {
    outputs_.at(static_cast<std::size_t>(i)) = std::move(shape);
  }
  void set_all_outputs(const PartialShape& shape);
  const std::vector<PartialShape>& outputs() const { return outputs_; }

  /// Input `i` with exactly this rank (unknown sizes when the rank was unknown); throws
  /// InvalidArgument that names the input, expected and got.
  PartialShape with_rank(int i, int rank) const;
  PartialShape with_rank_at_least(int i, int rank) const;
  PartialShape with_rank_at_most(int i, int rank) const;
  /// What inputs `i` and `j` say together; throws InvalidArgument when they differ.
  PartialShape merge_inputs(int i, int j) const;
  /// Throws the InvalidArgument that a shape function ends with; places are added outside.
  template <typename... Args>
  [[noreturn]] void mismatch(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error(Code::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
  }
  /// "[?,1108] from 'flat' (model.cc:40)": input `i` as messages name it.
  std::string describe_input(int i) const;

 private:
  const Node& node_;
  std::vector<PartialShape> inputs_;
  std::vector<PartialShape> outputs_;
  ValueFn value_;
  ShapeValueFn shape_value_;
  mutable std::vector<std::optional<Tensor>> constants_;  // found by constant_value, once
};

/// numpy's broadcast of two partial shapes; throws InvalidArgument when they do not fit.
PartialShape broadcast_shapes(const PartialShape& a, const PartialShape& b);

/// The size that both say (-1 unknown), or nullopt when they differ.
std::optional<std::int64_t> merge_dims(std::int64_t a, std::int64_t b);

/// Shape functions that many ops share.
namespace shapes {
void unchanged(ShapeContext& c);  ///< output 0 has input 0's shape
void scalar(ShapeContext& c);     ///< every output is a scalar
void unknown(ShapeContext& c);    ///< nothing is known of any output
void no_output(ShapeContext& c);  ///< the op has none
void broadcast(ShapeContext& c);  ///< output 0 is inputs 0 and 1 broadcast
void merged(ShapeContext& c);     ///< output 0: inputs 0 and 1 must have one shape
void reduction(ShapeContext& c);  ///< Sum and its kind: axes in input 1, attr keep_dims
}  // namespace shapes

/// Infers the output shapes of `node` at assembly, from its inputs' static shapes and constants.
/// Throws InvalidArgument in the wanted form: label, message, inputs with their places.
std::vector<PartialShape> infer_shapes(const Node& node);

/// Runs the node's shape function on `context`, with errors in the same form. For compilation.
/// REQUIRES: the op has a shape function.
std::vector<PartialShape> run_shape_function(const Node& node, ShapeContext& context);

/// The shape that an int32 or int64 vector holds (sizes as they are, even below -1); the scalar
/// -1 is an unknown shape. Throws InvalidArgument for what holds no shape.
PartialShape shape_from_tensor(const Tensor& value);

/// The value of `output` when the graph alone determines it cheaply (constants; shapes, ranks and
/// sizes of tensors with static shapes; packs, concatenations, casts and slices of these). An
/// undefined Tensor when not.
Tensor constant_value(const Output& output);
/// The same for an int vector of which some entries may be known (-1 elsewhere).
PartialShape constant_value_as_shape(const Output& output);

}  // namespace assay
