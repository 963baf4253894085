#include <algorithm>

#include "assay/base/philox.h"
#include "assay/device/kernel.h"
#include "assay/device/random_state.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/random_fill.h"

namespace assay {

namespace random {

void samples_shape(ShapeContext& c) {
  const PartialShape samples = c.input_as_shape(0);
  const PartialShape& parameters = c.input(1);
  if (!samples.has_rank() || !parameters.has_rank()) {
    return c.set_output(0, PartialShape::unknown());
  }
  std::vector<std::int64_t> dims = samples.dims();
  dims.insert(dims.end(), parameters.dims().begin(), parameters.dims().end());
  c.set_output(0, PartialShape(std::move(dims)));
}

}  // namespace random

namespace {

using random::kGrain;
using random::Normal;
using random::shape_of;
using random::Truncated;
using random::Uniform;

template <typename T, typename Distribution>
class RandomFill : public ParallelKernel {
 public:
  explicit RandomFill(const KernelInit& init) : state_(random_state(init)) {}
  void run_parallel(ParallelContext& ctx) override {
    const Shape shape = shape_of(ctx.input(0));
    T* out = ctx.out<T>(0, shape);
    const std::int64_t n = shape.num_elements();
    const Philox base = state_->philox().reserve_outputs(n);
    ctx.pool().parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
      Distribution::fill(base, begin, out + begin, end - begin);
    });
  }

 private:
  std::shared_ptr<RandomResource> state_;
};

template <typename T>
class RandomUniformInt : public ParallelKernel {
 public:
  explicit RandomUniformInt(const KernelInit& init) : state_(random_state(init)) {}
  void run_parallel(ParallelContext& ctx) override {
    const Shape shape = shape_of(ctx.input(0));
    for (const int i : {1, 2}) {
      if (ctx.input(i).rank() != 0) {
        invalid_argument("{} must be a scalar, got {}", i == 1 ? "minval" : "maxval",
                         ctx.input(i).shape().str());
      }
    }
    T* out = ctx.out<T>(0, shape);
    const std::int64_t n = shape.num_elements();
    if (n == 0) return;
    const T low = ctx.in<T>(1)[0];
    const T high = ctx.in<T>(2)[0];
    if (low >= high) invalid_argument("minval must be less than maxval, got {} and {}", low, high);
    const Philox base = state_->philox().reserve_outputs(n);
    ctx.pool().parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
      fill_uniform(base, begin, out + begin, end - begin, low, high);
    });
  }

 private:
  std::shared_ptr<RandomResource> state_;
};

/// Copies rows, or single elements, in the order of `from`.
template <typename T>
void permute(const Tensor& value, Tensor& out, const std::vector<std::int64_t>& from) {
  const auto rows = static_cast<std::int64_t>(from.size());
  const std::int64_t width = value.num_elements() / rows;
  const auto* x = static_cast<const T*>(value.raw());
  auto* y = static_cast<T*>(out.raw());
  for (std::int64_t i = 0; i < rows; ++i) {
    std::copy_n(x + from[static_cast<std::size_t>(i)] * width, width, y + i * width);
  }
}

class RandomShuffle : public Kernel {
 public:
  explicit RandomShuffle(const KernelInit& init) : state_(random_state(init)) {}
  void run(KernelContext& ctx) override {
    const Tensor& value = ctx.input(0);
    Tensor& out = ctx.output(0, value.shape());
    if (value.num_elements() <= 1 || value.dim(0) <= 1) {
      if (value.num_elements() > 0) copy_elements(value, out);
      return;
    }
    const std::int64_t n = value.dim(0);
    order_.resize(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) order_[static_cast<std::size_t>(i)] = i;
    PhiloxStream words(state_->philox().reserve_words(n - 1));
    for (std::int64_t i = 0; i + 1 < n; ++i) {
      const auto left = static_cast<std::uint32_t>(n - i);
      std::swap(order_[static_cast<std::size_t>(i)],
                order_[static_cast<std::size_t>(i + words.next32() % left)]);
    }
    if (value.dtype() == DType::kString) {
      permute<std::string>(value, out, order_);
      return;
    }
    switch (dtype_size(value.dtype())) {
      case 1:
        permute<std::uint8_t>(value, out, order_);
        break;
      case 2:
        permute<std::uint16_t>(value, out, order_);
        break;
      case 4:
        permute<std::uint32_t>(value, out, order_);
        break;
      case 8:
        permute<std::uint64_t>(value, out, order_);
        break;
      case 16:
        permute<std::complex<double>>(value, out, order_);
        break;
      default:
        fail(Code::kUnimplemented, "{} cannot be shuffled", dtype_name(value.dtype()));
    }
  }

 private:
  std::shared_ptr<RandomResource> state_;
  std::vector<std::int64_t> order_;  // kept between runs: a node with state runs alone
};

void random_shape(ShapeContext& c) {
  c.set_output(0, c.input_as_shape(0));
}

void uniform_int_shape(ShapeContext& c) {
  c.with_rank(1, 0);
  c.with_rank(2, 0);
  c.set_output(0, c.input_as_shape(0));
}

template <typename Distribution>
OpSpec fill_spec(std::string name, std::string doc) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"shape: T"},
          .outputs = {"output: dtype"},
          .attrs = {"seed: int = 0", "seed2: int = 0", "dtype: {half,bfloat16,float,double}",
                    "T: {int32, int64}"},
          .effect = Effect::kState,
          .shape = random_shape,
          .not_differentiable = true,
          .kernel_attr = "dtype",
          .kernels = {{float32, make_kernel<RandomFill<float, Distribution>>},
                      {float64, make_kernel<RandomFill<double, Distribution>>},
                      {DType::kHalf, make_kernel<RandomFill<Half, Distribution>>},
                      {DType::kBFloat16, make_kernel<RandomFill<BFloat16, Distribution>>}},
          .threads = Threads::kPieces,
          .blocks_a_value = 256};
}

}  // namespace

void register_random(OpRegistry& registry) {
  registry.add(fill_spec<Uniform>("RandomUniform", "Uniform numbers in [0, 1)."));
  registry.add(fill_spec<Normal>("RandomStandardNormal", "Standard normal numbers."));
  registry.add(fill_spec<Truncated>("TruncatedNormal",
                                    "Standard normal numbers, drawn again from magnitude 2 on."));
  registry.add(
      {.name = "RandomUniformInt",
       .doc = "Uniform integers in [minval, maxval).",
       .inputs = {"shape: T", "minval: Tout", "maxval: Tout"},
       .outputs = {"output: Tout"},
       .attrs = {"seed: int = 0", "seed2: int = 0", "Tout: {int32, int64}", "T: {int32, int64}"},
       .effect = Effect::kState,
       .shape = uniform_int_shape,
       .not_differentiable = true,
       .kernel_attr = "Tout",
       .kernels = {{int32, make_kernel<RandomUniformInt<std::int32_t>>},
                   {int64, make_kernel<RandomUniformInt<std::int64_t>>}},
       .threads = Threads::kPieces,
       .blocks_a_value = 256});
  registry.add({.name = "RandomShuffle",
                .doc = "The rows of a tensor in a random order.",
                .inputs = {"value: T"},
                .outputs = {"output: T"},
                .attrs = {"seed: int = 0", "seed2: int = 0", "T: type"},
                .effect = Effect::kState,
                .shape = shapes::unchanged,
                .not_differentiable = true,
                .kernels = {{DType::kInvalid, make_kernel<RandomShuffle>}}});
}

}  // namespace assay
