#include "assay/device/cpu/gemm.h"

#include <dnnl.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "assay/base/error.h"

namespace assay::cpu {
namespace {

// Work of one piece, in multiply-adds: about 80 microseconds of one core.
constexpr std::int64_t kPieceWork = std::int64_t{1} << 22;
// Sides of pieces are multiples of these, which suits every micro-kernel.
constexpr std::int64_t kRowUnit = 64;
constexpr std::int64_t kColumnUnit = 256;
// Below this many multiply-adds a primitive's call costs more than the product.
constexpr std::int64_t kTinyWork = 512;

void check(dnnl_status_t status) {
  if (status == dnnl_success) return;
  if (status == dnnl_out_of_memory) fail(Code::kResourceExhausted, "out of memory in a product");
  fail(Code::kInternal, "oneDNN fails with status {}", static_cast<int>(status));
}

// oneDNN must not split work over threads of its own: their number would change the bits.
class OneThread {
 public:
  OneThread() : previous_(omp_get_max_threads()) {
    if (previous_ != 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (previous_ != 1) omp_set_num_threads(previous_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int previous_;
};

dnnl_engine_t make_engine() {
  dnnl_engine_t engine;
  check(dnnl_engine_create(&engine, dnnl_cpu, 0));
  return engine;
}

// The one processor; oneDNN's handle for it lives as long as the process.
dnnl_engine_t engine() {
  static const dnnl_engine_t the_engine = make_engine();
  return the_engine;
}

dnnl_memory_desc_t matrix(std::int64_t rows, std::int64_t columns, std::int64_t row_stride,
                          std::int64_t column_stride) {
  dnnl_memory_desc_t desc;
  const dnnl_dims_t dims = {rows, columns};
  const dnnl_dims_t strides = {row_stride, column_stride};
  check(dnnl_memory_desc_init_by_strides(&desc, 2, dims, dnnl_f32, strides));
  return desc;
}

// A product of one size, ready to run.
struct Primitive {
  dnnl_memory_desc_t a;
  dnnl_memory_desc_t b;
  dnnl_memory_desc_t c;
  dnnl_memory_desc_t scratch;
  dnnl_primitive_t primitive = nullptr;

  Primitive(const GemmShape& s, std::int64_t m, std::int64_t n)
      : a(matrix(m, s.k, s.transpose_a ? 1 : s.k, s.transpose_a ? s.m : 1)),
        b(matrix(s.k, n, s.transpose_b ? 1 : s.n, s.transpose_b ? s.k : 1)),
        c(matrix(m, n, s.n, 1)) {
    const OneThread one;
    dnnl_matmul_desc_t desc;
    check(dnnl_matmul_desc_init(&desc, &a, &b, nullptr, &c));
    dnnl_primitive_attr_t attr;
    check(dnnl_primitive_attr_create(&attr));
    check(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    dnnl_primitive_desc_t pd = nullptr;
    const dnnl_status_t found = dnnl_primitive_desc_create(&pd, &desc, attr, engine(), nullptr);
    dnnl_primitive_attr_destroy(attr);
    check(found);
    scratch = *dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    const dnnl_status_t made = dnnl_primitive_create(&primitive, pd);
    dnnl_primitive_desc_destroy(pd);
    check(made);
  }
  Primitive(const Primitive&) = delete;
  Primitive& operator=(const Primitive&) = delete;
  ~Primitive() { dnnl_primitive_destroy(primitive); }
};

// The memory objects of one running product: one thread's at a time.
class Execution {
 public:
  explicit Execution(const Primitive& p) : primitive_(p.primitive) {
    check(dnnl_stream_create(&stream_, engine(), dnnl_stream_default_flags));
    const std::size_t bytes = dnnl_memory_desc_get_size(&p.scratch);
    if (bytes > 0) {
      scratch_ = ::operator new(bytes, std::align_val_t(64));
    }
    add(DNNL_ARG_SRC, p.a, DNNL_MEMORY_NONE);
    add(DNNL_ARG_WEIGHTS, p.b, DNNL_MEMORY_NONE);
    add(DNNL_ARG_DST, p.c, DNNL_MEMORY_NONE);
    if (bytes > 0) add(DNNL_ARG_SCRATCHPAD, p.scratch, scratch_);
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;
  ~Execution() {
    for (int i = 0; i < count_; ++i) dnnl_memory_destroy(args_[static_cast<std::size_t>(i)].memory);
    if (scratch_ != nullptr) ::operator delete(scratch_, std::align_val_t(64));
    dnnl_stream_destroy(stream_);
  }

  void run(const float* a, const float* b, float* c) {
    const OneThread one;
    check(dnnl_memory_set_data_handle(args_[0].memory, const_cast<float*>(a)));
    check(dnnl_memory_set_data_handle(args_[1].memory, const_cast<float*>(b)));
    check(dnnl_memory_set_data_handle(args_[2].memory, c));
    check(dnnl_primitive_execute(primitive_, stream_, count_, args_.data()));
  }

 private:
  void add(int arg, const dnnl_memory_desc_t& desc, void* data) {
    dnnl_memory_t memory;
    check(dnnl_memory_create(&memory, &desc, engine(), data));
    args_[static_cast<std::size_t>(count_++)] = {arg, memory};
  }

  dnnl_primitive_t primitive_;
  dnnl_stream_t stream_ = nullptr;
  void* scratch_ = nullptr;
  std::array<dnnl_exec_arg_t, 4> args_{};
  int count_ = 0;
};

// A primitive with the executions that wait for their next use: as many as ever ran at once, up
// to a bound.
class Product {
 public:
  Product(const GemmShape& s, std::int64_t m, std::int64_t n) : primitive_(s, m, n) {
    idle_[0] = new Execution(primitive_);
  }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;
  ~Product() {
    for (auto& slot : idle_) delete slot.load();
  }

  void run(const float* a, const float* b, float* c) {
    std::unique_ptr<Execution> execution = take();
    execution->run(a, b, c);
    give_back(std::move(execution));
  }

 private:
  std::unique_ptr<Execution> take() {
    for (auto& slot : idle_) {
      if (slot.load(std::memory_order_relaxed) == nullptr) continue;
      Execution* found = slot.exchange(nullptr, std::memory_order_acquire);
      if (found != nullptr) return std::unique_ptr<Execution>(found);
    }
    return std::make_unique<Execution>(primitive_);
  }

  void give_back(std::unique_ptr<Execution> execution) {
    for (auto& slot : idle_) {
      Execution* expected = nullptr;
      if (slot.load(std::memory_order_relaxed) == nullptr &&
          slot.compare_exchange_strong(expected, execution.get(), std::memory_order_release)) {
        static_cast<void>(execution.release());
        return;
      }
    }
  }

  Primitive primitive_;
  std::array<std::atomic<Execution*>, 16> idle_{};
};

std::int64_t round_up(std::int64_t x, std::int64_t unit) {
  return (x + unit - 1) / unit * unit;
}

// C = op(A) op(B) when there is little to do, or C is an outer product.
void small_product(const GemmShape& s, const float* a, const float* b, float* c) {
  const std::int64_t a_row = s.transpose_a ? 1 : s.k;
  const std::int64_t a_step = s.transpose_a ? s.m : 1;
  const std::int64_t b_row = s.transpose_b ? 1 : s.n;
  const std::int64_t b_step = s.transpose_b ? s.k : 1;
  for (std::int64_t i = 0; i < s.m; ++i) {
    float* to = c + i * s.n;
    if (s.k == 1) {
      const float x = a[i];
      for (std::int64_t j = 0; j < s.n; ++j) to[j] = x * b[j];
      continue;
    }
    std::fill(to, to + s.n, 0.0f);
    for (std::int64_t p = 0; p < s.k; ++p) {
      const float x = a[i * a_row + p * a_step];
      const float* y = b + p * b_row;
      if (b_step == 1) {
        for (std::int64_t j = 0; j < s.n; ++j) to[j] += x * y[j];
      } else {
        for (std::int64_t j = 0; j < s.n; ++j) to[j] += x * y[j * b_step];
      }
    }
  }
}

}  // namespace

class Gemm::Impl {
 public:
  explicit Impl(const GemmShape& s) : shape_(s), vector_(s.m == 1 || s.n == 1) {
    // Rows first: a piece of whole rows is dense, for which oneDNN has its best code, and repacks
    // only B. Columns, in broad strips, when the rows alone leave pieces far too large.
    const std::int64_t row_work = std::max<std::int64_t>(1, s.n * s.k);
    rows_ = s.m;
    if (s.m * row_work > kPieceWork + kPieceWork / 2) {
      rows_ = std::min(s.m, round_up(std::max<std::int64_t>(1, kPieceWork / row_work), kRowUnit));
    }
    columns_ = s.n;
    if (rows_ * row_work > 8 * kPieceWork) {
      const std::int64_t column_work = rows_ * s.k;
      columns_ = std::min(
          s.n, round_up(std::max<std::int64_t>(1, 2 * kPieceWork / column_work), kColumnUnit));
    }
    row_pieces_ = (s.m + rows_ - 1) / rows_;
    column_pieces_ = (s.n + columns_ - 1) / columns_;
    if (vector_) return;
    for (const std::int64_t m : {rows_, last_rows()}) {
      for (const std::int64_t n : {columns_, last_columns()}) {
        const bool repeated = std::any_of(products_.begin(), products_.end(),
                                          [&](const auto& p) { return p.m == m && p.n == n; });
        if (!repeated) products_.push_back({m, n, std::make_unique<Product>(s, m, n)});
      }
    }
  }

  void run(const float* a, const float* b, float* c, ThreadPool& pool) {
    const std::int64_t pieces = row_pieces_ * column_pieces_;
    if (pieces == 1) {
      run_piece(shape_.m, shape_.n, a, b, c);
      return;
    }
    pool.parallel_for(pieces, 1, [&](std::int64_t piece, std::int64_t) {
      const std::int64_t i = piece / column_pieces_ * rows_;
      const std::int64_t j = piece % column_pieces_ * columns_;
      run_piece(std::min(rows_, shape_.m - i), std::min(columns_, shape_.n - j),
                a + (shape_.transpose_a ? i : i * shape_.k),
                b + (shape_.transpose_b ? j * shape_.k : j), c + i * shape_.n + j);
    });
  }

 private:
  struct Sized {
    std::int64_t m;
    std::int64_t n;
    std::unique_ptr<Product> product;
  };

  std::int64_t last_rows() const { return shape_.m - (row_pieces_ - 1) * rows_; }
  std::int64_t last_columns() const { return shape_.n - (column_pieces_ - 1) * columns_; }

  void run_piece(std::int64_t m, std::int64_t n, const float* a, const float* b, float* c) {
    if (vector_) {
      // oneDNN's plain function knows matrix times vector; its matmul primitives do not.
      const OneThread one;
      check(dnnl_sgemm(shape_.transpose_a ? 'T' : 'N', shape_.transpose_b ? 'T' : 'N', m, n,
                       shape_.k, 1.0f, a, shape_.transpose_a ? shape_.m : shape_.k, b,
                       shape_.transpose_b ? shape_.k : shape_.n, 0.0f, c, shape_.n));
      return;
    }
    for (const Sized& s : products_) {
      if (s.m == m && s.n == n) {
        s.product->run(a, b, c);
        return;
      }
    }
    ASSAY_CHECK(!"a piece of an unknown size");
  }

  GemmShape shape_;
  bool vector_;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::int64_t row_pieces_ = 1;
  std::int64_t column_pieces_ = 1;
  std::vector<Sized> products_;  // at most four
};

Gemm::Gemm(const GemmShape& shape) : shape_(shape) {
  const bool tiny = shape.k <= 1 || shape.m * shape.n * shape.k <= kTinyWork;
  if (!tiny) impl_ = std::make_shared<Impl>(shape);
}

void Gemm::run(const float* a, const float* b, float* c, ThreadPool& pool) const {
  if (impl_ == nullptr) {
    small_product(shape_, a, b, c);
  } else {
    impl_->run(a, b, c, pool);
  }
}

}  // namespace assay::cpu
