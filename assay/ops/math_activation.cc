// Activation functions and the ops that are their gradients.
#include "assay/device/cpu/broadcast.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/elementwise_op.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

using cpu::BinaryOp;
using cpu::UnaryOp;

constexpr const char* kRealNumbers =
    "T: {float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64}";
constexpr const char* kFloatsDefault = "T: {half, bfloat16, float, double} = DT_FLOAT";

DType type_of(const GradientContext& g) {
  return base_dtype(g.input(0).dtype());
}

// Activations whose gradient op takes (gradients, outputs).
void relu_gradient(GradientContext& g) {
  g.set(0, g.op("ReluGrad", {g.grad(), g.output(0)}));
}
void relu6_gradient(GradientContext& g) {
  g.set(0, g.op("Relu6Grad", {g.grad(), g.output(0)}));
}
void elu_gradient(GradientContext& g) {
  g.set(0, g.op("EluGrad", {g.grad(), g.output(0)}));
}
void selu_gradient(GradientContext& g) {
  g.set(0, g.op("SeluGrad", {g.grad(), g.output(0)}));
}
void sigmoid_gradient(GradientContext& g) {
  g.set(0, g.op("SigmoidGrad", {g.output(0), g.grad()}));
}
void softplus_gradient(GradientContext& g) {
  g.set(0, g.op("Mul", {g.grad(), g.op("Sigmoid", {g.input(0)})}));
}
void softsign_gradient(GradientContext& g) {
  g.set(0, g.op("SoftsignGrad", {g.grad(), g.input(0)}));
}
void leaky_relu_gradient(GradientContext& g) {
  g.set(0,
        g.op("LeakyReluGrad", {g.grad(), g.input(0)}, {{"alpha", g.node().attr<float>("alpha")}}));
}

// Linear in the gradient, flat in the features.
void flat_gradient(GradientContext& g) {
  g.set(0, g.op(g.node().op(), {g.grad(), g.input(1)}));
  g.set(1, g.op("ZerosLike", {g.input(1)}));
}
void leaky_relu_grad_gradient(GradientContext& g) {
  g.set(0,
        g.op("LeakyReluGrad", {g.grad(), g.input(1)}, {{"alpha", g.node().attr<float>("alpha")}}));
  g.set(1, g.op("ZerosLike", {g.input(1)}));
}

// EluGrad and SeluGrad: linear in the outputs where these are negative.
void elu_grad_gradient(GradientContext& g) {
  const Output y = g.input(1);
  g.set(0, g.op(g.node().op(), {g.grad(), y}));
  const Output negative = g.op("Less", {y, g.scalar(0, type_of(g))});
  const Output product = g.op("Mul", {g.grad(), g.input(0)});
  g.set(1, g.op("Select", {negative, product, g.op("ZerosLike", {y})}));
}

// dy y (1 - y).
void sigmoid_grad_gradient(GradientContext& g) {
  const Output y = g.input(0);
  const Output product = g.op("Mul", {g.grad(), g.input(1)});
  const Output twice = g.op("Mul", {g.scalar(2, type_of(g)), product});
  g.set(0, g.op("Sub", {product, g.op("Mul", {twice, y})}));
  g.set(1, g.op("SigmoidGrad", {y, g.grad()}));
}

// dy sigmoid(x).
void softplus_grad_gradient(GradientContext& g) {
  const Output x = g.input(1);
  g.set(0, g.op("SoftplusGrad", {g.grad(), x}));
  const Output product = g.op("Mul", {g.grad(), g.input(0)});
  g.set(1, g.op("SigmoidGrad", {g.op("Sigmoid", {x}), product}));
}

// dy / (1 + |x|)^2.
void softsign_grad_gradient(GradientContext& g) {
  const Output x = g.input(1);
  g.set(0, g.op("SoftsignGrad", {g.grad(), x}));
  const Output u = g.op("Add", {g.scalar(1, type_of(g)), g.op("Abs", {x})});
  const Output slope = g.op("Mul", {g.scalar(-2, type_of(g)), g.op("Sign", {x})});
  const Output numerator = g.op("Mul", {g.op("Mul", {g.grad(), g.input(0)}), slope});
  g.set(1, g.op("RealDiv", {numerator, g.op("Mul", {u, g.op("Square", {u})})}));
}

// The slope is an attribute: it joins the tensors as one more input that is the same everywhere.
template <typename T, bool Gradient>
class LeakyRelu : public ParallelKernel {
 public:
  explicit LeakyRelu(const KernelInit& init)
      : slope_(static_cast<T>(init.attr<float>("alpha"))),
        loop_(Gradient ? cpu::leaky_relu_grad_loop(dtype_of<T>)
                       : cpu::binary_loop(BinaryOp::kLeakyRelu, dtype_of<T>)) {}

  void run_parallel(ParallelContext& ctx) override {
    constexpr int kTensors = Gradient ? 2 : 1;
    std::array<const void*, kTensors + 1> in{};
    std::array<int, kTensors + 1> stride{};
    for (int k = 0; k < kTensors; ++k) {
      if (!(ctx.input(k).shape() == ctx.input(0).shape())) {
        invalid_argument("gradients {} and features {} must have one shape",
                         ctx.input(0).shape().str(), ctx.input(k).shape().str());
      }
    }
    const Shape& shape = ctx.input(0).shape();
    T* out = ctx.out<T>(0, shape);
    ctx.pool().parallel_for(shape.num_elements(), cpu::kElementwiseGrain,
                            [&](std::int64_t begin, std::int64_t end) {
                              auto at = in;
                              auto step = stride;
                              for (int k = 0; k < kTensors; ++k) {
                                at[static_cast<std::size_t>(k)] = ctx.in<T>(k) + begin;
                                step[static_cast<std::size_t>(k)] = 1;
                              }
                              at[kTensors] = &slope_;
                              loop_(at.data(), step.data(), out + begin, end - begin);
                            });
  }

