// Gamma numbers, as many for each of several shape parameters, and how they move with these.
#include <cmath>
#include <type_traits>

#include "assay/device/cpu/special.h"
#include "assay/device/kernel.h"
#include "assay/device/random_state.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/elementwise_op.h"
#include "assay/ops/gradient_util.h"
#include "assay/ops/manifest.h"
#include "assay/ops/random_doubles.h"
#include "assay/ops/random_fill.h"

namespace assay {
namespace {

using random::Doubles;

/// One distribution: what depends on alpha alone, and the drawing (Marsaglia and Tsang 2000, "A
/// simple method for generating gamma variables").
class Gamma {
 public:
  explicit Gamma(double alpha)
      : alpha_(alpha), d_(alpha + (alpha < 1 ? 2.0 / 3 : -1.0 / 3)), c_(1.0 / 3 / std::sqrt(d_)) {}

  double draw(Doubles& doubles) const {
    if (alpha_ == 1) return -std::log(1.0 - doubles.uniform());
    for (;;) {
      const double x = doubles.normal();
      double v = 1 + c_ * x;
      if (v <= 0) continue;
      v = v * v * v;
      const double u = doubles.uniform();
      // The first condition is a part of the second one, without its logarithms.
      if (u < 1 - 0.0331 * (x * x) * (x * x) ||
          std::log(u) < 0.5 * x * x + d_ * (1 - v + std::log(v))) {
        const double value = d_ * v;
        return alpha_ < 1 ? value * std::pow(doubles.uniform(), 1 / alpha_) : value;
      }
    }
  }

 private:
  double alpha_;
  double d_;
  double c_;
};

template <typename T>
class RandomGamma : public ParallelKernel {
 public:
  explicit RandomGamma(const KernelInit& init) : state_(random_state(init)) {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& alphas = ctx.input(1);
    const Shape samples_shape = random::shape_of(ctx.input(0));
    const std::int64_t samples = samples_shape.num_elements();
    T* out = ctx.out<T>(0, random::with_trailing(samples_shape, alphas.shape()));
    const std::int64_t num_alphas = alphas.num_elements();
    if (samples == 0 || num_alphas == 0) return;
    const Philox base = state_->philox().reserve_outputs(samples * num_alphas);
    const T* alpha = alphas.data<T>();
    constexpr std::int64_t kPiece = 1024;
    ctx.pool().parallel_for(
        samples * num_alphas, kPiece, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end;) {
            const std::int64_t a = i / samples;
            const Gamma gamma(number(alpha[a]));
            const std::int64_t last = std::min(end, (a + 1) * samples);
            for (; i < last; ++i) {
              Doubles doubles(base, i);
              out[(i - a * samples) * num_alphas + a] = narrow(gamma.draw(doubles));
            }
          }
        });
  }

 private:
  static double number(T x) {
    if constexpr (std::is_same_v<T, Half>) {
      return static_cast<double>(static_cast<float>(x));
    } else {
      return static_cast<double>(x);
    }
  }
  static T narrow(double x) {
    return T(static_cast<std::conditional_t<sizeof(T) == 2, float, T>>(x));
  }

  std::shared_ptr<RandomResource> state_;
};

template <typename T>
void gamma_grad_loop(const void* const* in, const int* stride, void* out, std::int64_t n) {
  const auto* alpha = static_cast<const T*>(in[0]);
  const auto* sample = static_cast<const T*>(in[1]);
  auto* y = static_cast<T*>(out);
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = static_cast<T>(cpu::gamma_sample_derivative(static_cast<double>(alpha[i * stride[0]]),
                                                       static_cast<double>(sample[i * stride[1]])));
  }
}

ElementwiseLoop gamma_grad_loop_of(DType dtype) {
  if (dtype == DType::kFloat) return gamma_grad_loop<float>;
  if (dtype == DType::kDouble) return gamma_grad_loop<double>;
  return nullptr;
}

constexpr ElementwiseDef kGammaGrad{.arity = 2, .loop = &gamma_grad_loop_of};

// The samples' dimensions stand before alpha's, which therefore broadcasts.
void gamma_gradient(GradientContext& g) {
  const Output dims = g.shape_of(g.input(0));
  const Output rank = ops::element(g, dims, 0);
  const Output leading = g.op("Fill", {g.op("Pack", {rank}), g.scalar(1, DType::kInt32)});
  const Output wide = ops::concat(g, {leading, g.shape_of(g.input(1))}, 0);
  const Output alpha = ops::reshape(g, g.input(1), wide);
  const Output derivative = g.op("RandomGammaGrad", {alpha, g.output(0)});
  const Output product = g.op("Mul", {g.grad(), derivative});
  const Output axes = g.op("Range", {g.scalar(0, DType::kInt32), rank, g.scalar(1, DType::kInt32)});
  g.set(1, g.op("Sum", {product, axes}));
}

void no_second_gradient(GradientContext&) {
  fail(Code::kUnimplemented,
       "there is no second derivative of gamma numbers, in TensorFlow either");
}

}  // namespace

void register_random_gamma(OpRegistry& registry) {
  registry.add({.name = "RandomGamma",
                .doc = "Gamma numbers of the given shape parameters and scale 1.",
                .inputs = {"shape: S", "alpha: T"},
                .outputs = {"output: T"},
                .attrs = {"seed: int = 0", "seed2: int = 0", "S: {int32, int64}",
                          "T: {half, float, double}"},
                .effect = Effect::kState,
                .shape = random::samples_shape,
                .gradient = gamma_gradient,
                .kernels = {{float32, make_kernel<RandomGamma<float>>},
                            {float64, make_kernel<RandomGamma<double>>},
                            {DType::kHalf, make_kernel<RandomGamma<Half>>}},
                .threads = Threads::kPieces,
                .blocks_a_value = 256});
  constexpr const char* kTypes = "T: {float, double}";
  registry.add({.name = "RandomGammaGrad",
                .doc = "How gamma numbers move with alpha while their quantile stays.",
                .inputs = {"alpha: T", "sample: T"},
                .outputs = {"output: T"},
                .attrs = {kTypes},
                .shape = shapes::broadcast,
                .gradient = no_second_gradient,
                .kernels = elementwise_kernels(kGammaGrad, kTypes),
                .in_place = true,
                .elementwise = &kGammaGrad});
}

}  // namespace assay
