#include <bit>
#include <functional>

#include "assay/device/kernel.h"
#include "assay/graph/shape_context.h"
#include "assay/ops/array_util.h"
#include "assay/ops/manifest.h"

namespace assay {
namespace {

/// Numbers things in the order they first occur. The memory is kept from call to call.
class FirstSeen {
 public:
  /// Room for `n` things.
  void reset(std::int64_t n) {
    const std::size_t capacity =
        std::bit_ceil(static_cast<std::size_t>(std::max<std::int64_t>(8, 2 * n)));
    mask_ = capacity - 1;
    table_.assign(capacity, -1);
    firsts_.clear();
  }
  /// The number of item `i`; `same(j, i)` tells whether it equals the earlier item `j`.
  template <typename Same>
  std::int64_t number(std::int64_t i, std::uint64_t hash, Same&& same) {
    // A multiplication spreads the neighbouring numbers that ids usually are.
    std::size_t slot = static_cast<std::size_t>((hash * 0x9e3779b97f4a7c15U) >> 20) & mask_;
    while (true) {
      std::int32_t& entry = table_[slot];
      if (entry < 0) {
        entry = static_cast<std::int32_t>(firsts_.size());
        firsts_.push_back(i);
        return entry;
      }
      if (same(firsts_[static_cast<std::size_t>(entry)], i)) return entry;
      slot = (slot + 1) & mask_;
    }
  }
  /// Where each different thing occurs first.
  const std::vector<std::int64_t>& firsts() const { return firsts_; }

 private:
  std::vector<std::int32_t> table_;
  std::vector<std::int64_t> firsts_;
  std::size_t mask_ = 0;
};

FirstSeen& scratch() {
  thread_local FirstSeen seen;
  return seen;
}

template <typename T>
std::uint64_t hash_of(const T& value) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<std::uint64_t>(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return std::hash<std::string>{}(value);
  } else {
    return std::hash<T>{}(value);  // equal zeros of either sign hash alike
  }
}

void write_index(Tensor& t, std::int64_t i, std::int64_t value) {
  if (t.dtype() == DType::kInt32) {
    t.data<std::int32_t>()[i] = static_cast<std::int32_t>(value);
  } else {
    t.data<std::int64_t>()[i] = value;
  }
}

void write_counts(KernelContext& ctx, const Tensor& idx, std::int64_t unique, std::int64_t n) {
  Tensor& count = ctx.output(2, {unique});
  for (std::int64_t i = 0; i < unique; ++i) write_index(count, i, 0);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t at = ops::int_at(idx, i);
    write_index(count, at, ops::int_at(count, at) + 1);
  }
}

/// Unique and UniqueWithCounts (`ctx` has a third output) of a vector.
template <typename T>
void unique(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  if (x.rank() != 1) invalid_argument("x must be a vector, got shape {}", x.shape().str());
  const std::int64_t n = x.num_elements();
  const T* values = x.data<T>();
  FirstSeen& seen = scratch();
  seen.reset(n);
  Tensor& idx = ctx.output(1, {n});
  const auto same = [values](std::int64_t a, std::int64_t b) { return values[a] == values[b]; };
  for (std::int64_t i = 0; i < n; ++i) {
    write_index(idx, i, seen.number(i, hash_of(values[i]), same));
  }
  const auto count = static_cast<std::int64_t>(seen.firsts().size());
  T* y = ctx.out<T>(0, {count});
  for (std::int64_t i = 0; i < count; ++i)
    y[i] = values[seen.firsts()[static_cast<std::size_t>(i)]];
  if (ctx.num_outputs() == 3) write_counts(ctx, idx, count, n);
}