 private:
  T slope_;
  ElementwiseLoop loop_;
};

void add_activation(OpRegistry& r, std::string name, std::string doc, const char* types,
                    const ElementwiseDef& def, GradientFn gradient) {
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"features: T"},
         .outputs = {"activations: T"},
         .attrs = {types},
         .shape = shapes::unchanged,
         .gradient = gradient,
         .kernels = elementwise_kernels(def, types),
         .in_place = true,
         .elementwise = &def});
}

void add_backprop(OpRegistry& r, std::string name, std::string doc, const char* second,
                  const char* types, const ElementwiseDef& def, GradientFn gradient) {
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"gradients: T", second},
         .outputs = {"backprops: T"},
         .attrs = {types},
         .shape = shapes::merged,
         .gradient = gradient,
         .kernels = elementwise_kernels(def, types),
         .in_place = true,
         .elementwise = &def});
}

}  // namespace

void register_math_activation(OpRegistry& r) {
  constexpr const char* kHalfFirst = "T: {half, bfloat16, float, double}";
  add_activation(r, "Relu", "max(x, 0) of each element.", kRealNumbers, kUnary<UnaryOp::kRelu>,
                 relu_gradient);
  add_backprop(r, "ReluGrad", "The gradient where the features are positive, else 0.",
               "features: T", kRealNumbers, kBinary<BinaryOp::kReluGrad>, flat_gradient);
  add_activation(r, "Relu6", "min(max(x, 0), 6) of each element.", kRealNumbers,
                 kUnary<UnaryOp::kRelu6>, relu6_gradient);
  add_backprop(r, "Relu6Grad", "The gradient where the features are between 0 and 6, else 0.",
               "features: T", kRealNumbers, kBinary<BinaryOp::kRelu6Grad>, flat_gradient);
  add_activation(r, "Elu", "x where positive, exp(x) - 1 elsewhere.", kHalfFirst,
                 kUnary<UnaryOp::kElu>, elu_gradient);
  add_backprop(r, "EluGrad", "The gradient of Elu by its outputs.", "outputs: T", kHalfFirst,
               kBinary<BinaryOp::kEluGrad>, elu_grad_gradient);
  add_activation(r, "Selu", "The scaled Elu whose activations normalise themselves.", kHalfFirst,
                 kUnary<UnaryOp::kSelu>, selu_gradient);
  add_backprop(r, "SeluGrad", "The gradient of Selu by its outputs.", "outputs: T", kHalfFirst,
               kBinary<BinaryOp::kSeluGrad>, elu_grad_gradient);
  add_activation(r, "Softplus", "log(1 + exp(x)) of each element.", kHalfFirst,
                 kUnary<UnaryOp::kSoftplus>, softplus_gradient);
  add_backprop(r, "SoftplusGrad", "The gradient of Softplus: gradients * sigmoid(features).",
               "features: T", kHalfFirst, kBinary<BinaryOp::kSoftplusGrad>, softplus_grad_gradient);
  add_activation(r, "Softsign", "x / (1 + |x|) of each element.", kHalfFirst,
                 kUnary<UnaryOp::kSoftsign>, softsign_gradient);
  add_backprop(r, "SoftsignGrad", "The gradient of Softsign: gradients / (1 + |features|)^2.",
               "features: T", kHalfFirst, kBinary<BinaryOp::kSoftsignGrad>, softsign_grad_gradient);
  add_unary(r, "Sigmoid", "1 / (1 + exp(-x)) of each element.", kFloats, kUnary<UnaryOp::kSigmoid>,
            sigmoid_gradient);
  static constexpr const ElementwiseDef& sigmoid_grad = kBinary<BinaryOp::kSigmoidGrad>;
  r.add({.name = "SigmoidGrad",
         .doc = "dy y (1 - y): the gradient of Sigmoid by its output.",
         .inputs = {"y: T", "dy: T"},
         .outputs = {"z: T"},
         .attrs = {kFloats},
         .shape = shapes::unchanged,
         .gradient = sigmoid_grad_gradient,
         .kernels = elementwise_kernels(sigmoid_grad, kFloats),
         .in_place = true,
         .elementwise = &sigmoid_grad});
  r.add({.name = "LeakyRelu",
         .doc = "x where positive, alpha x elsewhere.",
         .inputs = {"features: T"},
         .outputs = {"activations: T"},
         .attrs = {"alpha: float = 0.2", kFloatsDefault},
         .shape = shapes::unchanged,
         .gradient = leaky_relu_gradient,
         .kernels = {{float32, make_kernel<LeakyRelu<float, false>>},
                     {float64, make_kernel<LeakyRelu<double, false>>}},
         .threads = Threads::kPieces,
         .in_place = true});
  r.add({.name = "LeakyReluGrad",
         .doc = "The gradient where the features are positive, alpha times it elsewhere.",
         .inputs = {"gradients: T", "features: T"},
         .outputs = {"backprops: T"},
         .attrs = {"alpha: float = 0.2", kFloatsDefault},
         .shape = shapes::merged,
         .gradient = leaky_relu_grad_gradient,
         .kernels = {{float32, make_kernel<LeakyRelu<float, true>>},
                     {float64, make_kernel<LeakyRelu<double, true>>}},
         .threads = Threads::kPieces,
         .in_place = true});
}

}  // namespace assay
