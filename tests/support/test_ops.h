#pragma once

#include "assay/device/elementwise.h"
#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/graph.h"
#include "assay/graph/shape_context.h"

namespace assay::testing {

// A handful of ops, so that the compiler and the runtime are tested without the ops layer.

template <float (*F)(float, float)>
void binary_loop(const void* const* in, const int* stride, void* out, std::int64_t n) {
  const auto* a = static_cast<const float*>(in[0]);
  const auto* b = static_cast<const float*>(in[1]);
  auto* y = static_cast<float*>(out);
  for (std::int64_t i = 0; i < n; ++i) y[i] = F(a[i * stride[0]], b[i * stride[1]]);
}
inline float add_floats(float a, float b) {
  return a + b;
}
inline float multiply_floats(float a, float b) {
  return a * b;
}

inline const ElementwiseDef kAddDef{
    2, [](DType t) -> ElementwiseLoop { return t == float32 ? binary_loop<add_floats> : nullptr; }};
inline const ElementwiseDef kMulDef{2, [](DType t) -> ElementwiseLoop {
                                      return t == float32 ? binary_loop<multiply_floats> : nullptr;
                                    }};

// Broadcasts the slow way: the oracle of the fused loop.
struct BinaryKernel : Kernel {
  explicit BinaryKernel(const KernelInit& init)
      : loop(init.node.def()->elementwise->loop(float32)) {}
  void run(KernelContext& ctx) override {
    const Tensor& a = ctx.input(0);
    const Tensor& b = ctx.input(1);
    const Shape shape = broadcast_shapes(a.shape(), b.shape()).to_shape();
    Tensor& y = ctx.output(0, shape);
    const auto at = [&](const Tensor& t, std::int64_t flat) {
      std::int64_t index = 0;
      std::int64_t step = 1;
      for (int d = shape.rank() - 1; d >= 0; --d) {
        const std::int64_t here = flat % shape[d];
        flat /= shape[d];
        const int own = d - (shape.rank() - t.rank());
        if (own < 0) continue;
        index += (t.dim(own) == 1 ? 0 : here) * step;
        step *= t.dim(own);
      }
      return t.data<float>() + index;
    };
    const int stride[2] = {0, 0};
    for (std::int64_t i = 0; i < shape.num_elements(); ++i) {
      const void* in[2] = {at(a, i), at(b, i)};
      loop(in, stride, y.data<float>() + i, 1);
    }
  }
  ElementwiseLoop loop;
};

inline void identity_run(KernelContext& ctx) {
  ctx.set_output(0, ctx.input(0));
}
inline void assign_run(KernelContext& ctx) {
  ctx.ref_input(0) = ctx.input(1).copy();
}
inline void assign_add_run(KernelContext& ctx) {
  auto a = ctx.ref_input(0).span<float>();
  const auto b = ctx.input(1).span<float>();
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
}
// The length of its input depends on data: the elements above zero.
inline void positive_run(KernelContext& ctx) {
  std::vector<float> kept;
  for (const float x : ctx.input(0).span<float>()) {
    if (x > 0) kept.push_back(x);
  }
  float* y = ctx.out<float>(0, Shape{static_cast<std::int64_t>(kept.size())});
  std::copy(kept.begin(), kept.end(), y);
}
inline void add_n_run(KernelContext& ctx) {
  auto y = ctx.output(0, ctx.input(0).shape()).span<float>();
  std::fill(y.begin(), y.end(), 0.0F);
  for (int k = 0; k < ctx.num_inputs(); ++k) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += ctx.in<float>(k)[i];
  }
}
inline void fill_run(KernelContext& ctx) {
  const auto dims = ctx.input(0).span<std::int32_t>();
  const Shape shape(std::vector<std::int64_t>(dims.begin(), dims.end()));
  std::fill_n(ctx.out<float>(0, shape), shape.num_elements(), *ctx.in<float>(1));
}
inline void failing_run(KernelContext&) {
  invalid_argument("this op always fails");
}
inline void length_run(KernelContext& ctx) {
  ctx.out<std::int32_t>(0, Shape{})[0] = static_cast<std::int32_t>(ctx.input(0).num_elements());
}

