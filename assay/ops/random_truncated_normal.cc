// Normal numbers between two bounds, with parameters for each batch.
#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include "assay/base/philox.h"
#include "assay/device/kernel.h"
#include "assay/device/random_state.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/random_fill.h"

namespace assay {
namespace {

/// A half whose arithmetic rounds after each operation, as TensorFlow's does.
class RoundedHalf {
 public:
  RoundedHalf() = default;
  explicit RoundedHalf(double x) : RoundedHalf(static_cast<float>(x)) {}
  explicit RoundedHalf(float x) : value_(static_cast<float>(Half(x))) {}
  explicit RoundedHalf(Half x) : value_(static_cast<float>(x)) {}
  explicit operator Half() const { return Half(value_); }
  float value() const { return value_; }

  RoundedHalf operator-() const { return RoundedHalf(-value_); }
  friend RoundedHalf operator+(RoundedHalf a, RoundedHalf b) {
    return RoundedHalf(a.value_ + b.value_);
  }
  friend RoundedHalf operator-(RoundedHalf a, RoundedHalf b) {
    return RoundedHalf(a.value_ - b.value_);
  }
  friend RoundedHalf operator*(RoundedHalf a, RoundedHalf b) {
    return RoundedHalf(a.value_ * b.value_);
  }
  friend RoundedHalf operator/(RoundedHalf a, RoundedHalf b) {
    return RoundedHalf(a.value_ / b.value_);
  }
  friend auto operator<=>(RoundedHalf a, RoundedHalf b) { return a.value_ <=> b.value_; }

 private:
  float value_ = 0;
};

RoundedHalf sqrt(RoundedHalf x) {
  return RoundedHalf(std::sqrt(x.value()));
}
RoundedHalf exp(RoundedHalf x) {
  return RoundedHalf(std::exp(x.value()));
}
RoundedHalf log(RoundedHalf x) {
  return RoundedHalf(std::log(x.value()));
}
bool isfinite(RoundedHalf x) {
  return std::isfinite(x.value());
}
bool isinf(RoundedHalf x) {
  return std::isinf(x.value());
}

/// The type that numbers of type T are computed in.
template <typename T>
using Number = std::conditional_t<std::is_same_v<T, Half>, RoundedHalf, T>;

/// As many numbers as one block of the stream gives.
template <typename T>
using Group = std::array<Number<T>, std::is_same_v<T, double> ? 2 : 4>;

/// Uniform in [0, 1).
template <typename T>
Group<T> uniforms(Philox& generator) {
  const Philox::Block b = generator();
  if constexpr (std::is_same_v<T, double>) {
    return {philox_double(b[0], b[1]), philox_double(b[2], b[3])};
  } else if constexpr (std::is_same_v<T, float>) {
    return {philox_float(b[0]), philox_float(b[1]), philox_float(b[2]), philox_float(b[3])};
  } else {
    const auto fraction = [](std::uint32_t word) {
      return RoundedHalf(static_cast<float>(word & 0x3ffU) * 0x1p-10F);
    };
    return {fraction(b[0]), fraction(b[1]), fraction(b[2]), fraction(b[3])};
  }
}

/// Standard normal.
template <typename T>
Group<T> normals(Philox& generator) {
  const Philox::Block b = generator();
  if constexpr (std::is_same_v<T, double>) {
    return box_muller(b[0], b[1], b[2], b[3]);
  } else {
    using N = Number<T>;
    const std::array<float, 2> low = box_muller(b[0], b[1]);
    const std::array<float, 2> high = box_muller(b[2], b[3]);
    return {N(low[0]), N(low[1]), N(high[0]), N(high[1])};
  }
}

/// The distribution of one batch. Bounds are brought to standard deviations from the mean, and
/// turned around where the tail lies on the left.
template <typename T>
class Truncated {
 public:
  using N = Number<T>;

