#include <cmath>

#include "assay/ops/manifest.h"
#include "assay/ops/training_util.h"

namespace assay {
namespace {

using training::add_updates;
using training::update_kernels;

template <typename T>
struct GradientDescent {
  static constexpr int kSlots = 1;
  T alpha;
  GradientDescent(const T* h, bool) : alpha(h[0]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    for (std::int64_t i = 0; i < n; ++i) var[i] -= g[i] * alpha;
  }
};

template <typename T>
struct Momentum {
  static constexpr int kSlots = 2;
  T lr, momentum;
  bool nesterov;
  Momentum(const T* h, bool option) : lr(h[0]), momentum(h[1]), nesterov(option) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict accum = s[1];
    if (nesterov) {
      for (std::int64_t i = 0; i < n; ++i) {
        accum[i] = accum[i] * momentum + g[i];
        var[i] -= g[i] * lr + accum[i] * momentum * lr;
      }
    } else {
      for (std::int64_t i = 0; i < n; ++i) {
        accum[i] = accum[i] * momentum + g[i];
        var[i] -= accum[i] * lr;
      }
    }
  }
};

/// Keras keeps the learning rate inside the accumulator.
template <typename T>
struct KerasMomentum {
  static constexpr int kSlots = 2;
  T lr, momentum;
  bool nesterov;
  KerasMomentum(const T* h, bool option) : lr(h[0]), momentum(h[1]), nesterov(option) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict accum = s[1];
    if (nesterov) {
      for (std::int64_t i = 0; i < n; ++i) {
        accum[i] = accum[i] * momentum - g[i] * lr;
        var[i] += accum[i] * momentum - g[i] * lr;
      }
    } else {
      for (std::int64_t i = 0; i < n; ++i) {
        accum[i] = accum[i] * momentum - g[i] * lr;
        var[i] += accum[i];
      }
    }
  }
};

template <typename T>
struct Adagrad {
  static constexpr int kSlots = 2;
  T lr;
  bool update_slots;
  Adagrad(const T* h, bool option) : lr(h[0]), update_slots(option) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict accum = s[1];
    if (update_slots) {
      for (std::int64_t i = 0; i < n; ++i) accum[i] += g[i] * g[i];
    }
    for (std::int64_t i = 0; i < n; ++i) var[i] -= g[i] * lr / std::sqrt(accum[i]);
  }
};

template <typename T>
struct AdagradV2 {
  static constexpr int kSlots = 2;
  T lr, epsilon;
  bool update_slots;
  AdagradV2(const T* h, bool option) : lr(h[0]), epsilon(h[1]), update_slots(option) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict accum = s[1];
    if (update_slots) {
      for (std::int64_t i = 0; i < n; ++i) accum[i] += g[i] * g[i];
    }
    for (std::int64_t i = 0; i < n; ++i) var[i] -= g[i] * lr / (std::sqrt(accum[i]) + epsilon);
  }
};

/// Kingma and Ba, "Adam: a method for stochastic optimization", in the form of section 2's end:
/// the bias corrections go into the step size.
template <typename T>
struct Adam {
  static constexpr int kSlots = 3;
  T alpha, beta1, beta2, epsilon;
  bool nesterov;
  Adam(const T* h, bool option)
      : alpha(h[2] * std::sqrt(T(1) - h[1]) / (T(1) - h[0])),
        beta1(h[3]),
        beta2(h[4]),
        epsilon(h[5]),
        nesterov(option) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict m = s[1];
    T* __restrict v = s[2];
    const T rest1 = T(1) - beta1;
    const T rest2 = T(1) - beta2;
    if (nesterov) {
      for (std::int64_t i = 0; i < n; ++i) {
        m[i] += (g[i] - m[i]) * rest1;
        v[i] += (g[i] * g[i] - v[i]) * rest2;
        var[i] -= ((g[i] * rest1 + beta1 * m[i]) * alpha) / (std::sqrt(v[i]) + epsilon);
      }
    } else {
      for (std::int64_t i = 0; i < n; ++i) {
        m[i] += (g[i] - m[i]) * rest1;
        v[i] += (g[i] * g[i] - v[i]) * rest2;
        var[i] -= (m[i] * alpha) / (std::sqrt(v[i]) + epsilon);
      }
    }
  }
};

