#include <algorithm>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"
#include "assay/ops/wrapped.h"

namespace assay {
namespace {

constexpr std::int64_t kGrainElements = 32768;

/// A value seen as [outer, channels, inner]: inner is 1 when the channels are the last dimension.
struct Channels {
  std::int64_t outer = 1;
  std::int64_t channels = 1;
  std::int64_t inner = 1;
};

Channels channels_of(const Shape& s, bool channels_first) {
  if (s.rank() < (channels_first ? 3 : 2)) {
    invalid_argument("value must have at least {} dimensions, got {}", channels_first ? 3 : 2,
                     s.str());
  }
  const int axis = channels_first ? 1 : s.rank() - 1;
  Channels c;
  for (int i = 0; i < s.rank(); ++i) {
    (i < axis ? c.outer : i == axis ? c.channels : c.inner) *= s[i];
  }
  return c;
}

bool is_channels_first(const Node& node) {
  return node.attr_or<std::string>("data_format", "NHWC") == "NCHW";
}

template <typename T>
class BiasAdd : public ParallelKernel {
 public:
  explicit BiasAdd(const KernelInit& init) : channels_first_(is_channels_first(init.node)) {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& value = ctx.input(0);
    const Tensor& bias = ctx.input(1);
    const Channels c = channels_of(value.shape(), channels_first_);
    if (bias.rank() != 1 || bias.dim(0) != c.channels) {
      invalid_argument("bias must be a vector of {} numbers, got {}", c.channels,
                       bias.shape().str());
    }
    const T* x = value.data<T>();
    const T* b = bias.data<T>();
    T* out = ctx.out<T>(0, value.shape());
    if (value.num_elements() == 0) return;
    if (c.inner == 1) {
      ctx.pool().parallel_for(c.outer, std::max<std::int64_t>(1, kGrainElements / c.channels),
                              [&](std::int64_t begin, std::int64_t end) {
                                for (std::int64_t i = begin; i < end; ++i) {
                                  const T* row = x + i * c.channels;
                                  T* to = out + i * c.channels;
                                  for (std::int64_t j = 0; j < c.channels; ++j) {
                                    to[j] = row[j] + b[j];
                                  }
                                }
                              });
      return;
    }
    ctx.pool().parallel_for(c.outer * c.channels,
                            std::max<std::int64_t>(1, kGrainElements / c.inner),
                            [&](std::int64_t begin, std::int64_t end) {
                              for (std::int64_t i = begin; i < end; ++i) {
                                const T add = b[i % c.channels];
                                const T* row = x + i * c.inner;
                                T* to = out + i * c.inner;
                                for (std::int64_t j = 0; j < c.inner; ++j) to[j] = row[j] + add;
                              }
                            });
  }

 private:
  bool channels_first_;
};

/// The sum over all dimensions but the channels. Rows are summed in blocks of a fixed size, so
/// that the result does not depend on the threads.
template <typename T>
class BiasAddGrad : public ParallelKernel {
 public:
  explicit BiasAddGrad(const KernelInit& init) : channels_first_(is_channels_first(init.node)) {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& value = ctx.input(0);
    const Channels c = channels_of(value.shape(), channels_first_);
    const T* x = value.data<T>();
    T* out = ctx.out<T>(0, Shape{c.channels});
    std::fill(out, out + c.channels, T(0));
    if (value.num_elements() == 0) return;
    if (c.inner > 1) {
      ctx.pool().parallel_for(c.channels, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k) {
          T sum = T(0);
          for (std::int64_t i = 0; i < c.outer; ++i) {
            sum = static_cast<T>(sum + sum_of(x + (i * c.channels + k) * c.inner, c.inner));
          }
          out[k] = sum;
        }
      });
      return;
    }
    const std::int64_t block = std::max<std::int64_t>(16, kGrainElements / c.channels);
    const std::int64_t blocks = (c.outer + block - 1) / block;
    if (blocks == 1) {
      add_rows(x, c.outer, c.channels, out);
      return;
    }
    std::vector<T> partial(static_cast<std::size_t>(blocks * c.channels), T(0));
    ctx.pool().parallel_for(blocks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        add_rows(x + i * block * c.channels, std::min(block, c.outer - i * block), c.channels,
                 partial.data() + i * c.channels);
      }
    });
    add_rows(partial.data(), blocks, c.channels, out);
  }

 private:
  static void add_rows(const T* x, std::int64_t rows, std::int64_t n, T* out) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const T* row = x + i * n;
      for (std::int64_t j = 0; j < n; ++j) out[j] = wrapped_sum(out[j], row[j]);
    }
  }
  static T sum_of(const T* x, std::int64_t n) {
    T s[8] = {};
    std::int64_t j = 0;
    for (; j + 8 <= n; j += 8) {
      for (int k = 0; k < 8; ++k) s[k] = wrapped_sum(s[k], x[j + k]);
    }
    for (int k = 0; j < n; ++j, ++k) s[k] = wrapped_sum(s[k], x[j]);
    T sum = T(0);
    for (const T part : s) sum = wrapped_sum(sum, part);
    return sum;
  }

  bool channels_first_;
};