/// UniqueV2 along an axis: whole slices are compared, byte by byte.
void unique_slices(KernelContext& ctx, int axis) {
  const Tensor& x = ctx.input(0);
  const std::int64_t n = x.dim(axis);
  const std::int64_t outer = ops::product(x.shape(), 0, axis);
  const std::int64_t inner_bytes = ops::product(x.shape(), axis + 1, x.rank()) *
                                   static_cast<std::int64_t>(dtype_size(x.dtype()));
  const char* bytes = static_cast<const char*>(x.raw());
  const auto part = [&](std::int64_t o, std::int64_t i) {
    return std::string_view(bytes + (o * n + i) * inner_bytes,
                            static_cast<std::size_t>(inner_bytes));
  };
  FirstSeen& seen = scratch();
  seen.reset(n);
  Tensor& idx = ctx.output(1, {n});
  const auto same = [&](std::int64_t a, std::int64_t b) {
    for (std::int64_t o = 0; o < outer; ++o) {
      if (part(o, a) != part(o, b)) return false;
    }
    return true;
  };
  for (std::int64_t i = 0; i < n; ++i) {
    std::uint64_t hash = 0;
    for (std::int64_t o = 0; o < outer; ++o) {
      hash = hash * 31 + std::hash<std::string_view>{}(part(o, i));
    }
    write_index(idx, i, seen.number(i, hash, same));
  }
  const auto count = static_cast<std::int64_t>(seen.firsts().size());
  Shape shape = x.shape();
  shape.set_dim(axis, count);
  char* y = static_cast<char*>(ctx.output(0, shape).raw());
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::string_view from = part(o, seen.firsts()[static_cast<std::size_t>(i)]);
      ops::copy_run(y + (o * count + i) * inner_bytes, from.data(), inner_bytes);
    }
  }
  if (ctx.num_outputs() == 3) write_counts(ctx, idx, count, n);
}

template <typename T>
void unique_v2(KernelContext& ctx) {
  const Tensor& axis = ctx.input(1);
  if (axis.num_elements() > 1) invalid_argument("at most one axis, got {}", axis.num_elements());
  const int rank = ctx.input(0).rank();
  if (rank == 1) return unique<T>(ctx);
  if (axis.num_elements() == 0) {
    invalid_argument("x of shape {} needs an axis", ctx.input(0).shape().str());
  }
  if (!ops::is_plain(ctx.input(0).dtype())) {
    fail(Code::kUnimplemented, "slices of {} are not supported", dtype_name(ctx.input(0).dtype()));
  }
  unique_slices(ctx, ops::checked_axis(ops::int_at(axis, 0), rank));
}

void unique_shape(ShapeContext& c) {
  const PartialShape x = c.with_rank(0, 1);
  c.set_output(0, {-1});
  c.set_output(1, x);
  if (c.num_outputs() == 3) c.set_output(2, {-1});
}

void unique_v2_shape(ShapeContext& c) {
  const PartialShape& x = c.input(0);
  c.set_output(0, x.has_rank() ? PartialShape::unknown_of_rank(x.rank()) : PartialShape::unknown());
  c.set_output(1, {-1});
  if (c.num_outputs() == 3) c.set_output(2, {-1});
  const Tensor* axis = c.input_value(1);
  if (axis == nullptr || !x.has_rank() || (axis->num_elements() == 0 && x.rank() != 1)) return;
  const int a = axis->num_elements() == 0 ? 0 : ops::checked_axis(ops::int_at(*axis, 0), x.rank());
  PartialShape y = x;
  y.set_dim(a, -1);
  c.set_output(0, std::move(y));
  c.set_output(1, {x.dim(a)});
}

