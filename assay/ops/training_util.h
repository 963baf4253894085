#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "assay/device/kernel.h"
#include "assay/graph/op_registry.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/variable_util.h"

namespace assay::training {

/// The most variables (the trained one and its slots) and hyperparameters an update has.
inline constexpr int kMaxSlots = 4;
inline constexpr int kMaxHypers = 8;

/// How an update op's inputs are laid out, whatever its form: `slots` variables first, then
/// gradient, indices and hyperparameters in TensorFlow's order.
struct Layout {
  int slots = 0;
  int grad = -1;
  int indices = -1;
  std::array<int, kMaxHypers> hypers{};
  int num_hypers = 0;
};

/// Reads the layout of an op from the names of its arguments.
Layout layout_of(const OpDef& def, int slots);

/// The value of hyperparameter input `i`, a scalar of T or int64.
template <typename T>
T hyper_value(const KernelContext& ctx, int i) {
  const Tensor& t = ctx.input(i);
  if (t.num_elements() != 1) {
    invalid_argument("input {} must be a scalar, got {}", i, t.shape().str());
  }
  if (t.dtype() == DType::kInt64) return static_cast<T>(t.data<std::int64_t>()[0]);
  return t.data<T>()[0];
}

/// An update of variables by a gradient, dense or by rows. `Rule<T>` is the arithmetic:
///   static constexpr int kSlots;            variables, the trained one first
///   Rule(const T* hypers, bool option);     hyperparameters in the order of the inputs
///   void operator()(T* const* slots, const T* grad, std::int64_t n) const;
/// `option` is the op's boolean attribute (use_nesterov, update_slots), false when it has none.
template <typename T, template <typename> class Rule>
class Update : public ParallelKernel {
 public:
  explicit Update(const KernelInit& init)
      : layout_(layout_of(*init.node.def(), Rule<T>::kSlots)),
        option_(init.attr_or<bool>("use_nesterov", init.attr_or<bool>("update_slots", false))) {}

  void run_parallel(ParallelContext& ctx) override {
    std::array<Tensor*, kMaxSlots> tensors{};
    std::array<T*, kMaxSlots> slots{};
    for (int i = 0; i < Rule<T>::kSlots; ++i) {
      tensors[i] = &variable_of(ctx, i);
      slots[i] = tensors[i]->template data<T>();
      if (tensors[i]->shape() != tensors[0]->shape()) {
        invalid_argument("slot {} has shape {}, its variable {}", i, tensors[i]->shape().str(),
                         tensors[0]->shape().str());
      }
    }
    std::array<T, kMaxHypers> hypers{};
    for (int i = 0; i < layout_.num_hypers; ++i) {
      hypers[i] = hyper_value<T>(ctx, layout_.hypers[i]);
    }
    const Rule<T> rule(hypers.data(), option_);
    const Tensor& grad = ctx.input(layout_.grad);
    if (layout_.indices < 0) {
      dense(ctx, rule, slots, *tensors[0], grad);
    } else {
      sparse(rule, slots, *tensors[0], grad, ctx.input(layout_.indices));
    }
  }

 private:
  using Slots = std::array<T*, kMaxSlots>;

  static Slots moved(const Slots& slots, std::int64_t by) {
    Slots s = slots;
    for (int i = 0; i < Rule<T>::kSlots; ++i) s[i] += by;
    return s;
  }

  static void dense(ParallelContext& ctx, const Rule<T>& rule, const Slots& slots,
                    const Tensor& variable, const Tensor& grad) {
    if (grad.shape() != variable.shape()) {
      invalid_argument("the gradient has shape {}, the variable {}", grad.shape().str(),
                       variable.shape().str());
    }
    const T* g = grad.data<T>();
    constexpr std::int64_t kGrain = 32768;
    ctx.pool().parallel_for(grad.num_elements(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      rule(moved(slots, begin).data(), g + begin, end - begin);
    });
  }

  static void sparse(const Rule<T>& rule, const Slots& slots, const Tensor& variable,
                     const Tensor& grad, const Tensor& indices) {
    bool fits = indices.rank() == 1 && variable.rank() >= 1 && grad.rank() == variable.rank() &&
                grad.dim(0) == indices.dim(0);
    for (int i = 1; fits && i < grad.rank(); ++i) fits = grad.dim(i) == variable.dim(i);
    if (!fits) {
      invalid_argument("gradient {} and indices {} do not name rows of a variable of shape {}",
                       grad.shape().str(), indices.shape().str(), variable.shape().str());
    }
    const std::int64_t n = indices.num_elements();
    if (n == 0) return;
    dispatch_index(indices.dtype(), [&](auto index) {
      const auto* at = indices.data<decltype(index)>();
      check_indices(at, n, variable.dim(0));
      const std::int64_t width = variable.num_elements() / variable.dim(0);
      const T* g = grad.data<T>();
      // One after another: a row may occur twice.
      for (std::int64_t i = 0; i < n; ++i) {
        rule(moved(slots, static_cast<std::int64_t>(at[i]) * width).data(), g + i * width, width);
      }
    });
  }

  Layout layout_;
  bool option_;
};

/// The kernels of an update for the floating dtypes.
template <template <typename> class Rule>
std::vector<KernelEntry> update_kernels() {
  return {{float32, make_kernel<Update<float, Rule>>},
          {float64, make_kernel<Update<double, Rule>>}};
}

/// A family of update ops, by what follows the variables: input names, "grad" (or "delta") and
/// "indices" among them, a colon and dtype where it is not T.
struct UpdateFamily {
  std::string method;              ///< "Adagrad": ApplyAdagrad, ResourceApplyAdagrad, ...
  std::string doc;                 ///< of the dense form
  std::vector<std::string> slots;  ///< after "var"
  std::vector<std::string> dense;
  std::vector<std::string> sparse;  ///< empty: there is no sparse form
  std::string option;               ///< the op's further attribute, or empty
  std::vector<KernelEntry> kernels;
  bool references = true;  ///< false: only the resource forms exist
};

/// Adds the forms of the family: Apply*, ResourceApply*, SparseApply*, ResourceSparseApply*.
void add_updates(OpRegistry& registry, const UpdateFamily& family);

}  // namespace assay::training