template <typename T>
void l2_loss(ParallelContext& ctx) {
  constexpr std::int64_t kBlock = 4096;
  const Tensor& t = ctx.input(0);
  const T* x = t.data<T>();
  const std::int64_t n = t.num_elements();
  const std::int64_t blocks = (n + kBlock - 1) / kBlock;
  const auto block_sum = [&](std::int64_t block) {
    const T* p = x + block * kBlock;
    const std::int64_t m = std::min(kBlock, n - block * kBlock);
    T s[16] = {};
    std::int64_t j = 0;
    for (; j + 16 <= m; j += 16) {
      for (int k = 0; k < 16; ++k) s[k] += p[j + k] * p[j + k];
    }
    for (int k = 0; j < m; ++j, ++k) s[k] += p[j] * p[j];
    T sum = 0;
    for (const T part : s) sum += part;
    return sum;
  };
  T total = 0;
  if (blocks <= 8) {
    for (std::int64_t i = 0; i < blocks; ++i) total += block_sum(i);
  } else {
    std::vector<T> partial(static_cast<std::size_t>(blocks));
    ctx.pool().parallel_for(blocks, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        partial[static_cast<std::size_t>(i)] = block_sum(i);
      }
    });
    for (const T part : partial) total += part;
  }
  ctx.out<T>(0, Shape{})[0] = total / 2;
}

void bias_add_shape(ShapeContext& c) {
  const bool first = is_channels_first(c.node());
  PartialShape value = c.with_rank_at_least(0, first ? 3 : 2);
  const PartialShape bias = c.with_rank(1, 1);
  if (value.has_rank()) {
    const int axis = first ? 1 : value.rank() - 1;
    const auto channels = merge_dims(value[axis], bias[0]);
    if (!channels) {
      c.mismatch("bias must have one number a channel: value {}, bias {}", c.describe_input(0),
                 c.describe_input(1));
    }
    value.set_dim(axis, *channels);
  }
  c.set_output(0, value);
}

void bias_add_grad_shape(ShapeContext& c) {
  const bool first = is_channels_first(c.node());
  const PartialShape value = c.with_rank_at_least(0, first ? 3 : 2);
  c.set_output(0, PartialShape{value.has_rank() ? value[first ? 1 : value.rank() - 1] : -1});
}

AttrMap data_format(const Node& node) {
  return {{"data_format", node.attr_or<std::string>("data_format", "NHWC")}};
}

void bias_add_gradient(GradientContext& g) {
  g.set(0, g.grad());
  g.set(1, g.op("BiasAddGrad", {g.grad()}, data_format(g.node())));
}

void bias_add_grad_gradient(GradientContext& g) {
  // Each row got the same derivative: the received one, spread over zeros of the input's shape.
  g.set(0, g.op("BiasAdd", {g.op("ZerosLike", {g.input(0)}), g.grad()}, data_format(g.node())));
}

void l2_loss_gradient(GradientContext& g) {
  g.set(0, g.op("Mul", {g.input(0), g.grad()}));
}

template <template <typename> class K>
std::vector<KernelEntry> arithmetic_kernels() {
  return {{float32, make_kernel<K<float>>},
          {float64, make_kernel<K<double>>},
          {int32, make_kernel<K<std::int32_t>>},
          {int64, make_kernel<K<std::int64_t>>}};
}

}  // namespace

void register_nn_bias(OpRegistry& registry) {
  registry.add({.name = "BiasAdd",
                .doc = "Adds a vector along the channels of a value.",
                .inputs = {"value: T", "bias: T"},
                .outputs = {"output: T"},
                .attrs = {"T: numbertype", "data_format: {'NHWC', 'NCHW'} = 'NHWC'"},
                .shape = bias_add_shape,
                .gradient = bias_add_gradient,
                .kernels = arithmetic_kernels<BiasAdd>(),
                .threads = Threads::kPieces,
                .in_place = true});
  registry.add({.name = "BiasAddV1",
                .doc = "Adds a vector along the last dimension of a value.",
                .inputs = {"value: T", "bias: T"},
                .outputs = {"output: T"},
                .attrs = {"T: numbertype"},
                .shape = bias_add_shape,
                .gradient = bias_add_gradient,
                .kernels = arithmetic_kernels<BiasAdd>(),
                .threads = Threads::kPieces,
                .in_place = true});
  registry.add({.name = "BiasAddGrad",
                .doc = "The sum over all dimensions but the channels: BiasAdd's derivative by the "
                       "bias.",
                .inputs = {"out_backprop: T"},
                .outputs = {"output: T"},
                .attrs = {"T: numbertype", "data_format: {'NHWC', 'NCHW'} = 'NHWC'"},
                .shape = bias_add_grad_shape,
                .gradient = bias_add_grad_gradient,
                .kernels = arithmetic_kernels<BiasAddGrad>(),
                .threads = Threads::kFixedOrder});
  registry.add({.name = "L2Loss",
                .doc = "Half the sum of squares.",
                .inputs = {"t: T"},
                .outputs = {"output: T"},
                .attrs = {"T: {half, bfloat16, float, double}"},
                .shape = shapes::scalar,
                .gradient = l2_loss_gradient,
                .kernels = {{float32, function_kernel<l2_loss<float>>},
                            {float64, function_kernel<l2_loss<double>>}},
                .threads = Threads::kFixedOrder});
}

}  // namespace assay
