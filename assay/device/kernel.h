#pragma once

#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "assay/base/thread_pool.h"
#include "assay/device/resource_store.h"
#include "assay/graph/node.h"
#include "assay/tensor/tensor.h"

namespace assay {

/// What a kernel is made from, once per program.
struct KernelInit {
  const Node& node;
  /// As exact as the compiler knows them.
  std::span<const PartialShape> input_shapes;
  /// Values of inputs known before running, null otherwise; as many as inputs.
  std::span<const Tensor* const> input_values;
  /// The session's state.
  ResourceStore* resources = nullptr;

  template <typename T>
  T attr(std::string_view name) const {
    return node.attr<T>(name);
  }
  template <typename T>
  T attr_or(std::string_view name, T fallback) const {
    return node.attr_or<T>(name, std::move(fallback));
  }
};

/// What a kernel may do for an output.
enum class OutputPlace : unsigned char {
  kShared,   ///< set_output() may hand an input's memory on
  kPlanned,  ///< memory is there already
  kOwned,    ///< set_output() copies: the output outlives what it is made from
};

/// What a running kernel sees: inputs and outputs. One per step and run; made as ParallelContext.
class KernelContext {
 public:
  KernelContext(const KernelContext&) = delete;
  KernelContext& operator=(const KernelContext&) = delete;

  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  /// Input `i`; for a ref input the variable's value now.
  const Tensor& input(int i) const { return *inputs_[static_cast<std::size_t>(i)]; }
  template <typename T>
  const T* in(int i) const {
    return input(i).data<T>();
  }
  /// The variable that ref input `i` names, to be changed. Undefined while not initialised.
  Tensor& ref_input(int i) const { return *inputs_[static_cast<std::size_t>(i)]; }
  /// The resource that input `i`, a kResource scalar, names; throws InvalidArgument when it is
  /// of another type.
  template <typename T>
  T& resource(int i) const {
    auto* r = dynamic_cast<T*>(input(i).data<ResourceHandle>()->resource.get());
    if (r == nullptr) invalid_argument("input {} names a resource of another type", i);
    return *r;
  }

  int num_outputs() const { return static_cast<int>(outputs_.size()); }
  /// Memory for output `i` with this shape: the planned place when the compiler knew the shape
  /// (it must be this one), else new memory. Call once for each output; not for ref outputs.
  Tensor& output(int i, const Shape& shape);
  template <typename T>
  T* out(int i, const Shape& shape) {
    return output(i, shape).data<T>();
  }
  /// Makes output `i` share `value`'s memory where it may, else copies.
  void set_output(int i, const Tensor& value);

 protected:
  KernelContext(std::span<Tensor* const> inputs, std::span<Tensor* const> outputs,
                std::span<const OutputPlace> places)
      : inputs_(inputs), outputs_(outputs), places_(places) {}
  ~KernelContext() = default;

 private:
  std::span<Tensor* const> inputs_;
  std::span<Tensor* const> outputs_;
  std::span<const OutputPlace> places_;
};

/// What a kernel sees that shares its work among threads; its op says how (OpSpec::threads).
class ParallelContext final : public KernelContext {
 public:
  ParallelContext(std::span<Tensor* const> inputs, std::span<Tensor* const> outputs,
                  std::span<const OutputPlace> places, ThreadPool& pool)
      : KernelContext(inputs, outputs, places), pool_(pool) {}

  ThreadPool& pool() const { return pool_; }

 private:
  ThreadPool& pool_;
};

/// The code of one node in one program. Holds attributes and prepared primitives; keeps no data
/// between runs but through KernelInit::resources. `run` may be called by several threads at once
/// unless the op has an effect: members written by `run` need their own protection.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// Throws Error; the executor adds the node and its place.
  virtual void run(KernelContext& ctx) = 0;
};

/// A kernel that shares its work among threads. The threads are out of other kernels' reach, so
/// that an op whose result their number could change cannot be registered unnoticed.
class ParallelKernel : public Kernel {
 public:
  // Every context is a ParallelContext.
  void run(KernelContext& ctx) final { run_parallel(static_cast<ParallelContext&>(ctx)); }
  /// As Kernel::run.
  virtual void run_parallel(ParallelContext& ctx) = 0;
};

/// `make_kernel<MatMul<float>>`: the factory of a Kernel class built from KernelInit.
template <typename K>
inline constexpr KernelFactory make_kernel{
    .make = [](const KernelInit& init) -> std::unique_ptr<Kernel> {
      return std::make_unique<K>(init);
    },
    .uses_threads = std::is_base_of_v<ParallelKernel, K>};

/// `chosen_kernel<make_arg_max>`: the factory of whichever kernel a function chooses by the node;
/// counted as one that shares its work, since some of them may.
template <std::unique_ptr<Kernel> (*Make)(const KernelInit&)>
inline constexpr KernelFactory chosen_kernel{.make = Make, .uses_threads = true};

namespace internal {

template <auto Run>
struct FunctionKernel;
template <void (*Run)(KernelContext&)>
struct FunctionKernel<Run> : Kernel {
  explicit FunctionKernel(const KernelInit&) {}
  void run(KernelContext& ctx) override { Run(ctx); }
};
template <void (*Run)(ParallelContext&)>
struct FunctionKernel<Run> : ParallelKernel {
  explicit FunctionKernel(const KernelInit&) {}
  void run_parallel(ParallelContext& ctx) override { Run(ctx); }
};

}  // namespace internal

/// `function_kernel<run_shape>`: the factory of a kernel without attributes or state, from a
/// function of a KernelContext or a ParallelContext.
template <auto Run>
inline constexpr KernelFactory function_kernel = make_kernel<internal::FunctionKernel<Run>>;

}  // namespace assay
