#include "assay/device/cpu/reduce.h"

#include <algorithm>
#include <complex>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "assay/base/error.h"
#include "assay/device/cpu/map-inl.h"

namespace assay::cpu {
namespace {

// Elements that one block of a long reduction has; also the grain of parallel work.
constexpr std::int64_t kBlock = 32768;
// Rows that are added up in one run before they join the total: bounds the rounding error.
constexpr std::int64_t kRowBlock = 128;

struct SumOp {
  template <typename T>
  static T identity() {
    return T{0};
  }
  template <typename V>
  static V combine(const V& a, const V& x) {
    return a + x;
  }
};
struct ProdOp {
  template <typename T>
  static T identity() {
    return T{1};
  }
  template <typename V>
  static V combine(const V& a, const V& x) {
    if constexpr (std::is_same_v<V, std::uint16_t>) {
      return static_cast<V>(std::uint32_t{a} * x);  // not as int, which overflows
    } else {
      return a * x;
    }
  }
};
// A NaN wins and stays.
struct MaxOp {
  template <typename T>
  static T identity() {
    return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::lowest();
  }
  template <typename V>
  static V combine(const V& a, const V& x) {
    return ((x > a) | (x != x)) ? x : a;
  }
};
struct MinOp {
  template <typename T>
  static T identity() {
    return std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::max();
  }
  template <typename V>
  static V combine(const V& a, const V& x) {
    return ((x < a) | (x != x)) ? x : a;
  }
};
// On bytes that are 0 or 1.
struct AllOp {
  template <typename T>
  static T identity() {
    return T{1};
  }
  template <typename V>
  static V combine(const V& a, const V& x) {
    return a & x;
  }
};
struct AnyOp {
  template <typename T>
  static T identity() {
    return T{0};
  }
  template <typename V>
  static V combine(const V& a, const V& x) {
    return a | x;
  }
};

template <typename T, typename Op>
T combine(T a, T x) {
  return static_cast<T>(Op::combine(a, x));
}

// A row: four vector accumulators over the bulk, one for single vectors, then lanes pairwise.
template <typename T, typename Op>
T reduce_row(const T* x, std::int64_t n) {
  T total = Op::template identity<T>();
  std::int64_t i = 0;
  if constexpr (!is_complex_type<T>) {
    typedef T Vector __attribute__((vector_size(32)));
    constexpr std::int64_t kLanes = 32 / sizeof(T);
    if (n >= kLanes) {
      const auto load = [x](std::int64_t at) {
        Vector v;
        std::memcpy(&v, x + at, sizeof v);
        return v;
      };
      Vector a = load(0);
      i = kLanes;
      if (n >= 8 * kLanes) {
        Vector b = load(kLanes);
        Vector c = load(2 * kLanes);
        Vector d = load(3 * kLanes);
        for (i = 4 * kLanes; i + 4 * kLanes <= n; i += 4 * kLanes) {
          a = Op::combine(a, load(i));
          b = Op::combine(b, load(i + kLanes));
          c = Op::combine(c, load(i + 2 * kLanes));
          d = Op::combine(d, load(i + 3 * kLanes));
        }
        a = Op::combine(a, b);
        c = Op::combine(c, d);
        a = Op::combine(a, c);
      }
      for (; i + kLanes <= n; i += kLanes) a = Op::combine(a, load(i));
      T lanes[kLanes];
      std::memcpy(lanes, &a, sizeof lanes);
      for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
        for (std::int64_t k = 0; k < half; ++k) {
          lanes[k] = combine<T, Op>(lanes[k], lanes[k + half]);
        }
      }
      total = lanes[0];
    }
  }
  for (; i < n; ++i) total = combine<T, Op>(total, x[i]);
  return total;
}

// A long row in blocks; their results are combined in order.
template <typename T, typename Op>
T reduce_long_row(const T* x, std::int64_t n, ThreadPool& pool) {
  if (n <= kBlock) return reduce_row<T, Op>(x, n);
  const std::int64_t blocks = (n + kBlock - 1) / kBlock;
  const auto parts = std::make_unique<T[]>(static_cast<std::size_t>(blocks));
  pool.parallel_for(blocks, 1, [&](std::int64_t block, std::int64_t) {
    const std::int64_t begin = block * kBlock;
    parts[static_cast<std::size_t>(block)] =
        reduce_row<T, Op>(x + begin, std::min(kBlock, n - begin));
  });
  return reduce_row<T, Op>(parts.get(), blocks);
}

// out[j] = out[j] op x[j].
template <typename T, typename Op>
void combine_into(T* out, const T* x, std::int64_t n) {
  std::int64_t j = 0;
  if constexpr (!is_complex_type<T>) {
    typedef T Vector __attribute__((vector_size(32)));
    constexpr std::int64_t kLanes = 32 / sizeof(T);
    for (; j + kLanes <= n; j += kLanes) {
      Vector a;
      Vector b;
      std::memcpy(&a, out + j, sizeof a);
      std::memcpy(&b, x + j, sizeof b);
      a = Op::combine(a, b);
      std::memcpy(out + j, &a, sizeof a);
    }
  }
  for (; j < n; ++j) out[j] = combine<T, Op>(out[j], x[j]);
}

// Column results of `rows` rows of `n`, `stride` apart: four rows a pass, and in runs of
// kRowBlock rows so that long columns round little.
template <typename T, typename Op>
void reduce_columns_run(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t n,
                        T* out) {
  std::copy_n(x, n, out);
  std::int64_t r = 1;
  if constexpr (!is_complex_type<T>) {
    typedef T Vector __attribute__((vector_size(32)));
    constexpr std::int64_t kLanes = 32 / sizeof(T);
    std::int64_t j = 0;
    // A band of columns stays in registers while the rows go by.
    for (; j + 4 * kLanes <= n; j += 4 * kLanes) {
      const auto load = [](const T* from) {
        Vector v;
        std::memcpy(&v, from, sizeof v);
        return v;
      };
      const T* from = x + j;
      Vector p = load(from);
      Vector q = load(from + kLanes);
      Vector s = load(from + 2 * kLanes);
      Vector t = load(from + 3 * kLanes);
      for (std::int64_t i = 1; i < rows; ++i) {
        from += stride;
        p = Op::combine(p, load(from));
        q = Op::combine(q, load(from + kLanes));
        s = Op::combine(s, load(from + 2 * kLanes));
        t = Op::combine(t, load(from + 3 * kLanes));
      }
      std::memcpy(out + j, &p, sizeof p);
      std::memcpy(out + j + kLanes, &q, sizeof q);
      std::memcpy(out + j + 2 * kLanes, &s, sizeof s);
      std::memcpy(out + j + 3 * kLanes, &t, sizeof t);
    }
    for (; j + kLanes <= n; j += kLanes) {
      Vector sum;
      std::memcpy(&sum, x + j, sizeof sum);
      for (std::int64_t i = 1; i < rows; ++i) {
        Vector v;
        std::memcpy(&v, x + i * stride + j, sizeof v);
        sum = Op::combine(sum, v);
      }
      std::memcpy(out + j, &sum, sizeof sum);
    }
    for (; j < n; ++j) {
      T sum = x[j];
      for (std::int64_t i = 1; i < rows; ++i) sum = combine<T, Op>(sum, x[i * stride + j]);
      out[j] = sum;
    }
  } else {
    for (; r < rows; ++r) combine_into<T, Op>(out, x + r * stride, n);
  }
}

template <typename T, typename Op>
void reduce_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t n, T* out) {
  if (rows == 0) {
    std::fill_n(out, n, Op::template identity<T>());
    return;
  }
  reduce_columns_run<T, Op>(x, std::min(rows, kRowBlock), stride, n, out);
  if (rows <= kRowBlock) return;
  const auto part = std::make_unique<T[]>(static_cast<std::size_t>(n));
  for (std::int64_t r = kRowBlock; r < rows; r += kRowBlock) {
    reduce_columns_run<T, Op>(x + r * stride, std::min(kRowBlock, rows - r), stride, n, part.get());
    combine_into<T, Op>(out, part.get(), n);
  }
}

