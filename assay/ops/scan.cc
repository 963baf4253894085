// Along one axis: running sums and products, the places of extrema.
#include <algorithm>
#include <complex>

#include "assay/device/kernel.h"
#include "assay/graph/gradient.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

constexpr std::int64_t kGrain = 32768;

/// A tensor seen along one axis: [outer, size, inner].
struct Axis {
  std::int64_t outer = 1;
  std::int64_t size = 1;
  std::int64_t inner = 1;
};

int axis_index(const Tensor& axis, int rank) {
  if (axis.num_elements() != 1) invalid_argument("axis must be a scalar, got {}", axis.str());
  const std::int64_t a =
      axis.dtype() == DType::kInt32 ? axis.data<std::int32_t>()[0] : axis.data<std::int64_t>()[0];
  if (a < -rank || a >= rank) {
    invalid_argument("axis {} is out of range: it must be in [{}, {})", a, -rank, rank);
  }
  return static_cast<int>(a < 0 ? a + rank : a);
}

Axis along(const Shape& shape, int axis) {
  Axis result;
  for (int i = 0; i < shape.rank(); ++i) {
    (i < axis ? result.outer : i == axis ? result.size : result.inner) *= shape[i];
  }
  return result;
}

struct Plus {
  template <typename T>
  static T identity() {
    return T{0};
  }
  template <typename T>
  static T combine(T a, T b) {
    return static_cast<T>(a + b);
  }
};
struct Times {
  template <typename T>
  static T identity() {
    return T{1};
  }
  template <typename T>
  static T combine(T a, T b) {
    return static_cast<T>(a * b);
  }
};

// `T` is unsigned for integers, which wrap around; narrow ones are not promoted to int: they are
// widened before (see register_scan, which offers 32 bits and more).
template <typename T, typename Op>
class Scan : public ParallelKernel {
 public:
  explicit Scan(const KernelInit& init)
      : exclusive_(init.attr<bool>("exclusive")), reverse_(init.attr<bool>("reverse")) {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& in = ctx.input(0);
    const Axis a = along(in.shape(), axis_index(ctx.input(1), in.rank()));
    Tensor& out = ctx.output(0, in.shape());
    const T* x = static_cast<const T*>(in.raw());
    T* y = static_cast<T*>(out.raw());
    const std::int64_t work = std::max<std::int64_t>(1, a.size * a.inner);
    ctx.pool().parallel_for(a.outer, std::max<std::int64_t>(1, kGrain / work),
                            [&](std::int64_t begin, std::int64_t end) {
                              for (std::int64_t o = begin; o < end; ++o) {
                                const std::int64_t offset = o * a.size * a.inner;
                                scan(x + offset, y + offset, a);
                              }
                            });
  }

 private:
  void scan(const T* x, T* y, const Axis& a) const {
    if (a.size == 0 || a.inner == 0) return;
    const std::int64_t step = reverse_ ? -a.inner : a.inner;
    std::int64_t at = reverse_ ? (a.size - 1) * a.inner : 0;
    for (std::int64_t i = 0; i < a.inner; ++i) {
      y[at + i] = exclusive_ ? Op::template identity<T>() : x[at + i];
    }
    for (std::int64_t k = 1; k < a.size; ++k) {
      const T* last = y + at;
      const T* next = x + (exclusive_ ? at : at + step);
      at += step;
      for (std::int64_t i = 0; i < a.inner; ++i) y[at + i] = Op::combine(last[i], next[i]);
    }
  }

  bool exclusive_;
  bool reverse_;
};

void cumsum_gradient(GradientContext& g) {
  const bool exclusive = g.node().attr<bool>("exclusive");
  const bool reverse = g.node().attr<bool>("reverse");
  g.set(0,
        g.op("Cumsum", {g.grad(), g.input(1)}, {{"exclusive", exclusive}, {"reverse", !reverse}}));
}

void cumprod_gradient(GradientContext& g) {
  const bool exclusive = g.node().attr<bool>("exclusive");
  const bool reverse = g.node().attr<bool>("reverse");
  const Output product = g.op("Mul", {g.output(0), g.grad()});
  const Output sum =
      g.op("Cumsum", {product, g.input(1)}, {{"exclusive", exclusive}, {"reverse", !reverse}});
  g.set(0, g.op("RealDiv", {sum, g.input(0)}));
}

template <typename T, typename Index, bool Max>
class ArgExtremum : public ParallelKernel {
 public:
  explicit ArgExtremum(const KernelInit&) {}

