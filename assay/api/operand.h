#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "assay/graph/graph.h"

namespace assay {

class Variable;
class VariableState;

/// Anything that a graph function takes for a tensor: an Output, a Variable, a Tensor, a number, a
/// bool, a string, or a vector of these. What is no tensor yet becomes a Const node when it is
/// used, with the name and by the dtype that TensorFlow's front end would give it. It remembers
/// the source line that it was written on, so that `a + b` has one.
///
/// Dtypes: with nothing to go by, int gives int32, int64_t int64, and both float and double give
/// float32 (as Python's float does); beside a tensor, a constant takes the tensor's dtype.
class Operand {
 public:
  /// No operand at all; defined() is false.
  Operand() = default;
  Operand(const Output& output, std::source_location where = std::source_location::current());
  Operand(const Variable& variable, std::source_location where = std::source_location::current());
  template <typename T>
  requires std::is_arithmetic_v<T> Operand(
      T value, std::source_location where = std::source_location::current())
      : where_(where) {
    set_numbers(std::vector<T>{value}, true);
  }
  Operand(const char* text, std::source_location where = std::source_location::current());
  Operand(std::string text, std::source_location where = std::source_location::current());
  Operand(Tensor value, std::source_location where = std::source_location::current());
  template <typename T>
  requires std::is_arithmetic_v<T> Operand(
      const std::vector<T>& values, std::source_location where = std::source_location::current())
      : where_(where) {
    set_numbers(values, false);
  }
  Operand(const std::vector<std::string>& values,
          std::source_location where = std::source_location::current());

  bool defined() const { return !std::holds_alternative<std::monostate>(value_); }
  /// True for an Output or a Variable: a graph element already.
  bool is_tensor() const { return is_output() || is_variable(); }
  bool is_output() const { return std::holds_alternative<Output>(value_); }
  bool is_variable() const {
    return std::holds_alternative<std::shared_ptr<VariableState>>(value_);
  }
  bool is_constant() const { return std::holds_alternative<Tensor>(value_); }

  /// REQUIRES: the kind asked for.
  const Output& output() const { return std::get<Output>(value_); }
  const std::shared_ptr<VariableState>& variable() const {
    return std::get<std::shared_ptr<VariableState>>(value_);
  }
  const Tensor& constant() const { return std::get<Tensor>(value_); }

  /// The base dtype it has, or that it takes when nothing else decides.
  DType dtype() const;
  /// Its static shape.
  PartialShape shape() const;
  /// The graph it belongs to; null for a constant.
  Graph* graph() const;
  const std::source_location& where() const { return where_; }

 private:
  template <typename T>
  void set_numbers(const std::vector<T>& values, bool scalar) {
    const Shape shape = scalar ? Shape{} : Shape{static_cast<std::int64_t>(values.size())};
    if constexpr (std::same_as<T, bool>) {
      Tensor t(DType::kBool, shape);
      for (std::size_t i = 0; i < values.size(); ++i) t.data<bool>()[i] = values[i];
      value_ = std::move(t);
    } else if constexpr (std::floating_point<T>) {
      std::vector<double> wide(values.begin(), values.end());
      set_doubles(wide, shape);
    } else {
      std::vector<std::int64_t> wide;
      wide.reserve(values.size());
      for (const T v : values) wide.push_back(checked(v));
      set_integers(wide, shape, sizeof(T) < sizeof(std::int64_t) ? DType::kInt32 : DType::kInt64);
    }
  }
  template <typename T>
  static std::int64_t checked(T v) {
    if constexpr (std::unsigned_integral<T> && sizeof(T) == sizeof(std::int64_t)) {
      if (v > static_cast<T>(std::numeric_limits<std::int64_t>::max())) {
        invalid_argument("{} does not fit into int64", v);
      }
    }
    return static_cast<std::int64_t>(v);
  }
  void set_doubles(const std::vector<double>& values, const Shape& shape);
  void set_integers(const std::vector<std::int64_t>& values, const Shape& shape, DType natural);