// [rows, n] to [n]: bands of columns side by side when there are many, else blocks of rows whose
// results are combined in order.
template <typename T, typename Op>
void reduce_outer(const T* x, std::int64_t rows, std::int64_t n, T* out, ThreadPool& pool) {
  constexpr std::int64_t kBand = 1024;
  if (rows * n <= 2 * kBlock) {
    reduce_columns<T, Op>(x, rows, n, n, out);
    return;
  }
  if (n >= 4 * kBand) {
    pool.parallel_for(n, kBand, [&](std::int64_t begin, std::int64_t end) {
      reduce_columns<T, Op>(x + begin, rows, n, end - begin, out + begin);
    });
    return;
  }
  const std::int64_t block = std::max<std::int64_t>(kRowBlock, kBlock / n);
  const std::int64_t blocks = (rows + block - 1) / block;
  const auto parts = std::make_unique<T[]>(static_cast<std::size_t>(blocks * n));
  pool.parallel_for(blocks, 1, [&](std::int64_t b, std::int64_t) {
    const std::int64_t begin = b * block;
    reduce_columns<T, Op>(x + begin * n, std::min(block, rows - begin), n, n, parts.get() + b * n);
  });
  reduce_columns<T, Op>(parts.get(), blocks, n, n, out);
}

}  // namespace

