#pragma once

#include <atomic>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "assay/base/error.h"
#include "assay/tensor/dtype.h"
#include "assay/tensor/shape.h"

namespace assay {

/// Counted memory that tensors share; aligned to 64 bytes.
class Buffer {
 public:
  /// `size` bytes, uninitialised; throws ResourceExhausted when there are not so many.
  static Buffer* allocate(std::size_t size);
  /// `count` default-constructed objects of kString, kResource or kVariant.
  static Buffer* allocate_objects(DType dtype, std::size_t count);

  /// One holder more or less; the last one frees the memory. Thread-safe.
  void ref() { count_.fetch_add(1, std::memory_order_relaxed); }
  void unref() {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  /// Whether there is one holder alone, who may write.
  bool unique() const { return count_.load(std::memory_order_acquire) == 1; }
  void* data() { return data_; }
  std::size_t size() const { return size_; }

 private:
  Buffer(DType objects, std::size_t count, std::size_t size);
  ~Buffer();

  std::atomic<int> count_{1};
  DType objects_;  // kString, kResource, kVariant, or kInvalid for plain bytes
  std::size_t object_count_;
  std::size_t size_;
  void* data_;
};

/// A typed, dense, row-major array over counted memory. Copying a Tensor shares the memory
/// (`copy()` does not). Thread-compatible: concurrent reads are safe.
class Tensor {
 public:
  /// Undefined: defined() is false, dtype() is kInvalid.
  Tensor() = default;
  /// Uninitialised memory of that type and shape.
  Tensor(DType dtype, const Shape& shape);
  /// A view of `count` elements' worth of memory inside `buffer`, kept alive by the tensor.
  Tensor(DType dtype, const Shape& shape, Buffer* buffer, std::size_t byte_offset);
  Tensor(const Tensor& other)
      : buffer_(other.buffer_), data_(other.data_), dtype_(other.dtype_), shape_(other.shape_) {
    if (buffer_ != nullptr) buffer_->ref();
  }
  Tensor(Tensor&& other) noexcept
      : buffer_(std::exchange(other.buffer_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        dtype_(std::exchange(other.dtype_, DType::kInvalid)),
        shape_(other.shape_) {}
  Tensor& operator=(Tensor other) noexcept {
    swap(other);
    return *this;
  }
  ~Tensor() {
    if (buffer_ != nullptr) buffer_->unref();
  }

  /// A scalar.
  template <typename T>
  requires(dtype_of<T> != DType::kInvalid) static Tensor scalar(T value) {
    Tensor t(dtype_of<T>, Shape{});
    t.data<T>()[0] = std::move(value);
    return t;
  }
  /// A vector, or `shape` when given (as many elements).
  template <typename T>
  requires(dtype_of<T> != DType::kInvalid) static Tensor of(const std::vector<T>& values) {
    return of<T>(values, Shape{static_cast<std::int64_t>(values.size())});
  }
  template <typename T>
  requires(dtype_of<T> != DType::kInvalid) static Tensor
      of(const std::vector<T>& values, const Shape& shape) {
    Tensor t(dtype_of<T>, shape);
    if (static_cast<std::int64_t>(values.size()) != shape.num_elements()) {
      invalid_argument("{} values given for shape {}", values.size(), shape.str());
    }
    for (std::size_t i = 0; i < values.size(); ++i) t.data<T>()[i] = values[i];
    return t;
  }
  /// All elements zero (false, empty string).
  static Tensor zeros(DType dtype, const Shape& shape);

  /// False for a default Tensor, which has dtype kInvalid.
  bool defined() const { return dtype_ != DType::kInvalid; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  std::int64_t dim(int i) const { return shape_.dim(i); }
  std::int64_t num_elements() const { return shape_.num_elements(); }
  std::size_t num_bytes() const {
    return static_cast<std::size_t>(num_elements()) * dtype_size(dtype_);
  }

  /// The first byte of the elements, or the first object of kString, kResource and kVariant.
  void* raw() { return data_; }
  const void* raw() const { return data_; }
  /// Elements; an internal error when T is not the dtype's type. kVariant holds ResourceHandles
  /// too: a dataset is a value that travels as one.
  template <typename T>
  T* data() {
    ASSAY_CHECK(holds_type<T>(dtype_));
    return static_cast<T*>(data_);
  }
  template <typename T>
  const T* data() const {
    ASSAY_CHECK(holds_type<T>(dtype_));
    return static_cast<const T*>(data_);
  }
  template <typename T>
  std::span<T> span() {
    return {data<T>(), static_cast<std::size_t>(num_elements())};
  }
  template <typename T>
  std::span<const T> span() const {
    return {data<T>(), static_cast<std::size_t>(num_elements())};
  }
  /// The only element of a one-element tensor, for users: throws InvalidArgument when the dtype
  /// or the size is another.
  template <typename T>
  T item() const {
    check_item(dtype_of<T>);
    return *static_cast<const T*>(data_);
  }
  template <typename T>
  std::vector<T> to_vector() const {
    const auto s = span<T>();
    return std::vector<T>(s.begin(), s.end());
  }

  /// The same memory under another shape of as many elements.
  Tensor reshaped(const Shape& shape) const;
  /// The elements from `first_element` on, as many as `shape` has, sharing the memory. Throws
  /// InvalidArgument when there are not so many.
  Tensor part(std::int64_t first_element, const Shape& shape) const;
  /// Sets the shape in place, sharing nothing new. REQUIRES: the memory suffices.
  void set_shape(const Shape& shape) { shape_ = shape; }
  /// A copy that shares nothing.
  Tensor copy() const;
  /// True when this is the only holder of its memory.
  bool unique() const { return buffer_ != nullptr && buffer_->unique(); }
  bool shares_memory_with(const Tensor& other) const {
    return buffer_ != nullptr && buffer_ == other.buffer_;
  }
  /// True when dtype, shape and every bit of the elements are equal.
  bool identical(const Tensor& other) const;

  /// "float32[2,3] [[1 2 3] [4 5 6]]", shortened after `max_elements` numbers.
  std::string str(std::int64_t max_elements = 16) const;

  /// Exchanges buffers, shapes and dtypes; copies no element.
  void swap(Tensor& other) noexcept {
    std::swap(buffer_, other.buffer_);
    std::swap(data_, other.data_);
    std::swap(dtype_, other.dtype_);
    std::swap(shape_, other.shape_);
  }

 private:
  void check_item(DType wanted) const;

  Buffer* buffer_ = nullptr;
  void* data_ = nullptr;
  DType dtype_ = DType::kInvalid;
  Shape shape_;
};

/// Copies the elements of `from` over those of `to`. REQUIRES: same dtype and element count.
void copy_elements(const Tensor& from, Tensor& to);

/// Calls `body(T{})` with a value of the C++ type of `dtype` for the numeric types listed;
/// throws Unimplemented for others.
template <typename Body>
decltype(auto) dispatch_numeric(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::kFloat:
      return body(float{});
    case DType::kDouble:
      return body(double{});
    case DType::kInt32:
      return body(std::int32_t{});
    case DType::kInt64:
      return body(std::int64_t{});
    case DType::kInt8:
      return body(std::int8_t{});
    case DType::kInt16:
      return body(std::int16_t{});
    case DType::kUInt8:
      return body(std::uint8_t{});
    case DType::kUInt16:
      return body(std::uint16_t{});
    case DType::kUInt32:
      return body(std::uint32_t{});
    case DType::kUInt64:
      return body(std::uint64_t{});
    default:
      fail(Code::kUnimplemented, "no numeric kernel for dtype {}", dtype_name(dtype));
  }
}

}  // namespace assay
