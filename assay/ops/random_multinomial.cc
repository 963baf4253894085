// Class numbers drawn by the softmax of rows of logits.
#include <algorithm>
#include <cmath>
#include <limits>

#include "assay/base/philox.h"
#include "assay/device/kernel.h"
#include "assay/device/random_state.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/random_stateless.h"

namespace assay {
namespace {

double as_double(Half x) {
  return static_cast<double>(static_cast<float>(x));
}
double as_double(float x) {
  return x;
}
double as_double(double x) {
  return x;
}

/// The sums up to each class of the row's probabilities, times a constant; returns the whole sum.
/// Classes whose logit is not finite have none.
template <typename T>
double cumulate(const T* row, std::int64_t n, double* sums) {
  const auto finite = [](T x) { return std::isfinite(as_double(x)); };
  double max = std::numeric_limits<double>::lowest();
  for (std::int64_t j = 0; j < n; ++j) {
    if (finite(row[j])) max = std::max(max, as_double(row[j]));
  }
  double total = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    if (finite(row[j])) total += std::exp(as_double(row[j]) - max);
    sums[j] = total;
  }
  return total;
}

struct Draw {
  std::int64_t rows;
  std::int64_t classes;
  std::int64_t samples;
};

/// Holds the inputs against each other.
Draw checked_draw(const KernelContext& ctx) {
  const Tensor& logits = ctx.input(0);
  if (logits.rank() != 2) {
    invalid_argument("logits must be a matrix, got {}", logits.shape().str());
  }
  if (ctx.input(1).rank() != 0) {
    invalid_argument("num_samples must be a scalar, got {}", ctx.input(1).shape().str());
  }
  const std::int64_t samples = ctx.in<std::int32_t>(1)[0];
  if (samples < 0) invalid_argument("num_samples must not be negative, got {}", samples);
  if (logits.dim(1) < 1) invalid_argument("logits need at least one class");
  return {logits.dim(0), logits.dim(1), samples};
}

/// Row `i` takes 2 words a sample, from where row `i - 1` ends: what TensorFlow draws on one
/// thread.
template <typename T, typename Class>
void draw_rows(const Draw& draw, const Philox& base, const T* logits, Class* out,
               ThreadPool& pool) {
  constexpr std::int64_t kPieceCost = 1 << 15;
  const std::int64_t grain = std::max<std::int64_t>(1, kPieceCost / (draw.classes + draw.samples));
  pool.parallel_for(draw.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    const auto first_word = static_cast<std::uint64_t>(begin * draw.samples) * 2;
    Philox generator = base;
    generator.skip(first_word / 4);
    PhiloxStream words(generator);
    for (std::uint64_t k = 0; k < first_word % 4; ++k) words.next32();
    Tensor scratch(float64, Shape{draw.classes});
    auto* sums = scratch.data<double>();
    for (std::int64_t i = begin; i < end; ++i) {
      const double total = cumulate(logits + i * draw.classes, draw.classes, sums);
      for (std::int64_t k = 0; k < draw.samples; ++k) {
        const double wanted = words.next_double() * total;
        out[i * draw.samples + k] =
            static_cast<Class>(std::upper_bound(sums, sums + draw.classes, wanted) - sums);
      }
    }
  });
}

template <typename T>
void draw_classes(ParallelContext& ctx, const Draw& draw, const Philox& base, Tensor& out) {
  const T* logits = ctx.in<T>(0);
  if (out.dtype() == DType::kInt32) {
    draw_rows(draw, base, logits, out.data<std::int32_t>(), ctx.pool());
  } else {
    draw_rows(draw, base, logits, out.data<std::int64_t>(), ctx.pool());
  }
}

template <typename T>
class Multinomial : public ParallelKernel {
 public:
  explicit Multinomial(const KernelInit& init) : state_(random_state(init)) {}
  void run_parallel(ParallelContext& ctx) override {
    const Draw draw = checked_draw(ctx);
    Tensor& out = ctx.output(0, Shape{draw.rows, draw.samples});
    if (out.num_elements() == 0) return;
    // Two words a number, of which TensorFlow counts whole blocks, 256 times over.
    const std::int64_t whole = (draw.samples + 3) / 4 * 4 * 2;
    draw_classes<T>(ctx, draw, state_->philox().reserve_outputs(draw.rows * whole), out);
  }

 private:
  std::shared_ptr<RandomResource> state_;
};

template <typename T>
void stateless_multinomial(ParallelContext& ctx) {
  const Draw draw = checked_draw(ctx);
  const Philox base = random::generator_of_seeds(ctx.input(2));
  Tensor& out = ctx.output(0, Shape{draw.rows, draw.samples});
  if (out.num_elements() > 0) draw_classes<T>(ctx, draw, base, out);
}

void multinomial_shape(ShapeContext& c) {
  const PartialShape logits = c.with_rank(0, 2);
  c.with_rank(1, 0);
  c.set_output(0, PartialShape{logits[0], c.input_as_int(1).value_or(-1)});
}

void stateless_multinomial_shape(ShapeContext& c) {
  const PartialShape seed = c.with_rank(2, 1);
  if (!merge_dims(seed[0], 2)) c.mismatch("two seeds expected: {}", c.describe_input(2));
  multinomial_shape(c);
}

}  // namespace

void register_random_multinomial(OpRegistry& registry) {
  registry.add({.name = "Multinomial",
                .doc = "Class numbers drawn by the softmax of each row of logits.",
                .inputs = {"logits: T", "num_samples: int32"},
                .outputs = {"output: output_dtype"},
                .attrs = {"seed: int = 0", "seed2: int = 0", "T: realnumbertype",
                          "output_dtype: {int32, int64} = DT_INT64"},
                .effect = Effect::kState,
                .shape = multinomial_shape,
                .not_differentiable = true,
                .kernels = {{float32, make_kernel<Multinomial<float>>},
                            {float64, make_kernel<Multinomial<double>>},
                            {DType::kHalf, make_kernel<Multinomial<Half>>}},
                .threads = Threads::kPieces});
  registry.add(
      {.name = "StatelessMultinomial",
       .doc = "Class numbers drawn by the softmax of each row of logits, by two seeds alone.",
       .inputs = {"logits: T", "num_samples: int32", "seed: Tseed"},
       .outputs = {"output: output_dtype"},
       .attrs = {"T: realnumbertype", "Tseed: {int32, int64} = DT_INT64",
                 "output_dtype: {int32, int64} = DT_INT64"},
       .shape = stateless_multinomial_shape,
       .not_differentiable = true,
       .kernels = {{float32, function_kernel<stateless_multinomial<float>>},
                   {float64, function_kernel<stateless_multinomial<double>>},
                   {DType::kHalf, function_kernel<stateless_multinomial<Half>>}},
       .threads = Threads::kPieces});
}

}  // namespace assay