float sum_row(const float* x, std::int64_t n) {
  return reduce_row<float, SumOp>(x, n);
}

ReducePlan::ReducePlan(const Shape& input, std::span<const std::int64_t> axes, bool keep_dims) {
  std::array<bool, kMaxRank> over{};
  for (const std::int64_t axis : axes) {
    if (axis < -input.rank() || axis >= input.rank()) {
      invalid_argument("axis {} is out of range for shape {}: it must be in [{}, {})", axis,
                       input.str(), -input.rank(), input.rank());
    }
    const auto i = static_cast<std::size_t>(axis < 0 ? axis + input.rank() : axis);
    if (over[i]) invalid_argument("axis {} is given twice", axis);
    over[i] = true;
  }
  for (int i = 0; i < input.rank(); ++i) {
    const std::int64_t size = input[i];
    const bool reduced = over[static_cast<std::size_t>(i)];
    (reduced ? reduced_ : kept_) *= size;
    if (!reduced) {
      shape_.add_dim(size);
    } else if (keep_dims) {
      shape_.add_dim(1);
    }
    if (size == 1) continue;
    const auto r = static_cast<std::size_t>(rank_);
    if (rank_ > 0 && is_reduced_[r - 1] == reduced) {
      dims_[r - 1] *= size;
    } else {
      dims_[r] = size;
      is_reduced_[r] = reduced;
      ++rank_;
    }
  }
}

template <typename T, typename Op>
void ReducePlan::reduce(const T* in, T* out, ThreadPool& pool) const {
  if (kept_ == 0) return;
  if (reduced_ == 0) {
    std::fill_n(out, kept_, Op::template identity<T>());
    return;
  }
  if (reduced_ == 1) {
    std::copy_n(in, kept_, out);
    return;
  }
  if (rank_ == 1) {
    *out = reduce_long_row<T, Op>(in, reduced_, pool);
    return;
  }
  if (rank_ == 2 && is_reduced_[1]) {
    const std::int64_t n = dims_[1];
    if (dims_[0] < 8 && n > kBlock) {
      for (std::int64_t i = 0; i < dims_[0]; ++i) {
        out[i] = reduce_long_row<T, Op>(in + i * n, n, pool);
      }
      return;
    }
    const std::int64_t grain = std::max<std::int64_t>(1, kBlock / n);
    pool.parallel_for(dims_[0], grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) out[i] = reduce_row<T, Op>(in + i * n, n);
    });
    return;
  }
  if (rank_ == 2) {
    reduce_outer<T, Op>(in, dims_[0], dims_[1], out, pool);
    return;
  }
  // Three dimensions and more: the kept outer indices are the unit of work; within one, the
  // reduced outer indices go by in order, each giving a row's result or a run of columns.
  const auto last = static_cast<std::size_t>(rank_ - 1);
  const bool rows = is_reduced_[last];
  const std::int64_t inner = dims_[last];
  // The dimension before an inner kept one is reduced: its rows are `inner` apart.
  const std::int64_t depth = rows ? 1 : dims_[last - 1];
  const std::size_t outer = rows ? last : last - 1;
  std::array<std::int64_t, kMaxRank> stride{};
  std::int64_t step = inner * depth;
  for (std::size_t d = outer; d-- > 0;) {
    stride[d] = step;
    step *= dims_[d];
  }
  std::int64_t units = 1;
  std::int64_t repeats = 1;
  for (std::size_t d = 0; d < outer; ++d) (is_reduced_[d] ? repeats : units) *= dims_[d];
  const auto offset_of = [&](std::int64_t index, bool reduced) {
    std::int64_t offset = 0;
    for (std::size_t d = outer; d-- > 0;) {
      if (is_reduced_[d] != reduced) continue;
      offset += index % dims_[d] * stride[d];
      index /= dims_[d];
    }
    return offset;
  };
  const std::int64_t work = std::max<std::int64_t>(1, inner * depth * repeats);
  const std::int64_t width = rows ? 1 : inner;
  pool.parallel_for(
      units, std::max<std::int64_t>(1, kBlock / work), [&](std::int64_t begin, std::int64_t end) {
        std::vector<T> part(repeats > 1 && !rows ? static_cast<std::size_t>(inner) : 0);
        for (std::int64_t u = begin; u < end; ++u) {
          const T* base = in + offset_of(u, false);
          T* to = out + u * width;
          for (std::int64_t r = 0; r < repeats; ++r) {
            const T* from = base + offset_of(r, true);
            if (rows) {
              const T value = reduce_row<T, Op>(from, inner);
              *to = r == 0 ? value : combine<T, Op>(*to, value);
            } else if (r == 0) {
              reduce_columns<T, Op>(from, depth, inner, inner, to);
            } else {
              reduce_columns<T, Op>(from, depth, inner, inner, part.data());
              combine_into<T, Op>(to, part.data(), inner);
            }
          }
        }
      });
}

