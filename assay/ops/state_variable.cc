#include <algorithm>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/variable_util.h"

namespace assay {

PartialShape variable_shape(const ShapeContext& c, int i) {
  const Node* from = c.node().input(i).node;
  while (from->op() == "Identity") from = from->input(0).node;
  if (from->op() != "VarHandleOp") return PartialShape();
  const auto dtype = from->attr<DType>("dtype");
  const auto wanted =
      c.node().attr_or<DType>("dtype", c.node().attr_or<DType>("T", DType::kInvalid));
  if (wanted != DType::kInvalid && wanted != dtype) {
    c.mismatch("the variable '{}' is {}, not {}", from->name(), dtype_name(dtype),
               dtype_name(wanted));
  }
  return from->attr<PartialShape>("shape");
}

namespace {

/// Copies `value` into a variable: into its own memory when the size is the same, so that nothing
/// else ever shares memory with a variable.
void store(const Tensor& value, Tensor& variable) {
  if (!variable.defined() || variable.dtype() != value.dtype()) {
    variable = value.copy();
  } else if (variable.shape() == value.shape()) {
    if (!variable.shares_memory_with(value)) copy_elements(value, variable);
  } else {
    variable = value.copy();
  }
}

class Assign : public Kernel {
 public:
  explicit Assign(const KernelInit& init) {
    if (init.attr_or<bool>("validate_shape", true)) declared_ = init.input_shapes[0];
  }
  void run(KernelContext& ctx) override {
    const Tensor& value = ctx.input(1);
    if (!declared_.is_compatible_with(value.shape())) {
      invalid_argument("cannot assign a value of shape {} to a variable of shape {}",
                       value.shape().str(), declared_.str());
    }
    store(value, ctx.ref_input(0));
  }

 private:
  PartialShape declared_;  // unknown when the shape may change
};

void assign_variable(KernelContext& ctx) {
  store(ctx.input(1), ctx.resource<VariableResource>(0).value);
}

struct AddTo {
  template <typename T>
  static void apply(T& x, T y) {
    x = static_cast<T>(x + y);
  }
};
struct SubtractFrom {
  template <typename T>
  static void apply(T& x, T y) {
    x = static_cast<T>(x - y);
  }
};

/// AssignAdd, AssignSub and their resource forms.
template <typename T, typename Op>
void update(ParallelContext& ctx) {
  Tensor& variable = variable_of(ctx, 0);
  const Tensor& value = ctx.input(1);
  if (variable.shape() != value.shape()) {
    invalid_argument("the variable has shape {}, the value {}", variable.shape().str(),
                     value.shape().str());
  }
  T* x = variable.data<T>();
  const T* y = value.data<T>();
  ctx.pool().parallel_for(value.num_elements(), kVariableGrain,
                          [&](std::int64_t begin, std::int64_t end) {
                            for (std::int64_t i = begin; i < end; ++i) Op::apply(x[i], y[i]);
                          });
}

template <typename Op>
std::vector<KernelEntry> update_kernels() {
  return {{float32, function_kernel<update<float, Op>>},
          {float64, function_kernel<update<double, Op>>},
          {int32, function_kernel<update<std::int32_t, Op>>},
          {int64, function_kernel<update<std::int64_t, Op>>}};
}

void is_variable_initialized(KernelContext& ctx) {
  ctx.out<bool>(0, Shape{})[0] = ctx.ref_input(0).defined();
}

void var_is_initialized(KernelContext& ctx) {
  ctx.out<bool>(0, Shape{})[0] = ctx.resource<VariableResource>(0).value.defined();
}

/// Gives a handle of the session's variable of the node's shared name, made on first use.
class VarHandle : public Kernel {
 public:
  explicit VarHandle(const KernelInit& init) : handle_(DType::kResource, Shape{}) {
    auto& handle = *handle_.data<ResourceHandle>();
    handle.name = init.attr_or<std::string>("shared_name", "");
    if (handle.name.empty()) handle.name = init.node.name();
    if (init.resources == nullptr) return;
    handle.resource = init.resources->get_or_create<VariableResource>(
        handle.name, [] { return std::make_shared<VariableResource>(); });
  }
  void run(KernelContext& ctx) override { ctx.set_output(0, handle_); }

