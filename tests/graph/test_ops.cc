#include "tests/graph/test_ops.h"

#include "assay/graph/shape_context.h"

namespace assay {

// The layer below is not linked in: the test ops take its place.
const OpRegistry& default_op_registry() {
  return testing::test_ops();
}

namespace testing {
namespace {

void declared_shape(ShapeContext& c) {
  c.set_output(0, c.attr<PartialShape>("shape"));
}

void const_shape(ShapeContext& c) {
  c.set_output(0, c.attr<Tensor>("value").shape());
}

void reshape_shape(ShapeContext& c) {
  c.set_output(0, c.input_as_shape(1));
}

void vector_of_rank(ShapeContext& c) {
  c.set_output(0, PartialShape({c.input(0).has_rank() ? c.input(0).rank() : -1}));
}

void matmul_shape(ShapeContext& c) {
  const PartialShape a = c.with_rank(0, 2);
  const PartialShape b = c.with_rank(1, 2);
  if (!merge_dims(a[1], b[0])) {
    c.mismatch("inner sizes differ: left {}, right {}", c.describe_input(0), c.describe_input(1));
  }
  c.set_output(0, PartialShape({a[0], b[1]}));
}

void pack_shape(ShapeContext& c) {
  PartialShape one = c.input(0);
  if (!one.has_rank()) return;
  std::vector<std::int64_t> dims = {c.num_inputs()};
  dims.insert(dims.end(), one.dims().begin(), one.dims().end());
  c.set_output(0, PartialShape(dims));
}

void terse_shape(ShapeContext& c) {
  c.mismatch("never fits");
}

OpRegistry make_ops() {
  OpRegistry r;
  r.add({.name = "NoOp", .effect = Effect::kState, .shape = shapes::no_output});
  r.add({.name = "Const",
         .outputs = {"output: dtype"},
         .attrs = {"value: tensor", "dtype: type"},
         .shape = const_shape});
  r.add({.name = "Placeholder",
         .outputs = {"output: dtype"},
         .attrs = {"dtype: type", "shape: shape = { unknown_rank: true }"},
         .shape = declared_shape});
  r.add({.name = "VariableV2",
         .outputs = {"ref: Ref(dtype)"},
         .attrs = {"shape: shape", "dtype: type", "container: string = ''",
                   "shared_name: string = ''"},
         .effect = Effect::kState,
         .shape = declared_shape});
  r.add({.name = "Assign",
         .inputs = {"ref: Ref(T)", "value: T"},
         .outputs = {"output_ref: Ref(T)"},
         .attrs = {"T: type", "validate_shape: bool = true", "use_locking: bool = true"},
         .effect = Effect::kWrites,
         .shape = shapes::merged});
  r.add({.name = "Identity",
         .inputs = {"input: T"},
         .outputs = {"output: T"},
         .attrs = {"T: type"},
         .shape = shapes::unchanged});
  for (const char* name : {"Add", "Sub", "Mul", "FloorDiv"}) {
    r.add({.name = name,
           .inputs = {"x: T", "y: T"},
           .outputs = {"z: T"},
           .attrs = {"T: {half, float, double, int32, int64}"},
           .shape = shapes::broadcast});
  }
  r.add({.name = "MatMul",
         .inputs = {"a: T", "b: T"},
         .outputs = {"product: T"},
         .attrs = {"transpose_a: bool = false", "transpose_b: bool = false",
                   "T: {bfloat16, half, float, double, int32, int64, complex64, complex128}"},
         .shape = matmul_shape});
  r.add({.name = "Pack",
         .inputs = {"values: N * T"},
         .outputs = {"output: T"},
         .attrs = {"N: int >= 1", "T: type", "axis: int = 0"},
         .shape = pack_shape});
  r.add({.name = "ConcatV2",
         .inputs = {"values: N * T", "axis: Tidx"},
         .outputs = {"output: T"},
         .attrs = {"N: int >= 2", "T: type", "Tidx: {int32, int64} = DT_INT32"}});
  r.add({.name = "DynamicStitch",
         .inputs = {"indices: N * int32", "data: N * T"},
         .outputs = {"merged: T"},
         .attrs = {"N : int >= 1", "T : type"}});
  r.add({.name = "Split",
         .inputs = {"split_dim: int32", "value: T"},
         .outputs = {"output: num_split * T"},
         .attrs = {"num_split: int >= 1", "T: type"}});
  r.add({.name = "SaveV2",
         .inputs = {"prefix: string", "tensor_names: string", "shape_and_slices: string",
                    "tensors: dtypes"},
         .attrs = {"dtypes: list(type) >= 1"},
         .effect = Effect::kWrites});
  r.add({.name = "Shape",
         .inputs = {"input: T"},
         .outputs = {"output: out_type"},
         .attrs = {"T: type", "out_type: {int32, int64} = DT_INT32"},
         .shape = vector_of_rank});
  r.add({.name = "Reshape",
         .inputs = {"tensor: T", "shape: Tshape"},
         .outputs = {"output: T"},
         .attrs = {"T: type", "Tshape: {int32, int64} = DT_INT32"},
         .shape = reshape_shape});
  r.add(
      {.name = "StridedSlice",
       .inputs = {"input: T", "begin: Index", "end: Index", "strides: Index"},
       .outputs = {"output: T"},
       .attrs = {"T: type", "Index: {int32, int64}", "begin_mask: int = 0", "end_mask: int = 0",
                 "ellipsis_mask: int = 0", "new_axis_mask: int = 0", "shrink_axis_mask: int = 0"}});
  r.add({.name = "Sum",
         .inputs = {"input: T", "reduction_indices: Tidx"},
         .outputs = {"output: T"},
         .attrs = {"keep_dims: bool = false", "T: numbertype", "Tidx: {int32, int64} = DT_INT32"},
         .shape = shapes::reduction});
  r.add({.name = "BroadcastGradientArgs",
         .inputs = {"s0: T", "s1: T"},
         .outputs = {"r0: T", "r1: T"},
         .attrs = {"T: {int32, int64} = DT_INT32"}});
  r.add({.name = "UnsortedSegmentSum",
         .inputs = {"data: T", "segment_ids: Tindices", "num_segments: Tnumsegments"},
         .outputs = {"output: T"},
         .attrs = {"T: numbertype", "Tindices: {int32,int64}",
                   "Tnumsegments: {int32,int64} = DT_INT32"}});
  r.add({.name = "ZerosLike",
         .inputs = {"x: T"},
         .outputs = {"y: T"},
         .attrs = {"T: type"},
         .shape = shapes::unchanged});
  r.add(
      {.name = "MaxPool",
       .inputs = {"input: T"},
       .outputs = {"output: T"},
       .attrs = {"T: {half, float} = DT_FLOAT", "ksize: list(int) >= 4", "strides: list(int) >= 4",
                 "padding: {'SAME', 'VALID'}", "data_format: { 'NHWC', 'NCHW' } = 'NHWC'"}});
  r.add({.name = "Terse",
         .inputs = {"x: T"},
         .outputs = {"y: T"},
         .attrs = {"T: type"},
         .shape = terse_shape});
  return r;
}

}  // namespace

const OpRegistry& test_ops() {
  static const OpRegistry ops = make_ops();
  return ops;
}

Output placeholder(Graph& graph, const PartialShape& shape, const std::string& name, DType dtype) {
  return NodeBuilder(graph).op("Placeholder", {}, {{"dtype", dtype}, {"shape", shape}}, name);
}

Node* make(Graph& graph, const std::string& op, std::vector<Output> inputs, AttrMap attrs,
           const std::string& name) {
  return NodeBuilder(graph).node(op, std::move(inputs), std::move(attrs), name);
}

}  // namespace testing
}  // namespace assay
