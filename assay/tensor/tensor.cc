#include "assay/tensor/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

namespace assay {

namespace {

constexpr std::size_t kAlignment = 64;
/// More than any machine holds; keeps sizes from outside far from overflow.
constexpr std::size_t kMaxBytes = std::size_t{1} << 47;

std::size_t bytes_of(DType dtype, std::int64_t elements) {
  const std::size_t size = dtype_size(dtype);
  if (size == 0) invalid_argument("a tensor cannot hold elements of type {}", dtype_name(dtype));
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<std::size_t>(elements), size, &bytes) ||
      bytes > kMaxBytes) {
    fail(Code::kResourceExhausted, "a tensor of {} elements of type {} is too large", elements,
         dtype_name(dtype));
  }
  return bytes;
}

bool holds_objects(DType dtype) {
  return dtype == DType::kString || dtype == DType::kResource || dtype == DType::kVariant;
}

void append_quoted(const std::string& text, std::string& out) {
  constexpr std::size_t kMaxShown = 60;
  out += '"';
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == kMaxShown) {
      out += "\"...";
      return;
    }
    const char c = text[i];
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (u < 0x20 || u == 0x7f) {
      out += fmt::format("\\x{:02x}", u);
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_element(const Tensor& t, std::int64_t index, std::string& out) {
  const auto at = [&]<typename T>(T) { return static_cast<const T*>(t.raw())[index]; };
  switch (t.dtype()) {
    case DType::kFloat:
      out += fmt::format("{:.9g}", at(float{}));
      break;
    case DType::kDouble:
      out += fmt::format("{:.17g}", at(double{}));
      break;
    case DType::kHalf:
      out += fmt::format("{:.5g}", static_cast<float>(at(Half{})));
      break;
    case DType::kBFloat16:
      out += fmt::format("{:.4g}", static_cast<float>(at(BFloat16{})));
      break;
    case DType::kBool:
      out += at(std::uint8_t{}) != 0 ? "true" : "false";
      break;
    case DType::kInt8:
    case DType::kQInt8:
      out += fmt::format("{}", static_cast<int>(at(std::int8_t{})));
      break;
    case DType::kUInt8:
    case DType::kQUInt8:
      out += fmt::format("{}", static_cast<int>(at(std::uint8_t{})));
      break;
    case DType::kInt16:
    case DType::kQInt16:
      out += fmt::format("{}", at(std::int16_t{}));
      break;
    case DType::kUInt16:
    case DType::kQUInt16:
      out += fmt::format("{}", at(std::uint16_t{}));
      break;
    case DType::kInt32:
    case DType::kQInt32:
      out += fmt::format("{}", at(std::int32_t{}));
      break;
    case DType::kUInt32:
      out += fmt::format("{}", at(std::uint32_t{}));
      break;
    case DType::kInt64:
      out += fmt::format("{}", at(std::int64_t{}));
      break;
    case DType::kUInt64:
      out += fmt::format("{}", at(std::uint64_t{}));
      break;
    case DType::kComplex64: {
      const auto z = at(std::complex<float>{});
      out += fmt::format("{:.9g}{:+.9g}i", z.real(), z.imag());
      break;
    }
    case DType::kComplex128: {
      const auto z = at(std::complex<double>{});
      out += fmt::format("{:.17g}{:+.17g}i", z.real(), z.imag());
      break;
    }
    case DType::kString:
      append_quoted(t.data<std::string>()[index], out);
      break;
    case DType::kResource:
    case DType::kVariant:
      append_quoted(t.data<ResourceHandle>()[index].name, out);
      break;
    default:
      out += '?';
      break;
  }
}

/// Appends the elements below `axis` from `index` on; false when `left` ran out.
bool append_nested(const Tensor& t, int axis, std::int64_t& index, std::int64_t& left,
                   std::string& out) {
  if (axis == t.rank()) {
    if (left == 0) {
      out += "...";
      return false;
    }
    --left;
    append_element(t, index++, out);
    return true;
  }
  out += '[';
  for (std::int64_t i = 0; i < t.dim(axis); ++i) {
    if (i > 0) out += ' ';
    if (!append_nested(t, axis + 1, index, left, out)) {
      out += ']';
      return false;
    }
  }
  out += ']';
  return true;
}

}  // namespace

Buffer::Buffer(DType objects, std::size_t count, std::size_t size)
    : objects_(objects), object_count_(count), size_(size), data_(nullptr) {
  // Whole cache lines, and never zero bytes: loops over vectors may touch the last line entirely.
  const std::size_t rounded = (std::max<std::size_t>(size, 1) + kAlignment - 1) / kAlignment;
  data_ = size > kMaxBytes ? nullptr : std::aligned_alloc(kAlignment, rounded * kAlignment);
  if (data_ == nullptr) {
    fail(Code::kResourceExhausted, "there is no memory for a tensor of {} bytes", size);
  }
  if (objects == DType::kString) {
    std::uninitialized_value_construct_n(static_cast<std::string*>(data_), count);
  } else if (holds_objects(objects)) {
    std::uninitialized_value_construct_n(static_cast<ResourceHandle*>(data_), count);
  }
}

