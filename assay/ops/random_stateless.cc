#include "assay/ops/random_stateless.h"

#include "assay/base/philox.h"
#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/random_fill.h"

namespace assay {

namespace random {

Philox generator_of_seeds(const Tensor& seed) {
  if (seed.rank() != 1 || seed.dim(0) != 2) {
    invalid_argument("seed must be a vector of 2 integers, got {}", seed.shape().str());
  }
  const auto word = [&](int i) {
    return static_cast<std::uint64_t>(seed.dtype() == DType::kInt32 ? seed.data<std::int32_t>()[i]
                                                                    : seed.data<std::int64_t>()[i]);
  };
  const std::uint64_t a = word(0);
  const std::uint64_t b = word(1);
  const Philox::Block counter = {static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(a >> 32),
                                 static_cast<std::uint32_t>(b),
                                 static_cast<std::uint32_t>(b >> 32)};
  const Philox::Block mixed = Philox(counter, Philox::Key{0x3ec8f720, 0x02461e29})();
  return Philox(Philox::Block{0, 0, mixed[2], mixed[3]}, Philox::Key{mixed[0], mixed[1]});
}

}  // namespace random

namespace {

template <typename T, typename Distribution>
void stateless_fill(ParallelContext& ctx) {
  const Shape shape = random::shape_of(ctx.input(0));
  const Philox base = random::generator_of_seeds(ctx.input(1));
  T* out = ctx.out<T>(0, shape);
  ctx.pool().parallel_for(shape.num_elements(), random::kGrain,
                          [&](std::int64_t begin, std::int64_t end) {
                            Distribution::fill(base, begin, out + begin, end - begin);
                          });
}

template <typename T>
void stateless_uniform_int(ParallelContext& ctx) {
  const Shape shape = random::shape_of(ctx.input(0));
  const Philox base = random::generator_of_seeds(ctx.input(1));
  if (ctx.input(2).rank() != 0 || ctx.input(3).rank() != 0) {
    invalid_argument("minval and maxval must be scalars, got {} and {}", ctx.input(2).shape().str(),
                     ctx.input(3).shape().str());
  }
  T* out = ctx.out<T>(0, shape);
  if (shape.num_elements() == 0) return;
  const T low = ctx.in<T>(2)[0];
  const T high = ctx.in<T>(3)[0];
  if (low >= high) invalid_argument("minval must be less than maxval, got {} and {}", low, high);
  ctx.pool().parallel_for(shape.num_elements(), random::kGrain,
                          [&](std::int64_t begin, std::int64_t end) {
                            fill_uniform(base, begin, out + begin, end - begin, low, high);
                          });
}

void stateless_shape(ShapeContext& c) {
  const PartialShape seed = c.with_rank(1, 1);
  if (!merge_dims(seed[0], 2)) c.mismatch("two seeds expected: {}", c.describe_input(1));
  for (int i = 2; i < c.num_inputs(); ++i) c.with_rank(i, 0);
  c.set_output(0, c.input_as_shape(0));
}

template <typename Distribution>
OpSpec stateless_spec(std::string name, std::string doc) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"shape: T", "seed: Tseed"},
          .outputs = {"output: dtype"},
          .attrs = {"dtype: {half,bfloat16,float,double} = DT_FLOAT",
                    "T: {int32, int64} = DT_INT32", "Tseed: {int32, int64} = DT_INT64"},
          .shape = stateless_shape,
          .not_differentiable = true,
          .kernel_attr = "dtype",
          .kernels = {{float32, function_kernel<stateless_fill<float, Distribution>>},
                      {float64, function_kernel<stateless_fill<double, Distribution>>},
                      {DType::kHalf, function_kernel<stateless_fill<Half, Distribution>>},
                      {DType::kBFloat16, function_kernel<stateless_fill<BFloat16, Distribution>>}},
          .threads = Threads::kPieces};
}

}  // namespace

void register_random_stateless(OpRegistry& registry) {
  registry.add(stateless_spec<random::Uniform>("StatelessRandomUniform",
                                               "Uniform numbers in [0, 1), by two seeds alone."));
  registry.add(stateless_spec<random::Normal>("StatelessRandomNormal",
                                              "Standard normal numbers, by two seeds alone."));
  registry.add(stateless_spec<random::Truncated>(
      "StatelessTruncatedNormal",
      "Standard normal numbers of magnitude below 2, by two seeds alone."));
  registry.add(
      {.name = "StatelessRandomUniformInt",
       .doc = "Uniform integers in [minval, maxval), by two seeds alone.",
       .inputs = {"shape: T", "seed: Tseed", "minval: dtype", "maxval: dtype"},
       .outputs = {"output: dtype"},
       .attrs = {"dtype: {int32, int64}", "T: {int32, int64}", "Tseed: {int32, int64} = DT_INT64"},
       .shape = stateless_shape,
       .not_differentiable = true,
       .kernel_attr = "dtype",
       .kernels = {{int32, function_kernel<stateless_uniform_int<std::int32_t>>},
                   {int64, function_kernel<stateless_uniform_int<std::int64_t>>}},
       .threads = Threads::kPieces});
}

}  // namespace assay
