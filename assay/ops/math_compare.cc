// Comparisons, logic, tests of floats.
#include "assay/device/cpu/broadcast.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/elementwise_op.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

using cpu::CompareOp;

template <CompareOp Op>
ElementwiseLoop compare_loop_of(DType dtype) {
  return cpu::compare_loop(Op, dtype);
}
template <CompareOp Op>
inline constexpr ElementwiseDef kCompare{.arity = 2, .loop = &compare_loop_of<Op>};
template <cpu::UnaryOp Op>
inline constexpr ElementwiseDef kTest{.arity = 1, .loop = &unary_loop_of<Op>};

ElementwiseLoop and_loop(DType) {
  return cpu::logical_and_loop();
}
ElementwiseLoop or_loop(DType) {
  return cpu::logical_or_loop();
}
constexpr ElementwiseDef kAnd{.arity = 2, .loop = &and_loop};
constexpr ElementwiseDef kOr{.arity = 2, .loop = &or_loop};

// Equal and NotEqual may be asked to take shapes that do not broadcast as simply unequal.
bool tolerates_shapes(const Node& node) {
  return !node.attr_or<bool>("incompatible_shape_error", true);
}

void equality_shape(ShapeContext& c) {
  if (!tolerates_shapes(c.node())) {
    shapes::broadcast(c);
    return;
  }
  const PartialShape& x = c.input(0);
  const PartialShape& y = c.input(1);
  // Sizes not known yet may turn out not to fit.
  if (!x.is_fully_defined() || !y.is_fully_defined()) return;
  Shape both;
  const bool fits = cpu::broadcast(x.to_shape(), y.to_shape(), both);
  c.set_output(0, fits ? PartialShape(both) : PartialShape::scalar());
}

class TolerantEquality : public ParallelKernel {
 public:
  explicit TolerantEquality(const KernelInit& init)
      : loop_(init.node.def()->elementwise->loop(base_dtype(init.node.input(0).dtype()))),
        unequal_(init.node.op() == "NotEqual") {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& x = ctx.input(0);
    const Tensor& y = ctx.input(1);
    Shape both;
    if (!cpu::broadcast(x.shape(), y.shape(), both)) {
      *ctx.out<bool>(0, Shape{}) = unequal_;
      return;
    }
    const std::array<Shape, 2> shapes = {x.shape(), y.shape()};
    const std::array<const void*, 2> in = {x.raw(), y.raw()};
    const std::array<std::size_t, 3> sizes = {dtype_size(x.dtype()), dtype_size(y.dtype()), 1};
    cpu::BroadcastPlan(shapes).run(loop_, in.data(), ctx.out<bool>(0, both), sizes, ctx.pool());
  }

 private:
  ElementwiseLoop loop_;
  bool unequal_;
};

std::unique_ptr<Kernel> make_equality(const KernelInit& init) {
  if (tolerates_shapes(init.node)) return std::make_unique<TolerantEquality>(init);
  return cpu::elementwise_kernel.make(init);
}

void add_equality(OpRegistry& r, std::string name, std::string doc, const ElementwiseDef& def) {
  const std::string types =
      "T: {bfloat16, half, float, double, uint8, int8, int16, int32, int64, complex64, quint8, "
      "qint8, qint32, string, bool, complex128}";
  std::vector<KernelEntry> kernels = elementwise_kernels(def, types);
  for (KernelEntry& entry : kernels) entry.make = chosen_kernel<make_equality>;
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"x: T", "y: T"},
         .outputs = {"z: bool"},
         .attrs = {types, "incompatible_shape_error: bool = true"},
         .shape = equality_shape,
         .not_differentiable = true,
         .kernels = std::move(kernels),
         .elementwise = &def});
}

void add_comparison(OpRegistry& r, std::string name, std::string doc, const ElementwiseDef& def) {
  const std::string types = "T: realnumbertype";
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"x: T", "y: T"},
         .outputs = {"z: bool"},
         .attrs = {types},
         .shape = shapes::broadcast,
         .not_differentiable = true,
         .kernels = elementwise_kernels(def, types),
         .elementwise = &def});
}

void add_test(OpRegistry& r, std::string name, std::string doc, const ElementwiseDef& def) {
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"x: T"},
         .outputs = {"y: bool"},
         .attrs = {kRealFloats},
         .shape = shapes::unchanged,
         .not_differentiable = true,
         .kernels = elementwise_kernels(def, kRealFloats),
         .elementwise = &def});
}

void add_logic(OpRegistry& r, std::string name, std::string doc, const ElementwiseDef& def) {
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"x: bool", "y: bool"},
         .outputs = {"z: bool"},
         .shape = shapes::broadcast,
         .not_differentiable = true,
         .kernels = {{DType::kInvalid, cpu::elementwise_kernel}},
         .in_place = true,
         .elementwise = &def});
}

}  // namespace

void register_math_compare(OpRegistry& r) {
  add_equality(r, "Equal", "x == y, broadcasting.", kCompare<CompareOp::kEqual>);
  add_equality(r, "NotEqual", "x != y, broadcasting.", kCompare<CompareOp::kNotEqual>);
  add_comparison(r, "Less", "x < y, broadcasting.", kCompare<CompareOp::kLess>);
  add_comparison(r, "LessEqual", "x <= y, broadcasting.", kCompare<CompareOp::kLessEqual>);
  add_comparison(r, "Greater", "x > y, broadcasting.", kCompare<CompareOp::kGreater>);
  add_comparison(r, "GreaterEqual", "x >= y, broadcasting.", kCompare<CompareOp::kGreaterEqual>);
  add_test(r, "IsNan", "Whether each element is not a number.", kTest<cpu::UnaryOp::kIsNan>);
  add_test(r, "IsInf", "Whether each element is infinite.", kTest<cpu::UnaryOp::kIsInf>);
  add_test(r, "IsFinite", "Whether each element is finite.", kTest<cpu::UnaryOp::kIsFinite>);
  add_logic(r, "LogicalAnd", "Whether both are true, broadcasting.", kAnd);
  add_logic(r, "LogicalOr", "Whether either is true, broadcasting.", kOr);
  static constexpr const ElementwiseDef& logical_not = kUnary<cpu::UnaryOp::kLogicalNot>;
  r.add({.name = "LogicalNot",
         .doc = "The opposite of each element.",
         .inputs = {"x: bool"},
         .outputs = {"y: bool"},
         .shape = shapes::unchanged,
         .not_differentiable = true,
         .kernels = {{DType::kInvalid, cpu::elementwise_kernel}},
         .in_place = true,
         .elementwise = &logical_not});
}

}  // namespace assay