template <typename T>
struct RmsProp {
  static constexpr int kSlots = 3;
  T lr, rho, momentum, epsilon;
  RmsProp(const T* h, bool) : lr(h[0]), rho(h[1]), momentum(h[2]), epsilon(h[3]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict ms = s[1];
    T* __restrict mom = s[2];
    for (std::int64_t i = 0; i < n; ++i) {
      ms[i] += (g[i] * g[i] - ms[i]) * (T(1) - rho);
      mom[i] = mom[i] * momentum + (g[i] * lr) / std::sqrt(ms[i] + epsilon);
      var[i] -= mom[i];
    }
  }
};

template <typename T>
struct CenteredRmsProp {
  static constexpr int kSlots = 4;
  T lr, rho, momentum, epsilon;
  CenteredRmsProp(const T* h, bool) : lr(h[0]), rho(h[1]), momentum(h[2]), epsilon(h[3]) {}
  void operator()(T* const* s, const T* __restrict g, std::int64_t n) const {
    T* __restrict var = s[0];
    T* __restrict mg = s[1];
    T* __restrict ms = s[2];
    T* __restrict mom = s[3];
    for (std::int64_t i = 0; i < n; ++i) {
      ms[i] += (g[i] * g[i] - ms[i]) * (T(1) - rho);
      mg[i] += (g[i] - mg[i]) * (T(1) - rho);
      mom[i] = mom[i] * momentum + (g[i] * lr) / std::sqrt((ms[i] - mg[i] * mg[i]) + epsilon);
      var[i] -= mom[i];
    }
  }
};

}  // namespace

void register_training_apply(OpRegistry& registry) {
  const std::string nesterov = "use_nesterov: bool = false";
  const std::string update_slots = "update_slots: bool = true";
  add_updates(registry, {.method = "GradientDescent",
                         .doc = "A step of gradient descent: var -= alpha * delta.",
                         .dense = {"alpha", "delta"},
                         .kernels = update_kernels<GradientDescent>()});
  add_updates(registry, {.method = "Momentum",
                         .doc = "A step of gradient descent with momentum.",
                         .slots = {"accum"},
                         .dense = {"lr", "grad", "momentum"},
                         .sparse = {"lr", "grad", "indices", "momentum"},
                         .option = nesterov,
                         .kernels = update_kernels<Momentum>()});
  add_updates(registry, {.method = "KerasMomentum",
                         .doc = "A step of gradient descent with momentum, in Keras' form.",
                         .slots = {"accum"},
                         .dense = {"lr", "grad", "momentum"},
                         .sparse = {"lr", "grad", "indices", "momentum"},
                         .option = nesterov,
                         .kernels = update_kernels<KerasMomentum>(),
                         .references = false});
  add_updates(registry, {.method = "Adagrad",
                         .doc = "A step of Adagrad (Duchi and others, 2011).",
                         .slots = {"accum"},
                         .dense = {"lr", "grad"},
                         .sparse = {"lr", "grad", "indices"},
                         .option = update_slots,
                         .kernels = update_kernels<Adagrad>()});
  add_updates(registry, {.method = "AdagradV2",
                         .doc = "A step of Adagrad with an epsilon.",
                         .slots = {"accum"},
                         .dense = {"lr", "epsilon", "grad"},
                         .sparse = {"lr", "epsilon", "grad", "indices"},
                         .option = update_slots,
                         .kernels = update_kernels<AdagradV2>()});
  add_updates(registry,
              {.method = "Adam",
               .doc = "A step of Adam (Kingma and Ba, 2014).",
               .slots = {"m", "v"},
               .dense = {"beta1_power", "beta2_power", "lr", "beta1", "beta2", "epsilon", "grad"},
               .option = nesterov,
               .kernels = update_kernels<Adam>()});
  add_updates(registry, {.method = "RMSProp",
                         .doc = "A step of RMSProp.",
                         .slots = {"ms", "mom"},
                         .dense = {"lr", "rho", "momentum", "epsilon", "grad"},
                         .sparse = {"lr", "rho", "momentum", "epsilon", "grad", "indices"},
                         .kernels = update_kernels<RmsProp>()});
  add_updates(registry, {.method = "CenteredRMSProp",
                         .doc = "A step of RMSProp by the centred second moment.",
                         .slots = {"mg", "ms", "mom"},
                         .dense = {"lr", "rho", "momentum", "epsilon", "grad"},
                         .sparse = {"lr", "rho", "momentum", "epsilon", "grad", "indices"},
                         .kernels = update_kernels<CenteredRmsProp>()});
}

}  // namespace assay