/// Counts how many kernels of its kind there are.
struct LiveKernel : Kernel {
  explicit LiveKernel(const KernelInit&) {
    ++alive;
    ++made;
  }
  ~LiveKernel() override { --alive; }
  void run(KernelContext& ctx) override { ctx.set_output(0, ctx.input(0)); }
  static inline int alive = 0;
  static inline int made = 0;
};

struct CounterState : Resource {
  float count = 0;
};
struct CounterKernel : Kernel {
  explicit CounterKernel(const KernelInit& init)
      : state(init.resources->get_or_create<CounterState>(
            "_counter/" + init.node.name(), [] { return std::make_shared<CounterState>(); })) {}
  void run(KernelContext& ctx) override { ctx.out<float>(0, Shape{})[0] = ++state->count; }
  std::shared_ptr<CounterState> state;
};

inline void attr_shape(ShapeContext& c) {
  c.set_output(0, c.attr<PartialShape>("shape"));
}
inline void const_shape(ShapeContext& c) {
  c.set_output(0, c.attr<Tensor>("value").shape());
}
inline void vector_shape(ShapeContext& c) {
  c.set_output(0, PartialShape{-1});
}

inline const OpRegistry& test_ops() {
  static const OpRegistry registry = [] {
    OpRegistry r;
    r.add({.name = "Const",
           .doc = "A constant.",
           .outputs = {"output: dtype"},
           .attrs = {"value: tensor", "dtype: type"},
           .shape = const_shape,
           .not_differentiable = true,
           .value_attr = "value"});
    r.add({.name = "Placeholder",
           .doc = "Fed.",
           .outputs = {"output: dtype"},
           .attrs = {"dtype: type", "shape: shape = { unknown_rank: true }"},
           .shape = attr_shape,
           .not_differentiable = true,
           .resolved_by_runtime = true});
    r.add({.name = "VariableV2",
           .doc = "A variable.",
           .outputs = {"ref: Ref(dtype)"},
           .attrs = {"shape: shape", "dtype: type", "container: string = ''",
                     "shared_name: string = ''"},
           .effect = Effect::kReads,
           .shape = attr_shape,
           .not_differentiable = true,
           .resolved_by_runtime = true});
    r.add({.name = "Assign",
           .doc = "Sets a variable.",
           .inputs = {"ref: Ref(T)", "value: T"},
           .outputs = {"output_ref: Ref(T)"},
           .attrs = {"T: type"},
           .effect = Effect::kWrites,
           .shape = shapes::unchanged,
           .not_differentiable = true,
           .kernels = {{DType::kInvalid, function_kernel<assign_run>}},
           .allows_uninitialized = true});
    r.add({.name = "AssignAdd",
           .doc = "Adds to a variable.",
           .inputs = {"ref: Ref(T)", "value: T"},
           .outputs = {"output_ref: Ref(T)"},
           .attrs = {"T: type"},
           .effect = Effect::kWrites,
           .shape = shapes::unchanged,
           .not_differentiable = true,
           .kernels = {{float32, function_kernel<assign_add_run>}}});
    r.add({.name = "Identity",
           .doc = "Its input.",
           .inputs = {"input: T"},
           .outputs = {"output: T"},
           .attrs = {"T: type"},
           .shape = shapes::unchanged,
           .gradient = [](GradientContext& g) { g.set(0, g.raw_grad()); },
           .kernels = {{DType::kInvalid, function_kernel<identity_run>}},
           .reshapes_input = true});
    r.add({.name = "Add",
           .doc = "The sum.",
           .inputs = {"x: T", "y: T"},
           .outputs = {"z: T"},
           .attrs = {"T: type"},
           .shape = shapes::broadcast,
           .gradient =
               [](GradientContext& g) {
                 g.set(0, g.raw_grad());
                 g.set(1, g.raw_grad());
               },
           .kernels = {{float32, make_kernel<BinaryKernel>}},
           .in_place = true,
           .elementwise = &kAddDef});
    r.add({.name = "Mul",
           .doc = "The product.",
           .inputs = {"x: T", "y: T"},
           .outputs = {"z: T"},
           .attrs = {"T: type"},
           .shape = shapes::broadcast,
           .gradient =
               [](GradientContext& g) {
                 g.set(0, g.op("Mul", {g.grad(), g.input(1)}));
                 g.set(1, g.op("Mul", {g.grad(), g.input(0)}));
               },
           .kernels = {{float32, make_kernel<BinaryKernel>}},
           .in_place = true,
           .elementwise = &kMulDef});
    r.add({.name = "AddN",
           .doc = "The sum of all.",
           .inputs = {"inputs: N * T"},
           .outputs = {"sum: T"},
           .attrs = {"N: int >= 1", "T: type"},
           .shape = shapes::unchanged,
           .gradient =
               [](GradientContext& g) {
                 for (int i = 0; i < g.num_inputs(); ++i) g.set(i, g.raw_grad());
               },
           .kernels = {{float32, function_kernel<add_n_run>}}});
    r.add({.name = "Fill",
           .doc = "One value.",
           .inputs = {"dims: index_type", "value: T"},
           .outputs = {"output: T"},
           .attrs = {"T: type", "index_type: type = DT_INT32"},
           .shape = [](ShapeContext& c) { c.set_output(0, c.input_as_shape(0)); },
           .not_differentiable = true,
           .kernels = {{float32, function_kernel<fill_run>}}});
    r.add({.name = "Positive",
           .doc = "The elements above zero.",
           .inputs = {"x: T"},
           .outputs = {"y: T"},
           .attrs = {"T: type"},
           .shape = vector_shape,
           .not_differentiable = true,
           .kernels = {{float32, function_kernel<positive_run>}}});
    r.add({.name = "Length",
           .doc = "How many elements.",
           .inputs = {"x: T"},
           .outputs = {"n: int32"},
           .attrs = {"T: type"},
           .shape = shapes::scalar,
           .not_differentiable = true,
           .kernels = {{DType::kInvalid, function_kernel<length_run>}},
           .shape_only = true});
    r.add({.name = "Counter",
           .doc = "1, 2, 3, ...",
           .outputs = {"n: float"},
           .effect = Effect::kState,
           .shape = shapes::scalar,
           .not_differentiable = true,
           .kernels = {{DType::kInvalid, make_kernel<CounterKernel>}}});
    r.add({.name = "Live",
           .doc = "Its input; counts its kernels.",
           .inputs = {"x: T"},
           .outputs = {"y: T"},
           .attrs = {"T: type"},
           .shape = shapes::unchanged,
           .not_differentiable = true,
           .kernels = {{float32, make_kernel<LiveKernel>}}});
    r.add({.name = "Failing",
           .doc = "Fails.",
           .inputs = {"x: T"},
           .outputs = {"y: T"},
           .attrs = {"T: type"},
           .shape = shapes::unchanged,
           .not_differentiable = true,
           .kernels = {{float32, function_kernel<failing_run>}}});
    r.add({.name = "NoOp",
           .doc = "Nothing.",
           .shape = shapes::no_output,
           .not_differentiable = true});
    return r;
  }();
  return registry;
}

// A graph of these ops with short ways to make nodes.
class TestGraph : public NodeBuilder {
 public:
  TestGraph() : NodeBuilder(graph_), graph_(test_ops()) {}
  Graph& graph() { return graph_; }
  Output placeholder(const std::string& name, PartialShape shape = {}) {
    return op("Placeholder", {}, {{"dtype", float32}, {"shape", std::move(shape)}}, name);
  }
  Output variable(const std::string& name, Shape shape) {
    return op("VariableV2", {}, {{"dtype", float32}, {"shape", PartialShape(shape)}}, name);
  }
  Output floats(std::vector<float> values) { return constant(Tensor::of(values)); }
  Output number(float value) { return constant(Tensor::scalar(value)); }

 private:
  Graph graph_;
};

}  // namespace assay::testing