  Truncated(T mean, T stddev, T minval, T maxval) : mean_(mean), stddev_(stddev) {
    using std::isfinite;
    using std::isinf;
    using std::sqrt;
    N low(minval);
    N high(maxval);
    if (!(stddev_ > N(0.0) && low < high && (isfinite(low) || isfinite(high)))) {
      const auto shown = [](T x) { return static_cast<double>(static_cast<wide>(x)); };
      invalid_argument(
          "the standard deviation must be above 0, the bounds in order and one of them finite: got "
          "mean {}, standard deviation {}, bounds {} and {}",
          shown(mean), shown(stddev), shown(minval), shown(maxval));
    }
    if ((isinf(low) && low < N(0.0)) || high < mean_) {
      std::swap(low, high);
      stddev_ = -stddev_;
    }
    low_ = (low - mean_) / stddev_;
    high_ = (high - mean_) / stddev_;
    root_ = sqrt(low_ * low_ + N(4.0));
  }

  /// The batch's numbers, from where `generator` stands; it is left behind the last block used.
  void fill(Philox& generator, T* out, std::int64_t n) {
    using std::exp;
    const N edge(1.3);
    const N zero(0.0);
    const N two(2.0);
    const N cutoff = two * exp(N(0.5) + (low_ * (low_ - root_)) / N(4.0)) / (low_ + root_);
    out_ = out;
    left_ = n;
    if ((low_ < -edge && high_ >= zero) || (high_ > edge && low_ <= zero)) {
      from_normal(generator);
    } else if (high_ - low_ < cutoff) {
      from_uniform(generator);
    } else {
      from_exponential(generator);
    }
  }

 private:
  using wide = std::conditional_t<std::is_same_v<T, double>, double, float>;

  static constexpr int kMaxTries = 1000;

  // Most of the bell lies inside: normal numbers, those outside refused.
  void from_normal(Philox& generator) {
    while (left_ > 0) {
      for (const N z : normals<T>(generator)) {
        if (!take(z, z >= low_ && z <= high_, kMaxTries + 1)) break;
      }
    }
  }

  // A narrow window: uniform numbers, refused by the bell's height there.
  void from_uniform(Philox& generator) {
    using std::exp;
    const N width = high_ - low_;
    const N top = low_ < N(0.0) ? N(0.0) : low_ * low_;
    while (left_ > 0) {
      Group<T> z = uniforms<T>(generator);
      const Group<T> u = uniforms<T>(generator);
      for (N& x : z) x = x * width + low_;
      for (std::size_t i = 0; i < z.size(); ++i) {
        const N g = (top - z[i] * z[i]) / N(2.0);
        if (!take(z[i], u[i] <= exp(g), kMaxTries)) break;
      }
    }
  }

  // A tail: exponential numbers (Robert 1995, "Simulation of truncated normal variables").
  void from_exponential(Philox& generator) {
    using std::exp;
    using std::log;
    const N alpha = (low_ + root_) / N(2.0);
    while (left_ > 0) {
      const Group<T> u = uniforms<T>(generator);
      for (std::size_t i = 0; i < u.size(); i += 2) {
        const N z = -log(u[i]) / alpha + low_;
        const N x = low_ < alpha ? alpha - z : low_ - alpha;
        const N g = exp(-x * x / N(2.0));
        if (!take(z, u[i + 1] <= g && z < high_, kMaxTries)) break;
      }
    }
  }

  /// Writes `z` if it is accepted; false when the batch is full. Throws when too many in a row are
  /// refused.
  bool take(N z, bool accepted, int most) {
    if (!accepted) {
      if (++refused_ >= most) {
        invalid_argument(
            "{} numbers in a row fell outside of the truncated normal distribution: its bounds lie "
            "too far out for {}",
            most, dtype_name(dtype_of<T>));
      }
      return true;
    }
    *out_++ = T(z * stddev_ + mean_);
    refused_ = 0;
    return --left_ > 0;
  }