namespace {

// Sums and products of integers wrap around: done on unsigned ones.
template <typename T>
struct Arithmetic {
  using type = T;
};
template <typename T>
requires std::is_integral_v<T>
struct Arithmetic<T> {
  using type = std::make_unsigned_t<T>;
};

}  // namespace

void ReducePlan::run(ReduceOp op, DType dtype, const void* in, void* out, ThreadPool& pool) const {
  if (op == ReduceOp::kAll || op == ReduceOp::kAny) {
    ASSAY_CHECK(dtype == DType::kBool);
    const auto* x = static_cast<const std::uint8_t*>(in);
    auto* y = static_cast<std::uint8_t*>(out);
    if (op == ReduceOp::kAll) {
      reduce<std::uint8_t, AllOp>(x, y, pool);
    } else {
      reduce<std::uint8_t, AnyOp>(x, y, pool);
    }
    return;
  }
  const auto typed = [&](auto zero) {
    using T = decltype(zero);
    using A = typename Arithmetic<T>::type;
    const T* x = static_cast<const T*>(in);
    T* y = static_cast<T*>(out);
    switch (op) {
      case ReduceOp::kSum:
      case ReduceOp::kMean:
        reduce<A, SumOp>(reinterpret_cast<const A*>(x), reinterpret_cast<A*>(y), pool);
        if (op == ReduceOp::kMean) {
          if constexpr (std::is_integral_v<T>) {
            if (reduced_ == 0) return;
            for (std::int64_t i = 0; i < kept_; ++i) {
              y[i] = static_cast<T>(static_cast<std::int64_t>(y[i]) / reduced_);
            }
          } else {
            using Real = decltype(std::real(T{}));
            const Real count = static_cast<Real>(reduced_);
            for (std::int64_t i = 0; i < kept_; ++i) y[i] /= count;
          }
        }
        return;
      case ReduceOp::kProd:
        reduce<A, ProdOp>(reinterpret_cast<const A*>(x), reinterpret_cast<A*>(y), pool);
        return;
      default:
        break;
    }
    if constexpr (!is_complex_type<T>) {
      if (op == ReduceOp::kMax) {
        reduce<T, MaxOp>(x, y, pool);
      } else {
        reduce<T, MinOp>(x, y, pool);
      }
    } else {
      fail(Code::kUnimplemented, "complex numbers have no order");
    }
  };
  if (dtype == DType::kComplex64) {
    typed(std::complex<float>{});
  } else if (dtype == DType::kComplex128) {
    typed(std::complex<double>{});
  } else {
    dispatch_numeric(dtype, typed);
  }
}

}  // namespace assay::cpu