  void run_parallel(ParallelContext& ctx) override {
    const Tensor& in = ctx.input(0);
    if (in.rank() == 0) invalid_argument("input must have at least one dimension");
    const int axis = axis_index(ctx.input(1), in.rank());
    const Axis a = along(in.shape(), axis);
    if (a.size == 0) invalid_argument("axis {} of {} is empty", axis, in.shape().str());
    Shape shape;
    for (int i = 0; i < in.rank(); ++i) {
      if (i != axis) shape.add_dim(in.dim(i));
    }
    const T* x = in.data<T>();
    Index* out = ctx.out<Index>(0, shape);
    const std::int64_t work = std::max<std::int64_t>(1, a.size * a.inner);
    ctx.pool().parallel_for(a.outer, std::max<std::int64_t>(1, kGrain / work),
                            [&](std::int64_t begin, std::int64_t end) {
                              for (std::int64_t o = begin; o < end; ++o) {
                                search(x + o * a.size * a.inner, out + o * a.inner, a);
                              }
                            });
  }

 private:
  // The first of equal ones; NaN is passed over.
  static void search(const T* x, Index* out, const Axis& a) {
    for (std::int64_t i = 0; i < a.inner; ++i) {
      T best = x[i];
      std::int64_t place = 0;
      for (std::int64_t k = 1; k < a.size; ++k) {
        const T value = x[k * a.inner + i];
        if ((Max ? value > best : value < best) || (best != best && value == value)) {
          best = value;
          place = k;
        }
      }
      out[i] = static_cast<Index>(place);
    }
  }
};

template <bool Max>
std::unique_ptr<Kernel> make_arg_extremum(const KernelInit& init) {
  const bool narrow = init.attr<DType>("output_type") == DType::kInt32;
  return dispatch_numeric(base_dtype(init.node.input(0).dtype()),
                          [&](auto zero) -> std::unique_ptr<Kernel> {
                            using T = decltype(zero);
                            if (narrow)
                              return std::make_unique<ArgExtremum<T, std::int32_t, Max>>(init);
                            return std::make_unique<ArgExtremum<T, std::int64_t, Max>>(init);
                          });
}

void arg_shape(ShapeContext& c) {
  c.with_rank(1, 0);
  const PartialShape& in = c.input(0);
  if (!in.has_rank()) return;
  if (in.rank() <= 1) {
    c.set_output(0, PartialShape::scalar());
    return;
  }
  const auto given = c.input_as_int(1);
  if (!given) {
    c.set_output(0, PartialShape::unknown_of_rank(in.rank() - 1));
    return;
  }
  if (*given < -in.rank() || *given >= in.rank()) {
    c.mismatch("axis {} is outside [{},{}) of {}", *given, -in.rank(), in.rank(),
               c.describe_input(0));
  }
  const std::int64_t axis = *given < 0 ? *given + in.rank() : *given;
  std::vector<std::int64_t> dims = in.dims();
  dims.erase(dims.begin() + axis);
  c.set_output(0, PartialShape(std::move(dims)));
}

template <typename Op>
void add_scan(OpRegistry& r, std::string name, std::string doc, GradientFn gradient) {
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"x: T", "axis: Tidx"},
         .outputs = {"out: T"},
         .attrs = {"exclusive: bool = false", "reverse: bool = false", "T: numbertype",
                   "Tidx: {int32, int64} = DT_INT32"},
         .shape = shapes::unchanged,
         .gradient = gradient,
         .kernels = {{float32, make_kernel<Scan<float, Op>>},
                     {float64, make_kernel<Scan<double, Op>>},
                     {int32, make_kernel<Scan<std::uint32_t, Op>>},
                     {int64, make_kernel<Scan<std::uint64_t, Op>>},
                     {DType::kComplex64, make_kernel<Scan<std::complex<float>, Op>>},
                     {DType::kComplex128, make_kernel<Scan<std::complex<double>, Op>>}},
         .threads = Threads::kPieces});
}

template <bool Max>
void add_arg(OpRegistry& r, std::string name, std::string doc) {
  std::vector<KernelEntry> kernels;
  for (const DType t : {float32, float64, int32, int64, int8, int16, uint8, uint16}) {
    kernels.push_back({t, chosen_kernel<make_arg_extremum<Max>>});
  }
  r.add({.name = std::move(name),
         .doc = std::move(doc),
         .inputs = {"input: T", "dimension: Tidx"},
         .outputs = {"output: output_type"},
         .attrs = {"T: numbertype", "Tidx: {int32, int64} = DT_INT32",
                   "output_type: {int32, int64} = DT_INT64"},
         .shape = arg_shape,
         .not_differentiable = true,
         .kernels = std::move(kernels),
         .threads = Threads::kPieces});
}

}  // namespace

void register_scan(OpRegistry& r) {
  add_scan<Plus>(r, "Cumsum", "The running sum along an axis.", cumsum_gradient);
  add_scan<Times>(r, "Cumprod", "The running product along an axis.", cumprod_gradient);
  add_arg<true>(r, "ArgMax", "The place of the largest along an axis, the first of equal ones.");
  add_arg<false>(r, "ArgMin", "The place of the smallest along an axis, the first of equal ones.");
}

}  // namespace assay
