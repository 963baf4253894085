#include <bit>

#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

struct And {
  template <typename T>
  static T apply(T x, T y) {
    return static_cast<T>(x & y);
  }
};
struct Or {
  template <typename T>
  static T apply(T x, T y) {
    return static_cast<T>(x | y);
  }
};
struct Xor {
  template <typename T>
  static T apply(T x, T y) {
    return static_cast<T>(x ^ y);
  }
};

/// Shifting by less than nothing or by more than there is is undefined in C++: the distance is
/// brought into [0, bits - 1], as TensorFlow does.
template <typename T>
int distance(T y) {
  constexpr int kBits = static_cast<int>(sizeof(T)) * 8;
  if constexpr (std::is_signed_v<T>) {
    if (y < 0) return 0;
  }
  return y > T{kBits - 1} ? kBits - 1 : static_cast<int>(y);
}
struct LeftShift {
  template <typename T>
  static T apply(T x, T y) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(static_cast<U>(x) << distance(y)));
  }
};
struct RightShift {
  template <typename T>
  static T apply(T x, T y) {
    return static_cast<T>(x >> distance(y));
  }
};

/// Element by element with numpy's broadcasting.
template <typename T, typename Op>
void binary(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& y = ctx.input(1);
  const int rank = std::max(x.rank(), y.rank());
  Shape shape;
  std::array<std::int64_t, kMaxRank> x_step{};
  std::array<std::int64_t, kMaxRank> y_step{};
  for (int d = 0; d < rank; ++d) {
    const int i = d - (rank - x.rank());
    const int j = d - (rank - y.rank());
    const std::int64_t a = i < 0 ? 1 : x.dim(i);
    const std::int64_t b = j < 0 ? 1 : y.dim(j);
    if (a != b && a != 1 && b != 1) {
      invalid_argument("shapes {} and {} do not broadcast", x.shape().str(), y.shape().str());
    }
    shape.add_dim(a == 1 ? b : a);
    x_step[static_cast<std::size_t>(d)] = a == 1 ? 0 : ops::product(x.shape(), i + 1, x.rank());
    y_step[static_cast<std::size_t>(d)] = b == 1 ? 0 : ops::product(y.shape(), j + 1, y.rank());
  }
  const T* xs = x.data<T>();
  const T* ys = y.data<T>();
  T* out = ctx.out<T>(0, shape);
  const std::int64_t n = shape.num_elements();
  if (x.shape() == y.shape()) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = Op::apply(xs[i], ys[i]);
    return;
  }
  for (std::int64_t flat = 0; flat < n; ++flat) {
    std::int64_t rest = flat;
    std::int64_t i = 0;
    std::int64_t j = 0;
    for (int d = rank - 1; d >= 0; --d) {
      const std::int64_t at = rest % shape.dim(d);
      rest /= shape.dim(d);
      i += at * x_step[static_cast<std::size_t>(d)];
      j += at * y_step[static_cast<std::size_t>(d)];
    }
    out[flat] = Op::apply(xs[i], ys[j]);
  }
}

template <typename T>
void invert(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  T* out = ctx.out<T>(0, x.shape());
  for (std::int64_t i = 0; i < x.num_elements(); ++i) out[i] = static_cast<T>(~x.data<T>()[i]);
}

template <typename T>
void population_count(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  auto* out = ctx.out<std::uint8_t>(0, x.shape());
  using U = std::make_unsigned_t<T>;
  for (std::int64_t i = 0; i < x.num_elements(); ++i) {
    out[i] = static_cast<std::uint8_t>(std::popcount(static_cast<U>(x.data<T>()[i])));
  }
}

template <typename Op>
struct Binary {
  template <typename T>
  static KernelEntry entry() {
    return {dtype_of<T>, function_kernel<binary<T, Op>>};
  }
};
struct Invert {
  template <typename T>
  static KernelEntry entry() {
    return {dtype_of<T>, function_kernel<invert<T>>};
  }
};
struct PopulationCount {
  template <typename T>
  static KernelEntry entry() {
    return {dtype_of<T>, function_kernel<population_count<T>>};
  }
};

template <typename Entry>
std::vector<KernelEntry> integer_kernels() {
  return {Entry::template entry<std::int8_t>(),   Entry::template entry<std::int16_t>(),
          Entry::template entry<std::int32_t>(),  Entry::template entry<std::int64_t>(),
          Entry::template entry<std::uint8_t>(),  Entry::template entry<std::uint16_t>(),
          Entry::template entry<std::uint32_t>(), Entry::template entry<std::uint64_t>()};
}

const char* const kTypes = "T: {int8, int16, int32, int64, uint8, uint16, uint32, uint64}";

OpSpec binary_spec(std::string name, std::string doc, std::vector<KernelEntry> kernels) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .inputs = {"x: T", "y: T"},
          .outputs = {"z: T"},
          .attrs = {kTypes},
          .shape = shapes::broadcast,
          .not_differentiable = true,
          .kernels = std::move(kernels)};
}

}  // namespace

void register_bitwise(OpRegistry& registry) {
  registry.add(binary_spec("BitwiseAnd", "The bits that are set in both numbers.",
                           integer_kernels<Binary<And>>()));
  registry.add(binary_spec("BitwiseOr", "The bits that are set in either number.",
                           integer_kernels<Binary<Or>>()));
  registry.add(binary_spec("BitwiseXor", "The bits that differ between two numbers.",
                           integer_kernels<Binary<Xor>>()));
  registry.add(binary_spec("LeftShift", "The bits of x moved up by y places.",
                           integer_kernels<Binary<LeftShift>>()));
  registry.add(binary_spec("RightShift", "The bits of x moved down by y places; signs are kept.",
                           integer_kernels<Binary<RightShift>>()));
  registry.add({.name = "Invert",
                .doc = "Every bit the other way.",
                .inputs = {"x: T"},
                .outputs = {"y: T"},
                .attrs = {kTypes},
                .shape = shapes::unchanged,
                .not_differentiable = true,
                .kernels = integer_kernels<Invert>()});
  registry.add({.name = "PopulationCount",
                .doc = "How many bits of each number are set.",
                .inputs = {"x: T"},
                .outputs = {"y: uint8"},
                .attrs = {kTypes},
                .shape = shapes::unchanged,
                .not_differentiable = true,
                .kernels = integer_kernels<PopulationCount>()});
}

}  // namespace assay
