#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

/// The highest rank a tensor may have.
inline constexpr int kMaxRank = 8;

/// A fully known shape; held inline, cheap to copy and compare.
class Shape {
 public:
  Shape() = default;
  /// Throws InvalidArgument for a negative size, a rank above kMaxRank, or more than 2^62 elements.
  Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const std::int64_t> dims);
  explicit Shape(const std::vector<std::int64_t>& dims) : Shape(std::span(dims)) {}

  int rank() const { return rank_; }
  /// REQUIRES for dim() and []: 0 <= i < rank().
  std::int64_t dim(int i) const { return dims_[static_cast<std::size_t>(i)]; }
  std::int64_t operator[](int i) const { return dim(i); }
  std::span<const std::int64_t> dims() const {
    return {dims_.data(), static_cast<std::size_t>(rank_)};
  }
  /// The product of the sizes: 1 for a scalar.
  std::int64_t num_elements() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= dims_[static_cast<std::size_t>(i)];
    return n;
  }
  bool is_scalar() const { return rank_ == 0; }
  /// These throw InvalidArgument as the constructors do. REQUIRES for set_dim: 0 <= i < rank().
  void set_dim(int i, std::int64_t size);
  void add_dim(std::int64_t size);

  /// "[2,3]"; a scalar is "[]".
  std::string str() const;

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i) {
      if (a.dims_[static_cast<std::size_t>(i)] != b.dims_[static_cast<std::size_t>(i)])
        return false;
    }
    return true;
  }

 private:
  void check() const;
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// A shape of which the rank, or some sizes (-1), may be unknown.
class PartialShape {
 public:
  /// Unknown rank.
  PartialShape() = default;
  /// Known rank; -1 stands for an unknown size.
  PartialShape(std::initializer_list<std::int64_t> dims) : dims_(std::vector<std::int64_t>(dims)) {}
  explicit PartialShape(std::vector<std::int64_t> dims) : dims_(std::move(dims)) {}
  PartialShape(const Shape& shape)
      : dims_(std::vector<std::int64_t>(shape.dims().begin(), shape.dims().end())) {}

  /// Not even the rank is known; and rank 0.
  static PartialShape unknown() { return {}; }
  static PartialShape scalar() { return PartialShape(std::vector<std::int64_t>{}); }
  /// Throws InvalidArgument for a rank that no tensor has.
  static PartialShape unknown_of_rank(int rank);

  bool has_rank() const { return dims_.has_value(); }
  /// The rank, or -1 when unknown.
  int rank() const { return dims_ ? static_cast<int>(dims_->size()) : -1; }
  /// Size of dimension `i`, -1 when unknown. REQUIRES: has_rank(), 0 <= i < rank().
  std::int64_t dim(int i) const { return (*dims_)[static_cast<std::size_t>(i)]; }
  std::int64_t operator[](int i) const { return dim(i); }
  const std::vector<std::int64_t>& dims() const { return *dims_; }
  void set_dim(int i, std::int64_t size) { (*dims_)[static_cast<std::size_t>(i)] = size; }
  bool is_fully_defined() const;
  /// REQUIRES: is_fully_defined().
  Shape to_shape() const;
  /// Product of the sizes, or -1 when not fully defined.
  std::int64_t num_elements() const;
  /// True when some tensor could have both shapes.
  bool is_compatible_with(const PartialShape& other) const;
  /// What is known of either; nullopt when they contradict each other.
  std::optional<PartialShape> merge(const PartialShape& other) const;

  /// "[?,3]"; unknown rank is "?", a scalar "[]".
  std::string str() const;
  /// The inverse of str(); throws InvalidArgument.
  static PartialShape parse(std::string_view text);

  friend bool operator==(const PartialShape&, const PartialShape&) = default;

 private:
  std::optional<std::vector<std::int64_t>> dims_;
};

}  // namespace assay