Buffer::~Buffer() {
  if (objects_ == DType::kString) {
    std::destroy_n(static_cast<std::string*>(data_), object_count_);
  } else if (holds_objects(objects_)) {
    std::destroy_n(static_cast<ResourceHandle*>(data_), object_count_);
  }
  std::free(data_);
}

Buffer* Buffer::allocate(std::size_t size) {
  return new Buffer(DType::kInvalid, 0, size);
}

Buffer* Buffer::allocate_objects(DType dtype, std::size_t count) {
  ASSAY_CHECK(holds_objects(dtype));
  ASSAY_CHECK(count <= kMaxBytes / dtype_size(dtype));
  return new Buffer(dtype, count, count * dtype_size(dtype));
}

Tensor::Tensor(DType dtype, const Shape& shape) : dtype_(dtype), shape_(shape) {
  const std::size_t bytes = bytes_of(dtype, shape.num_elements());
  buffer_ = holds_objects(dtype)
                ? Buffer::allocate_objects(dtype, static_cast<std::size_t>(shape.num_elements()))
                : Buffer::allocate(bytes);
  data_ = buffer_->data();
}

Tensor::Tensor(DType dtype, const Shape& shape, Buffer* buffer, std::size_t byte_offset)
    : dtype_(dtype), shape_(shape) {
  ASSAY_CHECK(buffer != nullptr);
  const std::size_t bytes = bytes_of(dtype, shape.num_elements());
  ASSAY_CHECK(byte_offset <= buffer->size() && bytes <= buffer->size() - byte_offset);
  buffer->ref();
  buffer_ = buffer;
  data_ = static_cast<char*>(buffer->data()) + byte_offset;
}

Tensor Tensor::zeros(DType dtype, const Shape& shape) {
  Tensor t(dtype, shape);
  if (!holds_objects(dtype)) std::memset(t.data_, 0, t.num_bytes());
  return t;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  if (shape.num_elements() != num_elements()) {
    invalid_argument("a tensor of shape {} with {} elements cannot take shape {} with {}",
                     shape_.str(), num_elements(), shape.str(), shape.num_elements());
  }
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::part(std::int64_t first_element, const Shape& shape) const {
  if (first_element < 0 || first_element + shape.num_elements() > num_elements()) {
    invalid_argument("elements {} to {} are not in a tensor of shape {}", first_element,
                     first_element + shape.num_elements(), shape_.str());
  }
  Tensor t = *this;
  t.data_ =
      static_cast<char*>(data_) + static_cast<std::size_t>(first_element) * dtype_size(dtype_);
  t.shape_ = shape;
  return t;
}

Tensor Tensor::copy() const {
  if (!defined()) return {};
  Tensor t(dtype_, shape_);
  copy_elements(*this, t);
  return t;
}

bool Tensor::identical(const Tensor& other) const {
  if (dtype_ != other.dtype_) return false;
  if (!defined()) return true;
  if (!(shape_ == other.shape_)) return false;
  if (dtype_ == DType::kString) {
    const auto a = span<std::string>();
    const auto b = other.span<std::string>();
    return std::equal(a.begin(), a.end(), b.begin());
  }
  if (holds_objects(dtype_)) {
    const auto a = span<ResourceHandle>();
    const auto b = other.span<ResourceHandle>();
    return std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
      return x.resource == y.resource && x.name == y.name;
    });
  }
  return std::memcmp(data_, other.data_, num_bytes()) == 0;
}

std::string Tensor::str(std::int64_t max_elements) const {
  if (!defined()) return "undefined";
  std::string out = dtype_name(dtype_) + shape_.str() + " ";
  std::int64_t index = 0;
  std::int64_t left = max_elements;
  if (num_elements() == 0) return out + "[]";
  append_nested(*this, 0, index, left, out);
  return out;
}

void Tensor::check_item(DType wanted) const {
  if (dtype_ != wanted) {
    invalid_argument("the value of a {} tensor was asked for as {}", dtype_name(dtype_),
                     dtype_name(wanted));
  }
  if (num_elements() != 1) {
    invalid_argument("the value of a tensor of shape {} was asked for, it has {} elements, not 1",
                     shape_.str(), num_elements());
  }
}

void copy_elements(const Tensor& from, Tensor& to) {
  ASSAY_CHECK(from.dtype() == to.dtype() && from.num_elements() == to.num_elements());
  if (from.dtype() == DType::kString) {
    const auto s = from.span<std::string>();
    std::copy(s.begin(), s.end(), to.data<std::string>());
  } else if (holds_objects(from.dtype())) {
    const auto s = from.span<ResourceHandle>();
    std::copy(s.begin(), s.end(), to.data<ResourceHandle>());
  } else if (from.raw() != to.raw()) {
    std::memmove(to.raw(), from.raw(), from.num_bytes());
  }
}

}  // namespace assay