/// The entries of x that y does not have, with their places.
template <typename T>
void list_diff(KernelContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Tensor& y = ctx.input(1);
  if (x.rank() != 1 || y.rank() != 1) {
    invalid_argument("x and y must be vectors, got {} and {}", x.shape().str(), y.shape().str());
  }
  const T* xs = x.data<T>();
  const T* ys = y.data<T>();
  FirstSeen& seen = scratch();
  seen.reset(y.num_elements() + x.num_elements());
  const std::int64_t m = y.num_elements();
  const auto value = [&](std::int64_t i) -> const T& { return i < m ? ys[i] : xs[i - m]; };
  const auto same = [&](std::int64_t a, std::int64_t b) { return value(a) == value(b); };
  for (std::int64_t i = 0; i < m; ++i) seen.number(i, hash_of(ys[i]), same);
  const auto known = static_cast<std::int64_t>(seen.firsts().size());
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < x.num_elements(); ++i) {
    if (seen.number(m + i, hash_of(xs[i]), same) >= known) kept.push_back(i);
  }
  const auto count = static_cast<std::int64_t>(kept.size());
  T* out = ctx.out<T>(0, {count});
  Tensor& idx = ctx.output(1, {count});
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = xs[kept[static_cast<std::size_t>(i)]];
    write_index(idx, i, kept[static_cast<std::size_t>(i)]);
  }
}

void list_diff_shape(ShapeContext& c) {
  c.with_rank(0, 1);
  c.with_rank(1, 1);
  c.set_all_outputs({-1});
}

template <template <typename> class Entry>
std::vector<KernelEntry> value_kernels() {
  return {Entry<float>::entry(),        Entry<double>::entry(),        Entry<std::int32_t>::entry(),
          Entry<std::int64_t>::entry(), Entry<std::uint8_t>::entry(),  Entry<std::int8_t>::entry(),
          Entry<std::int16_t>::entry(), Entry<std::uint16_t>::entry(), Entry<bool>::entry(),
          Entry<std::string>::entry()};
}
template <typename T>
struct UniqueEntry {
  static KernelEntry entry() { return {dtype_of<T>, function_kernel<unique<T>>}; }
};
template <typename T>
struct UniqueV2Entry {
  static KernelEntry entry() { return {dtype_of<T>, function_kernel<unique_v2<T>>}; }
};
template <typename T>
struct ListDiffEntry {
  static KernelEntry entry() { return {dtype_of<T>, function_kernel<list_diff<T>>}; }
};

OpSpec unique_spec(std::string name, std::string doc, bool counts) {
  OpSpec spec{.name = std::move(name),
              .doc = std::move(doc),
              .inputs = {"x: T"},
              .outputs = {"y: T", "idx: out_idx"},
              .attrs = {"T: type", "out_idx: {int32, int64} = DT_INT32"},
              .shape = unique_shape,
              .not_differentiable = true,
              .kernels = value_kernels<UniqueEntry>()};
  if (counts) spec.outputs.push_back("count: out_idx");
  return spec;
}

OpSpec unique_v2_spec(std::string name, std::string doc, bool counts) {
  OpSpec spec = unique_spec(std::move(name), std::move(doc), counts);
  spec.inputs.push_back("axis: Taxis");
  spec.attrs = {"T: type", "Taxis: {int32, int64} = DT_INT64",
                "out_idx: {int32, int64} = DT_INT32"};
  spec.shape = unique_v2_shape;
  spec.kernels = value_kernels<UniqueV2Entry>();
  return spec;
}

}  // namespace

void register_unique(OpRegistry& registry) {
  registry.add(unique_spec(
      "Unique", "The different values of a vector as they first occur, and which each entry is.",
      false));
  registry.add(unique_spec("UniqueWithCounts",
                           "The different values of a vector, which each entry is, and how often "
                           "each occurs.",
                           true));
  registry.add(
      unique_v2_spec("UniqueV2", "The different slices along an axis, and which each is.", false));
  registry.add(unique_v2_spec("UniqueWithCountsV2",
                              "The different slices along an axis, which each is, and how often "
                              "each occurs.",
                              true));
  registry.add({.name = "ListDiff",
                .doc = "The entries of x that do not occur in y, and their places.",
                .inputs = {"x: T", "y: T"},
                .outputs = {"out: T", "idx: out_idx"},
                .attrs = {"T: type", "out_idx: {int32, int64} = DT_INT32"},
                .shape = list_diff_shape,
                .not_differentiable = true,
                .kernels = value_kernels<ListDiffEntry>()});
}

}  // namespace assay
