// Poisson numbers, as many for each of several rates.
#include <cmath>
#include <limits>
#include <type_traits>

#include "assay/device/kernel.h"
#include "assay/device/random_state.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/random_doubles.h"
#include "assay/ops/random_fill.h"

namespace assay {
namespace {

using random::Doubles;

double rate_at(const Tensor& rates, std::int64_t i) {
  if (rates.dtype() == DType::kHalf) {
    return static_cast<double>(static_cast<float>(rates.data<Half>()[i]));
  }
  return dispatch_numeric(rates.dtype(), [&](auto zero) {
    return static_cast<double>(rates.data<decltype(zero)>()[i]);
  });
}

/// The largest count that an output of type T holds, as a double; larger ones are drawn again.
template <typename T>
double largest_count() {
  if constexpr (std::is_same_v<T, Half>) {
    return 65504;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return std::nextafter(std::ldexp(1.0, 63), 0.0);
  } else {
    return static_cast<double>(std::numeric_limits<T>::max());
  }
}

double log_gamma(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);  // lgamma() writes a global variable
}

/// One distribution: what depends on the rate alone, and the drawing.
class Poisson {
 public:
  Poisson(double rate, double largest) : rate_(rate), largest_(largest) {
    if (rate < kFewEvents) {
      exp_minus_rate_ = std::exp(-rate);
      return;
    }
    log_rate_ = std::log(rate);
    b_ = 0.931 + 2.53 * std::sqrt(rate);
    a_ = -0.059 + 0.02483 * b_;
    inverse_alpha_ = 1.1239 + 1.1328 / (b_ - 3.4);
  }

  double draw(Doubles& doubles) const {
    return rate_ < kFewEvents ? count_events(doubles) : transform(doubles);
  }

 private:
  static constexpr double kFewEvents = 10;

  // Knuth: the events of a Poisson process before time 1.
  double count_events(Doubles& doubles) const {
    double left = 1;
    for (double events = 0;; events += 1) {
      left *= doubles.uniform();
      if (left <= exp_minus_rate_) return events;
    }
  }

  // Hoermann's transformed rejection (1993, "The transformed rejection method for generating
  // Poisson random variables", algorithm PTRS), with the constants of its tables.
  double transform(Doubles& doubles) const {
    for (;;) {
      const double u = doubles.uniform() - 0.5;
      const double v = doubles.uniform();
      const double room = 0.5 - std::abs(u);
      const double k = std::floor((2 * a_ / room + b_) * u + rate_ + 0.43);
      if (k > largest_) continue;
      if (room >= 0.07 && v <= 0.9277 - 3.6224 / (b_ - 2)) return k;
      if (k < 0 || (room < 0.013 && v > room)) continue;
      const double s = std::log(v * inverse_alpha_ / (a_ / (room * room) + b_));
      const double t = -rate_ + k * log_rate_ - log_gamma(k + 1);
      if (s <= t) return k;
    }
  }

  double rate_;
  double largest_;
  double exp_minus_rate_ = 0;
  double log_rate_ = 0;
  double b_ = 0;
  double a_ = 0;
  double inverse_alpha_ = 0;
};

template <typename T>
T count_as(double k) {
  if constexpr (std::is_same_v<T, Half>) {
    return Half(static_cast<float>(k));
  } else {
    return static_cast<T>(k);
  }
}

template <typename T>
class RandomPoisson : public ParallelKernel {
 public:
  explicit RandomPoisson(const KernelInit& init) : state_(random_state(init)) {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& rates = ctx.input(1);
    const Shape samples_shape = random::shape_of(ctx.input(0));
    const std::int64_t samples = samples_shape.num_elements();
    T* out = ctx.out<T>(0, random::with_trailing(samples_shape, rates.shape()));
    const std::int64_t num_rates = rates.num_elements();
    if (samples == 0 || num_rates == 0) return;
    // TensorFlow draws 0 for rates below 0, and for these it would not come to an end.
    for (std::int64_t i = 0; i < num_rates; ++i) {
      const double rate = rate_at(rates, i);
      if (!(rate <= largest_count<T>())) {
        invalid_argument("rate {} (element {}) must be a number that {} can hold", rate, i,
                         dtype_name(dtype_of<T>));
      }
    }
    const Philox base = state_->philox().reserve_outputs(samples * num_rates);
    constexpr std::int64_t kPiece = 1024;
    ctx.pool().parallel_for(samples * num_rates, kPiece, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end;) {
        const std::int64_t r = i / samples;
        const Poisson poisson(rate_at(rates, r), largest_count<T>());
        const std::int64_t last = std::min(end, (r + 1) * samples);
        for (; i < last; ++i) {
          Doubles doubles(base, i);
          out[(i - r * samples) * num_rates + r] = count_as<T>(poisson.draw(doubles));
        }
      }
    });
  }

 private:
  std::shared_ptr<RandomResource> state_;
};

}  // namespace

void register_random_poisson(OpRegistry& registry) {
  registry.add({.name = "RandomPoisson",
                .doc = "Poisson numbers of the given rates, in the rates' dtype.",
                .inputs = {"shape: S", "rate: dtype"},
                .outputs = {"output: dtype"},
                .attrs = {"seed: int = 0", "seed2: int = 0", "S: {int32, int64}",
                          "dtype: {half, float, double}"},
                .effect = Effect::kState,
                .shape = random::samples_shape,
                .not_differentiable = true,
                .kernel_attr = "dtype",
                .kernels = {{float32, make_kernel<RandomPoisson<float>>},
                            {float64, make_kernel<RandomPoisson<double>>},
                            {DType::kHalf, make_kernel<RandomPoisson<Half>>}},
                .threads = Threads::kPieces,
                .blocks_a_value = 256});
  registry.add({.name = "RandomPoissonV2",
                .doc = "Poisson numbers of the given rates.",
                .inputs = {"shape: S", "rate: R"},
                .outputs = {"output: dtype"},
                .attrs = {"seed: int = 0", "seed2: int = 0", "S: {int32, int64}",
                          "R: {half, float, double, int32, int64} = DT_DOUBLE",
                          "dtype: {half, float, double, int32, int64} = DT_INT64"},
                .effect = Effect::kState,
                .shape = random::samples_shape,
                .not_differentiable = true,
                .kernel_attr = "dtype",
                .kernels = {{float32, make_kernel<RandomPoisson<float>>},
                            {float64, make_kernel<RandomPoisson<double>>},
                            {int32, make_kernel<RandomPoisson<std::int32_t>>},
                            {int64, make_kernel<RandomPoisson<std::int64_t>>},
                            {DType::kHalf, make_kernel<RandomPoisson<Half>>}},
                .threads = Threads::kPieces,
                .blocks_a_value = 256});
}

}  // namespace assay