 private:
  Tensor handle_;
};

/// The output shares the variable's memory unless the program planned a place for it.
void read_variable(KernelContext& ctx) {
  ctx.set_output(0, variable_of(ctx, 0));
}

void variable_shape_of(KernelContext& ctx) {
  const Shape s = variable_of(ctx, 0).shape();
  Tensor& out = ctx.output(0, Shape{s.rank()});
  for (int i = 0; i < s.rank(); ++i) {
    if (out.dtype() == DType::kInt32) {
      out.data<std::int32_t>()[i] = static_cast<std::int32_t>(s[i]);
    } else {
      out.data<std::int64_t>()[i] = s[i];
    }
  }
}

template <typename T>
class CountUpTo : public Kernel {
 public:
  explicit CountUpTo(const KernelInit& init) : limit_(init.attr<std::int64_t>("limit")) {}
  void run(KernelContext& ctx) override {
    Tensor& variable = variable_of(ctx, 0);
    if (variable.num_elements() != 1) {
      invalid_argument("the counter must be a scalar, got {}", variable.shape().str());
    }
    T& count = variable.data<T>()[0];
    if (count >= limit_) fail(Code::kOutOfRange, "Reached limit of {}", limit_);
    ctx.out<T>(0, Shape{})[0] = count++;
  }

 private:
  std::int64_t limit_;
};

void declared_shape(ShapeContext& c) {
  c.set_output(0, c.attr<PartialShape>("shape"));
}

void legacy_declared_shape(ShapeContext& c) {
  // The old op could not tell a scalar from an unknown shape.
  const auto shape = c.attr<PartialShape>("shape");
  c.set_output(0, shape.rank() <= 0 ? PartialShape() : shape);
}

void assign_shape(ShapeContext& c) {
  c.set_output(0, c.attr<bool>("validate_shape") ? c.merge_inputs(0, 1) : c.input(1));
}

void read_shape(ShapeContext& c) {
  c.set_output(0, variable_shape(c, 0));
}

void assign_variable_shape(ShapeContext& c) {
  const PartialShape variable = variable_shape(c, 0);
  if (!variable.is_compatible_with(c.input(1))) {
    c.mismatch("the variable has shape {}, the value {}", variable.str(), c.describe_input(1));
  }
}

void shape_of_variable_shape(ShapeContext& c) {
  c.set_output(0, PartialShape{variable_shape(c, 0).rank()});
}

void counter_shape(ShapeContext& c) {
  c.set_output(0, c.with_rank(0, 0));
}

OpSpec ref_update(std::string name, std::string doc, std::vector<KernelEntry> kernels) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"ref: Ref(T)", "value: T"},
          .outputs = {"output_ref: Ref(T)"},
          .attrs = {"T: numbertype", "use_locking: bool = false"},
          .effect = Effect::kWrites,
          .shape = shapes::merged,
          .not_differentiable = true,
          .kernels = std::move(kernels),
          .threads = Threads::kPieces};
}

OpSpec resource_update(std::string name, std::string doc, std::vector<KernelEntry> kernels,
                       Threads threads) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"resource: resource", "value: dtype"},
          .attrs = {"dtype: type"},
          .effect = Effect::kWrites,
          .shape = assign_variable_shape,
          .not_differentiable = true,
          .kernel_attr = "dtype",
          .kernels = std::move(kernels),
          .threads = threads};
}

