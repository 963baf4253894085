#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "assay/graph/attr.h"

namespace assay {

class Node;
class Kernel;           // assay/device/kernel.h
struct KernelInit;      // assay/device/kernel.h
class ShapeContext;     // assay/graph/shape_context.h
class GradientContext;  // assay/graph/gradient.h
struct ElementwiseDef;  // assay/device/elementwise.h

/// Sets the node's output shapes from its input shapes; throws InvalidArgument when they do not
/// fit (the caller adds node and places).
using ShapeFn = void (*)(ShapeContext&);
/// Builds the nodes that carry the gradient from the outputs to the inputs.
using GradientFn = void (*)(GradientContext&);
/// Makes the kernel of one node, which reads attributes once. Made by make_kernel and
/// function_kernel (assay/device/kernel.h), which know whether the kernel shares its work among
/// threads.
struct KernelFactory {
  std::unique_ptr<Kernel> (*make)(const KernelInit&) = nullptr;
  bool uses_threads = false;

  explicit operator bool() const { return make != nullptr; }
};

/// One input or output of an op, parsed from TensorFlow's notation: "x: T", "shape: int32",
/// "values: N * T", "inputs: Tlist" (a list(type) attribute), "ref: Ref(T)".
struct ArgDef {
  std::string name;
  DType type = DType::kInvalid;  ///< set when the type is fixed
  std::string type_attr;         ///< the "type" attribute that gives it
  std::string number_attr;       ///< the "int" attribute that counts equal-typed tensors
  std::string type_list_attr;    ///< the "list(type)" attribute that gives several
  bool is_ref = false;
};

/// One attribute, parsed from "T: {float, double} = DT_FLOAT", "N: int >= 1",
/// "axis: list(int) = []", "dtype: type", "transpose_a: bool = false", "container: string = ''".
struct AttrDef {
  std::string name;
  std::string
      kind;  ///< "int", "float", "bool", "string", "type", "shape", "tensor", "func", "list(...)"
  std::optional<AttrValue> default_value;
  std::vector<DType> allowed_types;          ///< empty: any
  std::vector<std::string> allowed_strings;  ///< empty: any
  std::optional<std::int64_t> minimum;       ///< of an int, or of a list's length
};

/// What running an op does to variables, iterators and other resources.
enum class Effect {
  kNone,    ///< a pure function of its inputs: may be folded, shared, dropped
  kState,   ///< keeps state of its own (random numbers): runs once per run, never folded or shared
  kReads,   ///< reads what its ref or resource inputs name
  kWrites,  ///< changes what its ref or resource inputs name, or the world outside
};

/// Why an op's result is the same on any number of threads though they share its work. Work is
/// always cut by the data's shape, never by how many threads there are.
enum class Threads {
  kOne,         ///< one thread does all
  kPieces,      ///< each element of the result is computed whole within one piece
  kFixedOrder,  ///< what the pieces yield is joined in an order that only the shape decides
};

/// Asks where output `output` of a node lies inside one of its inputs. Values of inputs not known
/// before running are null.
struct ViewQuery {
  const Node& node;
  int output = 0;
  std::span<const PartialShape> input_shapes;
  std::span<const Tensor* const> input_values;
};

/// The part of an input that an output is: contiguous elements from `first_element` on.
struct ViewPart {
  int input = 0;
  std::int64_t first_element = 0;
};

/// Answers a ViewQuery; nothing when the output is no contiguous part of an input. Shapes it looks
/// at may be partial.
using ViewFn = std::optional<ViewPart> (*)(const ViewQuery&);

/// Where the inputs of a joining op (ConcatV2, Pack) begin in its output, in elements, by input; -1
/// for inputs that are no parts. Nothing when they do not lie together. `output` is not used.
using JoinFn = std::optional<std::vector<std::int64_t>> (*)(const ViewQuery&);

/// Where input 0 begins inside output 0 when it lies there in one piece and all else is zero (Pad);
/// nothing otherwise.
using EmbedFn = std::optional<std::int64_t> (*)(const ViewQuery&);

/// The input each of whose elements fills a run of output 0, all runs of one length, in order: a
/// column times a row of ones. The runs' values are exactly the element's. Nothing when the output
/// is no such thing. `output` is not used.
using RepeatFn = std::optional<int> (*)(const ViewQuery&);

/// The kernel for one dtype of the attribute `OpSpec::kernel_attr`; DType::kInvalid takes any.
struct KernelEntry {
  DType dtype = DType::kInvalid;
  KernelFactory make;
};

/// How an op is written down, in designated initialisers:
///   registry.add({.name = "L2Loss", .doc = "Half the sum of squares.",
///                 .inputs = {"t: T"}, .outputs = {"output: T"},
///                 .attrs = {"T: {half, bfloat16, float, double}"},
///                 .shape = scalar_shape, .gradient = l2_loss_gradient,
///                 .kernels = {{float32, make<L2Loss<float>>}, ...}});
struct OpSpec {
  std::string name;
  std::string doc;  ///< one sentence, ends with a full stop
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<std::string> attrs;
  Effect effect = Effect::kNone;
  ShapeFn shape = nullptr;
  /// Null with `not_differentiable` false is a mistake that a test finds.
  GradientFn gradient = nullptr;
  bool not_differentiable = false;
  std::string kernel_attr = "T";  ///< the "type" attribute that chooses among the kernels
  std::vector<KernelEntry> kernels;
  /// Must be said of every op with a kernel that shares work among threads, and of no other;
  /// `elementwise` says kPieces.
  Threads threads = Threads::kOne;
  /// Blocks of its random stream that the op passes over for each value, whatever it uses of them,
  /// as TensorFlow's does; 0 where it is not so simple.
  int blocks_a_value = 0;
  /// Output 0 is input 0 under another shape: no kernel need run when shapes are known.
  bool reshapes_input = false;
  /// Set for ops whose outputs may be parts of an input (Slice, Split): no kernel need run then.
  ViewFn view = nullptr;
  /// Set for ops whose inputs may be computed in place, inside the output (ConcatV2, Pack).
  JoinFn join = nullptr;
  /// Set for ops that surround an input with zeros (Pad).
  EmbedFn embed = nullptr;
  /// Set for ops whose output may repeat an input's elements (MatMul with a row of ones):
  /// element-wise loops that read it read the input instead.
  RepeatFn repeats = nullptr;
  /// Output 0 is the sum of the inputs (AddN, Add).
  bool sums = false;
  /// x OP neutral is exactly x, when x has the result's shape (1 for Mul and RealDiv).
  std::optional<double> right_neutral;
  /// neutral OP x is exactly x.
  std::optional<double> left_neutral;
  /// The attribute that holds output 0 (Const): known before running.
  std::string value_attr;
  /// The kernel reads nothing of its inputs but their shapes (Shape, Size, Rank, ZerosLike): known
  /// before running once the shapes are.
  bool shape_only = false;
  /// Output 0 is the value of the variable that resource input 0 names (ReadVariableOp): no copy
  /// is made while nobody writes the variable meanwhile.
  bool reads_variable = false;
  /// The op may meet a ref input that is not initialised yet (Assign, IsVariableInitialized).
  bool allows_uninitialized = false;
  /// The runtime resolves the op itself (VariableV2, Placeholder): it has no kernel.
  bool resolved_by_runtime = false;
  /// Output 0 may be written over an input of the same shape and dtype that nobody needs later.
  bool in_place = false;
  /// Set for element-wise ops; the plain kernel and the fused loop are both made from it.
  const ElementwiseDef* elementwise = nullptr;
};

/// A registered op: the spec with its arguments and attributes parsed.
struct OpDef : OpSpec {
  std::vector<ArgDef> input_args;
  std::vector<ArgDef> output_args;
  std::vector<AttrDef> attr_defs;  ///< in TensorFlow's order: as written

  const AttrDef* find_attr(std::string_view attr) const;
  bool is_stateful() const { return effect != Effect::kNone; }
};

}  // namespace assay
