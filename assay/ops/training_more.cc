#include <cmath>

#include "assay/ops/manifest.h"
#include "assay/ops/training_util.h"

namespace assay {
namespace {

using training::add_updates;
using training::update_kernels;

template <typename T>
T sign(T x) {
  return static_cast<T>((x > T(0)) - (x < T(0)));
}

/// Moves x towards 0 by `by`, not beyond.
template <typename T>
T shrink(T x, T by) {
  const T left = std::abs(x) - by;
  return sign(x) * (left > T(0) ? left : T(0));
}

/// Zeiler, "ADADELTA: an adaptive learning rate method".
template <typename T>
struct Adadelta {
  static constexpr int kSlots = 3;
  T lr, rho, epsilon;
  Adadelta(const T* h, bool) : lr(h[0]), rho(h[1]), epsilon(h[2]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict accum = s[1];
    T* __restrict accum_update = s[2];
    for (std::int64_t i = 0; i < n; ++i) {
      accum[i] = accum[i] * rho + g[i] * g[i] * (T(1) - rho);
      const T update =
          std::sqrt(accum_update[i] + epsilon) * (T(1) / std::sqrt(accum[i] + epsilon)) * g[i];
      var[i] -= update * lr;
      accum_update[i] = accum_update[i] * rho + update * update * (T(1) - rho);
    }
  }
};

/// McMahan and others, "Ad click prediction: a view from the trenches" (FTRL-proximal).
template <typename T>
void ftrl(T* const* s, const T* g, std::int64_t n, T lr, T l1, T l2, T shrinkage, T lr_power) {
  T* var = s[0];
  T* accum = s[1];
  T* linear = s[2];
  const bool root = lr_power == T(-0.5);
  const auto power = [&](T x) { return root ? std::sqrt(x) : std::pow(x, -lr_power); };
  for (std::int64_t i = 0; i < n; ++i) {
    const T with_shrinkage = g[i] + T(2) * shrinkage * var[i];
    const T next = accum[i] + g[i] * g[i];
    const T next_power = power(next);
    linear[i] += with_shrinkage - (next_power - power(accum[i])) / lr * var[i];
    const T quadratic = next_power / lr + T(2) * l2;
    const bool beyond = std::abs(linear[i]) > l1;
    var[i] = beyond ? (l1 * sign(linear[i]) - linear[i]) / quadratic : T(0);
    accum[i] = next;
  }
}

template <typename T>
struct Ftrl {
  static constexpr int kSlots = 3;
  T lr, l1, l2, lr_power;
  Ftrl(const T* h, bool) : lr(h[0]), l1(h[1]), l2(h[2]), lr_power(h[3]) {}
  void operator()(T* const* s, const T* g, std::int64_t n) const {
    ftrl(s, g, n, lr, l1, l2, T(0), lr_power);
  }
};

template <typename T>
struct FtrlV2 {
  static constexpr int kSlots = 3;
  T lr, l1, l2, shrinkage, lr_power;
  FtrlV2(const T* h, bool) : lr(h[0]), l1(h[1]), l2(h[2]), shrinkage(h[3]), lr_power(h[4]) {}
  void operator()(T* const* s, const T* g, std::int64_t n) const {
    ftrl(s, g, n, lr, l1, l2, shrinkage, lr_power);
  }
};

/// Duchi and Singer, "Efficient learning using forward-backward splitting" (FOBOS).
template <typename T>
struct ProximalGradientDescent {
  static constexpr int kSlots = 1;
  T alpha, l1, l2;
  ProximalGradientDescent(const T* h, bool) : alpha(h[0]), l1(h[1]), l2(h[2]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    const T by = l1 > T(0) ? alpha * l1 : T(0);
    for (std::int64_t i = 0; i < n; ++i) {
      const T moved = var[i] - g[i] * alpha;
      var[i] = (l1 > T(0) ? shrink(moved, by) : moved) / (T(1) + l2 * alpha);
    }
  }
};

template <typename T>
struct ProximalAdagrad {
  static constexpr int kSlots = 2;
  T lr, l1, l2;
  ProximalAdagrad(const T* h, bool) : lr(h[0]), l1(h[1]), l2(h[2]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict accum = s[1];
    for (std::int64_t i = 0; i < n; ++i) {
      accum[i] += g[i] * g[i];
      const T rate = lr / std::sqrt(accum[i]);
      const T moved = var[i] - g[i] * rate;
      var[i] = (l1 > T(0) ? shrink(moved, rate * l1) : moved) / (T(1) + l2 * rate);
    }
  }
};

/// Adagrad by dual averaging: the variable follows from the sums of gradients alone.
template <typename T>
struct AdagradDa {
  static constexpr int kSlots = 3;
  T lr, l1, l2, step;
  AdagradDa(const T* h, bool) : lr(h[0]), l1(h[1]), l2(h[2]), step(h[3]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict sum = s[1];
    T* __restrict squares = s[2];
    for (std::int64_t i = 0; i < n; ++i) {
      sum[i] += g[i];
      squares[i] += g[i] * g[i];
      const T gradient = l1 > T(0) ? shrink(sum[i], step * l1) : sum[i];
      var[i] = -lr * gradient / (l2 * (step * lr) + std::sqrt(squares[i]));
    }
  }
};

template <typename T>
struct AdamWithAmsgrad {
  static constexpr int kSlots = 4;
  T alpha, beta1, beta2, epsilon;
  AdamWithAmsgrad(const T* h, bool)
      : alpha(h[2] * std::sqrt(T(1) - h[1]) / (T(1) - h[0])),
        beta1(h[3]),
        beta2(h[4]),
        epsilon(h[5]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict m = s[1];
    T* __restrict v = s[2];
    T* __restrict largest = s[3];
    for (std::int64_t i = 0; i < n; ++i) {
      m[i] += (g[i] - m[i]) * (T(1) - beta1);
      v[i] += (g[i] * g[i] - v[i]) * (T(1) - beta2);
      largest[i] = v[i] > largest[i] ? v[i] : largest[i];
      var[i] -= (m[i] * alpha) / (std::sqrt(largest[i]) + epsilon);
    }
  }
};

template <typename T>
struct AdaMax {
  static constexpr int kSlots = 3;
  T rate, beta1, beta2, epsilon;
  AdaMax(const T* h, bool) : rate(h[1] / (T(1) - h[0])), beta1(h[2]), beta2(h[3]), epsilon(h[4]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict m = s[1];
    T* __restrict v = s[2];
    for (std::int64_t i = 0; i < n; ++i) {
      m[i] += (g[i] - m[i]) * (T(1) - beta1);
      const T decayed = beta2 * v[i];
      v[i] = decayed > std::abs(g[i]) ? decayed : std::abs(g[i]);
      var[i] -= rate * (m[i] / (v[i] + epsilon));
    }
  }
};

/// Bello and others, "Neural optimizer search with reinforcement learning".
template <typename T>
struct AddSign {
  static constexpr int kSlots = 2;
  T lr, alpha, decay, beta;
  AddSign(const T* h, bool) : lr(h[0]), alpha(h[1]), decay(h[2]), beta(h[3]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict m = s[1];
    for (std::int64_t i = 0; i < n; ++i) {
      m[i] = m[i] * beta + g[i] * (T(1) - beta);
      var[i] -= lr * (alpha + decay * (sign(g[i]) * sign(m[i]))) * g[i];
    }
  }
};

template <typename T>
struct PowerSign {
  static constexpr int kSlots = 2;
  T lr, log_base, decay, beta;
  PowerSign(const T* h, bool) : lr(h[0]), log_base(h[1]), decay(h[2]), beta(h[3]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict m = s[1];
    for (std::int64_t i = 0; i < n; ++i) {
      m[i] = m[i] * beta + g[i] * (T(1) - beta);
      var[i] -= lr * std::exp(log_base * decay * (sign(g[i]) * sign(m[i]))) * g[i];
    }
  }
};

void register_proximal(OpRegistry& registry) {
  add_updates(registry, {.method = "ProximalGradientDescent",
                         .doc = "A step of gradient descent, then towards 0 by l1 and l2.",
                         .dense = {"alpha", "l1", "l2", "delta"},
                         .sparse = {"alpha", "l1", "l2", "grad", "indices"},
                         .kernels = update_kernels<ProximalGradientDescent>()});
  add_updates(registry, {.method = "ProximalAdagrad",
                         .doc = "A step of Adagrad, then towards 0 by l1 and l2.",
                         .slots = {"accum"},
                         .dense = {"lr", "l1", "l2", "grad"},
                         .sparse = {"lr", "l1", "l2", "grad", "indices"},
                         .kernels = update_kernels<ProximalAdagrad>()});
  add_updates(registry, {.method = "AdagradDA",
                         .doc = "A step of Adagrad by dual averaging.",
                         .slots = {"gradient_accumulator", "gradient_squared_accumulator"},
                         .dense = {"grad", "lr", "l1", "l2", "global_step: int64"},
                         .sparse = {"grad", "indices", "lr", "l1", "l2", "global_step: int64"},
                         .kernels = update_kernels<AdagradDa>()});
  add_updates(registry, {.method = "Ftrl",
                         .doc = "A step of FTRL-proximal (McMahan and others, 2013).",
                         .slots = {"accum", "linear"},
                         .dense = {"grad", "lr", "l1", "l2", "lr_power"},
                         .sparse = {"grad", "indices", "lr", "l1", "l2", "lr_power"},
                         .kernels = update_kernels<Ftrl>()});
  add_updates(registry,
              {.method = "FtrlV2",
               .doc = "A step of FTRL-proximal with a shrinkage of the variable.",
               .slots = {"accum", "linear"},
               .dense = {"grad", "lr", "l1", "l2", "l2_shrinkage", "lr_power"},
               .sparse = {"grad", "indices", "lr", "l1", "l2", "l2_shrinkage", "lr_power"},
               .kernels = update_kernels<FtrlV2>()});
}

}  // namespace

void register_training_more(OpRegistry& registry) {
  register_proximal(registry);
  add_updates(registry, {.method = "Adadelta",
                         .doc = "A step of Adadelta (Zeiler, 2012).",
                         .slots = {"accum", "accum_update"},
                         .dense = {"lr", "rho", "epsilon", "grad"},
                         .sparse = {"lr", "rho", "epsilon", "grad", "indices"},
                         .kernels = update_kernels<Adadelta>()});
  add_updates(registry,
              {.method = "AdamWithAmsgrad",
               .doc = "A step of Adam with the largest second moment so far.",
               .slots = {"m", "v", "vhat"},
               .dense = {"beta1_power", "beta2_power", "lr", "beta1", "beta2", "epsilon", "grad"},
               .kernels = update_kernels<AdamWithAmsgrad>(),
               .references = false});
  add_updates(registry, {.method = "AdaMax",
                         .doc = "A step of AdaMax, Adam by the infinity norm.",
                         .slots = {"m", "v"},
                         .dense = {"beta1_power", "lr", "beta1", "beta2", "epsilon", "grad"},
                         .kernels = update_kernels<AdaMax>()});
  add_updates(registry, {.method = "AddSign",
                         .doc = "A step scaled up where gradient and momentum agree in sign.",
                         .slots = {"m"},
                         .dense = {"lr", "alpha", "sign_decay", "beta", "grad"},
                         .kernels = update_kernels<AddSign>()});
  add_updates(registry, {.method = "PowerSign",
                         .doc = "A step scaled by a power of the signs of gradient and momentum.",
                         .slots = {"m"},
                         .dense = {"lr", "logbase", "sign_decay", "beta", "grad"},
                         .kernels = update_kernels<PowerSign>()});
}

}  // namespace assay
