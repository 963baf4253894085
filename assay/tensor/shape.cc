#include "assay/tensor/shape.h"

#include <algorithm>
#include <charconv>

#include "assay/base/error.h"

namespace assay {

namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 62;

std::string dims_str(std::span<const std::int64_t> dims) {
  std::string out = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) out += ',';
    if (dims[i] < 0) {
      out += '?';
    } else {
      out += std::to_string(dims[i]);
    }
  }
  return out + "]";
}

}  // namespace

Shape::Shape(std::span<const std::int64_t> dims) {
  if (dims.size() > static_cast<std::size_t>(kMaxRank)) {
    invalid_argument("shape {} has rank {}, the highest is {}", dims_str(dims), dims.size(),
                     kMaxRank);
  }
  rank_ = static_cast<int>(dims.size());
  std::copy(dims.begin(), dims.end(), dims_.begin());
  check();
}

void Shape::check() const {
  std::int64_t elements = 1;
  bool overflow = false;
  for (const std::int64_t d : dims()) {
    if (d < 0) invalid_argument("a shape has a negative size: {}", d);
    // Even beside a zero an overflowing product is refused: parts of it are multiplied elsewhere.
    if (d > 0 && (__builtin_mul_overflow(elements, d, &elements) || elements > kMaxElements)) {
      overflow = true;
      elements = 1;
    }
  }
  if (overflow) invalid_argument("shape {} has more than 2^62 elements", dims_str(dims()));
}

void Shape::set_dim(int i, std::int64_t size) {
  ASSAY_CHECK(i >= 0 && i < rank_);
  dims_[static_cast<std::size_t>(i)] = size;
  check();
}

void Shape::add_dim(std::int64_t size) {
  if (rank_ == kMaxRank) {
    invalid_argument("shape {} cannot have one more dimension, the highest rank is {}", str(),
                     kMaxRank);
  }
  dims_[static_cast<std::size_t>(rank_++)] = size;
  check();
}

std::string Shape::str() const {
  return dims_str(dims());
}

PartialShape PartialShape::unknown_of_rank(int rank) {
  if (rank < 0 || rank > kMaxRank) {
    invalid_argument("a shape of rank {}, the highest is {}", rank, kMaxRank);
  }
  return PartialShape(std::vector<std::int64_t>(static_cast<std::size_t>(rank), -1));
}

bool PartialShape::is_fully_defined() const {
  if (!dims_) return false;
  for (const std::int64_t d : *dims_) {
    if (d < 0) return false;
  }
  return true;
}

Shape PartialShape::to_shape() const {
  ASSAY_CHECK(is_fully_defined());
  return Shape(*dims_);
}

std::int64_t PartialShape::num_elements() const {
  if (!is_fully_defined()) return -1;
  return to_shape().num_elements();
}

bool PartialShape::is_compatible_with(const PartialShape& other) const {
  if (!dims_ || !other.dims_) return true;
  if (dims_->size() != other.dims_->size()) return false;
  for (std::size_t i = 0; i < dims_->size(); ++i) {
    const std::int64_t a = (*dims_)[i];
    const std::int64_t b = (*other.dims_)[i];
    if (a >= 0 && b >= 0 && a != b) return false;
  }
  return true;
}

std::optional<PartialShape> PartialShape::merge(const PartialShape& other) const {
  if (!is_compatible_with(other)) return std::nullopt;
  if (!dims_) return other;
  PartialShape out = *this;
  if (other.dims_) {
    for (std::size_t i = 0; i < dims_->size(); ++i) {
      if ((*out.dims_)[i] < 0) (*out.dims_)[i] = (*other.dims_)[i];
    }
  }
  return out;
}

std::string PartialShape::str() const {
  return dims_ ? dims_str(*dims_) : "?";
}

PartialShape PartialShape::parse(std::string_view text) {
  const auto bad = [&] {
    invalid_argument("'{}' is no shape; shapes look like [2,?,3], [] or ?", text);
  };
  std::string squeezed;
  for (const char c : text) {
    if (c != ' ') squeezed += c;
  }
  if (squeezed == "?") return {};
  if (squeezed.size() < 2 || squeezed.front() != '[' || squeezed.back() != ']') bad();
  const std::string_view body = std::string_view(squeezed).substr(1, squeezed.size() - 2);
  std::vector<std::int64_t> dims;
  if (body.empty()) return PartialShape(std::move(dims));
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = std::min(body.find(',', begin), body.size());
    const std::string_view item = body.substr(begin, comma - begin);
    if (item == "?" || item == "-1") {
      dims.push_back(-1);
    } else {
      std::int64_t value = 0;
      const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), value);
      if (error != std::errc() || end != item.data() + item.size() || value < 0) bad();
      dims.push_back(value);
    }
    if (comma == body.size()) break;
    begin = comma + 1;
  }
  return PartialShape(std::move(dims));
}

}  // namespace assay