void register_references(OpRegistry& registry) {
  const std::vector<std::string> attrs = {"shape: shape", "dtype: type", "container: string = ''",
                                          "shared_name: string = ''"};
  registry.add({.name = "VariableV2",
                .doc = "A variable of the session; its output is a reference to it.",
                .outputs = {"ref: Ref(dtype)"},
                .attrs = attrs,
                .effect = Effect::kState,
                .shape = declared_shape,
                .not_differentiable = true,
                .kernel_attr = "dtype",
                .resolved_by_runtime = true});
  registry.add({.name = "Variable",
                .doc = "The first form of VariableV2, with which an empty shape is an unknown one.",
                .outputs = {"ref: Ref(dtype)"},
                .attrs = attrs,
                .effect = Effect::kState,
                .shape = legacy_declared_shape,
                .not_differentiable = true,
                .kernel_attr = "dtype",
                .resolved_by_runtime = true});
  registry.add({.name = "IsVariableInitialized",
                .doc = "Whether a variable has a value.",
                .inputs = {"ref: Ref(dtype)"},
                .outputs = {"is_initialized: bool"},
                .attrs = {"dtype: type"},
                .effect = Effect::kReads,
                .shape = shapes::scalar,
                .not_differentiable = true,
                .kernel_attr = "dtype",
                .kernels = {{DType::kInvalid, function_kernel<is_variable_initialized>}},
                .allows_uninitialized = true});
  registry.add({.name = "Assign",
                .doc = "Gives a variable a new value.",
                .inputs = {"ref: Ref(T)", "value: T"},
                .outputs = {"output_ref: Ref(T)"},
                .attrs = {"T: type", "validate_shape: bool = true", "use_locking: bool = true"},
                .effect = Effect::kWrites,
                .shape = assign_shape,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<Assign>}},
                .allows_uninitialized = true});
  registry.add(ref_update("AssignAdd", "Adds to a variable.", update_kernels<AddTo>()));
  registry.add(
      ref_update("AssignSub", "Subtracts from a variable.", update_kernels<SubtractFrom>()));
  registry.add(
      {.name = "CountUpTo",
       .doc = "The value of a counter, which then goes up by one; OutOfRange at the limit.",
       .inputs = {"ref: Ref(T)"},
       .outputs = {"output: T"},
       .attrs = {"limit: int", "T: {int32, int64}"},
       .effect = Effect::kWrites,
       .shape = counter_shape,
       .not_differentiable = true,
       .kernels = {{int32, make_kernel<CountUpTo<std::int32_t>>},
                   {int64, make_kernel<CountUpTo<std::int64_t>>}}});
}

void register_resources(OpRegistry& registry) {
  registry.add({.name = "VarHandleOp",
                .doc = "A handle of a variable of the session.",
                .outputs = {"resource: resource"},
                .attrs = {"container: string = ''", "shared_name: string = ''", "dtype: type",
                          "shape: shape"},
                .effect = Effect::kReads,
                .shape = shapes::scalar,
                .not_differentiable = true,
                .kernel_attr = "dtype",
                .kernels = {{DType::kInvalid, make_kernel<VarHandle>}}});
  registry.add({.name = "ReadVariableOp",
                .doc = "The value of the variable that a handle names.",
                .inputs = {"resource: resource"},
                .outputs = {"value: dtype"},
                .attrs = {"dtype: type"},
                .effect = Effect::kReads,
                .shape = read_shape,
                .gradient = [](GradientContext& g) { g.set(0, g.raw_grad()); },
                .kernel_attr = "dtype",
                .kernels = {{DType::kInvalid, function_kernel<read_variable>}},
                .reads_variable = true});
  registry.add({.name = "VariableShape",
                .doc = "The shape of the variable that a handle names.",
                .inputs = {"input: resource"},
                .outputs = {"output: out_type"},
                .attrs = {"out_type: {int32, int64} = DT_INT32"},
                .effect = Effect::kReads,
                .shape = shape_of_variable_shape,
                .not_differentiable = true,
                .kernel_attr = "out_type",
                .kernels = {{DType::kInvalid, function_kernel<variable_shape_of>}}});
  registry.add({.name = "VarIsInitializedOp",
                .doc = "Whether the variable that a handle names has a value.",
                .inputs = {"resource: resource"},
                .outputs = {"is_initialized: bool"},
                .effect = Effect::kReads,
                .shape = shapes::scalar,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, function_kernel<var_is_initialized>}},
                .allows_uninitialized = true});
  OpSpec assign =
      resource_update("AssignVariableOp", "Gives a resource variable a new value.",
                      {{DType::kInvalid, function_kernel<assign_variable>}}, Threads::kOne);
  assign.allows_uninitialized = true;
  registry.add(std::move(assign));
  registry.add(resource_update("AssignAddVariableOp", "Adds to a resource variable.",
                               update_kernels<AddTo>(), Threads::kPieces));
  registry.add(resource_update("AssignSubVariableOp", "Subtracts from a resource variable.",
                               update_kernels<SubtractFrom>(), Threads::kPieces));
}

}  // namespace

void register_state_variable(OpRegistry& registry) {
  register_references(registry);
  register_resources(registry);
}

}  // namespace assay