  N mean_;
  N stddev_;
  N low_;
  N high_;
  N root_;
  T* out_ = nullptr;
  std::int64_t left_ = 0;
  int refused_ = 0;
};

template <typename T>
class ParameterizedTruncatedNormal : public Kernel {
 public:
  explicit ParameterizedTruncatedNormal(const KernelInit& init) : state_(random_state(init)) {}

  void run(KernelContext& ctx) override {
    const Shape shape = random::shape_of(ctx.input(0));
    if (shape.rank() == 0) invalid_argument("the shape must have at least one dimension, got []");
    T* out = ctx.out<T>(0, shape);
    const std::int64_t n = shape.num_elements();
    std::int64_t batches = shape.dim(0);
    std::int64_t per_batch = batches == 0 ? 0 : n / batches;
    for (int i = 1; i <= 4; ++i) {
      if (ctx.input(i).rank() > 1) {
        invalid_argument("{} must be a scalar or a vector, got {}", kNames[i],
                         ctx.input(i).shape().str());
      }
    }
    const auto single = [&](int i) { return ctx.input(i).num_elements() == 1; };
    if (single(1) && single(2) && ctx.input(3).rank() == 0 && ctx.input(4).rank() == 0) {
      batches = n / kBatch + (n % kBatch == 0 ? 0 : 1);
      per_batch = kBatch;
    } else {
      for (int i = 1; i <= 4; ++i) {
        if (!single(i) && ctx.input(i).num_elements() != batches) {
          invalid_argument("{} must have 1 or {} elements, got {}", kNames[i], batches,
                           ctx.input(i).shape().str());
        }
      }
    }
    // 1000 tries of two words for each number, with room for rounding.
    const std::uint64_t blocks = static_cast<std::uint64_t>(batches) * 2000 *
                                 (static_cast<std::uint64_t>(per_batch) + 3) / 4;
    Philox generator = state_->philox().reserve_blocks(static_cast<std::int64_t>(blocks));
    if (n == 0) return;
    const auto parameter = [&](int i, std::int64_t batch) {
      return ctx.in<T>(i)[single(i) ? 0 : batch];
    };
    // Where a batch begins in the stream depends on what those before it refused, so one thread
    // draws them all; TensorFlow gives other numbers with several threads.
    for (std::int64_t b = 0; b < batches; ++b) {
      Truncated<T> batch(parameter(1, b), parameter(2, b), parameter(3, b), parameter(4, b));
      const std::int64_t first = b * per_batch;
      batch.fill(generator, out + first, std::min(per_batch, n - first));
    }
  }

 private:
  static constexpr std::int64_t kBatch = 100;
  static constexpr const char* kNames[] = {"shape", "means", "stdevs", "minvals", "maxvals"};

  std::shared_ptr<RandomResource> state_;
};

void truncated_shape(ShapeContext& c) {
  for (int i = 1; i <= 4; ++i) c.with_rank_at_most(i, 1);
  c.set_output(0, c.input_as_shape(0));
}

}  // namespace

void register_random_truncated_normal(OpRegistry& registry) {
  registry.add(
      {.name = "ParameterizedTruncatedNormal",
       .doc = "Normal numbers between bounds, with parameters for each row.",
       .inputs = {"shape: T", "means: dtype", "stdevs: dtype", "minvals: dtype", "maxvals: dtype"},
       .outputs = {"output: dtype"},
       .attrs = {"seed: int = 0", "seed2: int = 0", "dtype: {half,bfloat16,float,double}",
                 "T: {int32, int64}"},
       .effect = Effect::kState,
       .shape = truncated_shape,
       .not_differentiable = true,
       .kernel_attr = "dtype",
       .kernels = {{float32, make_kernel<ParameterizedTruncatedNormal<float>>},
                   {float64, make_kernel<ParameterizedTruncatedNormal<double>>},
                   {DType::kHalf, make_kernel<ParameterizedTruncatedNormal<Half>>}}});
}

}  // namespace assay
