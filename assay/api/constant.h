#pragma once

#include <initializer_list>
#include <source_location>
#include <string>
#include <type_traits>
#include <vector>

#include "assay/api/operand.h"

namespace assay {

/// How a constant is made. With `shape`, the value must have as many elements, or one, which then
/// fills the shape. Without `dtype`, the value's own (see Operand).
struct ConstantOptions {
  DType dtype = DType::kInvalid;
  Dims shape = PartialShape::unknown();
  std::string name = "Const";
};

/// A Const node (tf.constant). Throws InvalidArgument when value, dtype and shape do not fit.
Output constant(const Operand& value, const ConstantOptions& options = {},
                std::source_location where = std::source_location::current());
/// A vector: `constant({1.0, 2.0})`.
template <typename T>
Output constant(std::initializer_list<T> values, const ConstantOptions& options = {},
                std::source_location where = std::source_location::current()) {
  if constexpr (std::is_convertible_v<T, std::string>) {
    return constant(Operand(std::vector<std::string>(values.begin(), values.end())), options,
                    where);
  } else {
    return constant(Operand(std::vector<T>(values)), options, where);
  }
}
/// A matrix: `constant({{1.0, 2.0}, {3.0, 4.0}})`; throws InvalidArgument for rows of different
/// lengths.
template <typename T>
Output constant(std::initializer_list<std::initializer_list<T>> rows, ConstantOptions options = {},
                std::source_location where = std::source_location::current()) {
  std::vector<T> values;
  const std::size_t columns = rows.size() == 0 ? 0 : rows.begin()->size();
  for (const auto& row : rows) {
    if (row.size() != columns)
      invalid_argument("constant: rows of {} and {} entries", columns, row.size());
    values.insert(values.end(), row.begin(), row.end());
  }
  if (!options.shape.shape().has_rank()) options.shape = Dims{rows.size(), columns};
  return constant(Operand(values), options, where);
}

/// Options of zeros and ones.
struct FilledOptions {
  DType dtype = DType::kFloat;
  std::string name;
};

/// A tensor of zeros (false, empty strings): a Const when there are fewer than 1000 elements and
/// the shape is known, else a Fill.
Output zeros(const IntList& shape, const FilledOptions& options = {},
             std::source_location where = std::source_location::current());
/// The same of ones (true).
Output ones(const IntList& shape, const FilledOptions& options = {},
            std::source_location where = std::source_location::current());

/// Options of zeros_like and ones_like: kInvalid takes the tensor's dtype. Without `optimize`, a
/// ZerosLike or Shape node is made even when the shape is known.
struct LikeOptions {
  DType dtype = DType::kInvalid;
  std::string name;
  bool optimize = true;
};

/// Zeros of the shape and dtype of `x`.
Output zeros_like(const Operand& x, const LikeOptions& options = {},
                  std::source_location where = std::source_location::current());
/// Ones of the shape and dtype of `x`.
Output ones_like(const Operand& x, const LikeOptions& options = {},
                 std::source_location where = std::source_location::current());

/// `value`, a scalar, in every element of a tensor of shape `dims` (op Fill).
Output fill(const IntList& dims, const Operand& value, const NameOption& options = {},
            std::source_location where = std::source_location::current());

/// Options of placeholder; without `shape` any shape may be fed.
struct PlaceholderOptions {
  Dims shape = PartialShape::unknown();
  std::string name;
};

/// A tensor that must be fed when something that needs it is run. -1 in the shape stands for any
/// size.
Output placeholder(DType dtype, const PlaceholderOptions& options = {},
                   std::source_location where = std::source_location::current());
/// The same with the shape as an argument.
inline Output placeholder(DType dtype, const Dims& shape, const NameOption& options = {},
                          std::source_location where = std::source_location::current()) {
  return placeholder(dtype, PlaceholderOptions{.shape = shape, .name = options.name}, where);
}
/// The same with the shape in braces.
inline Output placeholder(DType dtype, std::initializer_list<Dims::Size> shape,
                          const NameOption& options = {},
                          std::source_location where = std::source_location::current()) {
  return placeholder(dtype, PlaceholderOptions{.shape = shape, .name = options.name}, where);
}

/// `input` when nothing is fed.
Output placeholder_with_default(const Operand& input, const Dims& shape,
                                const NameOption& options = {},
                                std::source_location where = std::source_location::current());

}  // namespace assay