  std::variant<std::monostate, Output, std::shared_ptr<VariableState>, Tensor> value_;
  DType natural_ = DType::kInvalid;  // of a constant: its dtype when nothing else decides
  std::source_location where_;
};

/// A list of integers such as a shape, a permutation or axes: `{2, 3}`, a Shape, a vector, an int
/// tensor, or a list in which some entries are scalar tensors (then packed at run time).
class IntList {
 public:
  IntList() = default;
  IntList(std::initializer_list<Operand> entries) : entries_(entries) {}
  template <std::integral T>
  IntList(const std::vector<T>& values) : entries_(values.begin(), values.end()) {}
  IntList(const std::vector<Operand>& entries) : entries_(entries) {}
  IntList(const Shape& shape);
  /// Throws InvalidArgument when the shape is not fully known.
  IntList(const PartialShape& shape);
  IntList(const Output& tensor) : tensor_(tensor) {}
  IntList(const Variable& tensor) : tensor_(tensor) {}
  IntList(const Tensor& value) : tensor_(value) {}

  /// True when every entry is a number.
  bool is_static() const;
  /// True when it is one tensor, not a list of entries.
  bool is_tensor() const { return tensor_.defined(); }
  const Operand& tensor() const { return tensor_; }
  const std::vector<Operand>& entries() const { return entries_; }
  /// The numbers. REQUIRES: is_static().
  std::vector<std::int64_t> values() const;

 private:
  std::vector<Operand> entries_;
  Operand tensor_;
};

/// One integer or a list of them: the axes of a reduction. An int and a one-entry list are told
/// apart, as the constants that they make differ in rank.
class Axes {
 public:
  /// None given: all axes.
  Axes() = default;
  template <std::integral T>
  Axes(T axis) : given_(true), scalar_(true), list_{Operand(axis)} {}
  Axes(std::initializer_list<int> axes) : given_(true), list_(std::vector<int>(axes)) {}
  template <std::integral T>
  Axes(const std::vector<T>& axes) : given_(true), list_(axes) {}
  Axes(const Output& axes) : given_(true), list_(axes) {}

  /// False means all axes; is_scalar() tells 1 from {1}.
  bool given() const { return given_; }
  bool is_scalar() const { return scalar_; }
  /// A scalar is its only entry.
  const IntList& list() const { return list_; }

 private:
  bool given_ = false;
  bool scalar_ = false;
  IntList list_;
};

/// Static sizes of a new variable or placeholder: `{rows, 128}` of any integer types, a Shape, a
/// vector; -1 stands for an unknown size where that is allowed.
class Dims {
 public:
  /// A size of any integer type, so that braces need no casts.
  struct Size {
    template <std::integral T>
    Size(T n) : value(static_cast<std::int64_t>(n)) {}
    std::int64_t value;
  };
  Dims(std::initializer_list<Size> sizes);
  template <std::integral T>
  Dims(const std::vector<T>& sizes)
      : shape_(std::vector<std::int64_t>(sizes.begin(), sizes.end())) {}
  Dims(const Shape& shape) : shape_(shape) {}
  Dims(PartialShape shape) : shape_(std::move(shape)) {}

  const PartialShape& shape() const { return shape_; }

 private:
  PartialShape shape_;
};

/// The option that every function has: the name of the node it makes ("" takes the op's).
struct NameOption {
  std::string name;
};

/// `x` as a tensor (tf.convert_to_tensor): an Output as it is, a Variable's value, or a new Const
/// node called `name`. With `dtype`, constants are converted to it; throws InvalidArgument when
/// the value does not fit, or when a tensor is of another dtype.
Output convert_to_tensor(const Operand& x, const std::string& name = {},
                         DType dtype = DType::kInvalid,
                         std::source_location where = std::source_location::current());

/// An integer list as a tensor: a Const, or a Pack of the entries that are tensors. `dtype` is
/// int32 or int64; kInvalid chooses int32 unless a number needs more.
Output convert_to_tensor(const IntList& x, const std::string& name = {},
                         DType dtype = DType::kInvalid,
                         std::source_location where = std::source_location::current());

/// A constant's value in another dtype, as numpy's astype, but refusing to drop a fraction, a
/// sign or high bits. Throws InvalidArgument.
Tensor convert_constant(const Tensor& value, DType dtype);

/// Element-wise arithmetic with broadcasting (ops AddV2, Sub, Mul, RealDiv, Neg). A constant on
/// either side takes the other's dtype. Integers are cast to float64 by `/`, as in Python 3.
/// Throws InvalidArgument when dtypes differ or shapes do not fit.
Output operator+(const Operand& x, const Operand& y);
Output operator-(const Operand& x, const Operand& y);
Output operator*(const Operand& x, const Operand& y);
Output operator/(const Operand& x, const Operand& y);
/// Remainder with the divisor's sign (op FloorMod), Python's `%`.
Output operator%(const Operand& x, const Operand& y);
Output operator-(const Operand& x);

}  // namespace assay
